/** HyperLogLogs against a plain array of registers: both forms, the change between them, and which bytes count as changed. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import {
  addToHyperLogLog,
  beginEmpty,
  beginWith,
  CHANGED,
  createHyperLogLog,
  DAMAGED,
  type HyperLogLog,
  makeDense,
  outdateCardinality,
  raiseRegister,
  UNCHANGED,
} from '../../src/collections/hyperloglog.ts';
import {
  DENSE,
  DENSE_BYTES,
  denseRegister,
  ENCODING_AT,
  HEADER_BYTES,
  isHyperLogLog,
  REGISTERS,
  runBytes,
  runRegisters,
  runValue,
  SPARSE,
  SPARSE_BYTES_MAX,
} from '../../src/collections/hyperloglog-layout.ts';
import { createRandom } from '../support/seeded-random.ts';

const LONG = SPARSE_BYTES_MAX;

function emptyOne(sparseBytesMax = 3000): HyperLogLog {
  const sketch = createHyperLogLog();
  beginEmpty(sketch, sparseBytesMax);
  return sketch;
}

function registersOf({ bytes, length }: HyperLogLog): number[] {
  if (bytes[ENCODING_AT] === DENSE)
    return Array.from({ length: REGISTERS }, (_, index) => denseRegister(bytes, 0, index));
  const registers: number[] = [];
  for (let at = HEADER_BYTES; at < length; at += runBytes(bytes[at])) {
    for (let i = runRegisters(bytes, at, length); i > 0; i -= 1) registers.push(runValue(bytes[at]));
  }
  return registers;
}

/** The value before with the spans of the value now laid over it, as commands do. */
function patched(before: Buffer, { bytes, length, spans, spanCount }: HyperLogLog): Buffer {
  const after = Buffer.alloc(length);
  before.copy(after);
  for (let i = 0; i < spanCount; i += 1) {
    const end = Math.min(spans[2 * i + 1], length);
    bytes.copy(after, spans[2 * i], spans[2 * i], end);
  }
  return after;
}

function bytesOf({ bytes, length }: HyperLogLog): Buffer {
  return Buffer.from(bytes.subarray(0, length));
}

