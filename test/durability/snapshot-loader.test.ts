/** Snapshots saved and loaded: into the same number of shards and another, under every policy, with whatever keys there are. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyCount } from '../../src/shard/databases.ts';
import { clockOf, writeLsn } from '../../src/shard/entry.ts';
import { LIMIT_BYTES, LSN, NONE } from '../../src/shard/layout.ts';
import { setExpiry } from '../../src/shard/lifecycle.ts';
import { POLICY_NAMES, policyNumber } from '../../src/shard/policy.ts';
import { frequencyOf, touchEntry } from '../../src/shard/recency.ts';
import { expectWhole, find, START_MS } from '../support/shard.ts';
import { createSimulatedDisk } from '../support/simulated-disk.ts';
import {
  append,
  clocksInOrder,
  contentsOf,
  createDeck,
  type Deck,
  load,
  loadAll,
  put,
  save,
  saveAll,
  shardFor,
} from '../support/snapshots.ts';

const DATABASES = 4;
const SECOND = 1000;
const DAY = 24 * 3600 * SECOND;

/** Keys of all kinds in all databases: narrow and wide, raw, with and without a deadline, expired, of many ages. */
function fillAll(deck: Deck, count: number): void {
  for (let i = 0; i < count; i += 1) {
    const key = i % 7 === 0 ? `${'long '.repeat(60)}${i}` : `key:${i}`;
    const value = 'v'.repeat((i * i) % 300);
    const nowMs = START_MS - (count - i) * SECOND;
    const expiresAtMs = i % 3 === 0 ? START_MS + (i - 10) * SECOND : 0;
    const ref = put(deck, key, value, { database: i % DATABASES, expiresAtMs, nowMs });
    if (i % 5 === 0) append(deck, key, ref, value.length, 'more');
  }
}

describe('snapshot and load', () => {
  it('three pairs', () => {
    const deck = createDeck(1);
    for (const [key, value] of [
      ['key1', 'value1'],
      ['key2', 'value2'],
      ['key3', 'value3'],
    ])
      put(deck, key, value);
    const disk = createSimulatedDisk();
    expect(save(disk, deck)).toMatchObject({ ok: true, entries: 3, startLsn: 3, endLsn: 3 });
    const other = createDeck(1);
    expect(load(disk, other)).toMatchObject({ ok: true, entries: 3, evicted: 0, endLsn: 3, isOrdered: true });
    expect(contentsOf(other.shards)).toEqual(contentsOf(deck.shards));
    expect(other.shards[0].numbers[LSN]).toBe(3);
    expectWhole(other.shards[0]);
  });

  it('empty', () => {
    const disk = createSimulatedDisk();
    saveAll(disk, createDeck(2));
    const other = createDeck(2);
    expect(loadAll(disk, other, 2)).toMatchObject([
      { ok: true, entries: 0 },
      { ok: true, entries: 0 },
    ]);
    expect(contentsOf(other.shards).size).toBe(0);
  });

  it('large: ten thousand', () => {
    const deck = createDeck(2);
    for (let i = 0; i < 10_000; i += 1) put(deck, `key${i}`, `value${i}`);
    const disk = createSimulatedDisk();
    saveAll(disk, deck);
    const other = createDeck(2);
    loadAll(disk, other, 2);
    expect(contentsOf(other.shards)).toEqual(contentsOf(deck.shards));
  });

  it('special characters', () => {
    const deck = createDeck(1);
    const texts = [
      '',
      ' ',
      '\0',
      'line\nbreak',
      '\r\n$-1\r\n',
      'quote"\'',
      'ключ',
      '鍵',
      '🔑',
      '\u{10ffff}',
      'a\tb\\c',
    ];
    for (const text of texts) put(deck, text, text);
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    put(deck, 'all bytes', bytes);
    const disk = createSimulatedDisk();
    save(disk, deck);
    const other = createDeck(1);
    loadAll(disk, other, 1);
    expect(contentsOf(other.shards)).toEqual(contentsOf(deck.shards));
  });

  it('overwrite', () => {
    const deck = createDeck(1);
    const disk = createSimulatedDisk();
    put(deck, 'key', 'old');
    put(deck, 'gone', 'old');
    save(disk, deck);
    const later = createDeck(1);
    put(later, 'key', 'new');
    expect(save(disk, later)).toMatchObject({ ok: true, entries: 1 });
    const other = createDeck(1);
    loadAll(disk, other, 1);
    expect(contentsOf(other.shards)).toEqual(contentsOf(later.shards));
    expect(disk.list('shard-000')).toEqual(['snapshot-000000000001.snap']);
  });
});

