/**
 * Deaths told one by one: a deed is done as often as it makes writes, and every time its thread dies one write later.
 * After each the shard is mended, compared with what was there before and what the whole deed leaves, and used on. If
 * its journal claims to be whole, its records replayed give what the shard holds.
 */
import type { Buffer } from 'node:buffer';
import { expect } from 'vitest';
import { checkShard } from '../../src/shard/check.ts';
import { drainDoomed, flushDatabase, keyCount } from '../../src/shard/databases.ts';
import { expiresAt } from '../../src/shard/entry.ts';
import { isJournalBroken, startJournaling } from '../../src/shard/journal.ts';
import { scanBucket } from '../../src/shard/keyspace.ts';
import { LSN } from '../../src/shard/layout.ts';
import { ALL_LRU } from '../../src/shard/policy.ts';
import { mendShard } from '../../src/shard/recover.ts';
import {
  createShardBuffers,
  formatShard,
  openShard,
  type Shard,
  type ShardOptions,
} from '../../src/shard/shard.ts';
import { copyBuffers, DEATH, type Lifetime, likeBuffers, mortalBytes, openDying } from './dying-shard.ts';
import { entriesOf, readRecords, replayAll, take } from './journal.ts';
import { contentText } from './large-collections.ts';
import { find, keyText, START_MS, set, stillClock, valueText } from './shard.ts';

/** Makes keys and values that can be copied into the shard at hand. */
export type ToBytes = (text: string) => Buffer;

export type Story = {
  readonly name: string;
  readonly options?: Partial<ShardOptions>;
  readonly before: (shard: Shard) => void;
  /** What the thread does until it dies. */
  readonly deed: (shard: Shard, bytes: ToBytes) => void;
  /** Keys (`database/key`) that the deed writes although they end as they were. */
  readonly rewritten?: readonly string[];
  /** Whether all that is found must be as before, or all as after. */
  readonly isAtomic?: boolean;
};

/** Keys of every database, as `database/key`, with value and deadline. */
type Contents = Map<string, string>;

const DATABASES = 3;
/** Shards that are used on after their mending, in one story: that costs as much as all the rest. */
const USED_ON_MAX = 20;
const FOR_EVER = 1_000_000_000;

const OPTIONS: ShardOptions = {
  capacityBytes: 64 * 1024,
  limitBytes: 64 * 1024,
  keysMax: 0,
  policy: ALL_LRU,
  databases: DATABASES,
  lfuLogFactor: 10,
  lfuDecayMinutes: 1,
  holdSampling: 64,
  hashKey: [0x0c5e_11a7, 0x51de_ca7e] as const,
  seed: 20_260_101,
  nowMs: START_MS,
  countsSlots: true,
};

/** Lets the thread die at every write of the story's deed; the number of deaths. */
export function tellDeaths(story: Story): number {
  const image = createShardBuffers({ ...OPTIONS, ...story.options });
  const first = openShard(image, 0, 1, stillClock);
  formatShard(first, START_MS);
  startJournaling(first);
  story.before(first);
  expectWholeAt(first, 'before');
  const memory = likeBuffers(image);
  const shard = openShard(memory, 0, 1, stillClock);
  const live = (writes: number) => {
    copyBuffers(image, memory);
    return liveUntil(story, shard, writes);
  };
  const writes = live(FOR_EVER);
  expectWholeAt(shard, 'without a death');
  const replica = createReplica();
  expectSameInLog(shard, replica, 'without a death');
  const before = contentsOf(first);
  const after = contentsOf(shard);
  const useOnEvery = Math.ceil(writes / USED_ON_MAX);
  for (let death = 0; death < writes; death += 1) {
    live(death);
    mendShard(shard, START_MS);
    const at = `after ${death} of ${writes} writes`;
    expectWholeAt(shard, at);
    expectTruth(story, before, after, contentsOf(shard), at);
    expectSameInLog(shard, replica, at);
    if (death === 0 && isJournalBroken(shard)) expect.fail('broken before anything was done');
    if (death % useOnEvery === 0) useOn(shard, at);
  }
  return writes;
}

/** The writes that were made. */
function liveUntil(story: Story, shard: Shard, writes: number): number {
  const lifetime: Lifetime = { left: writes, made: 0 };
  try {
    story.deed(openDying(shard, lifetime), (text) => mortalBytes(text, lifetime));
  } catch (error) {
    if (error !== DEATH) throw error;
  }
  return lifetime.made;
}

/** A shard with room for all that any of the shards holds. */
function createReplica(): Shard {
  return openShard(
    createShardBuffers({ ...OPTIONS, capacityBytes: 2 ** 20, limitBytes: 2 ** 20 }),
    0,
    1,
    stillClock,
  );
}

/** What is pending can be drained, and is all that happened unless the journal says that something is missing. */
function expectSameInLog(shard: Shard, replica: Shard, at: string): void {
  const taken = take(shard);
  readRecords(taken);
  if (isJournalBroken(shard)) return;
  formatShard(replica, START_MS);
  replica.numbers[LSN] = 0;
  replayAll(replica, taken);
  expect(entriesOf(replica), at).toEqual(entriesOf(shard));
  expect(replica.numbers[LSN], at).toBe(shard.numbers[LSN]);
}

function expectWholeAt(shard: Shard, at: string): void {
  const problem = checkShard(shard);
  if (problem !== undefined) expect.fail(`${at}: ${problem}`);
}

function contentsOf(shard: Shard): Contents {
  const contents: Contents = new Map();
  for (let database = 0; database < DATABASES; database += 1) {
    let position = 0;
    do {
      position = scanBucket(shard, database, position, (ref) => {
        const name = `${database}/${keyText(shard, ref)}`;
        if (contents.has(name)) expect.fail(`${name} is there twice`);
        contents.set(name, `${contentText(shard, ref)} until ${expiresAt(shard.entries, ref)}`);
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
  const rewritten = new Set(story.rewritten);
  for (const name of found.keys()) {
    if (!before.has(name) && !after.has(name) && !rewritten.has(name))
      expect.fail(`${at}: ${name} was never there`);
  }
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const state = found.get(name);
    const isWritten = before.get(name) !== after.get(name) || rewritten.has(name);
    if (isWritten && state === undefined) continue;
    if (state !== before.get(name) && state !== after.get(name)) expect.fail(`${at}: ${name} is ${state}`);
  }
}

/** A mended shard serves on: every database takes a key, and all can be flushed again and again. */
function useOn(shard: Shard, at: string): void {
  for (let database = 0; database < DATABASES; database += 1) {
    if (!set(shard, 'a new life', 'after death', { database })) continue;
    if (valueText(shard, find(shard, 'a new life', { database })) !== 'after death') expect.fail(at);
  }
  expectWholeAt(shard, `${at}, used on`);
  for (let round = 0; round < DATABASES; round += 1) {
    for (let database = 0; database < DATABASES; database += 1) {
      flushDatabase(shard, database);
      if (round < DATABASES - 1) set(shard, 'again', 'again', { database });
    }
  }
  while (drainDoomed(shard, 100));
  expectWholeAt(shard, `${at}, flushed`);
  for (let database = 0; database < DATABASES; database += 1) {
    if (keyCount(shard, database) !== 0) expect.fail(`${at}: a flush left keys`);
  }
}
