/**
 * The sampling of keys as commands use them: for the miss-ratio curve a fixed set of keys, all of whose uses are told to main;
 * for the hot keys every so manyth use of any key, counted on this thread.
 *
 * Runs on the thread of the command. For a key that is not sampled both cost a few nanoseconds: a multiplication, a
 * subtraction, two comparisons.
 */
import { randomSeed } from '../base/random.ts';
import {
  type AccessRing,
  DATABASE_EMPTIED,
  hasRoomFor,
  openAccessControl,
  openAccessRing,
  pushAccess,
  SEED_0,
  SEED_1,
  THRESHOLD,
} from '../metrics/access-ring.ts';
import {
  createHotKeySketch,
  drawGap,
  type HotKeySketch,
  noteHotKey,
  tendHotKeys,
} from '../metrics/hot-keys.ts';
import { type Access, createAccess, NO_REFERENCE, READ_HIT, READ_MISS } from '../metrics/miss-ratio.ts';
import { KEYSPACE_HITS, KEYSPACE_MISSES } from '../metrics/names.ts';
import { slotOfKey } from '../routing/slot.ts';
import { blockCells } from '../shard/arena.ts';
import { expiresAt } from '../shard/entry.ts';
import { hashKey } from '../shard/key-hash.ts';
import { findForReading } from '../shard/keyspace.ts';
import { CELL_BYTES, NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { type Call, shardOfKey } from './call.ts';
import type { Engine } from './engine.ts';
import { mayBeSampled, pointOfKey, rankOfSlot } from './sample-point.ts';

export type Sampling = {
  readonly control: Int32Array;
  readonly ring: AccessRing;
  /** Filled anew for each access. */
  readonly access: Access;
  readonly hotKeys: HotKeySketch;
  /** Uses of keys until one is counted for the hot keys. */
  countdown: number;
};

/** A read that has hit the key if it is there. */
const READ_AS_FOUND = -1;

/** While hot keys are not sampled: uses until it is looked again whether they are. */
const COUNTDOWN_OFF = 1 << 20;

/** This thread's end of the sampling: `section` 0 is main, 1 + i worker i. */
export function createSampling(buffer: SharedArrayBuffer, section: number, nowMs: number): Sampling {
  return {
    control: openAccessControl(buffer),
    ring: openAccessRing(buffer, section),
    access: createAccess(),
    hotKeys: createHotKeySketch(randomSeed(), nowMs),
    countdown: 1,
  };
}

/** Whether what the command does to a key of this slot may have to be told (`tellAccess`): it is rarely. */
export function isSampledSlot({ control }: Sampling, slot: number): boolean {
  return mayBeSampled(rankOfSlot(slot), control[THRESHOLD]);
}

/** What a command of one key was to the hit ratio, by the counts of hits and misses before it. */
export function referenceSince({ counters }: Engine, hitsBefore: number, missesBefore: number): number {
  if (counters[KEYSPACE_HITS] !== hitsBefore) return READ_HIT;
  return counters[KEYSPACE_MISSES] !== missesBefore ? READ_MISS : NO_REFERENCE;
}

/**
 * Tells main how the key that is argument `index` stands after the command, if it is a sampled one. `shard` is locked. Some
 * 150 ns for a key that is.
 */
export function tellAccess(call: Call, shard: Shard, index: number, slot: number, reference: number): void {
  const { input, spans, nowMs, engine, session } = call;
  const { control, ring, access } = engine.sampling;
  if (!hasRoomFor(ring)) return;
  const { database } = session;
  const start = spans[2 * index];
  const end = spans[2 * index + 1];
  const seed0 = control[SEED_0] ^ database;
  access.high = hashKey(input, start, end, seed0, control[SEED_1]);
  access.point = pointOfKey(rankOfSlot(slot), access.high);
  if (access.point >= control[THRESHOLD]) return;
  access.low = hashKey(input, start, end, control[SEED_1], seed0);
  const ref = findForReading(shard, database, input, start, end, nowMs);
  const { entries } = shard;
  access.database = database;
  access.reference = reference !== READ_AS_FOUND ? reference : ref === NONE ? READ_MISS : READ_HIT;
  access.bytes = ref === NONE ? 0 : blockCells(entries.words, ref) * CELL_BYTES;
  access.deadlineMs = ref === NONE ? 0 : expiresAt(entries, ref);
  access.atMs = nowMs;
  pushAccess(ring, access);
}

/**
 * Tells main of the sampled ones among the keys of a command of many: `indices[0, count)`, its arguments. Which of them a read
 * has hit shows by what is there afterwards, since it changes nothing.
 */
export function tellAccesses(call: Call, indices: Int32Array, count: number, isRead: boolean): void {
  const { input, spans } = call;
  for (let at = 0; at < count; at += 1) {
    const index = indices[at];
    const slot = slotOfKey(input, spans[2 * index], spans[2 * index + 1]);
    tellAccess(call, shardOfKey(call, index), index, slot, isRead ? READ_AS_FOUND : NO_REFERENCE);
  }
}

/** Tells main that a database was emptied. */
export function noteEmptied({ sampling }: Engine, database: number, nowMs: number): void {
  const { ring, access, control } = sampling;
  if (control[THRESHOLD] === 0 || !hasRoomFor(ring)) return;
  Object.assign(access, { low: 0, high: 0, point: 0, bytes: 0, deadlineMs: 0 });
  access.database = database;
  access.reference = DATABASE_EMPTIED;
  access.atMs = nowMs;
  pushAccess(ring, access);
}

/** Has the next use of a key look whether hot keys are sampled: the configuration may have changed. */
export function lookAtNextKey({ sampling }: Engine): void {
  sampling.countdown = Math.min(sampling.countdown, 1);
}

/** Counts the use of the key that is argument `index` for the hot keys, and decides when the next one is. Some 200 ns, seldom. */
export function countHotKey(call: Call, index: number): void {
  const { input, spans, nowMs, engine, session, command } = call;
  const { sampling } = engine;
  const { control, hotKeys } = sampling;
  if (!engine.config.hotKeySampling) {
    sampling.countdown = COUNTDOWN_OFF;
    return;
  }
  const start = spans[2 * index];
  const end = spans[2 * index + 1];
  const hash = hashKey(input, start, end, control[SEED_0], control[SEED_1]);
  noteHotKey(hotKeys, session.database, input, start, end, hash, command.isWrite);
  tendHotKeys(hotKeys, nowMs);
  sampling.countdown = drawGap(hotKeys);
}
