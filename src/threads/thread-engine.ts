/**
 * This thread's Engine (commands/engine.ts): the shared memory of the process mapped here, and the bus and the log in the
 * form in which commands know them.
 */
import type { Clock } from '../base/clock.ts';
import { createChanges } from '../commands/changes.ts';
import type { Engine, EngineBus, EngineLog } from '../commands/engine.ts';
import { openLogBoard } from '../durability/log-board.ts';
import { readLog } from '../durability/log-statistics.ts';
import { openCounters } from '../metrics/counters.ts';
import { openShard } from '../shard/shard.ts';
import { MAIN_THREAD_ID, type ProcessBoot, sectionOfThread } from './boot.ts';
import { type Bus, handleTopic, publish, requestAll, requestFrom } from './bus.ts';

/** Maps every shard. `workerIndex` is -1 on the main thread. */
export function createEngine(
  boot: ProcessBoot,
  thread: { readonly threadId: number; readonly workerIndex: number },
  bus: Bus,
  log: EngineLog,
  clock: Clock,
): Engine {
  const { threadId, workerIndex } = thread;
  const shards = boot.shardBuffers.map((buffers, index) => openShard(buffers, index, threadId, clock));
  return {
    threadId,
    workerIndex,
    workerCount: boot.workerCount,
    shards,
    slotShard: new Uint16Array(boot.slotTable),
    config: boot.config,
    counters: openCounters(boot.counters, sectionOfThread(threadId)),
    allCounters: boot.counters,
    bus: engineBus(bus),
    log,
    wallMs: clock.wallMs,
    startedAtMs: boot.startedAtMs,
    runId: boot.runId,
    sessions: new Map(),
    gate: new Int32Array(boot.gate),
    changes: createChanges(shards),
    drainLog: () => undefined,
    persistence: new Float64Array(boot.persistence),
    logReading: () => readLog(openLogBoard(boot.logBoard, boot.workerCount)),
    whenSynced: undefined,
    activeExpiry: true,
    later: (callback) => void setImmediate(callback),
  };
}

function engineBus(bus: Bus): EngineBus {
  return {
    publish: (topic, payload) => publish(bus, topic, payload),
    requestAll: (topic, payload) => requestAll(bus, topic, payload),
    requestMain: async (topic, payload, waitMs) => {
      const reply = await requestFrom(bus, MAIN_THREAD_ID, topic, payload, waitMs);
      if (reply === undefined) throw new Error(`the main thread does not answer '${topic}'`);
      return reply;
    },
    handle: (topic, handler) => handleTopic(bus, topic, handler),
  };
}
