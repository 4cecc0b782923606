/**
 * The records of a worker's network side: what it serves with, and what it knows of each connection.
 *
 * Types only. One `Serving` per worker; both records never leave its thread.
 */
import type { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type { Call } from '../commands/call.ts';
import type { Engine } from '../commands/engine.ts';
import type { ReplyPlace, Session } from '../commands/session.ts';
import type { LogWriter } from '../durability/log-stream.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import type { Request, RequestBounds } from '../resp/request-parser.ts';
import type { Shard } from '../shard/shard.ts';
import type { Clockwork } from './clockwork.ts';
import type { LentBuffer, SpareOutput } from './lent-buffers.ts';
import type { Postponed } from './postponed.ts';
import type { SlotWaits } from './slot-waits.ts';

/** A worker's side of the log. */
export type TurnLog = {
  readonly writer: LogWriter;
  /** Whether a worker that cannot log serves on without (`on-log-error continue`). */
  readonly servesWithout: () => boolean;
  /** Connections whose replies wait. */
  readonly held: Set<Connection>;
  /** Counts the flushes whose replies wait: the number of the one to come. */
  commits: number;
  /** Something of this turn could not be written. */
  hasFailed: boolean;
  /** Changes of main that wait for the disk; each is told how that ended. */
  readonly settling: Set<(isSafe: boolean) => void>;
};

export type Serving = {
  readonly engine: Engine;
  /** The shards whose house this worker keeps. */
  readonly ownShards: readonly Shard[];
  readonly readBuffer: Buffer;
  readonly reply: ReplyWriter;
  readonly call: Call;
  readonly connections: Map<number, Connection>;
  /** Connections with replies of this turn. */
  dirty: Connection[];
  request: Request;
  /** Input buffers that connections gave up, and their bytes together. */
  readonly spares: Buffer[];
  spareBytes: number;
  /** What was pushed since the last flush, to all connections. */
  pushedBytes: number;
  /** The pieces that were joined last in this flush, and as what. */
  joined: { readonly pieces: readonly Output[]; readonly bytes: Buffer } | undefined;
  /** The wall clock, read at most once a turn; 0 when it has not been. */
  nowMs: number;
  isTurnEndDue: boolean;
  /** When the turn began, by the monotonic clock; where an end is due. */
  turnStartMs: number;
  /** When the clockwork last ticked, by the monotonic clock. */
  tickedMs: number;
  readonly clockwork: Clockwork;
  /** The writer's buffer, if part of it is still on its way to some kernel: it must not be written over. */
  lent: LentBuffer | undefined;
  readonly spareOutput: SpareOutput;
  /** A slice of housekeeping waits for its place behind the next reads. */
  isHouseTurnDue: boolean;
  /** Bytes that clients have got to keep since the latest look at what they have (client-memory.ts). */
  keptBytes: number;
  isStopping: boolean;
  /** Ends one of the reasons for which a connection waits, and executes nothing before it returns (connection.ts). */
  readonly proceedLater: (connection: Connection) => void;
  /** What writes this worker's changes to disk; undefined while nothing is logged. */
  log: TurnLog | undefined;
  readonly postponed: Postponed;
  readonly slotWaits: SlotWaits;
  nextClientNumber: number;
  readonly timers: NodeJS.Timeout[];
};

/** Bytes on their way to a client: replies to its commands, or what is sent besides (push.ts), or a reply that others make. */
export type Output = {
  readonly bytes: Buffer;
  readonly isPush: boolean;
  readonly place: ReplyPlace | undefined;
};

/** A push of this turn, or the place of a reply, and before which byte of the worker's writer it goes out. */
type Push = { readonly bytes: Buffer; readonly place: ReplyPlace | undefined; at: number };

export type Connection = {
  readonly serving: Serving;
  readonly socket: Socket;
  /** TLS: bytes go through OpenSSL, and wait there too. */
  readonly isEncrypted: boolean;
  readonly session: Session;
  readonly bounds: RequestBounds;
  /** The state of a request that a read left incomplete; the worker's common one serves until then. */
  request: Request | undefined;
  /** Input that is not yet executed: `pending[pendingStart, pendingEnd)`. */
  pending: Buffer | undefined;
  pendingStart: number;
  pendingEnd: number;
  /** While its requests are executed, or one of them waits for its reply, the bytes that they were read as; else 0. */
  readBytes: number;
  /** This turn's replies in the worker's writer. */
  outputStart: number;
  outputEnd: number;
  isDirty: boolean;
  /** Commands wait while it is above 0: a reply comes later, this turn's share is used up, or replies are held. */
  suspensions: number;
  /** Whether a command of this turn has changed something. */
  hasWritten: boolean;
  /** Among its replies that are held or lined up are some of writes: they are not let go behind the end of the node's lease. */
  owesWrites: boolean;
  /** Replies that wait for the log (turn-log.ts), in order, and what is pushed between them. */
  held: Output[] | undefined;
  /** The last commit that they wait for, by the count of `TurnLog.commits`. */
  heldFor: number;
  isRunning: boolean;
  /** Where in the writer the reply of the command begins that runs. */
  replyStart: number;
  /** Replies that come later. */
  deferrals: number;
  /** What is pushed in this turn, in order; and what waits behind a reply that comes later. */
  pushes: Push[] | undefined;
  waitingPushes: Buffer[] | undefined;
  /** Bytes that were pushed and are not sent yet, those among the held ones included. */
  pushedBytes: number;
  /** What waits for replies that others make (reply-places.ts), in order, and what has come of these; and the bytes of both. */
  lineUp: Output[] | undefined;
  linedUpBytes: number;
  /** Such replies that are not whole; and how the cluster and the client were when the latest was begun. */
  openPlaces: number;
  placesVersion: number;
  placesProtocol: number;
  /** Commands wait until there are fewer; until there are none. */
  isCrowded: boolean;
  isSettling: boolean;
  /** Nothing is read, because commands wait and there are enough of them. */
  isInputPaused: boolean;
  /** The client has closed its side: no more input. */
  inputEnded: boolean;
  isDestroyed: boolean;
  /** Writes that wait behind others because the client does not read as fast as it asks. */
  queuedWrites: number;
  /** Bytes of a write past the stream that the kernel has not taken yet, at the most; the buffer that they lie in, if it is lent; and what ends it. */
  directBytes: number;
  directBuffer: LentBuffer | undefined;
  readonly onSent: () => void;
  /** What of the output the kernel had not taken at the latest look; it becomes less while the client reads. */
  unsentBytes: number;
  /** Since when the output is above the soft limit, 0 while it is not. */
  overSoftLimitSinceMs: number;
};
