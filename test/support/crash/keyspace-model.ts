/**
 * The plain model of the keys that one connection owns: what each command does to them and what it answers.
 *
 * A key whose deadline may have passed by the time the server looked at it has several possible values; the reply to the
 * next command, where there is one, says which of them it was.
 */
import { Buffer } from 'node:buffer';
import { requestBytes } from '../request-bytes.ts';
import { type CollectionOperation, collect, collectionArguments } from './collection-model.ts';

/** A value (of a collection its spelling) and the span in which its deadline lies, in unix ms; both Infinity where it has none. */
export type Value = { readonly bytes: Buffer; readonly earliestMs: number; readonly latestMs: number };

/** What a key may hold; null is no key. Never empty. */
type Possibilities = readonly (Value | null)[];

/** Keys are one character per byte. An absent key is not in its map. */
export type Keyspace = { selected: number; databases: Map<number, Map<string, Possibilities>> };

/** When the server's clock may have stood while it executed a command, in unix ms. */
export type Span = { readonly fromMs: number; readonly toMs: number };

export type Life =
  | { readonly kind: 'endless' | 'kept' }
  | { readonly kind: 'for'; readonly ms: number }
  | { readonly kind: 'until'; readonly ms: number };

type KeyOperation =
  | { readonly name: 'SET'; readonly key: string; readonly bytes: Buffer; readonly life: Life }
  | { readonly name: 'APPEND'; readonly key: string; readonly bytes: Buffer }
  | { readonly name: 'SETRANGE'; readonly key: string; readonly offset: number; readonly bytes: Buffer }
  | { readonly name: 'INCRBY' | 'PEXPIRE'; readonly key: string; readonly count: number }
  | { readonly name: 'INCR' | 'GETDEL' | 'PERSIST' | 'DEL'; readonly key: string }
  | CollectionOperation;

/** Keys of these have one possible value at any time: their deadlines are far away. */
type ManyOperation =
  | { readonly name: 'MSET' | 'MSETNX'; readonly keys: readonly string[]; readonly values: readonly Buffer[] }
  | { readonly name: 'DELMANY'; readonly keys: readonly string[] }
  | { readonly name: 'RENAME' | 'COPY'; readonly key: string; readonly target: string }
  | { readonly name: 'FLUSHDB' }
  | { readonly name: 'SELECT'; readonly database: number }
  | { readonly name: 'SWAPDB'; readonly database: number; readonly other: number };

export type Operation = KeyOperation | ManyOperation;

type Effect = { readonly after: Value | null; readonly reply: string };

const NOTHING = ':0';
const DONE = '+OK';
const ONE = ':1';

export function createKeyspace(): Keyspace {
  return { selected: 0, databases: new Map() };
}

export function copyKeyspace(keyspace: Keyspace): Keyspace {
  const databases = new Map<number, Map<string, Possibilities>>();
  for (const [database, keys] of keyspace.databases) databases.set(database, new Map(keys));
  return { selected: keyspace.selected, databases };
}

/** The keys of one database, to read and to change. */
export function keysOf(keyspace: Keyspace, database: number): Map<string, Possibilities> {
  let keys = keyspace.databases.get(database);
  if (keys === undefined) {
    keys = new Map();
    keyspace.databases.set(database, keys);
  }
  return keys;
}

/** A key's likeliest value in the selected database. */
export function likeliestValue(keyspace: Keyspace, key: string): Value | null {
  return keysOf(keyspace, keyspace.selected).get(key)?.[0] ?? null;
}

export function requestOf(operation: Operation): Buffer {
  return requestBytes(...argumentsOf(operation).map((part) => toBytes(part)));
}

/** The keys that a command names; FLUSHDB, SELECT and SWAPDB name none. */
export function keysNamed(operation: Operation): readonly string[] {
  if ('keys' in operation) return operation.keys;
  if ('target' in operation) return [operation.key, operation.target];
  return 'key' in operation ? [operation.key] : [];
}

/**
 * Does a command that the server executed within `span`. `reply` is its answer (a bulk string as `$` and its bytes, null as
 * `$-1`), undefined where none came. Returns the answer that the model expected where `reply` is impossible.
 */
