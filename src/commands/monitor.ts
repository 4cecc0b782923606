/**
 * MONITOR: a client that is told every command that is executed, by whichever thread and for whichever client.
 *
 * Each thread writes lines about its own commands and, once a turn, hands them to its monitors and sends them over the bus
 * to the threads that have some. The lines of one thread are in order; those of different threads as they arrive. Nothing
 * waits for a monitor: one that does not read is closed at its limit, and so are those of a thread that is too far
 * behind. A thread without monitors that still gets lines says so, which is also how the others forget a thread that died.
 */
import { Buffer } from 'node:buffer';
import {
  MONITOR_AHEAD_BYTES_MAX,
  MONITOR_BATCH_BYTES_MAX,
  MONITOR_BUFFER_KEPT_BYTES_MAX,
} from '../config/limits.ts';
import { LIMIT_CUTS } from '../metrics/names.ts';
import { GATE_LOADING, gateReasons } from '../resilience/gate.ts';
import { createReplyWriter, writeError, writeOk } from '../resp/reply-writer.ts';
import { type Call, type Command, deferReply, type Handler } from './call.ts';
import type { Engine } from './engine.ts';
import { writeMonitorLine } from './monitor-line.ts';
import { GUARD_MONITOR, REPLY_OFF, REPLY_SKIP, type Session, setGuard } from './session.ts';

/** To all, who answer when they have begun: the sender has monitors. */
const TOPIC_WATCH = 'monitor-watch';
/** To all or to one: the sender has none any more. */
const TOPIC_UNWATCH = 'monitor-unwatch';
/** To all, who answer with their thread's id where they have monitors, else 0. */
const TOPIC_WHO_WATCHES = 'monitor-who-watches';
/** To one: lines for its monitors; and back: so many bytes of them have come. */
const TOPIC_LINES = 'monitor-lines';
const TOPIC_SEEN = 'monitor-seen';
/** To one: there were more lines than it could take, and some are lost. */
const TOPIC_LOST = 'monitor-lost';

const MICROSECONDS_PER_MS = 1000;
const WALL_TICK_MS = 1;
const MICROSECOND_MS = 0.001;

export const monitorHandlers: Readonly<Record<string, Handler>> = { monitor };

/**
 * Makes this thread tell the monitors of all threads, and its own of what others tell. Once, at its start; where threads have
 * served in its place before, there may be monitors already, and it resolves when it knows which.
 */
export async function installMonitorTopics(engine: Engine, generation: number): Promise<void> {
  const { bus, monitoring, threadId } = engine;
  bus.handle(TOPIC_WATCH, (_, fromThread) => watchFor(engine, fromThread));
  bus.handle(TOPIC_UNWATCH, (_, fromThread) => unwatchFor(engine, fromThread));
  bus.handle(TOPIC_WHO_WATCHES, () => (monitoring.own.size > 0 ? threadId : 0));
  bus.handle(TOPIC_LINES, (lines, fromThread) => receiveLines(engine, lines as Uint8Array, fromThread));
  bus.handle(TOPIC_SEEN, (bytes, fromThread) => noteSeen(engine, bytes as number, fromThread));
  bus.handle(TOPIC_LOST, () => closeOwn(engine));
  if (generation === 0) return;
  // Of those that had more lines for the thread before than it could take, no line comes that would tell them.
  bus.publish(TOPIC_UNWATCH, undefined);
  await learnMonitors(engine);
}

async function learnMonitors(engine: Engine): Promise<void> {
  for (const threadId of await engine.bus.requestAll(TOPIC_WHO_WATCHES, undefined)) {
    if (threadId !== 0) watchFor(engine, threadId as number);
  }
}

/** Whether the command is refused, and answers it: a monitor counts as a replica, which leaves the keys alone. */
export function isRefusedToMonitor({ reply }: Call, command: Command): boolean {
  if (!command.touchesKeys) return false;
  writeError(reply, "ERR Replica can't interact with the keyspace");
  return true;
}

/** Has the command that was executed told to the monitors. To be called only while there are some. */
export function noteMonitored(call: Call, command: Command): void {
  const { engine } = call;
  const { monitoring } = engine;
  if (command.isHidden || (gateReasons(engine.gate) & GATE_LOADING) !== 0) return;
  writeMonitorLine(monitoring.lines, call, currentMicroseconds(engine));
  if (monitoring.lines.length > MONITOR_BATCH_BYTES_MAX) {
    sendLines(engine);
  } else if (!monitoring.isSendDue) {
    monitoring.isSendDue = true;
    engine.later(() => {
      monitoring.isSendDue = false;
      sendLines(engine);
    });
  }
}

/** The client watches no more, because it says so or is gone. */
export function endMonitoring(engine: Engine, session: Session): void {
  if (!session.isMonitor) return;
  const { own } = engine.monitoring;
  sendLines(engine);
  session.isMonitor = false;
  setGuard(session, GUARD_MONITOR, false);
  own.delete(session);
  if (own.size === 0) engine.bus.publish(TOPIC_UNWATCH, undefined);
  noteWatched(engine);
}

