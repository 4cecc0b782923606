/** One segment, block by block: what is read of it, and the name and offset of everything that can be wrong. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { segmentPath } from '../../src/durability/file-names.ts';
import { BLOCK_HEADER_BYTES, SEGMENT_HEADER_BYTES, sealBlock } from '../../src/durability/log-format.ts';
import {
  behindTrouble,
  checkRecords,
  openSegmentReader,
  readBlock,
  readChunk,
  type SegmentReader,
  seekBlock,
} from '../../src/durability/log-reader.ts';
import { placeLog } from '../support/built-log.ts';
import { addBlock, builtFiles, createLogBuilder, type LogBuilder, put } from '../support/log-builder.ts';

const PATH = segmentPath(0, 1);
const WINDOW_BYTES = 512;
const FIRST = SEGMENT_HEADER_BYTES;

function builderOf(values: readonly string[]): LogBuilder {
  const builder = createLogBuilder({ streams: 1, shards: 2, databases: 4, bootId: 'boot' });
  for (const [index, value] of values.entries()) {
    addBlock(builder, 0, [{ shard: index % 2, records: [put(`key:${index}`, value)] }]);
  }
  return builder;
}

function bytesOf(builder: LogBuilder): Buffer {
  return builtFiles(builder).get(PATH) ?? Buffer.alloc(0);
}

function open(builder: LogBuilder, bytes = bytesOf(builder)): SegmentReader {
  const { disk } = placeLog(builder, new Map([[PATH, bytes]]));
  const reader = openSegmentReader(disk, PATH, WINDOW_BYTES, 0);
  if (typeof reader === 'string') throw new Error(reader);
  return reader;
}

/** Numbers and values of all blocks up to the end or to trouble. */
function readAll(reader: SegmentReader): string[] {
  const found: string[] = [];
  while (readBlock(reader)) {
    while (readChunk(reader)) {
      if (!checkRecords(reader)) return found;
      const { record, bytes } = reader;
      found.push(`${reader.block.block} ${bytes.toString('utf8', record.valueStart, record.valueEnd)}`);
    }
    if (reader.trouble !== undefined) return found;
  }
  return found;
}

/** Writes the header of the block at `at` anew, changed. */
function reseal(
  bytes: Buffer,
  at: number,
  change: Partial<{ block: number; stream: number; epoch: number; chunks: number }>,
): Buffer {
  const payloadBytes = bytes.readUInt32LE(at + 8);
  const block = { payloadBytes, block: 1, syncedBlock: 0, wallMs: 0, chunks: 1, stream: 0, epoch: 1 };
  sealBlock(bytes, at, { ...block, ...change });
  return bytes;
}

describe('reading a segment', () => {
  it('finds every block, whether it fits in the window or not', () => {
    for (const length of [0, 1, 100, 400, 500, 511, 512, 513, 2000]) {
      const values = ['a'.repeat(length), 'b', 'c'.repeat(length), 'd'.repeat(300), 'e'.repeat(length)];
      const reader = open(builderOf(values));
      expect(readAll(reader)).toEqual(values.map((value, index) => `${index + 1} ${value}`));
      expect(reader.trouble).toBeUndefined();
    }
  });

  it('ends where it is told to', () => {
    const builder = builderOf(['a', 'b', 'c']);
    const { disk } = placeLog(builder);
    const whole = open(builder);
    readBlock(whole);
    const reader = openSegmentReader(disk, PATH, WINDOW_BYTES, 0, whole.next);
    expect(typeof reader === 'string' ? reader : readAll(reader)).toEqual(['1 a']);
  });

  it('answers what is wrong with a header', () => {
    const builder = builderOf([]);
    const { disk } = placeLog(builder, new Map([[PATH, Buffer.alloc(100)]]));
    expect(openSegmentReader(disk, PATH, WINDOW_BYTES, 0)).toBe('short header');
    disk.place(PATH, Buffer.alloc(SEGMENT_HEADER_BYTES));
    expect(openSegmentReader(disk, PATH, WINDOW_BYTES, 0)).toBe('bad magic');
  });
});

