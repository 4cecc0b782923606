/**
 * The last part of a walk (walk.ts): the large collections, each an image and pieces (collections/piece.ts), while they change.
 *
 * Runs on a thread of the job pool, under the shard's lock, which is given back between slices: where the walk is in a collection
 * are a key and a place, and both are looked up again. A collection that has gone, or a list in whose middle something came
 * or went, ends with PIECE_GONE; what the key is now is copied then. After EXPORT_RESTARTS_MAX such ends it is copied in one go.
 *
 * A list's places are those that its elements had when its copy began: what was pushed since is the log's, and for what had
 * gone before the copy came to it stand empty elements. Without a log those go again, and so do the elements before and behind.
 */
import { Buffer } from 'node:buffer';
import { OP_ADD, OP_FILL, OP_HEADER_BYTES, OP_POP_HEAD, OP_POP_TAIL } from '../collections/change.ts';
import {
  beginExport,
  EXPORT_DONE,
  type Export,
  exportPiece,
  type Operations,
  pushBytes,
} from '../collections/export.ts';
import { FORM_TREE, readForm } from '../collections/form.ts';
import { LARGE_IMAGE_BYTES, writeLargeImage } from '../collections/large-image.ts';
import { skipGroups } from '../collections/leaf.ts';
import {
  opPayload,
  PIECE_END,
  PIECE_GONE,
  PIECE_MORE,
  PIECE_OPS,
  writeOpHead,
} from '../collections/piece.ts';
import { birthOf, countOf, headMovesOf, middleMovesOf } from '../collections/sequence.ts';
import { SNAPSHOT_SECTION_BYTES, SNAPSHOT_SLICE_BYTES, SNAPSHOT_SLICE_ENTRIES } from '../config/limits.ts';
import { EXPORT_RESTARTS_MAX } from '../config/limits-collections.ts';
import type { Arena } from './arena.ts';
import { tableFor } from './databases.ts';
import { entryBytes, keyLength, keyOffset, lsnOf, typeOf } from './entry.ts';
import { cellsOfImage, imageKeyBytes, imageKeyStart } from './image.ts';
import { copyEntry, copyPiece, cutLastImage, hasRoom, type ImageMemory, pieceBytes } from './image-memory.ts';
import { CELL_BYTES, NONE, TYPE_LIST, TYPE_STRING } from './layout.ts';
import type { Shard } from './shard.ts';
import { findInTable, hashOf, positionOf, visitGroup } from './table.ts';

export type LargeWalk = {
  readonly shard: Shard;
  /** Database and position in hash order of each collection that was met, in turns; and how many of these are done. */
  readonly places: number[];
  at: number;
  /** The last key of the place at hand that is done, and how often the copy of the one behind it was begun anew. */
  lastKey: Buffer | undefined;
  restarts: number;
  phase: number;
  /** The collection at hand: its key, and what it was when its copy began. */
  key: Buffer;
  lsn: number;
  type: number;
  count: number;
  headMoves: number;
  readonly state: Export;
  /** Groups of it, or places of a list, that are copied. */
  done: number;
  /** The places of a list that were there throughout, by what is known so far. */
  firstKept: number;
  lastKept: number;
  /** The value of the piece at hand; and whether it waits for room. */
  readonly piece: Operations;
  isWaiting: boolean;
  /** After LARGE_NO_ROOM: what the next image needs. */
  neededBytes: number;
};

/** How a slice ended: there is more; the database has no more large collections; the memory has no room for the next image. */
export const LARGE_MORE = 0;
export const LARGE_END = 1;
const LARGE_NO_ROOM = 2;

/** No collection is begun; one is, and pieces follow; all its pieces but the last are there. */
const PHASE_NONE = 0;
const PHASE_PIECES = 1;
const PHASE_END = 2;

/** What a slice copies at most, about; less is for tests. One per thread. */
export const sliceBounds = { bytesMax: SNAPSHOT_SLICE_BYTES };

const opHead = Buffer.alloc(OP_HEADER_BYTES);

export function createLargeWalk(shard: Shard): LargeWalk {
  return {
    shard,
    places: [],
    at: 0,
    lastKey: undefined,
    restarts: 0,
    phase: PHASE_NONE,
    key: Buffer.alloc(0),
    lsn: 0,
    type: 0,
    count: 0,
    headMoves: 0,
    state: { birth: 0, next: 0, headMoves: 0, middleMoves: 0, restarts: 0 },
    done: 0,
    firstKept: 0,
    lastKept: 0,
    piece: { bytes: Buffer.alloc(0), length: 0 },
    isWaiting: false,
    neededBytes: 0,
  };
}

