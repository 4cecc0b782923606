/** A thread dies at every single write that an operation makes: the shard is mended, and forgets rather than lies. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { checkShard } from '../../src/shard/check.ts';
import { drainDoomed, flushDatabase, keyCount, swapDatabases } from '../../src/shard/databases.ts';
import { expiresAt, valueLength } from '../../src/shard/entry.ts';
import { expireDue } from '../../src/shard/housekeeping.ts';
import { findEntry, putCopy, putString, resizeValue, scanBucket, writeValue } from '../../src/shard/keyspace.ts';
import { NONE } from '../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import { changePolicy, migrateRecency } from '../../src/shard/migration.ts';
import { ALL_LRU, NO_EVICTION, VOLATILE_LRU } from '../../src/shard/policy.ts';
import { touchEntry } from '../../src/shard/recency.ts';
import { mendShard } from '../../src/shard/recover.ts';
import {
  createShardBuffers,
  formatShard,
  openShard,
  type Shard,
  type ShardBuffers,
  type ShardOptions,
} from '../../src/shard/shard.ts';
import { copyBuffers, DEATH, type Lifetime, mortalBytes, openDying } from '../support/dying-shard.ts';
import { find, keyText, set, START_MS, stillClock, valueText } from '../support/shard.ts';

const DATABASES = 3;
const LIFE = 1_000_000;

/** What a thread does until it dies. `bytes` makes keys and values that can be copied into its shard. */
type Deed = (shard: Shard, bytes: (text: string) => Buffer) => void;

type Story = {
  readonly name: string;
  readonly options?: Partial<ShardOptions>;
  readonly before: (shard: Shard) => void;
  readonly deed: Deed;
  /** Keys (`database/key`) that the deed writes although they end as they were. */
  readonly rewritten?: readonly string[];
  /** Whether any key may be found gone: true for a deed that empties a database. */
  readonly isAtomic?: boolean;
};

/** Keys of every database, as `database/key`, with value and deadline. */
type Contents = Map<string, string>;

const OPTIONS: ShardOptions = {
  capacityBytes: 64 * 1024,
  limitBytes: 64 * 1024,
  keysMax: 0,
  policy: ALL_LRU,
  databases: DATABASES,
  lfuLogFactor: 10,
  lfuDecayMinutes: 1,
  holdSampling: 64,
  seed: 20_260_101,
  nowMs: START_MS,
};

/** Words of which each looks like the SHAPE of a narrow entry of table 1. */
const MIMICRY = Buffer.from('\u0001\u0010\u0000\u0000'.repeat(200));

function put(shard: Shard, bytes: (text: string) => Buffer, key: string, value: string, expiresAtMs = 0): number {
  const keyBytes = bytes(key);
  const valueBytes = bytes(value);
  return putString(shard, 0, keyBytes, 0, keyBytes.length, valueBytes, 0, valueBytes.length, expiresAtMs, START_MS);
}

function refOf(shard: Shard, bytes: (text: string) => Buffer, key: string): number {
  const keyBytes = bytes(key);
  return findEntry(shard, 0, keyBytes, 0, keyBytes.length, START_MS);
}

function fewKeys(shard: Shard): void {
  for (let i = 0; i < 5; i += 1) {
    set(shard, `plain:${i}`, `value-${i}-`.repeat(i + 1));
    set(shard, `mortal:${i}`, `worth-${i}-`.repeat(3), { expiresAtMs: START_MS + 1000 * 17 ** i });
    set(shard, `other:${i}`, `elsewhere ${i}`, { database: 1 });
  }
}

function changeValue(shard: Shard, bytes: (text: string) => Buffer, key: string, length: number): void {
  const ref = refOf(shard, bytes, key);
  const before = Math.min(valueLength(shard.entries, ref), length);
  const at = resizeValue(shard, ref, length, START_MS);
  const text = bytes('#'.repeat(length - before));
  writeValue(shard, at, before, text, 0, text.length);
}

