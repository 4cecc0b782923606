/**
 * One key read, stored or removed for HTTP: conditions on its entity tag and the change happen under one hold of its shard's lock.
 *
 * Main thread. The rows of GET, SET and DEL with handlers of their own, which leave what came of it in an outcome and
 * write a reply only where something is wrong.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import type { Call, Command, Handler } from '../commands/call.ts';
import { NOTIFY_GENERIC, NOTIFY_STRING, notifyKeyspace } from '../commands/keyspace-events.ts';
import { isString, peekEntry, readEntry } from '../commands/lookup.ts';
import '../commands/families.ts';
import { findByName } from '../commands/registry.ts';
import { storeArgument } from '../commands/strings-value.ts';
import { entryBytes, expiresAt, lsnOf, valueLength, valueOffset } from '../shard/entry.ts';
import { NONE } from '../shard/layout.ts';
import { removeEntry } from '../shard/lifecycle.ts';
import {
  AT_ONCE,
  type CommandRunner,
  createHttpSession,
  type RunTrouble,
  runCommand,
} from './command-runner.ts';
import { entityTag, matchesIfMatch, matchesIfNoneMatch } from './entity-tag.ts';

/** What a request asks of a key. `input`: KEY_AT bytes for the command's name, the key, and behind it the value to store. */
export type KeyRequest = {
  readonly input: Buffer;
  readonly keyBytes: number;
  readonly database: number;
  /** `address:port` of the peer. */
  readonly address: string;
  /** Who asks, by name. */
  readonly user: string;
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  /** Milliseconds until a stored value expires; 0: never. */
  readonly ttlMs: number;
};

/**
 * `existed`: before. `unmatched`: what `If-Match` asks for is not there; `matched`: what `If-None-Match` forbids is. `refused`: the
 * reply of the runner says why.
 */
export type KeyOutcome = {
  kind: 'done' | 'missing' | 'unmatched' | 'matched' | 'refused';
  existed: boolean;
  /** Of what is there now; '' where nothing is. */
  tag: string;
  /** Milliseconds until it expires; 0: never. */
  ttlMs: number;
  /** A copy. Only of a read. */
  value: Buffer;
};

/** Where the key begins: each of the three names has that many bytes. */
export const KEY_AT = 3;

const NOTHING = Buffer.alloc(0);

/** The request that is executed, and what came of it: one of each per thread, as with all that handlers work on. */
let asked: KeyRequest;
const outcome: KeyOutcome = { kind: 'done', existed: false, tag: '', ttlMs: 0, value: NOTHING };

const READ = rowWith('get', read);
const STORE = rowWith('set', store);
const REMOVE = rowWith('del', remove);

/** Reads a string. O(its bytes). The outcome is overwritten by the next of these calls. */
export function readKey(runner: CommandRunner, request: KeyRequest): KeyOutcome | RunTrouble {
  return run(runner, request, READ, false);
}

/** Creates the key or replaces whatever is there. */
export function storeKey(runner: CommandRunner, request: KeyRequest): KeyOutcome | RunTrouble {
  return run(runner, request, STORE, true);
}

/** Removes the key, whatever its type. */
export function removeKey(runner: CommandRunner, request: KeyRequest): KeyOutcome | RunTrouble {
  return run(runner, request, REMOVE, false);
}

function run(
  runner: CommandRunner,
  request: KeyRequest,
  row: Command,
  hasValue: boolean,
): KeyOutcome | RunTrouble {
  const { input, keyBytes } = request;
  const keyEnd = KEY_AT + keyBytes;
  input.write(row.spec.name, 'latin1');
  const spans = Int32Array.of(0, KEY_AT, KEY_AT, keyEnd, ...(hasValue ? [keyEnd, input.length] : []));
  const session = createHttpSession(runner.engine, request.address, request.database, AT_ONCE);
  session.user = request.user;
  asked = request;
  outcome.kind = 'refused';
  outcome.existed = false;
  outcome.tag = '';
  outcome.ttlMs = 0;
  outcome.value = NOTHING;
  return runCommand(runner, session, input, spans, row) ?? outcome;
}

function read(call: Call): void {
  const { shard } = call;
  const ref = readEntry(call, shard, 1);
  if (ref !== NONE && !isString(call, shard, ref)) return;
  if (!meetsConditions(call, ref)) return;
  if (ref === NONE) {
    outcome.kind = 'missing';
    return;
  }
  const { entries } = shard;
  const bytes = valueLength(entries, ref);
  const start = valueOffset(entries, ref);
  outcome.kind = 'done';
  outcome.value = Buffer.allocUnsafe(bytes);
  entryBytes(entries, ref).copy(outcome.value, 0, start, start + bytes);
}

function store(call: Call): void {
  const { shard, nowMs } = call;
  if (!meetsConditions(call, peekEntry(call, shard, 1))) return;
  if (!storeArgument(call, shard, 1, 2, asked.ttlMs === 0 ? 0 : nowMs + asked.ttlMs)) return;
  notifyKeyspace(call, NOTIFY_STRING, 'set', 1);
  if (asked.ttlMs !== 0) notifyKeyspace(call, NOTIFY_GENERIC, 'expire', 1);
  outcome.kind = 'done';
  describe(call, peekEntry(call, shard, 1));
}

function remove(call: Call): void {
  const ref = peekEntry(call, call.shard, 1);
  if (!meetsConditions(call, ref)) return;
  outcome.kind = ref === NONE ? 'missing' : 'done';
  if (ref === NONE) return;
  removeEntry(call.shard, ref);
  notifyKeyspace(call, NOTIFY_GENERIC, 'del', 1);
}

/** Whether the request may go on with the entry that is there (NONE: none), which the outcome describes from now on. */
function meetsConditions(call: Call, ref: number): boolean {
  const { ifMatch, ifNoneMatch } = asked;
  outcome.existed = ref !== NONE;
  if (ref !== NONE) describe(call, ref);
  const tag = ref === NONE ? undefined : outcome.tag;
  if (ifMatch !== undefined && !matchesIfMatch(ifMatch, tag)) outcome.kind = 'unmatched';
  else if (ifNoneMatch !== undefined && matchesIfNoneMatch(ifNoneMatch, tag)) outcome.kind = 'matched';
  else return true;
  return false;
}

function describe({ engine, shard, nowMs }: Call, ref: number): void {
  const { entries } = shard;
  const deadlineMs = expiresAt(entries, ref);
  outcome.tag = entityTag(engine.runId, shard.index, lsnOf(entries, ref));
  outcome.ttlMs = deadlineMs === 0 ? 0 : Math.max(1, deadlineMs - nowMs);
}

function rowWith(name: string, handler: Handler): Command {
  const command = findByName(name);
  assert(command !== undefined && name.length === KEY_AT, `${name} is a command of ${KEY_AT} letters`);
  // DEL takes many keys; this one takes one.
  return { ...command, handler, firstKey: 1, lastKey: 1, keyStep: 1 };
}
