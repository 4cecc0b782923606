/** Replies of RESP2 as values. */
import { Buffer } from 'node:buffer';
import { expect, it } from 'vitest';
import { decodeReply, isFault } from '../../src/resp/reply-value.ts';

const decode = (text: string) => decodeReply(Buffer.from(text));

it('replies of RESP2 are values', () => {
  expect(decode('+OK\r\n')).toBe('OK');
  expect(decode(':-42\r\n')).toBe(-42);
  expect(decode('$-1\r\n')).toBeNull();
  expect(decode('*-1\r\n')).toBeNull();
  expect(decode('$0\r\n\r\n')).toEqual(Buffer.from(''));
  expect(decode('$4\r\na\r\nb\r\n')).toEqual(Buffer.from('a\r\nb'));
  expect(decode('*0\r\n')).toEqual([]);
  expect(decode('*3\r\n*2\r\n:1\r\n+a\r\n$1\r\nx\r\n-ERR no\r\n')).toEqual([
    [1, 'a'],
    Buffer.from('x'),
    { fault: 'ERR no' },
  ]);
});

it('errors, and what is not of RESP2, are faults', () => {
  for (const text of ['-ERR no\r\n', '%1\r\n+a\r\n+b\r\n', '_\r\n', '=8\r\ntxt:abcd\r\n', '(123\r\n']) {
    expect(isFault(decode(text)), text).toBe(true);
  }
  for (const text of ['+a\r\n', ':1\r\n', '$-1\r\n', '*0\r\n', '$1\r\na\r\n']) {
    expect(isFault(decode(text)), text).toBe(false);
  }
});
