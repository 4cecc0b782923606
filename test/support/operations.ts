/**
 * Operations on collections for tests: written as texts, encoded as the log has them, done to a plain model; and collections read back in
 * the model's form.
 *
 * A list's model is its texts in order; a set's its members, a hash's `field=value` and maybe ` until ms`, and a sorted set's `score member`, sorted as texts.
 */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import {
  OP_ADD,
  OP_DEADLINE,
  OP_FILL,
  OP_FORM,
  OP_INSERT_AT,
  OP_POP_HEAD,
  OP_POP_TAIL,
  OP_PUSH_HEAD,
  OP_REMOVE,
  OP_REMOVE_AT,
  OP_SET_AT,
} from '../../src/collections/change.ts';
import { createCursor } from '../../src/collections/cursor.ts';
import { groupDeadline } from '../../src/collections/deadlines.ts';
import {
  elementEnd,
  encodeDeadline,
  encodeElement,
  encodeText,
  groupKey,
  textLength,
  writeText,
} from '../../src/collections/elements.ts';
import { bounds } from '../../src/collections/form.ts';
import { countOf, seekRank, step } from '../../src/collections/sequence.ts';
import { expiresAt, keyLength, lsnOf, typeOf } from '../../src/shard/entry.ts';
import { scanBucket } from '../../src/shard/keyspace.ts';
import {
  DATABASES,
  NONE,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STRING,
  TYPE_ZSET,
} from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import {
  createRecordView,
  EFFECT_CHANGE,
  RECORD_CREATES,
  RECORD_EXPIRES,
  RECORD_TYPE_SHIFT,
  type RecordView,
} from '../../src/shard/record.ts';
import { REDO_NO_ROOM, redo } from '../../src/shard/redo.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { hashOf } from '../../src/shard/table.ts';
import { find, keyText, START_MS, valueText } from './shard.ts';

/**
 * One operation. `texts` are elements; of a hash fields and values in turns, to be put into a sorted set scores and members. A value
 * `v until 5` is `v` with a deadline; OP_DEADLINE has fields and deadlines in turns.
 */
export type Operation = {
  readonly code: number;
  readonly argument: number;
  readonly texts: readonly string[];
};

export const COLLECTION_TYPES = [TYPE_LIST, TYPE_SET, TYPE_ZSET, TYPE_HASH] as const;

export const typeNames: Readonly<Record<number, string>> = {
  [TYPE_LIST]: 'lists',
  [TYPE_SET]: 'sets',
  [TYPE_ZSET]: 'sorted sets',
  [TYPE_HASH]: 'hashes',
};

const POSITIONS = 2 ** 32;
const UNTIL = ' until ';
const cursor = createCursor();

/** The operations as they lie in a record. */
export function encodeOperations(type: number, operations: readonly Operation[]): Buffer {
  return Buffer.concat(operations.map((operation) => encodeOperation(type, operation)));
}

function encodeOperation(type: number, { code, argument, texts }: Operation): Buffer {
  const head = Buffer.alloc(9);
  head[0] = code;
  head.writeUInt32LE(argument, 1);
  const payload = Buffer.concat(encodePayload(type, code, texts));
  head.writeUInt32LE(payload.length, 5);
  return Buffer.concat([head, payload]);
}

function encodePayload(type: number, code: number, texts: readonly string[]): Buffer[] {
  if (code === OP_REMOVE_AT) {
    const count = Buffer.alloc(4);
    count.writeUInt32LE(Number(texts[0]));
    return [count];
  }
  if (code === OP_DEADLINE) {
    return texts.map((text, index) =>
      index % 2 === 0 ? encode(text, encodeElement) : encodeUntil(Number(text)),
    );
  }
  if (type === TYPE_HASH && code === OP_ADD) return texts.flatMap(encodeTimed);
  if (type !== TYPE_ZSET) return texts.map((text) => encode(text, encodeElement));
  return texts.map((text, index) => {
    if (code !== OP_ADD || index % 2 === 1) return encode(text, encodeText);
    const score = Buffer.alloc(8);
    score.writeDoubleLE(Number(text));
    return score;
  });
}

/** A field, or a value and what comes with it. */
function encodeTimed(text: string): Buffer[] {
  const [own, deadline] = text.split(UNTIL);
  const element = encode(own, encodeElement);
  return deadline === undefined ? [element] : [element, encodeUntil(Number(deadline))];
}

function encodeUntil(deadlineMs: number): Buffer {
  const element = Buffer.alloc(16);
  return element.subarray(0, encodeDeadline(element, 0, deadlineMs));
}

function encode(text: string, write: typeof encodeElement): Buffer {
  const bytes = Buffer.from(text);
  const element = Buffer.alloc(bytes.length + 16);
  return element.subarray(0, write(element, 0, bytes, 0, bytes.length));
}

/** What a collection holds, as models do. */
export function contentsOfCollection(shard: Shard, ref: number): string[] {
  const contents = contentsInOrder(shard, ref);
  return typeOf(shard.entries, ref) === TYPE_LIST ? contents : contents.sort();
}

