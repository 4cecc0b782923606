/**
 * Commands that wait until a key has something for them: BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP, BZPOPMIN, BZPOPMAX, BZMPOP.
 *
 * Runs on the worker of the client. A handler that finds nothing calls `blockCall` while it holds the locks of its keys; from then on
 * every birth of such a key is told to the key's home (blocking-home.ts), which says when it is this client's turn. The command is
 * executed again then, for that one key, under its locks like any other; where somebody has come before, the client waits on, in its
 * place. Who waits is served in the order of arrival; a command that comes while an element is on offer may take it first, since
 * standing back for those who wait would have busy consumers wait for messages where they can take what is there.
 * Source of the rules: Redis 7.0 `blocked.c`, `timeout.c`.
 */
import { Buffer } from 'node:buffer';
import { spanText } from '../base/bytes.ts';
import { parseLongDouble } from '../base/long-double.ts';
import { BLOCKED_RETRY_MS, TIMER_MS_MAX } from '../config/limits.ts';
import { GATE_REFUSES, gateReasons } from '../resilience/gate.ts';
import { isPaused } from '../resilience/pause.ts';
import {
  createReplyWriter,
  type ReplyWriter,
  writeError,
  writeNullArray,
  writeRaw,
} from '../resp/reply-writer.ts';
import { isOwn, ROLE_OWNER } from '../routing/node-table.ts';
import { slotOfKey } from '../routing/slot.ts';
import { typeOf } from '../shard/entry.ts';
import { NONE } from '../shard/layout.ts';
import { addWaiter, removeWaiter } from '../shard/waiting.ts';
import { integerOf } from './arguments.ts';
import {
  type AnswerMessage,
  type AwaitedKey,
  homeOfShard,
  type QueueMessage,
  queueName,
  TOPIC_ANSWER,
  TOPIC_LEAVE,
  TOPIC_WAIT,
  tellThread,
  type Wait,
  type WaitMessage,
} from './blocking-state.ts';
import { type Call, type Command, deferUntimed, shardOfKey } from './call.ts';
import { movedText } from './cluster-routing.ts';
import type { Engine } from './engine.ts';
import { isFenced } from './fencing.ts';
import { findKeyPlaces, firstPlace, nextPlace } from './key-places.ts';
import { peekEntry } from './lookup.ts';
import { runManyKeys } from './many-keys.ts';
import type { BlockedEnd } from './session.ts';
import { enterShard, leaveShard } from './shard-locks.ts';
import { tellKeyEvents } from './told-keys.ts';
import { beginBlocked, endBlocked, UNBLOCKED } from './unblock.ts';

const NOT_A_TIMEOUT = 'ERR timeout is not a float or out of range';
const NEGATIVE_TIMEOUT = 'ERR timeout is negative';

const MS_PER_SECOND = 1000;
const TIMEOUT_MS_LIMIT = 2 ** 63;
const REPLY_BYTES_START = 256;
const ONE = 0x31;

/** The timeout in seconds that argument `index` is, in ms, rounded up; 0 is for ever. NaN after answering that it is none. */
export function readTimeout(call: Call, index: number): number {
  const timeoutMs = timeoutOf(call, index);
  if (Number.isNaN(timeoutMs)) writeError(call.reply, NOT_A_TIMEOUT);
  else if (timeoutMs < 0 || timeoutMs >= TIMEOUT_MS_LIMIT) writeError(call.reply, NEGATIVE_TIMEOUT);
  else return timeoutMs;
  return Number.NaN;
}

/**
 * Has the client wait until one of `keyCount` keys from argument `firstKey` on is a collection of `type`, and then executes the
 * command again as if it named that key alone (of keys that an argument counts: one). To be called by the handler of a command that
 * has found nothing in any of them, under the locks of all its keys; nothing is answered yet. When `timeoutMs` (0: for ever) are over
 * the answer is a null array. Where nothing may wait (in a transaction, for another node, on main) `answerNothing` answers at once.
 */
export function blockCall(
  call: Call,
  timeoutMs: number,
  firstKey: number,
  keyCount: number,
  type: number,
  answerNothing: (reply: ReplyWriter) => void,
): void {
  const { engine, session, reply } = call;
  if (session.deferInside !== undefined || session.isPeer || engine.workerIndex < 0) {
    answerNothing(reply);
    return;
  }
  const { blocking, timing } = engine;
  const { command, count } = call;
  const keys = awaitedKeys(call, firstKey, keyCount);
  const wait: Wait = {
    ...{ id: blocking.nextWaitId, session, command, ...copiedArguments(call), count },
    ...{ firstKey, keyCount, type, keys, deferred: deferUntimed(call) },
    endsMs: timeoutMs === 0 ? Infinity : timing.monotonicMs() + timeoutMs,
    timer: undefined,
  };
  blocking.nextWaitId += 1;
  blocking.waits.set(wait.id, wait);
  beginBlocked(engine, session, (how) => unblock(engine, wait, how));
  if (timeoutMs !== 0) armTimer(engine, wait);
  for (const key of keys) {
    addWaiter(key.shard, key.database, key.key, 0, key.key.length);
    register(engine, wait, key);
  }
}

