/**
 * Requests to other nodes, written from the bytes of clients' requests: never by way of strings.
 *
 * One writer per thread, used again for every request.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import type { Call } from '../commands/call.ts';
import {
  createReplyWriter,
  type ReplyWriter,
  writeArray,
  writeBulk,
  writeBulkText,
} from '../resp/reply-writer.ts';
import { createRequest, parseRequest } from '../resp/request-parser.ts';

const BYTES_START = 16 * 1024;
const BYTES_KEPT_MAX = 1024 * 1024;

const BOUNDS = { bulkBytesMax: Infinity, argumentsMax: Infinity, authenticated: true };

const scratch = createReplyWriter(BYTES_START);

/** Argument i is `input[spans[2i], spans[2i + 1])`. */
export type RequestArguments = Pick<Call, 'input' | 'spans'>;

/** Requests and arrays of bulk strings in replies are the same RESP. */
export function beginRequest(): ReplyWriter {
  if (scratch.bytes.length > BYTES_KEPT_MAX) scratch.bytes = Buffer.allocUnsafeSlow(BYTES_START);
  scratch.length = 0;
  return scratch;
}

/** What was written, in memory of its own. */
export function endRequest({ bytes, length }: ReplyWriter): Buffer {
  return Buffer.from(bytes.subarray(0, length));
}

/** The command that `call` is about, whole. */
export function writeCommand(writer: ReplyWriter, { input, spans, count }: Call): void {
  writeArray(writer, count);
  for (let index = 0; index < count; index += 1) {
    writeBulk(writer, input, spans[2 * index], spans[2 * index + 1]);
  }
}

/** A command's name, and the keys at `places` with what belongs to them: key i is argument `first + step * i`. */
export function writePart(
  writer: ReplyWriter,
  { input, spans }: RequestArguments,
  first: number,
  step: number,
  places: readonly number[],
): void {
  writeArray(writer, 1 + step * places.length);
  writeBulk(writer, input, spans[0], spans[1]);
  for (const place of places) {
    const from = first + step * place;
    for (let index = from; index < from + step; index += 1) {
      writeBulk(writer, input, spans[2 * index], spans[2 * index + 1]);
    }
  }
}

/** The arguments of a request that was written here. */
export function parseOwnRequest(request: Buffer): RequestArguments {
  const parsed = createRequest();
  const end = parseRequest(parsed, request, 0, request.length, BOUNDS);
  assert(end === request.length, 'what was written here can be read');
  return { input: request, spans: parsed.spans };
}

export function writeWords(writer: ReplyWriter, ...words: readonly string[]): void {
  writeArray(writer, words.length);
  for (const word of words) writeBulkText(writer, word);
}
