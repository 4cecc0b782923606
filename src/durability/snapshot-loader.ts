/**
 * Loads one snapshot file into the shards of this process.
 *
 * Runs on a thread of the job pool while no commands are served and the journals are off. Where the file is of a shard with the same
 * slots as today, all its entries go to that shard, by runs, and nobody else may touch the shard meanwhile. Otherwise each
 * key's slot says where it goes; then several files may be loaded at once, and `orderShard` ends the work.
 *
 * Large collections come behind all else, by pieces, each into the shard of the image before it.
 *
 * The lock of a shard is taken once for each section of 1 MiB (a few milliseconds), and once for making the index of up to
 * LOAD_STAGED_ENTRIES_MAX entries (some 100 ms).
 */
import { Buffer } from 'node:buffer';
import { crc32 } from '../base/checksum.ts';
import { isTreeValue } from '../collections/large-image.ts';
import { slotOfKey } from '../routing/slot.ts';
import { imageKeyBytes, imageKeyStart, imageType, TYPE_PIECE } from '../shard/image.ts';
import { DATABASES, TYPE_STRING, WORDS_PER_CELL } from '../shard/layout.ts';
import {
  canStage,
  createStaging,
  IMAGE_EVICTED,
  IMAGE_NO_ROOM,
  type Images,
  indexStaged,
  putImage,
  raiseLsn,
  type Staging,
  stageImages,
} from '../shard/load.ts';
import { beginLarge, continueLarge, createLargeLoad, type LargeLoad } from '../shard/load-large.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { orderByClock } from '../shard/recency-order.ts';
import type { Shard } from '../shard/shard.ts';
import { CLOCKS_USES, type SnapshotHeader } from './snapshot-format.ts';
import {
  closeSnapshot,
  damageAt,
  isDamage,
  nextSection,
  openSnapshot,
  type SnapshotDamage,
  type SnapshotReader,
} from './snapshot-reader.ts';
import type { Storage } from './storage-types.ts';

export type LoadOptions = {
  /** All shards of the process, as this thread sees them, and the shard of each slot. */
  readonly shards: readonly Shard[];
  readonly slotShard: Uint16Array;
  readonly nowMs: number;
  /** Whether a log follows that tells of what happened while the snapshot was taken. */
  readonly hasLog: boolean;
  /** Called without any lock after each section, with the sums so far; false calls the load off. */
  readonly progress: (entries: number, bytes: number) => boolean;
};

export type LoadOutcome =
  | {
      readonly ok: true;
      readonly header: SnapshotHeader;
      /** Entries of the file, and those of them that were left out, older than what would have had to go for them. */
      readonly entries: number;
      readonly evicted: number;
      readonly endLsn: number;
      /** Whether the entries are in the order of their use; if not, `orderShard` does it when all files are loaded. */
      readonly isOrdered: boolean;
    }
  | SnapshotDamage;

type Load = {
  readonly reader: SnapshotReader;
  readonly options: LoadOptions;
  /** Of the one shard that all goes to, while that goes by runs. */
  staging: Staging | undefined;
  /** By shard: the large collection that its next pieces are of; and the shard of the one that the file goes on with. */
  readonly larges: readonly LargeLoad[];
  largeShard: number;
  evicted: number;
};

const CALLED_OFF = 'the load was called off';
const NO_ROOM = 'does not fit: raise maxmemory or choose an allkeys policy';
const WORD_BYTES = 4;

/** What a snapshot's header has as its ring: by which table of slots the shard had its keys. */
export function ringOf(slotShard: Uint16Array): number {
  return crc32(Buffer.from(slotShard.buffer, slotShard.byteOffset, slotShard.byteLength));
}

/** Loads all entries of a file. What is damaged or does not fit is returned; the shards are whole then, too. */
export function loadSnapshot(storage: Storage, path: string, options: LoadOptions): LoadOutcome {
  const reader = openSnapshot(storage, path);
  if (isDamage(reader)) return reader;
  try {
    return checkDatabases(reader, options) ?? loadOpen(reader, options);
  } finally {
    closeSnapshot(reader);
  }
}

/** Puts a shard's entries into the order of their use, once the last file was loaded. O(entries), under the lock. */
export function orderShard(shard: Shard, nowMs: number): void {
  locked(shard, () => orderByClock(shard, nowMs));
}

function checkDatabases(reader: SnapshotReader, options: LoadOptions): SnapshotDamage | undefined {
  const databases = options.shards[0].control[DATABASES];
  const beyond = reader.footer.databaseEntries.findLastIndex((entries) => entries > 0);
  if (beyond < databases) return undefined;
  const reason = `it has keys of database ${beyond}, and there are ${databases}: raise databases`;
  return { ok: false, text: `${reader.path}: ${reason}`, offset: 0 };
}