/** Answers when all threads know. One that watches already gets no answer, as in redis-server. */
function monitor(call: Call): void {
  const { engine, session } = call;
  if (session.isMonitor) return;
  if (engine.workerIndex < 0 || session.deferInside !== undefined) {
    // A client of HTTP, which gets one reply for each command; or one reply of several commands.
    writeError(call.reply, "ERR MONITOR isn't allowed for DENY BLOCKING client");
    return;
  }
  // What came before is not for this client.
  sendLines(engine);
  session.isMonitor = true;
  setGuard(session, GUARD_MONITOR, true);
  engine.monitoring.own.add(session);
  noteWatched(engine);
  const deferred = deferReply(call);
  engine.bus.requestAll(TOPIC_WATCH, undefined).then(() => deferred.resume(writeOk));
}

function watchFor(engine: Engine, threadId: number): void {
  const { watchers } = engine.monitoring;
  if (threadId === engine.threadId) return;
  const unseenBytes = watchers.get(threadId)?.unseenBytes ?? 0;
  watchers.set(threadId, { unseenBytes, isLost: false });
  noteWatched(engine);
}

function unwatchFor(engine: Engine, threadId: number): void {
  engine.monitoring.watchers.delete(threadId);
  noteWatched(engine);
}

function noteWatched({ monitoring }: Engine): void {
  monitoring.isWatched = monitoring.own.size > 0 || monitoring.watchers.size > 0;
}

/** Tells what has been written so far. */
function sendLines(engine: Engine): void {
  const { lines, watchers } = engine.monitoring;
  if (lines.length === 0) return;
  // A buffer of just its length: what is sent to another thread is copied with all that is behind it.
  const bytes = Buffer.allocUnsafeSlow(lines.length);
  lines.bytes.copy(bytes, 0, 0, lines.length);
  lines.length = 0;
  if (lines.bytes.length > MONITOR_BUFFER_KEPT_BYTES_MAX) {
    lines.bytes = createReplyWriter(MONITOR_BATCH_BYTES_MAX).bytes;
  }
  pushToOwn(engine, bytes);
  for (const threadId of [...watchers.keys()]) sendTo(engine, threadId, bytes);
}

function sendTo(engine: Engine, threadId: number, bytes: Buffer): void {
  const { bus, monitoring } = engine;
  const watcher = monitoring.watchers.get(threadId);
  if (watcher === undefined || watcher.isLost) return;
  watcher.unseenBytes += bytes.length;
  watcher.isLost = watcher.unseenBytes > MONITOR_AHEAD_BYTES_MAX;
  const isThere = watcher.isLost
    ? bus.publishTo(threadId, TOPIC_LOST, undefined)
    : bus.publishTo(threadId, TOPIC_LINES, bytes);
  if (!isThere) unwatchFor(engine, threadId);
}

function receiveLines(engine: Engine, lines: Uint8Array, fromThread: number): void {
  const { bus, monitoring } = engine;
  if (monitoring.own.size === 0) {
    bus.publishTo(fromThread, TOPIC_UNWATCH, undefined);
    return;
  }
  pushToOwn(engine, Buffer.from(lines.buffer, lines.byteOffset, lines.length));
  bus.publishTo(fromThread, TOPIC_SEEN, lines.length);
}

function noteSeen(engine: Engine, bytes: number, fromThread: number): void {
  const watcher = engine.monitoring.watchers.get(fromThread);
  if (watcher !== undefined) watcher.unseenBytes = Math.max(0, watcher.unseenBytes - bytes);
}

/** Lines are replies in so far as CLIENT REPLY OFF keeps them back. */
function pushToOwn({ monitoring }: Engine, lines: Buffer): void {
  for (const { connection, replyMode } of monitoring.own) {
    if (replyMode !== REPLY_OFF && replyMode !== REPLY_SKIP) connection.push(lines);
  }
}

function closeOwn(engine: Engine): void {
  for (const session of [...engine.monitoring.own]) {
    engine.counters[LIMIT_CUTS] += 1;
    engine.log.warning(`client ${session.id} (${session.address}) is closed: it cannot be told all commands`);
    endMonitoring(engine, session);
    session.connection.destroy();
  }
}

/** The wall clock ticks in milliseconds; between two ticks the monotonic one tells how far it is. */
function currentMicroseconds({ monitoring, wallMs, shards }: Engine): number {
  const tickMs = wallMs();
  const monotonicMs = shards[0].clock.monotonicMs();
  const fineMs = monitoring.wallAheadMs + monotonicMs;
  const nowMs = Math.max(tickMs, Math.min(fineMs, tickMs + WALL_TICK_MS - MICROSECOND_MS));
  monitoring.wallAheadMs = nowMs - monotonicMs;
  return Math.floor(nowMs * MICROSECONDS_PER_MS);
}
