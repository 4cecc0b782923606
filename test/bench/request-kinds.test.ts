/** Requests as bytes, in both protocols, and what is expected of the replies. */
import { describe, expect, test } from 'vitest';
import {
  benchmarkKey,
  commandWords,
  knowsCommand,
  requestKind,
  writeKeyDigits,
} from '../../bench/support/request-kinds.ts';

test('keys are those that redis-benchmark draws', () => {
  expect(benchmarkKey(4_999_999)).toBe('key:000004999999');
});

test('redis-benchmark gets the words with its own mark for a random number', () => {
  expect(commandWords('GET', 3)).toEqual(['GET', 'key:__rand_int__']);
  expect(commandWords('SET', 3)).toEqual(['SET', 'key:__rand_int__', 'xxx']);
  expect(commandWords('MSET', 3)).toHaveLength(21);
  expect(commandWords('MGET', 3)).toHaveLength(11);
});

test.each([
  ['resp', 'GET', '*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000007\r\n', '$3\r\nxxx\r\n'],
  ['resp', 'SET', '*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000007\r\n$3\r\nxxx\r\n', '+OK\r\n'],
  ['memcached', 'GET', 'get key:000000000007\r\n', 'VALUE key:000000000007 0 3\r\nxxx\r\nEND\r\n'],
  ['memcached', 'SET', 'set key:000000000007 0 0 3\r\nxxx\r\n', 'STORED\r\n'],
] as const)('%s %s', (protocol, command, request, reply) => {
  const kind = requestKind(protocol, command, 3);
  const bytes = Buffer.from(kind.bytes);
  expect(kind.keyOffsets).toHaveLength(1);
  writeKeyDigits(bytes, kind.keyOffsets[0], 7);
  expect(bytes.toString('latin1')).toBe(request);
  expect(kind.reply).toEqual({ first: reply.charCodeAt(0), bytes: reply.length });
});

describe('commands over many keys', () => {
  test('have ten keys, each of which can be changed', () => {
    for (const [protocol, command] of [
      ['resp', 'MGET'],
      ['resp', 'MSET'],
      ['memcached', 'MGET'],
    ] as const) {
      const { bytes, keyOffsets } = requestKind(protocol, command, 8);
      keyOffsets.forEach((at, index) => void writeKeyDigits(bytes, at, index));
      const keys = [...bytes.toString('latin1').matchAll(/key:\d{12}/g)].map(([key]) => key);
      expect(keys).toEqual(Array.from({ length: 10 }, (_, index) => benchmarkKey(index)));
    }
  });

  test('are answered with ten values, or with one word', () => {
    const value = '$8\r\nxxxxxxxx\r\n';
    expect(requestKind('resp', 'MGET', 8).reply.bytes).toBe(`*10\r\n${value.repeat(10)}`.length);
    const item = `VALUE ${benchmarkKey(0)} 0 8\r\nxxxxxxxx\r\n`;
    expect(requestKind('memcached', 'MGET', 8).reply.bytes).toBe(`${item.repeat(10)}END\r\n`.length);
    expect(requestKind('resp', 'MSET', 8).reply.bytes).toBe('+OK\r\n'.length);
  });
});

test('the reply to INCR is a line of any length', () => {
  expect(requestKind('resp', 'INCR', 8).reply).toEqual({ first: ':'.charCodeAt(0), bytes: 0 });
});

test('memcached has neither MSET nor INCR as it is meant here', () => {
  const known = (['GET', 'SET', 'MGET', 'MSET', 'INCR'] as const).filter((command) =>
    knowsCommand('memcached', command),
  );
  expect(known).toEqual(['GET', 'SET', 'MGET']);
  expect(() => requestKind('memcached', 'MSET', 8)).toThrow('memcached has no MSET');
});

test('the digits of a key leave nothing of another', () => {
  const bytes = Buffer.from('<999999999999>');
  for (const index of [0, 9, 10, 123_456_789, 2 ** 31 - 1]) {
    writeKeyDigits(bytes, 1, index);
    expect(bytes.toString('latin1')).toBe(`<${String(index).padStart(12, '0')}>`);
  }
});