/** A key's home offers it to one of this thread's clients: has it try, and tells the home. */
export function takeOffer(engine: Engine, message: QueueMessage, home: number): void {
  const { name, waitId } = message;
  const wait = engine.blocking.waits.get(waitId);
  if (wait === undefined) {
    answerOffer(engine, message, home, true);
    return;
  }
  const call = callForKey(engine, wait, name);
  if (mayRunNow(call)) tryKey(call, wait, message, home);
  else setTimeout(takeOffer, BLOCKED_RETRY_MS, engine, message, home).unref();
}

/** The home of some keys is another thread than before: it is told who waits for them. */
export function registerAnew(engine: Engine, home: number): void {
  for (const wait of engine.blocking.waits.values()) {
    for (const key of wait.keys) {
      if (homeOfShard(engine, key.shard.index) === home) register(engine, wait, key);
    }
  }
}

/** Sends on those who wait for keys whose slots are not this node's any more. */
export function endMovedWaits(engine: Engine): void {
  const { cluster, blocking } = engine;
  if (cluster === undefined) return;
  for (const wait of [...blocking.waits.values()]) {
    for (const { key } of wait.keys) {
      const slot = slotOfKey(key, 0, key.length);
      // Until a slot is handed over there is nowhere to go.
      if ((cluster.table.roles[slot] & ROLE_OWNER) !== 0) continue;
      const text = movedText(wait.session, cluster, slot);
      if (text === undefined) continue;
      endWait(engine, wait);
      wait.deferred.resume((reply) => writeError(reply, text));
      break;
    }
  }
}

function timeoutOf(call: Call, index: number): number {
  const seconds = integerOf(call, index);
  if (!Number.isNaN(seconds)) return seconds * MS_PER_SECOND;
  const { input, spans } = call;
  const given = parseLongDouble(input, spans[2 * index], spans[2 * index + 1]);
  if (given === undefined) return Number.NaN;
  const { significand, exponent, infinite } = given;
  if (infinite) return Infinity;
  const ms = Math.ceil(Number(significand) * 2 ** exponent * MS_PER_SECOND);
  // However little it is, it is not for ever.
  return significand > 0n ? Math.max(1, ms) : ms;
}

/** Each key once. */
function awaitedKeys(call: Call, firstKey: number, keyCount: number): AwaitedKey[] {
  const { session, input, spans } = call;
  const { database } = session;
  const keys = new Map<string, AwaitedKey>();
  for (let index = firstKey; index < firstKey + keyCount; index += 1) {
    const text = spanText(input, spans[2 * index], spans[2 * index + 1]);
    const shard = shardOfKey(call, index);
    const name = queueName(shard.index, database, text);
    if (keys.has(name)) continue;
    keys.set(name, { name, shard, database, key: Buffer.from(text, 'latin1'), index });
  }
  return [...keys.values()];
}

/** Behind them stands a 1, which a try counts its key by. */
function copiedArguments({ input, spans, count }: Call): { input: Buffer; spans: Int32Array } {
  const [start] = spans;
  const end = spans[2 * count - 1];
  const copy = Buffer.allocUnsafeSlow(end - start + 1);
  input.copy(copy, 0, start, end);
  copy[end - start] = ONE;
  return { input: copy, spans: spans.slice(0, 2 * count).map((at) => at - start) };
}

function register(engine: Engine, { id, type }: Wait, awaited: AwaitedKey): void {
  const { name, shard, database, key } = awaited;
  const message: WaitMessage = {
    ...{ name, shard: shard.index, database, key: key.toString('latin1') },
    ...{ type, waitId: id },
  };
  tellThread(engine, homeOfShard(engine, shard.index), TOPIC_WAIT, message);
}

function armTimer(engine: Engine, wait: Wait): void {
  const leftMs = Math.max(1, wait.endsMs - engine.timing.monotonicMs());
  wait.timer = setTimeout(checkTime, Math.min(leftMs, TIMER_MS_MAX), engine, wait);
}