const stories: Story[] = [
  { name: 'a new key', before: fewKeys, deed: (shard, bytes) => put(shard, bytes, 'new', 'fresh value') },
  {
    name: 'a new key that expires',
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'new', 'v'.repeat(100), START_MS + 5000),
  },
  {
    name: 'a new long key',
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'long'.repeat(100), 'v'.repeat(10)),
  },
  {
    name: 'a new key where a larger value lay whose bytes mimic entries',
    before: (shard) => {
      fewKeys(shard);
      set(shard, '12', MIMICRY);
      set(shard, 'behind', 'x');
      removeEntry(shard, find(shard, '12'));
    },
    deed: (shard, bytes) => {
      put(shard, bytes, 'n1', 'one');
      put(shard, bytes, 'n2', 'two');
      put(shard, bytes, 'n3', 'three');
    },
  },
  {
    name: 'a value of the same length',
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'plain:1', 'VALUE-1-VALUE-1-'),
  },
  {
    name: 'a longer value',
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'mortal:1', 'longer'.repeat(30), START_MS + 9e9),
  },
  {
    name: 'a shorter value that no longer expires',
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'mortal:2', 's'),
  },
  {
    name: 'a value under a long key',
    before: (shard) => {
      fewKeys(shard);
      set(shard, 'long'.repeat(100), 'old');
    },
    deed: (shard, bytes) => put(shard, bytes, 'long'.repeat(100), 'NEW'),
  },
  {
    name: 'a removal',
    before: fewKeys,
    deed: (shard, bytes) => {
      removeEntry(shard, refOf(shard, bytes, 'mortal:3'));
      removeEntry(shard, refOf(shard, bytes, 'plain:3'));
    },
  },
  {
    name: 'an expiry set, changed, removed',
    before: fewKeys,
    deed: (shard, bytes) => {
      setExpiry(shard, refOf(shard, bytes, 'plain:2'), START_MS + 2 ** 33);
      setExpiry(shard, refOf(shard, bytes, 'mortal:1'), START_MS + 2 ** 32 - 100_000);
      setExpiry(shard, refOf(shard, bytes, 'mortal:4'), 0);
    },
  },
  {
    name: 'an expiry under a volatile policy',
    options: { policy: VOLATILE_LRU },
    before: fewKeys,
    deed: (shard, bytes) => {
      setExpiry(shard, refOf(shard, bytes, 'plain:2'), START_MS + 2 ** 33);
      setExpiry(shard, refOf(shard, bytes, 'mortal:4'), 0);
    },
  },
  {
    name: 'uses',
    before: fewKeys,
    deed: (shard, bytes) => {
      for (const key of ['plain:0', 'plain:4', 'mortal:2']) touchEntry(shard, refOf(shard, bytes, key), START_MS + 1);
    },
    rewritten: [],
  },
  {
    name: 'an append that changes the form',
    before: fewKeys,
    deed: (shard, bytes) => changeValue(shard, bytes, 'plain:4', 70),
  },
  {
    name: 'an append within the block',
    before: (shard) => {
      fewKeys(shard);
      changeValue(shard, Buffer.from, 'mortal:1', 200);
    },
    deed: (shard, bytes) => changeValue(shard, bytes, 'mortal:1', 215),
  },
  {
    name: 'an append that takes the free memory behind',
    before: (shard) => {
      fewKeys(shard);
      changeValue(shard, Buffer.from, 'mortal:1', 200);
    },
    deed: (shard, bytes) => changeValue(shard, bytes, 'mortal:1', 2000),
  },
  {
    name: 'an append that moves the value',
    before: (shard) => {
      fewKeys(shard);
      changeValue(shard, Buffer.from, 'mortal:1', 200);
      set(shard, 'wall', 'w');
    },
    deed: (shard, bytes) => changeValue(shard, bytes, 'mortal:1', 2000),
  },
  {
    name: 'a truncation of both forms',
    before: (shard) => {
      fewKeys(shard);
      changeValue(shard, Buffer.from, 'plain:3', 200);
    },
    deed: (shard, bytes) => {
      changeValue(shard, bytes, 'plain:4', 5);
      changeValue(shard, bytes, 'plain:3', 100);
    },
  },
  {
    name: 'copies to a new key and over another',
    before: (shard) => {
      fewKeys(shard);
      changeValue(shard, Buffer.from, 'plain:1', 30);
    },
    deed: (shard, bytes) => {
      for (const [from, to] of [
        ['plain:4', 'copy'],
        ['mortal:1', 'plain:0'],
        ['plain:1', 'raw copy'],
      ]) {
        const key = bytes(to);
        putCopy(shard, 0, key, 0, key.length, shard, refOf(shard, bytes, from), START_MS + 777_777, START_MS);
      }
    },
  },
  {
    name: 'a flush, and a flush of what came after it',
    before: fewKeys,
    deed: (shard, bytes) => {
      flushDatabase(shard, 0);
      put(shard, bytes, 'after', 'the flush');
      flushDatabase(shard, 0);
    },
    rewritten: ['0/after'],
  },
  {
    name: 'a swap of databases',
    before: fewKeys,
    deed: (shard) => swapDatabases(shard, 0, 1),
    isAtomic: true,
  },
  {
    name: 'a swap back',
    before: fewKeys,
    deed: (shard) => swapDatabases(shard, 2, 0),
    isAtomic: true,
  },
  {
    name: 'the draining of a flushed database',
    before: (shard) => {
      for (let i = 0; i < 60; i += 1) set(shard, `flushed:${i}`, 'x', { expiresAtMs: i % 2 ? START_MS + i : 0 });
      flushDatabase(shard, 0);
      fewKeys(shard);
    },
    deed: (shard) => {
      while (drainDoomed(shard, 7));
    },
    rewritten: [],
  },
  {
    name: 'the growth of the index',
    before: (shard) => {
      for (let i = 0; i < 95; i += 1) set(shard, `k${i}`, `${i}`);
    },
    deed: (shard, bytes) => {
      for (let i = 95; i < 99; i += 1) put(shard, bytes, `k${i}`, `${i}`);
    },
  },
  {
    name: 'the shrinking of the index',
    before: (shard) => {
      for (let i = 0; i < 100; i += 1) set(shard, `k${i}`, `${i}`);
      for (let i = 0; i < 60; i += 1) removeEntry(shard, find(shard, `k${i}`));
    },
    deed: (shard, bytes) => {
      for (let i = 60; i < 72; i += 1) removeEntry(shard, refOf(shard, bytes, `k${i}`));
    },
  },
  {
    name: 'an eviction for a new key',
    options: { keysMax: 15 },
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'new', 'fresh'),
  },
  {
    name: 'evictions for a large value',
    options: { limitBytes: 24 * 1024 },
    before: (shard) => {
      for (let i = 0; i < 50; i += 1) set(shard, `k${i}`, `${i}`.repeat(50), { expiresAtMs: i % 3 ? 0 : START_MS + 10 ** 6 });
    },
    deed: (shard, bytes) => put(shard, bytes, 'k40', 'large'.repeat(800)),
  },
  {
    name: 'a compaction for a large value',
    options: { policy: NO_EVICTION, limitBytes: 32 * 1024, capacityBytes: 16 * 1024 },
    before: (shard) => {
      for (let i = 0; set(shard, `k${i}`, `${i % 10}`.repeat(80), { expiresAtMs: i % 3 ? 0 : START_MS + 10 ** 6 }); i += 1);
      for (let i = 0; i < 400; i += 2) {
        const ref = find(shard, `k${i}`);
        if (ref !== NONE) removeEntry(shard, ref);
      }
    },
    deed: (shard, bytes) => put(shard, bytes, 'large', 'large'.repeat(100)),
  },
  {
    name: 'active expiry with buckets handed down',
    before: (shard) => {
      fewKeys(shard);
      for (let i = 0; i < 9; i += 1) set(shard, `due:${i}`, 'x', { expiresAtMs: START_MS + i * 500 });
    },
    deed: (shard) => {
      for (const afterMs of [300, 3_000, 9_000]) expireDue(shard, START_MS + afterMs, 5);
    },
  },
  {
    name: 'changes of policy there and back',
    before: fewKeys,
    deed: (shard, bytes) => {
      changePolicy(shard, VOLATILE_LRU);
      migrateRecency(shard, 6);
      touchEntry(shard, refOf(shard, bytes, 'mortal:2'), START_MS + 1);
      migrateRecency(shard, 100);
      changePolicy(shard, ALL_LRU);
      touchEntry(shard, refOf(shard, bytes, 'mortal:3'), START_MS + 1);
      changePolicy(shard, VOLATILE_LRU);
      migrateRecency(shard, 100);
    },
    rewritten: [],
  },
];

