/**
 * Whether the records of each shard follow one another without a gap, block after block.
 *
 * Owns the next expected LSN of every shard of the epoch that is being read. Any thread.
 */
import type { SnapshotSet } from './manifest.ts';

/** LSNs are expected from the first one seen in an epoch on, and after the snapshot that recovery starts with. */
export type LsnChain = {
  epoch: number;
  /** By shard of this epoch: the LSN that comes next, or 0 where none was seen. */
  next: number[];
  /** The largest LSN of all epochs. */
  largest: number;
};

/** A chain that goes on from a snapshot set, or from nothing. */
export function createLsnChain(base: SnapshotSet | null): LsnChain {
  const files = base?.files ?? [];
  return {
    epoch: base?.epoch ?? 0,
    next: [],
    largest: files.reduce((largest, { endLsn }) => Math.max(largest, endLsn), 0),
  };
}

/** Goes on with a chunk. Answers what is wrong with it, in words, and leaves the chain as it was then. */
export function followLsns(
  chain: LsnChain,
  base: SnapshotSet | null,
  epoch: number,
  shard: number,
  firstLsn: number,
  records: number,
): string | undefined {
  if (epoch < chain.epoch) return `epoch ${epoch} behind epoch ${chain.epoch}`;
  const due = epoch > chain.epoch ? 0 : (chain.next[shard] ?? 0);
  const dueMost = due > 0 ? due : firstDue(base, epoch, shard);
  if ((due > 0 && firstLsn !== due) || firstLsn > dueMost) {
    return `LSN ${dueMost} of shard ${shard} comes next, and ${firstLsn} stands here`;
  }
  if (epoch > chain.epoch) {
    chain.epoch = epoch;
    chain.next = [];
  }
  chain.next[shard] = firstLsn + records;
  if (firstLsn + records - 1 > chain.largest) chain.largest = firstLsn + records - 1;
  return undefined;
}

/** The largest LSN that a shard's first record may have: behind a snapshot of the same epoch nothing is left out. */
function firstDue(base: SnapshotSet | null, epoch: number, shard: number): number {
  const file = base?.epoch === epoch ? base.files.find((candidate) => candidate.shard === shard) : undefined;
  return file === undefined ? Number.POSITIVE_INFINITY : file.startLsn + 1;
}
