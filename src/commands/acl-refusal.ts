/**
 * What a client is told that its user may not do, and the log of it.
 *
 * Runs on the thread of the connection, for clients with GUARD_ACL unless it says otherwise.
 */
import { writeError } from '../resp/reply-writer.ts';
import { userNamed } from './acl-access.ts';
import { ALLOWED, allowsOnAllKeys, checkCommand, DENIED_COMMAND, DENIED_KEY, denied } from './acl-check.ts';
import { type AclContext, noteDenied } from './acl-log.ts';
import { KEY_READ } from './acl-selector.ts';
import { argumentText } from './arguments.ts';
import type { Call, Command } from './call.ts';
import { countIfError } from './error-replies.ts';
import type { Arguments } from './key-arguments.ts';
import { GUARD_ACL, GUARD_QUEUE, type Session } from './session.ts';
import { areLocksKept } from './shard-locks.ts';

/** The arguments that are looked at: one record per thread, so that none is allocated. */
const asked: { -readonly [Field in keyof Arguments]: Arguments[Field] } = {
  bytes: new Uint8Array(0),
  spans: new Int32Array(0),
  count: 0,
};

/** Whether the client's user may not run the command with these arguments; answers and logs if so. */
export function isRefusedToUser(call: Call, command: Command): boolean {
  const reason = denialOf(call, command);
  if (reason === ALLOWED) return false;
  const { session, reply } = call;
  session.lastCommand = command.spec.name;
  note(call, command, reason, contextOf(session));
  writeError(reply, `NOPERM this user has no permissions to ${toWhat(reason, command)}`);
  return true;
}

/** Where the client is as it is refused something: between MULTI and EXEC, or within EXEC, or neither. */
export function contextOf({ guards }: Session): AclContext {
  return (guards & GUARD_QUEUE) === 0 && !areLocksKept() ? 'toplevel' : 'multi';
}

/**
 * As `isRefusedToUser`, for a command of any client that was allowed when it was queued and is to be executed by EXEC: the rules may have
 * changed. Counts the error.
 */
export function isRefusedInExec(call: Call, command: Command): boolean {
  const { engine, session, reply } = call;
  const reason = (session.guards & GUARD_ACL) === 0 ? ALLOWED : denialOf(call, command);
  if (reason === ALLOWED) return false;
  const replyStart = reply.length;
  note(call, command, reason, 'multi');
  writeError(
    reply,
    'NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer ' +
      `allowed for the following reason: ${whyNoMore(reason)}`,
  );
  countIfError(engine, reply, replyStart);
  return true;
}

/** Whether the running command may read keys besides those that its arguments name: all of them. For any client. */
export function mayReadAllKeys({ engine, session, command, input, spans, count }: Call): boolean {
  if ((session.guards & GUARD_ACL) === 0) return true;
  const user = userNamed(engine.access, session.user);
  asked.bytes = input;
  asked.spans = spans;
  asked.count = count;
  return user !== undefined && allowsOnAllKeys(user, command, asked, KEY_READ);
}

function whyNoMore(reason: number): string {
  if (reason === DENIED_COMMAND) return 'no permission to execute the command or subcommand';
  if (reason === DENIED_KEY) return 'no permission to touch the specified keys';
  return 'no permission to access one of the channels used as arguments to the command';
}

/** ALLOWED, or why not. A user that is gone may nothing: its connections are about to end. */
function denialOf({ engine, session, input, spans, count }: Call, command: Command): number {
  const user = userNamed(engine.access, session.user);
  if (user === undefined) return DENIED_COMMAND;
  asked.bytes = input;
  asked.spans = spans;
  asked.count = count;
  return checkCommand(user, command, asked);
}

function toWhat(reason: number, { spec }: Command): string {
  if (reason === DENIED_COMMAND) return `run the '${spec.name}' command`;
  return `access one of the ${reason === DENIED_KEY ? 'keys' : 'channels'} used as arguments`;
}

function note(call: Call, { spec }: Command, reason: number, context: AclContext): void {
  const { engine, session } = call;
  const what = reason === DENIED_COMMAND ? 'command' : reason === DENIED_KEY ? 'key' : 'channel';
  const object = what === 'command' ? spec.name : argumentText(call, denied.argument);
  noteDenied(engine, session, { reason: what, context, object, user: session.user });
}
