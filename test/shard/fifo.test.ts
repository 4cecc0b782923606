/** S3-FIFO: whom the queues keep and let go, against a plain model; scans; changes of policy; times and memory. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { FIFO_STEPS_MAX } from '../../src/config/limits.ts';
import { usedCells } from '../../src/shard/arena.ts';
import { checkShard } from '../../src/shard/check.ts';
import { flushDatabase, swapDatabases } from '../../src/shard/databases.ts';
import { isSmall, writeSmall } from '../../src/shard/entry.ts';
import { evictOne, usedBytes } from '../../src/shard/eviction.ts';
import { ghostCells } from '../../src/shard/ghosts.ts';
import { expireDue, keepHouse } from '../../src/shard/housekeeping.ts';
import { resizeValue, writeValue } from '../../src/shard/keyspace.ts';
import {
  CELL_BYTES,
  EVICTED_KEYS,
  GHOST_BUCKETS,
  HEAD_ALL,
  HEAD_SMALL,
  KEYS_LIVE,
  LIMIT_BYTES,
  NONE,
  SMALL_KEYS,
} from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import { approachLimits } from '../../src/shard/limit-change.ts';
import { changePolicy } from '../../src/shard/migration.ts';
import { ALL_LRU, ALL_S3FIFO } from '../../src/shard/policy.ts';
import { FIFO_HITS_MAX, hitsOf, idleSeconds, newerThan, oldestOf } from '../../src/shard/recency.ts';
import { orderByClock } from '../../src/shard/recency-order.ts';
import { mendShard } from '../../src/shard/recover.ts';
import { formatShard, type Shard } from '../../src/shard/shard.ts';
import { createTestShard, expectWhole, find, get, keyText, START_MS, set } from '../support/shard.ts';

const LATER_MS = START_MS + 3_600_000;
const SMALL_PART = 20;
const GHOSTS = 4;

let shard: Shard;
afterEach(() => expectWhole(shard));

/** Keys of a queue, oldest first. */
function order(head: number): string[] {
  const keys: string[] = [];
  for (let ref = oldestOf(shard.entries, head); ref !== head; ref = newerThan(shard.entries, ref))
    keys.push(keyText(shard, ref));
  return keys;
}

function present(keys: readonly string[]): string[] {
  return keys.filter((key) => find(shard, key) !== NONE);
}

/** The policy told plainly, for at most eight keys, all of whose ghosts are in one bucket. Queues have their oldest first. */
type Model = {
  small: string[];
  main: string[];
  hits: Map<string, number>;
  ghosts: string[];
  keysMax: number;
};

function createModel(keysMax: number): Model {
  return { small: [], main: [], hits: new Map(), ghosts: Array(GHOSTS).fill(''), keysMax };
}

function putInModel(model: Model, key: string): void {
  if (model.hits.has(key)) {
    hitModel(model, key);
    return;
  }
  while (model.hits.size >= model.keysMax) removeFromModel(model, chooseInModel(model));
  const ghost = model.ghosts.indexOf(key);
  if (ghost >= 0) model.ghosts[ghost] = '';
  (ghost >= 0 ? model.main : model.small).push(key);
  model.hits.set(key, 0);
}

function hitModel({ hits }: Model, key: string): void {
  const before = hits.get(key);
  if (before !== undefined) hits.set(key, Math.min(FIFO_HITS_MAX, before + 1));
}

function chooseInModel(model: Model): string {
  const { hits, small, main } = model;
  for (;;) {
    const isFromSmall = small.length > Math.max(1, Math.floor(hits.size / SMALL_PART)) || main.length === 0;
    const key = (isFromSmall ? small : main)[0];
    const count = hits.get(key) ?? 0;
    if (count === 0) {
      if (isFromSmall) model.ghosts = [key, ...model.ghosts].slice(0, GHOSTS);
      return key;
    }
    (isFromSmall ? small : main).shift();
    main.push(key);
    hits.set(key, isFromSmall ? 0 : count - 1);
  }
}

function removeFromModel(model: Model, key: string): void {
  model.hits.delete(key);
  model.small = model.small.filter((other) => other !== key);
  model.main = model.main.filter((other) => other !== key);
}

type Step = { readonly kind: 'set' | 'get' | 'delete'; readonly key: string };

function apply(model: Model, { kind, key }: Step): void {
  const ref = find(shard, key);
  expect(ref !== NONE, key).toBe(model.hits.has(key));
  if (kind === 'set') {
    expect(set(shard, key, 'v')).toBe(true);
    putInModel(model, key);
  } else if (kind === 'get') {
    get(shard, key);
    hitModel(model, key);
  } else if (ref !== NONE) {
    removeEntry(shard, ref);
    removeFromModel(model, key);
  }
}

