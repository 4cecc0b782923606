/**
 * A key's place in the fixed order by which keys are sampled: its slot's rank first, then bits of its hash. Pure; any thread.
 *
 *   29                     16 15                      0
 *  ┌─────────────────────────┬─────────────────────────┐
 *  │ rank of the slot        │ from the hash           │
 *  └─────────────────────────┴─────────────────────────┘
 *
 * The slot of a key is known anyway, so for nearly all keys that are not sampled one multiplication and one comparison tell.
 * Keys that share a hash tag share a slot: they are sampled together, and a key space of a few tags is sampled badly.
 */
import { assert } from '../base/assert.ts';
import { POINTS } from '../metrics/miss-ratio.ts';
import { SLOT_COUNT } from '../routing/slot.ts';

/** Odd, so that each slot has a rank of its own, and about SLOT_COUNT / golden ratio, so that neighbours are far apart. */
const SPREAD = 10_125;
const RANK_MASK = SLOT_COUNT - 1;
const HASH_BITS = 16;
const HASH_MASK = (1 << HASH_BITS) - 1;

assert(SLOT_COUNT << HASH_BITS === POINTS, 'ranks and hashes make all points');

/** 0 .. SLOT_COUNT - 1, another one for each slot. */
export function rankOfSlot(slot: number): number {
  return (slot * SPREAD) & RANK_MASK;
}

/** Whether keys of this rank may be sampled under a threshold: none are if the first point of the rank is not below it. */
export function mayBeSampled(rank: number, threshold: number): boolean {
  return rank << HASH_BITS < threshold;
}

/** 0 .. 2^30 - 1. */
export function pointOfKey(rank: number, hash: number): number {
  return (rank << HASH_BITS) | (hash & HASH_MASK);
}
