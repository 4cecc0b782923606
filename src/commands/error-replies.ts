/**
 * Counting replies that are errors, wherever they are written: by a command at once or later, or by whoever refuses it.
 *
 * Runs on the thread of the connection.
 */
import { countErrorReply } from '../metrics/error-counts.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import type { Engine } from './engine.ts';

const MINUS = 45;

/** Counts the reply that begins at `start` of the writer if it is an error; there may be none. */
export function countIfError({ counters }: Engine, reply: ReplyWriter, start: number): void {
  if (isError(reply, start)) countErrorReply(counters, reply.bytes, start, reply.length);
}

/** Whether a reply begins at `start` of the writer, and is an error. */
export function isError({ bytes, length }: ReplyWriter, start: number): boolean {
  return length > start && bytes[start] === MINUS;
}
