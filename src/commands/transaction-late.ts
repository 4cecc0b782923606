/**
 * The replies of a transaction some of whose commands are answered later: collected in their places until all are there.
 *
 * Runs on the thread of the connection. A command that asks other threads cannot be waited for under locks: its reply comes when
 * it comes, and EXEC is answered then. So that commands about the server see what those before them have done (CONFIG GET
 * behind CONFIG SET), they are put off behind such a one, and executed one after the other when the locks were given back.
 */
import { Buffer } from 'node:buffer';
import { createReplyWriter, type ReplyWriter, writeRaw } from '../resp/reply-writer.ts';
import { isRefusedInExec } from './acl-refusal.ts';
import { type Call, type Command, deferReply } from './call.ts';
import type { Engine } from './engine.ts';
import { countIfError } from './error-replies.ts';
import { runHeld } from './run-held.ts';
import type { Deferred, Session } from './session.ts';
import { beginRead, endRead, endStretch } from './timing.ts';
import { loadQueued, recycle, type Transaction } from './transaction-queue.ts';

/** A part of the reply of EXEC: bytes; or what is not there yet, and which command is still to be executed for it. */
type Piece = { bytes: Buffer | undefined; putOff: number };

type LateReplies = {
  readonly engine: Engine;
  readonly session: Session;
  readonly transaction: Transaction;
  readonly pieces: Piece[];
  /** Where the reply of EXEC begins in the writer: what stands there is not among the pieces yet. */
  readonly replyStart: number;
  /** The first piece that may be missing. */
  next: number;
  /** The reply of EXEC; undefined while the transaction runs. */
  deferred: Deferred | undefined;
  hasChanged: boolean;
  isOver: boolean;
};

const REPLY_BYTES_START = 256;
const NOTHING_PUT_OFF = -1;

/** Executed with no lock held, for they lock for themselves, or have the log written. */
const NEVER_HELD: ReadonlySet<string> = new Set(['debug', 'waitaof']);

/** The late replies of the transaction that runs on this thread, once there are any. */
const running: { transaction: Transaction | undefined; replyStart: number; late: LateReplies | undefined } = {
  transaction: undefined,
  replyStart: 0,
  late: undefined,
};

/** From now on what the client's commands defer is a part of the reply that begins at `replyStart`. */
export function beginCollecting(session: Session, transaction: Transaction, replyStart: number): void {
  running.transaction = transaction;
  running.replyStart = replyStart;
  running.late = undefined;
  session.deferInside = deferHere;
}

/** What the client's commands defer is a reply again. */
export function endCollecting(session: Session): void {
  session.deferInside = undefined;
  running.transaction = undefined;
}

/** Puts the command at `index` of the queue off if it has to be. */
export function isPutOff({ engine, session, reply }: Call, command: Command, index: number): boolean {
  const { spec, firstKey, locksItself } = command;
  const mustWait = running.late !== undefined && firstKey === 0 && !locksItself && spec.group === 'server';
  if (!mustWait && !NEVER_HELD.has(spec.name)) return false;
  addPiece(lateReplies(engine, session), reply, index);
  return true;
}

/**
 * To be called when the transaction is over, its locks are given back, and `call` is EXEC's again. True where replies are
 * missing: then EXEC is answered later.
 */
export function awaitLate(call: Call, hasChanged: boolean): boolean {
  const { late } = running;
  running.late = undefined;
  if (late === undefined) return false;
  cutPiece(late, call.reply);
  late.hasChanged = hasChanged;
  late.deferred = deferReply(call);
  late.engine.later(() => goOn(late));
  return true;
}

function deferHere({ engine, session, reply }: Call): Deferred {
  const late = lateReplies(engine, session);
  return promise(late, addPiece(late, reply, NOTHING_PUT_OFF));
}

function lateReplies(engine: Engine, session: Session): LateReplies {
  const { transaction, replyStart } = running;
  if (transaction === undefined) throw new Error('no transaction runs');
  running.late ??= {
    ...{ engine, session, transaction, replyStart, pieces: [], next: 0 },
    ...{ deferred: undefined, hasChanged: false, isOver: false },
  };
  return running.late;
}

function addPiece(late: LateReplies, reply: ReplyWriter, putOff: number): Piece {
  cutPiece(late, reply);
  const piece: Piece = { bytes: undefined, putOff };
  late.pieces.push(piece);
  return piece;
}

/** Takes what the writer holds of the reply. */
function cutPiece({ pieces, replyStart }: LateReplies, reply: ReplyWriter): void {
  const bytes = Buffer.from(reply.bytes.subarray(replyStart, reply.length));
  reply.length = replyStart;
  pieces.push({ bytes, putOff: NOTHING_PUT_OFF });
}

function promise(late: LateReplies, piece: Piece): Deferred {
  const { engine, session } = late;
  return {
    resume: (write) => {
      if (piece.bytes !== undefined) return;
      const reply = createReplyWriter(REPLY_BYTES_START);
      reply.protocol = session.protocol;
      write(reply);
      countIfError(engine, reply, 0);
      piece.bytes = reply.bytes.subarray(0, reply.length);
      // Never in the middle of another client's command.
      if (late.deferred !== undefined) engine.later(() => goOn(late));
    },
  };
}

/** Goes on to the first piece that is still missing; answers EXEC when none is. Also for a client that has gone: all of a transaction is executed. */
function goOn(late: LateReplies): void {
  const { pieces, transaction } = late;
  for (; late.next < pieces.length; late.next += 1) {
    const piece = pieces[late.next];
    const { putOff } = piece;
    piece.putOff = NOTHING_PUT_OFF;
    if (putOff !== NOTHING_PUT_OFF) runPutOff(late, piece, putOff);
    if (piece.bytes === undefined) return;
  }
  if (late.isOver) return;
  late.isOver = true;
  recycle(transaction);
  late.deferred?.resume((reply) => writePieces(reply, late));
}

function runPutOff(late: LateReplies, piece: Piece, index: number): void {
  const { engine, session, transaction } = late;
  const command = transaction.commands[index];
  const call: Call = {
    ...{ engine, session, command, count: 0, isDeferred: false, shard: engine.shards[0] },
    ...{ input: transaction.bytes, spans: transaction.spans, nowMs: engine.wallMs() },
    reply: createReplyWriter(REPLY_BYTES_START),
  };
  call.reply.protocol = session.protocol;
  loadQueued(call, transaction, index);
  session.deferInside = () => promise(late, piece);
  beginRead(engine, Infinity);
  // What stood before it in the transaction may have changed what the user may do.
  if (!isRefusedInExec(call, command)) runHeld(call, command);
  endRead(call, true);
  endStretch(engine);
  session.deferInside = undefined;
  if (!call.isDeferred) piece.bytes = call.reply.bytes.subarray(0, call.reply.length);
}

/** The change of the transaction is in an earlier turn, yet this is the reply that has to wait until it is safe. */
function writePieces(reply: ReplyWriter, { engine, pieces, hasChanged }: LateReplies): void {
  if (hasChanged) engine.changes.writes += 1;
  for (const { bytes } of pieces) if (bytes !== undefined) writeRaw(reply, bytes);
}
