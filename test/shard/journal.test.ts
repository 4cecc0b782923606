/** The journal: one record for every change and none for anything else, drained without loss, and honest when it lacks one. */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { JOURNAL_EVICTION_BYTES_MAX, JOURNAL_MARGIN_BYTES } from '../../src/config/limits.ts';
import { drainDoomed, flushDatabase, swapDatabases } from '../../src/shard/databases.ts';
import { lsnOf } from '../../src/shard/entry.ts';
import { makeRoom, ROOM_LATER, ROOM_MADE } from '../../src/shard/eviction.ts';
import { expireDue } from '../../src/shard/housekeeping.ts';
import {
  breakJournal,
  isJournalBroken,
  isJournaling,
  journalBytesFor,
  markGrouped,
  mendJournal,
  pendingBytes,
  pendingFirstLsn,
  pendingIsGrouped,
  pendingRecords,
  startJournaling,
  stopJournaling,
  takePending,
} from '../../src/shard/journal.ts';
import { putCopy, resizeValue, writeValue } from '../../src/shard/keyspace.ts';
import { LSN, NONE, SNAPSHOT_VOID } from '../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import { acquireShard, releaseShard } from '../../src/shard/lock.ts';
import { changePolicy, migrateRecency } from '../../src/shard/migration.ts';
import { VOLATILE_LRU } from '../../src/shard/policy.ts';
import {
  EFFECT_DELETE,
  EFFECT_EXPIRE,
  EFFECT_FLUSH,
  EFFECT_PUT,
  EFFECT_SPLICE,
  EFFECT_SWAP,
  RECORD_EXPIRES,
  RECORD_RAW,
} from '../../src/shard/record.ts';
import { mendShard } from '../../src/shard/recover.ts';
import { createShardBuffers, formatShard, openShard, type Shard } from '../../src/shard/shard.ts';
import { openDying } from '../support/dying-shard.ts';
import { entriesOf, type ReadRecord, readRecords, take } from '../support/journal.ts';
import type { JournalErrand } from '../support/journal-worker.ts';
import { createTestShard, expectWhole, find, get, START_MS, set, stillClock } from '../support/shard.ts';

const ENTRY = new URL('../support/journal-worker.ts', import.meta.url);
const LATER_MS = START_MS + 2 ** 34;
const NO_FIELDS = { database: 0, flags: 0, extra: 0, expiresAtMs: 0, length: 0, key: '', value: '' };

let shard: Shard;
afterEach(() => expectWhole(shard));

function createJournaling(options: Parameters<typeof createTestShard>[0] = {}): Shard {
  shard = createTestShard(options);
  startJournaling(shard);
  return shard;
}

/** What was appended since the last look, which numbers every change of the shard. */
function look(): Omit<ReadRecord, 'lsn'>[] {
  const taken = take(shard);
  expect(taken.firstLsn + taken.records - 1).toBe(shard.numbers[LSN]);
  return readRecords(taken).map(({ lsn: _, ...rest }) => rest);
}

function copy(from: string, to: string, expiresAtMs = 0): number {
  const key = Buffer.from(to);
  return putCopy(shard, 0, key, 0, key.length, shard, find(shard, from), expiresAtMs, START_MS);
}

function splice(key: string, length: number, offset: number, text: string): void {
  const at = resizeValue(shard, find(shard, key), length, START_MS);
  writeValue(shard, at, offset, Buffer.from(text), 0, text.length);
}

