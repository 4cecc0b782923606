/** The sketch of hot keys: exact while keys are few, within its bounds when they are many, and following time and load. */
import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import {
  HOT_KEY_BYTES_MAX,
  HOT_KEY_COUNTERS,
  HOT_KEY_HALF_LIFE_MS,
  HOT_KEY_SAMPLES_PER_SECOND_MAX,
  HOT_KEY_STRIDE_MAX,
} from '../../src/config/limits.ts';
import {
  createHotKeySketch,
  drawGap,
  type HotKeySketch,
  noteHotKey,
  readHotKeyCounts,
  tendHotKeys,
} from '../../src/metrics/hot-keys.ts';
import { createRandom } from '../support/seeded-random.ts';

const START_MS = 1_700_000_000_000;
const SEED = 20_261_122;

function createSketch(): HotKeySketch {
  return createHotKeySketch(7, START_MS);
}

function note(sketch: HotKeySketch, name: string, isWrite = false, database = 0): void {
  const key = Buffer.from(name, 'latin1');
  noteHotKey(sketch, database, key, 0, key.length, name.length, isWrite);
}

test('few keys are counted exactly, reads and writes apart, databases apart', () => {
  const sketch = createSketch();
  for (let i = 0; i < 6; i += 1) note(sketch, 'aa');
  for (let i = 0; i < 4; i += 1) note(sketch, 'aa', true);
  // The same hash and length.
  note(sketch, 'bb');
  note(sketch, 'bb', false, 1);
  const { keys, accessesPerSecond, missingPerSecond } = readHotKeyCounts(sketch, START_MS + 500);
  const told = keys.map(({ key, database, readsPerSecond, writesPerSecond, errorPerSecond }) => [
    ...[key, database, readsPerSecond, writesPerSecond, errorPerSecond],
  ]);
  expect(told).toEqual([
    ['aa', 0, 12, 8, 0],
    ['bb', 0, 2, 0, 0],
    ['bb', 1, 2, 0, 0],
  ]);
  expect([accessesPerSecond, missingPerSecond]).toEqual([24, 0]);
});

test('a long key is cut, and told from another with the same beginning and hash by its length', () => {
  const sketch = createSketch();
  const long = 'x'.repeat(HOT_KEY_BYTES_MAX);
  for (const name of [long, `${long}y`, `${long}yz`])
    noteHotKey(sketch, 0, Buffer.from(name), 0, name.length, 1, false);
  const { keys } = readHotKeyCounts(sketch, START_MS + 500);
  expect(keys.map(({ key, keyBytes }) => [key, keyBytes - HOT_KEY_BYTES_MAX])).toEqual([
    [long, 0],
    [long, 1],
    [long, 2],
  ]);
});

test(`of many keys every frequent one has a counter, and its count with the error is no less than the truth (seed ${SEED})`, () => {
  const sketch = createSketch();
  const random = createRandom(SEED);
  const truth = new Map<string, number>();
  const accesses = 40_000;
  for (let i = 0; i < accesses; i += 1) {
    // Half of the uses go to ten keys, the others to ten thousand.
    const name = random(2) === 0 ? `hot${random(10)}` : `cold${random(10_000)}`;
    truth.set(name, (truth.get(name) ?? 0) + 1);
    const key = Buffer.from(name);
    noteHotKey(sketch, 0, key, 0, key.length, key.readInt32LE(key.length - 4), false);
  }
  const { keys, missingPerSecond } = readHotKeyCounts(sketch, START_MS + 1000);
  const factor = keys.reduce((sum, key) => sum + key.readsPerSecond + key.errorPerSecond, 0) / accesses;
  const counts = new Map(keys.map((key) => [key.key, key]));
  for (const [name, count] of truth) {
    const told = counts.get(name);
    if (count > accesses / HOT_KEY_COUNTERS) expect(told).toBeDefined();
    if (told === undefined) {
      expect(count * factor).toBeLessThanOrEqual(missingPerSecond + 1e-6);
      continue;
    }
    expect(told.readsPerSecond).toBeLessThanOrEqual(count * factor + 1e-6);
    expect(told.readsPerSecond + told.errorPerSecond).toBeGreaterThanOrEqual(count * factor - 1e-6);
  }
});

test('counts halve in the half-life and rates stay what they are under a steady load', () => {
  const sketch = createSketch();
  for (let second = 1; second <= 60; second += 1) {
    for (let i = 0; i < 100; i += 1) note(sketch, 'a');
    tendHotKeys(sketch, START_MS + second * 1000);
  }
  const nowMs = START_MS + 60_000;
  expect(readHotKeyCounts(sketch, nowMs).keys[0].readsPerSecond).toBeCloseTo(100, 6);
  const before = sketch.counts[0];
  tendHotKeys(sketch, nowMs + HOT_KEY_HALF_LIFE_MS);
  expect(sketch.counts[0] / before).toBeCloseTo(0.5, 9);
});

test('the stride doubles under load at once and falls back second by second, and a sample stands for as many uses', () => {
  const sketch = createSketch();
  for (let strides = 0; strides < 20; strides += 1) {
    for (let i = 0; i <= HOT_KEY_SAMPLES_PER_SECOND_MAX; i += 1) note(sketch, 'a');
    tendHotKeys(sketch, START_MS);
  }
  expect(sketch.stride).toBe(HOT_KEY_STRIDE_MAX);
  const before = sketch.accesses;
  note(sketch, 'a');
  expect(sketch.accesses - before).toBe(HOT_KEY_STRIDE_MAX);
  for (let second = 1; second <= 20; second += 1) tendHotKeys(sketch, START_MS + second * 1000);
  expect(sketch.stride).toBe(1);
});

test('gaps are the stride in the mean, never nothing, and differ', () => {
  const sketch = createSketch();
  expect(drawGap(sketch)).toBe(1);
  sketch.stride = 64;
  const gaps = Array.from({ length: 10_000 }, () => drawGap(sketch));
  expect(gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length).toBeCloseTo(64, -0.5);
  expect(Math.min(...gaps)).toBe(1);
  expect(Math.max(...gaps)).toBe(127);
});

test('a clock that is set back, and a reading before any time has passed, do no harm', () => {
  const sketch = createSketch();
  note(sketch, 'a');
  expect(readHotKeyCounts(sketch, START_MS).keys).toEqual([]);
  expect(readHotKeyCounts(sketch, START_MS - 5000).keys).toEqual([]);
  expect(readHotKeyCounts(sketch, START_MS - 4000).keys[0].readsPerSecond).toBeLessThanOrEqual(1);
});
