/**
 * Commands about the connection itself: who the client is, which protocol and database it uses, whether we are there.
 *
 * Runs on the thread of the connection.
 */
import { parseInt64 } from '../base/decimal.ts';
import { REDIS_VERSION } from '../base/version.ts';
import {
  writeArray,
  writeBulk,
  writeBulkText,
  writeError,
  writeInteger,
  writeMap,
  writeOk,
  writePong,
  writeSimple,
} from '../resp/reply-writer.ts';
import { bindSession, defaultUser, findLogin, isOpenToAll } from './acl-access.ts';
import { noteDenied } from './acl-log.ts';
import { contextOf } from './acl-refusal.ts';
import { DEFAULT_USER } from './acl-user.ts';
import {
  argumentText,
  integerOf,
  isWord,
  NOT_AN_INTEGER,
  printedText,
  replySyntaxError,
} from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { isClientName } from './client-name.ts';
import { endMonitoring } from './monitor.ts';
import { endSubscriptions, replySubscriberPing } from './pubsub.ts';
import { REPLY_ON, REPLY_SKIP, setAuthenticated } from './session.ts';
import { endTracking } from './tracking.ts';
import { endTransaction } from './transactions.ts';

const INT_MAX = 2 ** 31 - 1;
const OUT_OF_INT_RANGE = `ERR value is out of range, value must between ${-INT_MAX - 1} and ${INT_MAX}`;

const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.';
const NO_PASSWORD_SET =
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?';
const HELLO_NEEDS_AUTH =
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time';

export const connectionHandlers: Readonly<Record<string, Handler>> = {
  auth,
  echo,
  hello,
  ping,
  quit,
  reset,
  select,
};

function ping(call: Call): void {
  if (call.session.subscriptions !== undefined && call.session.protocol === 2 && call.count <= 2)
    replySubscriberPing(call);
  else if (call.count === 1) writePong(call.reply);
  else if (call.count === 2) echo(call);
  else writeError(call.reply, "ERR wrong number of arguments for 'ping' command");
}

function echo(call: Call): void {
  writeBulk(call.reply, call.input, call.spans[2], call.spans[3]);
}

function quit(call: Call): void {
  writeOk(call.reply);
  call.session.connection.closeAfterReply();
}

function select(call: Call): void {
  const database = integerOf(call, 1);
  if (Number.isNaN(database) && parseInt64(call.input, call.spans[2], call.spans[3]) === undefined) {
    writeError(call.reply, NOT_AN_INTEGER);
  } else if (!(database >= -INT_MAX - 1 && database <= INT_MAX)) {
    writeError(call.reply, OUT_OF_INT_RANGE);
  } else if (database !== 0 && call.engine.cluster !== undefined) {
    writeError(call.reply, 'ERR SELECT is not allowed in cluster mode');
  } else if (database < 0 || database >= call.engine.config.databases) {
    writeError(call.reply, 'ERR DB index is out of range');
  } else {
    call.session.database = database;
    writeOk(call.reply);
  }
}

function auth(call: Call): void {
  if (call.count > 3) replySyntaxError(call);
  else if (call.count === 2 && defaultUser(call.engine.access).needsNoPassword)
    writeError(call.reply, NO_PASSWORD_SET);
  else if (authenticate(call, call.count === 3 ? 1 : 0, call.count - 1)) writeOk(call.reply);
}

/**
 * Lets the client in as the user in argument `userIndex` (0: the default user) if the password in argument
 * `passwordIndex` is right, else answers WRONGPASS and leaves the client as it was.
 */
function authenticate(call: Call, userIndex: number, passwordIndex: number): boolean {
  const { engine, session } = call;
  const { access } = engine;
  const name = userIndex === 0 ? DEFAULT_USER : argumentText(call, userIndex);
  if (findLogin(access, name, argumentText(call, passwordIndex)) === undefined) {
    const object = argumentText(call, 0);
    noteDenied(engine, session, { reason: 'auth', context: contextOf(session), object, user: name });
    writeError(call.reply, WRONG_PASSWORD);
    return false;
  }
  setAuthenticated(session, true);
  session.user = name;
  bindSession(access, session);
  return true;
}

function hello(call: Call): void {
  const { session, reply } = call;
  const version = readVersion(call);
  if (version === undefined || !applyHelloOptions(call)) return;
  if (!session.authenticated) {
    writeError(reply, HELLO_NEEDS_AUTH);
    return;
  }
  session.protocol = version;
  reply.protocol = version;
  replyHello(call);
}

/** The protocol that HELLO asks for, the present one if it does not; undefined after an error. */
function readVersion(call: Call): 2 | 3 | undefined {
  if (call.count === 1) return call.session.protocol;
  const version = integerOf(call, 1);
  if (version === 2 || version === 3) return version;
  const isInteger =
    !Number.isNaN(version) || parseInt64(call.input, call.spans[2], call.spans[3]) !== undefined;
  writeError(
    call.reply,
    isInteger
      ? 'NOPROTO unsupported protocol version'
      : 'ERR Protocol version is not an integer or out of range',
  );
  return undefined;
}

/** AUTH and SETNAME take effect one after the other, up to the first that is wrong: so it is in redis-server. */
function applyHelloOptions(call: Call): boolean {
  const { count } = call;
  for (let index = 2; index < count; index += 1) {
    if (isWord(call, index, 'AUTH') && index + 2 < count) {
      if (!authenticate(call, index + 1, index + 2)) return false;
      index += 2;
    } else if (isWord(call, index, 'SETNAME') && index + 1 < count) {
      index += 1;
      if (!isClientName(call, index)) return false;
      call.session.name = argumentText(call, index);
    } else {
      writeError(call.reply, `ERR Syntax error in HELLO option '${printedText(call, index)}'`);
      return false;
    }
  }
  return true;
}

function replyHello(call: Call): void {
  const { reply, session } = call;
  writeMap(reply, 7);
  writeBulkText(reply, 'server');
  writeBulkText(reply, 'redis');
  writeBulkText(reply, 'version');
  writeBulkText(reply, REDIS_VERSION);
  writeBulkText(reply, 'proto');
  writeInteger(reply, session.protocol);
  writeBulkText(reply, 'id');
  writeInteger(reply, session.id);
  writeBulkText(reply, 'mode');
  writeBulkText(reply, call.engine.cluster === undefined ? 'standalone' : 'cluster');
  writeBulkText(reply, 'role');
  writeBulkText(reply, 'master');
  writeBulkText(reply, 'modules');
  writeArray(reply, 0);
}

/** Makes the client as if it had just connected, but for what redis-server keeps: NO-EVICT and the library's name. */
function reset(call: Call): void {
  const { session, reply } = call;
  session.database = 0;
  session.protocol = 2;
  reply.protocol = 2;
  setAuthenticated(session, isOpenToAll(call.engine.access));
  session.user = DEFAULT_USER;
  bindSession(call.engine.access, session);
  session.name = '';
  session.noTouch = false;
  session.isReadOnly = false;
  session.isPeer = false;
  session.peerId = '';
  endMonitoring(call.engine, session);
  endTracking(call.engine, session);
  endSubscriptions(call.engine, session);
  endTransaction(session);
  // A SKIP that was meant for this very command stays: so it is in redis-server.
  if (session.replyMode !== REPLY_SKIP) session.replyMode = REPLY_ON;
  writeSimple(reply, 'RESET');
}
