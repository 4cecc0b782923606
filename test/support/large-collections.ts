/** Collections for tests of the shard: made element by element, read back as texts, and their pages counted. */
import { Buffer } from 'node:buffer';
import { expect } from 'vitest';
import { commitChange, dropNoted, noteOp, OP_ADD, OP_DEADLINE } from '../../src/collections/change.ts';
import { createCursor } from '../../src/collections/cursor.ts';
import {
  DEADLINE_MARK,
  deadlineAt,
  elementEnd,
  encodeDeadline,
  encodeElement,
  encodeText,
  groupKey,
  SCORE_BYTES,
  textLength,
  writeText,
} from '../../src/collections/elements.ts';
import { putPair, setDeadline } from '../../src/collections/hash.ts';
import { skipGroups } from '../../src/collections/leaf.ts';
import { pushTail } from '../../src/collections/list.ts';
import { isPage, visitPages } from '../../src/collections/page.ts';
import { countOf, createCollection, seekRank, step } from '../../src/collections/sequence.ts';
import { putScored } from '../../src/collections/zset.ts';
import { databaseOfTable } from '../../src/shard/append.ts';
import { firstBlock, isFreeBlock, lastBlock, nextBlock } from '../../src/shard/arena.ts';
import { tableOf, typeOf } from '../../src/shard/entry.ts';
import { NONE, TYPE_HASH, TYPE_LIST, TYPE_STRING, TYPE_ZSET, WRITING } from '../../src/shard/layout.ts';
import { setExpiry } from '../../src/shard/lifecycle.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { hashOf } from '../../src/shard/table.ts';
import { typeName } from '../../src/shard/type-names.ts';
import { START_MS, valueText } from './shard.ts';

const scratch = Buffer.alloc(2 ** 16);
const cursor = createCursor();

type Pair = readonly [string, string];

type Options = { readonly database?: number; readonly expiresAtMs?: number };

/** A list of texts; its entry. */
export function putList(shard: Shard, key: string, texts: readonly string[], options: Options = {}): number {
  return addToList(shard, create(shard, key, TYPE_LIST, options), texts);
}

/** A hash of fields and values; its entry. */
export function putHash(shard: Shard, key: string, pairs: readonly Pair[], options: Options = {}): number {
  return addToHash(shard, create(shard, key, TYPE_HASH, options), pairs);
}

/** A sorted set of these texts, the first with score 0, the next with score 1; its entry. */
export function putSorted(
  shard: Shard,
  key: string,
  texts: readonly string[],
  options: Options = {},
): number {
  return addToSorted(shard, create(shard, key, TYPE_ZSET, options), texts, 0);
}

/** Gives fields a deadline, 0 for none, as one change of the shard; the hash's entry from then on. */
export function setDeadlines(
  shard: Shard,
  ref: number,
  fields: readonly string[],
  deadlineMs: number,
): number {
  let at = ref;
  dropNoted();
  for (const field of fields) {
    const name = Buffer.from(field);
    const end = encodeElement(scratch, 0, name, 0, name.length);
    at = setDeadline(shard, at, scratch, 0, end, deadlineMs, START_MS);
    if (at === NONE) expect.fail('there is no room');
    noteOp(OP_DEADLINE, 0, scratch, 0, encodeDeadline(scratch, end, deadlineMs));
  }
  commitChange(shard, databaseOfTable(shard, tableOf(shard.entries, at)), at, false);
  return at;
}

/** Adds texts with scores from `score` on; the sorted set's entry from then on. */
export function addToSorted(shard: Shard, ref: number, texts: readonly string[], score: number): number {
  return addAll(
    shard,
    ref,
    putScored,
    texts.map((text, at) => sortedGroup(text, score + at)),
  );
}

/** Pushes texts behind the last; the list's entry from then on. */
export function addToList(shard: Shard, ref: number, texts: readonly string[]): number {
  return addAll(shard, ref, pushTail, texts.map(listGroup));
}

/** Puts fields and values; the hash's entry from then on. */
export function addToHash(shard: Shard, ref: number, pairs: readonly Pair[]): number {
  return addAll(shard, ref, putPair, pairs.map(hashGroup));
}

/** `count` texts that differ, of `bytes` bytes each. */
export function manyTexts(count: number, bytes = 20): string[] {
  return Array.from({ length: count }, (_, index) => `text ${index}`.padEnd(bytes, '.'));
}

