/**
 * The clients of a run with faults: some append to lists of their own, others read them, all of them through any node, and write down
 * what they were told. The lists are of all types of keys.
 */
import {
  type Address,
  type Callers,
  callFrom,
  closeCallers,
  NoReply,
  nameOf,
  type Told as ToldBy,
} from '../node-call.ts';
import type { Random } from '../seeded-random.ts';
import { type Append, type Ending, numbersOf, numberText, type Reading } from './history.ts';

export type ClientNode = Address & {
  /** As the topology names it. */
  readonly id: string;
};

type Told = ToldBy<ClientNode>;

export type ClientsOptions = {
  readonly random: Random;
  readonly nowMs: () => number;
  /** All nodes that there are at the time; clients learn of new ones. */
  readonly nodes: () => readonly ClientNode[];
  readonly writers: number;
  readonly readers: number;
  /** Whether nodes forward: then nobody knows who served. */
  readonly isForwarded: boolean;
  /** Begins the name of every key. */
  readonly prefix: string;
};

export type Clients = {
  readonly appends: Append[];
  readonly readings: Reading[];
  /** The texts of errors and how often each came, slots and addresses left out. */
  readonly errors: Map<string, number>;
  /** Numbers that are not as they were sent. */
  readonly problems: string[];
  /** What the writers append to at present. */
  keys(): string[];
  /** Resolves when the last of them is done; then every key is read once more. */
  finish(): Promise<void>;
};

const WAIT_MS = 500;
const CALL_MS_MAX = 2_500;
const FINAL_MS_MAX = 20_000;
const PAUSE_MS_MIN = 1;
const PAUSE_MS_SPREAD = 6;
const PAUSE_AFTER_ERROR_MS = 20;
const FAR_MS = '4000000000000';
/** A list is not longer, since each reading reads all of it. */
const APPENDS_PER_KEY_MAX = 250;
/** Errors behind which nothing was done, by how they begin. */
const REFUSALS = ['CLUSTERDOWN', 'TRYAGAIN', 'LOADING', 'NOREPLICAS', 'MISCONF', 'MOVED', 'ASK'];
/** Errors behind which something may have been done, whatever they begin with. */
const DOUBT = /may have|unknown|timed? ?out|in time|broke|lost|closed/i;

/** Begins at once. */
export function startClients(options: ClientsOptions): Clients {
  const clients: Clients & { isDone: boolean } = {
    appends: [],
    readings: [],
    errors: new Map(),
    problems: [],
    keys: () => writers.map(({ key }) => key),
    isDone: false,
    finish: async () => {
      clients.isDone = true;
      await Promise.all(loops);
      await readAll(clients, options);
    },
  };
  const writers = Array.from({ length: options.writers }, (_, i) => createWriter(options, i));
  const loops = [
    ...writers.map((writer) =>
      loopOf(clients, options, (callers) => appendOnce(clients, options, writer, callers)),
    ),
    ...Array.from({ length: options.readers }, () =>
      loopOf(clients, options, (callers) => {
        const { key } = writers[options.random(writers.length)];
        return readOnce(clients, options, callers, key);
      }),
    ),
  ];
  return clients;
}

/** How a number is appended to a key of a type, and how all of them are read; a set and a hash have them in no order. */
type KeyKind = {
  readonly append: (key: string, text: string) => readonly string[];
  readonly read: (key: string) => readonly string[];
  readonly isUnordered?: boolean;
};

const KEY_KINDS: Readonly<Record<string, KeyKind>> = {
  string: { append: (key, text) => ['APPEND', key, text], read: (key) => ['GET', key] },
  list: { append: (key, text) => ['RPUSH', key, text], read: (key) => ['LRANGE', key, '0', '-1'] },
  hash: {
    // Some of the fields expire, in a time that nobody waits for.
    append: (key, text) =>
      Number(text) % 2 === 0
        ? ['HSETEX', key, 'PXAT', FAR_MS, 'FIELDS', '1', text, text]
        : ['HSET', key, text, text],
    read: (key) => ['HKEYS', key],
    isUnordered: true,
  },
  zset: {
    append: (key, text) => ['ZADD', key, text.trim(), text],
    read: (key) => ['ZRANGE', key, '0', '-1'],
  },
  set: { append: (key, text) => ['SADD', key, text], read: (key) => ['SMEMBERS', key], isUnordered: true },
};

/** What the name of a key says. */
function kindOf(key: string): KeyKind {
  const name = Object.keys(KEY_KINDS).find((kind) => key.includes(`:${kind}:`));
  return KEY_KINDS[name ?? 'string'];
}

/** The numbers as a string has them. */
function textOf({ isUnordered }: KeyKind, reply: string): string {
  const texts = reply.split('\n');
  return (isUnordered ? texts.toSorted() : texts).join('');
}

type Writer = { readonly name: string; key: string; keys: number; number: number };

