/** Requests in the words of each server. */
import { expect, test } from 'vitest';
import { requestText } from '../../bench/support/client.ts';
import { keyRequests } from '../../bench/support/key-requests.ts';
import { parseStats, statNumber } from '../../bench/support/memcached.ts';
import { isAnswered, pingOf } from '../../bench/support/ping.ts';

test('RESP: a TTL is told only where there is one', () => {
  const { get, set, remove, probe } = keyRequests('resp');
  expect(set('k', 'v', 0)).toBe(requestText(['SET', 'k', 'v']));
  expect(set('k', 'v', 60)).toBe(requestText(['SET', 'k', 'v', 'EX', '60']));
  expect([get('k'), remove('k'), probe('k')]).toEqual(
    ['GET', 'DEL', 'EXISTS'].map((command) => requestText([command, 'k'])),
  );
});

test('memcached: the length stands before the value', () => {
  const { get, set, remove, probe } = keyRequests('memcached');
  expect(set('k', 'value', 60)).toBe('set k 0 60 5\r\nvalue\r\n');
  expect([get('k'), remove('k'), probe('k')]).toEqual(['get k\r\n', 'delete k\r\n', 'me k\r\n']);
});

test('statistics of memcached are read by name', () => {
  const stats = parseStats('STAT pid 12\r\nSTAT version 1.6.18\r\nSTAT 1:chunk_size 96\r\nEND\r\n');
  expect([statNumber(stats, 'pid'), statNumber(stats, '1:chunk_size')]).toEqual([12, 96]);
  expect(stats.get('version')).toBe('1.6.18');
  expect(() => statNumber(stats, 'version')).toThrow('version');
  expect(() => statNumber(stats, 'bytes')).toThrow('bytes');
});

test.each([
  ['resp', '+PONG\r\n'],
  ['memcached', 'VERSION 1.6.18\r\n'],
] as const)('a ping of %s is answered by the last byte of its line and not before', (protocol, text) => {
  const ping = pingOf(protocol);
  for (let length = 0; length < text.length; length += 1)
    expect(isAnswered(ping, text.slice(0, length))).toBe(false);
  expect(isAnswered(ping, text)).toBe(true);
  expect(() => isAnswered(ping, '-LOADING\r\n')).toThrow('LOADING');
});
