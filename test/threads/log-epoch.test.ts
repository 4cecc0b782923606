/**
 * What main does with all streams and all shards: the seal of the log before a snapshot counts, and locks that it takes without
 * waiting long. The workers are buses of this thread, the disk is simulated.
 */
import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SAVE_POINTS_CHECK_MS, SAVE_RETRY_MS } from '../../src/config/limits.ts';
import { beginEpoch, type DiskState, openDiskState } from '../../src/durability/disk-state.ts';
import { breakLog, createLogBoardBuffer, openLogBoard } from '../../src/durability/log-board.ts';
import { createPersistenceBuffer, SNAPSHOT_LAST_FAILED } from '../../src/metrics/persistence.ts';
import { createGateBuffer, GATE_SNAPSHOT, gateReasons } from '../../src/resilience/gate.ts';
import { LOCK } from '../../src/shard/layout.ts';
import { holderOf } from '../../src/shard/lock.ts';
import { MAIN_THREAD_ID, threadIdOfWorker } from '../../src/threads/boot.ts';
import { type Bus, connectPeer, createBus, disconnectPeer, handleTopic } from '../../src/threads/bus.ts';
import { beginBehindSnapshot, forEachLocked, sealStreams } from '../../src/threads/log-epoch.ts';
import { TOPIC_LOG_RESET, TOPIC_LOG_ROTATE, TOPIC_LOG_SEAL } from '../../src/threads/log-topics.ts';
import type { Persistence } from '../../src/threads/persistence.ts';
import { takeSnapshot, watchSavePoints } from '../../src/threads/snapshots.ts';
import { startOf } from '../support/listed-files.ts';
import { createTestShard, START_MS } from '../support/shard.ts';
import { createSimulatedDisk } from '../support/simulated-disk.ts';

const WORKERS = 2;
const ANOTHER_THREAD = 99;
const WRITTEN = { ok: true, startLsn: 0, endLsn: 0, entries: 0, bytes: 4096 };

let main: Bus;
let workers: Bus[];
/** What the workers were asked and what was put in force, in order. */
let events: string[];
let nowMs: number;

beforeEach(() => {
  events = [];
  nowMs = START_MS;
  const fail = (text: string, error: unknown) => {
    throw new Error(text, { cause: error });
  };
  main = createBus(MAIN_THREAD_ID, fail, []);
  workers = Array.from({ length: WORKERS }, (_, index) => createBus(threadIdOfWorker(index), fail, []));
  for (const worker of workers) {
    const { port1, port2 } = new MessageChannel();
    connectPeer(main, { threadId: worker.threadId, port: port1 });
    connectPeer(worker, { threadId: MAIN_THREAD_ID, port: port2 });
  }
});
afterEach(() => {
  vi.useRealTimers();
  for (const worker of workers) disconnectPeer(main, worker.threadId);
});

/** Lets worker `index` answer that it has sealed its stream, or that it cannot. */
function sealsWith(index: number, answer: boolean): void {
  handleTopic(workers[index], TOPIC_LOG_SEAL, () => {
    events.push(`worker ${index} seals`);
    return answer;
  });
}

/** A server that logs on two workers and one shard, of which only what a snapshot needs is there. */
function createLoggingServer() {
  const disk = createSimulatedDisk();
  const state = openDiskState({
    ...disk,
    rename: (from, to) => {
      if (to.includes('manifest')) events.push('manifest');
      disk.rename(from, to);
    },
  });
  const shard = createTestShard();
  const gate = new Int32Array(createGateBuffer());
  const persistence = {
    state,
    gate,
    shards: [shard],
    slotShard: new Uint16Array(16384),
    bus: main,
    board: openLogBoard(createLogBoardBuffer(WORKERS, 1), WORKERS),
    boot: { workerCount: WORKERS, shardBuffers: [undefined] },
    numbers: new Float64Array(createPersistenceBuffer(START_MS)),
    clock: { wallMs: () => nowMs, monotonicMs: () => 0 },
    config: { stopWritesOnBgsaveError: true, save: [{ seconds: 60, changes: 1 }], databases: 1 },
    log: { notice: () => undefined, warning: () => undefined, error: () => undefined },
    jobs: {
      stopping: false,
      options: { waitingMax: 1 },
      pool: {
        queueSize: 0,
        run: async (_: unknown, { name }: { name: string }) =>
          name === 'snapshotShard' ? WRITTEN : { ok: true },
      },
    },
    timers: [],
    queue: Promise.resolve(),
    isLoaded: true,
    isLogging: true,
    epoch: 1,
  } as unknown as Persistence;
  return { persistence, state, gate };
}

/** One whose last snapshot has failed, since a worker could not seal its stream. */
async function createRefusingServer() {
  const server = createLoggingServer();
  beginIn(server.state);
  sealsWith(0, true);
  sealsWith(1, false);
  for (const worker of workers) handleTopic(worker, TOPIC_LOG_ROTATE, () => true);
  expect(await takeSnapshot(server.persistence, 'rewrite', 1)).toMatchObject({ ok: false });
  expect(gateReasons(server.gate) & GATE_SNAPSHOT).not.toBe(0);
  return server;
}

