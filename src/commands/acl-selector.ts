/**
 * Selectors: which commands, keys and channels some rules of a user allow together. A user has one of its own and those that it
 * was given in parentheses; a command may run if one of them allows all of it.
 *
 * Plain records that travel between threads. The rules are read on main; a selector that is in force is never changed.
 * Source: Redis 7.0 `acl.c`, `ACLSetSelector`.
 */
import { asciiBytes } from '../base/bytes.ts';
import { bytesToText, splitArguments, textToBytes } from '../config/arguments.ts';
import { ACL_USER_ITEMS_MAX } from '../config/limits.ts';
import {
  commandsOfCategory,
  findNamedCommand,
  type NamedCommand,
  namedCommandCount,
} from './acl-commands.ts';

/** What a pattern of keys allows, as bits. */
export const KEY_READ = 1;
export const KEY_WRITE = 2;
export const KEY_ALL = KEY_READ | KEY_WRITE;

/** A glob pattern, as text of one character per byte and as these bytes. */
export type Pattern = { readonly text: string; readonly bytes: Uint8Array };
export type KeyPattern = Pattern & { readonly rights: number };

export type Selector = {
  allowsAllCommands: boolean;
  allowsAllKeys: boolean;
  allowsAllChannels: boolean;
  /** Whether it was begun with `+@all`, so that it is told as that with exceptions. */
  isSubtractive: boolean;
  /** 1 for each command that it allows, by the place of acl-commands.ts. */
  commands: Uint8Array;
  /** The first arguments with which a command may run that it does not allow, by place. */
  firstArguments: Map<number, readonly string[]>;
  keys: readonly KeyPattern[];
  channels: readonly Pattern[];
};

/** Why a rule was not taken. */
export type RuleFault =
  | 'unknown-command'
  | 'syntax'
  | 'after-all-keys'
  | 'after-all-channels'
  | 'first-argument-of-subcommand'
  | 'no-such-password'
  | 'bad-hash'
  | 'too-many';

