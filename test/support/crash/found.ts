/**
 * What a restarted server holds: every key of every database used, with its value and deadline.
 */
import { Buffer } from 'node:buffer';
import { requestBytes } from '../request-bytes.ts';
import { openWire, type Wire } from '../wire.ts';
import { COLLECTION_KINDS, readArguments, spellFound } from './collection-model.ts';
import type { Span } from './keyspace-model.ts';

/** `bytes` is a string's value or a collection's spelling. `deadlineMs` is Infinity where the key has none; `readMs` is when it was asked for. */
export type FoundEntry = { readonly bytes: Buffer; readonly deadlineMs: number; readonly readMs: number };

export type Found = {
  /** By database, then by key, one character per byte. */
  readonly databases: ReadonlyMap<number, ReadonlyMap<string, FoundEntry>>;
  /** The time that the reading took. */
  readonly span: Span;
  /** Where the server contradicts itself. */
  readonly problems: readonly string[];
};

const SCAN_COUNT = '1000';
const KEYS_PER_BATCH = 64;
const SIZE_ATTEMPTS_MAX = 20;
const SIZE_RETRY_MS = 100;
const READ_MS_MAX = 60_000;
const NO_DEADLINE = ':-1';
const GONE = ':-2';
const OTHER_TYPE = '-WRONGTYPE';

/** Rejects when the server closes the connection or takes longer than a minute. */
export async function readFound(port: number, databases: readonly number[]): Promise<Found> {
  const wire = await openWire(port);
  const guard = setTimeout(() => wire.close(), READ_MS_MAX);
  const problems: string[] = [];
  const fromMs = Date.now();
  try {
    const found = new Map<number, Map<string, FoundEntry>>();
    for (const database of databases) found.set(database, await readDatabase(wire, database, problems));
    return { databases: found, span: { fromMs, toMs: Date.now() }, problems };
  } finally {
    clearTimeout(guard);
    wire.close();
  }
}

async function readDatabase(
  wire: Wire,
  database: number,
  problems: string[],
): Promise<Map<string, FoundEntry>> {
  await wire.ask('SELECT', `${database}`);
  const names = await scanKeys(wire);
  const surplus = await surplusSize(wire, names.size);
  if (surplus > 0)
    problems.push(`database ${database}: DBSIZE counts ${surplus} keys that SCAN does not name`);
  const entries = new Map<string, FoundEntry>();
  const list = [...names];
  for (let at = 0; at < list.length; at += KEYS_PER_BATCH) {
    await readBatch(wire, list.slice(at, at + KEYS_PER_BATCH), entries, problems);
  }
  return entries;
}

/** By how much DBSIZE stays above `count`. Keys that are due and not removed yet may count for a moment. */
async function surplusSize(wire: Wire, count: number): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const surplus = Number(String(await wire.ask('DBSIZE')).slice(1)) - count;
    if (surplus <= 0 || attempt === SIZE_ATTEMPTS_MAX) return surplus;
    await new Promise((resolve) => setTimeout(resolve, SIZE_RETRY_MS));
  }
}

async function scanKeys(wire: Wire): Promise<Set<string>> {
  const names = new Set<string>();
  let cursor = '0';
  do {
    const reply = await wire.ask('SCAN', cursor, 'COUNT', SCAN_COUNT);
    if (!Array.isArray(reply) || !Array.isArray(reply[1])) throw new Error(`SCAN answered ${String(reply)}`);
    cursor = String(reply[0]);
    for (const name of reply[1]) names.add(String(name));
  } while (cursor !== '0');
  return names;
}

async function readBatch(
  wire: Wire,
  names: readonly string[],
  entries: Map<string, FoundEntry>,
  problems: string[],
): Promise<void> {
  const readMs = Date.now();
  const collections: { name: string; deadlineMs: number }[] = [];
  for (const name of names) {
    const key = Buffer.from(name, 'latin1');
    wire.socket.write(Buffer.concat([requestBytes('GET', key), requestBytes('PEXPIRETIME', key)]));
  }
  for (const name of names) {
    const value = await wire.reply();
    const deadline = String(await wire.reply());
    const deadlineMs = deadline === NO_DEADLINE ? Infinity : Number(deadline.slice(1));
    if (String(value).startsWith(OTHER_TYPE)) collections.push({ name, deadlineMs });
    else if (Buffer.isBuffer(value)) {
      if (deadline === GONE) continue;
      entries.set(name, { bytes: value, deadlineMs, readMs });
    } else if (value !== null) problems.push(`GET of a key that SCAN names answered ${String(value)}`);
  }
  for (const { name, deadlineMs } of collections) {
    const bytes = await readCollection(wire, Buffer.from(name, 'latin1'), problems);
    if (bytes !== null) entries.set(name, { bytes, deadlineMs, readMs });
  }
}

/** The spelling of a collection's content. */
async function readCollection(wire: Wire, key: Buffer, problems: string[]): Promise<Buffer | null> {
  wire.socket.write(requestBytes('TYPE', key));
  const type = String(await wire.reply()).slice(1);
  const kind = COLLECTION_KINDS.find((one) => one === type);
  if (kind === undefined) {
    problems.push(`TYPE of a key that is no string answered ${type}`);
    return null;
  }
  wire.socket.write(requestBytes(...readArguments(kind, key)));
  const items = await wire.reply();
  if (Array.isArray(items) && items.length > 0)
    return spellFound(
      kind,
      items.map((item) => (Buffer.isBuffer(item) ? item.toString('latin1') : String(item))),
    );
  problems.push(`a ${kind} is there without elements`);
  return null;
}
