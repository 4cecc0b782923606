/**
 * Who is to hold copies of each slot. Pure; a step of a plan (plan.ts).
 *
 * The first of the ring's order besides the owner. Who has a whole copy keeps it until all of those have one, so that a change of the
 * ring never leaves a slot with fewer copies than it had. Where the slot is to move, its next owner is asked for a copy only if there
 * is nobody else: it gets the slot anyway, and then the order is another one.
 */
import { NO_NODE, REPLICAS_MAX } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import type { Placement } from './placement.ts';
import { type Planning, slotsText } from './planning.ts';
import { replicasOf, setReplicas } from './topology-draft.ts';

/** Of all slots whose owner is alive: of the others nobody knows enough. */
export function planReplicas(planning: Planning): void {
  const { draft, isAlive, lines } = planning;
  let changed = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    if (isAlive[draft.owners[slot]] === 0 || isAsWanted(planning, slot)) continue;
    const present = replicasOf(draft, slot);
    const wanted = wantedReplicas(planning, slot, present);
    if (isSameSet(present, wanted)) continue;
    const next = nextReplicas(planning, slot, present, wanted);
    planning.unfinishedSlots += 1;
    if (isSameSet(present, next)) continue;
    setReplicas(draft, slot, next);
    changed += 1;
  }
  if (changed > 0) lines.push(`replicas: ${slotsText(changed)} get other replicas than they had`);
}

/** Whether all is as the ring has it, in its order, as it is with nearly all slots nearly always. */
function isAsWanted({ input, draft, placement }: Planning, slot: number): boolean {
  if (draft.owners[slot] !== placement[0][slot]) return false;
  for (let rank = 0; rank < REPLICAS_MAX; rank++) {
    const wanted = rank < input.replicas ? placement[rank + 1][slot] : NO_NODE;
    if (draft.replicas[rank][slot] !== wanted) return false;
  }
  return true;
}

/** Who is to hold copies in the end, best first. */
function wantedReplicas(planning: Planning, slot: number, present: readonly number[]): readonly number[] {
  const { input, draft, placement } = planning;
  const owner = draft.owners[slot];
  const order = preferredBesides(placement, slot, owner);
  const nextOwner = placement[0][slot];
  if (nextOwner !== owner && !present.includes(nextOwner)) order.push(...order.splice(0, 1));
  return order.slice(0, input.replicas);
}

function preferredBesides(placement: Placement, slot: number, owner: number): number[] {
  const order: number[] = [];
  for (const table of placement) {
    const index = table[slot];
    if (index !== NO_NODE && index !== owner) order.push(index);
  }
  return order;
}

/** Who is to hold copies for now: who is wanted, and who has a whole one until they have. */
function nextReplicas(
  planning: Planning,
  slot: number,
  present: readonly number[],
  wanted: readonly number[],
): readonly number[] {
  const others = present.filter((index) => !wanted.includes(index) && planning.isAlive[index] === 1);
  if (others.length === 0) return wanted;
  const whole = wanted.filter((index) => holdsWhole(planning, slot, index, false));
  if (whole.length === wanted.length) return wanted;
  const kept = others.filter((index) => holdsWhole(planning, slot, index, true));
  const wantedMax = whole.length === 0 && kept.length > 0 ? REPLICAS_MAX - 1 : REPLICAS_MAX;
  return [...wanted.slice(0, wantedMax), ...kept].slice(0, REPLICAS_MAX);
}

/** Whether the node has the slot whole; `otherwise` where it does not say. */
function holdsWhole({ input, draft }: Planning, slot: number, index: number, otherwise: boolean): boolean {
  const progress = input.progress(index, draft.owners[slot]);
  return progress === undefined || progress === 'awaited' ? otherwise : progress.isInSync[slot] !== 0;
}

function isSameSet(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((index) => other.includes(index));
}