describe('a load', () => {
  const pairs = [1, 2, 4, 8].flatMap((from) => [1, 2, 4, 8].map((to) => [from, to]));

  it.each(pairs)('from %i shards into %i keeps everything of every entry', (from, to) => {
    const deck = createDeck(from);
    fillAll(deck, 1500);
    const disk = createSimulatedDisk();
    saveAll(disk, deck);
    const other = createDeck(to);
    for (const outcome of loadAll(disk, other, from))
      expect(outcome).toMatchObject({ ok: true, isOrdered: from === to });
    expect(contentsOf(other.shards)).toEqual(contentsOf(deck.shards));
  });

  it.each(POLICY_NAMES)('under %s puts the entries into the order of their use', (name) => {
    const policy = policyNumber(name);
    for (const count of [1, 2]) {
      const deck = createDeck(1, { policy });
      fillAll(deck, 400);
      const disk = createSimulatedDisk();
      save(disk, deck);
      const other = createDeck(count, { policy });
      loadAll(disk, other, 1);
      expect(contentsOf(other.shards)).toEqual(contentsOf(deck.shards));
      for (const shard of other.shards) {
        const isUses = name.endsWith('lfu');
        const [all, expiring] = clocksInOrder(shard).map((clocks) =>
          clocks.map((c) => (isUses ? c >>> 8 : c)),
        );
        expect(all).toEqual(all.toSorted((a, b) => a - b));
        expect(expiring).toEqual(expiring.toSorted((a, b) => a - b));
        expect(expiring.length > 0).toBe(name.startsWith('volatile'));
      }
    }
  });

  it('orders ages of months, and clocks that have wrapped', () => {
    const deck = createDeck(1);
    const ages = [0, 1, 4095, 4096, 70_000, 5_000_000, 16_000_000];
    for (const seconds of ages.toReversed())
      put(deck, `${seconds}`, '', { nowMs: START_MS - seconds * SECOND });
    const disk = createSimulatedDisk();
    save(disk, deck);
    const other = createDeck(1);
    loadAll(disk, other, 1);
    const clocks = ages.toReversed().map((seconds) => (Math.floor(START_MS / SECOND) - seconds) & 0xffffff);
    expect(clocksInOrder(other.shards[0])[0]).toEqual(clocks);
  });

  it('keeps the time of the last use when the policy has changed between seconds and use counters', () => {
    const seconds = createDeck(1);
    put(seconds, 'old', '', { nowMs: START_MS - 600 * SECOND });
    put(seconds, 'new', '');
    const disk = createSimulatedDisk();
    save(disk, seconds);
    const uses = createDeck(1, { policy: policyNumber('allkeys-lfu') });
    loadAll(disk, uses, 1);
    const ofUses = (key: string) => clockOf(uses.shards[0].entries, find(uses.shards[0], key));
    expect(ofUses('new') - ofUses('old')).toBe(10 << 8);
    expect(frequencyOf(uses.shards[0], find(uses.shards[0], 'new'), START_MS)).toBe(5);
    save(disk, uses);
    const again = createDeck(1);
    loadAll(disk, again, 1);
    const ofSeconds = (key: string) => clockOf(again.shards[0].entries, find(again.shards[0], key));
    expect(ofSeconds('new') - ofSeconds('old')).toBe(600);
  });

  it('takes keys and values of a megabyte', () => {
    const deck = createDeck(1, { limitBytes: 16 * 2 ** 20 });
    for (const mark of ['a', 'b', 'c']) put(deck, mark.repeat(2 ** 20), `value ${mark}`);
    put(deck, 'value', 'v'.repeat(3 * 2 ** 20));
    for (let i = 0; i < 200; i += 1) put(deck, `small${i}`, '');
    const disk = createSimulatedDisk();
    save(disk, deck);
    for (const count of [1, 2]) {
      const other = createDeck(count, { limitBytes: 16 * 2 ** 20 });
      loadAll(disk, other, 1);
      expect(contentsOf(other.shards)).toEqual(contentsOf(deck.shards));
    }
  });

  it('adds to what is there: of two versions of a key the one with the higher LSN stays', () => {
    for (const count of [1, 2]) {
      const deck = createDeck(1);
      for (const key of ['only here', 'newer', 'older'])
        put(deck, key, 'loaded', { expiresAtMs: START_MS + DAY });
      const disk = createSimulatedDisk();
      save(disk, deck);
      const other = createDeck(count);
      for (const [key, lsn] of [
        ['newer', 1],
        ['older', 9],
        ['only there', 5],
      ] as const) {
        const shard = shardFor(other, key);
        writeLsn(shard.entries, put(other, key, 'there', { expiresAtMs: START_MS + SECOND }), lsn);
        shard.numbers[LSN] = 9;
      }
      loadAll(disk, other, 1);
      const values = [...contentsOf(other.shards)].map(([name, text]) => `${name} ${text.split(' ')[0]}`);
      expect(values.sort()).toEqual([
        '0/newer loaded',
        '0/older there',
        '0/only here loaded',
        '0/only there there',
      ]);
    }
  });

  it('evicts mostly the least recently used where memory has become less', () => {
    const deck = createDeck(1);
    for (let i = 0; i < 20_000; i += 1)
      put(deck, `key:${i}`, 'value', { nowMs: START_MS - (20_000 - i) * SECOND });
    const disk = createSimulatedDisk();
    save(disk, deck);
    for (const count of [1, 2]) {
      const other = createDeck(count, { limitBytes: 2 ** 20 / count });
      const [outcome] = loadAll(disk, other, 1);
      expect(outcome).toMatchObject({ ok: true, entries: 20_000 });
      for (const shard of other.shards) expect(shard.numbers[LIMIT_BYTES]).toBe(2 ** 20 / count);
      const kept = [...contentsOf(other.shards).keys()].map((name) => Number(name.slice('0/key:'.length)));
      expect(kept.length).toBeGreaterThan(10_000);
      const newest = kept.filter((i) => i >= 20_000 - kept.length).length;
      expect(newest / kept.length).toBeGreaterThan(0.75);
    }
  });

  it('keeps to maxkeys', () => {
    const deck = createDeck(1);
    for (let i = 0; i < 3000; i += 1) put(deck, `key:${i}`, '', { nowMs: START_MS - (3000 - i) * SECOND });
    const disk = createSimulatedDisk();
    save(disk, deck);
    const other = createDeck(1, { keysMax: 100 });
    loadAll(disk, other, 1);
    expect(keyCount(other.shards[0], 0)).toBe(100);
  });

  it.each(['noeviction', 'volatile-ttl'])('under %s refuses what does not fit', (name) => {
    const deck = createDeck(1);
    for (let i = 0; i < 20_000; i += 1) put(deck, `key:${i}`, 'value');
    const disk = createSimulatedDisk();
    save(disk, deck);
    for (const count of [1, 2]) {
      const other = createDeck(count, { limitBytes: 256 * 1024, policy: policyNumber(name) });
      expect(loadAll(disk, other, 1)).toMatchObject([
        {
          ok: false,
          text: expect.stringContaining('does not fit: raise maxmemory or choose an allkeys policy'),
        },
      ]);
    }
  });

  it('refuses keys of databases that are not configured, and takes a file that has none', () => {
    const deck = createDeck(1, { databases: 16 });
    put(deck, 'a', '', { database: 3 });
    const disk = createSimulatedDisk();
    save(disk, deck);
    expect(loadAll(disk, createDeck(1, { databases: 4 }), 1)).toMatchObject([{ ok: true, entries: 1 }]);
    expect(loadAll(disk, createDeck(1, { databases: 3 }), 1)).toEqual([
      {
        ok: false,
        text: 'shard-000/snapshot-000000000001.snap: it has keys of database 3, and there are 3: raise databases',
        offset: 0,
      },
    ]);
  });

  it('is refused for a file that is not there', () => {
    const outcome = load(createSimulatedDisk(), createDeck(1));
    expect(outcome).toMatchObject({ ok: false, text: expect.stringContaining('ENOENT') });
  });

  it('finds any shard again that chance has made', () => {
    const operation = fc.record({
      key: fc.string({ unit: 'binary', maxLength: 300 }),
      value: fc.string({ maxLength: 200 }),
      database: fc.nat(DATABASES - 1),
      ttl: fc.option(fc.integer({ min: -50_000, max: 500_000_000 })),
      more: fc.option(fc.string({ maxLength: 50 })),
      touched: fc.boolean(),
    });
    const counts = fc.constantFrom(1, 2, 4, 8);
    const policies = fc.nat(POLICY_NAMES.length - 1);
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 120 }),
        counts,
        counts,
        policies,
        (operations, from, to, policy) => {
          const deck = createDeck(from, { policy });
          for (const { key, value, database, ttl, more, touched } of operations) {
            const ref = put(deck, key, value, { database });
            if (more !== null) append(deck, key, ref, Buffer.byteLength(value), more);
            const shard = shardFor(deck, key);
            const at = find(shard, key, { database });
            if (ttl !== null) setExpiry(shard, at, START_MS + ttl);
            if (touched && at !== NONE) touchEntry(shard, at, START_MS);
          }
          const disk = createSimulatedDisk();
          saveAll(disk, deck);
          const other = createDeck(to, { policy });
          loadAll(disk, other, from);
          expect(contentsOf(other.shards)).toEqual(contentsOf(deck.shards));
        },
      ),
      { numRuns: 40 },
    );
  });
});
