/**
 * Whether a user may run a command with its arguments: the command itself, its keys by what becomes of them, its channels.
 *
 * Runs on the thread of the command, for users that may not do everything. Reads the request where it lies; allocates nothing
 * but for commands whose keys are found by more than counting. Source: Redis 7.0 `acl.c`, `ACLCheckAllUserCommandPerm`.
 */
import { equalBytes } from '../base/bytes.ts';
import { globMatch } from '../base/glob.ts';
import { KEY_READ, KEY_WRITE, type Pattern, type Selector } from './acl-selector.ts';
import type { User } from './acl-user.ts';
import type { Command } from './call.ts';
import { type Arguments, findKeyArguments, keyFlags } from './key-arguments.ts';
import type { KeySpec } from './spec.ts';

/** Why a command is denied: of two selectors that deny it, the one that came further down this list is told of. */
export const ALLOWED = 0;
export const DENIED_COMMAND = 1;
export const DENIED_KEY = 2;
export const DENIED_CHANNEL = 3;

/** The argument that the latest denial is about, where it is a key or a channel. One per thread. */
export const denied = { argument: 0 };

/** Which arguments are channels; `last` is as in the tables. */
type Channels = { readonly last: number; readonly arePatterns: boolean };

const CHANNELS_FROM_FIRST: Readonly<Record<string, Channels>> = {
  subscribe: { last: -1, arePatterns: false },
  ssubscribe: { last: -1, arePatterns: false },
  psubscribe: { last: -1, arePatterns: true },
  publish: { last: 1, arePatterns: false },
  spublish: { last: 1, arePatterns: false },
};
const FIRST_CHANNEL = 1;

/** Keys at fixed distances behind a fixed argument, as nearly all commands have them: they are found without allocating. */
type PlainKeys = {
  readonly key: KeySpec;
  readonly first: number;
  /** Relative to the first one; from the end where it is negative. */
  readonly last: number;
  readonly step: number;
  /** KEY_READ and KEY_WRITE; undefined where the arguments decide. */
  readonly rights: number | undefined;
};

/** By the id of the command; undefined for what has no keys of this kind, and for what was not asked for yet. */
const plainKeys: (PlainKeys | 'others' | undefined)[] = [];

/** ALLOWED, or why not, with the argument in `denied`. */
export function checkCommand(user: User, command: Command, args: Arguments): number {
  let reason = DENIED_COMMAND;
  let argument = 0;
  const { selectors } = user;
  denied.argument = 0;
  for (let index = 0; index < selectors.length; index += 1) {
    const found = checkSelector(selectors[index], command, args);
    if (found === ALLOWED) return ALLOWED;
    if (found > reason || (found === reason && denied.argument > argument)) {
      reason = found;
      argument = denied.argument;
    }
  }
  denied.argument = argument;
  return reason;
}

/** Whether one of the selectors allows the command with its arguments, and these rights to every key there may be. */
export function allowsOnAllKeys(
  { selectors }: User,
  command: Command,
  args: Arguments,
  rights: number,
): boolean {
  return selectors.some(
    (selector) => checkSelector(selector, command, args) === ALLOWED && hasAllKeys(selector, rights),
  );
}

function hasAllKeys({ allowsAllKeys, keys }: Selector, rights: number): boolean {
  return (
    allowsAllKeys || keys.some((pattern) => (pattern.rights & rights) === rights && pattern.text === '*')
  );
}

/** Whether one of the selectors has the command at all, with whatever arguments. */
export function allowsCommand({ selectors }: User, command: Command): boolean {
  return selectors.some(({ allowsAllCommands, commands }) => allowsAllCommands || commands[command.id] === 1);
}

/** Whether `bytes[start, end)` is among the channels; a pattern of PSUBSCRIBE has to be there word by word. */
export function isChannelAmong(
  channels: readonly Pattern[],
  isPattern: boolean,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  for (let index = 0; index < channels.length; index += 1) {
    const pattern = channels[index].bytes;
    const isFound = isPattern
      ? pattern.length === end - start && equalBytes(bytes, start, end, pattern, 0)
      : globMatch(pattern, 0, pattern.length, bytes, start, end, false);
    if (isFound) return true;
  }
  return false;
}

