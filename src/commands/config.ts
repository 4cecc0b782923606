/**
 * CONFIG: the settings in force, and their change on all threads at once.
 *
 * Runs on the thread of the connection. This thread answers GET and refuses bad SETs by itself; main puts changes in
 * force everywhere (threads/config-changes.ts), and the reply waits for that.
 */
import { getDirectives, prepareDirectives } from '../config/change.ts';
import { type ReplyWriter, writeBulkText, writeError, writeMap, writeOk } from '../resp/reply-writer.ts';
import { argumentText, replySyntaxError } from './arguments.ts';
import { type Call, deferReply, type Handler } from './call.ts';
import { replyHelp } from './help.ts';
import { isLocalClient } from './locality.ts';
import { replyFromMain } from './main-reply.ts';
import { TOPIC_RESET_STATISTICS } from './server-topics.ts';

/** To main; it answers with the error, or '' when the change is in force or the file is written. */
const TOPIC_SET = 'config-set';
const TOPIC_REWRITE = 'config-rewrite';

const CONFIG_HELP = [
  'GET <pattern>',
  '    Return parameters matching the glob-like <pattern> and their values.',
  'SET <directive> <value>',
  '    Set the configuration <directive> to <value>.',
  'RESETSTAT',
  '    Reset statistics reported by the INFO command.',
  'REWRITE',
  '    Rewrite the configuration file.',
];

export const configHandlers: Readonly<Record<string, Handler>> = {
  'config|get': configGet,
  'config|set': configSet,
  'config|resetstat': configResetStatistics,
  'config|rewrite': (call) => replyFromMain(call, TOPIC_REWRITE, null, writeOutcome),
  'config|help': (call) => replyHelp(call, CONFIG_HELP),
};

function configGet(call: Call): void {
  const patterns: string[] = [];
  for (let index = 2; index < call.count; index += 1) patterns.push(argumentText(call, index));
  const found = getDirectives(call.engine.config, patterns);
  writeMap(call.reply, found.length);
  for (const [name, text] of found) {
    writeBulkText(call.reply, name);
    writeBulkText(call.reply, text);
  }
}

function configSet(call: Call): void {
  if (call.count % 2 !== 0) {
    replySyntaxError(call);
    return;
  }
  const pairs: [name: string, text: string][] = [];
  for (let index = 2; index < call.count; index += 2) {
    pairs.push([argumentText(call, index), valueText(call, index + 1)]);
  }
  const clientIsLocal = isLocalClient(call.session);
  const prepared = prepareDirectives(call.engine.config, pairs, clientIsLocal);
  if ('error' in prepared) writeError(call.reply, prepared.error);
  else replyFromMain(call, TOPIC_SET, { pairs, clientIsLocal }, writeOutcome);
}

function configResetStatistics(call: Call): void {
  const deferred = deferReply(call);
  call.engine.bus.requestAll(TOPIC_RESET_STATISTICS, null).then(() => deferred.resume(writeOk));
}

/** The error to answer, or '' for OK. */
function writeOutcome(reply: ReplyWriter, error: string): void {
  if (error === '') writeOk(reply);
  else writeError(reply, error);
}

/** Names are ASCII, so that any bytes can be told in an error; values are UTF-8. */
function valueText({ input, spans }: Call, index: number): string {
  return input.toString('utf8', spans[2 * index], spans[2 * index + 1]);
}
