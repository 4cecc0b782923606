/**
 * The server: its parts are started in one list and stopped in the reverse list, both in this file. Main thread.
 */
import { randomBytes } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import { hostname } from 'node:os';
import { createCommandRunner } from './admin/command-runner.ts';
import { type LiveSources, startLive } from './admin/live-sources.ts';
import { adminLogger } from './admin/logger.ts';
import type { AdminSources, CreateServer, Readiness } from './admin/sources.ts';
import { assert } from './base/assert.ts';
import type { Clock } from './base/clock.ts';
import { openFilesMax } from './base/open-files.ts';
import { PLACES } from './base/places.ts';
import { randomSeed } from './base/random.ts';
import { type ClusterPart, checkCluster, prepareCluster, startCluster } from './cluster/cluster-part.ts';
import { defaultUser } from './commands/acl-access.ts';
import { decideUsers, loadUsers, type UserDecisions } from './commands/acl-decisions.ts';
import type { User } from './commands/acl-user.ts';
import type { Engine } from './commands/engine.ts';
import { readEngine, tickRates } from './commands/engine-reading.ts';
// Without them, the calls of commands have no names in the metrics.
import './commands/families.ts';
import { gatherInfo } from './commands/info-sources.ts';
import { joinThreads } from './commands/joined-threads.ts';
import {
  type MissRatioWatch,
  missRatioReading,
  tickMissRatio,
  watchMissRatio,
} from './commands/miss-ratio.ts';
import { type ShutdownRequest, TOPIC_SHUTDOWN } from './commands/persistence-topics.ts';
import { applyLiveConfig, installServerTopics } from './commands/server-topics.ts';
import { applyDirectives, type Change, type Config } from './config/config.ts';
import { ACCESS_TICK_MS, JOBS_WAITING_MAX, LONG_JOBS_WAITING_MAX, STOP_MS_MAX } from './config/limits.ts';
import { createLogBoardBuffer } from './durability/log-board.ts';
import { createAccessBuffer } from './metrics/access-ring.ts';
import { createCountersBuffer } from './metrics/counters.ts';
import { createPersistenceBuffer } from './metrics/persistence.ts';
import { RATES_TICK_MS } from './metrics/rates.ts';
import { createSlowLogIds } from './metrics/slow-log.ts';
import { createTrackingFilterBuffer } from './metrics/tracking-filter.ts';
import { parseBindAddress } from './net/bind-address.ts';
import { fitClients } from './net/client-limit.ts';
import { createHttpsServer } from './net/https-server.ts';
import { type ListenerOptions, startListener, stopListener } from './net/listener.ts';
import { closeTlsPort, createTlsKeeper, openTlsPort, settleTls, type TlsKeeper } from './net/tls-keeper.ts';
import { closeGate, createGateBuffer, GATE_LOADING } from './resilience/gate.ts';
import { createPeerBoardBuffer } from './resilience/peer-board.ts';
import { createNodeTableBuffer } from './routing/node-table.ts';
import { createReplicationBuffer } from './routing/replication-board.ts';
import { recoverAfterDeath } from './shard/recover.ts';
import { openShard } from './shard/shard.ts';
import { shardCountFor } from './shard/shares.ts';
import { createBigKeysSearch, stopBigKeysSearch } from './threads/big-keys.ts';
import { MAIN_THREAD_ID, type ProcessBoot, threadIdOfWorker } from './threads/boot.ts';
import { type Bus, createBus, handleTopic } from './threads/bus.ts';
import { decideConfigChanges, followConfigChanges } from './threads/config-changes.ts';
import { createJobs, jobThreads, longJobThreads, serveJobs, stopJobs } from './threads/jobs.ts';
import { type Log, type LogFields, type LogSink, receiveLog } from './threads/log.ts';
import { buryStream, inheritStream } from './threads/logging.ts';
import { requirePermissions } from './threads/permission-model.ts';
import {
  closeFolder,
  createPersistence,
  type OpenedFolder,
  openFolder,
  type Persistence,
} from './threads/persistence.ts';
import {
  callOffSnapshot,
  settleLogging,
  shardCountOf,
  startPersistence,
  stopPersistence,
} from './threads/persistence-life.ts';
import { persistenceChecks } from './threads/readiness.ts';
import { createSettling, type Settling } from './threads/settling.ts';
import { createShards, createSlotTable } from './threads/shards.ts';
import { createEngine } from './threads/thread-engine.ts';
import {
  handSocket,
  openConnections,
  servingWorkers,
  startWorkers,
  stopWorkers,
  type Workers,
} from './threads/workers.ts';

/** What the process edge gives. `requestStop` is called when a client asks for SHUTDOWN. */
export type ServerOptions = {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the lines of the workers go. */
  readonly logSink: LogSink;
  readonly requestStop: (reason: string) => void;
};