describe('journal', () => {
  it('keeps a put of every kind, and stamps the entry with its number', () => {
    createJournaling();
    set(shard, 'key', 'value');
    set(shard, 'key', 'other', { database: 3, expiresAtMs: LATER_MS });
    set(shard, 'key', 'a longer value'.repeat(100));
    copy('key', 'long copy', LATER_MS);
    expect(lsnOf(shard.entries, find(shard, 'long copy'))).toBe(4);
    expect(look()).toEqual([
      { ...NO_FIELDS, effect: EFFECT_PUT, key: 'key', value: 'value' },
      {
        ...NO_FIELDS,
        effect: EFFECT_PUT,
        database: 3,
        flags: RECORD_EXPIRES,
        expiresAtMs: LATER_MS,
        key: 'key',
        value: 'other',
      },
      { ...NO_FIELDS, effect: EFFECT_PUT, key: 'key', value: 'a longer value'.repeat(100) },
      {
        ...NO_FIELDS,
        effect: EFFECT_PUT,
        flags: RECORD_EXPIRES,
        expiresAtMs: LATER_MS,
        key: 'long copy',
        value: 'a longer value'.repeat(100),
      },
    ]);
  });

  it('keeps keys and values of every length around every multiple of 8, with zeros behind', () => {
    createJournaling();
    const lengths = [
      ...Array(26).keys(),
      77,
      78,
      79,
      80,
      81,
      143,
      144,
      145,
      250,
      255,
      256,
      257,
      1000,
      70_001,
    ];
    for (const keyBytes of lengths) {
      for (const valueBytes of lengths) {
        for (const expiresAtMs of [0, LATER_MS]) {
          const key = 'k'.repeat(keyBytes);
          const value = 'v'.repeat(valueBytes);
          // What lies there from before must not show behind the record.
          shard.journal.records.fill(0xff, 0, 2 * (keyBytes + valueBytes) + 64);
          set(shard, key, value, { expiresAtMs });
          const taken = take(shard);
          const [record] = readRecords(taken);
          expect(record.key === key && record.value === value && record.expiresAtMs === expiresAtMs).toBe(
            true,
          );
          const end = 16 + (expiresAtMs === 0 ? 0 : 8) + keyBytes + valueBytes;
          expect(taken.bytes.length - end).toBeLessThan(8);
          expect(taken.bytes.subarray(end).every((byte) => byte === 0)).toBe(true);
        }
      }
    }
  });

  it('keeps an append, a truncation and an empty splice as one record each, and the raw form of a copy', () => {
    createJournaling();
    set(shard, 'key', 'value', { expiresAtMs: LATER_MS });
    splice('key', 8, 5, '123');
    splice('key', 2, 0, '');
    copy('key', 'copy');
    set(shard, 'key', 'whole again');
    expect(look().slice(1)).toEqual([
      { ...NO_FIELDS, effect: EFFECT_SPLICE, extra: 5, length: 8, key: 'key', value: '123' },
      { ...NO_FIELDS, effect: EFFECT_SPLICE, length: 2, key: 'key' },
      { ...NO_FIELDS, effect: EFFECT_PUT, flags: RECORD_RAW, key: 'copy', value: 'va' },
      { ...NO_FIELDS, effect: EFFECT_PUT, key: 'key', value: 'whole again' },
    ]);
  });

  it('keeps deadlines set and removed, and deletes by command, by time and by eviction alike', () => {
    createJournaling({ keysMax: 4 });
    for (const key of ['a', 'b', 'c', 'd']) set(shard, key, '');
    look();
    setExpiry(shard, find(shard, 'a'), LATER_MS);
    setExpiry(shard, find(shard, 'a'), 0);
    setExpiry(shard, find(shard, 'a'), Number.MAX_SAFE_INTEGER);
    removeEntry(shard, find(shard, 'b'));
    setExpiry(shard, find(shard, 'c'), START_MS + 1);
    find(shard, 'c', { nowMs: START_MS + 2 });
    for (const key of ['e', 'f', 'g']) set(shard, key, '');
    const expire = { ...NO_FIELDS, effect: EFFECT_EXPIRE };
    expect(look()).toEqual([
      { ...expire, flags: RECORD_EXPIRES, expiresAtMs: LATER_MS, key: 'a' },
      { ...expire, key: 'a' },
      { ...expire, flags: RECORD_EXPIRES, expiresAtMs: 2 ** 48 - 1, key: 'a' },
      { ...NO_FIELDS, effect: EFFECT_DELETE, key: 'b' },
      { ...expire, flags: RECORD_EXPIRES, expiresAtMs: START_MS + 1, key: 'c' },
      { ...NO_FIELDS, effect: EFFECT_DELETE, key: 'c' },
      { ...NO_FIELDS, effect: EFFECT_PUT, key: 'e' },
      { ...NO_FIELDS, effect: EFFECT_PUT, key: 'f' },
      { ...NO_FIELDS, effect: EFFECT_DELETE, key: 'a' },
      { ...NO_FIELDS, effect: EFFECT_PUT, key: 'g' },
    ]);
  });

  it('keeps one delete for each of many that are due at once, with its database', () => {
    createJournaling();
    for (let i = 0; i < 700; i += 1)
      set(shard, `due ${i}`, 'x', { database: i % 2, expiresAtMs: START_MS + (i % 40) });
    set(shard, 'flushed', 'x', { database: 2, expiresAtMs: START_MS });
    flushDatabase(shard, 2);
    look();
    while (expireDue(shard, START_MS + 1000, 100));
    const removed = look();
    expect(removed.every(({ effect }) => effect === EFFECT_DELETE)).toBe(true);
    const named = removed.map(({ database, key }) => `${database}/${key}`);
    expect(new Set(named)).toEqual(new Set(Array.from({ length: 700 }, (_, i) => `${i % 2}/due ${i}`)));
    expect(named).toHaveLength(700);
  });

  it('keeps flushes and swaps of databases that hold something, which also void a snapshot under way', () => {
    createJournaling();
    set(shard, 'key', 'value', { database: 1 });
    flushDatabase(shard, 0);
    swapDatabases(shard, 0, 2);
    swapDatabases(shard, 1, 1);
    expect(shard.control[SNAPSHOT_VOID]).toBe(0);
    swapDatabases(shard, 0, 1);
    setExpiry(shard, find(shard, 'key'), LATER_MS);
    swapDatabases(shard, 2, 0);
    flushDatabase(shard, 2);
    expect(shard.control[SNAPSHOT_VOID]).toBe(3);
    expect(look().slice(1)).toEqual([
      { ...NO_FIELDS, effect: EFFECT_SWAP, extra: 1 },
      { ...NO_FIELDS, effect: EFFECT_EXPIRE, flags: RECORD_EXPIRES, expiresAtMs: LATER_MS, key: 'key' },
      { ...NO_FIELDS, effect: EFFECT_SWAP, database: 2 },
      { ...NO_FIELDS, effect: EFFECT_FLUSH, database: 2 },
    ]);
  });

  it('keeps nothing for uses, drains of what was flushed, a change of policy, and puts that find no room', () => {
    createJournaling();
    for (let i = 0; i < 50; i += 1) set(shard, `key ${i}`, 'value', { expiresAtMs: i % 2 ? LATER_MS : 0 });
    set(shard, 'flushed', 'value', { database: 1 });
    flushDatabase(shard, 1);
    look();
    get(shard, 'key 7');
    drainDoomed(shard, 100);
    changePolicy(shard, VOLATILE_LRU);
    migrateRecency(shard, 100);
    expect(set(shard, 'vast', Buffer.alloc(5 * 2 ** 20))).toBe(false);
    expect(resizeValue(shard, find(shard, 'key 1'), 5 * 2 ** 20, START_MS)).toBe(NONE);
    expect(look()).toEqual([]);
  });
});

