/** The way back: what a shard's journal says, replayed, is what the shard holds, wherever the log was cut. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drainDoomed, flushDatabase, swapDatabases } from '../../src/shard/databases.ts';
import { valueLength } from '../../src/shard/entry.ts';
import { expireDue } from '../../src/shard/housekeeping.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { putCopy, resizeValue, writeValue } from '../../src/shard/keyspace.ts';
import { LSN, NONE } from '../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import { createRecordView, decodeRecord, EFFECT_FLUSH, EFFECT_SWAP } from '../../src/shard/record.ts';
import { replayRecord } from '../../src/shard/replay.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { entriesOf, readRecords, replayAll, type Taken, take } from '../support/journal.ts';
import { createTestShard, expectWhole, find, get, START_MS, set } from '../support/shard.ts';

const DATABASE_COUNT = 3;

const keyName = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 12 }).map((n) => `key:${n}`) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }).map((n) => 'long'.repeat(70 + n)) },
);
const kinds = [
  'set',
  'set',
  'del',
  'expire',
  'append',
  'range',
  'cut',
  'copy',
  'copy',
  'tick',
  'get',
] as const;
const fields = {
  key: keyName,
  other: keyName,
  database: fc.integer({ min: 0, max: DATABASE_COUNT - 1 }),
  bytes: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 3000 })),
  letter: fc.constantFrom('a', 'b', 'c'),
  ms: fc.integer({ min: 1, max: 20_000 }),
  expires: fc.boolean(),
};
const keyed = fc.record({ kind: fc.constantFrom(...kinds), ...fields });
const any = fc.record({ kind: fc.constantFrom(...kinds, 'flush' as const, 'swap' as const), ...fields });
type Operation = typeof any extends fc.Arbitrary<infer T> ? T : never;

/** Does one operation and returns the time afterwards. */
function operate(shard: Shard, one: Operation, nowMs: number): number {
  const { kind, key, database, bytes } = one;
  const expiresAtMs = one.expires ? nowMs + one.ms : 0;
  const text = Buffer.alloc(bytes, one.letter);
  if (kind === 'set') set(shard, key, text, { database, expiresAtMs, nowMs });
  else if (kind === 'flush') flushDatabase(shard, database);
  else if (kind === 'swap') swapDatabases(shard, 0, database);
  else if (kind === 'tick') {
    expireDue(shard, nowMs + one.ms, 10);
    drainDoomed(shard, 5);
    return nowMs + one.ms;
  } else change(shard, one, text, expiresAtMs, nowMs);
  return nowMs;
}

function change(shard: Shard, one: Operation, text: Buffer, expiresAtMs: number, nowMs: number): void {
  const { kind, key, database, bytes } = one;
  const ref = find(shard, key, { database, nowMs });
  if (ref === NONE) return;
  const length = valueLength(shard.entries, ref);
  if (kind === 'del') removeEntry(shard, ref);
  else if (kind === 'expire') setExpiry(shard, ref, expiresAtMs);
  else if (kind === 'append') splice(shard, ref, length + bytes, length, text, nowMs);
  else if (kind === 'range') splice(shard, ref, Math.max(length, 40 + bytes), 40, text, nowMs);
  else if (kind === 'cut') splice(shard, ref, Math.min(length, bytes), 0, text.subarray(0, 0), nowMs);
  else if (kind === 'copy' && one.other !== key) {
    const target = Buffer.from(one.other);
    putCopy(shard, database, target, 0, target.length, shard, ref, expiresAtMs, nowMs);
  }
}

function splice(
  shard: Shard,
  ref: number,
  length: number,
  offset: number,
  text: Buffer,
  nowMs: number,
): void {
  const at = resizeValue(shard, ref, length, nowMs);
  if (at !== NONE) writeValue(shard, at, offset, text, 0, text.length);
}

