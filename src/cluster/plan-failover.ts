/**
 * Failover: who takes over the slots of nodes that are gone. Pure; the first of the steps of a plan (plan.ts).
 *
 * A slot goes to a node that is alive, was to hold a copy of it or to own it, and has it whole: of those, to the most advanced,
 * by the LSNs of the owner's shard in which the slot was; of equals, to whom the ring likes best. Where one of them has not said
 * yet how far it is, the slot waits. Where nobody has it whole it stays with who had it, unserved, until that node is back or
 * somebody says that it is to be forgotten (forget.ts).
 */
import { NO_NODE } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { preferenceOf } from './placement.ts';
import { nodeName, type Planning, slotsText } from './planning.ts';
import { replicasOf, setOwner } from './topology-draft.ts';

/** By the index of the owner that is gone: what became of its slots. */
type Fate = { readonly heirs: Map<number, number>; awaited: number; lost: number };

/** No node, and that it is too early to say. */
const AWAITED = -1;

/** Gives away what can be given away, and counts what has to wait. */
export function failOver(planning: Planning): void {
  const { draft, isAlive } = planning;
  const fates = new Map<number, Fate>();
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const owner = draft.owners[slot];
    if (owner === NO_NODE || isAlive[owner] === 1) continue;
    const fate = fates.get(owner) ?? { heirs: new Map(), awaited: 0, lost: 0 };
    fates.set(owner, fate);
    const heir = heirOf(planning, slot, owner);
    if (heir === AWAITED) fate.awaited += 1;
    else if (heir === NO_NODE) fate.lost += 1;
    else {
      fate.heirs.set(heir, (fate.heirs.get(heir) ?? 0) + 1);
      setOwner(draft, slot, heir);
    }
  }
  for (const [owner, fate] of fates) tellFate(planning, owner, fate);
}

function heirOf(planning: Planning, slot: number, owner: number): number {
  const { input, draft, isAlive, placement } = planning;
  const target = draft.targets[slot];
  let heir = NO_NODE;
  let heirLsn = -1;
  let isAwaited = false;
  for (const candidate of candidatesFor(replicasOf(draft, slot), target)) {
    if (isAlive[candidate] === 0) continue;
    const progress = input.progress(candidate, owner);
    if (progress === 'awaited') isAwaited = true;
    if (progress === undefined || progress === 'awaited' || progress.isInSync[slot] === 0) continue;
    const lsn = progress.lsns[input.shardsOfSlots(progress.lsns.length)[slot]];
    const isPreferred = preferenceOf(placement, slot, candidate) < preferenceOf(placement, slot, heir);
    if (heir === NO_NODE || lsn > heirLsn || (lsn === heirLsn && isPreferred)) {
      heir = candidate;
      heirLsn = lsn;
    }
  }
  return isAwaited ? AWAITED : heir;
}

/** Who may have the slot besides its owner. */
function candidatesFor(replicas: readonly number[], target: number): readonly number[] {
  return target === NO_NODE || replicas.includes(target) ? replicas : [...replicas, target];
}

function tellFate(planning: Planning, owner: number, { heirs, awaited, lost }: Fate): void {
  const { draft, lines } = planning;
  const name = nodeName(draft, owner);
  planning.awaitedSlots += awaited;
  planning.lostSlots += lost;
  if (heirs.size === 0) return;
  const given = [...heirs].map(([heir, count]) => `${nodeName(draft, heir)} (${count})`).join(', ');
  const count = [...heirs.values()].reduce((sum, one) => sum + one, 0);
  const left = lost === 0 ? '' : `; ${slotsText(lost)} stay unserved, of which nobody else has a whole copy`;
  lines.push(`failover: node ${name} is gone, ${slotsText(count)} of it go to ${given}${left}`);
}
