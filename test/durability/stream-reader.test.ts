/** The memory for reading many streams at once, and which of them comes next. */
import { describe, expect, it } from 'vitest';
import { LOG_READ_BYTES, LOG_READ_BYTES_MIN, LOG_READ_TOTAL_BYTES } from '../../src/config/limits.ts';
import {
  createStreamReader,
  leastStream,
  nextOfOthers,
  readStreamBlock,
  windowBytesFor,
} from '../../src/durability/stream-reader.ts';
import { placeLog, SAME_BOOT } from '../support/built-log.ts';
import { addBlock, createLogBuilder, put, rotate } from '../support/log-builder.ts';

describe('the memory of a stream', () => {
  it('is a whole read while that fits for all, then a share, then the least', () => {
    expect(windowBytesFor(0)).toBe(LOG_READ_BYTES);
    expect(windowBytesFor(LOG_READ_TOTAL_BYTES / LOG_READ_BYTES)).toBe(LOG_READ_BYTES);
    expect(windowBytesFor((2 * LOG_READ_TOTAL_BYTES) / LOG_READ_BYTES)).toBe(LOG_READ_BYTES / 2);
    expect(windowBytesFor(1_000_000)).toBe(LOG_READ_BYTES_MIN);
  });
});

describe('a stream', () => {
  it('is one sequence over its segments, empty ones too', () => {
    const builder = createLogBuilder({ streams: 1, shards: 1, bootId: SAME_BOOT });
    rotate(builder, 0);
    addBlock(builder, 0, [{ shard: 0, records: [put('a', '')] }]);
    rotate(builder, 0);
    rotate(builder, 0);
    addBlock(builder, 0, [{ shard: 0, records: [put('b', '')] }]);
    const segments = [1, 2, 3, 4].map((sequence) => ({ sequence, end: Number.POSITIVE_INFINITY }));
    const stream = createStreamReader(placeLog(builder).disk, 0, segments, LOG_READ_BYTES);
    const found: number[] = [];
    while (readStreamBlock(stream)) found.push(stream.block);
    expect(found).toEqual([1, 2]);
    expect({ reader: stream.reader, block: stream.block }).toEqual({ reader: undefined, block: Infinity });
  });

  it('comes next when its block has the least number, and may go on up to the next of the others', () => {
    const { disk } = placeLog(createLogBuilder({ streams: 1, shards: 1, bootId: SAME_BOOT }));
    const streams = [7, 3, 5].map((block, index) => {
      return Object.assign(createStreamReader(disk, index, [], LOG_READ_BYTES), { block });
    });
    const least = leastStream(streams);
    expect(least?.stream).toBe(1);
    expect(nextOfOthers(streams, streams[1])).toBe(5);
    expect(nextOfOthers(streams.slice(0, 1), streams[0])).toBe(Infinity);
    for (const stream of streams) stream.block = Number.POSITIVE_INFINITY;
    expect(leastStream(streams)).toBeUndefined();
  });
});
