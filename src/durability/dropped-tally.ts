/**
 * Counts what a repair would drop: records and keys by shard, and where that begins.
 *
 * Owns the set of the keys that it has met, up to a bound; from there on it says "or more". Main thread.
 */
import { spanText } from '../base/bytes.ts';
import { REPAIR_KEYS_COUNTED_MAX } from '../config/limits.ts';
import { decodeRecord } from '../shard/record.ts';
import { readChunk, restartChunks, type SegmentReader } from './log-reader.ts';

type ShardTally = { records: number; firstLsn: number; readonly keys: Set<string> };

export type DroppedTally = {
  readonly shards: Map<number, ShardTally>;
  blocks: number;
  firstBlock: number;
  keys: number;
};

export function createDroppedTally(): DroppedTally {
  return { shards: new Map(), blocks: 0, firstBlock: Number.POSITIVE_INFINITY, keys: 0 };
}

/** Adds the block that the reader stands on. */
export function addDropped(tally: DroppedTally, reader: SegmentReader): void {
  tally.blocks += 1;
  tally.firstBlock = Math.min(tally.firstBlock, reader.block.block);
  for (restartChunks(reader); readChunk(reader); ) {
    const { shard, firstLsn, records } = reader.chunk;
    const of = tally.shards.get(shard) ?? { records: 0, firstLsn, keys: new Set<string>() };
    tally.shards.set(shard, of);
    of.records += records;
    of.firstLsn = Math.min(of.firstLsn, firstLsn);
    addKeys(tally, of, reader);
  }
}

/** One line for the blocks, and one for each shard. */
export function droppedLines(tally: DroppedTally): string[] {
  if (tally.blocks === 0) return [];
  const more = tally.keys < REPAIR_KEYS_COUNTED_MAX ? '' : ' or more';
  const shards = [...tally.shards].sort(([a], [b]) => a - b);
  return [
    `${tally.blocks} readable blocks would go, from block ${tally.firstBlock} on:`,
    ...shards.map(
      ([shard, { records, firstLsn, keys }]) =>
        `  shard ${shard}: ${records} records from LSN ${firstLsn} on, of ${keys.size}${more} keys`,
    ),
  ];
}

function addKeys(tally: DroppedTally, { keys }: ShardTally, reader: SegmentReader): void {
  const { bytes, record, recordsEnd } = reader;
  for (let at = reader.recordsStart; at < recordsEnd && tally.keys < REPAIR_KEYS_COUNTED_MAX; ) {
    at = decodeRecord(bytes, at, recordsEnd, record);
    if (at < 0) return;
    if (record.keyEnd === record.keyStart) continue;
    const before = keys.size;
    keys.add(`${record.database}:${spanText(bytes, record.keyStart, record.keyEnd)}`);
    tally.keys += keys.size - before;
  }
}