describe('the state of the journal', () => {
  it('is off at first, and then only the number of the change is taken', () => {
    shard = createTestShard();
    set(shard, 'key', 'value');
    removeEntry(shard, find(shard, 'key'));
    expect([isJournaling(shard), pendingBytes(shard), shard.numbers[LSN]]).toEqual([false, 0, 2]);
    startJournaling(shard);
    expect([isJournaling(shard), pendingFirstLsn(shard)]).toEqual([true, 3]);
    set(shard, 'key', 'value');
    expect([pendingBytes(shard), pendingRecords(shard), pendingFirstLsn(shard)]).toEqual([24, 1, 3]);
    stopJournaling(shard);
    set(shard, 'key', 'value');
    expect([isJournaling(shard), pendingBytes(shard), pendingRecords(shard)]).toEqual([false, 0, 0]);
    startJournaling(shard);
    expect(pendingFirstLsn(shard)).toBe(5);
  });

  it('says that its records belong to a change of several shards until they are drained', () => {
    createJournaling();
    set(shard, 'key', 'value');
    expect(pendingIsGrouped(shard)).toBe(false);
    markGrouped(shard);
    set(shard, 'other', 'value');
    expect(pendingIsGrouped(shard)).toBe(true);
    const target = Buffer.alloc(100, 0xaa);
    takePending(shard, target, 10);
    expect(target.subarray(0, 10).every((byte) => byte === 0xaa)).toBe(true);
    expect(target.subarray(66).every((byte) => byte === 0xaa)).toBe(true);
    expect([pendingIsGrouped(shard), pendingBytes(shard), pendingFirstLsn(shard)]).toEqual([false, 0, 3]);
  });

  it('is broken by a change that finds no room, keeps what came before, and is good again when started anew', () => {
    const options = { capacityBytes: 2 ** 16, limitBytes: 2 ** 16 };
    createJournaling(options);
    const value = Buffer.alloc(30_000, 'x');
    const fitting = Math.floor((journalBytesFor(options.capacityBytes) - 4096) / 30_024);
    for (let count = 0; count < fitting; count += 1) set(shard, 'key', value);
    expect([isJournalBroken(shard), pendingRecords(shard)]).toEqual([false, fitting]);
    const before = pendingBytes(shard);
    set(shard, 'key', value);
    set(shard, 'small', '');
    expect([isJournalBroken(shard), isJournaling(shard)]).toEqual([true, true]);
    expect([pendingBytes(shard), pendingFirstLsn(shard)]).toEqual([before, 1]);
    expect(get(shard, 'small')).toBe('');
    expect(readRecords(take(shard))).toHaveLength(fitting);
    set(shard, 'small', 'again');
    expect([pendingRecords(shard), isJournalBroken(shard)]).toEqual([0, true]);
    startJournaling(shard);
    set(shard, 'small', 'still');
    expect([isJournalBroken(shard), pendingFirstLsn(shard)]).toEqual([false, fitting + 4]);
    expect(look()).toHaveLength(1);
  });

  it('has room for the largest value of the shard beside what was pending before it and what goes for it', () => {
    createJournaling();
    for (let i = 0; pendingBytes(shard) < 2 ** 20; i += 1) set(shard, `key ${i}`, 'value');
    expect(set(shard, 'vast', Buffer.alloc(3 * 2 ** 20, 'v'))).toBe(true);
    const records = look();
    expect(records.some(({ effect }) => effect === EFFECT_DELETE)).toBe(true);
    expect(records.at(-1)?.value).toBe('v'.repeat(3 * 2 ** 20));
  });

  it('stops evictions for room half-way through its margin, and lets them go on once it is drained', () => {
    createJournaling({ limitBytes: 2 ** 24 });
    for (let i = 0; i < 130_000; i += 1) {
      set(shard, `${i}`.padStart(64, '0'), '');
      if (pendingBytes(shard) > 2 ** 20) take(shard);
    }
    take(shard);
    expect(makeRoom(shard, 2 ** 24 - 2 ** 20, START_MS)).toBe(ROOM_LATER);
    expect(pendingBytes(shard)).toBeGreaterThan(JOURNAL_EVICTION_BYTES_MAX);
    expect(pendingBytes(shard)).toBeLessThan(JOURNAL_MARGIN_BYTES);
    let drains = 0;
    for (; makeRoom(shard, 2 ** 24 - 2 ** 20, START_MS) === ROOM_LATER; drains += 1) look();
    expect(drains).toBeGreaterThan(0);
    expect(makeRoom(shard, 2 ** 24 - 2 ** 20, START_MS)).toBe(ROOM_MADE);
  });

  it('is not drained twice and not lost unseen when a thread dies while it drains', () => {
    createJournaling();
    for (let i = 0; i < 5; i += 1) set(shard, `key ${i}`, 'value');
    const pending = Buffer.from(shard.journal.records.subarray(0, pendingBytes(shard))).toString('latin1');
    const whole: number[] = [];
    for (let writes = 0; writes < 5; writes += 1) {
      expect(() => takePending(openDying(shard, { left: writes, made: 0 }), Buffer.alloc(1000), 0)).toThrow();
      mendShard(shard, START_MS);
      if (!isJournalBroken(shard)) {
        whole.push(pendingRecords(shard));
        expect(take(shard).bytes.toString('latin1')).toBe(pending);
      } else {
        expect([pendingBytes(shard), pendingRecords(shard)]).toEqual([0, 0]);
      }
      formatShard(shard, START_MS);
      shard.numbers[LSN] = 0;
      startJournaling(shard);
      for (let i = 0; i < 5; i += 1) set(shard, `key ${i}`, 'value');
    }
    expect(whole).toEqual([5, 5]);
  });

  it('is broken by hand only while it is on, and mending changes nothing where nothing is wrong', () => {
    shard = createTestShard();
    breakJournal(shard);
    mendJournal(shard);
    expect(isJournalBroken(shard)).toBe(false);
    startJournaling(shard);
    set(shard, 'key', 'value');
    mendJournal(shard);
    expect([isJournalBroken(shard), pendingRecords(shard)]).toEqual([false, 1]);
    breakJournal(shard);
    mendJournal(shard);
    expect([isJournalBroken(shard), pendingRecords(shard)]).toEqual([true, 1]);
  });

  it('is broken when it lacks the record of the last change', () => {
    createJournaling();
    set(shard, 'key', 'value');
    shard.numbers[LSN] += 1;
    expect(mendShard(shard, START_MS)).toBe('it is whole; its log lacks a change');
    expect([isJournalBroken(shard), pendingRecords(shard), pendingFirstLsn(shard)]).toEqual([true, 1, 1]);
  });

  it('of 64 shards of 600 MB is only reserved', () => {
    shard = createTestShard();
    const before = process.memoryUsage().rss;
    const shards = Array.from({ length: 64 }, () => new SharedArrayBuffer(journalBytesFor(600 * 2 ** 20)));
    expect(shards[63].byteLength).toBeGreaterThan(608 * 2 ** 20);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
  });
});

