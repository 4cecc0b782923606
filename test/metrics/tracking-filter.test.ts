/** The filter of tracked keys: whose bits are where, and when they go. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { TRACKING_BUCKETS } from '../../src/config/limits.ts';
import {
  addTracked,
  bucketOf,
  clearTracked,
  createTrackingFilterBuffer,
  dropTracked,
  mayTrack,
  openTrackingFilter,
} from '../../src/metrics/tracking-filter.ts';

const WORKERS = 70;

/** As the workers see it, and main behind them. */
function openAll(workers: number) {
  const buffer = createTrackingFilterBuffer(workers, 11, 22);
  return [...Array(workers).keys(), -1].map((index) => openTrackingFilter(buffer, workers, index));
}

describe('the filter of tracked keys', () => {
  it('shows every thread which workers track keys of a bucket, and no others', () => {
    const filters = openAll(WORKERS);
    for (const index of [0, 31, 32, 63, 69]) addTracked(filters[index], 7);
    for (const filter of [filters[0], filters[40], filters[WORKERS]]) {
      const found = [...Array(WORKERS).keys()].filter((index) => mayTrack(filter, 7, index));
      expect(found).toEqual([0, 31, 32, 63, 69]);
      for (const bucket of [6, 8]) {
        expect([...Array(WORKERS).keys()].some((index) => mayTrack(filter, bucket, index))).toBe(false);
      }
    }
  });

  it('keeps a bit until the last key of the bucket is gone', () => {
    const [one, other] = openAll(2);
    addTracked(one, 3);
    addTracked(one, 3);
    addTracked(other, 3);
    dropTracked(one, 3);
    expect(mayTrack(other, 3, 0)).toBe(true);
    dropTracked(one, 3);
    expect(mayTrack(other, 3, 0)).toBe(false);
    expect(mayTrack(one, 3, 1)).toBe(true);
  });

  it('is cleared of one worker alone, and of what a thread before it has left', () => {
    const buffer = createTrackingFilterBuffer(2, 11, 22);
    const dead = openTrackingFilter(buffer, 2, 0);
    const living = openTrackingFilter(buffer, 2, 1);
    for (const bucket of [0, 5, TRACKING_BUCKETS - 1])
      for (const filter of [dead, living]) addTracked(filter, bucket);
    const replacement = openTrackingFilter(buffer, 2, 0);
    clearTracked(replacement);
    for (const bucket of [0, 5, TRACKING_BUCKETS - 1]) {
      expect(mayTrack(living, bucket, 0)).toBe(false);
      expect(mayTrack(replacement, bucket, 1)).toBe(true);
    }
    addTracked(replacement, 5);
    expect(mayTrack(living, 5, 0)).toBe(true);
  });

  it('puts a key into the same bucket wherever it lies, by a secret of the process', () => {
    const [filter] = openAll(1);
    const keys = Array.from({ length: 200 }, (_, index) => Buffer.from(`key:${index}`));
    const buckets = keys.map((key) => bucketOf(filter, key, 0, key.length));
    expect(new Set(buckets).size).toBeGreaterThan(190);
    expect(Math.max(...buckets)).toBeLessThan(TRACKING_BUCKETS);
    const request = Buffer.from('GET key:7!');
    expect(bucketOf(filter, request, 4, 9)).toBe(buckets[7]);
    const otherSeeds = openTrackingFilter(createTrackingFilterBuffer(1, 1, 2), 1, 0);
    expect(keys.map((key) => bucketOf(otherSeeds, key, 0, key.length))).not.toEqual(buckets);
  });
});