describe('trouble in a segment', () => {
  function troubleOf(change: (bytes: Buffer) => Buffer, values = ['a', 'b']): [unknown, number] {
    const builder = builderOf(values);
    const bytes = bytesOf(builder);
    const reader = open(builder, change(bytes));
    readAll(reader);
    return [reader.trouble, reader.troubleAt - FIRST];
  }
  const blockBytes = (bytesOf(builderOf(['a', 'b'])).length - FIRST) / 2;

  it('has a name and an offset: what was cut', () => {
    for (let length = blockBytes + 1; length < blockBytes * 2; length += 1) {
      const due = length - blockBytes < BLOCK_HEADER_BYTES ? 'short block header' : 'payload cut';
      expect(troubleOf((bytes) => bytes.subarray(0, FIRST + length))).toEqual([due, blockBytes]);
    }
  });

  it('has a name and an offset: bytes that changed', () => {
    const flip = (at: number) => (bytes: Buffer) => {
      bytes[FIRST + at] ^= 1;
      return bytes;
    };
    expect(troubleOf(flip(0))).toEqual(['bad block magic', 0]);
    expect(troubleOf(flip(20))).toEqual(['bad block header checksum', 0]);
    expect(troubleOf(flip(blockBytes + 70))).toEqual(['bad payload checksum', blockBytes]);
  });

  it('has a name and an offset: blocks that do not belong', () => {
    const change = (fields: Parameters<typeof reseal>[2]) => (bytes: Buffer) =>
      reseal(bytes, FIRST + blockBytes, { block: 2, ...fields });
    expect(troubleOf(change({ stream: 1 }))).toEqual(['wrong stream', blockBytes]);
    expect(troubleOf(change({ epoch: 2 }))).toEqual(['wrong epoch', blockBytes]);
    expect(troubleOf(change({ block: 1 }))).toEqual(['block number not growing', blockBytes]);
  });

  it('has a name and an offset: what good checksums cover and yet cannot be', () => {
    const inside = (at: number, byte: number) => (bytes: Buffer) => {
      bytes[FIRST + BLOCK_HEADER_BYTES + at] = byte;
      return reseal(bytes, FIRST, {});
    };
    expect(troubleOf(inside(0, 2)), 'a shard that there is not').toEqual(['chunk out of bounds', 64]);
    expect(troubleOf(inside(4, 9)), 'more records than there are').toEqual(['chunk out of bounds', 88]);
    expect(troubleOf(inside(16, 255)), 'records past the end').toEqual(['chunk out of bounds', 64]);
    expect(troubleOf(inside(15, 255)), 'an LSN past 2^53').toEqual(['chunk out of bounds', 64]);
    expect(troubleOf(inside(24, 99)), 'an effect that there is not').toEqual(['record malformed', 88]);
    expect(troubleOf(inside(25, 4)), 'a database that there is not').toEqual(['record malformed', 88]);
    expect(troubleOf(inside(28, 255)), 'a key past the end').toEqual(['record malformed', 88]);
    expect(troubleOf((bytes) => reseal(bytes, FIRST, { chunks: 2 }))).toEqual(['chunk out of bounds', 0]);
  });

  it('has a name and an offset: zeros to the end, across windows', () => {
    for (const zeros of [64, 512, 513, 5000]) {
      const grown = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(zeros)]);
      expect(troubleOf(grown)).toEqual(['zeros to the end', blockBytes * 2]);
      const notAll = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(zeros), Buffer.from([1])]);
      expect(troubleOf(notAll)).toEqual(['bad block magic', blockBytes * 2]);
    }
  });
});

describe('looking behind trouble', () => {
  it('finds the next good block, however far away it is', () => {
    for (const length of [1, 300, 600, 3000]) {
      const builder = builderOf(['a', 'b'.repeat(length), 'c', 'd']);
      const whole = open(builder);
      readBlock(whole);
      const second = whole.next;
      for (const at of [0, 8, 20, 64, 100]) {
        const bytes = bytesOf(builder);
        bytes[second + at] ^= 1;
        const reader = open(builder, bytes);
        expect(readAll(reader)).toEqual([`1 a`]);
        expect(seekBlock(reader, behindTrouble(reader))).toBe(true);
        expect(reader.block.block).toBe(3);
        expect(readAll(reader)).toEqual(['4 d']);
      }
    }
  });

  it('finds it behind any length of other bytes, where blocks can begin and nowhere else', () => {
    const builder = builderOf(['a']);
    const whole = bytesOf(builder);
    const block = whole.subarray(FIRST);
    for (let length = 1; length < 1200; length += length < 32 ? 1 : 8) {
      const other = Buffer.alloc(length, 0xd5);
      const reader = open(builder, Buffer.concat([whole.subarray(0, FIRST), other, block]));
      expect(seekBlock(reader, FIRST)).toBe(length % 8 === 0);
      if (length % 8 === 0) expect(reader.at).toBe(FIRST + length);
    }
  });

  it('takes a block whole, even when its value holds blocks', () => {
    const other = bytesOf(builderOf(['x', 'y'])).subarray(FIRST);
    const builder = builderOf(['a']);
    addBlock(builder, 0, [{ shard: 1, records: [put('log', other)] }]);
    addBlock(builder, 0, [{ shard: 0, records: [put('c', 'd')] }]);
    const bytes = bytesOf(builder);
    bytes[FIRST] ^= 1;
    const reader = open(builder, bytes);
    expect(readBlock(reader)).toBe(false);
    expect(seekBlock(reader, behindTrouble(reader))).toBe(true);
    expect(reader.block.block).toBe(2);
    expect(readAll(reader)).toEqual(['3 d']);
  });
});