function createWriter({ prefix }: ClientsOptions, index: number): Writer {
  const kinds = Object.keys(KEY_KINDS);
  const name = `${prefix}:${kinds[index % kinds.length]}:${index}`;
  return { name, key: `${name}:0`, keys: 1, number: 0 };
}

async function loopOf(
  clients: { readonly isDone: boolean },
  { random }: ClientsOptions,
  once: (callers: Callers) => Promise<boolean>,
): Promise<void> {
  const callers: Callers = new Map();
  while (!clients.isDone) {
    const isWell = await once(callers);
    await pause(isWell ? PAUSE_MS_MIN + random(PAUSE_MS_SPREAD) : PAUSE_AFTER_ERROR_MS);
  }
  closeCallers(callers);
}

async function appendOnce(
  clients: Clients,
  options: ClientsOptions,
  writer: Writer,
  callers: Callers,
): Promise<boolean> {
  const { nowMs, random } = options;
  writer.number += 1;
  const { key, number } = writer;
  const startMs = nowMs();
  const append = (endMs: number, ending: Ending, servedBy?: string, safeMs = Infinity) =>
    clients.appends.push({ key, number, startMs, endMs, ending, safeMs, servedBy });
  try {
    const told = await callAny(options, callers, kindOf(key).append(key, numberText(number)));
    const endMs = nowMs();
    const ending = endingOf(told.reply);
    if (ending === 'acknowledged') {
      const isSafe = random(2) === 0 && (await isWithReplica(callers, told));
      append(endMs, ending, servedBy(options, told), isSafe ? nowMs() : Infinity);
      if (number >= APPENDS_PER_KEY_MAX) takeNewKey(writer);
      return true;
    }
    noteError(clients, told.reply);
    append(endMs, ending);
    if (ending === 'unknown') takeNewKey(writer);
    return false;
  } catch (error) {
    const wasSent = !(error instanceof NoReply) || error.wasSent;
    append(nowMs(), wasSent ? 'unknown' : 'refused');
    noteError(clients, (error as Error).message);
    if (wasSent) takeNewKey(writer);
    return false;
  }
}

/** What may still happen to the old one confuses nobody then. */
function takeNewKey(writer: Writer): void {
  writer.key = `${writer.name}:${writer.keys}`;
  writer.keys += 1;
  writer.number = 0;
}

async function isWithReplica(callers: Callers, { node }: Told): Promise<boolean> {
  const caller = callers.get(nameOf(node));
  if (caller === undefined) return false;
  try {
    const [reply] = await caller.call([['WAIT', '1', `${WAIT_MS}`]], CALL_MS_MAX);
    return reply.startsWith(':') && Number(reply.slice(1)) >= 1;
  } catch {
    return false;
  }
}

async function readOnce(
  clients: Clients,
  options: ClientsOptions,
  callers: Callers,
  key: string,
): Promise<boolean> {
  const { nowMs } = options;
  const kind = kindOf(key);
  const startMs = nowMs();
  try {
    const told = await callAny(options, callers, kind.read(key));
    const { reply } = told;
    const numbers = numbersOf(textOf(kind, reply));
    if (reply.startsWith('-')) noteError(clients, reply);
    else if (numbers === undefined) clients.problems.push(`${key} holds ${reply.slice(0, 80)}`);
    else clients.readings.push({ key, numbers, startMs, endMs: nowMs(), servedBy: servedBy(options, told) });
    return !reply.startsWith('-');
  } catch (error) {
    noteError(clients, (error as Error).message);
    return false;
  }
}

/** Every key that was ever appended to, until it has been read. */
async function readAll(clients: Clients, options: ClientsOptions): Promise<void> {
  const callers: Callers = new Map();
  const deadline = options.nowMs() + FINAL_MS_MAX;
  for (const key of new Set(clients.appends.map((append) => append.key))) {
    while (!(await readOnce(clients, options, callers, key)) && options.nowMs() < deadline)
      await pause(PAUSE_AFTER_ERROR_MS);
  }
  closeCallers(callers);
}

/** A node by chance, and those to which it sends us. */
function callAny(
  { nodes, random }: ClientsOptions,
  callers: Callers,
  command: readonly string[],
): Promise<Told> {
  const known = nodes();
  return callFrom(callers, known, known[random(known.length)], command, CALL_MS_MAX);
}

/** Who answered has passed it on where nodes forward. */
function servedBy({ isForwarded }: ClientsOptions, { node }: Told): string | undefined {
  return isForwarded ? undefined : node.id;
}

function endingOf(reply: string): Ending {
  if (reply.startsWith(':')) return 'acknowledged';
  const isRefusal = REFUSALS.some((word) => reply.startsWith(`-${word} `));
  return isRefusal && !DOUBT.test(reply) ? 'refused' : 'unknown';
}

function noteError({ errors }: Clients, text: string): void {
  const kind = text
    .replace(/[\d.]+:\d+/g, 'ADDRESS')
    .replace(/\b[0-9a-f]{8,40}\b/g, 'ID')
    .replace(/\d+/g, 'N');
  errors.set(kind, (errors.get(kind) ?? 0) + 1);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
