/**
 * The one reply that is put together from those of several nodes.
 *
 * Pure. The replies are whole and no errors; the values in them are moved as they are, whatever the protocol.
 */
import { Buffer } from 'node:buffer';
import { parseSafeInteger } from '../base/decimal.ts';
import { createReplyFrames, readFrame } from '../resp/reply-frames.ts';
import { createReplyWriter, writeArray, writeInteger, writeOk } from '../resp/reply-writer.ts';

/** Counts are added up; one OK stands for all; values go to the places of their keys; arrays are joined. */
export type Gathering = 'sum' | 'ok' | 'pick' | 'join';

type PartReply = { readonly reply: Buffer; readonly places: readonly number[] };

const GATHERINGS: ReadonlyMap<string, Gathering> = new Map([
  ['mget', 'pick'],
  ['mset', 'ok'],
  ['del', 'sum'],
  ['unlink', 'sum'],
  ['exists', 'sum'],
  ['touch', 'sum'],
  ['dbsize', 'sum'],
  ['keys', 'join'],
  ['flushall', 'ok'],
  ['flushdb', 'ok'],
]);

const HEADER_BYTES = 32;
const LINE_END_BYTES = 2;
const LINE_FEED = 10;

/** How the replies of a command's parts are put together; undefined for a command that has none. */
export function gatheringOf(name: string): Gathering | undefined {
  return GATHERINGS.get(name);
}

/** The pieces of the reply, in order. O(bytes) for values that go to places, else O(parts). */
export function joinReplies(gathering: Gathering, parts: readonly PartReply[]): Buffer[] {
  if (gathering === 'pick') return pickValues(parts);
  if (gathering === 'join') {
    const bodies = parts.map(({ reply }) => reply.subarray(lineEndOf(reply)));
    const count = parts.reduce((sum, { reply }) => sum + numberOf(reply), 0);
    return [written((writer) => writeArray(writer, count)), ...bodies];
  }
  if (gathering === 'ok') return [written(writeOk)];
  const sum = parts.reduce((total, { reply }) => total + numberOf(reply), 0);
  return [written((writer) => writeInteger(writer, sum))];
}

/** The number in a reply's first line: an integer, or how many values an array has. */
export function numberOf(reply: Buffer): number {
  return parseSafeInteger(reply, 1, lineEndOf(reply) - LINE_END_BYTES);
}

/** Where a reply's first line ends. */
export function lineEndOf(reply: Buffer): number {
  return reply.indexOf(LINE_FEED) + 1;
}

function pickValues(parts: readonly PartReply[]): Buffer[] {
  const values: Buffer[] = [];
  const frames = createReplyFrames();
  for (const { reply, places } of parts) {
    let at = lineEndOf(reply);
    for (const place of places) {
      const end = readFrame(frames, reply, at, reply.length);
      values[place] = reply.subarray(at, end);
      at = end;
    }
  }
  return [written((writer) => writeArray(writer, values.length)), Buffer.concat(values)];
}

function written(write: (writer: ReturnType<typeof createReplyWriter>) => void): Buffer {
  const writer = createReplyWriter(HEADER_BYTES);
  write(writer);
  return writer.bytes.subarray(0, writer.length);
}
