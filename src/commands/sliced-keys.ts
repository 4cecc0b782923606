/**
 * DEL, UNLINK, EXISTS and TOUCH of very many keys: executed in slices of some hundred, so that nobody waits for all of them.
 *
 * Runs on the worker of the connection. Between two slices all locks are given back, and after about a millisecond the thread as
 * well: the reply comes later then, the sum over the slices. Each slice is what a command of so many keys is: at one moment, in the
 * log whole or not at all. The whole is not; within a transaction, and on main, it is (docs/decisions/0031).
 */
import { Buffer } from 'node:buffer';
import { parseSafeInteger } from '../base/decimal.ts';
import { SLICE_KEYS, SLICED_KEYS_MIN, SLICED_TURN_MS } from '../config/limits.ts';
import {
  createReplyWriter,
  type ReplyWriter,
  writeError,
  writeInteger,
  writeRaw,
} from '../resp/reply-writer.ts';
import { isOwn } from '../routing/node-table.ts';
import { slotOfKey } from '../routing/slot.ts';
import { type Call, type Command, deferReply } from './call.ts';
import { isError } from './error-replies.ts';
import { isLeaseOver } from './fencing.ts';
import { runManyKeys } from './many-keys.ts';
import { tellKeyEvents } from './told-keys.ts';

/** All arguments are keys, each is dealt with by itself, and the reply is a count. */
const SLICED: ReadonlySet<string> = new Set(['del', 'unlink', 'exists', 'touch']);

const SLICE_REPLY_BYTES = 256;

const GONE = 'TRYAGAIN Slots have moved meanwhile, and only some of the keys were removed';

/** A reply of a slice is `:`, digits, and a line end. */
const DIGITS_START = 1;
const LINE_END_BYTES = 2;

type SlicedKeys = {
  readonly command: Command;
  /** The command on the keys of one slice: of its own, since other commands come between two turns. */
  readonly slice: Call;
  /** Of all arguments, into the input of `slice`. */
  spans: Int32Array;
  /** All arguments. */
  readonly count: number;
  /** The first key that no slice has had. */
  next: number;
  total: number;
  hasChanged: boolean;
  hasFailed: boolean;
};

/** Whether the command is executed by `runSliced`. Main has replies to wait for that are made at once. */
export function isSliced({ engine, count }: Call, { spec }: Command): boolean {
  return count > SLICED_KEYS_MIN && engine.workerIndex >= 0 && SLICED.has(spec.name);
}

/** Executes the command, of which no lock is held, and answers now or later. */
export function runSliced(call: Call, command: Command): void {
  const { engine } = call;
  const work = beginWork(call, command);
  runTurn(work);
  if (isOver(work)) {
    writeTotal(call.reply, work);
    return;
  }
  keepArguments(work);
  const deferred = deferReply(call);
  // To the end even if the client is gone meanwhile: it may have sent this and hung up.
  const goOn = (): void => {
    work.slice.nowMs = engine.wallMs();
    runTurn(work);
    if (isOver(work)) deferred.resume((reply) => answerLate(reply, work));
    else engine.later(goOn);
  };
  engine.later(goOn);
}

function beginWork(call: Call, command: Command): SlicedKeys {
  const { spans, count } = call;
  const reply = createReplyWriter(SLICE_REPLY_BYTES);
  const slice: Call = { ...call, spans: new Int32Array(2 * (1 + SLICE_KEYS)), reply };
  return { command, slice, spans, count, next: 1, total: 0, hasChanged: false, hasFailed: false };
}

/** The buffer of the request is used again before the next turn. */
function keepArguments(work: SlicedKeys): void {
  const { slice, spans, count } = work;
  const [start] = spans;
  slice.input = Buffer.from(slice.input.subarray(start, spans[2 * count - 1]));
  work.spans = spans.slice(0, 2 * count).map((at) => at - start);
}

function isOver({ next, count, hasFailed }: SlicedKeys): boolean {
  return next >= count || hasFailed;
}

/** Slices until the turn's share of time is used. */
function runTurn(work: SlicedKeys): void {
  const { monotonicMs } = work.slice.engine.timing;
  const endMs = monotonicMs() + SLICED_TURN_MS;
  do runSlice(work);
  while (!isOver(work) && monotonicMs() < endMs);
}

function runSlice(work: SlicedKeys): void {
  const { slice, command, spans, next } = work;
  const { engine, session, reply } = slice;
  const keys = Math.min(SLICE_KEYS, work.count - next);
  slice.spans.set(spans.subarray(0, 2));
  slice.spans.set(spans.subarray(2 * next, 2 * (next + keys)), 2);
  slice.count = 1 + keys;
  reply.length = 0;
  if (isAnyGone(slice, command)) {
    writeError(reply, GONE);
    work.hasFailed = true;
    return;
  }
  const writesBefore = engine.changes.writes;
  runManyKeys(slice, command, 0);
  work.next += keys;
  work.hasChanged ||= engine.changes.writes !== writesBefore;
  work.hasFailed = isError(reply, 0);
  if (!work.hasFailed) work.total += countOf(reply);
  if (engine.keyEvents.length !== 0) tellKeyEvents(engine, session, 0);
}

/** Whether another node owns a key that is to be removed: since an earlier turn its slot may have moved. */
function isAnyGone({ engine, input, spans, count }: Call, { isWrite }: Command): boolean {
  const { cluster } = engine;
  if (cluster === undefined || !isWrite) return false;
  for (let index = 1; index < count; index += 1) {
    if (!isOwn(cluster.table.roles, slotOfKey(input, spans[2 * index], spans[2 * index + 1]))) return true;
  }
  return isLeaseOver(cluster);
}

function countOf({ bytes, length }: ReplyWriter): number {
  return parseSafeInteger(bytes, DIGITS_START, length - LINE_END_BYTES);
}

/** The changes were made in earlier turns, yet this is the reply that has to wait until they are safe. */
function answerLate(reply: ReplyWriter, work: SlicedKeys): void {
  if (work.hasChanged) work.slice.engine.changes.writes += 1;
  writeTotal(reply, work);
}

/** Or the error at which it has ended. */
function writeTotal(reply: ReplyWriter, { total, hasFailed, slice }: SlicedKeys): void {
  if (hasFailed) writeRaw(reply, slice.reply.bytes.subarray(0, slice.reply.length));
  else writeInteger(reply, total);
}
