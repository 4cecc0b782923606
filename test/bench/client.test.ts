/** Requests and replies of the benchmarks' client. */
import { expect, test } from 'vitest';
import { replyOf, requestText } from '../../bench/support/client.ts';

test('a request is an array of bulk strings with their lengths in bytes', () => {
  expect(requestText(['SET', 'k', 'grün'])).toBe('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\ngrün\r\n');
});

test.each([
  ['+PONG\r\n', 'PONG'],
  [':12\r\n', '12'],
  ['-ERR no\r\n', 'ERR no'],
  ['$4\r\na\r\nb\r\n', 'a\r\nb'],
  ['$0\r\n\r\n', ''],
  ['$-1\r\n', ''],
])('%j is whole at its last byte and not before', (text, reply) => {
  for (let length = 0; length < text.length; length += 1)
    expect(replyOf(text.slice(0, length))).toBeUndefined();
  expect(replyOf(text)).toBe(reply);
});
