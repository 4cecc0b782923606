/**
 * Reading the operations of BITFIELD, one after the other: GET, SET, INCRBY with their fields, and OVERFLOW.
 *
 * Runs on the thread of the command. There is one record of an operation per thread, filled anew by each reading, so that none is
 * allocated.
 * Source of the rules: Redis 7.0 `bitops.c`, `bitfieldGeneric`.
 */
import { parseInt64, parseSafeInteger } from '../base/decimal.ts';
import { writeError } from '../resp/reply-writer.ts';
import { isWord, NOT_AN_INTEGER, replySyntaxError } from './arguments.ts';
import type { Overflow } from './bitfield-integers.ts';
import { BITS_PER_BYTE, readBitOffset } from './bits-arguments.ts';
import type { Call } from './call.ts';

const BAD_TYPE =
  'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.';
const LETTER_I = 105;
const LETTER_U = 117;
const SIGNED_BITS_MAX = 64;
const UNSIGNED_BITS_MAX = 63;

const FIRST_OPERATION = 2;

type Kind = 'GET' | 'SET' | 'INCRBY' | 'OVERFLOW';

export type Operation = {
  kind: Kind;
  /** That of the last OVERFLOW. */
  overflow: Overflow;
  isSigned: boolean;
  bits: number;
  offset: number;
  /** The argument of SET and INCRBY; NaN when it is no safe integer, and then `exact` is it. */
  argument: number;
  exact: bigint;
  /** The argument behind the operation; 0 when it was wrong, and that is answered. */
  end: number;
};

/** How many operations answer, and how long the string must be for those that write; 0 when none does. */
type OperationsPlan = { replies: number; bytes: number };

const operation: Operation = {
  kind: 'GET',
  overflow: 'WRAP',
  isSigned: false,
  bits: 0,
  offset: 0,
  argument: 0,
  exact: 0n,
  end: 0,
};
const plan: OperationsPlan = { replies: 0, bytes: 0 };

/** Checks all operations; undefined when one is wrong, and then that is answered. */
export function planOperations(call: Call): OperationsPlan | undefined {
  plan.replies = 0;
  plan.bytes = 0;
  for (let next = firstOperation(call); next !== undefined; next = nextOperation(call)) {
    if (next.end === 0) return undefined;
    if (next.kind === 'OVERFLOW') continue;
    plan.replies += 1;
    if (next.kind === 'GET') continue;
    const lastBit = next.offset + next.bits - 1;
    plan.bytes = Math.max(plan.bytes, Math.floor(lastBit / BITS_PER_BYTE) + 1);
  }
  return plan;
}

/** The first operation of a command, undefined without one. */
export function firstOperation(call: Call): Operation | undefined {
  operation.overflow = 'WRAP';
  operation.end = FIRST_OPERATION;
  return nextOperation(call);
}

/** The operation behind the one that was read last and was not wrong. */
export function nextOperation(call: Call): Operation | undefined {
  const index = operation.end;
  if (index >= call.count) return undefined;
  operation.end = isRead(call, index) ? operation.end : 0;
  return operation;
}

function isRead(call: Call, index: number): boolean {
  const left = call.count - index - 1;
  if (isWord(call, index, 'GET') && left >= 2) return readKind(call, index, 'GET');
  if (isWord(call, index, 'SET') && left >= 3) return readKind(call, index, 'SET');
  if (isWord(call, index, 'INCRBY') && left >= 3) return readKind(call, index, 'INCRBY');
  if (isWord(call, index, 'OVERFLOW') && left >= 1) return readOverflow(call, index);
  replySyntaxError(call);
  return false;
}

function readOverflow(call: Call, index: number): boolean {
  operation.kind = 'OVERFLOW';
  operation.end = index + 2;
  if (isWord(call, index + 1, 'WRAP')) operation.overflow = 'WRAP';
  else if (isWord(call, index + 1, 'SAT')) operation.overflow = 'SAT';
  else if (isWord(call, index + 1, 'FAIL')) operation.overflow = 'FAIL';
  else {
    writeError(call.reply, 'ERR Invalid OVERFLOW type specified');
    return false;
  }
  return true;
}

/** An operation on a field: its type, its place, and unless it is a GET a number. */
function readKind(call: Call, index: number, kind: Kind): boolean {
  operation.kind = kind;
  operation.end = kind === 'GET' ? index + 3 : index + 4;
  if (!readType(call, index + 1)) return false;
  operation.offset = readBitOffset(call, index + 2, operation.bits);
  if (Number.isNaN(operation.offset)) return false;
  return kind === 'GET' || readArgument(call, index + 3);
}

function readType(call: Call, index: number): boolean {
  const { input, spans } = call;
  const start = spans[2 * index];
  const end = spans[2 * index + 1];
  const letter = end > start ? input[start] : 0;
  operation.isSigned = letter === LETTER_I;
  operation.bits = parseSafeInteger(input, start + 1, end);
  const bitsMax = operation.isSigned ? SIGNED_BITS_MAX : UNSIGNED_BITS_MAX;
  const isType = letter === LETTER_I || letter === LETTER_U;
  if (isType && operation.bits >= 1 && operation.bits <= bitsMax) return true;
  writeError(call.reply, BAD_TYPE);
  return false;
}

function readArgument({ input, spans, reply }: Call, index: number): boolean {
  const start = spans[2 * index];
  const end = spans[2 * index + 1];
  operation.argument = parseSafeInteger(input, start, end);
  if (!Number.isNaN(operation.argument)) return true;
  const exact = parseInt64(input, start, end);
  if (exact === undefined) {
    writeError(reply, NOT_AN_INTEGER);
    return false;
  }
  operation.exact = exact;
  return true;
}
