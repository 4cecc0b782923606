/**
 * Where a stream of the log stops being readable: what is still to be found behind that place, and whether it is the torn end
 * of a log whose writer died, or damage.
 *
 * Owns no state; any thread.
 */
import {
  behindTrouble,
  type ReadTrouble,
  readBlock,
  readChunk,
  restartChunks,
  type SegmentReader,
  seekBlock,
} from './log-reader.ts';
import type { SegmentFacts } from './segment-check.ts';
import { nextSegment, type StreamReader } from './stream-reader.ts';

/** The first trouble of a stream. */
export type StreamDamage = {
  /** Which of the stream's segments, and the offset of the block in it. */
  readonly index: number;
  readonly offset: number;
  readonly trouble: ReadTrouble;
  /** The offset of what is wrong: in the block, or its beginning. */
  readonly troubleAt: number;
  /** The stream's last good block before it. */
  readonly lastBlock: number;
  /** Good blocks behind it in the stream. */
  goodBehind: number;
};

/** What a stream loses: whole blocks that can be read but follow a place from which on the log is void. */
export type DroppedBlocks = { blocks: number; records: number; firstBlock: number };

/** Told of every good block that is dropped; the reader stands on it. */
export type DropVisitor = (reader: SegmentReader) => void;

/** What a write that was cut short, or a disk that lost its power, leaves behind. Everything else bears a good checksum. */
const TORN: readonly ReadTrouble[] = [
  ...(['short block header', 'bad block magic', 'bad block header checksum'] as const),
  ...(['payload cut', 'bad payload checksum', 'zeros to the end'] as const),
];

/** What a disk may hold in the place of a block that never reached it: blocks of a file that was there before. */
const STALE: readonly ReadTrouble[] = ['wrong stream', 'wrong epoch', 'block number not growing'];

/** Notes the trouble that the stream's reader stands at. */
export function damageOf(stream: StreamReader, reader: SegmentReader): StreamDamage {
  const { trouble = 'bad block magic', troubleAt } = reader;
  const isInside = trouble === 'chunk out of bounds' || trouble === 'record malformed';
  return {
    ...{ index: stream.index, offset: isInside ? reader.at : troubleAt, trouble, troubleAt },
    ...{ lastBlock: stream.lastBlock, goodBehind: 0 },
  };
}

/**
 * Reads all that can be read behind the damage, to the end of the stream: counts it as dropped, and returns the largest
 * block up to which any of it says that the stream was on disk.
 */
export function surveyBehind(
  stream: StreamReader,
  damage: StreamDamage,
  dropped: DroppedBlocks,
  onDropped: DropVisitor | undefined,
): number {
  let synced = 0;
  for (
    let { reader } = stream;
    reader !== undefined;
    reader = nextSegment(stream) ? stream.reader : undefined
  ) {
    for (let found = nextGood(reader); found; found = nextGood(reader)) {
      damage.goodBehind += 1;
      synced = Math.max(synced, reader.block.syncedBlock);
      stream.lastBlock = reader.block.block;
      countDropped(reader, dropped);
      onDropped?.(reader);
    }
  }
  return synced;
}

/** Adds the reader's current block to what is dropped. */
export function countDropped(reader: SegmentReader, dropped: DroppedBlocks): void {
  if (dropped.blocks === 0) dropped.firstBlock = reader.block.block;
  dropped.blocks += 1;
  restartChunks(reader);
  while (readChunk(reader)) dropped.records += reader.chunk.records;
}

/**
 * Whether the damage is the torn end of the log (docs/formats/log.md, "Torn or damaged?"). `synced` is the largest block up to
 * which the blocks behind it say that the stream was on disk; those before it can say of no block behind them.
 */
export function isTornEnd(
  damage: StreamDamage,
  segments: readonly SegmentFacts[],
  synced: number,
  bootId: string,
): boolean {
  const { header } = segments[damage.index];
  const keptPower = bootId !== '' && header.bootId === bootId;
  if (!keptPower) {
    return (TORN.includes(damage.trouble) || STALE.includes(damage.trouble)) && damage.lastBlock >= synced;
  }
  // Segments that were prepared but have no block yet may follow.
  return damage.goodBehind === 0 && TORN.includes(damage.trouble);
}

/** Moves to the next block that is good, over trouble if need be. */
function nextGood(reader: SegmentReader): boolean {
  if (reader.trouble === 'chunk out of bounds' || reader.trouble === 'record malformed') {
    reader.trouble = undefined;
  }
  if (reader.trouble === undefined && readBlock(reader)) return true;
  if (reader.trouble === undefined) return false;
  return seekBlock(reader, behindTrouble(reader));
}
