/** Fields that are due: they go in slices, which hold nobody up and are each one record; a hash goes with its last field, whole if all are due. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { isTree } from '../../src/collections/sequence.ts';
import { ENTRIES_PER_DUE_FIELD, REPLICA_EXPIRY_GRACE_MS } from '../../src/config/limits.ts';
import { ROLE_OWNER, ROLE_REPLICA } from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { drainDoomed, flushDatabase } from '../../src/shard/databases.ts';
import { TICK_MS } from '../../src/shard/expiry.ts';
import { expireDue, keepHouse } from '../../src/shard/housekeeping.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import {
  EVENT_CHANGED,
  EVENT_EMPTIED,
  EVENT_FIELDS_EXPIRED,
  takeKeyEvents,
  WATCHES_CHANGES,
  WATCHES_EMPTIED,
  WATCHES_FIELDS,
} from '../../src/shard/key-events.ts';
import {
  EXPIRED_FIELDS,
  EXPIRED_KEYS,
  EXPIRY_LAG_MS_MAX,
  KEYS_LIVE,
  NONE,
  SCHEDULED_LIVE,
} from '../../src/shard/layout.ts';
import { setExpiry } from '../../src/shard/lifecycle.ts';
import { EFFECT_CHANGE, EFFECT_DELETE } from '../../src/shard/record.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { readRecords, replayAll, take } from '../support/journal.ts';
import { addToHash, manyPairs, putHash, setDeadlines, textsOf } from '../support/large-collections.ts';
import { contentsOfCollection, everything } from '../support/operations.ts';
import { useTinyBounds, useUsualBounds } from '../support/sequences.ts';
import { createTestShard, expectWhole, find, START_MS, set } from '../support/shard.ts';

let shard: Shard;
afterEach(() => {
  useUsualBounds();
  expectWhole(shard);
});

const DUE_MS = START_MS + 1000;
const LATE_MS = DUE_MS + TICK_MS + 1;
const names = (from: number, to: number) =>
  manyPairs(to)
    .slice(from)
    .map(([field]) => field);

/** A hash of so many fields of which those from `from` to `to` are due at DUE_MS. */
function timedHash(key: string, count: number, from = 0, to = count): number {
  return setDeadlines(shard, putHash(shard, key, manyPairs(count)), names(from, to), DUE_MS);
}

function fieldsLeft(key: string): string[] {
  const ref = find(shard, key);
  return ref === NONE ? [] : textsOf(shard, ref).filter((_, index) => index % 2 === 0);
}

