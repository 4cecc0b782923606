/**
 * Commands without sockets: the real dispatcher over real shards in one thread, with a clock that tests move.
 *
 * `run` sends one command through the request parser and returns the raw reply, one character per byte.
 */
import { Buffer } from 'node:buffer';
import { expect } from 'vitest';
import { bindSession, createAclAccess, installAccess, isOpenToAll } from '../../src/commands/acl-access.ts';
import { decideUsers, loadUsers } from '../../src/commands/acl-decisions.ts';
import { createBlocking } from '../../src/commands/blocking-state.ts';
import { installBlocking } from '../../src/commands/blocking-topics.ts';
import type { Call } from '../../src/commands/call.ts';
import { createChanges } from '../../src/commands/changes.ts';
import type { ClusterView } from '../../src/commands/cluster-view.ts';
import type { Engine } from '../../src/commands/engine.ts';
import { executeCall } from '../../src/commands/execute.ts';
import { createSampling } from '../../src/commands/key-sampling.ts';
import { createMonitoring } from '../../src/commands/monitoring.ts';
import { createPubSub } from '../../src/commands/pubsub-state.ts';
import '../../src/commands/families.ts';
import { findByName } from '../../src/commands/registry.ts';
import { createSession, type Deferred, type Session } from '../../src/commands/session.ts';
import { TOPIC_JOB_SUBSEQUENCE } from '../../src/commands/strings-lcs.ts';
import { findSubsequence, type SubsequenceRequest } from '../../src/commands/strings-subsequence.ts';
import { createTiming } from '../../src/commands/timing.ts';
import { createTracking } from '../../src/commands/tracking-state.ts';
import { currentSurroundings } from '../../src/config/file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createAccessBuffer } from '../../src/metrics/access-ring.ts';
import { createCountersBuffer, openCounters, openLatencies } from '../../src/metrics/counters.ts';
import { createPersistenceBuffer } from '../../src/metrics/persistence.ts';
import { createSlowLog, createSlowLogIds } from '../../src/metrics/slow-log.ts';
import { createTrackingFilterBuffer, openTrackingFilter } from '../../src/metrics/tracking-filter.ts';
import { createGateBuffer } from '../../src/resilience/gate.ts';
import { createReplyWriter } from '../../src/resp/reply-writer.ts';
import { createRequest, parseRequest } from '../../src/resp/request-parser.ts';
import { fillSlotTable } from '../../src/routing/hash-ring.ts';
import { checkShard } from '../../src/shard/check.ts';
import { createKeyEvents } from '../../src/shard/key-events.ts';
import { policyNumber } from '../../src/shard/policy.ts';
import { createShardBuffers, formatShard, openShard, type Shard } from '../../src/shard/shard.ts';
import { requestBytes } from './request-bytes.ts';
import { START_MS } from './shard.ts';

export type Harness = {
  readonly engine: Engine;
  readonly shards: readonly Shard[];
  /** Executes one command for a client (the first unless another is named) and returns its reply. */
  readonly run: (...args: (string | Buffer)[]) => string;
  readonly runAs: (session: Session, ...args: (string | Buffer)[]) => string;
  readonly connect: () => Session;
  readonly session: Session;
  readonly log: string[];
  /** Deferred replies that have come, in order. */
  readonly deferredReplies: string[];
  /** What was pushed to any client. */
  readonly pushed: string[];
  /** Commands that were put off to the end of a pause. */
  postponements: number;
  /** Commands that were put off until their slots are where they belong. */
  slotWaits: number;
  nowMs: number;
  readonly expectWhole: () => void;
};

export type HarnessOptions = {
  shards?: number;
  flags?: string[];
  shardBytes?: number;
  nowMs?: number;
  /** The clock that commands are timed by. */
  monotonicMs?: () => number;
  /** What the thread knows of the cluster (cluster-table.ts); none by default. */
  cluster?: ClusterView;
  /** Of each shard, in a cluster. */
  backlogBytes?: number;
};