function expectAsModel(model: Model, told: string): void {
  expect(order(HEAD_SMALL), told).toEqual(model.small);
  expect(order(HEAD_ALL), told).toEqual(model.main);
  for (const [key, hits] of model.hits) expect(hitsOf(shard.entries, find(shard, key)), told).toBe(hits);
}

describe('S3-FIFO', () => {
  it('keeps, moves and drops what its model does, in every program of five steps over three keys', () => {
    const steps: Step[] = [...'abc'].flatMap((key) => [
      { kind: 'set', key } as const,
      { kind: 'get', key } as const,
    ]);
    shard = createTestShard({ policy: ALL_S3FIFO, keysMax: 2, limitBytes: 2 ** 15 });
    const lengths = 5;
    for (let program = 0; program < steps.length ** lengths; program += 1) {
      formatShard(shard, START_MS);
      const model = createModel(2);
      let rest = program;
      for (let at = 0; at < lengths; at += 1) {
        apply(model, steps[rest % steps.length]);
        rest = Math.floor(rest / steps.length);
      }
      if (order(HEAD_SMALL).join() !== model.small.join() || order(HEAD_ALL).join() !== model.main.join())
        expectAsModel(model, `program ${program}`);
      if (program % 100 === 0) expectWhole(shard);
    }
  });

  it.each([3, 7, 8])('does what its model does under random programs at a limit of %i keys', (keysMax) => {
    const step = fc.record({
      kind: fc.constantFrom('set', 'set', 'set', 'get', 'get', 'get', 'delete'),
      key: fc.integer({ min: 10, max: 34 }).map((number) => `key${number}`),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 150 }), (steps) => {
        shard = createTestShard({ policy: ALL_S3FIFO, keysMax, capacityBytes: 2 ** 15 });
        const model = createModel(keysMax);
        for (const one of steps) apply(model, one as Step);
        expectAsModel(model, '');
        expectWhole(shard);
      }),
      { numRuns: 80 },
    );
  });

  it('keeps a working set through a scan of ten times as many keys, which LRU does not', () => {
    const kept = [ALL_S3FIFO, ALL_LRU].map((policy) => {
      shard = createTestShard({ policy, keysMax: 1000 });
      const used = Array.from({ length: 700 }, (_, index) => `used${index}`);
      for (const key of used) set(shard, key, 'v');
      for (const key of used) get(shard, key);
      for (let index = 0; index < 10_000; index += 1) set(shard, `scan${index}`, 'v');
      expectWhole(shard);
      return present(used).length;
    });
    // All are in the small queue when it fills, and one eviction takes no more than so many over.
    expect(kept[0]).toBeGreaterThanOrEqual(700 * (1 - 1 / FIFO_STEPS_MAX));
    expect(kept[1]).toBe(0);
  });

  it('takes a key that comes back soon into the main queue', () => {
    shard = createTestShard({ policy: ALL_S3FIFO, keysMax: 8 });
    for (const key of 'abcdefghi') set(shard, key, '');
    expect(present(['a'])).toEqual([]);
    set(shard, 'a', '');
    expect(order(HEAD_ALL)).toEqual(['a']);
    for (const key of 'jklmnopq') set(shard, key, '');
    expect(order(HEAD_ALL)).toEqual(['a']);
  });

  it('stores every key, of which one that nobody asks for is the next to go', () => {
    shard = createTestShard({ policy: ALL_S3FIFO, keysMax: 40 });
    for (let index = 0; index < 40; index += 1) set(shard, `used${index}`, '');
    for (let index = 0; index < 40; index += 1) get(shard, `used${index}`);
    for (let index = 0; index < 200; index += 1) {
      expect(set(shard, `new${index}`, 'value')).toBe(true);
      expect(get(shard, `new${index}`)).toBe('value');
      if (index > 2) expect(shard.control[KEYS_LIVE]).toBe(40);
    }
    expect(shard.numbers[EVICTED_KEYS]).toBe(200);
  });

  it('moves no more than so many entries for one eviction, however much all were used', () => {
    shard = createTestShard({ policy: ALL_S3FIFO });
    for (let index = 0; index < 200; index += 1) set(shard, `k${index}`, '');
    for (let hit = 0; hit < 5; hit += 1) for (let index = 0; index < 200; index += 1) get(shard, `k${index}`);
    const before = order(HEAD_SMALL);
    evictOne(shard, START_MS);
    expect(order(HEAD_SMALL)).toEqual(before.slice(FIFO_STEPS_MAX));
    expect(order(HEAD_ALL)).toEqual(before.slice(1, FIFO_STEPS_MAX));
    expect(shard.control[KEYS_LIVE]).toBe(199);
  });

  it('moves nothing on a hit', () => {
    shard = createTestShard({ policy: ALL_S3FIFO });
    for (const key of 'abc') set(shard, key, '');
    const { words } = shard.entries;
    const before = words.slice();
    get(shard, 'b');
    expect(words.reduce((changed, word, at) => changed + Number(word !== before[at]), 0)).toBe(1);
  });

  it('leaves an entry in its queue when its value grows, shrinks, is appended to or makes room for another', () => {
    shard = createTestShard({ policy: ALL_S3FIFO, keysMax: 6, limitBytes: 2 ** 16 });
    for (const key of 'abcdef') set(shard, key, 'value');
    for (const key of 'ab') get(shard, key);
    set(shard, 'g', 'value');
    expect(order(HEAD_ALL)).toEqual(['a', 'b']);
    for (const key of ['a', 'g']) {
      const small = isSmall(shard.entries, find(shard, key));
      set(shard, key, Buffer.alloc(500, 'v'));
      set(shard, key, 'v');
      const ref = resizeValue(shard, find(shard, key), 3000, START_MS);
      writeValue(shard, ref, 1, Buffer.alloc(2999, 'w'), 0, 2999);
      expect(isSmall(shard.entries, find(shard, key)), key).toBe(small);
      expectWhole(shard);
    }
    while (shard.numbers[EVICTED_KEYS] < 4) set(shard, 'h', Buffer.alloc(usedBytes(shard), 'v'));
  });

  it('counts its queues right through expiry, flushes, swaps and compaction', () => {
    shard = createTestShard({ policy: ALL_S3FIFO, limitBytes: 2 ** 17 });
    for (let index = 0; index < 2000; index += 1) {
      const value = Buffer.alloc((index * 61) % 900, 'v');
      const expiresAtMs = index % 3 === 0 ? START_MS + index : 0;
      expect(set(shard, `k${index}`, value, { expiresAtMs, database: index % 2 })).toBe(true);
      get(shard, `k${index - (index % 7)}`, { database: index % 2 });
      if (index % 100 === 0) {
        expireDue(shard, START_MS + index, 50);
        swapDatabases(shard, 0, 1);
        expectWhole(shard);
      }
      if (index % 500 === 499) flushDatabase(shard, index % 2);
    }
    while (keepHouse(shard, LATER_MS, true));
    expect(order(HEAD_ALL).length + order(HEAD_SMALL).length).toBe(shard.control[KEYS_LIVE]);
  });
});