describe.each([
  ['packed', useUsualBounds],
  ['tree', useTinyBounds],
])('the fields of a hash that is %s', (form, useBounds) => {
  it.each([1, 5, 64, 1000])('go when they are due, and no others, in slices of %i', (slice) => {
    useBounds();
    shard = createTestShard();
    const copy = createTestShard();
    startJournaling(shard);
    const ref = timedHash('h', 40, 3, 33);
    expect(isTree(shard, ref)).toBe(form === 'tree');
    take(shard);
    while (expireDue(shard, DUE_MS, slice));
    expect(fieldsLeft('h')).toHaveLength(40);
    putCopy(copy);
    let slices = 0;
    while (expireDue(shard, LATE_MS, slice)) slices += 1;
    expect(fieldsLeft('h').sort()).toEqual([...names(0, 3), ...names(33, 40)].sort());
    const perSlice = Math.max(1, Math.floor(slice / ENTRIES_PER_DUE_FIELD));
    // What is left of a slice's room goes to one more field.
    expect(slices).toBeGreaterThanOrEqual(Math.ceil(30 / (perSlice + 1)) - 1);
    expect(shard.numbers[EXPIRED_FIELDS]).toBe(30);
    expect(shard.numbers[EXPIRED_KEYS]).toBe(0);
    expect(shard.numbers[EXPIRY_LAG_MS_MAX]).toBe(LATE_MS - DUE_MS);
    expect(shard.control[SCHEDULED_LIVE]).toBe(0);
    const taken = take(shard);
    const records = readRecords(taken);
    expect(records.map(({ effect }) => effect)).toEqual(Array(records.length).fill(EFFECT_CHANGE));
    expect(records.length).toBeGreaterThanOrEqual(Math.ceil(30 / perSlice));
    replayAll(copy, taken);
    expect(everything(copy, false)).toEqual(everything(shard, false));
  });

  /** What the shard held before, in another one. */
  function putCopy(copy: Shard): void {
    setDeadlines(copy, putHash(copy, 'h', manyPairs(40)), names(3, 33), DUE_MS);
  }

  it('take the hash with them if there are no others, all at once', () => {
    useBounds();
    shard = createTestShard();
    startJournaling(shard);
    timedHash('h', 40);
    take(shard);
    expireDue(shard, LATE_MS, 4);
    expect(find(shard, 'h')).toBe(NONE);
    expect(shard.numbers[EXPIRED_FIELDS]).toBe(40);
    expect(shard.numbers[EXPIRED_KEYS]).toBe(0);
    expect(readRecords(take(shard)).map(({ effect }) => effect)).toEqual([EFFECT_DELETE]);
  });

  it('go with the key if that is due first', () => {
    useBounds();
    shard = createTestShard();
    setExpiry(shard, timedHash('h', 40, 0, 5), DUE_MS);
    while (expireDue(shard, LATE_MS, 7));
    expect(shard.control[KEYS_LIVE]).toBe(0);
    expect(shard.numbers[EXPIRED_KEYS]).toBe(1);
    expect(shard.numbers[EXPIRED_FIELDS]).toBe(0);
  });

  it('are told of, with the end of the hash', () => {
    useBounds();
    shard = createTestShard();
    timedHash('some', 10, 0, 5);
    timedHash('all', 10);
    shard.keyEvents.watches = WATCHES_FIELDS | WATCHES_EMPTIED | WATCHES_CHANGES;
    while (expireDue(shard, LATE_MS, 1000));
    const told = new Map<string, number[]>();
    takeKeyEvents(shard.keyEvents, (kind, database, _, bytes, start, end) => {
      const key = `${database}/${bytes.toString('utf8', start, end)}`;
      told.set(key, [...(told.get(key) ?? []), kind]);
    });
    expect(told.get('0/some')).toEqual([EVENT_FIELDS_EXPIRED, EVENT_CHANGED]);
    expect(told.get('0/all')).toEqual([EVENT_FIELDS_EXPIRED, EVENT_EMPTIED, EVENT_CHANGED]);
  });

  it('of a slot that is another node’s stay until that says so, or its grace is over', () => {
    useBounds();
    shard = createTestShard();
    shard.roles = new Uint8Array(SLOT_COUNT).fill(ROLE_REPLICA);
    timedHash('some', 20, 0, 5);
    timedHash('all', 20);
    while (expireDue(shard, DUE_MS + REPLICA_EXPIRY_GRACE_MS, 3)) expectWhole(shard);
    expect(fieldsLeft('some')).toHaveLength(20);
    expect(fieldsLeft('all')).toHaveLength(20);
    expect(shard.numbers[EXPIRED_FIELDS]).toBe(0);
    while (expireDue(shard, LATE_MS + REPLICA_EXPIRY_GRACE_MS, 3)) expectWhole(shard);
    expect(fieldsLeft('some')).toHaveLength(15);
    expect(find(shard, 'all')).toBe(NONE);
  });

  it('go when the node has become the owner', () => {
    useBounds();
    shard = createTestShard();
    shard.roles = new Uint8Array(SLOT_COUNT).fill(ROLE_REPLICA);
    timedHash('some', 20, 0, 5);
    while (expireDue(shard, DUE_MS + 500, 3));
    shard.roles.fill(ROLE_OWNER);
    while (expireDue(shard, LATE_MS + REPLICA_EXPIRY_GRACE_MS, 3));
    expect(fieldsLeft('some')).toHaveLength(15);
  });

  it('of a flushed database go with it, without a record', () => {
    useBounds();
    shard = createTestShard();
    startJournaling(shard);
    timedHash('h', 20, 0, 5);
    set(shard, 'string', 'v');
    flushDatabase(shard, 0);
    take(shard);
    while (expireDue(shard, LATE_MS, 3));
    while (drainDoomed(shard, 10));
    expect(readRecords(take(shard))).toEqual([]);
    expect(shard.numbers[EXPIRED_FIELDS]).toBe(0);
  });
});