/** Whether an entry is to be copied here: a collection in the form of a tree. */
export function isLargeEntry(entries: Arena, ref: number): boolean {
  return typeOf(entries, ref) !== TYPE_STRING && (readForm(entries, ref) & FORM_TREE) !== 0;
}

/** Notes where a large collection stands. The places must come in order. */
export function noteLarge({ places }: LargeWalk, database: number, position: number): void {
  const last = places.length - 2;
  if (last >= 0 && places[last] === database && places[last + 1] === position) return;
  places.push(database, position);
}

/** The database of the next large collection, -1 when all are copied. */
export function nextLargeDatabase({ places, at }: LargeWalk): number {
  return at < places.length ? places[at] : -1;
}

/** Copies what comes next of this database, as much as a slice has. */
export function copyLarge(large: LargeWalk, database: number, memory: ImageMemory): number {
  const bytesEnd = memory.used + sliceBounds.bytesMax;
  const recordsEnd = memory.records + SNAPSHOT_SLICE_ENTRIES;
  while (memory.used < bytesEnd && memory.records < recordsEnd) {
    if (!large.isWaiting) {
      if (large.phase === PHASE_END) makeEnd(large);
      else if (large.phase === PHASE_PIECES) makePiece(large, database, bytesEnd - memory.used);
      else if (nextLargeDatabase(large) !== database) return LARGE_END;
      else if (!beginNext(large, database, memory)) return LARGE_NO_ROOM;
    }
    if (large.isWaiting && !placePiece(large, database, memory)) return LARGE_NO_ROOM;
  }
  return LARGE_MORE;
}

/** Copies the image of the next entry of the place at hand, or goes on to the next place; false without room. */
function beginNext(large: LargeWalk, database: number, memory: ImageMemory): boolean {
  const { shard } = large;
  const ref = nextOfPlace(large, database);
  if (ref === NONE) {
    large.at += 2;
    endKey(large, undefined);
    return true;
  }
  const cells = cellsOfImage(shard.entries.words, ref);
  if (!hasRoom(memory, cells * CELL_BYTES)) {
    large.neededBytes = cells * CELL_BYTES;
    return false;
  }
  const at = copyEntry(memory, shard, ref, cells, database);
  large.key = keyOf(shard.entries, ref);
  if (!isLargeEntry(shard.entries, ref)) {
    endKey(large, large.key);
    return true;
  }
  large.count = countOf(shard, ref);
  const value = imageKeyStart(memory.words, at) + imageKeyBytes(memory.words, at);
  writeLargeImage(memory.bytes, value, large.count);
  cutLastImage(memory, at, LARGE_IMAGE_BYTES);
  beginPieces(large, ref);
  return true;
}

/** Whatever is first of what stands at the place at hand, behind the last key that is done. Keys of one hash are rare. */
function nextOfPlace({ shard, places, at, lastKey }: LargeWalk, database: number): number {
  const { entries } = shard;
  const position = places[at + 1];
  let next = NONE;
  let nextKey: Buffer | undefined;
  visitGroup(shard, tableFor(shard, database), position, (ref) => {
    if (positionOf(shard, ref) !== position) return;
    const key = keyOf(entries, ref);
    if (lastKey !== undefined && key.compare(lastKey) <= 0) return;
    if (nextKey !== undefined && key.compare(nextKey) >= 0) return;
    next = ref;
    nextKey = key;
  });
  return next;
}

function beginPieces(large: LargeWalk, ref: number): void {
  const { shard, piece, state } = large;
  piece.length = 0;
  // An image says what the first operations do.
  beginExport(shard, ref, state, piece);
  large.lsn = lsnOf(shard.entries, ref);
  large.type = typeOf(shard.entries, ref);
  large.headMoves = state.headMoves;
  large.done = 0;
  large.firstKept = 0;
  large.lastKept = large.count;
  large.phase = PHASE_PIECES;
}

/** The copy of a key, or of all of the place, is whole. */
function endKey(large: LargeWalk, key: Buffer | undefined): void {
  large.lastKey = key;
  large.restarts = 0;
  large.phase = PHASE_NONE;
}

