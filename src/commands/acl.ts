/**
 * ACL: the users, what they may do, and what they were refused.
 *
 * Runs on the thread of the connection. What is asked is answered from this thread's own users; main decides on changes
 * (acl-decisions.ts), and the reply says that they are in force on all threads. Source: Redis 7.0 `acl.c`, `aclCommand`.
 */
import type { Buffer } from 'node:buffer';
import { asciiBytes } from '../base/bytes.ts';
import { parseInt64 } from '../base/decimal.ts';
import { randomHex } from '../base/random.ts';
import { ACL_RULES_BYTES_MAX, ACL_RULES_MAX } from '../config/limits.ts';
import {
  type ReplyWriter,
  writeArray,
  writeBulk,
  writeBulkText,
  writeDouble,
  writeError,
  writeInteger,
  writeMap,
  writeNull,
  writeOk,
  writeSet,
} from '../resp/reply-writer.ts';
import { foreseeUser, userNamed } from './acl-access.ts';
import { ALLOWED, checkCommand, DENIED_COMMAND, DENIED_KEY, denied } from './acl-check.ts';
import { CATEGORIES, commandsOfCategory } from './acl-commands.ts';
import { describeChannels, describeCommands, describeKeys, userFlags, userLine } from './acl-describe.ts';
import { mergeRules, sortedUsers } from './acl-lines.ts';
import { type AclLogEntry, readAclLog, resetAclLog } from './acl-log.ts';
import { hasSpaces, type Selector } from './acl-selector.ts';
import {
  type AclDeleteRequest,
  type AclLoadRequest,
  type AclSetRequest,
  TOPIC_ACL_DELETE,
  TOPIC_ACL_LOAD,
  TOPIC_ACL_SAVE,
  TOPIC_ACL_SET,
  type UsersOutcome,
} from './acl-topics.ts';
import { changedUser, DEFAULT_USER, type User } from './acl-user.ts';
import { argumentText, integerOf, isWord, NOT_AN_INTEGER, printedText } from './arguments.ts';
import { type Call, type Command, deferReply, type Handler } from './call.ts';
import { replyHelp, replyUnknownSubcommand } from './help.ts';
import { replyFromMain } from './main-reply.ts';
import { findCommand } from './registry.ts';

const PASSWORD_BITS_DEFAULT = 256;
const PASSWORD_BITS_MAX = 4096;
const BITS_PER_DIGIT = 4;
const LOG_ENTRIES_DEFAULT = 10;
const QUOTED_CHARACTERS_MAX = 128;
const MS_PER_SECOND = 1000;
const LOG_FIELDS = 7;
/** Flags, passwords, commands, keys, channels, selectors. */
const USER_FIELDS = 6;
const SELECTOR_FIELDS = 3;

const NO_FILE =
  'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and ' +
  'then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis ' +
  'configuration.';
const BAD_BITS =
  'ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to ' +
  PASSWORD_BITS_MAX;

const TOO_MANY_RULES = `ERR ACL SETUSER takes at most ${ACL_RULES_MAX} rules of ${ACL_RULES_BYTES_MAX} bytes together`;

const ACL_HELP = [
  'CAT [<category>]',
  '    List all commands that belong to <category>, or all command categories',
  '    when no category is specified.',
  'DELUSER <username> [<username> ...]',
  '    Delete a list of users.',
  'DRYRUN <username> <command> [<arg> ...]',
  '    Returns whether the user can execute the given command without executing the command.',
  'GETUSER <username>',
  "    Get the user's details.",
  'GENPASS [<bits>]',
  '    Generate a secure 256-bit user password. The optional `bits` argument can',
  '    be used to specify a different size.',
  'LIST',
  '    Show users details in config file format.',
  'LOAD',
  '    Reload users from the ACL file.',
  'LOG [<count> | RESET]',
  '    Show the ACL log entries.',
  'SAVE',
  '    Save the current config to the ACL file.',
  'SETUSER <username> <attribute> [<attribute> ...]',
  '    Create or modify a user with the specified attributes.',
  'USERS',
  '    List all the registered usernames.',
  'WHOAMI',
  '    Return the current connection username.',
];

export const aclHandlers: Readonly<Record<string, Handler>> = {
  'acl|cat': aclCat,
  'acl|deluser': aclDeleteUser,
  'acl|dryrun': aclDryRun,
  'acl|genpass': aclGeneratePassword,
  'acl|getuser': aclGetUser,
  'acl|help': (call) => replyHelp(call, ACL_HELP),
  'acl|list': aclList,
  'acl|load': aclLoad,
  'acl|log': aclLog,
  'acl|save': aclSave,
  'acl|setuser': aclSetUser,
  'acl|users': aclUsers,
  'acl|whoami': (call) => writeBytes(call.reply, call.session.user),
};