export type Server = {
  readonly options: ServerOptions;
  readonly stops: Stop[];
  stopping: boolean;
  /** Whether SHUTDOWN asked for a snapshot, or for none; undefined: as `save` says. */
  saves: boolean | undefined;
  /** Whether the stop has come to its snapshot, which takes as long as it takes. */
  saving: boolean;
  persistence: Persistence | undefined;
  tls: TlsKeeper | undefined;
  users: UserDecisions | undefined;
  cluster: ClusterPart | undefined;
};

/** Stops one part, given so many ms; false where it took force. */
type Stop = (leftMs: number) => unknown;

/** The HTTP side, which is loaded where it is wanted. */
type Pages = typeof import('./admin/app.ts');

const RUN_ID_BYTES = 20;

/**
 * Starts everything; when it resolves, clients are served. Throws a StartError, with everything stopped again, where the
 * configuration asks for what this machine cannot give.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const server: Server = {
    options,
    stops: [],
    stopping: false,
    saves: undefined,
    saving: false,
    persistence: undefined,
    tls: undefined,
    users: undefined,
    cluster: undefined,
  };
  try {
    limitClients(options);
    const folder = takeFolder(server);
    const boot = createProcessBoot(options, folder, loadUsers(options.config));
    const bus = startBus(server);
    const tls = createTlsKeeper(options.config, bus, options.log);
    server.tls = tls;
    const engine = createEngine(
      boot,
      { threadId: MAIN_THREAD_ID, workerIndex: -1 },
      bus,
      options.log,
      options.clock,
    );
    installServerTopics(engine);
    server.users = decideUsers(engine);
    applyLiveConfig(engine);
    followConfigChanges(bus, options.config, () => applyLiveConfig(engine));
    await joinThreads(engine, 0);
    startRates(server, engine);
    const missRatio = startMissRatio(server, engine, boot);
    startJobs(server, bus);
    const persistence = preparePersistence(server, folder, boot, bus, engine);
    const { storage } = folder.state;
    server.cluster = await prepareCluster({ ...options, bus, engine, storage, runId: boot.runId });
    const [workers, pages] = await Promise.all([
      startThreads(server, boot, bus, engine, persistence),
      loadPages(options.config),
    ]);
    if (pages !== undefined) await startHttp(server, pages, engine, workers, missRatio, tls);
    await startDoors(server, engine, workers, tls);
    await startPersistence(persistence);
    server.stops.push(() => callOffSnapshot(persistence));
    // The last to start and the first to stop: while it gives up its slots, clients are still there to be told.
    server.stops.push(startCluster(server.cluster));
  } catch (error) {
    await stopServer(server);
    throw error;
  }
  options.log.notice('ready', readyFields(options.config));
  return server;
}

/**
 * Accepts no more, lets the workers finish what they are answering, and ends them; by force what has not ended after
 * STOP_MS_MAX. Resolves to whether that took no force.
 */
export async function stopServer(server: Server): Promise<boolean> {
  const { monotonicMs } = server.options.clock;
  const deadlineMs = monotonicMs() + STOP_MS_MAX;
  server.stopping = true;
  let graceful = true;
  for (const stop of server.stops.splice(0).reverse()) {
    if ((await stop(Math.max(0, deadlineMs - monotonicMs()))) === false) graceful = false;
  }
  return graceful;
}

function limitClients({ config, log }: ServerOptions): void {
  const filesMax = openFilesMax();
  const change = fitClients(config, filesMax);
  if (change === undefined) return;
  log.warning(
    `maxclients is ${change[1]} instead of ${config.maxclients}: ${filesMax} files may be open (ulimit -n)`,
  );
  applyDirectives(config, [change]);
}

function shardsWanted({ workers, maxmemory, maxkeys }: Config): number {
  return shardCountFor(workers, maxmemory, maxkeys);
}

/** The memory that all threads share. It goes with the process. */
function createProcessBoot(
  { config, clock, log }: ServerOptions,
  folder: OpenedFolder,
  users: Map<string, User>,
): ProcessBoot {
  const wanted = shardsWanted(config);
  const shards = shardCountOf(folder, wanted);
  if (shards !== wanted) log.notice(`the data keeps its ${shards} shards until the next start`);
  const shardBuffers = createShards(config, shards, clock, randomSeed);
  const startedAtMs = clock.wallMs();
  const gate = createGateBuffer();
  // Until what is on the disk is loaded; workers that start before find it closed.
  closeGate(new Int32Array(gate), GATE_LOADING);
  return {
    workerCount: config.workers,
    shardBuffers,
    slotTable: createSlotTable(shardBuffers.length),
    counters: createCountersBuffer(1 + config.workers),
    gate,
    logBoard: createLogBoardBuffer(config.workers, 1),
    accesses: createAccessBuffer(1 + config.workers, randomSeed(), randomSeed()),
    trackingFilter: createTrackingFilterBuffer(config.workers, randomSeed(), randomSeed()),
    slowLogIds: createSlowLogIds(),
    persistence: createPersistenceBuffer(startedAtMs),
    nodeTable: config.clusterEnabled ? createNodeTableBuffer() : undefined,
    replication: config.clusterEnabled
      ? createReplicationBuffer(shardBuffers.length, config.workers)
      : undefined,
    peerBoard: createPeerBoardBuffer(),
    config,
    users,
    startedAtMs,
    runId: randomBytes(RUN_ID_BYTES).toString('hex'),
  };
}

