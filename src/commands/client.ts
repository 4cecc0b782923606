/**
 * CLIENT and its subcommands: what a client says of itself, what it wants, and a look at the other clients.
 *
 * Runs on the thread of the connection. LIST and KILL ask all threads (client-list.ts, client-kill.ts).
 */
import { writeBulkText, writeError, writeInteger, writeNull, writeOk } from '../resp/reply-writer.ts';
import { argumentText, isWord, printedText, replySyntaxError } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { clientKill, installClientKill } from './client-kill.ts';
import { clientInfo, clientList, installClientList } from './client-list.ts';
import { isClientName, isPlainText, isTooLongText } from './client-name.ts';
import { installClientRecords } from './client-records.ts';
import type { Engine } from './engine.ts';
import { replyHelp } from './help.ts';
import { pauseHandlers } from './pause.ts';
import { REPLY_OFF, REPLY_ON, REPLY_SKIP_NEXT } from './session.ts';
import { trackingHandlers } from './tracking.ts';
import { installClientUnblock, unblockHandlers } from './unblock.ts';

const HELP = [
  'CACHING (YES|NO)',
  '    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.',
  'GETREDIR',
  '    Return the client ID we are redirecting to when tracking is enabled.',
  'GETNAME',
  '    Return the name of the current connection.',
  'ID',
  '    Return the ID of the current connection.',
  'INFO',
  '    Return information about the current client connection.',
  'KILL <ip:port>',
  '    Kill connection made from <ip:port>.',
  'KILL <option> <value> [<option> <value> [...]]',
  '    Kill connections. Options are:',
  '    * ADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made from the specified address',
  '    * LADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made to specified local address',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Kill connections by type.',
  '    * USER <username>',
  '      Kill connections authenticated by <username>.',
  '    * SKIPME (YES|NO)',
  '      Skip killing current connection (default: yes).',
  'LIST [options ...]',
  '    Return information about client connections. Options:',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Return clients of specified type.',
  'UNPAUSE',
  '    Stop the current client pause, resuming traffic.',
  'PAUSE <timeout> [WRITE|ALL]',
  '    Suspend all, or just write, clients for <timeout> milliseconds.',
  'REPLY (ON|OFF|SKIP)',
  '    Control the replies sent to the current connection.',
  'SETNAME <name>',
  '    Assign the name <name> to the current connection.',
  'SETINFO <option> <value>',
  '    Set client meta attr. Options are:',
  '    * LIB-NAME: the client lib name.',
  '    * LIB-VER: the client lib version.',
  'UNBLOCK <clientid> [TIMEOUT|ERROR]',
  '    Unblock the specified blocked client.',
  'TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]',
  '         [OPTIN] [OPTOUT] [NOLOOP]',
  '    Control server assisted client side caching.',
  'TRACKINGINFO',
  '    Report tracking status for the current connection.',
  'NO-EVICT (ON|OFF)',
  '    Protect current client connection from eviction.',
  'NO-TOUCH (ON|OFF)',
  '    Will not touch LRU/LFU stats when this mode is on.',
];

export const clientHandlers: Readonly<Record<string, Handler>> = {
  'client|getname': getName,
  'client|help': (call) => replyHelp(call, HELP),
  'client|id': (call) => writeInteger(call.reply, call.session.id),
  'client|info': clientInfo,
  'client|kill': clientKill,
  'client|list': clientList,
  'client|no-evict': noEvict,
  'client|no-touch': noTouch,
  'client|reply': replyMode,
  'client|setinfo': setInfo,
  'client|setname': setName,
  ...pauseHandlers,
  ...trackingHandlers,
  ...unblockHandlers,
};

/** Lets this thread answer CLIENT LIST, KILL and UNBLOCK of all threads, and who asks for its clients as records. Once per thread that serves clients. */
export function installClientTopics(engine: Engine): void {
  installClientList(engine);
  installClientKill(engine);
  installClientRecords(engine);
  installClientUnblock(engine);
}

function getName(call: Call): void {
  if (call.session.name === '') writeNull(call.reply);
  else writeBulkText(call.reply, call.session.name);
}

/** An empty name takes the old one away. */
function setName(call: Call): void {
  if (!isClientName(call, 2)) return;
  call.session.name = argumentText(call, 2);
  writeOk(call.reply);
}

/** Redis 7.2's; the libraries of our time open every connection with it. */
function setInfo(call: Call): void {
  const isName = isWord(call, 2, 'LIB-NAME');
  if (!isName && !isWord(call, 2, 'LIB-VER')) {
    writeError(call.reply, `ERR Unrecognized option '${printedText(call, 2)}'`);
    return;
  }
  if (isTooLongText(call, 3)) return;
  if (!isPlainText(call, 3)) {
    const option = argumentText(call, 2);
    writeError(call.reply, `ERR ${option} cannot contain spaces, newlines or special characters.`);
    return;
  }
  if (isName) call.session.libraryName = argumentText(call, 3);
  else call.session.libraryVersion = argumentText(call, 3);
  writeOk(call.reply);
}

/** ON answers, whatever the mode was; OFF and SKIP do not. The connection drops what the mode says. */
function replyMode(call: Call): void {
  const { session } = call;
  if (isWord(call, 2, 'ON')) {
    session.replyMode = REPLY_ON;
    writeOk(call.reply);
  } else if (isWord(call, 2, 'OFF')) {
    session.replyMode = REPLY_OFF;
  } else if (isWord(call, 2, 'SKIP')) {
    if (session.replyMode !== REPLY_OFF) session.replyMode = REPLY_SKIP_NEXT;
  } else {
    replySyntaxError(call);
  }
}

function noEvict(call: Call): void {
  const isOn = readSwitch(call);
  if (isOn !== undefined) call.session.noEvict = isOn;
}

function noTouch(call: Call): void {
  const isOn = readSwitch(call);
  if (isOn !== undefined) call.session.noTouch = isOn;
}

/** Argument 2 as ON or OFF, and answers; undefined after an error. */
function readSwitch(call: Call): boolean | undefined {
  const isOn = isWord(call, 2, 'ON');
  if (!isOn && !isWord(call, 2, 'OFF')) {
    replySyntaxError(call);
    return undefined;
  }
  writeOk(call.reply);
  return isOn;
}
