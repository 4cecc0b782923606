/** Hashes with deadlines against a plain map, in both forms: any changes, the wheel's idea of them, and when there is no room. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { firstDeadline, hasDeadlines } from '../../src/collections/deadlines.ts';
import { encodeDeadline, encodeElement } from '../../src/collections/elements.ts';
import { dropField, putPair, setDeadline } from '../../src/collections/hash.ts';
import { countDue } from '../../src/collections/hash-deadlines.ts';
import {
  collectionBytes,
  countOf,
  createCollection,
  isTree,
  makeTree,
} from '../../src/collections/sequence.ts';
import { thresholds } from '../../src/collections/thresholds.ts';
import { usedBytes } from '../../src/shard/eviction.ts';
import { dueAt, isTimed } from '../../src/shard/expiry.ts';
import { LIMIT_BYTES, NONE, SCHEDULED_LIVE, TYPE_HASH, WRITING } from '../../src/shard/layout.ts';
import { replaceExpiry } from '../../src/shard/lifecycle.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { hashOf } from '../../src/shard/table.ts';
import { contentsOfCollection } from '../support/operations.ts';
import { useMiddlingBounds, useTinyBounds, useUsualBounds } from '../support/sequences.ts';
import { createTestShard, expectWhole, find, START_MS } from '../support/shard.ts';

const usual = thresholds.hashEntries;
afterEach(() => {
  useUsualBounds();
  thresholds.hashEntries = usual;
});

/** A field's value and deadline, 0 for none. */
type Model = Map<string, { value: string; deadlineMs: number }>;

function create(shard: Shard): number {
  const key = Buffer.from('key');
  return createCollection(
    shard,
    0,
    hashOf(shard, key, 0, key.length),
    key,
    0,
    key.length,
    TYPE_HASH,
    0,
    START_MS,
  );
}

function encode(...texts: (string | number)[]): Buffer {
  const bytes = Buffer.alloc(64 + texts.join('').length);
  let end = 0;
  for (const text of texts) {
    const own = Buffer.from(String(text));
    if (typeof text === 'string') end = encodeElement(bytes, end, own, 0, own.length);
    else if (text !== 0) end = encodeDeadline(bytes, end, text);
  }
  return bytes.subarray(0, end);
}

function put(shard: Shard, ref: number, field: string, value: string, deadlineMs: number): number {
  const group = encode(field, value, deadlineMs);
  return putPair(shard, ref, group, 0, group.length, START_MS);
}

function expire(shard: Shard, ref: number, field: string, deadlineMs: number): number {
  const element = encode(field);
  return setDeadline(shard, ref, element, 0, element.length, deadlineMs, START_MS);
}

function drop(shard: Shard, ref: number, field: string): boolean {
  const element = encode(field);
  return dropField(shard, ref, element, 0, element.length);
}

/** The hash is what the model says, and in the wheel if something of it expires. */
function expectAs(shard: Shard, ref: number, model: Model): void {
  shard.control[WRITING] = NONE;
  expectWhole(shard);
  const texts = [...model].map(
    ([field, { value, deadlineMs }]) => `${field}=${value}${deadlineMs === 0 ? '' : ` until ${deadlineMs}`}`,
  );
  expect(contentsOfCollection(shard, ref)).toEqual(texts.sort());
  const deadlines = [...model.values()].map(({ deadlineMs }) => deadlineMs).filter((ms) => ms > 0);
  expect(hasDeadlines(shard.entries, ref)).toBe(deadlines.length > 0);
  expect(firstDeadline(shard.entries, ref)).toBe(deadlines.length === 0 ? 0 : Math.min(...deadlines));
  if (deadlines.length === 0) return;
  for (const beforeMs of [START_MS, ...deadlines, Infinity])
    expect(countDue(shard, ref, beforeMs)).toBe(deadlines.filter((ms) => ms < beforeMs).length);
}

const field = fc.oneof(
  { weight: 6, arbitrary: fc.nat(40).map((n) => `f${n}`) },
  { weight: 3, arbitrary: fc.integer({ min: -70_000, max: 70_000 }).map((n) => String(n % 50)) },
  { weight: 1, arbitrary: fc.constantFrom('', '-9007199254740991', '1e3', 'long'.repeat(30), '\0') },
);
const value = fc.oneof(
  fc.nat(300).map(String),
  fc.nat(90).map((n) => 'v'.repeat(n)),
);
const deadline = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.nat(6).map((n) => START_MS + 1000 * 8 ** n) },
  { weight: 1, arbitrary: fc.nat(100_000_000).map((ms) => START_MS + ms) },
);
const deed = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'expire', 'drop', 'key' as const),
  field,
  value,
  deadline,
});

const forms: readonly (readonly [string, () => void])[] = [
  ['of usual size', useUsualBounds],
  ['of pages of some groups', useMiddlingBounds],
  ['of tiny pages', useTinyBounds],
];

