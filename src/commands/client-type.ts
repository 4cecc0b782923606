/**
 * The kinds of clients that CLIENT LIST and CLIENT KILL select by.
 *
 * Pure; runs on every thread that serves clients.
 */
import { writeError } from '../resp/reply-writer.ts';
import { isWord, printedText } from './arguments.ts';
import type { Call } from './call.ts';

/** The names of the types by what clients may call them. */
const TYPES = [
  ['NORMAL', 'normal'],
  ['SLAVE', 'replica'],
  ['REPLICA', 'replica'],
  ['PUBSUB', 'pubsub'],
  ['MASTER', 'master'],
] as const;

export type ClientType = (typeof TYPES)[number][1];

/** The type of every client, as long as none can subscribe or replicate. */
export const TYPE_OF_ALL_CLIENTS: ClientType = 'normal';

/** The type that argument `index` names; undefined after Redis's error. */
export function readClientType(call: Call, index: number): ClientType | undefined {
  for (const [word, type] of TYPES) {
    if (isWord(call, index, word)) return type;
  }
  writeError(call.reply, `ERR Unknown client type '${printedText(call, index)}'`);
  return undefined;
}
