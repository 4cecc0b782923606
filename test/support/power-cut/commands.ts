/**
 * Random changes of a simulated server, each done to its shards through the functions that commands use, and told to its
 * history as what it means for plain values.
 */
import { Buffer } from 'node:buffer';
import {
  OP_ADD,
  OP_DEADLINE,
  OP_INSERT_AT,
  OP_POP_HEAD,
  OP_POP_TAIL,
  OP_PUSH_HEAD,
  OP_REMOVE,
  OP_SET_AT,
} from '../../../src/collections/change.ts';
import { countOf } from '../../../src/collections/sequence.ts';
import { slotOfKey } from '../../../src/routing/slot.ts';
import { drainDoomed, flushDatabase, swapDatabases } from '../../../src/shard/databases.ts';
import { expiresAt, valueLength } from '../../../src/shard/entry.ts';
import { expireDue } from '../../../src/shard/housekeeping.ts';
import { markGrouped, pendingBytes } from '../../../src/shard/journal.ts';
import { findEntry, putCopy, putString, resizeValue, writeValue } from '../../../src/shard/keyspace.ts';
import { DATABASES, LSN, NONE, TYPE_HASH, TYPE_LIST, TYPE_SET } from '../../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../../src/shard/lifecycle.ts';
import { acquireShard, releaseShard } from '../../../src/shard/lock.ts';
import { redo } from '../../../src/shard/redo.ts';
import type { Shard } from '../../../src/shard/shard.ts';
import { hashOf } from '../../../src/shard/table.ts';
import { COLLECTION_TYPES, changeRecord, type Operation, operateOnModel } from '../operations.ts';
import { contentsOfShard, spellCollection, valueText } from './contents.ts';
import { noteChange, type PlainChange, type PlainEntry, type PlainShard } from './history.ts';
import type { Machine } from './machine.ts';

/** One command while it runs. */
type Command = { readonly machine: Machine; readonly stream: number; readonly number: number };
type Place = {
  readonly shard: Shard;
  readonly key: Buffer;
  readonly name: string;
  readonly database: number;
};

const KEYS = 14;
const VALUE_BYTES_MAX = 120;
const DEADLINE_MS_MAX = 3000;
const GROUP_KEYS_MAX = 4;
const COLLECTION_KEYS = 2;
const MEMBERS_MAX = 8;
const MEMBER_NAMES = 60;
const LIST_CODES = [OP_ADD, OP_ADD, OP_PUSH_HEAD, OP_POP_HEAD, OP_POP_TAIL, OP_SET_AT, OP_INSERT_AT];
const OTHER_CODES = [OP_ADD, OP_ADD, OP_REMOVE];
const HASH_CODES = [...OTHER_CODES, OP_DEADLINE];
/** Deadlines of fields that no simulation comes to. */
const FAR_MS = 4_000_000_000_000;
const DRAINED_ENTRIES = 20;

/** One command on a worker: what it has changed is in the journals, and its turn goes on. */
export function doCommand(machine: Machine, stream: number): void {
  machine.history.commands += 1;
  const command = { machine, stream, number: machine.history.commands };
  const { random } = machine;
  if (machine.hasCollections && random(2) === 0) {
    collect(command);
    return;
  }
  const choice = random(20);
  if (choice < 6) put(command, somewhere(command));
  else if (choice < 8) remove(command, somewhere(command));
  else if (choice < 10) expire(command, somewhere(command));
  else if (choice < 13) splice(command, somewhere(command));
  else if (choice < 14) housekeep(command);
  else inGroup(machine, stream, () => doGroup(command, choice));
}

function doGroup(command: Command, choice: number): void {
  const { machine, stream } = command;
  const { random } = machine;
  if (choice < 17) {
    for (let left = 2 + random(GROUP_KEYS_MAX - 1); left > 0; left -= 1) put(command, somewhere(command));
  } else if (choice < 19) copy(command, somewhere(command), somewhere(command), random(2) === 0);
  else {
    const shards = machine.views[stream];
    const databases = shards[0].control[DATABASES];
    const [one, other] = [random(databases), random(databases)];
    const isFlush = random(2) === 0;
    for (const shard of shards) isFlush ? flush(command, shard, one) : swap(command, shard, one, other);
  }
}

/** What a command changes in several shards goes into one block of the log, as commands/many-keys.ts sees to. */
function inGroup({ views, turns }: Machine, stream: number, work: () => void): void {
  work();
  for (const shard of views[stream]) {
    if (turns[stream].touched.has(shard) && pendingBytes(shard) > 0) markGrouped(shard);
  }
}

