/** Answers to what no route gets to see. */
import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { answerClientError } from '../../src/admin/client-error.ts';

/** What is written to a socket that failed with this code. */
function answerTo(code: string): string {
  let written = '';
  const socket = new Duplex({
    read: () => undefined,
    write: (chunk, _encoding, done) => {
      written += chunk;
      done();
    },
  });
  answerClientError(Object.assign(new Error(code), { code }), socket);
  expect(socket.writableEnded).toBe(true);
  return written;
}

describe('a request that is', () => {
  test.each([
    ['no HTTP', 'HPE_INVALID_METHOD', 400, 'Bad Request'],
    ['too slow', 'ERR_HTTP_REQUEST_TIMEOUT', 408, 'Request Timeout'],
    ['too long', 'HPE_HEADER_OVERFLOW', 431, 'Request Header Fields Too Large'],
  ])('%s gets a whole problem', (_, code, status, title) => {
    const answer = answerTo(code);
    const [head, body] = answer.split('\r\n\r\n');
    expect(head.split('\r\n')).toEqual([
      `HTTP/1.1 ${status} ${title}`,
      'Content-Type: application/problem+json; charset=utf-8',
      `Content-Length: ${body.length}`,
      'Connection: close',
    ]);
    expect(JSON.parse(body)).toMatchObject({ status, title });
  });

  test('of a client that is gone gets none', () => {
    expect(answerTo('ECONNRESET')).toBe('');
  });
});
