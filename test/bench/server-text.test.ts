/** INFO and /metrics as the benchmarks read them. */
import { describe, expect, test } from 'vitest';
import {
  histogramBuckets,
  infoNumber,
  sampleMax,
  sampleSum,
  samplesOf,
} from '../../bench/support/server-text.ts';

describe('INFO', () => {
  const info =
    '# Memory\r\nused_memory:1156776\r\nused_memory_human:1.10M\r\nmem_fragmentation_ratio:1.25\r\n';

  test('gives the number of a field, and not that of one whose name begins alike', () => {
    expect(infoNumber(info, 'used_memory')).toBe(1_156_776);
    expect(infoNumber(info, 'mem_fragmentation_ratio')).toBe(1.25);
  });

  test('without the field, or with a text in it, is refused', () => {
    expect(() => infoNumber(info, 'memory')).toThrow('memory');
    expect(() => infoNumber(info, 'used_memory_human')).toThrow('used_memory_human');
  });
});

describe('/metrics', () => {
  const metrics = [
    '# TYPE hold_seconds histogram',
    'hold_seconds_bucket{shard="0",le="0.001"} 3',
    'hold_seconds_bucket{shard="0",le="+Inf"} 5',
    'hold_seconds_bucket{shard="1",le="0.001"} 1',
    'hold_seconds_bucket{shard="1",le="+Inf"} 1',
    'hold_seconds_sum{shard="0"} 0.5',
    'lag_seconds{shard="0"} 0.25',
    'lag_seconds{shard="1"} 1e-3',
    'start_seconds 12',
  ].join('\n');

  test('gives every sample of exactly one name', () => {
    expect(samplesOf(metrics, 'start_seconds')).toEqual([{ labels: {}, value: 12 }]);
    expect(samplesOf(metrics, 'lag_seconds')).toEqual([
      { labels: { shard: '0' }, value: 0.25 },
      { labels: { shard: '1' }, value: 0.001 },
    ]);
    expect(samplesOf(metrics, 'lag')).toEqual([]);
  });

  test('gives the sum and the largest over the shards', () => {
    expect(sampleSum(metrics, 'lag_seconds')).toBe(0.251);
    expect(sampleMax(metrics, 'lag_seconds')).toBe(0.25);
    expect(sampleSum(metrics, 'nothing')).toBe(0);
    expect(() => sampleMax(metrics, 'nothing')).toThrow('nothing');
  });

  test('gives a histogram summed over the shards, in order, the infinite bound last', () => {
    expect(histogramBuckets(metrics, 'hold_seconds')).toEqual([
      { bound: 0.001, count: 4 },
      { bound: Infinity, count: 6 },
    ]);
  });
});