function somewhere(command: Command): Place {
  return placeOf(command, `key:${command.machine.random(KEYS)}`);
}

function placeOf({ machine, stream }: Command, name: string): Place {
  const { random, slotShard, views } = machine;
  const key = Buffer.from(name, 'latin1');
  const shard = views[stream][slotShard[slotOfKey(key, 0, key.length)]];
  return { shard, key, name, database: random(shard.control[DATABASES]) };
}

/** Does something to a shard under its lock, and notes it if it was a change. */
function change(command: Command, shard: Shard, act: () => void, apply: PlainChange): void {
  const { machine, stream, number } = command;
  const before = shard.numbers[LSN];
  acquireShard(shard);
  act();
  releaseShard(shard);
  const lsn = shard.numbers[LSN];
  if (lsn === before) return;
  const turn = machine.turns[stream];
  turn.touched.add(shard);
  turn.changes.push(noteChange(machine.history, { shard: shard.index, lsn, command: number, apply }));
}

/** The entry of a key, which goes on the way if its time has come. */
function find(command: Command, { shard, key, name, database }: Place): number {
  let ref = NONE;
  const act = () => {
    ref = findEntry(shard, database, key, 0, key.length, command.machine.clock.wallMs());
  };
  change(command, shard, act, (plain) => void plain[database].delete(name));
  return ref;
}

function put(command: Command, { shard, key, name, database }: Place): void {
  const { clock } = command.machine;
  const expiresAtMs = deadline(command);
  const value = someValue(command);
  const bytes = Buffer.from(value, 'latin1');
  change(
    command,
    shard,
    () =>
      demandRoom(
        putString(
          ...([shard, database, key, 0, key.length, bytes, 0, bytes.length, expiresAtMs] as const),
          clock.wallMs(),
        ),
      ),
    (plain, lsn) => void plain[database].set(name, { value, expiresAtMs, lsn }),
  );
}

function remove(command: Command, place: Place): void {
  const { shard, name, database } = place;
  const ref = find(command, place);
  if (ref === NONE) return;
  change(
    command,
    shard,
    () => removeEntry(shard, ref),
    (plain) => void plain[database].delete(name),
  );
}

function expire(command: Command, place: Place): void {
  const { shard, name, database } = place;
  const ref = find(command, place);
  if (ref === NONE) return;
  const expiresAtMs = deadline(command);
  change(
    command,
    shard,
    () => setExpiry(shard, ref, expiresAtMs),
    (plain, lsn) => amend(plain, database, name, (entry) => ({ ...entry, expiresAtMs, lsn })),
  );
}

/** SETRANGE, and APPEND where the offset is the length. */
function splice(command: Command, place: Place): void {
  const { shard, key, name, database } = place;
  const { clock, random } = command.machine;
  const text = someValue(command);
  const bytes = Buffer.from(text, 'latin1');
  const found = find(command, place);
  const before = found === NONE ? 0 : valueLength(shard.entries, found);
  const offset = random(2) === 0 ? before : random(before + 9);
  const length = Math.max(before, offset + bytes.length);
  const act = () => {
    const nowMs = clock.wallMs();
    const ref =
      found === NONE ? putString(shard, database, key, 0, key.length, bytes, 0, 0, 0, nowMs) : found;
    const at = resizeValue(shard, demandRoom(ref), length, nowMs);
    writeValue(shard, demandRoom(at), offset, bytes, 0, bytes.length);
  };
  change(command, shard, act, (plain, lsn) => {
    const old = plain[database].get(name) ?? { value: '', expiresAtMs: 0, lsn: 0 };
    const padded = old.value.padEnd(offset, '\0');
    const value = padded.slice(0, offset) + text + padded.slice(offset + text.length);
    plain[database].set(name, { ...old, value, lsn });
  });
}