function loadOpen(reader: SnapshotReader, options: LoadOptions): LoadOutcome {
  const { header, footer } = reader;
  const { shards, slotShard } = options;
  const isSame = header.shards === shards.length && header.ring === ringOf(slotShard);
  const own = isSame ? shards[header.shard] : undefined;
  if (isSame && own === undefined)
    return damageAt(reader.path, `it is of a shard ${header.shard}, which there is not`, 0);
  const staging = own === undefined ? undefined : createStaging(own, footer.databaseEntries, options.nowMs);
  const larges = shards.map(createLargeLoad);
  const load: Load = { reader, options, staging, larges, largeShard: 0, evicted: 0 };
  for (const shard of own === undefined ? shards : [own]) locked(shard, () => raiseLsn(shard, footer.endLsn));
  const trouble = loadSections(load, own);
  const unplaced = own === undefined ? undefined : finishOwn(load, own);
  const failed = trouble ?? unplaced;
  if (failed !== undefined) return failed;
  const { evicted } = load;
  return {
    ok: true,
    header,
    entries: reader.entries,
    evicted,
    endLsn: footer.endLsn,
    isOrdered: own !== undefined,
  };
}

function loadSections(load: Load, own: Shard | undefined): SnapshotDamage | undefined {
  const { reader, options } = load;
  for (;;) {
    const found = nextSection(reader);
    if (typeof found === 'object') return found;
    if (!found) return undefined;
    const images = imagesOf(reader);
    const trouble = own === undefined ? spreadImages(load, images) : loadImages(load, own, images);
    if (trouble !== undefined) return trouble;
    if (!options.progress(reader.entries, reader.position))
      return { ok: false, text: `${reader.path}: ${CALLED_OFF}`, offset: reader.position };
  }
}

function imagesOf({ bytes, words, start, end, section, header }: SnapshotReader): Images {
  const { records, database } = section;
  return { bytes, words, start, end, records, database, hasUseClocks: header.clocks === CLOCKS_USES };
}

/** By runs as long as there is room; from then on one by one, the entries so far in the order in which they would go. */
function loadImages(load: Load, own: Shard, images: Images): SnapshotDamage | undefined {
  const { staging, options } = load;
  return locked(own, () => {
    if (staging !== undefined && load.staging === staging) {
      if (!canStage(staging, images) && !indexStaged(staging)) return noRoom(load);
      if (!load.reader.hasLarge && stageImages(staging, images)) return undefined;
      if (!indexStaged(staging)) return noRoom(load);
      orderByClock(own, options.nowMs);
      load.staging = undefined;
    }
    for (let at = images.start; at < images.end; ) {
      const next = at + imageBytes(images, at);
      if (!placeOne(load, own, images, at)) return noRoom(load);
      at = next;
    }
    return undefined;
  });
}

/** Each image to the shard of its key, a piece to that of the collection: shard by shard, so that each lock is taken once. */
function spreadImages(load: Load, images: Images): SnapshotDamage | undefined {
  const { shards, slotShard } = load.options;
  const places: number[][] = shards.map(() => []);
  for (let at = images.start; at < images.end; at += imageBytes(images, at)) {
    if (imageType(images.words, at / WORD_BYTES) !== TYPE_PIECE) {
      const keyStart = imageKeyStart(images.words, at / WORD_BYTES);
      const keyEnd = keyStart + imageKeyBytes(images.words, at / WORD_BYTES);
      load.largeShard = slotShard[slotOfKey(images.bytes, keyStart, keyEnd)];
    }
    places[load.largeShard].push(at);
  }
  for (const [index, own] of places.entries()) {
    if (own.length === 0) continue;
    const fits = locked(shards[index], () => own.every((at) => placeOne(load, shards[index], images, at)));
    if (!fits) return noRoom(load);
  }
  return undefined;
}

function placeOne(load: Load, shard: Shard, images: Images, at: number): boolean {
  const { nowMs, hasLog } = load.options;
  const large = load.larges[shard.index];
  const word = at / WORD_BYTES;
  const type = imageType(images.words, word);
  if (type === TYPE_PIECE) return continueLarge(large, images, word, !hasLog, nowMs);
  const valueStart = imageKeyStart(images.words, word) + imageKeyBytes(images.words, word);
  const isLarge = type !== TYPE_STRING && isTreeValue(images.bytes, valueStart);
  const result = isLarge
    ? beginLarge(large, shard, images, word, nowMs)
    : putImage(shard, images, word, nowMs);
  if (result === IMAGE_EVICTED) load.evicted += 1;
  return result !== IMAGE_NO_ROOM;
}

/** Whatever came of the load, its shard is whole afterwards. */
function finishOwn(load: Load, own: Shard): SnapshotDamage | undefined {
  const { staging, options } = load;
  return locked(own, () => {
    const fits = staging === undefined || indexStaged(staging);
    orderByClock(own, options.nowMs);
    return fits ? undefined : noRoom(load);
  });
}

function noRoom({ reader }: Load): SnapshotDamage {
  return { ok: false, text: `${reader.path}: the snapshot ${NO_ROOM}`, offset: reader.position };
}

function imageBytes(images: Images, at: number): number {
  return (images.words[at / WORD_BYTES] >>> 2) * WORDS_PER_CELL * WORD_BYTES;
}

function locked<Result>(shard: Shard, work: () => Result): Result {
  acquireShard(shard);
  try {
    return work();
  } finally {
    releaseShard(shard);
  }
}
