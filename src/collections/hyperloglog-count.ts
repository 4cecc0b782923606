/**
 * How many different elements a HyperLogLog has seen, by the histogram of its registers; and the union of several.
 *
 * Runs on every thread. The histogram and the registers of a union are one of each per thread, used within one command.
 * Source: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284), in the arithmetic of
 * Redis 7.0 `hyperloglog.c`, so that the counts are the same to the last digit.
 */
import {
  DENSE,
  denseRegister,
  ENCODING_AT,
  HEADER_BYTES,
  isValueRun,
  REGISTER_MAX,
  REGISTERS,
  runBytes,
  runRegisters,
  runValue,
} from './hyperloglog-layout.ts';

/** 0.5 / ln(2). */
const ALPHA = 0.7213475204444817;
/** Bits of a hash that are no register's number. A register's value is at most one more. */
const PATTERN_BITS = 50;

const histogram = new Int32Array(REGISTER_MAX + 1);
const union = new Uint8Array(REGISTERS);

/** The count of a HyperLogLog, a whole number or infinite; NaN when its runs are damaged. Some 20 us for a dense one. */
export function countOne(bytes: Uint8Array, start: number, end: number): number {
  histogram.fill(0);
  if (bytes[start + ENCODING_AT] === DENSE) {
    for (let index = 0; index < REGISTERS; index += 1) histogram[denseRegister(bytes, start, index)] += 1;
    return estimate();
  }
  let registers = 0;
  for (let at = start + HEADER_BYTES; at < end && registers <= REGISTERS; at += runBytes(bytes[at])) {
    const length = runRegisters(bytes, at, end);
    histogram[runValue(bytes[at])] += length;
    registers += length;
  }
  return registers === REGISTERS ? estimate() : NaN;
}

/** Forgets the last union. */
export function beginUnion(): void {
  union.fill(0);
}

/** Adds a HyperLogLog to the union; false when its runs are damaged. */
export function joinUnion(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start + ENCODING_AT] === DENSE) {
    for (let index = 0; index < REGISTERS; index += 1) {
      const value = denseRegister(bytes, start, index);
      if (value > union[index]) union[index] = value;
    }
    return true;
  }
  let index = 0;
  for (let at = start + HEADER_BYTES; at < end; at += runBytes(bytes[at])) {
    const behind = index + runRegisters(bytes, at, end);
    if (behind > REGISTERS) return false;
    const value = runValue(bytes[at]);
    for (; index < behind && isValueRun(bytes[at]); index += 1)
      if (value > union[index]) union[index] = value;
    index = behind;
  }
  return index === REGISTERS;
}

/** Register `index` of the union. */
export function unionRegister(index: number): number {
  return union[index];
}

export function countUnion(): number {
  histogram.fill(0);
  for (let index = 0; index < REGISTERS; index += 1) histogram[union[index]] += 1;
  return estimate();
}

function estimate(): number {
  let z = REGISTERS * tau((REGISTERS - histogram[PATTERN_BITS + 1]) / REGISTERS);
  for (let value = PATTERN_BITS; value >= 1; value -= 1) z = (z + histogram[value]) * 0.5;
  z += REGISTERS * sigma(histogram[0] / REGISTERS);
  return Math.round((ALPHA * REGISTERS * REGISTERS) / z);
}

function sigma(share: number): number {
  if (share === 1) return Infinity;
  let x = share;
  let y = 1;
  let z = x;
  for (let before = NaN; before !== z; ) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let x = share;
  let y = 1;
  let z = 1 - x;
  for (let before = NaN; before !== z; ) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}