/** What commands do to a collection: some operations in one record; one that has become empty goes. */
function collect(command: Command): void {
  const { clock, random } = command.machine;
  const type = COLLECTION_TYPES[random(COLLECTION_TYPES.length)];
  const place = placeOf(command, `${type}:${random(COLLECTION_KEYS)}`);
  const { shard, key, name, database } = place;
  const known = find(command, place);
  const expiresAtMs = known === NONE ? deadline(command) : 0;
  const operations = Array.from({ length: 1 + random(3) }, () => someOperation(command, type));
  const act = () => {
    const { view, bytes } = changeRecord(name, type, operations, { creates: known === NONE, expiresAtMs });
    const hash = hashOf(shard, key, 0, key.length);
    const ref = demandRoom(Math.max(NONE, redo(shard, database, hash, known, view, bytes, clock.wallMs())));
    if (countOf(shard, ref) === 0) removeEntry(shard, ref);
  };
  change(command, shard, act, (plain, lsn) => {
    const old = plain[database].get(name) ?? { value: '[]', expiresAtMs, lsn: 0 };
    const before = JSON.parse(old.value) as string[];
    const after = operations.reduce((model, one) => operateOnModel(type, model, one), before);
    if (after.length === 0) plain[database].delete(name);
    else plain[database].set(name, { ...old, value: spellCollection(after), lsn });
  });
}

function someOperation(command: Command, type: number): Operation {
  const { random } = command.machine;
  const codes = type === TYPE_LIST ? LIST_CODES : type === TYPE_HASH ? HASH_CODES : OTHER_CODES;
  const code = codes[random(codes.length)];
  const isPaired = type !== TYPE_LIST && type !== TYPE_SET && code === OP_ADD;
  const isPop = code === OP_POP_HEAD || code === OP_POP_TAIL;
  const texts = Array.from({ length: isPop ? 0 : 1 + random(MEMBERS_MAX) }, () => `${random(MEMBER_NAMES)}`);
  if (code === OP_DEADLINE) {
    return {
      code,
      argument: 0,
      texts: texts.flatMap((text) => [text, `${random(3) === 0 ? 0 : FAR_MS + random(9)}`]),
    };
  }
  return {
    code,
    argument: random(MEMBERS_MAX),
    texts: isPaired ? texts.flatMap((text) => [text, text]) : texts,
  };
}

/** COPY, and RENAME where the source goes. */
function copy(command: Command, from: Place, to: Place, isMove: boolean): void {
  const source = find(command, from);
  if (source === NONE || (from.name === to.name && from.database === to.database)) return;
  const at = expiresAt(from.shard.entries, source);
  const value = valueText(from.shard, source);
  change(
    command,
    to.shard,
    () =>
      demandRoom(
        putCopy(
          ...([to.shard, to.database, to.key, 0, to.key.length, from.shard, source, at] as const),
          command.machine.clock.wallMs(),
        ),
      ),
    (plain, lsn) => void plain[to.database].set(to.name, { value, expiresAtMs: at, lsn }),
  );
  if (isMove) remove(command, from);
}

function flush(command: Command, shard: Shard, database: number): void {
  change(
    command,
    shard,
    () => flushDatabase(shard, database),
    (plain) => plain[database].clear(),
  );
}

function swap(command: Command, shard: Shard, one: number, other: number): void {
  change(
    command,
    shard,
    () => swapDatabases(shard, one, other),
    (plain) => {
      [plain[one], plain[other]] = [plain[other], plain[one]];
    },
  );
}

/** What the owner of a shard does between commands: entries whose time has come go, and those of flushed databases. */
function housekeep(command: Command): void {
  const { machine, stream } = command;
  const shard = machine.views[stream][machine.random(machine.views[stream].length)];
  const before = contentsOfShard(shard);
  const act = () => {
    drainDoomed(shard, DRAINED_ENTRIES);
    expireDue(shard, machine.clock.wallMs(), KEYS);
  };
  change(command, shard, act, (plain) => {
    before.forEach((entries, database) => {
      for (const name of entries.keys()) if (!after[database].has(name)) plain[database].delete(name);
    });
  });
  const after = contentsOfShard(shard);
}

function amend(
  plain: PlainShard,
  database: number,
  name: string,
  alter: (entry: PlainEntry) => PlainEntry,
): void {
  const entry = plain[database].get(name);
  if (entry === undefined) throw new Error(`the history lacks ${name}, which the shard had`);
  plain[database].set(name, alter(entry));
}

function someValue({ machine, number }: Command): string {
  const { random } = machine;
  const bytes = random(4) === 0 ? random(VALUE_BYTES_MAX) : random(12);
  return `${number}`.padEnd(bytes, String.fromCharCode(97 + random(26)));
}

/** A time that comes soon, or 0. */
function deadline({ machine }: Command): number {
  const { random, clock } = machine;
  return random(3) === 0 ? clock.wallMs() + 1 + random(DEADLINE_MS_MAX) : 0;
}

function demandRoom(ref: number): number {
  if (ref === NONE) throw new Error('the shard has no room, and the test none to spare');
  return ref;
}
