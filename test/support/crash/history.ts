/**
 * What was sent and what was acknowledged: the evidence that the data after a crash is held against.
 *
 * Keys of one connection have a session, which follows them exactly; keys that several connections write are registers
 * (each write a token of its own, over one key or a group of keys at once) and counters.
 */
import { crc32 } from 'node:zlib';
import {
  applyOperation,
  createKeyspace,
  type Keyspace,
  keysNamed,
  keysOf,
  type Operation,
  type Span,
} from './keyspace-model.ts';

/** The server's clock stands still within a turn, so it may be behind when a command is executed. */
const CLOCK_BEHIND_MS_MAX = 250;
const CLOCK_AHEAD_MS_MAX = 2;
const TALE_COMMANDS_MAX = 24;
const HELD_DIGESTS_MAX = 512;

export type FindingKind = 'lost' | 'torn' | 'phantom' | 'resurrected' | 'deadline' | 'refused' | 'broken';

/** One thing that is not as it must be. Keys are quoted, values are shown by size and digest. */
export type Finding = {
  readonly kind: FindingKind;
  readonly where: string;
  readonly text: string;
  readonly history: readonly string[];
};

export type Sent = {
  readonly number: number;
  readonly round: number;
  readonly operation: Operation;
  readonly sentMs: number;
  isAcknowledged: boolean;
};

export type Session = {
  /** Its keys start with this, and nobody else's do. */
  readonly prefix: string;
  readonly databases: readonly number[];
  /** The state after the last acknowledged command. */
  acknowledged: Keyspace;
  /** Sent and not acknowledged, in order. */
  outstanding: Sent[];
  sentCount: number;
  /** The last commands that named a key; under the empty name those that name none. */
  readonly tales: Map<string, Sent[]>;
  /** Digests of what a key held before. */
  readonly held: Map<string, number[]>;
};

/** The value null is a deletion. Times are ticks of the harness, which grow with each event. */
export type Write = {
  readonly value: string | null;
  readonly by: string;
  readonly sentAt: number;
  /** Infinity while not acknowledged. */
  endedAt: number;
};

type Read = {
  readonly value: string | null;
  readonly by: string;
  readonly fromAt: number;
  endedAt: number;
};

/** One value over one key, or the same over a group of keys that are only ever written together. */
export type Register = {
  readonly keys: readonly string[];
  initial: string | null;
  writes: Write[];
  reads: Read[];
  /** Whether this token was ever sent, in this round or before. */
  readonly tokens: Set<string>;
};

export type Counter = {
  readonly key: string;
  initial: number;
  acknowledgedSum: number;
  sentSum: number;
  /** The largest value that any reply showed. */
  seen: number;
};

export type History = {
  round: number;
  tick: number;
  readonly sessions: readonly Session[];
  readonly registers: readonly Register[];
  readonly counters: readonly Counter[];
  /** Writes acknowledged, over all rounds. */
  acknowledgedWrites: number;
  /** What was already wrong before the kill. */
  readonly findings: Finding[];
};

export function createSession(prefix: string, databases: readonly number[]): Session {
  return {
    prefix,
    databases,
    acknowledged: createKeyspace(),
    outstanding: [],
    sentCount: 0,
    tales: new Map(),
    held: new Map(),
  };
}

export function createRegister(keys: readonly string[]): Register {
  return { keys, initial: null, writes: [], reads: [], tokens: new Set() };
}

export function createCounter(key: string): Counter {
  return { key, initial: 0, acknowledgedSum: 0, sentSum: 0, seen: 0 };
}

export function createHistory(
  sessions: readonly Session[],
  registers: readonly Register[],
  counters: readonly Counter[],
): History {
  return { round: 0, tick: 0, sessions, registers, counters, acknowledgedWrites: 0, findings: [] };
}

/** Notes that a session sends a command now. */
export function noteSent(session: Session, operation: Operation, round: number, nowMs: number): Sent {
  session.sentCount += 1;
  const sent = { number: session.sentCount, round, operation, sentMs: nowMs, isAcknowledged: false };
  session.outstanding.push(sent);
  const names = keysNamed(operation);
  for (const name of names.length > 0 ? names : [''])
    pushBounded(session.tales, name, sent, TALE_COMMANDS_MAX);
  return sent;
}