describe('many fields that are due at once', () => {
  it('hold up no keys that are due as well, whenever these come', () => {
    shard = createTestShard({ limitBytes: 16 * 2 ** 20 });
    timedHash('large', 3000, 1);
    for (let index = 0; index < 100; index += 1) {
      set(shard, `same ${index}`, 'v', { expiresAtMs: DUE_MS });
      set(shard, `later ${index}`, 'v', { expiresAtMs: DUE_MS + 40 });
    }
    for (let times = 0; times < 4; times += 1) keepHouse(shard, LATE_MS, true);
    expect([find(shard, 'same 0'), find(shard, 'same 99')]).toEqual([NONE, NONE]);
    // Those of the same bucket have their turn with the next tick of the clock.
    for (let times = 0; times < 4; times += 1) keepHouse(shard, LATE_MS + 40 + times * TICK_MS, true);
    expect([find(shard, 'later 0'), find(shard, 'later 99')]).toEqual([NONE, NONE]);
    const left = fieldsLeft('large').length;
    expect(left).toBeGreaterThan(2000);
    expect(left).toBeLessThan(3000);
    while (keepHouse(shard, LATE_MS + 100, true));
    expect(fieldsLeft('large')).toEqual(['field 0']);
  });

  it('go on whatever the clock does meanwhile', () => {
    shard = createTestShard({ limitBytes: 16 * 2 ** 20 });
    timedHash('large', 1000, 1);
    expireDue(shard, LATE_MS, 64);
    expectWhole(shard);
    // Back, and far ahead: over buckets of all levels.
    expireDue(shard, START_MS, 64);
    expectWhole(shard);
    const left = fieldsLeft('large').length;
    expireDue(shard, LATE_MS + 500_000_000, 64);
    expectWhole(shard);
    expect(fieldsLeft('large').length).toBeLessThan(left);
    while (expireDue(shard, LATE_MS + 500_000_000, 64)) expectWhole(shard);
    expect(fieldsLeft('large')).toEqual(['field 0']);
  });

  it('leave by their time, whatever the steps of the clock', () => {
    const put = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      field: fc.nat(25),
      inMs: fc.oneof(fc.nat(3000), fc.nat(700_000)),
    });
    const step = fc.record({
      puts: fc.array(put, { maxLength: 8 }),
      ms: fc.oneof(fc.nat(2000), fc.nat(100_000)),
    });
    useTinyBounds();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 70 }), (steps, slice) => {
        shard = createTestShard();
        for (const key of ['a', 'b', 'c']) putHash(shard, key, [['stays', 'v']]);
        const deadlines = new Map<string, number>();
        let nowMs = START_MS;
        for (const { puts, ms } of steps) {
          for (const { key, field, inMs } of puts) {
            const deadlineMs = nowMs + inMs + 1;
            const ref = addToHash(shard, find(shard, key, { nowMs }), [[`f${field}`, 'v']]);
            setDeadlines(shard, ref, [`f${field}`], deadlineMs);
            deadlines.set(`${key} f${field}`, deadlineMs);
          }
          nowMs += ms;
          while (expireDue(shard, nowMs, slice)) expectWhole(shard);
          const left = new Set(
            ['a', 'b', 'c'].flatMap((key) =>
              contentsOfCollection(shard, find(shard, key)).map((text) => `${key} ${text.split('=')[0]}`),
            ),
          );
          for (const [name, deadlineMs] of deadlines) {
            if (deadlineMs >= nowMs) expect(left.has(name)).toBe(true);
            else if (deadlineMs < nowMs - TICK_MS) expect(left.has(name)).toBe(false);
          }
        }
        expectWhole(shard);
      }),
      { numRuns: 60 },
    );
  });
});
