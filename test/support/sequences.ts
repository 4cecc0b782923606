/** Collections for tests of what types are built on: groups of texts, put and read without the types' own files. */

import { Buffer } from 'node:buffer';
import { expect } from 'vitest';
import { type Cursor, createCursor } from '../../src/collections/cursor.ts';
import {
  elementEnd,
  encodeElement,
  encodeText,
  groupKey,
  SCORE_BYTES,
  textLength,
  writeText,
} from '../../src/collections/elements.ts';
import { bounds } from '../../src/collections/form.ts';
import {
  countOf,
  createCollection,
  insertGroup,
  isTree,
  seekMember,
  seekRank,
  seekScore,
  step,
} from '../../src/collections/sequence.ts';
import { checkCollection } from '../../src/collections/sequence-check.ts';
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
} from '../../src/config/limits-collections.ts';
import { NONE, TYPE_HASH, TYPE_LIST, TYPE_ZSET, WRITING } from '../../src/shard/layout.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { hashOf } from '../../src/shard/table.ts';
import { START_MS } from './shard.ts';

/** What one group holds: a value only in a hash, a score only in a sorted set. */
export type Group = { key: string; value: string; score: number };

/** Bounds that make trees of a handful of groups, and high ones of some dozens. */
const TINY = {
  packedBytesMax: 200,
  packedLargeBytesMax: 60,
  packedGroupsMax: 12,
  leafBytesMax: [96, 96, 96],
  childrenMin: 2,
  childrenMax: 4,
};

/** Not as they are when this is loaded: another file's tests may be at it. */
const USUAL: typeof bounds = {
  packedBytesMax: PACKED_BYTES_MAX,
  packedLargeBytesMax: PACKED_LARGE_BYTES_MAX,
  packedGroupsMax: PACKED_GROUPS_MAX,
  fillGroupsMax: FILL_GROUPS_MAX,
  leafBytesMax: [LIST_LEAF_BYTES_MAX, HASH_LEAF_BYTES_MAX, SCORE_LEAF_BYTES_MAX],
  childrenMin: CHILDREN_MIN,
  childrenMax: CHILDREN_MAX,
};

export function useTinyBounds(): void {
  Object.assign(bounds, TINY);
}

/** Pages of hundreds of bytes, for which a memory of small entries must be put in order. */
export function useMiddlingBounds(): void {
  Object.assign(bounds, TINY, {
    leafBytesMax: [900, 900, 900],
    packedBytesMax: 900,
    packedLargeBytesMax: 500,
  });
}

export function useUsualBounds(): void {
  Object.assign(bounds, { ...USUAL, leafBytesMax: [...USUAL.leafBytesMax] });
}

const scratch = Buffer.alloc(2 ** 20);
const text = Buffer.alloc(2 ** 20);
const reader = createCursor();
const adder = createCursor();

/** The bytes of a group, in memory that the next call uses again. */
export function encodeGroup(type: number, { key, value, score }: Group): Buffer {
  let end = 0;
  if (type === TYPE_ZSET) {
    scratch.writeDoubleLE(score, 0);
    end = encodeText(scratch, SCORE_BYTES, text, 0, text.write(key));
  } else {
    end = encodeElement(scratch, 0, text, 0, text.write(key));
    if (type === TYPE_HASH) end = encodeElement(scratch, end, text, 0, text.write(value));
  }
  return scratch.subarray(0, end);
}

export function readGroup(type: number, bytes: Buffer, at: number): Group {
  const key = groupKey(type, at);
  return {
    key: readText(bytes, key),
    value: type === TYPE_HASH ? readText(bytes, elementEnd(bytes, key)) : '',
    score: type === TYPE_ZSET ? bytes.readDoubleLE(at) : 0,
  };
}

export function newCollection(shard: Shard, name: string, type: number, flags = 0): number {
  const key = Buffer.from(name);
  const hash = hashOf(shard, key, 0, key.length);
  const ref = createCollection(shard, 0, hash, key, 0, key.length, type, flags, START_MS);
  expect(ref).not.toBe(NONE);
  commit(shard);
  return ref;
}

/** Puts a group at the cursor, as a type does it: into both trees of a sorted set. Whether there was room. */
export function insertAt(shard: Shard, cursor: Cursor, group: Group): boolean {
  const bytes = encodeGroup(cursor.type, group);
  return insertGroup(shard, cursor, bytes, 0, bytes.length, START_MS);
}

export function seekKey(
  shard: Shard,
  ref: number,
  root: number,
  cursor: Cursor,
  type: number,
  key: string,
): boolean {
  const bytes = encodeGroup(type, { key, value: '', score: 0 });
  const start = groupKey(type, 0);
  return seekMember(shard, ref, root, cursor, bytes, start, elementEnd(bytes, start));
}

/** Adds a group where it belongs, which in a list is the tail. The entry from then on; NONE: no room. */
export function addGroup(shard: Shard, ref: number, type: number, group: Group): number {
  const member = Buffer.from(group.key);
  if (type === TYPE_ZSET) seekScore(shard, ref, adder, group.score, member, 0, member.length);
  else if (type === TYPE_LIST) seekRank(shard, ref, 0, adder, countOf(shard, ref));
  else seekKey(shard, ref, 0, adder, type, group.key);
  if (!insertAt(shard, adder, group)) return NONE;
  if (type === TYPE_ZSET && isTree(shard, adder.ref)) {
    expect(seekKey(shard, adder.ref, 1, adder, type, group.key)).toBe(false);
    expect(insertAt(shard, adder, group)).toBe(true);
  }
  commit(shard);
  return adder.ref;
}

/** A collection of `element 0`, `element 1`, ... with scores that ascend. */
export function filledCollection(shard: Shard, name: string, type: number, count: number): number {
  let ref = newCollection(shard, name, type);
  for (let index = 0; index < count; index += 1) {
    ref = addGroup(shard, ref, type, { key: `element ${index}`, value: 'value', score: index });
    expect(ref).not.toBe(NONE);
  }
  return ref;
}

/** All groups, in the order of one of the trees. */
export function groupsIn(shard: Shard, ref: number, type: number, root = 0): Group[] {
  const groups: Group[] = [];
  if (!seekRank(shard, ref, root, reader, 0)) return groups;
  do groups.push(readGroup(type, reader.bytes, reader.at));
  while (step(shard, reader));
  return groups;
}

export function expectWholeCollection(shard: Shard, ref: number): void {
  expect(checkCollection(shard, ref)).toBeUndefined();
}

/** What a command does at its end: the change has its record. */
export function commit(shard: Shard): void {
  shard.control[WRITING] = NONE;
}

export function formOf(shard: Shard, ref: number): string {
  return isTree(shard, ref) ? 'tree' : 'packed';
}

function readText(bytes: Buffer, at: number): string {
  const length = textLength(bytes, at);
  writeText(bytes, at, text, 0);
  return text.toString('latin1', 0, length);
}