/** The same in the order in which it lies there. */
export function contentsInOrder(shard: Shard, ref: number): string[] {
  const type = typeOf(shard.entries, ref);
  const contents: string[] = [];
  for (let isThere = seekRank(shard, ref, 0, cursor, 0); isThere; isThere = step(shard, cursor)) {
    const { bytes, at, end } = cursor;
    const key = groupKey(type, at);
    if (type === TYPE_ZSET) contents.push(`${bytes.readDoubleLE(at)} ${textAt(bytes, key)}`);
    else if (type === TYPE_HASH) contents.push(pairText(bytes, at, end));
    else contents.push(textAt(bytes, at));
  }
  return contents;
}

/** `field=value`, and when it expires if it does. */
function pairText(bytes: Buffer, at: number, end: number): string {
  const deadlineMs = groupDeadline(bytes, at, end);
  const pair = `${textAt(bytes, at)}=${textAt(bytes, elementEnd(bytes, at))}`;
  return deadlineMs === 0 ? pair : `${pair}${UNTIL}${deadlineMs}`;
}

function textAt(bytes: Buffer, at: number): string {
  const text = Buffer.alloc(textLength(bytes, at));
  writeText(bytes, at, text, 0);
  return text.toString();
}

/** All entries of a shard, of any type, as `database/key`: value, deadline and, if asked for, LSN. */
export function everything(shard: Shard, hasLsns = true): Map<string, string> {
  const { entries } = shard;
  const found = new Map<string, string>();
  for (let database = 0; database < shard.control[DATABASES]; database += 1) {
    for (let position = 0; position < POSITIONS; ) {
      position = scanBucket(shard, database, position, (ref) => {
        const type = typeOf(entries, ref);
        const value =
          type === TYPE_STRING ? valueText(shard, ref) : contentsOfCollection(shard, ref).join(',');
        const lsn = hasLsns ? ` by ${lsnOf(entries, ref)}` : '';
        const key = keyLength(entries, ref) === 0 ? '' : keyText(shard, ref);
        found.set(`${database}/${key}`, `${type}: ${value} until ${expiresAt(entries, ref)}${lsn}`);
      });
    }
  }
  return found;
}

/** Does an operation to a model. */
export function operateOnModel(
  type: number,
  model: string[],
  { code, argument, texts }: Operation,
): string[] {
  if (type === TYPE_LIST) return operateOnList([...model], code, argument, texts);
  const groups = new Map(model.map((group) => [nameOf(type, group), group]));
  if (code === OP_REMOVE) for (const text of texts) groups.delete(text);
  if (code === OP_ADD) for (const group of groupsOf(type, texts)) groups.set(nameOf(type, group), group);
  if (code === OP_DEADLINE) setDeadlines(groups, texts);
  return [...groups.values()].sort();
}

function setDeadlines(groups: Map<string, string>, texts: readonly string[]): void {
  for (let index = 0; index < texts.length; index += 2) {
    const pair = groups.get(texts[index])?.split(UNTIL)[0];
    if (pair === undefined) continue;
    groups.set(texts[index], texts[index + 1] === '0' ? pair : `${pair}${UNTIL}${texts[index + 1]}`);
  }
}

function operateOnList(list: string[], code: number, argument: number, texts: readonly string[]): string[] {
  if (code === OP_ADD) list.push(...texts);
  else if (code === OP_PUSH_HEAD) for (const text of texts) list.unshift(text);
  else if (code === OP_POP_HEAD) list.splice(0, argument);
  else if (code === OP_POP_TAIL) list.splice(Math.max(0, list.length - argument));
  else if (code === OP_REMOVE_AT) list.splice(argument, Number(texts[0]));
  else if (code === OP_INSERT_AT) list.splice(argument, 0, ...texts);
  else if (code === OP_FILL) for (let left = argument; left > 0; left -= 1) list.push('');
  else if (code === OP_SET_AT) {
    for (const [index, text] of texts.entries())
      if (argument + index < list.length) list[argument + index] = text;
  }
  return list;
}

function groupsOf(type: number, texts: readonly string[]): string[] {
  if (type === TYPE_SET) return [...texts];
  const mark = type === TYPE_HASH ? '=' : ' ';
  return texts.flatMap((text, index) => (index % 2 === 1 ? [`${texts[index - 1]}${mark}${text}`] : []));
}

function nameOf(type: number, group: string): string {
  if (type === TYPE_HASH) return group.slice(0, group.indexOf('='));
  return type === TYPE_ZSET ? group.slice(group.indexOf(' ') + 1) : group;
}

/** Texts of which many are equal, some are numbers, and some are so long that the collection counts as large. */
const someText = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 60 }).map((n) => `m${n}`) },
  { weight: 3, arbitrary: fc.integer({ min: -200, max: 70_000 }).map(String) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 30 }).map((n) => `long${n}`.repeat(20)) },
);

