/**
 * When the fields of a hash expire: the third element of a group, and the first deadline of all.
 *
 * Runs on every thread, under the shard's lock; reads only. In a packed hash the first deadline is found by a walk; a tree has a second
 * root beside the fields, whose groups are a deadline and a field's text, in order (hash-deadlines.ts). FORM_DEADLINES says that some field
 * has a deadline. The wheel asks about every hash that comes up in it (shard/expiry.ts); of a string nothing here is asked.
 */
import type { Buffer } from 'node:buffer';
import type { Arena } from '../shard/arena.ts';
import { entryBytes, entryOffset, typeOf, valueLength, valueOffset } from '../shard/entry.ts';
import { TYPE_HASH } from '../shard/layout.ts';
import { DEADLINE_MARK, deadlineAt, elementEnd } from './elements.ts';
import { FORM_DEADLINES, FORM_TREE, PACKED_GROUPS, readForm, readHead } from './form.ts';
import { childAt, firstOf, groupsOf, isPair, levelOf } from './page.ts';

/** Which root of a hash's tree has its deadlines. */
export const DEADLINES_ROOT = 1;

/** Whether the entry is a hash of which some field has a deadline. */
export function hasDeadlines(arena: Arena, ref: number): boolean {
  return typeOf(arena, ref) === TYPE_HASH && (readForm(arena, ref) & FORM_DEADLINES) !== 0;
}

/** When the hash's group at `at` expires, which lies in a run that ends at `end`; 0 where it does not. */
export function groupDeadline(bytes: Buffer, at: number, end: number): number {
  const third = elementEnd(bytes, elementEnd(bytes, at));
  return third < end && bytes[third] === DEADLINE_MARK ? deadlineAt(bytes, third) : 0;
}

/** The first deadline of a hash's fields, 0 where there is none. O(log n); packed O(n), some 5 ns a field. */
export function firstDeadline(arena: Arena, ref: number): number {
  const form = readForm(arena, ref);
  if ((form & FORM_DEADLINES) === 0) return 0;
  return (form & FORM_TREE) === 0 ? firstOfPacked(arena, ref) : firstOfTree(arena, readHead(arena, ref));
}

function firstOfPacked(arena: Arena, ref: number): number {
  const bytes = entryBytes(arena, ref);
  const value = valueOffset(arena, ref);
  const end = value + valueLength(arena, ref);
  let first = Infinity;
  for (let at = value + PACKED_GROUPS; at < end; ) {
    at = elementEnd(bytes, elementEnd(bytes, at));
    if (at >= end || bytes[at] !== DEADLINE_MARK) continue;
    first = Math.min(first, deadlineAt(bytes, at));
    at = elementEnd(bytes, at);
  }
  return first === Infinity ? 0 : first;
}

function firstOfTree(arena: Arena, head: number): number {
  if (!isPair(arena, head)) return 0;
  let page = childAt(arena, head, DEADLINES_ROOT);
  if (groupsOf(arena, page) === 0) return 0;
  while (levelOf(arena, page) > 0) page = childAt(arena, page, 0);
  return entryBytes(arena, page).readDoubleLE(entryOffset(page) + firstOf(arena, page));
}
