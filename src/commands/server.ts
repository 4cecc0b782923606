/**
 * The small commands about the server: TIME, SHUTDOWN; and what is answered for functions while there are none.
 *
 * Runs on the thread of the connection, under no lock.
 */
import { SNAPSHOT_REPLY_MS_MAX } from '../config/limits.ts';
import { writeArray, writeBulkText, writeError, writeOk } from '../resp/reply-writer.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import { type Call, deferReply, type Handler } from './call.ts';
import { replyHelp, replyUnknownSubcommand } from './help.ts';
import { type ShutdownRequest, TOPIC_SHUTDOWN } from './persistence-topics.ts';

const SHUTDOWN_WORDS = ['NOSAVE', 'SAVE', 'NOW', 'FORCE', 'ABORT'];

const MS_PER_SECOND = 1000;
const MICROSECONDS_PER_MS = 1000;

const FUNCTION_HELP = [
  'FLUSH [ASYNC|SYNC]',
  '    Delete all the libraries.',
  '    When called without the optional mode argument, the behavior is determined by the',
  '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
  '    * ASYNC: Asynchronously flush the libraries.',
  '    * SYNC: Synchronously flush the libraries.',
];

export const serverHandlers: Readonly<Record<string, Handler>> = {
  time,
  shutdown,
  'function|flush': functionFlush,
  'function|help': (call) => replyHelp(call, FUNCTION_HELP),
};

/** Seconds and microseconds since the epoch; the clock ticks in milliseconds. */
function time({ reply, engine }: Call): void {
  const nowMs = engine.wallMs();
  const seconds = Math.floor(nowMs / MS_PER_SECOND);
  writeArray(reply, 2);
  writeBulkText(reply, `${seconds}`);
  writeBulkText(reply, `${Math.floor((nowMs - seconds * MS_PER_SECOND) * MICROSECONDS_PER_MS)}`);
}

function shutdown(call: Call): void {
  const words = shutdownWords(call);
  if (words === undefined) replySyntaxError(call);
  // A stop that has begun is not called off.
  else if (words.has('ABORT')) writeError(call.reply, 'ERR No shutdown in progress.');
  else requestShutdown(call, words);
}

/** The options that are given; undefined where one is unknown or two contradict each other. */
function shutdownWords(call: Call): ReadonlySet<string> | undefined {
  const words = new Set<string>();
  for (let index = 1; index < call.count; index += 1) {
    const word = SHUTDOWN_WORDS.find((known) => isWord(call, index, known));
    if (word === undefined) return undefined;
    words.add(word);
  }
  const contradicts = (words.has('SAVE') && words.has('NOSAVE')) || (words.has('ABORT') && words.size > 1);
  return contradicts ? undefined : words;
}

/** Success is told by closing the connection, as redis-server does. There are no replicas for which NOW would not wait. */
function requestShutdown(call: Call, words: ReadonlySet<string>): void {
  const request: ShutdownRequest = {
    saves: words.has('SAVE') ? true : words.has('NOSAVE') ? false : undefined,
    isForced: words.has('FORCE'),
  };
  const { connection } = call.session;
  const deferred = deferReply(call);
  call.engine.bus.requestMain(TOPIC_SHUTDOWN, request, SNAPSHOT_REPLY_MS_MAX).then(
    () => connection.destroy(),
    () => deferred.resume((reply) => writeError(reply, 'ERR Errors trying to SHUTDOWN. Check logs.')),
  );
}

/** There are no functions, so flushing them is done. */
function functionFlush(call: Call): void {
  const { count, reply } = call;
  if (count > 3) replyUnknownSubcommand(call);
  else if (count === 2 || isWord(call, 2, 'SYNC') || isWord(call, 2, 'ASYNC')) writeOk(reply);
  else writeError(reply, 'ERR FUNCTION FLUSH only supports SYNC|ASYNC option');
}