/** As C's isspace has it, and NUL. */
const SPACE_PATTERN = /[ \t\n\v\f\r\0]/;
/** A pattern, a password, a selector, or what is allowed with a first argument. */
const ITEM_PATTERN = /^(?:[~%&>#(]|\+.*\|)/s;

/** One that allows nothing, or all channels where `acl-pubsub-default` says so. */
export function createSelector(allowsAllChannels: boolean): Selector {
  return {
    allowsAllCommands: false,
    allowsAllKeys: false,
    allowsAllChannels,
    isSubtractive: false,
    commands: new Uint8Array(namedCommandCount()),
    firstArguments: new Map(),
    keys: [],
    channels: [],
  };
}

export function copySelector(selector: Selector): Selector {
  return {
    ...selector,
    commands: selector.commands.slice(),
    firstArguments: new Map(selector.firstArguments),
  };
}

/** Whether the text of a name or a pattern has blanks, which would be taken for its end when it is read again. */
export function hasSpaces(text: string): boolean {
  return SPACE_PATTERN.test(text);
}

/** Reads `(rule rule ...)`: a selector of its own. */
export function readSelector(text: string, allowsAllChannels: boolean): Selector | RuleFault {
  const selector = createSelector(allowsAllChannels);
  for (const rule of wordsOf(text.slice(1, -1))) {
    const isFull = itemsOf(selector) >= ACL_USER_ITEMS_MAX;
    const fault = isFull && addsItem(rule) ? 'too-many' : setRule(selector, rule);
    if (fault !== undefined) return fault;
  }
  return selector;
}

/** How many patterns and first arguments it has, and itself. */
export function itemsOf({ keys, channels, firstArguments }: Selector): number {
  let items = 1 + keys.length + channels.length;
  for (const texts of firstArguments.values()) items += texts.length;
  return items;
}

/** Whether the rule gives its selector or its user something more to keep. */
export function addsItem(rule: string): boolean {
  if (rule === '~*' || rule === '&*') return false;
  return ITEM_PATTERN.test(rule);
}

/** Applies one rule; what is wrong with it, and then nothing was changed. */
export function setRule(selector: Selector, rule: string): RuleFault | undefined {
  if (setWord(selector, rule.toLowerCase())) return undefined;
  switch (rule[0]) {
    case '~':
    case '%':
      return addKeyPattern(selector, rule);
    case '&':
      return addChannelPattern(selector, rule.slice(1));
    case '+':
    case '-': {
      const allows = rule[0] === '+';
      if (rule[1] === '@') return setCategory(selector, rule.slice(2), allows);
      if (allows && rule.includes('|')) return allowWithin(selector, rule.slice(1));
      return setNamed(selector, rule.slice(1), allows);
    }
    default:
      return 'syntax';
  }
}

/** Allows a command, or forbids it, with its subcommands. */
export function setCommand(selector: Selector, command: NamedCommand, allows: boolean): void {
  const value = allows ? 1 : 0;
  selector.commands[command.place] = value;
  for (const { place } of command.subcommands) selector.commands[place] = value;
  selector.firstArguments.delete(command.place);
  if (!allows) selector.allowsAllCommands = false;
}

/** Allows the commands of a category, or forbids them, and all that is in a container among them. */
export function setCategory(selector: Selector, name: string, allows: boolean): RuleFault | undefined {
  const commands = commandsOfCategory(name);
  if (commands === undefined) return 'unknown-command';
  for (const command of commands) setCommand(selector, command, allows);
  return undefined;
}

/** The rules that are words; false for every other. */
function setWord(selector: Selector, word: string): boolean {
  switch (word) {
    case 'allkeys':
    case '~*':
      selector.allowsAllKeys = true;
      selector.keys = [];
      return true;
    case 'resetkeys':
      selector.allowsAllKeys = false;
      selector.keys = [];
      return true;
    case 'allchannels':
    case '&*':
      selector.allowsAllChannels = true;
      selector.channels = [];
      return true;
    case 'resetchannels':
      selector.allowsAllChannels = false;
      selector.channels = [];
      return true;
    case 'allcommands':
    case '+@all':
      setAllCommands(selector, true);
      return true;
    case 'nocommands':
    case '-@all':
      setAllCommands(selector, false);
      return true;
    default:
      return false;
  }
}

function setAllCommands(selector: Selector, allows: boolean): void {
  selector.allowsAllCommands = allows;
  selector.isSubtractive = allows;
  selector.commands.fill(allows ? 1 : 0);
  selector.firstArguments = new Map();
}

/** `~pattern`, or what is allowed with such keys between `%` and `~`. */
function addKeyPattern(selector: Selector, rule: string): RuleFault | undefined {
  if (selector.allowsAllKeys) return 'after-all-keys';
  const tilde = rule.includes('~') ? rule.indexOf('~') : rule.length;
  const rights = tilde === 0 ? KEY_ALL : readRights(rule.slice(1, tilde));
  const text = rule.slice(tilde + 1);
  if (rights === 0 || hasSpaces(text)) return 'syntax';
  const found = selector.keys.find((pattern) => pattern.text === text);
  const pattern = { text, bytes: asciiBytes(text), rights: rights | (found?.rights ?? 0) };
  selector.keys =
    found === undefined
      ? [...selector.keys, pattern]
      : selector.keys.map((other) => (other === found ? pattern : other));
  return undefined;
}

/** 0 where they are not letters R and W, once each. */
function readRights(letters: string): number {
  let rights = 0;
  for (const letter of letters.toUpperCase()) {
    const right = letter === 'R' ? KEY_READ : letter === 'W' ? KEY_WRITE : 0;
    if (right === 0 || (rights & right) !== 0) return 0;
    rights |= right;
  }
  return rights;
}

function addChannelPattern(selector: Selector, text: string): RuleFault | undefined {
  if (selector.allowsAllChannels) return 'after-all-channels';
  if (hasSpaces(text)) return 'syntax';
  if (selector.channels.some((pattern) => pattern.text === text)) return undefined;
  selector.channels = [...selector.channels, { text, bytes: asciiBytes(text) }];
  return undefined;
}

function setNamed(selector: Selector, name: string, allows: boolean): RuleFault | undefined {
  const command = findNamedCommand(name);
  if (command === undefined) return 'unknown-command';
  setCommand(selector, command, allows);
  return undefined;
}

/** `container|sub`, or `command|argument`: a command that may run with this first argument only. */
function allowWithin(selector: Selector, name: string): RuleFault | undefined {
  const bar = name.lastIndexOf('|');
  const command = findNamedCommand(name.slice(0, bar));
  if (command === undefined) return 'unknown-command';
  if (command.isSubcommand) return 'first-argument-of-subcommand';
  const argument = name.slice(bar + 1);
  if (argument === '') return 'syntax';
  if (command.subcommands.length > 0) return setNamed(selector, name, true);
  const { firstArguments } = selector;
  const before = firstArguments.get(command.place) ?? [];
  const isThere = before.some((other) => other.toLowerCase() === argument.toLowerCase());
  if (!isThere) firstArguments.set(command.place, [...before, argument]);
  return undefined;
}

/** None where quotes do not close: so it is in redis-server. */
function wordsOf(text: string): string[] {
  if (!/["']/.test(text)) return text.split(SPACE_PATTERN).filter((word) => word !== '');
  return (splitArguments(bytesToText(text)) ?? []).map(textToBytes);
}
