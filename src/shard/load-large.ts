/**
 * Brings the large collections of a snapshot into a shard: an empty one for the image, then what its pieces say (collections/piece.ts).
 *
 * Runs on a thread of the job pool, under the shard's lock, with the shard's journal off. Entries are evicted where there must be
 * room; what was evicted itself, or is there as new, lets its pieces go by. A collection that is small by now is packed.
 *
 * The groups of all pieces are gathered, up to a bound, and put at once (collections/tree-fill.ts): that takes half the time, and
 * the leaves are as full as they were. What else a piece says is done as it comes, and ends the gathering.
 */
import { Buffer } from 'node:buffer';
import { OP_ADD, OP_HEADER_BYTES } from '../collections/change.ts';
import { type Operations, pushBytes } from '../collections/export.ts';
import { FORM_DEADLINES, FORM_TREE, PACKED_COUNT, PACKED_GROUPS } from '../collections/form.ts';
import { applyOps } from '../collections/ops.ts';
import {
  opPayload,
  opPayloadEnd,
  PIECE_GONE,
  PIECE_MORE,
  PIECE_OPS,
  writeOpHead,
} from '../collections/piece.ts';
import { LOAD_GATHERED_BYTES_MAX } from '../config/limits-collections.ts';
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
  /** One operation that adds groups, of the pieces so far that are not done; empty: the next ones are done as they come. */
  readonly gathered: Operations;
};

const NOTHING = Buffer.alloc(0);

/** How much is gathered; less is for tests. One per thread. */
export const gathering = { bytesMax: LOAD_GATHERED_BYTES_MAX };

export function createLargeLoad(): LargeLoad {
  return {
    shard: undefined,
    database: 0,
    key: Buffer.alloc(0),
    lsn: 0,
    type: 0,
    gathered: { bytes: NOTHING, length: 0 },
  };
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
  beginGathering(load);
  return result;
}

/**
 * Does what the next piece says, if only at the last of them. `isLast` says that no log follows the snapshot. False: there is no room.
 * O(piece), log n each.
 */
export function continueLarge(
  load: LargeLoad,
  images: Images,
  at: number,
  isLast: boolean,
  nowMs: number,
): boolean {
  const { shard, key, gathered } = load;
  if (shard === undefined) return true;
  const { words, bytes } = images;
  const start = imageKeyStart(words, at);
  const kind = bytes[start];
  const end = start + imageValueBytes(words, at);
  if (kind === PIECE_MORE && gather(gathered, bytes, start + PIECE_OPS, end)) return true;
  const table = tableFor(shard, load.database);
  const hash = hashOf(shard, key, 0, key.length);
  const ref = findInTable(shard, table, hash, key, 0, key.length);
  if (ref === NONE || lsnOf(shard.entries, ref) !== load.lsn || typeOf(shard.entries, ref) !== load.type) {
    endGathering(gathered);
    return true;
  }
  if (kind === PIECE_GONE) {
    endGathering(gathered);
    dropEntry(shard, table, hash, ref);
    return true;
  }
  let done = ref;
  if (gathered.length > OP_HEADER_BYTES)
    done = applyOps(shard, ref, gathered.bytes, 0, gathered.length, nowMs);
  endGathering(gathered);
  if (done !== NONE && (kind === PIECE_MORE || isLast)) {
    done = applyOps(shard, done, bytes, start + PIECE_OPS, end, nowMs);
  }
  shard.control[WRITING] = NONE;
  return done !== NONE;
}

function beginGathering({ gathered }: LargeLoad): void {
  gathered.length = 0;
  pushBytes(gathered, Buffer.alloc(OP_HEADER_BYTES), 0, OP_HEADER_BYTES);
}

/** Adds the groups that the operations `bytes[start, end)` add. False: they do something else, or are too much, or none are gathered. */
function gather(gathered: Operations, bytes: Buffer, start: number, end: number): boolean {
  if (gathered.length === 0 || gathered.length + end - start > gathering.bytesMax) return false;
  for (let at = start; at < end; at = opPayloadEnd(bytes, at)) if (bytes[at] !== OP_ADD) return false;
  for (let at = start; at < end; at = opPayloadEnd(bytes, at)) {
    pushBytes(gathered, bytes, opPayload(at), opPayloadEnd(bytes, at));
  }
  writeOpHead(gathered.bytes, 0, OP_ADD, 0, gathered.length - OP_HEADER_BYTES);
  return true;
}

function endGathering(gathered: Operations): void {
  gathered.bytes = NOTHING;
  gathered.length = 0;
}
