/**
 * Which slots are to move now. Pure; a step of a plan (plan.ts).
 *
 * A slot that the ring wants elsewhere gets its next owner as its target. The target copies it, and the owner hands it over
 * (hand-over.ts) or, if that fails, keeps it. So many slots at a time, from any one node to any other and in all: what moves is copied
 * besides what else there is to do, and each is asked for with ASK for a moment. A target that is gone, or that the ring does
 * not want any more, is none: the slot stays where it is.
 */
import { CLUSTER_MOVES_MAX, CLUSTER_PAIR_MOVES_MAX } from '../config/limits-cluster.ts';
import { NO_NODE, NODES_MAX } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { nodeName, type Planning, slotsText } from './planning.ts';

/** Slots of each pair of nodes, by `pairOf`: those with a target, and those that got it now. */
type Moves = { readonly begun: Map<number, number>; readonly added: Map<number, number>; total: number };

export function planMoves(planning: Planning): void {
  const moves = callOffMoves(planning);
  const isFull = pairsToWaitFor(moves);
  const { draft, placement, isAlive } = planning;
  const isTaker = takers(planning);
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const owner = draft.owners[slot];
    const next = placement[0][slot];
    if (owner === next || isAlive[owner] === 0) continue;
    planning.unfinishedSlots += 1;
    const pair = pairOf(owner, next);
    const begun = moves.begun.get(pair) ?? 0;
    const isBound =
      isTaker[next] === 0 ||
      isFull.has(pair) ||
      begun >= CLUSTER_PAIR_MOVES_MAX ||
      moves.total >= CLUSTER_MOVES_MAX;
    if (draft.targets[slot] !== NO_NODE || isBound) continue;
    draft.targets[slot] = next;
    moves.begun.set(pair, begun + 1);
    moves.added.set(pair, (moves.added.get(pair) ?? 0) + 1);
    moves.total += 1;
  }
  for (const [pair, count] of moves.added) {
    const [from, to] = [Math.floor(pair / NODES_MAX), pair % NODES_MAX];
    planning.lines.push(
      `moves: ${slotsText(count)} from ${nodeName(draft, from)} to ${nodeName(draft, to)} begin`,
    );
  }
}

/** Takes back the targets that are none any more, and counts the others. */
function callOffMoves(planning: Planning): Moves {
  const { draft, placement, isAlive, lines } = planning;
  const begun = new Map<number, number>();
  let total = 0;
  let calledOff = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const target = draft.targets[slot];
    const owner = draft.owners[slot];
    // Without its owner a slot's target may be who has it whole.
    if (target === NO_NODE || isAlive[owner] === 0) continue;
    if (isAlive[target] === 1 && target === placement[0][slot]) {
      const pair = pairOf(owner, target);
      begun.set(pair, (begun.get(pair) ?? 0) + 1);
      total += 1;
    } else {
      draft.targets[slot] = NO_NODE;
      calledOff += 1;
    }
  }
  if (calledOff > 0)
    lines.push(`moves: ${slotsText(calledOff)} stay where they are, since nobody is to take them`);
  return { begun, added: new Map(), total };
}

/** By index, 1: it may get slots now. One that is about to stop gives its own away, and would get them back at once. */
function takers({ draft, isAlive, input }: Planning): Uint8Array {
  const isTaker = isAlive.slice();
  for (const { id, index } of draft.nodes) if (input.members.get(id)?.isStopping === true) isTaker[index] = 0;
  return isTaker;
}

/** A pair gets new slots when half of its last ones are done: a copy of few slots costs a walk over all keys as one of many does. */
function pairsToWaitFor({ begun }: Moves): Set<number> {
  const busy = [...begun].filter(([, count]) => count > CLUSTER_PAIR_MOVES_MAX / 2);
  return new Set(busy.map(([pair]) => pair));
}

function pairOf(from: number, to: number): number {
  return from * NODES_MAX + to;
}