export function applyOperation(
  keyspace: Keyspace,
  operation: Operation,
  span: Span,
  reply?: string,
): string | undefined {
  const keys = keysOf(keyspace, keyspace.selected);
  if (!isKeyOperation(operation)) {
    const expected = applyMany(keyspace, keys, operation);
    return reply === undefined || reply === expected ? undefined : expected;
  }
  const effects = (keys.get(operation.key) ?? [null])
    .flatMap((value) => valuesDuring(value, span))
    .map((value) => effectOn(value, operation, span));
  const possible = effects.filter((effect) => reply === undefined || effect.reply === reply);
  if (possible.length === 0) return effects[0].reply;
  store(
    keys,
    operation.key,
    possible.map(({ after }) => after),
  );
  return undefined;
}

/** A value as it may be found within `span`: itself, gone, or both. */
export function valuesDuring(value: Value | null, span: Span): (Value | null)[] {
  if (value === null) return [null];
  if (span.fromMs > value.latestMs + 1) return [null];
  return span.toMs >= value.earliestMs ? [value, null] : [value];
}

function isKeyOperation(operation: Operation): operation is KeyOperation {
  return 'key' in operation && !('target' in operation);
}

function store(keys: Map<string, Possibilities>, key: string, values: Possibilities): void {
  if (values.every((value) => value === null)) keys.delete(key);
  else if (values.length === 1) keys.set(key, values);
  else
    keys.set(
      key,
      values.filter((value, i) => values.findIndex((other) => isSameValue(value, other)) === i),
    );
}

function isSameValue(a: Value | null, b: Value | null): boolean {
  if (a === null || b === null) return a === b;
  return a.earliestMs === b.earliestMs && a.latestMs === b.latestMs && a.bytes.equals(b.bytes);
}

function effectOn(value: Value | null, operation: KeyOperation, span: Span): Effect {
  switch (operation.name) {
    case 'SET':
      return { after: { bytes: operation.bytes, ...deadlineOf(operation.life, value, span) }, reply: DONE };
    case 'APPEND':
      return grown(value, Buffer.concat([bytesOf(value), operation.bytes]));
    case 'SETRANGE':
      return grown(value, laidOver(bytesOf(value), operation.offset, operation.bytes));
    case 'INCR':
      return counted(value, 1);
    case 'INCRBY':
      return counted(value, operation.count);
    case 'GETDEL':
      return { after: null, reply: value === null ? '$-1' : `$${value.bytes.toString('latin1')}` };
    case 'DEL':
      return { after: null, reply: value === null ? NOTHING : ONE };
    case 'PEXPIRE':
      if (value === null) return { after: null, reply: NOTHING };
      return {
        after: { ...value, ...deadlineOf({ kind: 'for', ms: operation.count }, null, span) },
        reply: ONE,
      };
    case 'COLLECT':
    case 'WIDEN':
    case 'NARROW':
      return collected(value, operation);
    case 'PERSIST':
      if (value === null || value.latestMs === Infinity) return { after: value, reply: NOTHING };
      return { after: { bytes: value.bytes, earliestMs: Infinity, latestMs: Infinity }, reply: ONE };
  }
}

function grown(value: Value | null, bytes: Buffer): Effect {
  const deadline = deadlineOf({ kind: 'kept' }, value, { fromMs: 0, toMs: 0 });
  return { after: { bytes, ...deadline }, reply: `:${bytes.length}` };
}

function collected(value: Value | null, operation: CollectionOperation): Effect {
  const { bytes, reply } = collect(value === null ? null : value.bytes, operation);
  const deadline = deadlineOf({ kind: 'kept' }, value, { fromMs: 0, toMs: 0 });
  return { after: bytes === null ? null : { bytes, ...deadline }, reply };
}

function counted(value: Value | null, by: number): Effect {
  const sum = Number(bytesOf(value).toString('latin1')) + by;
  return { ...grown(value, Buffer.from(`${sum}`)), reply: `:${sum}` };
}

function laidOver(bytes: Buffer, offset: number, over: Buffer): Buffer {
  const after = Buffer.alloc(Math.max(bytes.length, offset + over.length));
  bytes.copy(after);
  over.copy(after, offset);
  return after;
}