function checkTime(engine: Engine, wait: Wait): void {
  if (engine.timing.monotonicMs() < wait.endsMs) armTimer(engine, wait);
  else unblock(engine, wait, 'timeout');
}

/** The client waits no more, and has not got what it waited for. */
function unblock(engine: Engine, wait: Wait, how: BlockedEnd): void {
  endWait(engine, wait);
  if (how === 'timeout') wait.deferred.resume(writeNullArray);
  else if (how === 'error') wait.deferred.resume((reply) => writeError(reply, UNBLOCKED));
}

/** The home of the key `served`, if there is one, hears of it by the answer to its offer. */
function endWait(engine: Engine, { id, session, keys, timer }: Wait, served?: string): void {
  engine.blocking.waits.delete(id);
  clearTimeout(timer);
  endBlocked(engine, session);
  for (const { name, shard, database, key } of keys) {
    enterShard(shard);
    try {
      removeWaiter(shard, database, key, 0, key.length);
    } finally {
      leaveShard(shard);
    }
    if (name === served) continue;
    const message: QueueMessage = { name, waitId: id };
    tellThread(engine, homeOfShard(engine, shard.index), TOPIC_LEAVE, message);
  }
}

/** Executes the command for one of the keys that it waits for, if that is still there. */
function tryKey(call: Call, wait: Wait, message: QueueMessage, home: number): void {
  const { engine, session, reply } = call;
  const { changes } = engine;
  const writesBefore = changes.writes;
  runManyKeys(call, asAttempt(wait), 0);
  const isServed = reply.length > 0;
  const hasChanged = changes.writes !== writesBefore;
  // The home goes on with this queue before others, and before it hears of what the command has made, as redis-server does.
  answerOffer(engine, message, home, isServed);
  if (isServed) endWait(engine, wait, message.name);
  if (engine.keyEvents.length !== 0) tellKeyEvents(engine, session, 0);
  if (!isServed) return;
  wait.deferred.resume((late) => {
    // The change was made outside of a turn, yet this is the reply that has to wait until it is safe.
    if (hasChanged) changes.writes += 1;
    writeRaw(late, reply.bytes.subarray(0, reply.length));
  });
}

function answerOffer(engine: Engine, { name, waitId }: QueueMessage, home: number, isOver: boolean): void {
  tellThread(engine, home, TOPIC_ANSWER, { name, waitId, isOver } satisfies AnswerMessage);
}

/** The command, which answers nothing where the key is not what it waits for. Room for what it adds it makes itself. */
function asAttempt({ command, firstKey, type }: Wait): Command {
  const handler = (call: Call): void => {
    const shard = shardOfKey(call, firstKey);
    const ref = peekEntry(call, shard, firstKey);
    if (ref !== NONE && typeOf(shard.entries, ref) === type) command.handler(call);
  };
  return { ...command, handler, deniesOom: false };
}

/** The command as if it named the one key of this name. */
function callForKey(engine: Engine, wait: Wait, name: string): Call {
  const { session, command, input, firstKey, keyCount, count } = wait;
  const keyIndex = wait.keys.find((key) => key.name === name)?.index ?? firstKey;
  const spans = new Int32Array(2 * (count - keyCount + 1));
  spans.set(wait.spans.subarray(0, 2 * firstKey));
  spans.set(wait.spans.subarray(2 * keyIndex, 2 * keyIndex + 2), 2 * firstKey);
  spans.set(wait.spans.subarray(2 * (firstKey + keyCount), 2 * count), 2 * firstKey + 2);
  const { movable } = command;
  if (movable !== undefined && movable !== 'sort') {
    spans.set([input.length - 1, input.length], 2 * movable.numberAt);
  }
  const reply = createReplyWriter(REPLY_BYTES_START);
  reply.protocol = session.protocol;
  return {
    ...{ engine, session, command, input, spans, count: count - keyCount + 1, reply },
    ...{ nowMs: engine.wallMs(), isDeferred: false, shard: engine.shards[0] },
  };
}

/** Whether the moment is one in which commands change keys, and the keys are this node's. */
function mayRunNow(call: Call): boolean {
  const { engine, input, spans, command, nowMs } = call;
  const { gate, cluster } = engine;
  if ((gateReasons(gate) & GATE_REFUSES) !== 0 || isPaused(gate, nowMs)) return false;
  if (cluster === undefined) return true;
  const places = findKeyPlaces(call, command);
  for (let index = firstPlace(places); index > 0; index = nextPlace(places, index)) {
    if (!isOwn(cluster.table.roles, slotOfKey(input, spans[2 * index], spans[2 * index + 1]))) return false;
  }
  return !isFenced(engine, cluster, nowMs);
}
