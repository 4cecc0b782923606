/**
 * COMMAND and its subcommands: what the server says of its commands, from the very tables that it runs on.
 *
 * Runs on the thread of the command. Redis answers in the order of its hash table, this server in that of the names.
 */
import { asciiBytes } from '../base/bytes.ts';
import { globMatch } from '../base/glob.ts';
import {
  insertArray,
  writeArray,
  writeBulk,
  writeBulkText,
  writeError,
  writeInteger,
  writeNull,
} from '../resp/reply-writer.ts';
import { argumentText, isWord, replySyntaxError } from './arguments.ts';
import type { Call, Command, Handler } from './call.ts';
import { writeCommandDetails, writeWordSet } from './command-details.ts';
import { writeAllDocs } from './command-docs.ts';
import { replyHelp } from './help.ts';
import { type Arguments, findKeyArguments, type KeyArgument } from './key-arguments.ts';
import { allCommands, findByName, findCommand } from './registry.ts';
import type { CommandSpec } from './spec.ts';

/** Where the command starts that COMMAND GETKEYS is asked about. */
const INNER_COMMAND = 2;

const HELP = [
  '(no subcommand)',
  '    Return details about all Redis commands.',
  'COUNT',
  '    Return the total number of commands in this Redis server.',
  'LIST',
  '    Return a list of all commands in this Redis server.',
  'INFO [<command-name> ...]',
  '    Return details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'DOCS [<command-name> ...]',
  '    Return documentation details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'GETKEYS <full-command>',
  '    Return the keys from a full Redis command.',
  'GETKEYSANDFLAGS <full-command>',
  '    Return the keys and the access flags from a full Redis command.',
];

export const commandHandlers: Readonly<Record<string, Handler>> = {
  command: replyAllDetails,
  'command|count': (call) => writeInteger(call.reply, allCommands().length),
  'command|docs': docs,
  'command|getkeys': getKeys,
  'command|getkeysandflags': getKeysAndFlags,
  'command|help': (call) => replyHelp(call, HELP),
  'command|info': info,
  'command|list': list,
};

function replyAllDetails(call: Call): void {
  writeArray(call.reply, allCommands().length);
  for (const { spec } of allCommands()) writeCommandDetails(call.reply, spec);
}

/** Null stands for a name that is no command. */
function info(call: Call): void {
  if (call.count === 2) {
    replyAllDetails(call);
    return;
  }
  writeArray(call.reply, call.count - 2);
  for (let index = 2; index < call.count; index += 1) {
    const command = findNamed(call, index);
    if (command === undefined) writeNull(call.reply);
    else writeCommandDetails(call.reply, command.spec);
  }
}

/** A name that is no command is left out. */
function docs(call: Call): void {
  if (call.count === 2) {
    writeAllDocs(call.reply, allSpecs());
    return;
  }
  const specs: CommandSpec[] = [];
  for (let index = 2; index < call.count; index += 1) {
    const command = findNamed(call, index);
    if (command !== undefined) specs.push(command.spec);
  }
  writeAllDocs(call.reply, specs);
}

/** All names, subcommands included, or those that FILTERBY leaves. */
function list(call: Call): void {
  let keeps: ((spec: CommandSpec) => boolean) | undefined = () => true;
  if (call.count > 2) {
    keeps = call.count === 5 && isWord(call, 2, 'FILTERBY') ? readFilter(call) : undefined;
    if (keeps === undefined) {
      replySyntaxError(call);
      return;
    }
  }
  const { reply } = call;
  const start = reply.length;
  let count = 0;
  for (const container of allSpecs()) {
    for (const spec of [container, ...(container.subcommands ?? [])]) {
      if (!keeps(spec)) continue;
      writeBulkText(reply, spec.name);
      count += 1;
    }
  }
  insertArray(reply, start, count);
}

/** What FILTERBY keeps; undefined for an unknown kind of filter. */
function readFilter(call: Call): ((spec: CommandSpec) => boolean) | undefined {
  const text = argumentText(call, 4);
  // There are no modules, hence no commands of any.
  if (isWord(call, 3, 'MODULE')) return () => false;
  if (isWord(call, 3, 'ACLCAT')) {
    const category = text.toLowerCase();
    return (spec) => spec.categories.includes(category);
  }
  if (isWord(call, 3, 'PATTERN')) {
    const pattern = asciiBytes(text);
    return ({ name }) => globMatch(pattern, 0, pattern.length, asciiBytes(name), 0, name.length, true);
  }
  return undefined;
}

function getKeys(call: Call): void {
  replyKeys(call, (_, bytes, start, end) => writeBulk(call.reply, bytes, start, end));
}

function getKeysAndFlags(call: Call): void {
  replyKeys(call, ({ flags }, bytes, start, end) => {
    writeArray(call.reply, 2);
    writeBulk(call.reply, bytes, start, end);
    writeWordSet(call.reply, flags);
  });
}

function replyKeys(
  call: Call,
  writeKey: (key: KeyArgument, bytes: Call['input'], start: number, end: number) => void,
): void {
  const command = findInner(call);
  if (command === undefined) {
    writeError(call.reply, 'ERR Invalid command specified');
    return;
  }
  const { spec } = command;
  if (spec.keys.every(({ flags }) => flags.includes('not_key'))) {
    writeError(call.reply, 'ERR The command has no key arguments');
    return;
  }
  const count = call.count - INNER_COMMAND;
  if (spec.arity > 0 ? count !== spec.arity : count < -spec.arity) {
    writeError(call.reply, 'ERR Invalid number of arguments specified for command');
    return;
  }
  const args: Arguments = { bytes: call.input, spans: call.spans.subarray(2 * INNER_COMMAND), count };
  const keys = findKeyArguments(spec, args);
  if (keys.length === 0 && !spec.flags.includes('no_mandatory_keys')) {
    writeError(call.reply, 'ERR Invalid arguments specified for command');
    return;
  }
  writeArray(call.reply, keys.length);
  for (const key of keys) writeKey(key, call.input, args.spans[2 * key.index], args.spans[2 * key.index + 1]);
}

/** The command, or the subcommand of a container, that GETKEYS is asked about. */
function findInner(call: Call): Command | undefined {
  const { input, spans } = call;
  const command = findCommand(input, spans[2 * INNER_COMMAND], spans[2 * INNER_COMMAND + 1]);
  if (command?.subcommands === undefined || call.count === INNER_COMMAND + 1) return command;
  return command.subcommands.get(argumentText(call, INNER_COMMAND + 1).toLowerCase());
}

/** The command, or subcommand as `container|sub`, that argument `index` names. */
function findNamed(call: Call, index: number): Command | undefined {
  return findByName(argumentText(call, index).toLowerCase());
}

function allSpecs(): CommandSpec[] {
  return allCommands().map(({ spec }) => spec);
}