/** Takes the reply to a session's first outstanding command. Returns what is wrong with it. */
export function noteAcknowledged(session: Session, reply: string, nowMs: number): Finding | undefined {
  const [sent] = session.outstanding.splice(0, 1);
  sent.isAcknowledged = true;
  const expected = applyOperation(session.acknowledged, sent.operation, spanOf(sent.sentMs, nowMs), reply);
  noteHeld(session, session.acknowledged, sent.operation);
  if (expected === undefined) return undefined;
  const isRefusal = reply.startsWith('-');
  return {
    kind: isRefusal ? 'refused' : 'broken',
    where: `command ${sent.number} of ${session.prefix}`,
    text: `it answered ${shorten(reply)} where ${shorten(expected)} was due`,
    history: taleOf(session, keysNamed(sent.operation)[0] ?? ''),
  };
}

/** Remembers what the keys of a command hold in `keyspace`, which it has just changed. */
export function noteHeld(session: Session, keyspace: Keyspace, operation: Operation): void {
  for (const key of keysNamed(operation)) {
    for (const value of keysOf(keyspace, keyspace.selected).get(key) ?? []) {
      if (value !== null) pushBounded(session.held, key, crc32(value.bytes), HELD_DIGESTS_MAX);
    }
  }
}

/** When the server may have executed what was sent and answered (or at the latest died) at these times. */
export function spanOf(sentMs: number, endedMs: number): Span {
  return { fromMs: sentMs - CLOCK_BEHIND_MS_MAX, toMs: endedMs + CLOCK_AHEAD_MS_MAX };
}

export function noteWrite(history: History, register: Register, by: string, value: string | null): Write {
  history.tick += 1;
  const write = { value, by, sentAt: history.tick, endedAt: Infinity };
  register.writes.push(write);
  if (value !== null) register.tokens.add(value);
  return write;
}

export function noteRead(
  history: History,
  register: Register,
  by: string,
  value: string | null,
  fromAt: number,
): void {
  history.tick += 1;
  register.reads.push({ value, by, fromAt, endedAt: history.tick });
}

export function createFinding(
  kind: FindingKind,
  where: string,
  text: string,
  history: readonly string[] = [],
): Finding {
  return { kind, where, text, history };
}

/** What is known of a key, a line for each command. */
export function taleOf(session: Session, key: string): string[] {
  const sents = [...(session.tales.get(key) ?? []), ...(key === '' ? [] : (session.tales.get('') ?? []))];
  return sents
    .sort((a, b) => a.number - b.number)
    .map(
      (sent) =>
        `round ${sent.round} #${sent.number} ${describeOperation(sent.operation)} ` +
        `${sent.isAcknowledged ? 'acknowledged' : 'sent'}`,
    );
}

/** A key as it can be printed. */
export function quoteKey(key: string): string {
  const printed = key.replace(/[^ !#-[\]-~]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${printed}"`;
}

/** A value by its size and digest. */
export function describeBytes(bytes: Uint8Array): string {
  return `${bytes.length} bytes (${crc32(bytes).toString(16).padStart(8, '0')})`;
}

function describeOperation(operation: Operation): string {
  const words: string[] = [operation.name, ...keysNamed(operation).map(quoteKey)];
  if ('bytes' in operation) words.push(describeBytes(operation.bytes));
  if ('values' in operation) words.push(...operation.values.map((value) => describeBytes(value)));
  if ('offset' in operation) words.push(`at ${operation.offset}`);
  if ('items' in operation) words.push(operation.deed, ...operation.items.map(quoteKey));
  if ('from' in operation) words.push(`from ${operation.from}`);
  if ('count' in operation) words.push(`${operation.count}`);
  if ('life' in operation && operation.life.kind !== 'endless') words.push(JSON.stringify(operation.life));
  if ('database' in operation) words.push(`${operation.database}`);
  if ('other' in operation) words.push(`${operation.other}`);
  return words.join(' ');
}

function shorten(reply: string): string {
  return reply.length <= 60 ? quoteKey(reply) : `${reply.length} bytes`;
}

function pushBounded<T>(lists: Map<string, T[]>, name: string, item: T, countMax: number): void {
  const list = lists.get(name);
  if (list === undefined) {
    lists.set(name, [item]);
    return;
  }
  list.push(item);
  if (list.length > 2 * countMax) list.splice(0, list.length - countMax);
}
