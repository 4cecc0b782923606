/**
 * The commands of this process: rows of the tables joined with their handlers, found by the bytes of a name.
 *
 * Filled once when families.ts is loaded, per thread; read only from then on.
 */
import { assert } from '../base/assert.ts';
import { COMMANDS_MAX } from '../metrics/names.ts';
import type { Command, Handler } from './call.ts';
import { earliestPlace, movableKeysOf } from './key-places.ts';
import type { CommandSpec } from './spec.ts';

/** Twice the bound on names, so that probes are short. A power of two. */
const PLACES = 1024;

/** Flags of commands that look at keys or change them. */
const KEY_FLAGS = ['readonly', 'write', 'may_replicate'];

/** Commands that change no key by their flags, and that redis-server hands on to replicas: a flag that it does not tell. */
const REPLICATING = ['publish', 'spublish', 'pfcount'];

/** Commands that look at keys, of which their flags say nothing. */
const LOCKING = ['cluster|getkeysinslot'];

/** Of commands on keys: constant time, or time by the number of keys (which the arguments show). */
const BRIEF_COMPLEXITY = /^O\(1\)|^O\(N\) where N is the number of keys/;

const top: Command[] = [];
const byName = new Map<string, Command>();
const places: (Command | undefined)[] = new Array(PLACES).fill(undefined);
let commandCount = 0;

assert(PLACES >= 2 * COMMANDS_MAX, 'the table of names is at most half full');

/** Joins rows with handlers. A handler without a row, or a row without a handler of its own or in subcommands, is a bug. */
export function installCommands(
  specs: readonly CommandSpec[],
  handlers: Readonly<Record<string, Handler>>,
): void {
  for (const spec of specs) {
    const command = createCommand(spec, handlers);
    top.push(command);
    places[placeOfName(spec.name)] = command;
  }
  for (const name of Object.keys(handlers))
    assert(byName.has(name), `handler ${name} has a row in the tables`);
  assert(commandCount <= COMMANDS_MAX, 'every command has a counter');
}

/** All commands, without their subcommands. */
export function allCommands(): readonly Command[] {
  return top;
}

/** A command by its full name in lower case; `config|get` for subcommands. */
export function findByName(name: string): Command | undefined {
  return byName.get(name);
}

/** The command with this id; ids count from 0, subcommands included. */
export function commandNames(): string[] {
  return [...byName.values()].sort((a, b) => a.id - b.id).map((command) => command.spec.name);
}

/** A command by the bytes of its name, in any case. A few nanoseconds, no allocation. */
export function findCommand(bytes: Uint8Array, start: number, end: number): Command | undefined {
  for (let place = hashName(bytes, start, end); ; place = (place + 1) & (PLACES - 1)) {
    const command = places[place];
    if (command === undefined || isNamed(command.spec.name, bytes, start, end)) return command;
  }
}

function createCommand(spec: CommandSpec, handlers: Readonly<Record<string, Handler>>): Command {
  const { flags } = spec;
  const subcommands = spec.subcommands && new Map<string, Command>();
  // Channels of shards stand where keys stand.
  const namesNoKeys = spec.keys.length > 0 && spec.keys.every((keys) => keys.flags.includes('not_key'));
  const movable = movableKeysOf(spec);
  const firstKey = movable === undefined ? spec.firstKey : earliestPlace(movable);
  const command: Command = {
    id: commandCount,
    spec,
    handler: handlers[spec.name] ?? missingHandler,
    isWrite: flags.includes('write'),
    isRead: flags.includes('readonly'),
    mayReplicate: flags.includes('write') || REPLICATING.includes(spec.name),
    deniesOom: flags.includes('denyoom'),
    needsNoAuth: flags.includes('no_auth'),
    allowsLoading: flags.includes('loading'),
    // Publishing takes as long as there are subscribers and patterns, and is called fast all the same.
    isBrief:
      (flags.includes('fast') && spec.group !== 'pubsub') ||
      (spec.firstKey > 0 && BRIEF_COMPLEXITY.test(spec.complexity ?? '')),
    isHidden: flags.includes('admin') || flags.includes('skip_monitor'),
    isRefusedInMulti: flags.includes('no_multi'),
    locksItself:
      LOCKING.includes(spec.name) ||
      (firstKey === 0 && (flags.includes('readonly') || flags.includes('write'))),
    touchesKeys: KEY_FLAGS.some((flag) => flags.includes(flag)),
    arity: spec.arity,
    firstKey: namesNoKeys ? 0 : firstKey,
    lastKey: namesNoKeys ? 0 : movable === undefined ? spec.lastKey : -1,
    keyStep: namesNoKeys ? 0 : movable === undefined ? spec.keyStep : 1,
    movable,
    subcommands,
    takesUnknown: subcommands !== undefined && spec.arity < -1 && handlers[spec.name] !== undefined,
  };
  commandCount += 1;
  byName.set(spec.name, command);
  assert(
    handlers[spec.name] !== undefined || subcommands !== undefined,
    `command ${spec.name} has a handler`,
  );
  for (const sub of spec.subcommands ?? []) {
    subcommands?.set(sub.name.slice(sub.name.indexOf('|') + 1), createCommand(sub, handlers));
  }
  return command;
}

/** A container such as CONFIG never runs itself: its arity asks for a subcommand. */
function missingHandler(): void {
  assert(false, 'a container command is never run');
}

function hashName(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i += 1) hash = Math.imul(hash ^ (bytes[i] | 0x20), 0x01000193);
  return (hash ^ (hash >>> 15)) & (PLACES - 1);
}

function isNamed(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = start, j = 0; i < end; i += 1, j += 1) {
    let byte = bytes[i];
    if (byte >= 65 && byte <= 90) byte += 32;
    if (byte !== name.charCodeAt(j)) return false;
  }
  return true;
}

function placeOfName(name: string): number {
  const bytes = new TextEncoder().encode(name);
  let place = hashName(bytes, 0, bytes.length);
  while (places[place] !== undefined) place = (place + 1) & (PLACES - 1);
  return place;
}