describe('recover', () => {
  it.each(stories)('a death at any write of $name leaves a whole shard that tells the truth', (story) => {
    const image = createShardBuffers({ ...OPTIONS, ...story.options });
    const first = openShard(image, 0, 1, stillClock);
    formatShard(first, START_MS);
    story.before(first);
    expect(checkShard(first)).toBeUndefined();
    const before = contentsOf(first);
    const whole = liveAndDie(story, image, LIFE);
    const after = contentsOf(whole.shard);
    expect(checkShard(whole.shard)).toBeUndefined();
    for (let writes = 0; writes < whole.made; writes += 1) {
      const { shard } = liveAndDie(story, image, writes);
      mendShard(shard, START_MS);
      const at = `after ${writes} of ${whole.made} writes`;
      expect(checkShard(shard), at).toBeUndefined();
      expectTruth(story, before, after, contentsOf(shard), at);
      liveOn(shard, at);
    }
  });
});

/** The shard as the thread leaves it that dies after so many writes. */
function liveAndDie(story: Story, image: ShardBuffers, writes: number): { shard: Shard; made: number } {
  const shard = openShard(copyBuffers(image), 0, 1, stillClock);
  const lifetime: Lifetime = { left: writes, made: 0 };
  try {
    story.deed(openDying(shard, lifetime), (text) => mortalBytes(text, lifetime));
  } catch (error) {
    if (error !== DEATH) throw error;
  }
  return { shard, made: lifetime.made };
}

