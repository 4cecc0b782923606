/**
 * What other threads ask of this one for the commands about the server, and what a thread's own shards take from a
 * changed configuration.
 *
 * Runs on every thread that has an Engine; shards are touched by their owners.
 */
import { applyCollectionThresholds } from '../collections/thresholds.ts';
import { HOUSEKEEPING_SLICE_ENTRIES } from '../config/limits.ts';
import { resetCounters } from '../metrics/counters.ts';
import { resetLatencies } from '../metrics/latencies.ts';
import { resetShardTotals } from '../metrics/shard-reading.ts';
import { isPaused } from '../resilience/pause.ts';
import { HOLD_SAMPLING, LFU_DECAY_MINUTES, LFU_LOG_FACTOR, POLICY } from '../shard/layout.ts';
import { approachLimits } from '../shard/limit-change.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { changePolicy } from '../shard/migration.ts';
import { policyNumber } from '../shard/policy.ts';
import type { Shard } from '../shard/shard.ts';
import { keysMaxOf, ownsShard, shareOf } from '../shard/shares.ts';
import { installAccess } from './acl-access.ts';
import { installClusterStatus } from './cluster-status.ts';
import { installClusterView } from './cluster-view.ts';
import type { Engine } from './engine.ts';
import { installHotKeys } from './hot-keys.ts';
import { lookAtNextKey } from './key-sampling.ts';
import { applyNotifications } from './keyspace-events.ts';
import { installLatencyMonitor } from './latency.ts';
import { installMemoryTopics } from './memory.ts';
import { installSlowLog } from './slow-log.ts';
import { applyThresholds } from './timing.ts';
import { tellKeyEvents } from './told-keys.ts';

/** To all, no payload: CONFIG RESETSTAT. */
export const TOPIC_RESET_STATISTICS = 'reset-stat';
/** To all, with whether due entries are removed actively: DEBUG SET-ACTIVE-EXPIRE. */
export const TOPIC_ACTIVE_EXPIRY = 'active-expiry';

/** Makes this thread answer the topics of this file. Once, at its start. */
export function installServerTopics(engine: Engine): void {
  engine.bus.handle(TOPIC_RESET_STATISTICS, () => resetStatistics(engine));
  engine.bus.handle(TOPIC_ACTIVE_EXPIRY, (isActive) => {
    engine.activeExpiry = isActive === true;
  });
  installAccess(engine);
  installHotKeys(engine);
  installSlowLog(engine);
  installLatencyMonitor(engine);
  installMemoryTopics(engine);
  installClusterView(engine);
  installClusterStatus(engine);
}

/**
 * Puts the configuration in force on this thread and in the shards that it owns: at its start, and after each change. A
 * limit that fell is reached in slices after the return.
 */
export function applyLiveConfig(engine: Engine): void {
  applyNotifications(engine);
  applyThresholds(engine);
  applyCollectionThresholds(engine.config);
  lookAtNextKey(engine);
  for (const shard of ownShards(engine)) applyToShard(engine, shard);
}

function applyToShard(engine: Engine, shard: Shard): void {
  const { config } = engine;
  const { control } = shard;
  acquireShard(shard);
  try {
    control[LFU_LOG_FACTOR] = config.lfuLogFactor;
    control[LFU_DECAY_MINUTES] = config.lfuDecayTime;
    control[HOLD_SAMPLING] = config.lockHoldSampling;
    const policy = policyNumber(config.maxmemoryPolicy);
    if (control[POLICY] !== policy) changePolicy(shard, policy);
  } finally {
    releaseShard(shard);
  }
  settleLimits(engine, shard);
}

/** One slice, and the rest after other clients' turns. Two of these at once do no harm: both heed the latest limits. */
function settleLimits(engine: Engine, shard: Shard): void {
  const { config, shards } = engine;
  // Nothing is evicted while clients are paused; this comes again behind it.
  if (isPaused(engine.gate, engine.wallMs())) return;
  const limitBytes = shareOf(config.maxmemory, shards.length, shard.index);
  const keysMax = keysMaxOf(config.maxkeys, shards.length, shard.index);
  let more = false;
  acquireShard(shard);
  try {
    more = approachLimits(shard, limitBytes, keysMax, engine.wallMs(), HOUSEKEEPING_SLICE_ENTRIES);
  } finally {
    releaseShard(shard);
  }
  if (engine.keyEvents.length !== 0) tellKeyEvents(engine, undefined, 0);
  if (more) engine.later(() => settleLimits(engine, shard));
}

function resetStatistics(engine: Engine): void {
  resetLatencies(engine.timing.latencies, engine.counters);
  resetCounters(engine.counters);
  engine.resetLogTotals();
  for (const shard of ownShards(engine)) {
    acquireShard(shard);
    try {
      resetShardTotals(shard);
    } finally {
      releaseShard(shard);
    }
  }
}

/** None on the main thread. */
function ownShards({ shards, workerIndex, workerCount }: Engine): Shard[] {
  return shards.filter(({ index }) => ownsShard(workerIndex, workerCount, index));
}