function aclCat(call: Call): void {
  const { count, reply } = call;
  if (count === 2) {
    writeArray(reply, CATEGORIES.length);
    for (const category of CATEGORIES) writeBulkText(reply, category);
    return;
  }
  const commands = count === 3 ? commandsOfCategory(argumentText(call, 2)) : undefined;
  if (commands === undefined) {
    const shown = printedText(call, 2).slice(0, QUOTED_CHARACTERS_MAX);
    if (count === 3) writeError(reply, `ERR Unknown category '${shown}'`);
    else replyUnknownSubcommand(call);
    return;
  }
  writeArray(reply, commands.length);
  for (const { name } of commands) writeBulkText(reply, name);
}

function aclSetUser(call: Call): void {
  const { reply, session } = call;
  if (hasTooManyRules(call)) {
    writeError(reply, TOO_MANY_RULES);
    return;
  }
  const name = argumentText(call, 2);
  if (hasSpaces(name)) {
    writeError(reply, "ERR Usernames can't contain spaces or null characters");
    return;
  }
  const rules = rulesOf(call);
  if (typeof rules === 'number') {
    const shown = printedText(call, 3 + rules);
    writeError(reply, `ERR Unmatched parenthesis in acl selector starting at '${shown}'.`);
    return;
  }
  const request: AclSetRequest = { name, rules, askingId: session.id };
  replyWithOutcome(call, TOPIC_ACL_SET, request, writeOk);
}

/** Of SETUSER, with the name: more than main should read in one go. */
function hasTooManyRules({ spans, count }: Call): boolean {
  return count - 3 > ACL_RULES_MAX || spans[2 * count - 1] - spans[4] > ACL_RULES_BYTES_MAX;
}

/** The rules of SETUSER; or the place of a parenthesis that is not closed. */
function rulesOf(call: Call): string[] | number {
  const words: string[] = [];
  for (let index = 3; index < call.count; index += 1) words.push(argumentText(call, index));
  return mergeRules(words);
}

/**
 * For a transaction that has asked main for this SETUSER, or is going to: the commands behind it are held to the new rules, and AUTH
 * knows the new user, before main has told all threads.
 */
export function foreseeSetUser(call: Call): void {
  const { engine, session } = call;
  const { access, config } = engine;
  if (hasTooManyRules(call)) return;
  const name = argumentText(call, 2);
  const rules = rulesOf(call);
  if (typeof rules === 'number' || hasSpaces(name)) return;
  const allowsAllChannels = config.aclPubsubDefault === 'allchannels';
  const user = changedUser(userNamed(access, name), name, rules, allowsAllChannels);
  if (typeof user !== 'string') foreseeUser(access, session, user);
}

function aclDeleteUser(call: Call): void {
  const names: string[] = [];
  for (let index = 2; index < call.count; index += 1) names.push(argumentText(call, index));
  if (names.includes(DEFAULT_USER)) {
    writeError(call.reply, "ERR The 'default' user cannot be removed");
    return;
  }
  const request: AclDeleteRequest = { names, askingId: call.session.id };
  replyWithOutcome(call, TOPIC_ACL_DELETE, request, writeInteger);
}

function aclLoad(call: Call): void {
  const request: AclLoadRequest = { askingId: call.session.id };
  if (hasAclFile(call)) replyWithOutcome(call, TOPIC_ACL_LOAD, request, writeOk);
}

function aclSave(call: Call): void {
  if (hasAclFile(call)) replyWithOutcome(call, TOPIC_ACL_SAVE, null, writeOk);
}

function hasAclFile({ engine, reply }: Call): boolean {
  if (engine.config.aclfile !== '') return true;
  writeError(reply, NO_FILE);
  return false;
}

/** The connection of a client whose own user is gone ends behind the reply. */
function replyWithOutcome(
  call: Call,
  topic: string,
  request: unknown,
  write: (reply: ReplyWriter, count: number) => void,
): void {
  const { connection } = call.session;
  replyFromMain<UsersOutcome>(call, topic, request, (reply, outcome) => {
    if ('error' in outcome) {
      writeError(reply, outcome.error);
      return;
    }
    write(reply, outcome.count);
    if (outcome.closesAsking) connection.closeAfterReply();
  });
}

function aclList({ reply, engine }: Call): void {
  const { users } = engine.access;
  writeArray(reply, users.size);
  for (const user of sortedUsers(users.values())) writeBytes(reply, userLine(user));
}

function aclUsers({ reply, engine }: Call): void {
  const { users } = engine.access;
  writeArray(reply, users.size);
  for (const { name } of sortedUsers(users.values())) writeBytes(reply, name);
}

function aclGetUser(call: Call): void {
  const { reply, engine } = call;
  const user = engine.access.users.get(argumentText(call, 2));
  if (user === undefined) {
    writeNull(reply);
    return;
  }
  const flags = userFlags(user);
  const [own, ...others] = user.selectors;
  writeMap(reply, USER_FIELDS);
  writeBulkText(reply, 'flags');
  writeSet(reply, flags.length);
  for (const flag of flags) writeBulkText(reply, flag);
  writeBulkText(reply, 'passwords');
  writeArray(reply, user.passwords.length);
  for (const hash of user.passwords) writeBulkText(reply, hash);
  writeSelector(reply, own);
  writeBulkText(reply, 'selectors');
  writeArray(reply, others.length);
  for (const selector of others) {
    writeMap(reply, SELECTOR_FIELDS);
    writeSelector(reply, selector);
  }
}

