/** The shard against a plain Map that remembers order: every operation, then shard/check. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { drainDoomed, flushDatabase, keyCount, swapDatabases } from '../../src/shard/databases.ts';
import { expiresAt, valueLength } from '../../src/shard/entry.ts';
import { expireDue } from '../../src/shard/housekeeping.ts';
import { putCopy, randomEntry, resizeValue, scanBucket, writeValue } from '../../src/shard/keyspace.ts';
import { NONE } from '../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import type { Shard } from '../../src/shard/shard.ts';
import {
  createTestShard,
  expectWhole,
  find,
  get,
  keyText,
  START_MS,
  set,
  valueText,
} from '../support/shard.ts';

let shard: Shard;
afterEach(() => expectWhole(shard));

describe('keyspace', () => {
  it('returns what was set', () => {
    shard = createTestShard();
    expect(set(shard, 'key', 'value')).toBe(true);
    expect(get(shard, 'key')).toBe('value');
    expect(get(shard, 'other')).toBeUndefined();
  });

  it('keeps keys and values of every length that changes their form', () => {
    shard = createTestShard();
    for (const keyBytes of [0, 1, 2, 3, 254, 255, 256, 1000]) {
      for (const valueBytes of [0, 1, 7, 8, 9, 44, 45, 1000, 100_000]) {
        const key = 'k'.repeat(keyBytes);
        const value = 'v'.repeat(valueBytes);
        expect(set(shard, key, value)).toBe(true);
        expect(get(shard, key)).toBe(value);
      }
    }
    expect(keyCount(shard, 0)).toBe(8);
  });

  it('behaves like a map under random programs', () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 400 }), (operations) => {
        shard = createTestShard();
        const model: Model = Array.from({ length: 3 }, () => new Map());
        let nowMs = START_MS;
        for (const one of operations) nowMs = apply(one, model, nowMs);
        expectSame(model, nowMs);
        expectWhole(shard);
      }),
      { numRuns: 300 },
    );
  });
});

type Model = Map<string, { value: string; expiresAtMs: number }>[];

const keyName = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }).map((n) => `key:${n}`) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 5 }).map((n) => 'long'.repeat(70 + n)) },
);
const operation = fc.record({
  kind: fc.constantFrom(
    'set',
    'set',
    'set',
    'del',
    'expire',
    'append',
    'cut',
    'copy',
    'flush',
    'swap',
    'tick',
    'get',
    'fill',
  ),
  key: keyName,
  other: keyName,
  database: fc.integer({ min: 0, max: 2 }),
  bytes: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 5000 })),
  letter: fc.constantFrom('a', 'b', 'c'),
  ms: fc.integer({ min: 1, max: 20_000 }),
  expires: fc.boolean(),
});
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function apply(one: Operation, model: Model, nowMs: number): number {
  const { key, database } = one;
  const map = model[database];
  const known = alive(map, key, nowMs);
  const expiresAtMs = one.expires ? nowMs + one.ms : 0;
  const value = one.letter.repeat(one.bytes);
  const ref = find(shard, key, { database, nowMs });
  expect(ref !== NONE).toBe(known !== undefined);
  if (one.kind === 'set') {
    expect(set(shard, key, value, { database, expiresAtMs, nowMs })).toBe(true);
    map.set(key, { value, expiresAtMs });
  } else if (one.kind === 'del' && known) {
    removeEntry(shard, ref);
    map.delete(key);
  } else if (one.kind === 'expire' && known) {
    setExpiry(shard, ref, expiresAtMs);
    known.expiresAtMs = expiresAtMs;
  } else if (one.kind === 'append' && known) {
    const length = valueLength(shard.entries, ref);
    const at = resizeValue(shard, ref, length + one.bytes, nowMs);
    writeValue(shard, at, length, Buffer.from(value), 0, one.bytes);
    known.value += value;
  } else if (one.kind === 'cut' && known) {
    const length = Math.min(one.bytes, known.value.length);
    const at = resizeValue(shard, ref, length, nowMs);
    writeValue(shard, at, 0, Buffer.from(value), 0, 0);
    known.value = known.value.slice(0, length);
  } else if (one.kind === 'copy' && known && one.other !== key) {
    const target = Buffer.from(one.other);
    expect(putCopy(shard, database, target, 0, target.length, shard, ref, known.expiresAtMs, nowMs)).not.toBe(
      NONE,
    );
    map.set(one.other, { ...known });
  } else if (one.kind === 'flush' && one.bytes < 20) {
    flushDatabase(shard, database);
    map.clear();
  } else if (one.kind === 'swap') {
    swapDatabases(shard, 0, database);
    [model[0], model[database]] = [model[database], model[0]];
  } else if (one.kind === 'tick') {
    expireDue(shard, nowMs + one.ms, 10);
    drainDoomed(shard, 5);
    return nowMs + one.ms;
  } else if (one.kind === 'fill') {
    for (let i = 0; i < 60; i += 1) {
      set(shard, `${key}:${i}`, one.letter, { database, nowMs });
      map.set(`${key}:${i}`, { value: one.letter, expiresAtMs: 0 });
    }
  } else {
    expect(get(shard, key, { database, nowMs })).toBe(known?.value);
  }
  return nowMs;
}

function alive(map: Model[0], key: string, nowMs: number) {
  const known = map.get(key);
  if (known === undefined || known.expiresAtMs === 0 || known.expiresAtMs >= nowMs) return known;
  map.delete(key);
  return undefined;
}

function expectSame(model: Model, nowMs: number): void {
  for (const [database, map] of model.entries()) {
    const seen = new Map<string, { value: string; expiresAtMs: number }>();
    let position = 0;
    do {
      position = scanBucket(shard, database, position, (ref) => {
        const expiresAtMs = expiresAt(shard.entries, ref);
        if (expiresAtMs !== 0 && expiresAtMs < nowMs) return;
        seen.set(keyText(shard, ref), { value: valueText(shard, ref), expiresAtMs });
      });
    } while (position < 2 ** 32);
    for (const key of map.keys()) alive(map, key, nowMs);
    expect(seen).toEqual(map);
    const random = randomEntry(shard, database, nowMs);
    if (map.size > 0) expect(random).not.toBe(NONE);
  }
}
