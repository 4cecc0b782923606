/**
 * What the commands of a thread's turn have left to do for the log: the shards with pending records, and how many writes.
 *
 * One record per thread, emptied at the end of each turn (net/turn-log.ts). Nothing here allocates.
 */
import type { Shard } from '../shard/shard.ts';

export type Changes = {
  /** `touched[0, count)`: shards in whose journals something is pending, each once. */
  readonly touched: Shard[];
  readonly isTouched: Uint8Array;
  count: number;
  /** Commands so far that changed a shard. It only grows, so that a caller sees whether its own did. */
  writes: number;
};

export function createChanges(shards: readonly Shard[]): Changes {
  return { touched: [...shards], isTouched: new Uint8Array(shards.length), count: 0, writes: 0 };
}

/** Notes a shard whose journal is not empty. */
export function noteTouched(changes: Changes, shard: Shard): void {
  if (changes.isTouched[shard.index] === 1) return;
  changes.isTouched[shard.index] = 1;
  changes.touched[changes.count] = shard;
  changes.count += 1;
}

/** Forgets the touched shards: their records were drained. */
export function clearTouched(changes: Changes): void {
  for (let index = 0; index < changes.count; index += 1) changes.isTouched[changes.touched[index].index] = 0;
  changes.count = 0;
}
