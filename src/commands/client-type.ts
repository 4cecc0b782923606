/**
 * The kinds of clients that CLIENT LIST and CLIENT KILL select by.
 *
 * Pure; runs on every thread that serves clients.
 */
import { writeError } from '../resp/reply-writer.ts';
import { isWord, printedText } from './arguments.ts';
import type { Call } from './call.ts';
import type { Session } from './session.ts';

/** The names of the types by what clients may call them. */
const TYPES = [
  ['NORMAL', 'normal'],
  ['SLAVE', 'replica'],
  ['REPLICA', 'replica'],
  ['PUBSUB', 'pubsub'],
  ['MASTER', 'master'],
] as const;

export type ClientType = (typeof TYPES)[number][1];

/** A node that gets changes is of its own type, and so is a client that listens to anything. */
export function typeOfClient({ subscriptions, isReplica }: Session): ClientType {
  if (isReplica) return 'replica';
  return subscriptions === undefined ? 'normal' : 'pubsub';
}

/** The type that argument `index` names; undefined after Redis's error. */
export function readClientType(call: Call, index: number): ClientType | undefined {
  for (const [word, type] of TYPES) {
    if (isWord(call, index, word)) return type;
  }
  writeError(call.reply, `ERR Unknown client type '${printedText(call, index)}'`);
  return undefined;
}
