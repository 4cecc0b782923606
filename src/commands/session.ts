/**
 * A client as commands see it: who it is, which database and protocol it speaks, and how its replies are treated.
 *
 * Owned by the worker that serves the connection; net/connection.ts makes one for each.
 */
import type { Buffer } from 'node:buffer';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import type { Call } from './call.ts';
import type { ClientTracking } from './client-tracking.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Transaction } from './transaction-queue.ts';
import type { WatchedKeys } from './watch.ts';
import type { WrittenSlots } from './written-slots.ts';

/** Replies go out; or are dropped; or the next one is, and then this one. */
export const REPLY_ON = 0;
export const REPLY_OFF = 1;
export const REPLY_SKIP_NEXT = 2;
export const REPLY_SKIP = 3;

/**
 * What is unusual about a client, as bits: the dispatcher looks closer at the commands of one that has any (refusals.ts).
 * Not logged in; watches all commands.
 */
export const GUARD_LOGIN = 1;
export const GUARD_MONITOR = 2;
/** Is a user that may not do everything. */
export const GUARD_ACL = 4;
/** Has the keys that it reads remembered. */
export const GUARD_TRACKING = 64;
/** Has its commands queued (MULTI). */
export const GUARD_QUEUE = 8;

/** Listens to channels or patterns. */
export const GUARD_SUBSCRIBER = 16;

/** A place in the order of a client's replies, for one that others make while the client's next commands run. */
export type ReplyPlace = {
  /** What has come of it and not left. */
  chunks: Buffer[];
  isWhole: boolean;
  /** Nobody gets it. */
  readonly isDropped: boolean;
};

export type ReplyPlaces = {
  /**
   * Takes the place of the reply of the command that runs: that command writes none. With `holdsBack` the client's next commands wait until
   * no place is open any more: this node may be among those that execute it, and would execute them before.
   */
  readonly open: (holdsBack?: boolean) => ReplyPlace;
  /** Adds bytes to the reply, which must not change any more. */
  readonly add: (place: ReplyPlace, bytes: Buffer) => void;
  /** The reply is whole. */
  readonly end: (place: ReplyPlace) => void;
};

/** No number of a command. */
const NEVER = -2;

/** What commands may ask of the connection that they serve. */
export type SessionConnection = {
  /** Holds back this client's next commands until the reply is there. */
  readonly defer: () => Deferred;
  /** Closes the connection behind the replies written so far. */
  readonly closeAfterReply: () => void;
  /** Closes it at once. */
  readonly destroy: () => void;
  readonly queryBufferBytes: () => number;
  readonly queryBufferFreeBytes: () => number;
  readonly outputBytes: () => number;
  /**
   * Sends bytes that answer none of this client's commands: between two replies, behind those that it has got or waits for,
   * whatever its reply mode is. Called for itself by the command that runs: before its reply. The bytes must not change any
   * more. A client that leaves more unread than it may is closed.
   */
  readonly push: (bytes: Buffer) => void;
  /** The same, but behind the reply of the command that runs, whose reply is written: for what comes of it. */
  readonly pushBehind: (bytes: Buffer) => void;
  /** Has the command that is looked at, and those behind it, come again when the pause is over; undefined where nobody can wait. */
  readonly postpone: (() => void) | undefined;
  /** The same for a command whose slot is on its way to another node or to this one: it comes again soon, until it does not ask for this. */
  readonly awaitSlot: (() => void) | undefined;
  /** Replies out of order; undefined where each is awaited before the next command. */
  readonly places: ReplyPlaces | undefined;
};

/** A reply that comes later. Whichever thread's event resumes it runs on the connection's own thread. */
export type Deferred = { readonly resume: (write: (reply: ReplyWriter) => void) => void };

/** How a wait ends before what the client waits for has happened: its time is over, or it is told so; or nobody is there any more. */
export type BlockedEnd = 'timeout' | 'error' | 'gone';

/** A client that waits for something to happen. */
type Blocked = { readonly end: (how: BlockedEnd) => void };