function makePiece(large: LargeWalk, database: number, sliceBytes: number): void {
  const { shard, key, type, piece, restarts } = large;
  const hash = hashOf(shard, key, 0, key.length);
  const ref = findInTable(shard, tableFor(shard, database), hash, key, 0, key.length);
  const bytesMax = restarts > EXPORT_RESTARTS_MAX ? Infinity : sliceBytes;
  makeBare(large, PIECE_MORE);
  if (!isAtHand(large, ref)) makeGone(large);
  else if (type === TYPE_LIST) exportList(large, ref, bytesMax);
  else exportGroups(large, ref, bytesMax);
  large.isWaiting = piece.length > PIECE_OPS || piece.bytes[0] === PIECE_GONE;
}

/** Whether an entry is the collection of which the image was copied. */
function isAtHand({ shard, type, state }: LargeWalk, ref: number): boolean {
  const { entries } = shard;
  if (ref === NONE || typeOf(entries, ref) !== type || !isLargeEntry(entries, ref)) return false;
  return birthOf(shard, ref) === state.birth;
}

function exportGroups(large: LargeWalk, ref: number, bytesMax: number): void {
  const { shard, piece, state } = large;
  const status = exportPiece(shard, ref, state, piece, bytesMax);
  large.done += piece.length - opPayload(PIECE_OPS);
  if (status === EXPORT_DONE) endPieces(large, large.done > 0);
}

/** A piece has the elements that are at the places of the present; `shift` is how far those are from the places at the beginning. */
function exportList(large: LargeWalk, ref: number, bytesMax: number): void {
  const { shard, piece, state, count } = large;
  const headMoves = headMovesOf(shard, ref);
  const shift = large.headMoves - headMoves;
  const from = Math.min(count, Math.max(0, state.next + headMoves - state.headMoves) + shift);
  if (middleMovesOf(shard, ref) !== state.middleMoves) {
    makeGone(large);
    return;
  }
  if (from > large.done) addOp(piece, OP_FILL, from - large.done);
  const at = piece.length;
  const status = exportPiece(shard, ref, state, piece, bytesMax);
  const next = Math.min(count, state.next + shift);
  const payload = opPayload(at);
  piece.length = skipGroups(TYPE_LIST, piece.bytes, payload, piece.length, Math.max(0, next - from));
  writeOpHead(piece.bytes, at, OP_ADD, 0, piece.length - payload);
  large.done = Math.max(from, next);
  large.firstKept = Math.max(large.firstKept, shift);
  large.lastKept = Math.min(large.lastKept, shift + countOf(shard, ref));
  if (status !== EXPORT_DONE && next < count) return;
  if (large.done < count) addOp(piece, OP_FILL, count - large.done);
  endPieces(large, large.firstKept < large.lastKept);
}

/** Of a collection of which nothing was there throughout nothing would be left without a log. */
function endPieces(large: LargeWalk, isAnythingKept: boolean): void {
  if (isAnythingKept) large.phase = PHASE_END;
  else makeGone(large);
}

function makeEnd(large: LargeWalk): void {
  const { piece, type, count, firstKept, lastKept } = large;
  makeBare(large, PIECE_END);
  if (type === TYPE_LIST && firstKept > 0) addOp(piece, OP_POP_HEAD, firstKept);
  if (type === TYPE_LIST && lastKept < count) addOp(piece, OP_POP_TAIL, count - lastKept);
  large.isWaiting = true;
  endKey(large, large.key);
}

/** The copy is worth nothing; whatever the key is now comes next. */
function makeGone(large: LargeWalk): void {
  makeBare(large, PIECE_GONE);
  large.phase = PHASE_NONE;
  large.restarts += 1;
}

/** Begins the value of a piece. */
function makeBare({ piece }: LargeWalk, kind: number): void {
  if (piece.bytes.length < PIECE_OPS || piece.bytes.length > SNAPSHOT_SECTION_BYTES)
    piece.bytes = Buffer.allocUnsafeSlow(SNAPSHOT_SLICE_BYTES);
  piece.bytes[0] = kind;
  piece.length = PIECE_OPS;
}

/** Adds an operation without a payload. */
function addOp(piece: Operations, code: number, argument: number): void {
  writeOpHead(opHead, 0, code, argument, 0);
  pushBytes(piece, opHead, 0, opHead.length);
}

function placePiece(large: LargeWalk, database: number, memory: ImageMemory): boolean {
  const { piece, lsn } = large;
  large.neededBytes = pieceBytes(piece.length);
  if (!hasRoom(memory, large.neededBytes)) return false;
  copyPiece(memory, piece.bytes, piece.length, database, lsn);
  large.isWaiting = false;
  return true;
}

function keyOf(entries: Arena, ref: number): Buffer {
  const at = keyOffset(entries, ref);
  return Buffer.from(entryBytes(entries, ref).subarray(at, at + keyLength(entries, ref)));
}
