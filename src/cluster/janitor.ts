/**
 * The janitor of a worker: it lets go of keys in slots that are other nodes' and of which this one has no replica either, such as
 * those that it has handed over, or that it finds on its disk when it comes back.
 *
 * Runs on each worker, for the shards that the worker owns. It looks once a second which slots have been strange for JANITOR_DELAY_MS, and
 * sweeps shards that have keys of such slots, a millisecond at a time. What is written to them once a sweep has begun stays, whoever
 * the slots belong to by then. Before the first topology that has this node in it, nothing is strange; slots that nobody owns never are.
 */

import { noteTouched } from '../commands/changes.ts';
import type { Engine } from '../commands/engine.ts';
import { tellKeyEvents } from '../commands/told-keys.ts';
import { HOUSEKEEPING_BURST_MS, WALK_SLICE_ENTRIES } from '../config/limits.ts';
import { JANITOR_DELAY_MS, JANITOR_LOOK_MS } from '../config/limits-cluster.ts';
import { gateReasons } from '../resilience/gate.ts';
import { NO_NODE, type NodeTable, OWN_INDEX, TOPOLOGY_EPOCH } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { isDrainDue } from '../shard/journal.ts';
import { KEYS_LIVE, LSN } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import type { Shard } from '../shard/shard.ts';
import { ownsShard } from '../shard/shares.ts';
import { dropSlots } from '../shard/slots.ts';
import { POSITIONS } from '../shard/table.ts';

export type Janitor = {
  readonly engine: Engine;
  readonly table: NodeTable;
  readonly shards: readonly Shard[];
  /** By slot: since when it has been strange, by the monotonic clock; 0 while it is not. */
  readonly strangeSinceMs: Float64Array;
  /** By slot: whether the sweep takes its keys. */
  readonly slots: Uint8Array;
  /** What the sweep still has to do, the last first; what was changed behind `lsnMax` stays. */
  readonly sweeps: { readonly shard: Shard; readonly lsnMax: number; position: number }[];
  /** Keys that went, and slots that had some, since the latest look that found none. */
  dropped: number;
  cleared: number;
};

/** Looks from now on, as long as the thread lives. */
export function startJanitor(engine: Engine, table: NodeTable): void {
  const janitor = createJanitor(engine, table);
  setInterval(() => lookAround(janitor), JANITOR_LOOK_MS).unref();
}

export function createJanitor(engine: Engine, table: NodeTable): Janitor {
  const { shards, workerIndex, workerCount } = engine;
  return {
    engine,
    table,
    shards: shards.filter(({ index }) => ownsShard(workerIndex, workerCount, index)),
    strangeSinceMs: new Float64Array(SLOT_COUNT),
    slots: new Uint8Array(SLOT_COUNT),
    sweeps: [],
    dropped: 0,
    cleared: 0,
  };
}

/** One look, which may begin a sweep. */
export function lookAround(janitor: Janitor): void {
  const lsns = janitor.shards.map(lsnOfShard);
  // After that: what is written later to slots that are strange now is written because they are strange no more.
  noteStrangers(janitor);
  if (janitor.sweeps.length > 0 || !mayClean(janitor)) return;
  beginSweep(janitor, lsns);
  if (janitor.sweeps.length > 0) sweepOn(janitor);
  else tellCleared(janitor);
}

/** Once, however many sweeps a change of the topology takes. */
function tellCleared(janitor: Janitor): void {
  const { dropped, cleared, engine } = janitor;
  if (dropped > 0) engine.log.notice(`dropped ${dropped} keys of ${cleared} slots that are with other nodes`);
  janitor.dropped = 0;
  janitor.cleared = 0;
}

/** The lock keeps what is read behind it from being read before. */
function lsnOfShard(shard: Shard): number {
  acquireShard(shard);
  const lsn = shard.numbers[LSN];
  releaseShard(shard);
  return lsn;
}

function mayClean({ engine }: Janitor): boolean {
  // Also while the log cannot be written, or clients are paused.
  return gateReasons(engine.gate) === 0;
}

function noteStrangers({ engine, table, strangeSinceMs }: Janitor): void {
  const nowMs = engine.timing.monotonicMs();
  const own = table.words[OWN_INDEX];
  const isMember = own !== NO_NODE && table.numbers[TOPOLOGY_EPOCH] > 0;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const owner = table.owners[slot];
    if (!isMember || table.roles[slot] !== 0 || owner === NO_NODE || owner === own) strangeSinceMs[slot] = 0;
    else if (strangeSinceMs[slot] === 0) strangeSinceMs[slot] = nowMs;
  }
}

/** Counts are read without the lock: what is missed is found the next time. */
function beginSweep(janitor: Janitor, lsns: readonly number[]): void {
  const { engine, shards, slots, sweeps, strangeSinceMs } = janitor;
  const untilMs = engine.timing.monotonicMs() - JANITOR_DELAY_MS;
  slots.fill(0);
  for (const [index, shard] of shards.entries()) {
    let hasKeys = false;
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
      if (strangeSinceMs[slot] === 0 || strangeSinceMs[slot] > untilMs || !shard.slotKeys?.[slot]) continue;
      slots[slot] = 1;
      hasKeys = true;
      janitor.cleared += 1;
    }
    if (hasKeys) sweeps.push({ shard, lsnMax: lsns[index], position: 0 });
  }
}

/** One turn's part of the sweep; the rest follows behind the next reads. */
function sweepOn(janitor: Janitor): void {
  const { engine, sweeps } = janitor;
  const endMs = engine.timing.monotonicMs() + HOUSEKEEPING_BURST_MS;
  while (sweeps.length > 0 && mayClean(janitor)) {
    const sweep = sweeps[sweeps.length - 1];
    sweepSlice(janitor, sweep);
    if (sweep.position >= POSITIONS) sweeps.pop();
    if (engine.timing.monotonicMs() >= endMs) break;
  }
  if (engine.keyEvents.length !== 0) tellKeyEvents(engine, undefined, 0);
  if (engine.changes.count > 0) engine.drainLog();
  if (!mayClean(janitor)) sweeps.length = 0;
  if (sweeps.length > 0) engine.later(() => sweepOn(janitor));
}

function sweepSlice(janitor: Janitor, sweep: Janitor['sweeps'][number]): void {
  const { engine, slots } = janitor;
  const { shard, lsnMax } = sweep;
  acquireShard(shard);
  try {
    const before = shard.control[KEYS_LIVE];
    sweep.position = dropSlots(shard, slots, sweep.position, WALK_SLICE_ENTRIES, lsnMax);
    janitor.dropped += before - shard.control[KEYS_LIVE];
  } finally {
    if (isDrainDue(shard)) noteTouched(engine.changes, shard);
    releaseShard(shard);
  }
}