describe.each(forms)('a hash with deadlines, %s', (_, useBounds) => {
  it('is what was done to it, whatever that was', () => {
    useBounds();
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 80 }), (deeds) => {
        const shard = createTestShard();
        let ref = create(shard);
        const model: Model = new Map();
        for (const { kind, field: name, value: text, deadline: ms } of deeds) {
          if (kind === 'put') {
            ref = put(shard, ref, name, text, ms);
            model.set(name, { value: text, deadlineMs: ms });
          } else if (kind === 'expire') {
            ref = expire(shard, ref, name, ms);
            const known = model.get(name);
            if (known !== undefined) model.set(name, { ...known, deadlineMs: ms });
          } else if (kind === 'drop') {
            expect(drop(shard, ref, name)).toBe(model.delete(name));
          } else {
            replaceExpiry(shard, ref, ms);
          }
          expectAs(shard, ref, model);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('grows and shrinks by hundreds of fields of which any expire', () => {
    useBounds();
    const shard = createTestShard();
    let ref = create(shard);
    const model: Model = new Map();
    for (let index = 0; index < 300; index += 1) {
      const deadlineMs = index % 3 === 0 ? 0 : START_MS + 1000 + ((index * 7919) % 40);
      ref = put(shard, ref, `field ${index}`, `value ${index}`, deadlineMs);
      model.set(`field ${index}`, { value: `value ${index}`, deadlineMs });
    }
    expectAs(shard, ref, model);
    for (let index = 0; index < 300; index += 1) {
      const name = `field ${(index * 101) % 300}`;
      if (index % 2 === 0) {
        drop(shard, ref, name);
        model.delete(name);
      } else {
        ref = expire(shard, ref, name, 0);
        model.set(name, { value: model.get(name)?.value ?? '', deadlineMs: 0 });
      }
      if (index % 25 === 24) expectAs(shard, ref, model);
    }
    expect(shard.control[SCHEDULED_LIVE]).toBe(0);
  });

  it('is as it was wherever room is wanting, for a field as for a deadline', () => {
    useBounds();
    const shard = createTestShard({ policy: NO_EVICTION });
    let ref = create(shard);
    const model: Model = new Map();
    let refused = 0;
    /** Tries with a little more room each time. */
    const insist = (attempt: () => number): void => {
      for (let room = 0; ; room += 8) {
        shard.numbers[LIMIT_BYTES] = usedBytes(shard) + room;
        const moved = attempt();
        shard.numbers[LIMIT_BYTES] = shard.entries.words.length * 4;
        if (moved !== NONE) {
          ref = moved;
          return;
        }
        refused += 1;
        ref = find(shard, 'key');
        expectAs(shard, ref, model);
      }
    };
    for (let index = 0; index < 40; index += 1) {
      const name = `field ${(index * 7) % 40}`;
      const text = 'v'.repeat((index * 37) % 90);
      const deadlineMs = index % 4 === 0 ? 0 : START_MS + 1000 - index;
      insist(() => put(shard, ref, name, text, deadlineMs));
      model.set(name, { value: text, deadlineMs });
      if (index % 4 !== 0) continue;
      insist(() => expire(shard, ref, name, START_MS + 500));
      model.set(name, { value: text, deadlineMs: START_MS + 500 });
    }
    expectAs(shard, ref, model);
    expect(refused).toBeGreaterThan(30);
  });
});

describe('a hash that expires, with fields that do', () => {
  it('falls due with whatever comes first, and is in the wheel once', () => {
    useTinyBounds();
    const shard = createTestShard();
    let ref = create(shard);
    for (let index = 0; index < 20; index += 1) ref = put(shard, ref, `f${index}`, 'v', 0);
    const due = () => dueAt(shard.entries, ref);
    expect([due(), isTimed(shard.entries, ref)]).toEqual([0, false]);
    replaceExpiry(shard, ref, START_MS + 100);
    expect(due()).toBe(START_MS + 100);
    ref = expire(shard, ref, 'f3', START_MS + 200);
    expect(due()).toBe(START_MS + 100);
    ref = expire(shard, ref, 'f4', START_MS + 50);
    expect(due()).toBe(START_MS + 50);
    replaceExpiry(shard, ref, 0);
    expect(due()).toBe(START_MS + 50);
    drop(shard, ref, 'f4');
    expect(due()).toBe(START_MS + 200);
    ref = expire(shard, ref, 'f3', 0);
    expect([due(), isTimed(shard.entries, ref)]).toEqual([0, false]);
    expect(shard.control[SCHEDULED_LIVE]).toBe(0);
    shard.control[WRITING] = NONE;
    expectWhole(shard);
  });

  it('gets its second tree with the first deadline, and its pages count', () => {
    useTinyBounds();
    const shard = createTestShard();
    let ref = create(shard);
    ref = makeTree(shard, ref, 0, START_MS);
    for (let index = 0; index < 20; index += 1) ref = put(shard, ref, `f${index}`, 'v', 0);
    const before = collectionBytes(shard, ref);
    ref = expire(shard, ref, 'f3', START_MS + 200);
    expect(isTree(shard, ref)).toBe(true);
    expect(collectionBytes(shard, ref)).toBeGreaterThan(before);
    expect(countOf(shard, ref)).toBe(20);
    shard.control[WRITING] = NONE;
    expectWhole(shard);
  });
});