export type Session = {
  readonly id: number;
  readonly connection: SessionConnection;
  /** `address:port` of the peer and of our end; a unix socket's path and `:0`. */
  readonly address: string;
  readonly localAddress: string;
  readonly fileDescriptor: number;
  readonly createdAtMs: number;
  readonly isUnixSocket: boolean;
  /** TLS. */
  readonly isEncrypted: boolean;
  lastActiveMs: number;
  database: number;
  protocol: 2 | 3;
  authenticated: boolean;
  /** Bits of GUARD_*: 0 for an ordinary client. Changed through `setGuard`. */
  guards: number;
  /** One character per byte. */
  user: string;
  name: string;
  libraryName: string;
  libraryVersion: string;
  replyMode: number;
  noTouch: boolean;
  noEvict: boolean;
  /** The channels and patterns that it listens to; undefined without any. */
  subscriptions: Subscriptions | undefined;
  /** What it has queued since MULTI; undefined outside of it. */
  transaction: Transaction | undefined;
  /** The keys that it watches. */
  watched: WatchedKeys | undefined;
  /** Takes what its commands defer, in place of the connection: they are parts of a reply of EXEC. */
  deferInside: ((call: Call) => Deferred) | undefined;
  /** How it hears of keys that change; undefined where it does not. */
  tracking: ClientTracking | undefined;
  /** It may read replicas (READONLY). */
  isReadOnly: boolean;
  /** It is another node of the cluster (CLUSTER PEER): what it asks for is not passed on again. */
  isPeer: boolean;
  /** The id under which it introduced itself as such; '' for others. */
  peerId: string;
  /** Which of its commands ASKING was, by `commandsProcessed`: it holds for the next one (`isAsking`). */
  askedAt: number;
  /** Which of its commands waits for a slot, and until when by the thread's monotonic clock; or in which turn it has waited in vain, -1 before. */
  slotWait: { readonly command: number; readonly endsMs: number; readonly endedTurn: number };
  /** Its command waits (unblock.ts); undefined while none does. */
  blocked: Blocked | undefined;
  /** Its next command waits for the end of a pause, or for a slot. */
  isPostponed: boolean;
  /** It is told every command of all clients (MONITOR). */
  isMonitor: boolean;
  /** The latest command's name, as CLIENT LIST shows it (`config|get`). */
  lastCommand: string;
  commandsProcessed: number;
  bytesIn: number;
  bytesOut: number;
  closing: boolean;
  /** It is another node that gets this one's changes (CLUSTER FEED). */
  isReplica: boolean;
  /** Called when its connection is gone; undefined where nobody cares. */
  onGone: (() => void) | undefined;
  /** The slots that it has changed, for WAIT (written-slots.ts); undefined before it has, and on a node that is alone. */
  written: WrittenSlots | undefined;
};

/** What a session begins with that differs between the doors: RESP, and HTTP (admin/command-runner.ts). */
type SessionStart = Pick<
  Session,
  | 'id'
  | 'connection'
  | 'address'
  | 'localAddress'
  | 'fileDescriptor'
  | 'isUnixSocket'
  | 'isEncrypted'
  | 'createdAtMs'
  | 'database'
  | 'protocol'
  | 'authenticated'
>;

/** A client that has just come and said nothing yet. */
export function createSession(start: SessionStart): Session {
  return {
    ...start,
    guards: start.authenticated ? 0 : GUARD_LOGIN,
    lastActiveMs: start.createdAtMs,
    user: 'default',
    name: '',
    libraryName: '',
    libraryVersion: '',
    replyMode: REPLY_ON,
    noTouch: false,
    noEvict: false,
    subscriptions: undefined,
    transaction: undefined,
    watched: undefined,
    deferInside: undefined,
    tracking: undefined,
    isReadOnly: false,
    isPeer: false,
    peerId: '',
    askedAt: NEVER,
    slotWait: { command: NEVER, endsMs: 0, endedTurn: -1 },
    blocked: undefined,
    isPostponed: false,
    isMonitor: false,
    lastCommand: 'NULL',
    commandsProcessed: 0,
    bytesIn: 0,
    bytesOut: 0,
    closing: false,
    isReplica: false,
    onGone: undefined,
    written: undefined,
  };
}

/** Whether the command that is looked at stands behind ASKING, or in a transaction that does. */
export function isAsking({ askedAt, commandsProcessed, transaction }: Session): boolean {
  return askedAt === commandsProcessed - 1 || transaction?.isAsking === true;
}

export function setGuard(session: Session, bit: number, isOn: boolean): void {
  session.guards = isOn ? session.guards | bit : session.guards & ~bit;
}

/** Logs the client in or out. */
export function setAuthenticated(session: Session, isAuthenticated: boolean): void {
  session.authenticated = isAuthenticated;
  setGuard(session, GUARD_LOGIN, !isAuthenticated);
}
