/**
 * A HyperLogLog in change: a copy in private memory that elements are added to, and which of its bytes have become others.
 *
 * Runs on every thread; one of it per thread is enough, since it is used within one command. The bytes are those of Redis after the
 * same steps, damage included (`hyperloglog.c`, `hllSparseSet`), so that a value means the same in both.
 */
import { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { placeElement, registerOfPlace, valueOfPlace } from './hyperloglog-hash.ts';
import {
  CARDINALITY_LAST_AT,
  CHANGED_BIT,
  DENSE,
  DENSE_BYTES,
  denseRegister,
  ENCODING_AT,
  HEADER_BYTES,
  isValueRun,
  REGISTER_BITS,
  REGISTERS,
  RUN_VALUE_MAX,
  runBytes,
  runRegisters,
  runValue,
  SPARSE_BYTES_MAX,
  VALUE_RUN_MAX,
  writeDenseRegister,
  writeEmpty,
  writeValueRun,
  writeZeroRun,
} from './hyperloglog-layout.ts';

/** What adding did. */
export const UNCHANGED = 0;
export const CHANGED = 1;
export const DAMAGED = 2;

/** The longest sequence that a run becomes: zeros, a value, zeros. */
const SEQUENCE_BYTES_MAX = 5;
/** So many runs, from the one before the change on, are looked at for equal neighbours. */
const JOIN_RUNS_MAX = 5;

/** More spans of changed bytes than this are taken for one. */
const SPANS_MAX = 8;

export type HyperLogLog = {
  /** What is behind `length` is 0 as far as anything looks. */
  readonly bytes: Buffer;
  length: number;
  /** A sparse one that would become longer becomes dense. */
  sparseBytesMax: number;
  /** Changed bytes: span i is `[spans[2i], spans[2i + 1])`. */
  readonly spans: Int32Array;
  spanCount: number;
  /** Where a search in a sparse one may begin, if what it seeks is not below register `searchFloor`. */
  searchAt: number;
  searchRegister: number;
  searchFloor: number;
};

/** Where `seekRun` has stopped. One per thread. */
const found = { at: 0, first: 0, before: 0 };
const sequence = Buffer.alloc(SEQUENCE_BYTES_MAX);

export function createHyperLogLog(): HyperLogLog {
  return {
    bytes: Buffer.alloc(SPARSE_BYTES_MAX + SEQUENCE_BYTES_MAX),
    length: 0,
    sparseBytesMax: 0,
    spans: new Int32Array(2 * SPANS_MAX),
    spanCount: 0,
    searchAt: 0,
    searchRegister: 0,
    searchFloor: 0,
  };
}

/** Makes it the empty one, all of which counts as changed. */
export function beginEmpty(sketch: HyperLogLog, sparseBytesMax: number): void {
  reset(sketch, writeEmpty(sketch.bytes), sparseBytesMax);
  noteSpan(sketch, 0, sketch.length);
}

/** Copies the value of a string that is one (hyperloglog-layout.ts); false when it is longer than any that is whole. */
export function beginWith(
  sketch: HyperLogLog,
  bytes: Buffer,
  start: number,
  end: number,
  sparseBytesMax: number,
): boolean {
  if (end - start > SPARSE_BYTES_MAX) return false;
  copyBytes(bytes, start, end, sketch.bytes, 0);
  reset(sketch, end - start, sparseBytesMax);
  return true;
}

/** Adds an element. O(1) in a dense one, O(length) in a sparse one. */
export function addToHyperLogLog(sketch: HyperLogLog, bytes: Uint8Array, start: number, end: number): number {
  const place = placeElement(bytes, start, end);
  return raiseRegister(sketch, registerOfPlace(place), valueOfPlace(place));
}

/** Makes a register at least `value`. In a sparse one, ascending registers cost little each. */
export function raiseRegister(sketch: HyperLogLog, index: number, value: number): number {
  return sketch.bytes[ENCODING_AT] === DENSE
    ? raiseDense(sketch, index, value)
    : raiseSparse(sketch, index, value);
}

/** Says that the cardinality in the header is not that of the registers any more. */
export function outdateCardinality(sketch: HyperLogLog): void {
  const { bytes } = sketch;
  if ((bytes[CARDINALITY_LAST_AT] & CHANGED_BIT) !== 0) return;
  bytes[CARDINALITY_LAST_AT] |= CHANGED_BIT;
  noteSpan(sketch, CARDINALITY_LAST_AT, CARDINALITY_LAST_AT + 1);
}

/** Gives it the dense form; false when its runs are damaged, and then it is as it was. */
export function makeDense(sketch: HyperLogLog): boolean {
  const { bytes, length } = sketch;
  if (bytes[ENCODING_AT] === DENSE) return true;
  if (registersOfRuns(bytes, length) !== REGISTERS) return false;
  const runs = Buffer.from(bytes.subarray(0, length));
  bytes.fill(0, HEADER_BYTES, Math.max(length, DENSE_BYTES));
  let index = 0;
  for (let at = HEADER_BYTES; at < length; at += runBytes(runs[at])) {
    const behind = index + runRegisters(runs, at, length);
    const value = runValue(runs[at]);
    for (; index < behind; index += 1) if (value !== 0) writeDenseRegister(bytes, 0, index, value);
  }
  bytes[ENCODING_AT] = DENSE;
  sketch.length = DENSE_BYTES;
  sketch.spanCount = 0;
  noteSpan(sketch, 0, DENSE_BYTES);
  return true;
}

function registersOfRuns(bytes: Uint8Array, length: number): number {
  let registers = 0;
  for (let at = HEADER_BYTES; at < length; at += runBytes(bytes[at])) {
    registers += runRegisters(bytes, at, length);
  }
  return registers;
}

function reset(sketch: HyperLogLog, length: number, sparseBytesMax: number): void {
  sketch.length = length;
  sketch.sparseBytesMax = Math.min(sparseBytesMax, SPARSE_BYTES_MAX);
  sketch.spanCount = 0;
  sketch.bytes[length] = 0;
  forgetSearch(sketch);
}

function raiseDense(sketch: HyperLogLog, index: number, value: number): number {
  const { bytes } = sketch;
  if (value <= denseRegister(bytes, 0, index)) return UNCHANGED;
  writeDenseRegister(bytes, 0, index, value);
  const at = HEADER_BYTES + ((index * REGISTER_BITS) >>> 3);
  noteSpan(sketch, at, Math.min(at + 2, sketch.length));
  return CHANGED;
}

function raiseSparse(sketch: HyperLogLog, index: number, value: number): number {
  if (value > RUN_VALUE_MAX) return raiseAsDense(sketch, index, value);
  if (!seekRun(sketch, index)) return DAMAGED;
  const { bytes, length } = sketch;
  const { at, first, before } = found;
  const registers = runRegisters(bytes, at, length);
  const code = bytes[at];
  if (runValue(code) >= value) return UNCHANGED;
  if (registers === 1 && runBytes(code) === 1) {
    writeValueRun(bytes, at, value, 1);
    noteSpan(sketch, at, at + 1);
  } else {
    const sequenceBytes = splitRun(code, index - first, value, first + registers - 1 - index);
    const more = sequenceBytes - runBytes(code);
    if (more > 0 && length + more > sketch.sparseBytesMax) return raiseAsDense(sketch, index, value);
    replaceRun(sketch, at, runBytes(code), sequenceBytes);
  }
  joinRuns(sketch, before);
  outdateCardinality(sketch);
  return CHANGED;
}

function raiseAsDense(sketch: HyperLogLog, index: number, value: number): number {
  return makeDense(sketch) ? raiseDense(sketch, index, value) : DAMAGED;
}

/** Finds the run of a register, and the one before it (or itself if it is the first). False when the runs end before. */
function seekRun(sketch: HyperLogLog, index: number): boolean {
  const { bytes, length } = sketch;
  if (index < sketch.searchFloor) forgetSearch(sketch);
  let at = sketch.searchAt;
  let first = sketch.searchRegister;
  let before = at;
  let beforeFirst = first;
  while (at < length) {
    const behind = first + runRegisters(bytes, at, length);
    if (index < behind) break;
    if (before !== at) {
      // The run before the one before can begin the next search: no change reaches back to it.
      sketch.searchAt = before;
      sketch.searchRegister = beforeFirst;
      sketch.searchFloor = first;
    }
    before = at;
    beforeFirst = first;
    at += runBytes(bytes[at]);
    first = behind;
  }
  found.at = at;
  found.first = first;
  found.before = before;
  return at < length;
}

function forgetSearch(sketch: HyperLogLog): void {
  sketch.searchAt = HEADER_BYTES;
  sketch.searchRegister = 0;
  sketch.searchFloor = 0;
}

/** Writes into `sequence` what becomes of a run in which one register gets a value: so many registers before and behind it. */
function splitRun(code: number, before: number, value: number, behind: number): number {
  const other = runValue(code);
  let end = 0;
  if (before > 0) end = writeRun(end, other, before);
  end = writeValueRun(sequence, end, value, 1);
  return behind > 0 ? writeRun(end, other, behind) : end;
}

function writeRun(at: number, value: number, registers: number): number {
  return value === 0 ? writeZeroRun(sequence, at, registers) : writeValueRun(sequence, at, value, registers);
}

/** Puts the sequence in the place of a run. What a damaged last run lacks is cut off, as the string's length has it. */
function replaceRun(sketch: HyperLogLog, at: number, oldBytes: number, newBytes: number): void {
  const { bytes, length } = sketch;
  if (at + oldBytes < length) bytes.copyWithin(at + newBytes, at + oldBytes, length);
  sequence.copy(bytes, at, 0, newBytes);
  setLength(sketch, length + newBytes - oldBytes);
  const end = newBytes === oldBytes ? at + newBytes : sketch.length;
  noteSpan(sketch, at, Math.min(end, sketch.length));
}

/** Makes one of neighbours with the same value where they fit in one run. */
function joinRuns(sketch: HyperLogLog, from: number): void {
  const { bytes } = sketch;
  let at = from;
  for (let runs = 0; runs < JOIN_RUNS_MAX && at < sketch.length; runs += 1) {
    const code = bytes[at];
    const next = at + 1 < sketch.length ? bytes[at + 1] : 0;
    const registers = runRegisters(bytes, at, sketch.length) + runRegisters(bytes, at + 1, sketch.length);
    if (
      isValueRun(code) &&
      isValueRun(next) &&
      runValue(code) === runValue(next) &&
      registers <= VALUE_RUN_MAX
    ) {
      writeValueRun(bytes, at + 1, runValue(code), registers);
      bytes.copyWithin(at, at + 1, sketch.length);
      setLength(sketch, sketch.length - 1);
      noteSpan(sketch, at, sketch.length);
    } else {
      at += runBytes(code);
    }
  }
}

function setLength(sketch: HyperLogLog, length: number): void {
  sketch.length = length;
  sketch.bytes[length] = 0;
}

/** Notes that bytes have changed. Spans that touch are one, and so are all where they are too many. */
function noteSpan(sketch: HyperLogLog, start: number, end: number): void {
  const { spans, spanCount } = sketch;
  for (let i = 0; i < spanCount; i += 1) {
    if (start > spans[2 * i + 1] || end < spans[2 * i]) continue;
    spans[2 * i] = Math.min(start, spans[2 * i]);
    spans[2 * i + 1] = Math.max(end, spans[2 * i + 1]);
    return;
  }
  if (spanCount < SPANS_MAX) {
    spans[2 * spanCount] = start;
    spans[2 * spanCount + 1] = end;
    sketch.spanCount = spanCount + 1;
    return;
  }
  for (let i = 0; i < SPANS_MAX; i += 1) {
    spans[0] = Math.min(spans[0], start, spans[2 * i]);
    spans[1] = Math.max(spans[1], end, spans[2 * i + 1]);
  }
  sketch.spanCount = 1;
}