describe('the check', () => {
  it('finds an entry whose mark belies its queue, a wrong count, and ghosts that no policy wants', () => {
    shard = createTestShard({ policy: ALL_S3FIFO });
    set(shard, 'a', '');
    const ref = find(shard, 'a');
    writeSmall(shard.entries, ref, false);
    expect(checkShard(shard)).toBe('a recency list has a wrong link or mark');
    writeSmall(shard.entries, ref, true);
    shard.control[SMALL_KEYS] = 2;
    expect(checkShard(shard)).toBe('1 entries in the small queue, 2 are counted');
    shard.control[SMALL_KEYS] = 1;
    for (const buckets of [0, shard.ghosts.length]) {
      shard.control[GHOST_BUCKETS] = buckets;
      expect(checkShard(shard)).toMatch(new RegExp(`^${buckets} buckets of ghosts`));
    }
    shard.control[GHOST_BUCKETS] = 1;
  });
});

describe('the order of S3-FIFO made anew', () => {
  it('has everybody in the main queue, the one used last in the end', () => {
    shard = createTestShard({ policy: ALL_S3FIFO, keysMax: 6 });
    for (const [index, key] of [...'abcdefg'].entries())
      set(shard, key, '', { nowMs: START_MS + index * 10_000 });
    get(shard, 'c', { nowMs: START_MS + 100_000 });
    expect(order(HEAD_SMALL)).toEqual([...'bcdefg']);
    orderByClock(shard, START_MS + 200_000);
    expect(order(HEAD_SMALL)).toEqual([]);
    expect(order(HEAD_ALL)).toEqual([...'bdefgc']);
    expectWhole(shard);
  });

  it('after a death keeps each in its queue', () => {
    shard = createTestShard({ policy: ALL_S3FIFO, keysMax: 6 });
    for (const key of 'abcdef') set(shard, key, '');
    for (const key of 'abc') get(shard, key);
    set(shard, 'g', '');
    shard.control[SMALL_KEYS] = 0;
    expect(mendShard(shard, START_MS)).toMatch(
      /in the small queue, 0 are counted; rebuilt with 6 keys, 0 dropped/,
    );
    expect([order(HEAD_ALL).sort(), order(HEAD_SMALL).sort()]).toEqual([
      ['a', 'b', 'c'],
      ['e', 'f', 'g'],
    ]);
    expect(ghostCells(shard)).toBe(1);
  });
});

