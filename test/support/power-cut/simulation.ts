/**
 * A seeded life of a data folder: servers that start on it, change things, take snapshots, and end in power cuts, kills and
 * clean stops at any operation of the disk, one after the other. Every start must find what was promised, and a state
 * that once was.
 */
import { LOG_SYNC_MS, LOG_TICK_MS } from '../../../src/config/limits.ts';
import { sliceBounds } from '../../../src/shard/walk-large.ts';
import { withSmallBounds } from '../operations.ts';
import { createRandom, type Random } from '../seeded-random.ts';
import { createSimulatedDisk, DiskStopped, type SimulatedDisk } from '../simulated-disk.ts';
import { doCommand } from './commands.ts';
import { contentsOfShard } from './contents.ts';
import { contentsAfter, createHistory, foldHistory, type History, linesOf, noteDeath } from './history.ts';
import {
  createSimulatedClock,
  endSync,
  endTurn,
  type Machine,
  offerNext,
  type Policy,
  passTime,
  type SimulatedClock,
  SYNC_MS_MAX,
  startMachine,
  stopMachine,
  takeSnapshot,
} from './machine.ts';
import { recover, slotTableFor } from './recovery.ts';

/** What happened in a life, to see that there was something to be lost. */
export type Tally = {
  starts: number;
  powerCuts: number;
  kills: number;
  blocks: number;
  blocksLost: number;
  snapshots: number;
};

type Life = {
  readonly random: Random;
  readonly clock: SimulatedClock;
  readonly history: History;
  readonly shards: number;
  readonly databases: number;
  readonly policy: Policy;
  readonly hasCollections: boolean;
  readonly tally: Tally;
  disk: SimulatedDisk;
};

const SLICE_BYTES = 150;
const TOLD_MAX = 4;
const POLICIES: readonly Policy[] = ['always', 'everysec', 'no'];
const RUNS_MAX = 5;
const STEPS_MAX = 90;
const PASSED_MS_MAX = 500;
/** A run has some hundred operations; one that stops early has not got past its start. */
const OPERATIONS_EARLY = 40;
const OPERATIONS_LATE = 260;
/** What was acknowledged so long before the power went is on the disk under everysec. */
const DURABLE_AFTER_MS = LOG_SYNC_MS + LOG_TICK_MS + 2 * SYNC_MS_MAX;

/** The same, with collections among the keys, of which a few elements make a tree, and a few more a slice of a snapshot. */
export function liveWithCollections(seed: number): Tally {
  const { bytesMax } = sliceBounds;
  sliceBounds.bytesMax = SLICE_BYTES;
  try {
    return withSmallBounds(() => livePowerCuts(seed, true));
  } finally {
    sliceBounds.bytesMax = bytesMax;
  }
}

/** Lives one life. Throws an Error that says what was not as promised. */
export function livePowerCuts(seed: number, hasCollections = false): Tally {
  const random = createRandom(seed);
  const [shards, databases] = [1 + random(3), 1 + random(3)];
  const life: Life = {
    ...{
      random,
      clock: createSimulatedClock(),
      history: createHistory(shards, databases),
      shards,
      databases,
    },
    policy: POLICIES[random(POLICIES.length)],
    hasCollections,
    tally: { starts: 0, powerCuts: 0, kills: 0, blocks: 0, blocksLost: 0, snapshots: 0 },
    disk: createSimulatedDisk(seed),
  };
  for (let runs = 2 + random(RUNS_MAX - 1); runs > 0; runs -= 1) {
    die(life, runUntilDeath(life));
  }
  start(life);
  return life.tally;
}

/** True when the server was stopped as it should be, and so nothing was left to lose. */
function runUntilDeath(life: Life): boolean {
  const { random, disk } = life;
  const operations = random(3) === 0 ? OPERATIONS_EARLY : OPERATIONS_LATE;
  disk.stopAt(disk.operationCount() + random(operations));
  try {
    const machine = start(life);
    for (let steps = random(STEPS_MAX); steps > 0 && isAlive(disk); steps -= 1) step(life, machine);
    if (random(6) !== 0) return false;
    stopMachine(machine);
    return isAlive(disk);
  } catch (error) {
    // The log takes a failing disk for one that may recover, and goes on: what comes of that is no matter.
    if (isAlive(disk)) throw error;
    return false;
  }
}

function isAlive(disk: SimulatedDisk): boolean {
  try {
    return disk.exists('.');
  } catch (error) {
    if (error instanceof DiskStopped) return false;
    throw error;
  }
}

function die(life: Life, isStopped: boolean): void {
  const { random, history, clock, policy, tally, disk } = life;
  if (isStopped || policy === 'always') noteDeath(history, Infinity);
  else noteDeath(history, policy === 'everysec' ? clock.nowMs - DURABLE_AFTER_MS : -Infinity);
  if (random(5) < 2) {
    life.disk = disk.kill();
    tally.kills += 1;
    return;
  }
  history.killFloor = history.powerFloor;
  life.disk = disk.crash(random);
  tally.powerCuts += 1;
}

/** Recovers, compares, and begins to log. */
function start(life: Life): Machine {
  const { disk, clock, random, history, shards, databases, policy, hasCollections, tally } = life;
  const { state, buffers, nextEpoch, nextBlock, shards: found } = recover(disk, clock, shards, databases);
  const last = nextBlock - 1;
  const { killFloor } = history;
  if (last < killFloor)
    throw new Error(`the log ends with block ${last}, and up to ${killFloor} was promised`);
  const wanted = linesOf(contentsAfter(history, last));
  const held = linesOf(found.map(contentsOfShard));
  const [isWanted, isHeld] = [new Set(wanted), new Set(held)];
  const wrong = [
    ...wanted.filter((line) => !isHeld.has(line)).map((line) => `lacks ${line}`),
    ...held.filter((line) => !isWanted.has(line)).map((line) => `has ${line}`),
  ];
  if (wrong.length > 0) throw new Error(`after block ${last} it ${wrong.slice(0, TOLD_MAX).join('\n')}`);
  tally.starts += 1;
  tally.blocks += last - history.baseBlock;
  tally.blocksLost += history.blocks.filter(({ block }) => block > last).length;
  foldHistory(history, last);
  const slotShard = slotTableFor(shards);
  const streams = 1 + random(3);
  const common = { disk, state, random, clock, policy, history, hasCollections, slotShard, buffers };
  return startMachine({ ...common, streams, databases, nextEpoch, nextBlock });
}

function step(life: Life, machine: Machine): void {
  const { random, tally } = life;
  if (!machine.isSnapshotRunning && random(40) === 0) {
    takeSnapshot(machine, () => {
      for (let steps = random(4); steps > 0; steps -= 1) work(life, machine);
    });
    tally.snapshots += 1;
  } else work(life, machine);
}

function work({ random }: Life, machine: Machine): void {
  const stream = random(machine.writers.length);
  const choice = random(20);
  if (choice < 9) doCommand(machine, stream);
  else if (choice < 14) endTurn(machine, stream);
  else if (choice < 17) passTime(machine, 1 + random(PASSED_MS_MAX));
  else if (choice < 19) endSync(machine);
  else if (!machine.isSnapshotRunning && random(8) === 0) offerNext(machine, stream);
}