function contentsOf(shard: Shard): Contents {
  const contents: Contents = new Map();
  for (let database = 0; database < DATABASES; database += 1) {
    let position = 0;
    do {
      position = scanBucket(shard, database, position, (ref) => {
        const name = `${database}/${keyText(shard, ref)}`;
        expect(contents.has(name), `${name} is there twice`).toBe(false);
        contents.set(name, `${valueText(shard, ref)} until ${expiresAt(shard.entries, ref)}`);
      });
    } while (position < 2 ** 32);
  }
  return contents;
}

function expectTruth(story: Story, before: Contents, after: Contents, found: Contents, at: string): void {
  if (story.isAtomic) {
    const asBefore = [...before].every(([name, state]) => found.get(name) === state);
    expect(found, at).toEqual(asBefore ? before : after);
    return;
  }
  for (const name of found.keys()) {
    const known = before.has(name) || after.has(name) || story.rewritten?.includes(name);
    expect(known, `${at}: ${name} was never there`).toBe(true);
  }
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const states = [before.get(name), after.get(name)];
    const isUntouched = states[0] === states[1] && !story.rewritten?.includes(name);
    if (!isUntouched) states.push(undefined);
    expect(states, `${at}: ${name}`).toContain(found.get(name));
  }
}

/** A mended shard serves on: every database takes keys, is flushed and drained until nothing is left. */
function liveOn(shard: Shard, at: string): void {
  for (let database = 0; database < DATABASES; database += 1) {
    const keys = keyCount(shard, database);
    if (set(shard, 'a new life', 'after death', { database })) {
      expect(valueText(shard, find(shard, 'a new life', { database })), at).toBe('after death');
      if (shard.control[0] === -1) expect(keys).toBe(0);
    }
  }
  expect(checkShard(shard), at).toBeUndefined();
  for (let round = 0; round < DATABASES; round += 1) {
    for (let database = 0; database < DATABASES; database += 1) {
      flushDatabase(shard, database);
      set(shard, 'again', 'again', { database });
    }
  }
  for (let database = 0; database < DATABASES; database += 1) flushDatabase(shard, database);
  while (drainDoomed(shard, 100));
  expect(checkShard(shard), at).toBeUndefined();
  for (let database = 0; database < DATABASES; database += 1) expect(keyCount(shard, database), at).toBe(0);
}
