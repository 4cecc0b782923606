/**
 * Supervision: the main thread's record of its workers. Starts them, hands sockets to them, replaces one that dies,
 * stops them.
 *
 * A worker's death is a normal path: its sockets close with it, its shard's memory belongs to the process. What it left
 * locked is recovered before its replacement starts, since that has the same thread id.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import { StartError } from '../base/errors.ts';
import {
  RESTART_CALM_MS,
  RESTART_DELAY_MS_MAX,
  RESTART_DELAY_MS_MIN,
  RESTARTS_AT_ONCE_MAX,
  WORKER_START_MS_MAX,
} from '../config/limits.ts';
import type { MadeSegment } from '../durability/disk-state.ts';
import { openCounters } from '../metrics/counters.ts';
import { CLIENTS_BLOCKED, CONNECTIONS_CLOSED, CONNECTIONS_OPEN } from '../metrics/names.ts';
import {
  type BusPort,
  type HandedSocket,
  type MainMessage,
  type ProcessBoot,
  sectionOfThread,
  type ThreadBoot,
  TOPIC_ACCEPTED,
  threadIdOfWorker,
  type WorkerMessage,
} from './boot.ts';
import { type Bus, connectPeer, handleTopic } from './bus.ts';
import type { Log } from './log.ts';

export type WorkersOptions = {
  /** The file that each worker runs (base/places.ts). */
  readonly entry: URL;
  readonly boot: ProcessBoot;
  readonly bus: Bus;
  readonly log: Log;
  readonly monotonicMs: () => number;
  /** Frees what a dead thread had locked, checked and repaired; one line of text for each thing that was done. */
  readonly recover: (threadId: number) => readonly string[];
  /** Where the worker of that index writes its log from its start on; undefined while nothing is logged. */
  readonly logSegment: (index: number) => MadeSegment | undefined;
};

export type Workers = {
  readonly options: WorkersOptions;
  readonly crew: readonly Member[];
  stopping: boolean;
};

/** One worker's place, which outlives the threads that fill it. */
type Member = {
  readonly index: number;
  readonly threadId: number;
  readonly counters: Float64Array;
  /** Undefined between a death and the replacement. */
  worker: Worker | undefined;
  serving: boolean;
  startedAtMs: number;
  /** Threads that have been started for this place. */
  starts: number;
  /** Deaths in a row, each within the calm time of a start. */
  deaths: number;
  restart: NodeJS.Timeout | undefined;
  /** Connections that it got since the process started: from main, and on its own Unix socket. */
  received: number;
};

/** What happens to a worker, told to whoever waits for its start. */
type Started = { readonly ok: true } | { readonly ok: false; readonly text: string };

/**
 * Starts all workers and resolves when each one serves. Throws a StartError, with every worker ended, where one dies,
 * refuses or does not serve within WORKER_START_MS_MAX.
 */
export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const crew = Array.from({ length: options.boot.workerCount }, (_, index) => createMember(options, index));
  const workers: Workers = { options, crew, stopping: false };
  handleTopic(options.bus, TOPIC_ACCEPTED, (_: unknown, fromThread) => countAccepted(workers, fromThread));
  const starts = crew.map((member) => startMember(workers, member));
  const bound = Promise.withResolvers<Started>();
  const timer = setTimeout(
    () => bound.resolve({ ok: false, text: `not all workers serve after ${WORKER_START_MS_MAX} ms` }),
    WORKER_START_MS_MAX,
  );
  const outcome = await Promise.race([bound.promise, firstFailure(starts)]);
  clearTimeout(timer);
  if (!outcome.ok) {
    await stopWorkers(workers, 0);
    throw new StartError(outcome.text, 1);
  }
  return workers;
}

/**
 * Gives a fresh, paused socket to the worker with the fewest connections; false (socket untouched) where none lives.
 * `isEncrypted`: the worker begins with the handshake of TLS.
 */
export function handSocket(workers: Workers, socket: HandedSocket, isEncrypted: boolean): boolean {
  const member = leastLoaded(workers.crew);
  if (member?.worker === undefined) return false;
  const message: MainMessage = { kind: 'socket', socket, isEncrypted };
  // The types do not know that sockets are transferable (Node 24.20, 26.6).
  member.worker.postMessage(message, [socket as never]);
  // A thread that has ended without having told so yet takes nothing.
  if (!socket.destroyed) return false;
  member.received += 1;
  return true;
}

/** The connections of all workers, those on their way to one included. */
export function openConnections(workers: Workers): number {
  let open = 0;
  for (const member of workers.crew) open += connectionsOf(member);
  return open;
}

/** How many workers serve at this moment. */
export function servingWorkers(workers: Workers): number {
  return workers.crew.filter((member) => member.serving).length;
}

/**
 * Asks every worker to finish what it is answering and to end. Resolves when all have ended: true if by themselves, false
 * if some were ended by force after `waitMs`.
 */
export async function stopWorkers(workers: Workers, waitMs: number): Promise<boolean> {
  workers.stopping = true;
  let graceful = true;
  await Promise.all(
    workers.crew.map(async (member) => {
      clearTimeout(member.restart);
      const { worker } = member;
      if (worker === undefined) return;
      const exit = new Promise((resolve) => worker.once('exit', resolve));
      const timer = setTimeout(() => {
        graceful = false;
        void worker.terminate();
      }, waitMs);
      worker.postMessage({ kind: 'stop' } satisfies MainMessage);
      await exit;
      clearTimeout(timer);
    }),
  );
  return graceful;
}

