/**
 * SLOWLOG: the commands that took `slowlog-log-slower-than` microseconds or more, of all threads together.
 *
 * Each thread remembers its own (metrics/slow-log.ts) and tells them when it is asked over the bus; the asking one puts them in
 * order. Runs on the thread of the connection.
 */
import { Buffer } from 'node:buffer';
import { parseInt64 } from '../base/decimal.ts';
import { clearSlow, countSlow, newestSlow, type SlowLogEntry } from '../metrics/slow-log.ts';
import {
  type ReplyWriter,
  writeArray,
  writeBulk,
  writeBulkText,
  writeError,
  writeInteger,
  writeOk,
} from '../resp/reply-writer.ts';
import { type Call, deferReply, type Handler } from './call.ts';
import type { Engine } from './engine.ts';
import { replyHelp, replyUnknownSubcommand } from './help.ts';

/** To all: with how many of the newest entries are wanted; how many there are; that all are forgotten. */
const TOPIC_GET = 'slowlog-get';
const TOPIC_LENGTH = 'slowlog-len';
const TOPIC_RESET = 'slowlog-reset';

const SHOWN_BY_DEFAULT = 10;
const FIELDS_PER_ENTRY = 6;

const HELP = [
  'GET [<count>]',
  '    Return top <count> entries from the slowlog (default: 10, -1 mean all).',
  '    Entries are made of:',
  '    id, timestamp, time in microseconds, arguments array, client IP and port,',
  '    client name',
  'LEN',
  '    Return the length of the slowlog.',
  'RESET',
  '    Reset the slowlog.',
];

export const slowLogHandlers: Readonly<Record<string, Handler>> = {
  'slowlog|get': slowLogGet,
  'slowlog|help': (call) => replyHelp(call, HELP),
  'slowlog|len': slowLogLength,
  'slowlog|reset': slowLogReset,
};

/** Lets this thread tell of its slow commands. Once, at its start. */
export function installSlowLog({ bus, slowLog }: Engine): void {
  bus.handle(TOPIC_GET, (count) => newestSlow(slowLog, count as number));
  bus.handle(TOPIC_LENGTH, () => countSlow(slowLog));
  bus.handle(TOPIC_RESET, () => clearSlow(slowLog));
}

/**
 * The newest slow commands of all threads, at most so many, the newest first; what is shown of the arguments is text, with
 * replacement characters where it is not UTF-8. A thread that does not answer is left out.
 */
export async function readSlowLog(engine: Engine, count: number): Promise<SlowLogEntry[]> {
  const entries = await newestOfAll(engine, count);
  return entries.map((entry) => ({ ...entry, arguments: entry.arguments.map(readableText) }));
}

/** Has every thread forget its slow commands. */
export async function resetSlowLog({ bus }: Engine): Promise<void> {
  await bus.requestAll(TOPIC_RESET, null);
}

async function newestOfAll({ bus, config }: Engine, count: number): Promise<SlowLogEntry[]> {
  const wanted = Math.min(count, config.slowlogMaxLen);
  const answers = (await bus.requestAll(TOPIC_GET, wanted)) as SlowLogEntry[][];
  return answers
    .flat()
    .sort((a, b) => b.id - a.id)
    .slice(0, wanted);
}

function slowLogGet(call: Call): void {
  const { count, engine } = call;
  if (count > 3) {
    replyUnknownSubcommand(call);
    return;
  }
  const wanted = count === 3 ? readCount(call) : SHOWN_BY_DEFAULT;
  if (wanted === undefined) {
    writeError(call.reply, 'ERR count should be greater than or equal to -1');
    return;
  }
  const deferred = deferReply(call);
  newestOfAll(engine, wanted).then((entries) => deferred.resume((reply) => writeEntries(reply, entries)));
}

/** -1 is all of them. */
function readCount({ input, spans }: Call): number | undefined {
  const count = parseInt64(input, spans[4], spans[5]);
  if (count === undefined || count < -1n) return undefined;
  return count === -1n ? Infinity : Number(count);
}

/** Each thread keeps as many as there may be in all, so that the newest of all are among them. */
function slowLogLength(call: Call): void {
  const { bus, config } = call.engine;
  const deferred = deferReply(call);
  bus.requestAll(TOPIC_LENGTH, null).then((answers) => {
    const total = (answers as number[]).reduce((sum, count) => sum + count, 0);
    deferred.resume((reply) => writeInteger(reply, Math.min(total, config.slowlogMaxLen)));
  });
}

function slowLogReset(call: Call): void {
  const deferred = deferReply(call);
  resetSlowLog(call.engine).then(() => deferred.resume(writeOk));
}

function writeEntries(reply: ReplyWriter, entries: readonly SlowLogEntry[]): void {
  writeArray(reply, entries.length);
  for (const { id, atMs, durationUs, arguments: shown, client, clientName } of entries) {
    writeArray(reply, FIELDS_PER_ENTRY);
    writeInteger(reply, id);
    writeInteger(reply, Math.floor(atMs / 1000));
    writeInteger(reply, durationUs);
    writeArray(reply, shown.length);
    for (const text of shown) writeBytes(reply, text);
    writeBulkText(reply, client);
    writeBulkText(reply, clientName);
  }
}

/** One character per byte. */
function writeBytes(reply: ReplyWriter, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  writeBulk(reply, bytes, 0, bytes.length);
}

function readableText(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