describe('a HyperLogLog', () => {
  it.each([0, 40, 3000, LONG])(
    'has the registers that it was given, at most %i bytes sparse',
    (sparseBytesMax) => {
      const random = createRandom(3);
      const sketch = emptyOne(sparseBytesMax);
      const model = new Array<number>(REGISTERS).fill(0);
      for (let step = 0; step < 1500; step += 1) {
        const index = step % 3 === 0 ? random(60) : random(REGISTERS);
        const value = 1 + random(step > 1200 ? 51 : 6);
        const isMore = value > model[index];
        expect(raiseRegister(sketch, index, value)).toBe(isMore ? CHANGED : UNCHANGED);
        if (isMore) model[index] = value;
        if (step % 100 === 0) expect(registersOf(sketch)).toEqual(model);
      }
      expect(registersOf(sketch)).toEqual(model);
      expect(isHyperLogLog(sketch.bytes, 0, sketch.length)).toBe(true);
    },
  );

  it('is sparse up to the bound and dense above, or with a value that runs cannot tell', () => {
    const sketch = emptyOne(HEADER_BYTES + 5);
    raiseRegister(sketch, 100, 32);
    expect([sketch.bytes[ENCODING_AT], sketch.length]).toEqual([SPARSE, HEADER_BYTES + 5]);
    raiseRegister(sketch, 101, 1);
    expect([sketch.bytes[ENCODING_AT], sketch.length]).toEqual([DENSE, DENSE_BYTES]);
    const other = emptyOne();
    raiseRegister(other, 16_383, 33);
    expect(other.bytes[ENCODING_AT]).toBe(DENSE);
    expect(registersOf(other).indexOf(33)).toBe(16_383);
  });

  it('is the same for ascending registers, which go on from the last, as for each by itself', () => {
    const random = createRandom(9);
    for (let round = 0; round < 12; round += 1) {
      const one = emptyOne(LONG);
      const other = emptyOne(LONG);
      let index = 0;
      while (index < 2500) {
        const value = 1 + random(3);
        raiseRegister(one, index, value);
        const before = bytesOf(other);
        beginWith(other, before, 0, before.length, LONG);
        raiseRegister(other, index, value);
        index += 1 + random(round % 3 === 0 ? 3 : 100);
      }
      expect(bytesOf(one)).toEqual(bytesOf(other));
    }
  });

  it('is the same in any order among neighbours, wherever the last search has ended', () => {
    const random = createRandom(11);
    for (let round = 0; round < 200; round += 1) {
      const one = emptyOne(LONG);
      const other = emptyOne(LONG);
      for (let step = 0; step < 40; step += 1) {
        const index = 100 + random(12);
        const value = 1 + random(3);
        raiseRegister(one, index, value);
        const before = bytesOf(other);
        beginWith(other, before, 0, before.length, LONG);
        raiseRegister(other, index, value);
        expect(bytesOf(one)).toEqual(bytesOf(other));
      }
    }
  });

  it('tells what has changed: that, laid over what was before, makes what it is', () => {
    const random = createRandom(5);
    for (const sparseBytesMax of [0, 300, LONG]) {
      const sketch = emptyOne(sparseBytesMax);
      let before: Buffer = Buffer.alloc(0);
      for (let step = 0; step < 600; step += 1) {
        for (let elements = random(30); elements >= 0; elements -= 1) {
          addToHyperLogLog(sketch, Buffer.from(`${random(3000)}`), 0, 4);
        }
        if (random(2) === 0) outdateCardinality(sketch);
        const after = bytesOf(sketch);
        expect(patched(before, sketch)).toEqual(after);
        beginWith(sketch, after, 0, after.length, sparseBytesMax);
        expect(sketch.spanCount).toBe(0);
        before = after;
      }
    }
  });

  it('tells of little where little has changed', () => {
    const sketch = emptyOne(0);
    raiseRegister(sketch, 5, 3);
    const value = bytesOf(sketch);
    beginWith(sketch, value, 0, value.length, 0);
    for (const index of [10, 4000, 8000]) raiseRegister(sketch, index, 3);
    expect([...sketch.spans.subarray(0, 2 * sketch.spanCount)]).toEqual([23, 25, 3016, 3018, 6016, 6018]);
    raiseRegister(sketch, 11, 3);
    expect(sketch.spanCount).toBe(3);
    for (let index = 100; index < 16_000; index += 500) raiseRegister(sketch, index, 3);
    expect(sketch.spanCount).toBeLessThanOrEqual(8);
  });

  it('refuses what is longer than any that is whole, and finds damage in its runs', () => {
    const sketch = emptyOne();
    const value = bytesOf(sketch);
    expect(beginWith(sketch, Buffer.alloc(SPARSE_BYTES_MAX + 1), 0, SPARSE_BYTES_MAX + 1, 0)).toBe(false);
    for (const runs of [[], [0x3f], [0x7f, 0xff, 0x00], [0x7f, 0xfe, 0x81], [0x40]]) {
      const damaged = Buffer.concat([value.subarray(0, HEADER_BYTES), Buffer.from(runs)]);
      beginWith(sketch, damaged, 0, damaged.length, 3000);
      expect(makeDense(sketch)).toBe(false);
      expect(bytesOf(sketch)).toEqual(damaged);
      if (runs.length < 3) expect(raiseRegister(sketch, 16_383, 1)).toBe(DAMAGED);
      expect(raiseRegister(sketch, 16_383, 40)).toBe(DAMAGED);
    }
  });
});

describe('isHyperLogLog', () => {
  it('asks for the magic, an encoding that there is, and the length of a dense one', () => {
    const whole = bytesOf(emptyOne());
    expect(isHyperLogLog(whole, 0, whole.length)).toBe(true);
    expect(isHyperLogLog(whole, 0, HEADER_BYTES)).toBe(true);
    expect(isHyperLogLog(whole, 0, HEADER_BYTES - 1)).toBe(false);
    for (let at = 0; at < 5; at += 1) {
      const broken = Buffer.from(whole);
      broken[at] += 1;
      expect(isHyperLogLog(broken, 0, broken.length)).toBe(false);
    }
    const dense = Buffer.concat([whole.subarray(0, HEADER_BYTES), Buffer.alloc(DENSE_BYTES - HEADER_BYTES)]);
    dense[ENCODING_AT] = DENSE;
    expect(isHyperLogLog(dense, 0, DENSE_BYTES)).toBe(true);
    expect(isHyperLogLog(dense, 0, DENSE_BYTES - 1)).toBe(false);
  });
});
