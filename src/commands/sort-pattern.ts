/**
 * What BY and GET of SORT name: for each element the string of a key, or a field of a hash, whose name the element completes.
 *
 * Runs on the thread of the command, under the locks of all shards. Source of the rules: Redis 7.0 `sort.c`, `lookupKeyByPattern`;
 * patterns are C strings there, so what is behind a NUL has no meaning.
 */
import { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { createCursor } from '../collections/cursor.ts';
import {
  ELEMENT_OVERHEAD_MAX,
  elementEnd,
  encodeElement,
  encodingEnd,
  isIntegerElement,
  textStart,
  writeText,
} from '../collections/elements.ts';
import { isDue } from '../collections/hash-deadlines.ts';
import { seekMember } from '../collections/sequence.ts';
import { slotOfKey } from '../routing/slot.ts';
import { entryBytes, typeOf, valueLength, valueOffset } from '../shard/entry.ts';
import { NONE, TYPE_HASH, TYPE_STRING } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import type { Call } from './call.ts';
import { readNamedEntry } from './lookup.ts';

export type SortPattern = {
  /** `#`: the element itself. */
  readonly isSelf: boolean;
  /** What is before the star and behind it; undefined where there is no star, and so no key. */
  readonly parts: { readonly before: Buffer; readonly behind: Buffer } | undefined;
  /** The field of a hash, as an element; undefined for a string. */
  readonly field: Buffer | undefined;
};

/** What was found last: `bytes[start, end)`. */
export const foundText: { bytes: Buffer; start: number; end: number } = {
  bytes: Buffer.alloc(0),
  start: 0,
  end: 0,
};

const HASH_MARK = 0x23;
const STAR = '*';
const ARROW = '->';

const cursor = createCursor();
/** "-9007199254740991" is the longest integer of a collection. */
const digits = Buffer.alloc(20);
/** The name of a key. */
let name = Buffer.alloc(256);

/** The pattern of argument `index`, which may be NUL within: the name of a field and what is behind the star may have some. */
export function readSortPattern({ input, spans }: Call, index: number): SortPattern {
  const text = Buffer.from(input.subarray(spans[2 * index], spans[2 * index + 1]));
  const nul = text.indexOf(0);
  const legible = nul < 0 ? text : text.subarray(0, nul);
  const star = legible.indexOf(STAR);
  const isSelf = legible.length === 1 && legible[0] === HASH_MARK;
  if (isSelf || star < 0) return { isSelf, parts: undefined, field: undefined };
  const before = text.subarray(0, star);
  const arrow = legible.indexOf(ARROW, star + 1);
  const fieldAt = arrow + ARROW.length;
  if (arrow < 0 || fieldAt === legible.length) {
    return { isSelf, parts: { before, behind: text.subarray(star + 1) }, field: undefined };
  }
  const field = Buffer.alloc(text.length - fieldAt + ELEMENT_OVERHEAD_MAX);
  const end = encodeElement(field, 0, text, fieldAt, text.length);
  return { isSelf, parts: { before, behind: text.subarray(star + 1, arrow) }, field: field.subarray(0, end) };
}

/** Finds what a pattern names for the element `text[start, end)`: it is `foundText` then. False where there is nothing of that kind. */
export function findByPattern(
  call: Call,
  { isSelf, parts, field }: SortPattern,
  text: Buffer,
  start: number,
  end: number,
): boolean {
  if (isSelf) return found(text, start, end);
  if (parts === undefined) return false;
  const { before, behind } = parts;
  const length = before.length + end - start + behind.length;
  if (name.length < length) name = Buffer.alloc(2 * length);
  before.copy(name, 0);
  copyBytes(text, start, end, name, before.length);
  behind.copy(name, length - behind.length);
  const { engine } = call;
  const shard = engine.shards[engine.slotShard[slotOfKey(name, 0, length)]];
  const ref = readNamedEntry(call, shard, name, 0, length);
  if (ref === NONE) return false;
  return field === undefined ? findString(shard, ref) : findField(shard, ref, field, call.nowMs);
}

function findString({ entries }: Shard, ref: number): boolean {
  if (typeOf(entries, ref) !== TYPE_STRING) return false;
  const at = valueOffset(entries, ref);
  return found(entryBytes(entries, ref), at, at + valueLength(entries, ref));
}

function findField(shard: Shard, ref: number, field: Buffer, nowMs: number): boolean {
  if (typeOf(shard.entries, ref) !== TYPE_HASH) return false;
  if (!seekMember(shard, ref, 0, cursor, field, 0, field.length)) return false;
  if (isDue(cursor.bytes, cursor.at, cursor.end, nowMs)) return false;
  const { bytes } = cursor;
  const at = elementEnd(bytes, cursor.at);
  if (isIntegerElement(bytes, at)) return found(digits, 0, writeText(bytes, at, digits, 0));
  return found(bytes, textStart(bytes, at), encodingEnd(bytes, at));
}

function found(bytes: Buffer, start: number, end: number): true {
  foundText.bytes = bytes;
  foundText.start = start;
  foundText.end = end;
  return true;
}