/** `count` pairs of a field and a value. */
export function manyPairs(count: number): [string, string][] {
  return Array.from({ length: count }, (_, index) => [`field ${index}`, `value ${index}`]);
}

/**
 * The texts of all elements in their order: a hash's fields and values in turns, a value with ` until ms` if its field expires; a sorted set's
 * members by score.
 */
export function textsOf(shard: Shard, ref: number): string[] {
  const texts: string[] = [];
  const type = typeOf(shard.entries, ref);
  for (let isThere = seekRank(shard, ref, 0, cursor, 0); isThere; isThere = step(shard, cursor)) {
    const { bytes } = cursor;
    const end = skipGroups(type, bytes, cursor.at, cursor.end, 1);
    for (let at = groupKey(type, cursor.at); at < end; at = elementEnd(bytes, at)) {
      if (bytes[at] === DEADLINE_MARK) {
        texts.push(`${texts.pop()} until ${deadlineAt(bytes, at)}`);
        continue;
      }
      const text = Buffer.alloc(textLength(bytes, at));
      writeText(bytes, at, text, 0);
      texts.push(text.toString());
    }
  }
  return texts;
}

/** What a key has, whatever it is; of a hash, pairs in the order of their fields. */
export function contentText(shard: Shard, ref: number): string {
  const type = typeOf(shard.entries, ref);
  if (type === TYPE_STRING) return valueText(shard, ref);
  const texts = textsOf(shard, ref);
  if (type !== TYPE_HASH) return `${typeName(type)} ${texts.join(' ')}`;
  const pairs = texts.flatMap((text, at) => (at % 2 === 0 ? [`${text}=${texts[at + 1]}`] : []));
  return `hash ${pairs.sort().join(' ')}`;
}

/** Pages of an entry. */
export function pagesOf(shard: Shard, ref: number): number[] {
  const pages: number[] = [];
  visitPages(shard, ref, (page) => pages.push(page));
  return pages;
}

/** All pages of the shard, whoever they belong to. */
export function countAllPages({ entries }: Shard): number {
  let pages = 0;
  for (let ref = firstBlock(); ref < lastBlock(entries); ref = nextBlock(entries, ref)) {
    if (!isFreeBlock(entries, ref) && isPage(entries, ref)) pages += 1;
  }
  return pages;
}

function create(shard: Shard, key: string, type: number, { database = 0, expiresAtMs = 0 }: Options): number {
  const name = Buffer.from(key);
  const hash = hashOf(shard, name, 0, name.length);
  const ref = createCollection(shard, database, hash, name, 0, name.length, type, 0, START_MS);
  expect(ref).not.toBe(NONE);
  if (expiresAtMs !== 0) setExpiry(shard, ref, expiresAtMs);
  return ref;
}

/** One change of the shard, with its record. */
function addAll(shard: Shard, first: number, add: typeof pushTail, groups: readonly Buffer[]): number {
  const { control, entries } = shard;
  const isNew = countOf(shard, first) === 0;
  // What a thread that died had noted is nobody's.
  dropNoted();
  let ref = first;
  for (const group of groups) {
    ref = add(shard, ref, group, 0, group.length, START_MS);
    if (ref === NONE) expect.fail('there is no room');
    noteOp(OP_ADD, 0, group, 0, group.length);
  }
  if (groups.length > 0) commitChange(shard, databaseOfTable(shard, tableOf(entries, ref)), ref, isNew);
  control[WRITING] = NONE;
  return ref;
}

function listGroup(text: string): Buffer {
  const bytes = Buffer.from(text);
  return copyOfScratch(encodeElement(scratch, 0, bytes, 0, bytes.length));
}

function hashGroup([field, value]: Pair): Buffer {
  const name = Buffer.from(field);
  const worth = Buffer.from(value);
  const end = encodeText(scratch, 0, name, 0, name.length);
  return copyOfScratch(encodeElement(scratch, end, worth, 0, worth.length));
}

function sortedGroup(text: string, score: number): Buffer {
  const bytes = Buffer.from(text);
  scratch.writeDoubleLE(score, 0);
  return copyOfScratch(encodeText(scratch, SCORE_BYTES, bytes, 0, bytes.length));
}

function copyOfScratch(end: number): Buffer {
  return Buffer.from(scratch.subarray(0, end));
}
