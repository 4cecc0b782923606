/**
 * What main does with all streams and all shards: the seal of the log before a snapshot counts, and locks that it takes without
 * waiting long. The workers are buses of this thread, the disk is simulated.
 */
import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beginEpoch, type DiskState, openDiskState } from '../../src/durability/disk-state.ts';
import { createLogBoardBuffer, openLogBoard } from '../../src/durability/log-board.ts';
import { createPersistenceBuffer } from '../../src/metrics/persistence.ts';
import { createGateBuffer, GATE_SNAPSHOT, gateReasons } from '../../src/resilience/gate.ts';
import { LOCK } from '../../src/shard/layout.ts';
import { holderOf } from '../../src/shard/lock.ts';
import { MAIN_THREAD_ID, threadIdOfWorker } from '../../src/threads/boot.ts';
import { type Bus, connectPeer, createBus, disconnectPeer, handleTopic } from '../../src/threads/bus.ts';
import { forEachLocked, sealStreams } from '../../src/threads/log-epoch.ts';
import { TOPIC_LOG_ROTATE, TOPIC_LOG_SEAL } from '../../src/threads/log-topics.ts';
import type { Persistence } from '../../src/threads/persistence.ts';
import { takeSnapshot } from '../../src/threads/snapshots.ts';
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

beforeEach(() => {
  events = [];
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
    clock: { wallMs: () => START_MS, monotonicMs: () => 0 },
    config: { stopWritesOnBgsaveError: true, save: [{ seconds: 60, changes: 1 }] },
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
    queue: Promise.resolve(),
    isLoaded: true,
    isLogging: true,
    epoch: 1,
  } as unknown as Persistence;
  return { persistence, state, gate };
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