/** How long to wait before the replacement after the n-th death in a row (from 1). */
export function restartDelayMs(deaths: number): number {
  if (deaths <= RESTARTS_AT_ONCE_MAX) return 0;
  return Math.min(RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN * 2 ** (deaths - RESTARTS_AT_ONCE_MAX - 1));
}

function countAccepted(workers: Workers, threadId: number): void {
  const member = workers.crew.find((candidate) => candidate.threadId === threadId);
  if (member !== undefined) member.received += 1;
}

function createMember(options: WorkersOptions, index: number): Member {
  const threadId = threadIdOfWorker(index);
  return {
    index,
    threadId,
    counters: openCounters(options.boot.counters, sectionOfThread(threadId)),
    worker: undefined,
    serving: false,
    startedAtMs: 0,
    starts: 0,
    deaths: 0,
    restart: undefined,
    received: 0,
  };
}

async function firstFailure(starts: readonly Promise<Started>[]): Promise<Started> {
  const { promise, resolve } = Promise.withResolvers<Started>();
  for (const start of starts) {
    void start.then((outcome) => {
      if (!outcome.ok) resolve(outcome);
    });
  }
  void Promise.all(starts).then(() => resolve({ ok: true }));
  return promise;
}

/** Starts the thread of one member, joined to all the others by fresh channels. Resolves when it serves or is gone. */
function startMember(workers: Workers, member: Member): Promise<Started> {
  const { entry, boot, monotonicMs } = workers.options;
  const ports = joinMesh(workers, member);
  const workerData: ThreadBoot = {
    ...boot,
    threadId: member.threadId,
    workerIndex: member.index,
    generation: member.starts,
    logSegment: workers.options.logSegment(member.index),
    ports,
  };
  member.starts += 1;
  const worker = new Worker(entry, {
    name: `worker-${member.index}`,
    workerData,
    transferList: ports.map(({ port }) => port),
  });
  member.worker = worker;
  member.startedAtMs = monotonicMs();
  return watchMember(workers, member, worker);
}

/** A channel to main and to each living worker; returns the newcomer's ends. */
function joinMesh(workers: Workers, newcomer: Member): BusPort[] {
  const { bus } = workers.options;
  const toMain = new MessageChannel();
  connectPeer(bus, { threadId: newcomer.threadId, port: toMain.port1 });
  const ports: BusPort[] = [{ threadId: bus.threadId, port: toMain.port2 }];
  for (const { worker, threadId } of workers.crew) {
    if (worker === undefined || threadId === newcomer.threadId) continue;
    const { port1, port2 } = new MessageChannel();
    const message: MainMessage = { kind: 'peer', peer: { threadId: newcomer.threadId, port: port1 } };
    worker.postMessage(message, [port1]);
    ports.push({ threadId, port: port2 });
  }
  return ports;
}

function watchMember(workers: Workers, member: Member, worker: Worker): Promise<Started> {
  const { log } = workers.options;
  const { promise, resolve } = Promise.withResolvers<Started>();
  worker.on('message', (message: WorkerMessage) => {
    if (message.kind === 'started') {
      member.serving = true;
      resolve({ ok: true });
    } else {
      log.warning(message.text, { worker: member.index });
      resolve({ ok: false, text: message.text });
    }
  });
  worker.on('error', (error) => {
    log.error(`worker ${member.index} failed`, error);
    resolve({ ok: false, text: `worker ${member.index} failed: ${describe(error)}` });
  });
  worker.on('exit', (code) => {
    resolve({ ok: false, text: `worker ${member.index} ended with code ${code} before it served` });
    buryMember(workers, member, code);
  });
  return promise;
}

/** Settles what a dead thread left behind, and plans its replacement. */
function buryMember(workers: Workers, member: Member, code: number): void {
  const { log, monotonicMs, recover } = workers.options;
  const lost = connectionsOf(member);
  member.worker = undefined;
  member.serving = false;
  // Its section has no other writer now.
  member.counters[CONNECTIONS_CLOSED] += lost;
  member.counters[CONNECTIONS_OPEN] = 0;
  member.counters[CLIENTS_BLOCKED] = 0;
  if (workers.stopping) return;
  const livedMs = monotonicMs() - member.startedAtMs;
  member.deaths = livedMs > RESTART_CALM_MS ? 1 : member.deaths + 1;
  const repairs = recover(member.threadId);
  for (const repair of repairs) log.warning(repair, { worker: member.index });
  const delayMs = restartDelayMs(member.deaths);
  log.warning(`worker ${member.index} ended; a replacement starts`, { code, connectionsLost: lost, delayMs });
  scheduleReplacement(workers, member, delayMs);
}

function scheduleReplacement(workers: Workers, member: Member, delayMs: number): void {
  if (delayMs === 0) replaceMember(workers, member);
  else member.restart = setTimeout(replaceMember, delayMs, workers, member);
}

/** A thread that cannot even be created counts as one more death. */
function replaceMember(workers: Workers, member: Member): void {
  const { log } = workers.options;
  try {
    void startMember(workers, member).then((outcome) => {
      if (outcome.ok) log.notice(`worker ${member.index} serves again`);
    });
  } catch (error) {
    log.error(`worker ${member.index} cannot be started`, error);
    member.deaths += 1;
    scheduleReplacement(workers, member, RESTART_DELAY_MS_MAX);
  }
}

function leastLoaded(crew: readonly Member[]): Member | undefined {
  let least: Member | undefined;
  for (const member of crew) {
    if (member.worker === undefined) continue;
    if (least === undefined || connectionsOf(member) < connectionsOf(least)) least = member;
  }
  return least;
}

function connectionsOf({ received, counters }: Member): number {
  return received - counters[CONNECTIONS_CLOSED];
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
