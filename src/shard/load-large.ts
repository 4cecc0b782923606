/**
 * Brings the large collections of a snapshot into a shard: an empty one for the image, then what its pieces say (collections/piece.ts).
 *
 * Runs on a thread of the job pool, under the shard's lock, with the shard's journal off. Entries are evicted where there must be
 * room; what was evicted itself, or is there as new, lets its pieces go by. A collection that is small by now is packed.
 */
import { Buffer } from 'node:buffer';
import { FORM_DEADLINES, FORM_TREE, PACKED_COUNT, PACKED_GROUPS } from '../collections/form.ts';
import { applyOps } from '../collections/ops.ts';
import { PIECE_END, PIECE_GONE, PIECE_OPS } from '../collections/piece.ts';
import { tableFor } from './databases.ts';
import { lsnOf, typeOf } from './entry.ts';
import { cutImage, imageKeyBytes, imageKeyStart, imageLsn, imageType, imageValueBytes } from './image.ts';
import { NONE, WRITING } from './layout.ts';
import { dropEntry, IMAGE_PLACED, type Images, putImage } from './load.ts';
import type { Shard } from './shard.ts';
import { findInTable, hashOf } from './table.ts';

/** The large collection whose pieces come next. */
export type LargeLoad = {
  /** Undefined where the pieces go by. */
  shard: Shard | undefined;
  database: number;
  key: Buffer;
  lsn: number;
  type: number;
};

export function createLargeLoad(): LargeLoad {
  return { shard: undefined, database: 0, key: Buffer.alloc(0), lsn: 0, type: 0 };
}

/** Places the image of a large collection, of which the pieces follow; what became of it, as `putImage`. Changes the image. */
export function beginLarge(load: LargeLoad, shard: Shard, images: Images, at: number, nowMs: number): number {
  const { words, bytes, database } = images;
  const keyStart = imageKeyStart(words, at);
  const keyEnd = keyStart + imageKeyBytes(words, at);
  cutImage(words, at, PACKED_GROUPS);
  // What the pieces bring makes it what it was.
  bytes[keyEnd] &= ~(FORM_TREE | FORM_DEADLINES);
  bytes.writeUInt16LE(0, keyEnd + PACKED_COUNT);
  const result = putImage(shard, images, at, nowMs);
  load.shard = result === IMAGE_PLACED ? shard : undefined;
  load.database = database;
  load.key = Buffer.from(bytes.subarray(keyStart, keyEnd));
  load.lsn = imageLsn(words, at);
  load.type = imageType(words, at);
  return result;
}

/** Does what the next piece says. `isLast` says that no log follows the snapshot. False: there is no room. O(piece), log n each. */
export function continueLarge(
  load: LargeLoad,
  images: Images,
  at: number,
  isLast: boolean,
  nowMs: number,
): boolean {
  const { shard, key } = load;
  if (shard === undefined) return true;
  const { words, bytes } = images;
  const start = imageKeyStart(words, at);
  const kind = bytes[start];
  const table = tableFor(shard, load.database);
  const hash = hashOf(shard, key, 0, key.length);
  const ref = findInTable(shard, table, hash, key, 0, key.length);
  if (ref === NONE || lsnOf(shard.entries, ref) !== load.lsn || typeOf(shard.entries, ref) !== load.type)
    return true;
  if (kind === PIECE_GONE) dropEntry(shard, table, hash, ref);
  if (kind === PIECE_GONE || (kind === PIECE_END && !isLast)) return true;
  const done = applyOps(shard, ref, bytes, start + PIECE_OPS, start + imageValueBytes(words, at), nowMs);
  shard.control[WRITING] = NONE;
  return done !== NONE;
}