/** Main's ends of the mesh, with what main answers. Its channels end with the workers. */
function startBus(server: Server): Bus {
  const { config, log, logSink, requestStop } = server.options;
  const bus = createBus(MAIN_THREAD_ID, log.error, []);
  receiveLog(bus, logSink);
  decideConfigChanges(
    bus,
    config,
    (changes) => settleChanges(server, changes),
    () => server.users?.configLines() ?? [],
  );
  handleTopic<ShutdownRequest>(bus, TOPIC_SHUTDOWN, ({ saves }) => {
    server.saves = saves;
    requestStop('SHUTDOWN');
    return true;
  });
  return bus;
}

/** What CONFIG SET takes besides on main; resolves to the error to answer. */
async function settleChanges(
  { tls, users, persistence }: Server,
  changes: readonly Change[],
): Promise<string> {
  await users?.settle(changes);
  const trouble = tls === undefined ? '' : await settleTls(tls, changes);
  return trouble === '' && persistence !== undefined ? settleLogging(persistence) : trouble;
}

function startRates(server: Server, engine: Engine): void {
  const timer = setInterval(() => tickRates(engine), RATES_TICK_MS);
  server.stops.push(() => clearInterval(timer));
}

function startMissRatio(server: Server, engine: Engine, { accesses }: ProcessBoot): MissRatioWatch {
  const watch = watchMissRatio(engine, accesses);
  const timer = setInterval(() => tickMissRatio(watch), ACCESS_TICK_MS);
  server.stops.push(() => clearInterval(timer));
  return watch;
}

/** The threads themselves start with the first job. */
function startJobs(server: Server, bus: Bus): void {
  const jobs = createJobs({
    entry: PLACES.workerEntry('job'),
    threadsMax: jobThreads(),
    waitingMax: JOBS_WAITING_MAX,
    log: server.options.log,
  });
  serveJobs(jobs, bus);
  server.stops.push((leftMs) => stopJobs(jobs, leftMs));
}

async function startThreads(
  server: Server,
  boot: ProcessBoot,
  bus: Bus,
  engine: Engine,
  persistence: Persistence,
): Promise<Workers> {
  const { clock, log } = server.options;
  const workers = await startWorkers({
    entry: PLACES.workerEntry('shard'),
    boot,
    bus,
    log,
    monotonicMs: clock.monotonicMs,
    recover: (threadId) => {
      buryStream(persistence, threadId - threadIdOfWorker(0));
      return recoverAfterDeath(engine.shards, threadId, clock.wallMs());
    },
    logSegment: (index) => inheritStream(persistence, index),
  });
  server.stops.push((leftMs) => stopWorkers(workers, leftMs));
  return workers;
}

/** The folder is this process's until it ends. */
function takeFolder(server: Server): OpenedFolder {
  requirePermissions(server.options.config);
  const folder = openFolder();
  server.stops.push(() => closeFolder(folder));
  return folder;
}

function preparePersistence(
  server: Server,
  folder: OpenedFolder,
  boot: ProcessBoot,
  bus: Bus,
  engine: Engine,
): Persistence {
  const { config, clock, log } = server.options;
  const jobs = createJobs({
    entry: PLACES.workerEntry('job'),
    threadsMax: longJobThreads(),
    waitingMax: LONG_JOBS_WAITING_MAX,
    log,
  });
  server.stops.push((leftMs) => stopJobs(jobs, leftMs));
  const { slotShard, gate } = engine;
  // Views of its own, whose wait for a lock has no bound, as those of commands have on main.
  const shards = boot.shardBuffers.map((buffers, index) => openShard(buffers, index, MAIN_THREAD_ID, clock));
  const wantsOtherShards = shards.length !== shardsWanted(config);
  const persistence = createPersistence(folder, {
    ...{ config, clock, log, bus, boot, shards, slotShard, jobs, gate, wantsOtherShards },
  });
  server.persistence = persistence;
  // After the workers, before the jobs and the folder: in reverse.
  server.stops.push(async () => {
    server.saving = true;
    await stopPersistence(persistence, server.saves);
  });
  return persistence;
}

