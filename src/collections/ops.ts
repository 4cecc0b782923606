/**
 * The operations of a change (change.ts) done to a collection: once more where the log is replayed, and anew where a replica takes them
 * in or a copy is made of them.
 *
 * Runs on every thread, under the shard's lock. Operations are absolute, and what they name and is not there is no trouble: where a copy
 * was made while changes went on, some of them are done a second time (export.ts).
 */
import type { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { typeOf } from '../shard/entry.ts';
import { NONE, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import {
  OP_ADD,
  OP_DEADLINE,
  OP_FILL,
  OP_FORM,
  OP_HEADER_BYTES,
  OP_INSERT_AT,
  OP_LENGTH,
  OP_POP_HEAD,
  OP_POP_TAIL,
  OP_PUSH_HEAD,
  OP_REMOVE,
  OP_REMOVE_AT,
  OP_SET_AT,
} from './change.ts';
import { deadlineAt, elementEnd, groupEnd, isIntegerElement } from './elements.ts';
import { FORM_DEADLINES, FORM_LARGE, FORM_TREE, writeForm } from './form.ts';
import { dropField, putPair, setDeadline } from './hash.ts';
import { dropRange, fillTail, insertAt, popHead, popTail, pushHead, pushTail, replaceAt } from './list.ts';
import { areSaneDeadlines, countSaneGroups, saneElementEnd } from './sane.ts';
import { countOf, isTree, makeTree } from './sequence.ts';
import { dropMember, putMember } from './set.ts';
import { fillTree, UNFIT } from './tree-fill.ts';
import { dropScored, putScored } from './zset.ts';

/** Where an operation has its argument and the bytes of its payload (the drawing is in change.ts). */
const OP_ARGUMENT_AT = 1;
const OP_BYTES_AT = 5;

/** The payload of OP_REMOVE_AT. */
const COUNT_BYTES = 4;

const FORMS_KNOWN = FORM_TREE | FORM_LARGE | FORM_DEADLINES;

/**
 * Does the operations `ops[start, end)`, private memory, to a collection. The entry's reference from then on, which may have no group
 * left; NONE without room, and then a part of it is done and all references are void. O(log n) for each element.
 */
export function applyOps(
  shard: Shard,
  ref: number,
  ops: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  const type = typeOf(shard.entries, ref);
  let entry = ref;
  let next = start;
  for (let at = start; at < end && entry !== NONE; at = next) {
    assert(end - at >= OP_HEADER_BYTES, 'an operation has a header');
    const payload = at + OP_HEADER_BYTES;
    next = payload + ops.readUInt32LE(at + OP_BYTES_AT);
    assert(next <= end, 'an operation ends where its record does, at the latest');
    const argument = ops.readUInt32LE(at + OP_ARGUMENT_AT);
    entry = applyOp(shard, entry, type, ops[at], argument, ops, payload, next, nowMs);
  }
  return entry;
}

/** Whether operations, which are sane, only take away, for which no memory is needed. */
export function areRemovals(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += OP_HEADER_BYTES + bytes.readUInt32LE(at + OP_BYTES_AT)) {
    const code = bytes[at];
    const isRemoval =
      code === OP_REMOVE || code === OP_REMOVE_AT || code === OP_POP_HEAD || code === OP_POP_TAIL;
    if (!isRemoval) return false;
  }
  return true;
}

/** Whether `bytes[start, end)` are operations that a collection of this type can be done. O(elements), some ns each. */
export function areOpsSane(type: number, bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    if (end - at < OP_HEADER_BYTES) return false;
    const payload = at + OP_HEADER_BYTES;
    const next = payload + bytes.readUInt32LE(at + OP_BYTES_AT);
    if (next > end || !isSaneOp(type, bytes, at, payload, next)) return false;
    at = next;
  }
  return true;
}

function applyOp(
  shard: Shard,
  ref: number,
  type: number,
  code: number,
  argument: number,
  ops: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  if (code === OP_ADD) return addGroups(shard, ref, type, ops, start, end, nowMs);
  if (code === OP_FORM) return takeForm(shard, ref, argument, nowMs);
  if (code === OP_REMOVE) {
    for (let at = start; at < end; ) {
      const next = elementEnd(ops, at);
      dropElement(shard, ref, type, ops, at, next);
      at = next;
    }
    return ref;
  }
  if (code === OP_DEADLINE) return setDeadlines(shard, ref, ops, start, end, nowMs);
  assert(type === TYPE_LIST, 'the operation is one of lists');
  return applyToList(shard, ref, code, argument, ops, start, end, nowMs);
}

