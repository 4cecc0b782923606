/** In-process cases of the protocol: requests parsed out of a full input buffer, replies written into one. */
import {
  createReplyWriter,
  type ReplyWriter,
  writeBulk,
  writeInteger,
  writeOk,
} from '../../src/resp/reply-writer.ts';
import { createRequest, parseRequest, resetRequest } from '../../src/resp/request-parser.ts';
import { requestText } from './client.ts';
import type { Case, Workload } from './measure.ts';

const REQUESTS = 1_000;
const ROUNDS = 500;
const REPLIES = 1_000;
const KEY = 'key:000000012345';
const VALUE = 'x'.repeat(64);
const BOUNDS = { bulkBytesMax: 512 * 2 ** 20, argumentsMax: 2 ** 20, authenticated: true };

export const PROTOCOL_CASES: readonly Case[] = [
  {
    name: 'Parse GET',
    data: 'RESP array, key 16 B, 1,000 in a buffer',
    adds: 'every bound checked; spans, no copies',
    create: () => parseWorkload(requestText(['GET', KEY])),
  },
  {
    name: 'Parse SET',
    data: 'RESP array, key 16 B, value 64 B',
    adds: 'the same',
    create: () => parseWorkload(requestText(['SET', KEY, VALUE])),
  },
  {
    name: 'Parse inline GET',
    data: 'one line, key 16 B',
    adds: 'quotes and escapes looked for',
    create: () => parseWorkload(`GET ${KEY}\r\n`),
  },
  {
    name: 'Reply +OK',
    data: '1,000 into a buffer',
    adds: 'the buffer grows where it must',
    create: () => replyWorkload((reply) => writeOk(reply)),
  },
  {
    name: 'Reply bulk',
    data: '64 B, 1,000 into a buffer',
    adds: 'the same',
    create: () => bulkWorkload(),
  },
  {
    name: 'Reply integer',
    data: 'six digits, 1,000 into a buffer',
    adds: 'the same',
    create: () => replyWorkload((reply, index) => writeInteger(reply, 123_456 + index)),
  },
];

function parseWorkload(text: string): Workload {
  const bytes = Buffer.from(text.repeat(REQUESTS), 'latin1');
  const request = createRequest();
  return {
    run: () => {
      let parsed = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        for (let at = 0; at < bytes.length; parsed += 1) {
          resetRequest(request);
          at = parseRequest(request, bytes, at, bytes.length, BOUNDS);
          if (at < 0) throw new Error('a request did not parse');
        }
      }
      return parsed;
    },
  };
}

function bulkWorkload(): Workload {
  const value = Buffer.from(VALUE, 'latin1');
  return replyWorkload((reply) => writeBulk(reply, value, 0, value.length));
}

function replyWorkload(write: (reply: ReplyWriter, index: number) => void): Workload {
  const reply = createReplyWriter(256 * 1024);
  return {
    run: () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        reply.length = 0;
        for (let i = 0; i < REPLIES; i += 1) write(reply, i);
      }
      return ROUNDS * REPLIES;
    },
  };
}