/** What a program left in the journal, and what the shard held whenever an operation was over, by its LSN. */
function run(
  shard: Shard,
  operations: readonly Operation[],
): { taken: Taken; states: Map<number, Map<string, string>> } {
  const states = new Map<number, Map<string, string>>();
  let nowMs = START_MS;
  for (const one of operations) {
    nowMs = operate(shard, one, nowMs);
    states.set(shard.numbers[LSN], entriesOf(shard));
  }
  return { taken: take(shard), states };
}

function createLive(options: Parameters<typeof createTestShard>[0] = {}): Shard {
  const shard = createTestShard({ databases: DATABASE_COUNT, ...options });
  startJournaling(shard);
  return shard;
}

const createReplica = () => createTestShard({ databases: DATABASE_COUNT });

describe('replay', () => {
  it.each([
    { name: 'where all finds room', options: { limitBytes: 2 ** 20 } },
    { name: 'where much is evicted', options: { limitBytes: 20 * 1024 } },
    { name: 'where few keys may be', options: { limitBytes: 2 ** 20, keysMax: 6 } },
  ])('gives what the shard held after every record of any program, $name', ({ options }) => {
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 80 }), (operations) => {
        const live = createLive(options);
        const { taken, states } = run(live, operations);
        expect(taken.firstLsn + taken.records - 1).toBe(live.numbers[LSN]);
        const replica = createReplica();
        replayAll(replica, taken, (lsn) => {
          expectWhole(replica);
          expect(replica.numbers[LSN]).toBe(lsn);
          const state = states.get(lsn);
          if (state !== undefined) expect(entriesOf(replica)).toEqual(state);
        });
        expectWhole(live);
        expect(entriesOf(replica)).toEqual(entriesOf(live));
      }),
      { numRuns: 60 },
    );
  });

  it('of keys is the same when it is done twice, also over what is newer', () => {
    fc.assert(
      fc.property(fc.array(keyed, { minLength: 1, maxLength: 80 }), fc.nat(), (operations, cut) => {
        const live = createLive();
        const { taken } = run(live, operations);
        const replica = createReplica();
        // First a part, then all of it, then all of it again.
        const view = createRecordView();
        let at = 0;
        for (let lsn = taken.firstLsn; lsn < taken.firstLsn + (cut % (taken.records + 1)); lsn += 1) {
          at = decodeRecord(taken.bytes, at, taken.bytes.length, view);
          replayRecord(replica, view, taken.bytes, lsn, START_MS);
        }
        for (let round = 0; round < 2; round += 1) replayAll(replica, taken);
        expect(entriesOf(replica)).toEqual(entriesOf(live));
        expect(replica.numbers[LSN]).toBe(live.numbers[LSN]);
        expectWhole(replica);
        const isKeyed = readRecords(taken).every(
          ({ effect }) => effect !== EFFECT_FLUSH && effect !== EFFECT_SWAP,
        );
        expect(isKeyed).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('leaves an entry that is from a later change, whatever the record', () => {
    const live = createLive();
    set(live, 'key', 'first');
    setExpiry(live, find(live, 'key'), START_MS + 5000);
    splice(live, find(live, 'key'), 8, 5, Buffer.from('abc'), START_MS);
    removeEntry(live, find(live, 'key'));
    const replica = createReplica();
    replica.numbers[LSN] = 50;
    set(replica, 'key', 'later');
    const before = entriesOf(replica);
    replayAll(replica, take(live));
    expect(entriesOf(replica)).toEqual(before);
    expect(replica.numbers[LSN]).toBe(51);
    expectWhole(replica);
  });

  it('passes over splices, deadlines and deletes without a key: its value went for want of room', () => {
    const live = createLive();
    set(live, 'key', 'first', { expiresAtMs: START_MS + 1000 });
    setExpiry(live, find(live, 'key'), START_MS + 5000);
    take(live);
    splice(live, find(live, 'key'), 9, 5, Buffer.from('abc'), START_MS);
    splice(live, find(live, 'key'), 9, 0, Buffer.from('all of it'), START_MS);
    setExpiry(live, find(live, 'key'), START_MS + 9000);
    removeEntry(live, find(live, 'key'));
    const replica = createReplica();
    replayAll(replica, take(live), (lsn) => {
      expect(find(replica, 'key')).toBe(NONE);
      expect(replica.numbers[LSN]).toBe(lsn);
    });
    expectWhole(replica);
  });

  it('has each value whole or not at all where there is less room than there was', () => {
    fc.assert(
      fc.property(
        fc.array(keyed, { minLength: 40, maxLength: 120 }),
        fc.integer({ min: 6, max: 12 }),
        (operations, kib) => {
          const live = createLive();
          const { taken, states } = run(live, operations);
          const replica = createTestShard({ databases: DATABASE_COUNT, limitBytes: kib * 1024 });
          const view = createRecordView();
          let at = 0;
          for (let lsn = taken.firstLsn; at < taken.bytes.length; lsn += 1) {
            at = decodeRecord(taken.bytes, at, taken.bytes.length, view);
            if (!replayRecord(replica, view, taken.bytes, lsn, START_MS)) return;
            const known = states.get(lsn);
            if (known === undefined) continue;
            for (const [name, state] of entriesOf(replica)) expect(state).toBe(known.get(name));
          }
          expectWhole(replica);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('keeps what has expired, since a later record may keep it alive', () => {
    const live = createLive();
    set(live, 'key', 'value', { expiresAtMs: START_MS - 1000 });
    setExpiry(live, find(live, 'key', { nowMs: 0 }), START_MS + 1000);
    const replica = createReplica();
    replayAll(replica, take(live));
    expect(get(replica, 'key')).toBe('value');
    expectWhole(replica);
  });

  it('keeps the numbers of the log where it must evict what the log does not say', () => {
    const live = createLive();
    for (let i = 0; i < 2000; i += 1) set(live, `key ${i % 1500}`, `value ${i}`.repeat(1 + (i % 7)));
    const replica = createTestShard({ databases: DATABASE_COUNT, limitBytes: 2 ** 16 });
    replayAll(replica, take(live), (lsn) => expect(replica.numbers[LSN]).toBe(lsn));
    const known = entriesOf(live);
    const found = entriesOf(replica);
    expect(found.size).toBeGreaterThan(100);
    expect(found.size).toBeLessThan(1000);
    for (const [name, state] of found) expect(state).toBe(known.get(name));
    expectWhole(replica);
  });

  it('says so when there is no room', () => {
    const live = createLive();
    set(live, 'large', Buffer.alloc(100_000, 'v'));
    set(live, 'key', Buffer.alloc(100, 'v'));
    splice(live, find(live, 'key'), 100_000, 100, Buffer.alloc(99_900, 'w'), START_MS);
    const { bytes, firstLsn } = take(live);
    const replica = createTestShard({ limitBytes: 2 ** 16, policy: NO_EVICTION });
    const view = createRecordView();
    let at = 0;
    const fits = [0, 1, 2].map((index) => {
      at = decodeRecord(bytes, at, bytes.length, view);
      return replayRecord(replica, view, bytes, firstLsn + index, START_MS);
    });
    expect(fits).toEqual([false, true, false]);
    expect(valueLength(replica.entries, find(replica, 'key'))).toBe(100);
    expectWhole(replica);
  });

  it('refuses a shard that is journaling, and a database that it does not have', () => {
    const live = createTestShard();
    startJournaling(live);
    set(live, 'key', 'value', { database: 5 });
    set(live, 'other', 'value');
    swapDatabases(live, 0, 6);
    const taken = take(live);
    expect(() => replayAll(live, taken)).toThrow('in the log already');
    const replica = createReplica();
    expect(() => replayAll(replica, taken)).toThrow('database that the shard has');
    const view = createRecordView();
    decodeRecord(taken.bytes, taken.bytes.length - 16, taken.bytes.length, view);
    expect(() => replayRecord(replica, view, taken.bytes, 3, START_MS)).toThrow(
      'database that the shard has',
    );
    expectWhole(replica);
  });
});
