/**
 * The commands that a client has queued between MULTI and EXEC, with copies of their arguments.
 *
 * One record for each client that is in MULTI, on its thread. The arguments of all commands lie one behind the other in one buffer, with
 * what stood between them in the request; argument i of a command is `bytes[spans[at + 2i], spans[at + 2i + 1])`, where `at` is
 * the command's start. Records and their memory are used again.
 */
import { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import {
  QUEUED_COMMAND_OVERHEAD_BYTES,
  TRANSACTION_BYTES_KEPT_MAX,
  TRANSACTION_BYTES_MAX,
  TRANSACTIONS_KEPT_MAX,
} from '../config/limits.ts';
import { LIMIT_CUTS } from '../metrics/names.ts';
import { type ReplyWriter, writeError, writeSimple } from '../resp/reply-writer.ts';
import { isFullFor } from '../shard/eviction.ts';
import { POLICY } from '../shard/layout.ts';
import { NO_EVICTION } from '../shard/policy.ts';
import { OUT_OF_MEMORY } from './arguments.ts';
import { type Call, type Command, shardOfKey } from './call.ts';
import { isError } from './error-replies.ts';
import { findKeyPlaces, firstPlace, nextPlace } from './key-places.ts';
import { KEY_OVERHEAD_BYTES } from './many-keys.ts';
import { GUARD_QUEUE, isAsking, type Session, setGuard } from './session.ts';
import { unwatchAll } from './watch.ts';

export type Transaction = {
  readonly commands: Command[];
  /** Where in `spans` the arguments of each command begin. */
  readonly starts: number[];
  spans: Int32Array;
  spanCount: number;
  bytes: Buffer;
  byteCount: number;
  /** A command was refused: EXEC executes none. */
  isDirty: boolean;
  /** The latest command was queued. Whoever asks takes the answer along (`takeQueued`). */
  hasQueued: boolean;
  /** What holds for some command of the queue, for the refusal of EXEC. */
  isWrite: boolean;
  deniesOom: boolean;
  needsLoaded: boolean;
  /** Some command locks shards that its arguments do not name. */
  locksAll: boolean;
  /** MULTI stood behind ASKING. */
  isAsking: boolean;
  /** EXEC is answered with where to go, or that nothing was done: that is all of its reply. */
  isElsewhere: boolean;
};

const SPANS_START = 64;
const BYTES_START = 1024;
const ERROR_PREFIX = '-ERR ';

/** Commands that act at once within MULTI. */
const AT_ONCE: ReadonlySet<string> = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset']);

/** The spans of the command that is executed, where they are few: less than a view on them costs. One per thread. */
const fewSpans = new Int32Array(SPANS_START);

/** Empty ones that are used again. */
const spares: Transaction[] = [];

/** The client's next commands are queued. */
export function beginTransaction(session: Session): void {
  const transaction = spares.pop() ?? createTransaction();
  transaction.isAsking = isAsking(session);
  session.transaction = transaction;
  setGuard(session, GUARD_QUEUE, true);
}

/** The client's next commands are executed as they come. Its queue stays the caller's, to be given to `recycle`. */
export function leaveTransaction(session: Session): void {
  session.transaction = undefined;
  setGuard(session, GUARD_QUEUE, false);
}

/** Forgets what is queued, if anything is. */
export function dropTransaction(session: Session): void {
  const { transaction } = session;
  leaveTransaction(session);
  if (transaction !== undefined) recycle(transaction);
}

/** Keeps the memory of a queue for the next one, unless it is much. */
export function recycle(transaction: Transaction): void {
  const keptBytes = transaction.bytes.length + transaction.spans.byteLength;
  if (keptBytes > TRANSACTION_BYTES_KEPT_MAX || spares.length === TRANSACTIONS_KEPT_MAX) return;
  transaction.commands.length = 0;
  transaction.starts.length = 0;
  transaction.spanCount = 0;
  transaction.byteCount = 0;
  transaction.isDirty = false;
  transaction.hasQueued = false;
  transaction.isWrite = false;
  transaction.deniesOom = false;
  transaction.needsLoaded = false;
  transaction.locksAll = false;
  transaction.isElsewhere = false;
  spares.push(transaction);
}

/** Whether a client in MULTI may not have the command; answers then. */
export function isRefusedInMulti(call: Call, command: Command): boolean {
  if (call.session.transaction === undefined || !command.isRefusedInMulti) return false;
  writeError(call.reply, 'ERR Command not allowed inside a transaction');
  return true;
}

/** Whether the command may change keys: EXEC does if one that is queued may. */
export function isWriting({ session }: Call, { isWrite, spec }: Command): boolean {
  return isWrite || (spec.name === 'exec' && session.transaction?.isWrite === true);
}

/** Whether the command is none for a server that loads its data: EXEC is none if one that is queued is. */
export function needsLoaded({ session }: Call, { allowsLoading, spec }: Command): boolean {
  return !allowsLoading || (spec.name === 'exec' && session.transaction?.needsLoaded === true);
}

/** Queues the command if it is one that waits for EXEC, or refuses it for want of memory: then true, and it is answered. */
export function queueCommand(call: Call, command: Command): boolean {
  const { session } = call;
  const { transaction } = session;
  if (transaction === undefined || AT_ONCE.has(command.spec.name)) return false;
  session.lastCommand = command.spec.name;
  if (lacksMemory(call, command)) {
    writeError(call.reply, OUT_OF_MEMORY);
    return true;
  }
  transaction.hasQueued = true;
  writeSimple(call.reply, 'QUEUED');
  // Of one that is to be aborted anyway nothing more is kept.
  if (!transaction.isDirty) append(call, command, transaction);
  return true;
}

/** Whether the command that was not executed is one that was queued. */
export function takeQueued({ transaction }: Session): boolean {
  if (transaction?.hasQueued !== true) return false;
  transaction.hasQueued = false;
  return true;
}

/**
 * Takes note that a command was refused, with the reply that begins at `replyStart`: a transaction it was to be part of is not executed
 * any more. A refused EXEC ends it, and says so; then true, for monitors are told of it all the same.
 */
export function noteRefused(
  { session, reply }: Call,
  command: Command | undefined,
  replyStart: number,
): boolean {
  const { transaction } = session;
  if (transaction !== undefined) transaction.isDirty = true;
  if (command?.spec.name !== 'exec') return false;
  if (transaction?.isElsewhere === true) {
    dropTransaction(session);
    unwatchAll(session);
    return true;
  }
  const reason = takeErrorText(reply, replyStart);
  dropTransaction(session);
  unwatchAll(session);
  writeError(reply, `EXECABORT Transaction discarded because of: ${reason}`);
  return true;
}

/** The bytes that a queue takes. */
export function transactionBytes({ commands, byteCount, spanCount }: Transaction): number {
  return (
    byteCount + spanCount * Int32Array.BYTES_PER_ELEMENT + commands.length * QUEUED_COMMAND_OVERHEAD_BYTES
  );
}

/** Makes the command at `index` of the queue the one that `call` is about. Its spans are good until the next is. */
export function loadQueued(call: Call, transaction: Transaction, index: number): Command {
  const { starts, spans, spanCount } = transaction;
  const start = starts[index];
  const end = index + 1 < starts.length ? starts[index + 1] : spanCount;
  call.input = transaction.bytes;
  call.spans = end - start > fewSpans.length ? spans.subarray(start, end) : fewSpans;
  call.count = (end - start) >>> 1;
  if (call.spans === fewSpans) for (let at = start; at < end; at += 1) fewSpans[at - start] = spans[at];
  return transaction.commands[index];
}

/** Takes back the error that begins at `start` of the writer: its text, as it stands behind `because of:`. */
function takeErrorText(reply: ReplyWriter, start: number): string {
  if (!isError(reply, start)) return 'it was refused';
  const text = reply.bytes.toString('latin1', start, reply.length).trimEnd();
  reply.length = start;
  return text.slice(text.startsWith(ERROR_PREFIX) ? ERROR_PREFIX.length : 1);
}

function createTransaction(): Transaction {
  return {
    commands: [],
    starts: [],
    spans: new Int32Array(SPANS_START),
    spanCount: 0,
    bytes: Buffer.allocUnsafeSlow(BYTES_START),
    byteCount: 0,
    isDirty: false,
    hasQueued: false,
    isWrite: false,
    deniesOom: false,
    needsLoaded: false,
    locksAll: false,
    isAsking: false,
    isElsewhere: false,
  };
}

/** Whether a command that is to be queued would find no memory now, and none may be evicted for it. A look without locks. */
function lacksMemory(call: Call, command: Command): boolean {
  const { engine, spans, count } = call;
  // All shards have one policy.
  const mayEvict = engine.shards[0].control[POLICY] !== NO_EVICTION;
  if (mayEvict || !command.deniesOom || command.firstKey === 0) return false;
  const places = findKeyPlaces(call, command);
  for (let index = firstPlace(places); index > 0; index = nextPlace(places, index)) {
    const behind =
      command.lastKey === command.firstKey ? count - 1 : Math.min(index + command.keyStep, count) - 1;
    const bytes = spans[2 * behind + 1] - spans[2 * index] + KEY_OVERHEAD_BYTES;
    if (isFullFor(shardOfKey(call, index), bytes)) return true;
  }
  return false;
}

function append(call: Call, command: Command, transaction: Transaction): void {
  const { input, spans, count } = call;
  const from = spans[0];
  const bytes = spans[2 * count - 1] - from;
  if (!admits(call, transaction, bytes)) return;
  makePlace(transaction, bytes, 2 * count);
  const { byteCount, spanCount } = transaction;
  copyBytes(input, from, from + bytes, transaction.bytes, byteCount);
  for (let index = 0; index < 2 * count; index += 1) {
    transaction.spans[spanCount + index] = spans[index] - from + byteCount;
  }
  transaction.commands.push(command);
  transaction.starts.push(spanCount);
  transaction.byteCount += bytes;
  transaction.spanCount += 2 * count;
  transaction.isWrite ||= command.isWrite;
  transaction.deniesOom ||= command.deniesOom;
  transaction.needsLoaded ||= !command.allowsLoading;
  transaction.locksAll ||= command.locksItself;
}

/** Whether the client may have so much more in its queue, as part of what it may have unexecuted; if not, it is closed. */
function admits({ engine, session }: Call, transaction: Transaction, bytes: number): boolean {
  const queuedBytes = transactionBytes(transaction) + bytes;
  const limitBytes = Math.min(engine.config.clientQueryBufferLimit, TRANSACTION_BYTES_MAX);
  if (queuedBytes + session.connection.queryBufferBytes() <= limitBytes) return true;
  engine.log.warning(
    `client ${session.id} (${session.address}) is closed: ${queuedBytes} bytes of queued commands are over client-query-buffer-limit`,
  );
  engine.counters[LIMIT_CUTS] += 1;
  session.connection.destroy();
  return false;
}

function makePlace(transaction: Transaction, bytes: number, spans: number): void {
  const bytesNeeded = transaction.byteCount + bytes;
  if (bytesNeeded > transaction.bytes.length) {
    const larger = Buffer.allocUnsafeSlow(Math.max(bytesNeeded, 2 * transaction.bytes.length));
    transaction.bytes.copy(larger, 0, 0, transaction.byteCount);
    transaction.bytes = larger;
  }
  const spansNeeded = transaction.spanCount + spans;
  if (spansNeeded > transaction.spans.length) {
    const larger = new Int32Array(Math.max(spansNeeded, 2 * transaction.spans.length));
    larger.set(transaction.spans);
    transaction.spans = larger;
  }
}
