/**
 * The keys of some slots of a shard: visiting them, and letting them go, a slice at a time.
 *
 * Runs on every thread, under the shard's lock, which the caller takes for each slice and gives back in between. A set of slots is a
 * byte for each of the 16384, not 0 for those that belong to it. There are no lists by slot: a walk passes all entries of database 0
 * (the only one of a node of a cluster) in hash order, and takes some 50 ns for each that does not belong to the set.
 *
 * An entry that is there from the first slice to the last is visited at least once, whatever the table does meanwhile: positions are
 * ranges of hashes (`visitGroup`). Twice where groups were merged.
 */
import { tableFor } from './databases.ts';
import { lsnOf } from './entry.ts';
import { CAPACITY_MAX } from './group.ts';
import { removeEntry } from './lifecycle.ts';
import type { Shard } from './shard.ts';
import { slotOfEntry } from './slot-keys.ts';
import { POSITIONS, visitGroup } from './table.ts';

/** Called under the lock: it changes nothing, and the reference is good until it returns. */
export type SlotVisitor = (ref: number, slot: number) => void;

const DATABASE = 0;
/** An empty group takes time, too. */
const GROUP_COST = 1;
const NO_SLOTS = new Uint8Array(0);

/** What `visitOne` works on: one for all walks of a thread, so that none needs a closure of its own. */
const state: { shard: Shard | undefined; filter: Uint8Array; visit: SlotVisitor | undefined; cost: number } =
  {
    shard: undefined,
    filter: NO_SLOTS,
    visit: undefined,
    cost: 0,
  };

/** What of a group is to go, noted first, because a walk of it must change nothing; made when something first has to. */
let doomed: Int32Array | undefined;
let doomedCount = 0;

/**
 * Visits the next entries of these slots from `position` on (0 at first), until `entriesMax` were passed, in the set or not. Returns
 * the position to go on from; POSITIONS (table.ts) is the end. A slice ends between two groups of some 24 entries.
 */
export function visitSlots(
  shard: Shard,
  filter: Uint8Array,
  position: number,
  entriesMax: number,
  visit: SlotVisitor,
): number {
  let next = position;
  let left = entriesMax;
  while (next < POSITIONS && left > 0) {
    next = visitOneGroup(shard, filter, next, visit);
    left -= state.cost;
  }
  return next;
}

/**
 * As `visitSlots`, but removes the entries that were last changed by change number `lsnMax` or one before it: each as a change of its
 * own with its record, of which nobody is told as of a deletion. The caller sees to it that the journal is drained between slices.
 * Some 200 ns an entry.
 */
export function dropSlots(
  shard: Shard,
  filter: Uint8Array,
  position: number,
  entriesMax: number,
  lsnMax: number,
): number {
  doomed ??= new Int32Array(CAPACITY_MAX);
  let next = position;
  let left = entriesMax;
  while (next < POSITIONS && left > 0) {
    doomedCount = 0;
    next = visitOneGroup(shard, filter, next, noteDoomed);
    left -= state.cost;
    for (let index = 0; index < doomedCount; index += 1) {
      if (lsnOf(shard.entries, doomed[index]) <= lsnMax) removeEntry(shard, doomed[index]);
    }
  }
  return next;
}

function visitOneGroup(shard: Shard, filter: Uint8Array, position: number, visit: SlotVisitor): number {
  state.shard = shard;
  state.filter = filter;
  state.visit = visit;
  state.cost = GROUP_COST;
  const next = visitGroup(shard, tableFor(shard, DATABASE), position, visitOne);
  state.shard = undefined;
  state.visit = undefined;
  return next;
}

function visitOne(ref: number): void {
  const { shard, filter, visit } = state;
  if (shard === undefined || visit === undefined) return;
  state.cost += 1;
  const slot = slotOfEntry(shard, ref);
  if (filter[slot] !== 0) visit(ref, slot);
}

function noteDoomed(ref: number): void {
  if (doomed !== undefined) doomed[doomedCount] = ref;
  doomedCount += 1;
}