const someScore = fc.oneof(
  fc.integer({ min: -5, max: 5 }).map(String),
  fc.constantFrom('Infinity', '-Infinity', '1.5', '-2.25'),
);

/** Deadlines that are far away, some of them the same. */
const someDeadline = fc.integer({ min: 1, max: 9 }).map((days) => START_MS + days * 86_400_000);

const someTimed = fc.oneof(
  { weight: 2, arbitrary: someText },
  { weight: 1, arbitrary: fc.tuple(someText, someDeadline).map((all) => all.join(UNTIL)) },
);

/** Operations that a collection of a type can have, FORM and FILL left out. */
export function someOperation(type: number): fc.Arbitrary<Operation> {
  const texts = fc.array(someText, { minLength: 1, maxLength: 6 });
  if (type !== TYPE_LIST) {
    const added =
      type === TYPE_SET
        ? texts
        : fc
            .array(type === TYPE_ZSET ? fc.tuple(someScore, someText) : fc.tuple(someText, someTimed), {
              minLength: 1,
              maxLength: 6,
            })
            .map((pairs) => pairs.flat());
    const add = added.map((all) => ({ code: OP_ADD, argument: 0, texts: all }));
    const remove = texts.map((all) => ({ code: OP_REMOVE, argument: 0, texts: all }));
    const until = fc
      .array(fc.tuple(someText, fc.oneof(fc.constant(0), someDeadline).map(String)), { maxLength: 8 })
      .map((pairs) => ({ code: OP_DEADLINE, argument: 0, texts: pairs.flat() }));
    return fc.oneof(
      { weight: 3, arbitrary: add },
      { weight: 1, arbitrary: remove },
      { weight: type === TYPE_HASH ? 2 : 0, arbitrary: until },
    );
  }
  const place = fc.integer({ min: 0, max: 40 });
  const withTexts = (code: number) => fc.record({ code: fc.constant(code), argument: place, texts });
  const popped = (code: number) =>
    fc.record({ code: fc.constant(code), argument: fc.integer({ min: 0, max: 4 }), texts: fc.constant([]) });
  const cut = fc.record({
    code: fc.constant(OP_REMOVE_AT),
    argument: place,
    texts: fc.integer({ min: 1, max: 4 }).map((count) => [String(count)]),
  });
  return fc.oneof(
    withTexts(OP_ADD),
    withTexts(OP_ADD),
    withTexts(OP_PUSH_HEAD),
    withTexts(OP_SET_AT),
    withTexts(OP_INSERT_AT),
    popped(OP_POP_HEAD),
    popped(OP_POP_TAIL),
    cut,
  );
}

/** An operation that says which form the collection has. */
export function formOperation(flags: number): Operation {
  return { code: OP_FORM, argument: flags, texts: [] };
}

/** Bounds so small that a few groups make a tree, and a few more one of several levels, as long as `run` takes. */
export function withSmallBounds<T>(run: () => T): T {
  const before = { ...bounds, leafBytesMax: [...bounds.leafBytesMax] };
  Object.assign(bounds, { packedBytesMax: 64, packedLargeBytesMax: 64, childrenMin: 2, childrenMax: 4 });
  bounds.leafBytesMax.fill(48);
  try {
    return run();
  } finally {
    Object.assign(bounds, before);
  }
}

/** The record of a change of a collection, in the memory that its spans are in. */
export function changeRecord(
  key: string,
  type: number,
  operations: readonly Operation[],
  { creates = false, expiresAtMs = 0 } = {},
): { view: RecordView; bytes: Buffer } {
  const keyBytes = Buffer.from(key);
  const bytes = Buffer.concat([keyBytes, encodeOperations(type, operations)]);
  const view = createRecordView();
  view.effect = EFFECT_CHANGE;
  view.flags =
    (type << RECORD_TYPE_SHIFT) | (creates ? RECORD_CREATES : 0) | (expiresAtMs > 0 ? RECORD_EXPIRES : 0);
  view.expiresAtMs = expiresAtMs;
  view.keyEnd = keyBytes.length;
  view.valueStart = keyBytes.length;
  view.valueEnd = bytes.length;
  return { view, bytes };
}

/** Does operations to the collection of a key, which they make if there is none of their type; whether there was room. */
export function changeCollection(
  shard: Shard,
  key: string,
  type: number,
  operations: readonly Operation[],
  { expiresAtMs = 0, nowMs = START_MS } = {},
): boolean {
  const known = find(shard, key, { nowMs });
  const creates = known === NONE || typeOf(shard.entries, known) !== type;
  const { view, bytes } = changeRecord(key, type, operations, {
    creates,
    expiresAtMs: creates ? expiresAtMs : 0,
  });
  const hash = hashOf(shard, bytes, 0, view.keyEnd);
  const ref = redo(shard, 0, hash, known, view, bytes, nowMs);
  // As commands do.
  if (ref > 0 && countOf(shard, ref) === 0) removeEntry(shard, ref);
  return ref !== REDO_NO_ROOM;
}