function bytesOf(value: Value | null): Buffer {
  return value === null ? Buffer.alloc(0) : value.bytes;
}

function deadlineOf(life: Life, before: Value | null, span: Span): { earliestMs: number; latestMs: number } {
  if (life.kind === 'for') return { earliestMs: span.fromMs + life.ms, latestMs: span.toMs + life.ms };
  if (life.kind === 'until') return { earliestMs: life.ms, latestMs: life.ms };
  if (life.kind === 'endless' || before === null) return { earliestMs: Infinity, latestMs: Infinity };
  return { earliestMs: before.earliestMs, latestMs: before.latestMs };
}

function applyMany(keyspace: Keyspace, keys: Map<string, Possibilities>, operation: ManyOperation): string {
  switch (operation.name) {
    case 'SELECT':
      keyspace.selected = operation.database;
      return DONE;
    case 'FLUSHDB':
      keys.clear();
      return DONE;
    case 'SWAPDB':
      swapDatabases(keyspace, operation.database, operation.other);
      return DONE;
    case 'DELMANY':
      return `:${operation.keys.filter((key) => keys.delete(key)).length}`;
    case 'RENAME':
      return renameKey(keys, operation.key, operation.target);
    case 'COPY':
      return copyKey(keys, operation.key, operation.target);
    case 'MSET':
      setAll(keys, operation.keys, operation.values);
      return DONE;
    case 'MSETNX':
      if (operation.keys.some((key) => keys.has(key))) return NOTHING;
      setAll(keys, operation.keys, operation.values);
      return ONE;
  }
}

function setAll(keys: Map<string, Possibilities>, names: readonly string[], values: readonly Buffer[]): void {
  names.forEach((name, i) => {
    keys.set(name, [{ bytes: values[i], earliestMs: Infinity, latestMs: Infinity }]);
  });
}

function renameKey(keys: Map<string, Possibilities>, key: string, target: string): string {
  const values = keys.get(key);
  if (values === undefined) return '-ERR no such key';
  keys.delete(key);
  keys.set(target, values);
  return DONE;
}

function copyKey(keys: Map<string, Possibilities>, key: string, target: string): string {
  const values = keys.get(key);
  if (values === undefined) return NOTHING;
  keys.set(target, values);
  return ONE;
}

function swapDatabases(keyspace: Keyspace, database: number, other: number): void {
  const [left, right] = [keysOf(keyspace, database), keysOf(keyspace, other)];
  keyspace.databases.set(database, right);
  keyspace.databases.set(other, left);
}

function argumentsOf(operation: Operation): readonly (string | number | Buffer)[] {
  switch (operation.name) {
    case 'SET':
      return ['SET', operation.key, operation.bytes, ...lifeArguments(operation.life)];
    case 'APPEND':
      return ['APPEND', operation.key, operation.bytes];
    case 'SETRANGE':
      return ['SETRANGE', operation.key, operation.offset, operation.bytes];
    case 'INCRBY':
    case 'PEXPIRE':
      return [operation.name, operation.key, operation.count];
    case 'MSET':
    case 'MSETNX':
      return [operation.name, ...operation.keys.flatMap((key, i) => [key, operation.values[i]])];
    case 'DELMANY':
      return ['DEL', ...operation.keys];
    case 'RENAME':
      return ['RENAME', operation.key, operation.target];
    case 'COPY':
      return ['COPY', operation.key, operation.target, 'REPLACE'];
    case 'SELECT':
      return ['SELECT', operation.database];
    case 'SWAPDB':
      return ['SWAPDB', operation.database, operation.other];
    case 'FLUSHDB':
      return ['FLUSHDB'];
    case 'COLLECT':
    case 'WIDEN':
    case 'NARROW':
      return collectionArguments(operation);
    default:
      return [operation.name, operation.key];
  }
}

function lifeArguments(life: Life): readonly (string | number)[] {
  if (life.kind === 'for') return ['PX', life.ms];
  if (life.kind === 'until') return ['PXAT', life.ms];
  return life.kind === 'kept' ? ['KEEPTTL'] : [];
}

function toBytes(part: string | number | Buffer): Buffer {
  return Buffer.isBuffer(part) ? part : Buffer.from(`${part}`, 'latin1');
}