function applyToList(
  shard: Shard,
  ref: number,
  code: number,
  argument: number,
  ops: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  const count = countOf(shard, ref);
  if (code === OP_FILL) return fillTail(shard, ref, argument, nowMs);
  if (code === OP_LENGTH && argument > count) return fillTail(shard, ref, argument - count, nowMs);
  if (code === OP_POP_HEAD) popHead(shard, ref, Math.min(argument, count));
  else if (code === OP_POP_TAIL) popTail(shard, ref, Math.min(argument, count));
  else if (code === OP_LENGTH) popTail(shard, ref, count - argument);
  else if (code === OP_REMOVE_AT)
    dropRange(shard, ref, argument, Math.min(ops.readUInt32LE(start), Math.max(0, count - argument)));
  else return putElements(shard, ref, code, argument, ops, start, end, nowMs);
  return ref;
}

/** Puts the elements one after the other; those that are set where there is none go by. */
function putElements(
  shard: Shard,
  ref: number,
  code: number,
  argument: number,
  ops: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  assert(code === OP_PUSH_HEAD || code === OP_SET_AT || code === OP_INSERT_AT, 'the operation is known');
  let entry = ref;
  let place = argument;
  let next = start;
  for (let at = start; at < end && entry !== NONE; at = next) {
    next = elementEnd(ops, at);
    if (code === OP_PUSH_HEAD) entry = pushHead(shard, entry, ops, at, next, nowMs);
    else if (code === OP_INSERT_AT) entry = insertAt(shard, entry, place, ops, at, next, nowMs);
    else if (place < countOf(shard, entry)) entry = replaceAt(shard, entry, place, ops, at, next, nowMs);
    place += 1;
  }
  return entry;
}

function addGroups(
  shard: Shard,
  ref: number,
  type: number,
  ops: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  const filled = countOf(shard, ref) === 0 ? fillTree(shard, ref, ops, start, end, nowMs) : UNFIT;
  if (filled !== UNFIT) return filled;
  let entry = ref;
  let next = start;
  for (let at = start; at < end && entry !== NONE; at = next) {
    // Behind the last group lies what is no group's, whatever it looks like.
    next = Math.min(groupEnd(type, ops, at), end);
    if (type === TYPE_HASH) entry = putPair(shard, entry, ops, at, next, nowMs);
    else if (type === TYPE_SET) entry = putMember(shard, entry, ops, at, next, nowMs);
    else if (type === TYPE_ZSET) entry = putScored(shard, entry, ops, at, next, nowMs);
    else entry = pushTail(shard, entry, ops, at, next, nowMs);
  }
  return entry;
}

function setDeadlines(
  shard: Shard,
  ref: number,
  ops: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  let entry = ref;
  for (let at = start; at < end && entry !== NONE; ) {
    const deadline = elementEnd(ops, at);
    entry = setDeadline(shard, entry, ops, at, deadline, deadlineAt(ops, deadline), nowMs);
    at = elementEnd(ops, deadline);
  }
  return entry;
}

/** An empty collection becomes one of the form that another has. Whether fields expire is said by what comes to it. */
function takeForm(shard: Shard, ref: number, flags: number, nowMs: number): number {
  if (isTree(shard, ref)) return ref;
  const form = flags & ~FORM_DEADLINES;
  if ((flags & FORM_TREE) !== 0) return makeTree(shard, ref, form, nowMs);
  writeForm(shard.entries, ref, form);
  return ref;
}

function dropElement(shard: Shard, ref: number, type: number, ops: Buffer, start: number, end: number): void {
  if (type === TYPE_HASH) dropField(shard, ref, ops, start, end);
  else if (type === TYPE_SET) dropMember(shard, ref, ops, start, end);
  else dropScored(shard, ref, ops, start, end);
}

function isSaneOp(type: number, bytes: Buffer, at: number, start: number, end: number): boolean {
  const code = bytes[at];
  const isList = type === TYPE_LIST;
  if (code === OP_ADD) return countSaneGroups(type, bytes, start, end) >= 0;
  if (code === OP_REMOVE) return !isList && areElements(type === TYPE_ZSET, bytes, start, end);
  if (code === OP_DEADLINE) return type === TYPE_HASH && areSaneDeadlines(bytes, start, end);
  if (code === OP_FORM)
    return start === end && (bytes.readUInt32LE(at + OP_ARGUMENT_AT) & ~FORMS_KNOWN) === 0;
  if (!isList) return false;
  if (code === OP_REMOVE_AT) return end - start === COUNT_BYTES;
  if (code === OP_POP_HEAD || code === OP_POP_TAIL || code === OP_FILL || code === OP_LENGTH)
    return start === end;
  if (code !== OP_PUSH_HEAD && code !== OP_SET_AT && code !== OP_INSERT_AT) return false;
  return areElements(false, bytes, start, end);
}

/** Whether they are whole elements; members of a sorted set are never spelled as integers. */
function areElements(areTexts: boolean, bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at >= 0 && at < end) {
    at = areTexts && isIntegerElement(bytes, at) ? -1 : saneElementEnd(bytes, at, end);
  }
  return at === end;
}
