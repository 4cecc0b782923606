/**
 * This thread's Engine (commands/engine.ts): the shared memory of the process mapped here, and the bus and the log in the
 * form in which commands know them.
 */
import { type Clock, sharedMs } from '../base/clock.ts';
import { ShardBusyError } from '../base/errors.ts';
import { createAclAccess } from '../commands/acl-access.ts';
import { createBlocking } from '../commands/blocking-state.ts';
import { createChanges } from '../commands/changes.ts';
import { type ClusterView, createClusterView } from '../commands/cluster-view.ts';
import type { Engine, EngineBus, EngineLog } from '../commands/engine.ts';
import { createSampling } from '../commands/key-sampling.ts';
import { createMonitoring } from '../commands/monitoring.ts';
import { createPubSub } from '../commands/pubsub-state.ts';
import { createTiming } from '../commands/timing.ts';
import { createTracking } from '../commands/tracking-state.ts';
import { MAIN_LOCK_PAUSE_MS, MAIN_LOCK_WAIT_MS } from '../config/limits.ts';
import { openLogBoard } from '../durability/log-board.ts';
import { readLog, resetLogTotals } from '../durability/log-statistics.ts';
import { openCounters, openLatencies } from '../metrics/counters.ts';
import { createSlowLog } from '../metrics/slow-log.ts';
import { openTrackingFilter } from '../metrics/tracking-filter.ts';
import { isPaused } from '../resilience/pause.ts';
import { openPeerBoard } from '../resilience/peer-board.ts';
import { openReplicationBoard } from '../routing/replication-board.ts';
import { createKeyEvents } from '../shard/key-events.ts';
import { openShard } from '../shard/shard.ts';
import { MAIN_THREAD_ID, type ProcessBoot, sectionOfThread, threadIdOfWorker } from './boot.ts';
import { type Bus, handleTopic, publish, publishTo, requestAll, requestFrom } from './bus.ts';

/** Maps every shard. `workerIndex` is -1 on the main thread. */
export function createEngine(
  boot: ProcessBoot,
  thread: { readonly threadId: number; readonly workerIndex: number },
  bus: Bus,
  log: EngineLog,
  clock: Clock,
): Engine {
  const { threadId, workerIndex } = thread;
  const logBoard = openLogBoard(boot.logBoard, boot.workerCount);
  const keyEvents = createKeyEvents();
  const shards = boot.shardBuffers.map((buffers, index) =>
    openShard(buffers, index, threadId, clock, keyEvents),
  );
  const isMain = workerIndex < 0;
  const cluster = clusterViewOf(boot);
  const timing = createTiming(openLatencies(boot.counters, sectionOfThread(threadId)), clock.monotonicMs);
  const gate = new Int32Array(boot.gate);
  for (const shard of shards) {
    shard.delays = timing.delays;
    shard.isPaused = () => isPaused(gate, clock.wallMs());
    shard.roles = cluster?.table.roles;
  }
  if (isMain) for (const shard of shards) shard.lockWaitMs = MAIN_LOCK_WAIT_MS;
  return {
    threadId,
    workerIndex,
    workerCount: boot.workerCount,
    shards,
    slotShard: new Uint16Array(boot.slotTable),
    config: boot.config,
    counters: openCounters(boot.counters, sectionOfThread(threadId)),
    allCounters: boot.counters,
    timing,
    slowThresholdNs: Infinity,
    bus: engineBus(bus),
    log,
    wallMs: clock.wallMs,
    startedAtMs: boot.startedAtMs,
    runId: boot.runId,
    access: createAclAccess(boot.users),
    sessions: new Map(),
    cluster,
    gate,
    monitoring: createMonitoring(),
    sampling: createSampling(boot.accesses, sectionOfThread(threadId), clock.wallMs()),
    keyEvents,
    tracking: createTracking(
      openTrackingFilter(boot.trackingFilter, boot.workerCount, workerIndex),
      threadIdOfWorker(0),
    ),
    pubsub: createPubSub(),
    blocking: createBlocking(threadIdOfWorker(0)),
    changes: createChanges(shards),
    drainLog: () => undefined,
    onLogged: undefined,
    slowLog: createSlowLog(boot.slowLogIds),
    latencyEvents: new Map(),
    persistence: new Float64Array(boot.persistence),
    logReading: () => readLog(logBoard),
    resetLogTotals: () => {
      if (workerIndex >= 0) resetLogTotals(logBoard, workerIndex);
    },
    whenSynced: undefined,
    whenLogged: undefined,
    activeExpiry: true,
    later: (callback) => void setImmediate(isMain ? runPatiently : runNow, callback),
  };
}

function clusterViewOf(boot: ProcessBoot): ClusterView | undefined {
  const { nodeTable, replication, shardBuffers, peerBoard, config } = boot;
  if (nodeTable === undefined) return undefined;
  const board = replication && openReplicationBoard(replication, shardBuffers.length);
  const view = createClusterView(nodeTable, sharedMs, board);
  view.peers = openPeerBoard(peerBoard, config);
  return view;
}

function runNow(callback: () => void): void {
  callback();
}

/** On main, whose wait for a lock is bounded: a slice that found its shard busy has done nothing, and comes again. */
function runPatiently(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    if (!(error instanceof ShardBusyError)) throw error;
    setTimeout(runPatiently, MAIN_LOCK_PAUSE_MS, callback);
  }
}

function engineBus(bus: Bus): EngineBus {
  return {
    publish: (topic, payload) => publish(bus, topic, payload),
    publishTo: (threadId, topic, payload) => publishTo(bus, threadId, topic, payload),
    requestAll: (topic, payload) => requestAll(bus, topic, payload),
    requestMain: async (topic, payload, waitMs) => {
      const reply = await requestFrom(bus, MAIN_THREAD_ID, topic, payload, waitMs);
      if (reply === undefined) throw new Error(`the main thread does not answer '${topic}'`);
      return reply;
    },
    onGone: (listener) => void bus.onGone.push(listener),
    handle: (topic, handler) => handleTopic(bus, topic, handler),
  };
}