function writeSelector(reply: ReplyWriter, selector: Selector): void {
  writeBulkText(reply, 'commands');
  writeBytes(reply, describeCommands(selector));
  writeBulkText(reply, 'keys');
  writeBytes(reply, describeKeys(selector));
  writeBulkText(reply, 'channels');
  writeBytes(reply, describeChannels(selector));
}

function aclGeneratePassword(call: Call): void {
  const { reply, count } = call;
  const bits = count > 2 ? integerOf(call, 2) : PASSWORD_BITS_DEFAULT;
  if (count > 3) replyUnknownSubcommand(call);
  else if (Number.isNaN(bits) && parseInt64(call.input, call.spans[4], call.spans[5]) === undefined)
    writeError(reply, NOT_AN_INTEGER);
  else if (!(bits >= 1 && bits <= PASSWORD_BITS_MAX)) writeError(reply, BAD_BITS);
  else {
    const digits = Math.ceil(bits / BITS_PER_DIGIT);
    writeBulkText(reply, randomHex(digits));
  }
}

function aclLog(call: Call): void {
  const { engine, reply, count } = call;
  if (count > 3) {
    replyUnknownSubcommand(call);
    return;
  }
  if (count === 3 && isWord(call, 2, 'RESET')) {
    const deferred = deferReply(call);
    resetAclLog(engine).then(() => deferred.resume(writeOk));
    return;
  }
  const wanted = count === 3 ? integerOf(call, 2) : LOG_ENTRIES_DEFAULT;
  const isHuge = Number.isNaN(wanted) && parseInt64(call.input, call.spans[4], call.spans[5]) !== undefined;
  if (Number.isNaN(wanted) && !isHuge) {
    writeError(reply, NOT_AN_INTEGER);
    return;
  }
  const entriesMax = isHuge ? hugeCount(call) : Math.max(0, wanted);
  const deferred = deferReply(call);
  readAclLog(engine).then((entries) =>
    deferred.resume((late) => writeLog(late, entries.slice(0, entriesMax), engine.wallMs())),
  );
}

/** Of a number that is too far from 0 to be exact. */
function hugeCount(call: Call): number {
  return argumentText(call, 2).startsWith('-') ? 0 : Infinity;
}

function writeLog(reply: ReplyWriter, entries: readonly AclLogEntry[], nowMs: number): void {
  writeArray(reply, entries.length);
  for (const { count, reason, context, object, user, atMs, client } of entries) {
    writeMap(reply, LOG_FIELDS);
    writeBulkText(reply, 'count');
    writeInteger(reply, count);
    writeBulkText(reply, 'reason');
    writeBulkText(reply, reason);
    writeBulkText(reply, 'context');
    writeBulkText(reply, context);
    writeBulkText(reply, 'object');
    writeBytes(reply, object);
    writeBulkText(reply, 'username');
    writeBytes(reply, user);
    writeBulkText(reply, 'age-seconds');
    writeDouble(reply, (nowMs - atMs) / MS_PER_SECOND);
    writeBulkText(reply, 'client-info');
    writeBulkText(reply, client);
  }
}

function aclDryRun(call: Call): void {
  const { engine, reply, input, spans } = call;
  const user = engine.access.users.get(argumentText(call, 2));
  if (user === undefined) {
    writeError(reply, `ERR User '${printedText(call, 2)}' not found`);
    return;
  }
  const count = call.count - 3;
  const command = dryCommand(call, count);
  if (command === undefined) {
    writeError(reply, `ERR Command '${printedText(call, 3)}' not found`);
  } else if (command.arity > 0 ? count !== command.arity : count < -command.arity) {
    writeError(reply, `ERR wrong number of arguments for '${command.spec.name}' command`);
  } else {
    writeVerdict(call, user, command, { bytes: input, spans: spans.subarray(2 * 3), count });
  }
}

function dryCommand({ input, spans }: Call, count: number): Command | undefined {
  const command = findCommand(input, spans[6], spans[7]);
  if (command?.subcommands === undefined || count === 1) return command;
  return command.subcommands.get(input.toString('latin1', spans[8], spans[9]).toLowerCase());
}

function writeVerdict(
  call: Call,
  user: User,
  command: Command,
  args: { readonly bytes: Buffer; readonly spans: Int32Array; readonly count: number },
): void {
  const { reply } = call;
  const reason = checkCommand(user, command, args);
  const shown = printedText(call, 3 + denied.argument);
  if (reason === ALLOWED) writeOk(reply);
  else if (reason === DENIED_COMMAND)
    writeBulkText(reply, `This user has no permissions to run the '${command.spec.name}' command`);
  else {
    const kind = reason === DENIED_KEY ? 'key' : 'channel';
    writeBytes(reply, `This user has no permissions to access the '${shown}' ${kind}`);
  }
}

/** A bulk string of a text that stands for bytes. */
function writeBytes(reply: ReplyWriter, text: string): void {
  const bytes = asciiBytes(text);
  writeBulk(reply, bytes, 0, bytes.length);
}
