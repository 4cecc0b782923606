/**
 * CLIENT INFO and CLIENT LIST: one line per client, of all threads.
 *
 * Each thread writes the lines of the clients that it serves (topic 'client-list'); the asking one puts them in order.
 */
import { bytesToText } from '../config/arguments.ts';
import { writeError, writeVerbatim } from '../resp/reply-writer.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import { type Call, deferReply } from './call.ts';
import { clientIdOf } from './client-id.ts';
import { redirectOf, trackingFlags } from './client-tracking.ts';
import { type ClientType, readClientType, typeOfClient } from './client-type.ts';
import type { Engine } from './engine.ts';
import type { Session } from './session.ts';
import { CHANNELS, PATTERNS, SHARD_CHANNELS, subscriptionCount } from './subscriptions.ts';
import { transactionBytes } from './transaction-queue.ts';
import { looksTouched } from './watch.ts';

const TOPIC = 'client-list';

/** Which clients are asked for: those of a type, those with these ids, or all. Travels between threads. */
type ListQuery = { readonly type: ClientType | undefined; readonly ids: readonly number[] | undefined };

type ListedClient = readonly [id: number, line: string];

/** Answers other threads' (and this one's) CLIENT LIST for the clients served here. */
export function installClientList(engine: Engine): void {
  engine.bus.handle(TOPIC, (payload) => listClients(engine, payload as ListQuery));
}

export function clientInfo(call: Call): void {
  writeVerbatim(call.reply, 'txt', `${clientLine(call.session, call.engine.wallMs())}\n`);
}

export function clientList(call: Call): void {
  const query = readQuery(call);
  if (query === undefined) return;
  const deferred = deferReply(call);
  call.engine.bus.requestAll(TOPIC, query).then((answers) => {
    const listed = (answers as ListedClient[][]).flat();
    const lines = query.ids === undefined ? linesById(listed) : linesOf(listed, query.ids);
    deferred.resume((reply) => writeVerbatim(reply, 'txt', lines.map((line) => `${line}\n`).join('')));
  });
}

/** Undefined after an error. */
function readQuery(call: Call): ListQuery | undefined {
  const { count } = call;
  if (count === 2) return { type: undefined, ids: undefined };
  if (count === 4 && isWord(call, 2, 'TYPE')) {
    const type = readClientType(call, 3);
    return type && { type, ids: undefined };
  }
  if (count > 3 && isWord(call, 2, 'ID')) return readIds(call);
  replySyntaxError(call);
  return undefined;
}

function readIds(call: Call): ListQuery | undefined {
  const ids: number[] = [];
  for (let index = 3; index < call.count; index += 1) {
    const id = clientIdOf(call, index);
    if (Number.isNaN(id)) {
      writeError(call.reply, 'ERR Invalid client ID');
      return undefined;
    }
    ids.push(id);
  }
  return { type: undefined, ids };
}

function listClients(engine: Engine, { type, ids }: ListQuery): ListedClient[] {
  const wanted = ids && new Set(ids);
  const nowMs = engine.wallMs();
  const listed: ListedClient[] = [];
  for (const session of engine.sessions.values()) {
    if (type !== undefined && type !== typeOfClient(session)) continue;
    if (wanted === undefined || wanted.has(session.id)) listed.push([session.id, clientLine(session, nowMs)]);
  }
  return listed;
}

/** The oldest client first, as in redis-server. */
function linesById(listed: readonly ListedClient[]): string[] {
  return [...listed].sort(([a], [b]) => a - b).map(([, line]) => line);
}

/** In the order asked for, twice if asked for twice. */
function linesOf(listed: readonly ListedClient[], ids: readonly number[]): string[] {
  const lineOf = new Map(listed);
  return ids.map((id) => lineOf.get(id)).filter((line) => line !== undefined);
}

/**
 * What is told of a client: the fields of redis-server 7.0.15 under its names and in its order, and 7.2's two of the library
 * behind them. What has no meaning here (replies are never queued in lists, requests are executed where they lie) is 0.
 */
export function clientFields(session: Session, nowMs: number) {
  const { connection } = session;
  const queryBytes = connection.queryBufferBytes();
  const queryFreeBytes = connection.queryBufferFreeBytes();
  const outputBytes = connection.outputBytes();
  const multiBytes = session.transaction === undefined ? 0 : transactionBytes(session.transaction);
  return {
    id: session.id,
    addr: session.address,
    laddr: session.localAddress,
    fd: session.fileDescriptor,
    name: session.name,
    age: seconds(nowMs - session.createdAtMs),
    idle: seconds(nowMs - session.lastActiveMs),
    flags: flagsOf(session, nowMs),
    db: session.database,
    sub: subscriptionCount(session, CHANNELS),
    psub: subscriptionCount(session, PATTERNS),
    ssub: subscriptionCount(session, SHARD_CHANNELS),
    ...{ multi: session.transaction?.commands.length ?? -1 },
    qbuf: queryBytes,
    'qbuf-free': queryFreeBytes,
    ...{ 'argv-mem': 0, 'multi-mem': multiBytes, rbs: 0, rbp: 0, obl: 0, oll: 0 },
    omem: outputBytes,
    'tot-mem': clientBytes(session),
    events: outputBytes > 0 ? 'rw' : 'r',
    cmd: session.lastCommand === '' ? 'NULL' : session.lastCommand,
    user: bytesToText(session.user),
    redir: redirectOf(session.tracking),
    resp: session.protocol,
    'lib-name': session.libraryName,
    'lib-ver': session.libraryVersion,
  };
}

/** The bytes that a client keeps: `tot-mem`. */
export function clientBytes({ connection, transaction }: Session): number {
  const inputBytes = connection.queryBufferBytes() + connection.queryBufferFreeBytes();
  const multiBytes = transaction === undefined ? 0 : transactionBytes(transaction);
  return inputBytes + connection.outputBytes() + multiBytes;
}

/** The line of one client, without its end. */
export function clientLine(session: Session, nowMs: number): string {
  const fields: Readonly<Record<string, string | number>> = clientFields(session, nowMs);
  let line = '';
  // Half the time of going over the entries; there may be ten thousand clients.
  for (const name in fields) line += `${line === '' ? '' : ' '}${name}=${fields[name]}`;
  return line;
}

function seconds(durationMs: number): number {
  return Math.max(0, Math.floor(durationMs / 1000));
}

function flagsOf(session: Session, nowMs: number): string {
  const flags =
    (session.isMonitor ? 'O' : '') +
    (session.subscriptions === undefined ? '' : 'P') +
    (session.transaction === undefined ? '' : 'x') +
    (session.isPostponed || session.blocked !== undefined ? 'b' : '') +
    trackingFlags(session.tracking) +
    (looksTouched(session, nowMs) ? 'd' : '') +
    (session.closing ? 'c' : '') +
    (session.isUnixSocket ? 'U' : '') +
    (session.isReadOnly ? 'r' : '') +
    (session.noEvict ? 'e' : '') +
    (session.noTouch ? 'T' : '');
  return flags === '' ? 'N' : flags;
}
