/**
 * A collection as operations that make it anew elsewhere: whole, for another key; or piece by piece, for a replica, while changes go on.
 *
 * Runs on every thread, under the shard's lock, which is given back between two pieces. What a leaf holds is copied as it lies.
 *
 * Piece by piece, the stream of which the pieces are a part has all changes of the collection from its first operations on, in order. Hashes,
 * sets and sorted sets go in the order of hashes: a group that is there throughout has its place in that order and comes with
 * the piece that passes it; one that comes, goes, or changes is told of by the stream, and what both tell of agrees. A list first gets as many
 * elements as there are, empty ones, so that each change finds the places that it names: before that, what changes do to it is as
 * good as anything. The pieces then set what is at each place, and follow what moves when elements come or go at the head. Where
 * they come or go in the middle, the pieces begin again at the head, and if that happens too often, the rest is one piece.
 */
import { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { EXPORT_RESTARTS_MAX } from '../config/limits-collections.ts';
import { typeOf } from '../shard/entry.ts';
import { TYPE_LIST, TYPE_ZSET } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { OP_ADD, OP_FORM, OP_HEADER_BYTES, OP_LENGTH, OP_SET_AT } from './change.ts';
import { createCursor } from './cursor.ts';
import { countGroups } from './leaf.ts';
import {
  birthOf,
  countOf,
  flagsOf,
  headMovesOf,
  isTree,
  leafHashEnd,
  middleMovesOf,
  seekHash,
  seekRank,
} from './sequence.ts';

/** Operations that grow: `bytes[0, length)`. */
export type Operations = { bytes: Buffer; length: number };

/** How far the pieces of a collection are. */
export type Export = {
  /** Which collection of the key it is. */
  birth: number;
  /** The next hash; of a list the next place. */
  next: number;
  /** A list's counts of moves when `next` was right, and how often the pieces began again. */
  headMoves: number;
  middleMoves: number;
  restarts: number;
};

/** How a piece ended: there is more; that was all; the collection is not there any more, and the stream has told of it. */
export const EXPORT_MORE = 0;
export const EXPORT_DONE = 1;
export const EXPORT_GONE = 2;

const HASH_END = 2 ** 32;
const MAIN = 0;
const MEMBERS = 1;

/** Where the argument and the bytes of the payload are in an operation (the drawing is in change.ts). */
const OP_ARGUMENT_AT = 1;
const OP_BYTES_AT = 5;

const cursor = createCursor();

/** Adds what makes an empty collection this one. O(bytes). */
export function exportWhole(shard: Shard, ref: number, target: Operations): void {
  endOp(target, beginOp(target, OP_FORM, flagsOf(shard, ref)));
  const op = beginOp(target, OP_ADD, 0);
  addFromPlace(shard, ref, 0, Infinity, target);
  endOp(target, op);
}

/** Adds what an empty collection begins with. EXPORT_DONE if that is all of it, and else `state` is where the pieces begin. O(piece). */
export function beginExport(shard: Shard, ref: number, state: Export, target: Operations): number {
  if (!isTree(shard, ref)) {
    exportWhole(shard, ref, target);
    return EXPORT_DONE;
  }
  endOp(target, beginOp(target, OP_FORM, flagsOf(shard, ref)));
  state.birth = birthOf(shard, ref);
  state.restarts = 0;
  beginPlaces(shard, ref, state);
  return EXPORT_MORE;
}

/**
 * Adds what makes the copy of a list `elementsMax` longer, which is to come before its pieces, until that is EXPORT_DONE: then it has as
 * many elements as the list. O(1).
 */
export function exportLength(
  shard: Shard,
  ref: number,
  state: Export,
  target: Operations,
  elementsMax: number,
): number {
  if (!isAtHand(shard, ref, state)) return EXPORT_GONE;
  const count = countOf(shard, ref);
  state.next = Math.min(count, state.next + elementsMax);
  endOp(target, beginOp(target, OP_LENGTH, state.next));
  if (state.next < count) return EXPORT_MORE;
  beginPlaces(shard, ref, state);
  return EXPORT_DONE;
}

/** Adds the next piece: whole leaves, about `bytesMax`, and one at least. `ref` is the entry of the key now. O(piece + log n). */
export function exportPiece(
  shard: Shard,
  ref: number,
  state: Export,
  target: Operations,
  bytesMax: number,
): number {
  if (!isAtHand(shard, ref, state)) return EXPORT_GONE;
  return typeOf(shard.entries, ref) === TYPE_LIST
    ? exportPlaces(shard, ref, state, target, bytesMax)
    : exportHashes(shard, ref, state, target, bytesMax);
}

/** Whether the entry has the collection that the copy was begun of. */
function isAtHand(shard: Shard, ref: number, state: Export): boolean {
  return typeOf(shard.entries, ref) >= TYPE_LIST && isTree(shard, ref) && birthOf(shard, ref) === state.birth;
}

function beginPlaces(shard: Shard, ref: number, state: Export): void {
  state.next = 0;
  noteMoves(shard, ref, state);
}

function exportHashes(
  shard: Shard,
  ref: number,
  state: Export,
  target: Operations,
  bytesMax: number,
): number {
  const root = typeOf(shard.entries, ref) === TYPE_ZSET ? MEMBERS : MAIN;
  const op = beginOp(target, OP_ADD, 0);
  const end = target.length + bytesMax;
  do {
    seekHash(shard, ref, root, cursor, state.next);
    pushBytes(target, cursor.bytes, cursor.start, cursor.end);
    state.next = leafHashEnd(cursor);
  } while (state.next < HASH_END && target.length < end);
  endOp(target, op);
  return state.next < HASH_END ? EXPORT_MORE : EXPORT_DONE;
}

function exportPlaces(
  shard: Shard,
  ref: number,
  state: Export,
  target: Operations,
  bytesMax: number,
): number {
  if (middleMovesOf(shard, ref) === state.middleMoves) {
    state.next = Math.max(0, state.next + headMovesOf(shard, ref) - state.headMoves);
  } else {
    state.next = 0;
    state.restarts += 1;
  }
  noteMoves(shard, ref, state);
  const op = beginOp(target, OP_SET_AT, state.next);
  const isRest = state.restarts > EXPORT_RESTARTS_MAX;
  state.next = addFromPlace(shard, ref, state.next, isRest ? Infinity : bytesMax, target);
  endOp(target, op);
  return state.next < countOf(shard, ref) ? EXPORT_MORE : EXPORT_DONE;
}

/** Adds leaves of the main order from a place on, about `bytesMax` bytes. Returns the place behind them. */
function addFromPlace(
  shard: Shard,
  ref: number,
  place: number,
  bytesMax: number,
  target: Operations,
): number {
  const end = target.length + bytesMax;
  let next = place;
  while (target.length < end && seekRank(shard, ref, MAIN, cursor, next)) {
    pushBytes(target, cursor.bytes, cursor.at, cursor.end);
    next += countGroups(cursor.type, cursor.bytes, cursor.at, cursor.end);
  }
  return next;
}

function noteMoves(shard: Shard, ref: number, state: Export): void {
  state.headMoves = headMovesOf(shard, ref);
  state.middleMoves = middleMovesOf(shard, ref);
}

/** Begins an operation; where it is. */
function beginOp(target: Operations, code: number, argument: number): number {
  const at = target.length;
  reserve(target, OP_HEADER_BYTES);
  target.bytes[at] = code;
  target.bytes.writeUInt32LE(argument, at + OP_ARGUMENT_AT);
  target.length += OP_HEADER_BYTES;
  return at;
}

/** The payload of the operation at `at` is whole. */
function endOp({ bytes, length }: Operations, at: number): void {
  bytes.writeUInt32LE(length - at - OP_HEADER_BYTES, at + OP_BYTES_AT);
}

/** Adds bytes, as they are. */
export function pushBytes(target: Operations, source: Buffer, start: number, end: number): void {
  reserve(target, end - start);
  copyBytes(source, start, end, target.bytes, target.length);
  target.length += end - start;
}

function reserve(target: Operations, more: number): void {
  const needed = target.length + more;
  if (needed <= target.bytes.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * target.bytes.length));
  target.bytes.copy(larger, 0, 0, target.length);
  target.bytes = larger;
}
