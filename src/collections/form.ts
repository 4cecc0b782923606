/**
 * What the value of a collection's entry begins with, in either form, and the bounds between the forms.
 *
 * Runs on every thread, under the shard's lock. In bytes:
 *
 *             0       1             3
 *   packed   ┌───────┬─────────────┬─────────────────
 *            │ FLAGS │ COUNT (u16) │ groups ...          one leaf: up to 65535 groups, one behind the other
 *            ├───────┼─────────────┼────────────┬─────────────┬───────────────────┬──────────────────┐
 *   tree     │ FLAGS │ not used    │ HEAD (u32) │ BIRTH (u32) │ HEAD MOVES (f64)  │ MIDDLE MOVES(u32)│
 *            └───────┴─────────────┴────────────┴─────────────┴───────────────────┴──────────────────┘
 *
 * HEAD is the reference of the head page (page.ts). The rest is for those who copy a tree piece by piece while it changes: BIRTH
 * tells it from another that the key had before; of a list, how many elements more came in front of the first than went from
 * there, and how often some came or went in the middle.
 *
 * FORM_LARGE: OBJECT ENCODING says hashtable or skiplist, whichever form it has. FORM_DEADLINES: a hash of which fields
 * expire. A flag that is set stays, but for the last, which goes with the last deadline.
 */
import {
  CHILDREN_MAX,
  CHILDREN_MIN,
  FILL_GROUPS_MAX,
  HASH_LEAF_BYTES_MAX,
  LIST_LEAF_BYTES_MAX,
  PACKED_BYTES_MAX,
  PACKED_GROUPS_MAX,
  PACKED_LARGE_BYTES_MAX,
  SCORE_LEAF_BYTES_MAX,
} from '../config/limits-collections.ts';
import type { Arena } from '../shard/arena.ts';
import { entryBytes, valueOffset } from '../shard/entry.ts';
import { WRITING } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';

const UINT32 = 2 ** 32;

export const FORM_TREE = 1;
export const FORM_LARGE = 2;
export const FORM_DEADLINES = 4;

export const PACKED_COUNT = 1;
export const PACKED_GROUPS = 3;
const TREE_HEAD = 3;
const TREE_BIRTH = 7;
const TREE_HEAD_MOVES = 11;
const TREE_MIDDLE_MOVES = 19;
export const TREE_VALUE_BYTES = 23;

/** What the bounds between forms and between pages are; smaller ones are for tests. One per thread. */
export const bounds = {
  packedBytesMax: PACKED_BYTES_MAX,
  packedLargeBytesMax: PACKED_LARGE_BYTES_MAX,
  packedGroupsMax: PACKED_GROUPS_MAX,
  fillGroupsMax: FILL_GROUPS_MAX,
  /** By the order of the tree (page.ts). */
  leafBytesMax: [LIST_LEAF_BYTES_MAX, HASH_LEAF_BYTES_MAX, SCORE_LEAF_BYTES_MAX],
  childrenMin: CHILDREN_MIN,
  childrenMax: CHILDREN_MAX,
};

export function readForm(arena: Arena, ref: number): number {
  return entryBytes(arena, ref)[valueOffset(arena, ref)];
}

export function writeForm(arena: Arena, ref: number, flags: number): void {
  entryBytes(arena, ref)[valueOffset(arena, ref)] = flags;
}

/** Says that the collection is one that redis-server calls large, by its thresholds. */
export function markLarge({ entries, control }: Shard, ref: number): void {
  const flags = readForm(entries, ref);
  if ((flags & FORM_LARGE) !== 0) return;
  control[WRITING] = ref;
  writeForm(entries, ref, flags | FORM_LARGE);
}

/** Whether it is one. */
export function isLarge({ entries }: Shard, ref: number): boolean {
  return (readForm(entries, ref) & FORM_LARGE) !== 0;
}

export function readPackedCount(arena: Arena, ref: number): number {
  const bytes = entryBytes(arena, ref);
  const at = valueOffset(arena, ref) + PACKED_COUNT;
  return bytes[at] | (bytes[at + 1] << 8);
}

export function writePackedCount(arena: Arena, ref: number, count: number): void {
  const bytes = entryBytes(arena, ref);
  const at = valueOffset(arena, ref) + PACKED_COUNT;
  bytes[at] = count & 0xff;
  bytes[at + 1] = count >>> 8;
}

/** The head page that a tree's entry names. */
export function readHead(arena: Arena, ref: number): number {
  const bytes = entryBytes(arena, ref);
  const at = valueOffset(arena, ref) + TREE_HEAD;
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

export function writeHead(arena: Arena, ref: number, head: number): void {
  const bytes = entryBytes(arena, ref);
  const at = valueOffset(arena, ref) + TREE_HEAD;
  bytes[at] = head & 0xff;
  bytes[at + 1] = (head >>> 8) & 0xff;
  bytes[at + 2] = (head >>> 16) & 0xff;
  bytes[at + 3] = head >>> 24;
}

/** Makes the value that of a tree which was born at this LSN. */
export function formatTree(arena: Arena, ref: number, flags: number, head: number, lsn: number): void {
  const bytes = entryBytes(arena, ref);
  const at = valueOffset(arena, ref);
  bytes.fill(0, at, at + TREE_VALUE_BYTES);
  bytes[at] = flags | FORM_TREE;
  writeBirth(arena, ref, lsn);
  writeHead(arena, ref, head);
}

/** The tree counts as born at this LSN. */
export function writeBirth(arena: Arena, ref: number, lsn: number): void {
  entryBytes(arena, ref).writeUInt32LE(lsn % UINT32, valueOffset(arena, ref) + TREE_BIRTH);
}

/** What tells a tree from another that its key had before, or has later. */
export function readBirth(arena: Arena, ref: number): number {
  return entryBytes(arena, ref).readUInt32LE(valueOffset(arena, ref) + TREE_BIRTH);
}

export function readHeadMoves(arena: Arena, ref: number): number {
  return entryBytes(arena, ref).readDoubleLE(valueOffset(arena, ref) + TREE_HEAD_MOVES);
}

/** So many elements have come in front of a list's first; less than 0: have gone from there. */
export function addHeadMoves(arena: Arena, ref: number, elements: number): void {
  const at = valueOffset(arena, ref) + TREE_HEAD_MOVES;
  entryBytes(arena, ref).writeDoubleLE(readHeadMoves(arena, ref) + elements, at);
}

export function readMiddleMoves(arena: Arena, ref: number): number {
  return entryBytes(arena, ref).readUInt32LE(valueOffset(arena, ref) + TREE_MIDDLE_MOVES);
}

/** An element has come or gone in the middle of a list. */
export function noteMiddleMove(arena: Arena, ref: number): void {
  const at = valueOffset(arena, ref) + TREE_MIDDLE_MOVES;
  entryBytes(arena, ref).writeUInt32LE((readMiddleMoves(arena, ref) + 1) >>> 0, at);
}