function checkSelector(selector: Selector, command: Command, args: Arguments): number {
  if (!selector.allowsAllCommands && !command.needsNoAuth && !isCommandAllowed(selector, command, args))
    return DENIED_COMMAND;
  if (!selector.allowsAllKeys && command.spec.keys.length > 0 && !areKeysAllowed(selector, command, args))
    return DENIED_KEY;
  if (!selector.allowsAllChannels && !areChannelsAllowed(selector, command, args)) return DENIED_CHANNEL;
  return ALLOWED;
}

function isCommandAllowed(selector: Selector, { id, spec }: Command, args: Arguments): boolean {
  if (selector.commands[id] === 1) return true;
  if (selector.firstArguments.size === 0 || args.count < 2) return false;
  const { bytes, spans } = args;
  const at = spec.name.includes('|') ? 2 : 1;
  const firsts = selector.firstArguments.get(id);
  return firsts?.some((text) => equalsText(bytes, spans[2 * at], spans[2 * at + 1], text)) ?? false;
}

/** In whatever case of ASCII letters. */
function equalsText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let at = start, index = 0; at < end; at += 1, index += 1) {
    if (lowerCase(bytes[at]) !== lowerCase(text.charCodeAt(index))) return false;
  }
  return true;
}

function lowerCase(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

function areKeysAllowed(selector: Selector, command: Command, args: Arguments): boolean {
  const plain = plainKeysOf(command);
  if (plain === 'others') {
    for (const { index, flags } of findKeyArguments(command.spec, args)) {
      if (!isKeyAllowed(selector, index, rightsOf(flags), args)) return false;
    }
    return true;
  }
  const { first, step } = plain;
  const last = plain.last < 0 ? args.count + plain.last : first + plain.last;
  // What does not fit is left to the command itself, which refuses it.
  if (last >= args.count || last < first) return true;
  const rights = plain.rights ?? rightsOf(keyFlags(command.spec, plain.key, args));
  for (let index = first; index <= last; index += step) {
    if (!isKeyAllowed(selector, index, rights, args)) return false;
  }
  return true;
}

/** One pattern has to allow all that becomes of the key. */
function isKeyAllowed({ keys }: Selector, index: number, rights: number, args: Arguments): boolean {
  const { bytes, spans } = args;
  const start = spans[2 * index];
  const end = spans[2 * index + 1];
  for (let at = 0; at < keys.length; at += 1) {
    const pattern = keys[at];
    if ((pattern.rights & rights) !== rights) continue;
    if (globMatch(pattern.bytes, 0, pattern.bytes.length, bytes, start, end, false)) return true;
  }
  denied.argument = index;
  return false;
}

function areChannelsAllowed({ channels }: Selector, { spec }: Command, args: Arguments): boolean {
  if (spec.group !== 'pubsub') return true;
  const where = CHANNELS_FROM_FIRST[spec.name];
  if (where === undefined) return true;
  const { bytes, spans, count } = args;
  const last = where.last < 0 ? count + where.last : where.last;
  for (let index = FIRST_CHANNEL; index <= last; index += 1) {
    if (isChannelAmong(channels, where.arePatterns, bytes, spans[2 * index], spans[2 * index + 1])) continue;
    denied.argument = index;
    return false;
  }
  return true;
}

function plainKeysOf(command: Command): PlainKeys | 'others' {
  plainKeys[command.id] ??= readPlainKeys(command.spec.keys);
  return plainKeys[command.id] as PlainKeys | 'others';
}

function readPlainKeys(keys: readonly KeySpec[]): PlainKeys | 'others' {
  const [key] = keys;
  const { begin, find, flags } = key;
  if (keys.length > 1 || flags.includes('not_key') || begin === 'unknown' || find === 'unknown')
    return 'others';
  if (!('index' in begin) || !('limit' in find) || find.limit !== 0) return 'others';
  const rights = flags.includes('variable_flags') ? undefined : rightsOf(flags);
  return { key, first: begin.index, last: find.lastKey, step: find.step, rights };
}

function rightsOf(flags: readonly string[]): number {
  let rights = 0;
  for (let index = 0; index < flags.length; index += 1) {
    const flag = flags[index];
    if (flag === 'access') rights |= KEY_READ;
    else if (flag === 'insert' || flag === 'delete' || flag === 'update') rights |= KEY_WRITE;
  }
  return rights;
}