/** The clockwork of the save points, which goes when the test says so. */
function watchWithFakeTimers(persistence: Persistence): void {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  watchSavePoints(persistence);
}

/** The log has begun. */
function beginIn(state: DiskState): void {
  beginEpoch(state, { ...startOf(1), shards: 1 });
  events = [];
}

describe('a snapshot of a server that logs', () => {
  it('counts only when every stream has its log up to there on the disk', async () => {
    const { persistence, state } = createLoggingServer();
    beginIn(state);
    for (const index of [0, 1]) {
      sealsWith(index, true);
      handleTopic(workers[index], TOPIC_LOG_ROTATE, () => true);
    }
    expect(await takeSnapshot(persistence, 'save', 1)).toEqual({ ok: true });
    expect(state.manifest?.snapshot).toMatchObject({ set: 1, verified: true });
    const sealed = events.lastIndexOf('worker 0 seals');
    const alsoSealed = events.lastIndexOf('worker 1 seals');
    // The rotation puts a manifest in force, too: the snapshot's is the first behind both seals.
    const counts = events.indexOf('manifest', Math.min(sealed, alsoSealed));
    expect(Math.min(sealed, alsoSealed)).toBeGreaterThanOrEqual(0);
    expect(counts).toBeGreaterThan(Math.max(sealed, alsoSealed));
  });

  it('fails where a stream cannot be sealed, and what is in force on the disk stays', async () => {
    const { persistence, state, gate } = createLoggingServer();
    beginIn(state);
    sealsWith(0, true);
    sealsWith(1, false);
    for (const worker of workers) handleTopic(worker, TOPIC_LOG_ROTATE, () => true);
    const end = await takeSnapshot(persistence, 'save', 1);
    expect(end).toEqual({ ok: false, text: 'the log cannot be written at present' });
    expect(state.manifest?.snapshot).toBeNull();
    expect(gateReasons(gate) & GATE_SNAPSHOT).not.toBe(0);
  });

  it('that failed refuses writes no longer, once the log has begun anew behind one that is good', async () => {
    const { persistence, gate } = await createRefusingServer();
    for (const worker of workers) handleTopic(worker, TOPIC_LOG_RESET, () => true);
    breakLog(persistence.board, 0);
    await beginBehindSnapshot(persistence, TOPIC_LOG_RESET, () => true);
    expect(gateReasons(gate) & GATE_SNAPSHOT).toBe(0);
    expect(persistence.numbers[SNAPSHOT_LAST_FAILED]).toBe(0);
  });

  it('that failed is taken again after a while: with writes refused, no save point would come due', async () => {
    const { persistence, gate } = await createRefusingServer();
    sealsWith(1, true);
    watchWithFakeTimers(persistence);
    nowMs = START_MS + SAVE_RETRY_MS - 1;
    vi.advanceTimersByTime(SAVE_POINTS_CHECK_MS);
    expect(persistence.snapshot).toBeUndefined();
    nowMs = START_MS + SAVE_RETRY_MS;
    vi.advanceTimersByTime(SAVE_POINTS_CHECK_MS);
    expect(await persistence.snapshot).toEqual({ ok: true });
    expect(gateReasons(gate) & GATE_SNAPSHOT).toBe(0);
    vi.advanceTimersByTime(SAVE_POINTS_CHECK_MS);
    expect(persistence.snapshot).toBeUndefined();
  });

  it.each([{ stopWritesOnBgsaveError: false }, { save: [] }])(
    'that failed refuses writes no longer than the configuration says (%o)',
    async (change) => {
      const { persistence, gate } = await createRefusingServer();
      watchWithFakeTimers(persistence);
      vi.advanceTimersByTime(SAVE_POINTS_CHECK_MS);
      expect(gateReasons(gate) & GATE_SNAPSHOT).not.toBe(0);
      Object.assign(persistence.config, change);
      vi.advanceTimersByTime(SAVE_POINTS_CHECK_MS);
      expect(gateReasons(gate) & GATE_SNAPSHOT).toBe(0);
    },
  );

  it('fails where a worker is gone', async () => {
    const { persistence } = createLoggingServer();
    sealsWith(0, true);
    disconnectPeer(main, threadIdOfWorker(1));
    await expect(sealStreams(persistence)).rejects.toThrow('the log cannot be written at present');
  });
});

describe('main, taking each shard in turn', () => {
  it('waits for a holder without keeping its own loop', async () => {
    const shards = [createTestShard(), createTestShard()];
    Atomics.store(shards[0].control, LOCK, ANOTHER_THREAD);
    let turns = 0;
    const live = () => {
      turns += 1;
      if (turns === 3) Atomics.store(shards[0].control, LOCK, 0);
      else setImmediate(live);
    };
    setImmediate(live);
    const held: number[] = [];
    await forEachLocked(shards, (shard) => held.push(holderOf(shard)));
    expect(turns).toBe(3);
    expect(held).toEqual(shards.map(({ threadId }) => threadId));
    expect(shards.map(holderOf)).toEqual([0, 0]);
  });

  it('gives the lock back when its step fails', async () => {
    const shard = createTestShard();
    const step = () => {
      throw new Error('a step');
    };
    await expect(forEachLocked([shard], step)).rejects.toThrow('a step');
    expect(holderOf(shard)).toBe(0);
  });
});
