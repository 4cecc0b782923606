/**
 * FLUSHDB and FLUSHALL on a node of a cluster: the keys of its own slots go, what it has of others' slots stays.
 *
 * Runs on the thread of the connection. A shard that has no keys of others is emptied at once, as on a node that is alone. In others
 * the keys that were there go in slices: a walk passes all, each that goes is a change of its own, and after a millisecond other clients get
 * their turn. What is written meanwhile stays, and the reply comes when all has gone; until then readers may still find keys. Within a
 * transaction, and on main, all of it happens at once. What another node takes over meanwhile, and what is being handed over, is its to flush.
 */
import { SLICED_TURN_MS, WALK_SLICE_ENTRIES } from '../config/limits.ts';
import { writeOk } from '../resp/reply-writer.ts';
import { ROLE_HANDING_OVER, ROLE_OWNER } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { flushDatabase, keyCount } from '../shard/databases.ts';
import { isDrainDue, isDrainOverdue, markGrouped } from '../shard/journal.ts';
import { LSN } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { dropSlots } from '../shard/slots.ts';
import { POSITIONS } from '../shard/table.ts';
import { type Call, deferReply } from './call.ts';
import { noteTouched } from './changes.ts';
import type { Engine } from './engine.ts';
import type { Session } from './session.ts';
import { areLocksKept, enterAllShards, enterShard, leaveAllShards, leaveShard } from './shard-locks.ts';
import { tellKeyEvents } from './told-keys.ts';

/** A shard in which keys of others are, and how far its walk is. `lsnMax`: what was changed later stays. */
type Sweep = { readonly shard: Shard; readonly lsnMax: number; position: number };

type Flush = {
  readonly engine: Engine;
  readonly session: Session;
  /** By slot: whether it is to be emptied. */
  readonly slots: Uint8Array;
  /** What the slices still have to do, the last first. */
  readonly sweeps: Sweep[];
};

/** Empties this node's slots, and answers now or later. `finish` is called when they are empty. */
export function flushOwnSlots(call: Call, finish: () => void): void {
  const { engine, session } = call;
  const flush: Flush = { engine, session, slots: new Uint8Array(SLOT_COUNT), sweeps: [] };
  beginFlush(flush);
  const isAtOnce = areLocksKept() || engine.workerIndex < 0;
  do runTurn(flush);
  while (isAtOnce && flush.sweeps.length > 0);
  if (flush.sweeps.length === 0) {
    finish();
    writeOk(call.reply);
    return;
  }
  const deferred = deferReply(call);
  const goOn = (): void => {
    runTurn(flush);
    if (flush.sweeps.length > 0) {
      engine.later(goOn);
      return;
    }
    finish();
    tellEvents(flush);
    deferred.resume((reply) => {
      // The changes were made in earlier turns, yet this is the reply that has to wait until they are safe.
      engine.changes.writes += 1;
      writeOk(reply);
    });
  };
  engine.later(goOn);
}

/** At one moment: empties the shards in which there is nothing else, and notes how far the others' changes are. */
function beginFlush({ engine, slots, sweeps }: Flush): void {
  const { shards, changes } = engine;
  enterAllShards(shards);
  try {
    chooseSlots(engine, slots);
    for (const shard of shards) {
      const keys = keysToGo(shard, slots);
      if (keys === keyCount(shard, 0)) flushDatabase(shard, 0);
      else if (keys > 0) sweeps.push({ shard, lsnMax: shard.numbers[LSN], position: 0 });
    }
  } finally {
    changes.writes += 1;
    for (const shard of shards) {
      if (!isDrainDue(shard)) continue;
      markGrouped(shard);
      noteTouched(changes, shard);
    }
    leaveAllShards(shards);
  }
}

/** What is being handed over has reached its next owner: nothing may change in it here. */
function isOwn(role: number): boolean {
  return (role & (ROLE_OWNER | ROLE_HANDING_OVER)) === ROLE_OWNER;
}

function chooseSlots({ cluster }: Engine, slots: Uint8Array): void {
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    slots[slot] = cluster !== undefined && isOwn(cluster.table.roles[slot]) ? 1 : 0;
  }
}

function keysToGo({ slotKeys }: Shard, slots: Uint8Array): number {
  let keys = 0;
  if (slotKeys === undefined) return keys;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) if (slots[slot] !== 0) keys += slotKeys[slot];
  return keys;
}

/** Slices until the turn's share of time is used. */
function runTurn(flush: Flush): void {
  const { engine, slots, sweeps } = flush;
  const { monotonicMs } = engine.timing;
  const endMs = monotonicMs() + SLICED_TURN_MS;
  // What is handed over waits for the end of every thread's turn.
  keepOwn(engine, slots);
  while (sweeps.length > 0 && monotonicMs() < endMs) runSlice(flush, sweeps[sweeps.length - 1]);
  tellEvents(flush);
}

function tellEvents({ engine, session }: Flush): void {
  if (engine.keyEvents.length !== 0) tellKeyEvents(engine, session, 0);
}

function runSlice({ engine, slots, sweeps }: Flush, sweep: Sweep): void {
  const { shard, lsnMax } = sweep;
  enterShard(shard);
  try {
    sweep.position = dropSlots(shard, slots, sweep.position, WALK_SLICE_ENTRIES, lsnMax);
  } finally {
    if (isDrainDue(shard)) noteTouched(engine.changes, shard);
    leaveShard(shard);
  }
  if (sweep.position >= POSITIONS) sweeps.pop();
  if (!areLocksKept() && isDrainOverdue(shard)) engine.drainLog();
}

/** What is no longer this node's stays as it is. */
function keepOwn({ cluster }: Engine, slots: Uint8Array): void {
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (slots[slot] !== 0 && cluster !== undefined && !isOwn(cluster.table.roles[slot])) slots[slot] = 0;
  }
}