describe('the journal between threads', () => {
  it('loses and doubles nothing while two threads append and a third drains', async () => {
    const limits = { capacityBytes: 2 ** 24, limitBytes: 2 ** 24, keysMax: 0, policy: 1, databases: 1 };
    const rest = { lfuLogFactor: 10, lfuDecayMinutes: 1, holdSampling: 4, hashKey: [5, 6] as const, seed: 5 };
    const buffers = createShardBuffers({ ...limits, ...rest, nowMs: START_MS });
    shard = openShard(buffers, 0, 1, systemClock);
    formatShard(shard, START_MS);
    startJournaling(shard);
    const keys = 30_000;
    const threads = [2, 3].map((threadId) => {
      const errand: JournalErrand = { buffers, threadId, keys };
      return new Worker(ENTRY, { workerData: errand });
    });
    let running = threads.length;
    for (const thread of threads) thread.once('exit', () => (running -= 1));
    await Promise.all(threads.map((thread) => once(thread, 'online')));
    const next = new Map([
      ['2', 0],
      ['3', 0],
    ]);
    let lsn = 0;
    let drains = 0;
    const drain = () => {
      acquireShard(shard);
      const taken = take(shard);
      releaseShard(shard);
      if (taken.records > 0) drains += 1;
      for (const record of readRecords(taken)) {
        lsn += 1;
        const [thread, count] = record.key.split(':');
        expect(record.lsn === lsn && record.value === record.key && Number(count) === next.get(thread)).toBe(
          true,
        );
        next.set(thread, Number(count) + 1);
      }
    };
    while (running > 0) {
      drain();
      await new Promise((resolve) => setImmediate(resolve));
    }
    drain();
    expect([...next.values()]).toEqual([keys, keys]);
    // Some of them while others appended.
    expect(drains).toBeGreaterThan(1);
    expect(entriesOf(openShard(buffers, 0, 1, stillClock)).size).toBe(2 * keys);
  });
});