describe('the times of S3-FIFO', () => {
  it('are those of the last use in steps of four seconds, whatever the second and the hits', () => {
    shard = createTestShard({ policy: ALL_S3FIFO });
    for (let second = 0; second < 8; second += 1) {
      for (let hits = 0; hits < 5; hits += 1) {
        const usedMs = START_MS + second * 1000;
        set(shard, `k${second}:${hits}`, '', { nowMs: usedMs });
        for (let hit = 0; hit < hits; hit += 1) get(shard, `k${second}:${hits}`, { nowMs: usedMs });
        const ref = find(shard, `k${second}:${hits}`);
        for (let idle = 0; idle < 20; idle += 1) {
          const told = idleSeconds(shard, ref, usedMs + idle * 1000);
          expect(told % 4).toBe(0);
          expect(Math.abs(told - idle)).toBeLessThan(4);
          if (idle === 0) expect(told).toBe(0);
        }
      }
    }
  });

  it.each([
    [ALL_LRU, ALL_S3FIFO],
    [ALL_S3FIFO, ALL_LRU],
  ])('pass for those of LRU and the other way round (policy %i, then %i)', (from, to) => {
    shard = createTestShard({ policy: from });
    for (let second = 0; second < 8; second += 1) {
      for (let hits = 0; hits < 5; hits += 1) {
        const usedMs = START_MS + second * 1000;
        set(shard, `k${second}:${hits}`, '', { nowMs: usedMs });
        for (let hit = 0; hit < hits; hit += 1) get(shard, `k${second}:${hits}`, { nowMs: usedMs });
      }
    }
    changePolicy(shard, to);
    for (let second = 0; second < 8; second += 1) {
      for (let hits = 0; hits < 5; hits += 1) {
        const ref = find(shard, `k${second}:${hits}`);
        for (const idle of [0, 1, 2, 3, 100, 10_000_000]) {
          const told = idleSeconds(shard, ref, START_MS + (second + idle) * 1000);
          expect(Math.abs(told - idle)).toBeLessThanOrEqual(6);
        }
      }
    }
  });
});

describe('the memory of S3-FIFO', () => {
  it('is a byte for each key at the limit, and counts as used', () => {
    shard = createTestShard({ policy: ALL_S3FIFO, limitBytes: 2 ** 18 });
    const lru = createTestShard({ policy: ALL_LRU, limitBytes: 2 ** 18 });
    for (let index = 0; index < 9000; index += 1) {
      set(shard, `k${index}`, 'value');
      set(lru, `k${index}`, 'value');
    }
    const keys = shard.control[KEYS_LIVE];
    expect(ghostCells(shard)).toBeLessThanOrEqual(Math.ceil(keys / 7));
    expect(ghostCells(shard)).toBeGreaterThanOrEqual(Math.floor(keys / 8));
    expect(keys).toBeGreaterThan(lru.control[KEYS_LIVE] * 0.98);
    const { entries, groups } = shard;
    expect(usedBytes(shard)).toBe((usedCells(entries) + usedCells(groups) + ghostCells(shard)) * CELL_BYTES);
    expect(usedBytes(shard)).toBeLessThanOrEqual(2 ** 18 + CELL_BYTES);
  });

  it('is given up where keys need it: after a flush and a lower limit every write finds room', () => {
    shard = createTestShard({ policy: ALL_S3FIFO, limitBytes: 2 ** 19 });
    for (let index = 0; index < 9000; index += 1) set(shard, `k${index}`, '');
    const before = ghostCells(shard);
    flushDatabase(shard, 0);
    while (keepHouse(shard, START_MS, true));
    expect(ghostCells(shard)).toBe(before);
    while (approachLimits(shard, 10_000, 0, START_MS, 10));
    expect(shard.numbers[LIMIT_BYTES]).toBe(10_000);
    // The ghosts alone would leave no room for it.
    expect(before * CELL_BYTES + 1500).toBeGreaterThan(10_000);
    expect(set(shard, 'large', Buffer.alloc(1500, 'v'))).toBe(true);
    for (let index = 0; index < 1000; index += 1) expect(set(shard, `n${index}`, 'v')).toBe(true);
    expect(ghostCells(shard)).toBeLessThan(before / 5);
  });
});