export function createHarness({
  shards: count = 3,
  flags = [],
  shardBytes = 8 * 2 ** 20,
  nowMs = START_MS,
  monotonicMs = () => 0,
  cluster,
  backlogBytes = 64 * 1024,
}: HarnessOptions = {}): Harness {
  const loaded = loadConfig(['--workers', String(count), ...flags], {}, currentSurroundings());
  if (loaded.kind !== 'run') throw new Error('the flags ask for help');
  const { config } = loaded;
  const clock = { wallMs: () => harness.nowMs, monotonicMs: () => 0 };
  const keyEvents = createKeyEvents();
  const shards = Array.from({ length: count }, (_, index) => {
    const buffers = createShardBuffers({
      capacityBytes: shardBytes,
      limitBytes: shardBytes,
      keysMax: config.maxkeys,
      policy: policyNumber(config.maxmemoryPolicy),
      databases: config.databases,
      lfuLogFactor: config.lfuLogFactor,
      lfuDecayMinutes: config.lfuDecayTime,
      holdSampling: config.lockHoldSampling,
      hashKey: [1000 + index, 2000 + index],
      seed: 1000 + index,
      nowMs,
      countsSlots: cluster !== undefined,
      backlogBytes: cluster === undefined ? undefined : backlogBytes,
    });
    const shard = openShard(buffers, index, 1, clock, keyEvents);
    shard.roles = cluster?.table.roles;
    formatShard(shard, nowMs);
    return shard;
  });
  const slotShard = new Uint16Array(16384);
  fillSlotTable(
    shards.map((shard) => ({ id: `shard-${shard.index}` })),
    slotShard,
  );
  const allCounters = createCountersBuffer(1);
  const log: string[] = [];
  const handlers = new Map<string, (payload: unknown, fromThread: number) => unknown>();
  // Jobs run in place.
  handlers.set(TOPIC_JOB_SUBSEQUENCE, (request) => ({
    ok: true,
    result: findSubsequence(request as SubsequenceRequest),
  }));
  const engine: Engine = {
    threadId: 1,
    workerIndex: 0,
    workerCount: count,
    shards,
    slotShard,
    config,
    counters: openCounters(allCounters, 0),
    allCounters,
    timing: createTiming(openLatencies(allCounters, 0), monotonicMs),
    slowThresholdNs: Infinity,
    bus: {
      publish: () => undefined,
      publishTo: (_, topic, payload) => {
        // Every thread is this one.
        const handler = engine.blocking.handlers.get(topic);
        if (handler !== undefined) setImmediate(handler, payload, 1);
        return handler !== undefined;
      },
      requestAll: async (topic, payload) => {
        await undefined;
        return [await handlers.get(topic)?.(payload, 1)];
      },
      requestMain: async (topic, payload) => handlers.get(topic)?.(payload, 1),
      onGone: () => undefined,
      handle: (topic, handler) => void handlers.set(topic, handler),
    },
    log: {
      notice: (text) => void log.push(text),
      warning: (text) => void log.push(text),
      error: (text, error) => void log.push(`${text}: ${String(error)}`),
    },
    wallMs: () => harness.nowMs,
    startedAtMs: nowMs,
    runId: '0'.repeat(40),
    access: createAclAccess(loadUsers(config)),
    sessions: new Map(),
    cluster,
    gate: new Int32Array(createGateBuffer()),
    monitoring: createMonitoring(),
    sampling: createSampling(createAccessBuffer(1, 11, 22), 0, nowMs),
    keyEvents,
    pubsub: createPubSub(),
    blocking: createBlocking(1),
    tracking: createTracking(openTrackingFilter(createTrackingFilterBuffer(count, 11, 22), count, 0), 1),
    changes: createChanges(shards),
    drainLog: () => undefined,
    onLogged: undefined,
    slowLog: createSlowLog(createSlowLogIds()),
    latencyEvents: new Map(),
    persistence: new Float64Array(createPersistenceBuffer(nowMs)),
    logReading: () => [],
    resetLogTotals: () => undefined,
    whenSynced: undefined,
    whenLogged: undefined,
    activeExpiry: true,
    later: (callback) => void setImmediate(callback),
  };
  installAccess(engine);
  decideUsers(engine);
  installBlocking(engine, 0);
  const first = findByName('ping');
  if (first === undefined) throw new Error('there is a PING');
  const reply = createReplyWriter(1024);
  const request = createRequest();
  const deferredReplies: string[] = [];
  const pushed: string[] = [];
  const connect = (): Session => {
    const id = engine.sessions.size + 1;
    const defer = (): Deferred => ({
      resume: (write) => {
        const late = createReplyWriter(64);
        late.protocol = session.protocol;
        write(late);
        deferredReplies.push(late.bytes.toString('latin1', 0, late.length));
      },
    });
    const session = createSession({
      id,
      connection: {
        defer,
        closeAfterReply: () => close(session),
        destroy: () => close(session),
        queryBufferBytes: () => 0,
        queryBufferFreeBytes: () => 0,
        outputBytes: () => 0,
        push: (bytes) => void pushed.push(bytes.toString('latin1')),
        pushBehind: (bytes) => void pushed.push(bytes.toString('latin1')),
        postpone: () => {
          harness.postponements += 1;
        },
        awaitSlot: () => {
          harness.slotWaits += 1;
        },
        places: undefined,
      },
      address: '127.0.0.1:50000',
      localAddress: '127.0.0.1:6379',
      fileDescriptor: 8,
      createdAtMs: harness.nowMs,
      isUnixSocket: false,
      isEncrypted: false,
      database: 0,
      protocol: 2,
      authenticated: isOpenToAll(engine.access),
    });
    bindSession(engine.access, session);
    engine.sessions.set(id, session);
    return session;
  };
  const runAs = (session: Session, ...args: (string | Buffer)[]): string => {
    const input = Buffer.from(requestBytes(...args));
    const bounds = { bulkBytesMax: config.protoMaxBulkLen, argumentsMax: 2 ** 20, authenticated: true };
    const end = parseRequest(request, input, 0, input.length, bounds);
    expect(end).toBe(input.length);
    const call: Call = {
      engine,
      input,
      spans: request.spans,
      count: request.count,
      command: first,
      session,
      reply,
      nowMs: harness.nowMs,
      isDeferred: false,
      shard: shards[0],
    };
    reply.length = 0;
    reply.protocol = session.protocol;
    executeCall(call);
    session.commandsProcessed += 1;
    return reply.bytes.toString('latin1', 0, reply.length);
  };
  const harness: Harness = {
    engine,
    shards,
    connect,
    session: undefined as never,
    runAs,
    run: (...args) => runAs(harness.session, ...args),
    log,
    deferredReplies,
    pushed,
    postponements: 0,
    slotWaits: 0,
    nowMs,
    expectWhole: () => {
      for (const shard of shards) expect(checkShard(shard)).toBeUndefined();
    },
  };
  return Object.assign(harness, { session: connect() });
}

function close(session: Session): void {
  session.closing = true;
}
