/**
 * The locks of several shards that one command holds at a time: which they are, and what is done about all of them together.
 *
 * One record per thread, filled anew by whoever locks: a command of many keys (many-keys.ts) or a transaction
 * (transaction-run.ts). The locks are taken in ascending order, so that no two threads can wait in a ring. A handler whose keys the
 * tables do not name locks for itself, through `enterShard`: within a transaction it finds the locks held.
 */
import { assert } from '../base/assert.ts';
import { LogBehindError } from '../base/errors.ts';
import { SHARDS_MAX } from '../config/limits.ts';
import { isDrainDue, isDrainOverdue, markGrouped, pendingBytes } from '../shard/journal.ts';
import { LSN } from '../shard/layout.ts';
import { acquireShard, acquireShards, releaseShard } from '../shard/lock.ts';
import type { Shard } from '../shard/shard.ts';
import { noteTouched } from './changes.ts';
import type { Engine } from './engine.ts';
import { noteDelay } from './timing.ts';

/** One byte for each shard; and whether a transaction holds them while its commands run. */
const locking = { wanted: new Uint8Array(SHARDS_MAX), isForTransaction: false };

/** Begins a choice of shards. */
export function wantNone({ shards }: Engine): void {
  // A call of `fill` costs more than a few shards.
  for (let index = 0; index < shards.length; index += 1) locking.wanted[index] = 0;
}

export function wantShard(index: number): void {
  locking.wanted[index] = 1;
}

export function wantAll({ shards }: Engine): void {
  locking.wanted.fill(1, 0, shards.length);
}

export function isWanted(shard: Shard): boolean {
  return locking.wanted[shard.index] === 1;
}

/** Takes the locks that are wanted: all of them, or where it throws none. */
export function acquireWanted({ shards }: Engine): void {
  let index = 0;
  try {
    for (; index < shards.length; index += 1) if (locking.wanted[index] === 1) acquireShard(shards[index]);
  } catch (error) {
    releaseFirst(shards, index);
    throw error;
  }
}

export function releaseWanted({ shards }: Engine): void {
  releaseFirst(shards, shards.length);
}

function releaseFirst(shards: readonly Shard[], count: number): void {
  for (let index = count - 1; index >= 0; index -= 1) {
    if (locking.wanted[index] === 1) releaseShard(shards[index]);
  }
}

/** Has what is pending written, for which the locks are given back and taken again. Main gives up, as for one key (execute.ts). */
export function drainWanted(engine: Engine): void {
  noteWanted(engine);
  if (engine.workerIndex < 0) {
    for (const shard of engine.shards) {
      if (isWanted(shard) && isDrainOverdue(shard)) throw new LogBehindError(shard.index);
    }
    return;
  }
  noteDelay(engine);
  releaseWanted(engine);
  try {
    engine.drainLog();
  } finally {
    acquireWanted(engine);
  }
}

/** The locks are held: whatever changes it is who holds them. */
export function sumOfLsns({ shards }: Engine): number {
  let sum = 0;
  for (let index = 0; index < shards.length; index += 1) {
    if (locking.wanted[index] === 1) sum += shards[index].numbers[LSN];
  }
  return sum;
}

export function isAnyJournalOver({ shards }: Engine, bytes: number): boolean {
  for (let index = 0; index < shards.length; index += 1) {
    if (locking.wanted[index] === 1 && pendingBytes(shards[index]) > bytes) return true;
  }
  return false;
}

/** The records of a change over several shards get into the log together or not at all: also where one's are missing. */
export function groupWanted({ shards }: Engine): void {
  let changed = 0;
  for (let index = 0; index < shards.length; index += 1) {
    if (locking.wanted[index] === 1 && isDrainDue(shards[index])) changed += 1;
  }
  if (changed < 2) return;
  for (let index = 0; index < shards.length; index += 1) {
    if (locking.wanted[index] === 1 && isDrainDue(shards[index])) markGrouped(shards[index]);
  }
}

/** Also what others have left pending: no reply shows what is not in the log when it leaves. */
export function noteWanted({ shards, changes }: Engine): void {
  for (let index = 0; index < shards.length; index += 1) {
    if (locking.wanted[index] === 1 && isDrainDue(shards[index])) noteTouched(changes, shards[index]);
  }
}

/** Says whether a transaction holds the wanted locks: handlers then take none and give none back. */
export function setLocksKept(isKept: boolean): void {
  locking.isForTransaction = isKept;
}

/** Whether a transaction holds locks on this thread. */
export function areLocksKept(): boolean {
  return locking.isForTransaction;
}

/** Takes a shard's lock for a handler that locks for itself. */
export function enterShard(shard: Shard): void {
  if (!locking.isForTransaction) acquireShard(shard);
  else assert(isWanted(shard), 'a transaction holds what its commands lock');
}

export function leaveShard(shard: Shard): void {
  if (!locking.isForTransaction) releaseShard(shard);
}

/** Takes the locks of all shards. Nothing may throw or await before they are given back. */
export function enterAllShards(shards: readonly Shard[]): void {
  if (!locking.isForTransaction) acquireShards(shards);
  else assert(shards.every(isWanted), 'a transaction holds what its commands lock');
}

export function leaveAllShards(shards: readonly Shard[]): void {
  if (locking.isForTransaction) return;
  for (let index = shards.length - 1; index >= 0; index -= 1) releaseShard(shards[index]);
}