/** What the pages need is loaded on main while the workers load what they need, and only where there are pages. */
async function loadPages({ httpPort, httpTlsPort }: Config): Promise<Pages | undefined> {
  return httpPort === 0 && httpTlsPort === 0 ? undefined : import('./admin/app.ts');
}

/** One app for each address of `http-bind` and each port, plain or encrypted, that is not 0. */
async function startHttp(
  server: Server,
  pages: Pages,
  engine: Engine,
  workers: Workers,
  missRatio: MissRatioWatch,
  tls: TlsKeeper,
): Promise<void> {
  const { config, log } = server.options;
  const live = startLiveSources(server, engine, workers);
  const commands = createCommandRunner(engine, settlingOf(server, engine));
  const exposure = {
    isProtected: () => config.protectedMode,
    hosts: () => config.httpHosts,
    hostname: hostname(),
  };
  const sources: AdminSources = {
    reading: () => readEngine(engine),
    readiness: () => readinessOf(server, workers),
    access: engine.access,
    missRatio: () => missRatioReading(missRatio),
    redisInfo: () => (config.metricsRedisCompat ? gatherInfo(engine) : undefined),
    live,
    commands,
    exposure,
    logger: adminLogger(log),
  };
  await openHttp(server, pages, sources, config.httpPort);
  const createServer: CreateServer = (options, handler) =>
    createHttpsServer(tls, options, handler) as unknown as HttpServer;
  await openHttp(server, pages, { ...sources, createServer }, config.httpTlsPort);
}

/** On all addresses of `http-bind`; on none for port 0. */
async function openHttp(server: Server, pages: Pages, sources: AdminSources, port: number): Promise<void> {
  const { config, log } = server.options;
  if (port === 0) return;
  for (const word of config.httpBind) {
    const { host, isOptional } = parseBindAddress(word);
    const app = pages.createAdminApp(sources);
    server.stops.push(() => app.close());
    try {
      await pages.listenAdmin(app, host, port);
    } catch (error) {
      if (!isOptional) throw error;
      log.verbose((error as Error).message);
    }
  }
}

/** The way of main's changes to the log. */
function settlingOf(server: Server, engine: Engine): Settling {
  assert(server.persistence !== undefined, 'the log is there before the pages');
  const { bus, board } = server.persistence;
  return createSettling(bus, board, engine.workerCount, server.options.clock.monotonicMs);
}

/** After the apps, before the workers: in reverse. */
function startLiveSources(server: Server, engine: Engine, workers: Workers): LiveSources {
  const { clock, log } = server.options;
  assert(server.persistence !== undefined, 'the jobs are there before the pages');
  const { jobs, boot, shards } = server.persistence;
  const bigKeys = createBigKeysSearch({ jobs, buffers: boot.shardBuffers, shards, clock, log });
  const live = startLive(engine, clock, () => readinessOf(server, workers), bigKeys);
  server.stops.push(async (leftMs) => {
    live.stop();
    await stopBigKeysSearch(bigKeys, leftMs);
  });
  return live;
}

async function startDoors(server: Server, engine: Engine, workers: Workers, tls: TlsKeeper): Promise<void> {
  const { config, clock, log } = server.options;
  const options: ListenerOptions = {
    config,
    counters: engine.counters,
    log,
    monotonicMs: clock.monotonicMs,
    hasPassword: () => !defaultUser(engine.access).needsNoPassword,
    openConnections: () => openConnections(workers),
    handOver: (socket, isEncrypted) => handSocket(workers, socket, isEncrypted),
  };
  const listener = await startListener(options);
  server.stops.push(() => stopListener(listener));
  server.stops.push(() => closeTlsPort(tls));
  await openTlsPort(tls, options);
}

function readinessOf(server: Server, workers: Workers): Readiness {
  const serving = servingWorkers(workers);
  const wanted = workers.crew.length;
  const checks = [
    { name: 'running', ok: !server.stopping, reason: 'the server is stopping' },
    { name: 'workers', ok: serving === wanted, reason: `${serving} of ${wanted} workers serve` },
    ...(server.persistence === undefined ? [] : persistenceChecks(server.persistence)),
    checkCluster(server.cluster),
  ];
  return { ready: checks.every(({ ok }) => ok), checks };
}

function readyFields(config: Config): LogFields {
  const { port, tlsPort, unixsocket, httpPort, httpTlsPort, workers, maxmemory, maxmemoryPolicy } = config;
  return {
    port,
    ...(tlsPort === 0 ? {} : { tlsPort }),
    ...(unixsocket === '' ? {} : { unixsocket }),
    httpPort,
    ...(httpTlsPort === 0 ? {} : { httpTlsPort }),
    workers,
    maxmemoryBytes: maxmemory,
    policy: maxmemoryPolicy,
  };
}
