/** Replies of caches to reads and writes in a pipeline. */
import { describe, expect, test } from 'vitest';
import {
  createReplyScanner,
  REPLY_FULL,
  REPLY_HIT,
  REPLY_MISS,
  scanReplies,
} from '../../bench/support/cache-replies.ts';
import type { Protocol } from '../../bench/support/peers.ts';

const VALUE = 'END\r\n$-1\r\nVALUE';
const RESP = `$${VALUE.length}\r\n${VALUE}\r\n$-1\r\n+OK\r\n$0\r\n\r\n-OOM command not allowed\r\n_\r\n`;
const RESP_FOUND = [REPLY_HIT, REPLY_MISS, REPLY_HIT, REPLY_HIT, REPLY_FULL, REPLY_MISS];
const MEMCACHED =
  `VALUE key:1 0 ${VALUE.length}\r\n${VALUE}\r\nEND\r\nEND\r\nSTORED\r\nVALUE k 0 0\r\n\r\nEND\r\n` +
  'SERVER_ERROR out of memory storing object\r\nEND\r\n';
const MEMCACHED_FOUND = [REPLY_HIT, REPLY_MISS, REPLY_HIT, REPLY_HIT, REPLY_FULL, REPLY_MISS];

function scan(protocol: Protocol, ...parts: readonly string[]): number[] {
  const scanner = createReplyScanner(protocol);
  const found: number[] = [];
  for (const part of parts) scanReplies(scanner, Buffer.from(part, 'latin1'), found);
  return found;
}

describe.each([
  ['resp', RESP, RESP_FOUND],
  ['memcached', MEMCACHED, MEMCACHED_FOUND],
] as const)('%s', (protocol, text, found) => {
  test('is read alike however it is cut in three', () => {
    for (let first = 0; first <= text.length; first += 1) {
      for (let second = first; second <= text.length; second += 1) {
        const parts = [text.slice(0, first), text.slice(first, second), text.slice(second)];
        expect(scan(protocol, ...parts)).toEqual(found);
      }
    }
  });

  test('is read byte by byte', () => {
    expect(scan(protocol, ...text)).toEqual(found);
  });

  test('tells no reply before its last byte', () => {
    const first =
      protocol === 'resp' ? text.indexOf('$-1\r\n+OK') : text.indexOf('END\r\nSTORED') - 'END\r\n'.length;
    const whole = text.slice(0, protocol === 'resp' ? first : first + 'END\r\n'.length);
    for (let length = 0; length < whole.length; length += 1)
      expect(scan(protocol, whole.slice(0, length))).toEqual([]);
    expect(scan(protocol, whole)).toEqual([REPLY_HIT]);
  });
});

test.each([
  ['resp', '-ERR unknown command\r\n'],
  ['resp', ':1\r\n'],
  ['memcached', 'ERROR\r\n'],
  ['memcached', 'CLIENT_ERROR bad data chunk\r\n'],
] as const)('%s: %j is refused', (protocol, text) => {
  expect(() => scan(protocol, text)).toThrow('unexpected');
});
