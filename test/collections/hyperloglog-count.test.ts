/** Counts of HyperLogLogs: none, few, many, all that can be; unions; damage. */
import { Buffer } from 'node:buffer';
import { expect, it } from 'vitest';
import {
  addToHyperLogLog,
  beginEmpty,
  createHyperLogLog,
  type HyperLogLog,
  makeDense,
  raiseRegister,
} from '../../src/collections/hyperloglog.ts';
import {
  beginUnion,
  countOne,
  countUnion,
  joinUnion,
  unionRegister,
} from '../../src/collections/hyperloglog-count.ts';
import { HEADER_BYTES, REGISTERS } from '../../src/collections/hyperloglog-layout.ts';

function sketchOf(from: number, count: number): HyperLogLog {
  const sketch = createHyperLogLog();
  beginEmpty(sketch, 3000);
  for (let i = from; i < from + count; i += 1) {
    const element = Buffer.from(`element ${i}`);
    addToHyperLogLog(sketch, element, 0, element.length);
  }
  return sketch;
}

function countOf({ bytes, length }: HyperLogLog): number {
  return countOne(bytes, 0, length);
}

it('is right within a few percent, and exact for few', () => {
  for (const count of [0, 1, 2, 3, 10]) expect(countOf(sketchOf(0, count))).toBe(count);
  for (const count of [100, 1000, 10_000, 100_000]) {
    expect(Math.abs(countOf(sketchOf(0, count)) / count - 1)).toBeLessThan(0.03);
  }
});

it('is the same in both forms', () => {
  for (const count of [0, 1, 50, 500, 900]) {
    const sketch = sketchOf(7, count);
    const sparse = countOf(sketch);
    makeDense(sketch);
    expect(countOf(sketch)).toBe(sparse);
  }
});

it('is infinite when every register is full', () => {
  const sketch = sketchOf(0, 0);
  for (let index = 0; index < REGISTERS; index += 1) raiseRegister(sketch, index, 51);
  expect(countOf(sketch)).toBe(Infinity);
});

it('of a union is that of one which has seen all', () => {
  const all = sketchOf(0, 5000);
  const parts = [sketchOf(0, 3000), sketchOf(2000, 3000), sketchOf(100, 5), sketchOf(0, 0)];
  beginUnion();
  for (const { bytes, length } of parts) expect(joinUnion(bytes, 0, length)).toBe(true);
  expect(countUnion()).toBe(countOf(all));
  beginUnion();
  expect(countUnion()).toBe(0);
  raiseRegister(all, 12, 17);
  expect(joinUnion(all.bytes, 0, all.length)).toBe(true);
  expect(unionRegister(12)).toBe(17);
});

it('is none where the runs are too few, too many, or cut off', () => {
  const { bytes } = sketchOf(0, 0);
  const header = bytes.subarray(0, HEADER_BYTES);
  for (const runs of [
    [],
    [0],
    [0x7f, 0xff, 0],
    [0x7f, 0xff, 0x80],
    [0x7f, 0xfe],
    [0x7f],
    [0x7f, 0xfe, 0x81],
  ]) {
    const damaged = Buffer.concat([header, Buffer.from(runs)]);
    expect(countOne(damaged, 0, damaged.length)).toBeNaN();
    beginUnion();
    expect(joinUnion(damaged, 0, damaged.length)).toBe(false);
  }
});
