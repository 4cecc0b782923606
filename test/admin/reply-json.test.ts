/** Replies of RESP3 as JSON: every kind that the reply writer writes. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { replyJson } from '../../src/admin/reply-json.ts';
import {
  createReplyWriter,
  type ReplyWriter,
  writeArray,
  writeBigInteger,
  writeBoolean,
  writeBulk,
  writeBulkText,
  writeDouble,
  writeError,
  writeInteger,
  writeMap,
  writeNull,
  writeNullArray,
  writePush,
  writeSet,
  writeSimple,
  writeVerbatim,
} from '../../src/resp/reply-writer.ts';

function jsonOf(write: (reply: ReplyWriter) => void, isBase64 = false): unknown {
  const reply = createReplyWriter(16);
  reply.protocol = 3;
  write(reply);
  return replyJson(reply.bytes.subarray(0, reply.length), isBase64);
}

describe('one value', () => {
  test.each<[string, (reply: ReplyWriter) => void, unknown]>([
    ['null', writeNull, null],
    ['a null array', writeNullArray, null],
    ['a status', (reply) => writeSimple(reply, 'OK'), 'OK'],
    ['an error', (reply) => writeError(reply, 'ERR no'), { error: 'ERR no' }],
    ['an integer', (reply) => writeInteger(reply, -7), -7],
    [
      'the largest safe one',
      (reply) => writeInteger(reply, Number.MAX_SAFE_INTEGER),
      Number.MAX_SAFE_INTEGER,
    ],
    ['a larger one', (reply) => writeBigInteger(reply, 2n ** 63n - 1n), '9223372036854775807'],
    ['a double', (reply) => writeDouble(reply, 1.5), 1.5],
    ['infinity', (reply) => writeDouble(reply, Number.NEGATIVE_INFINITY), '-inf'],
    ['true', (reply) => writeBoolean(reply, true), true],
    ['false', (reply) => writeBoolean(reply, false), false],
    ['a text', (reply) => writeBulkText(reply, 'Zoë\r\n'), 'Zoë\r\n'],
    ['a text for people', (reply) => writeVerbatim(reply, 'txt', 'é: 1'), 'é: 1'],
    ['an empty string', (reply) => writeBulkText(reply, ''), ''],
  ])('%s', (_, write, expected) => {
    expect(jsonOf(write)).toEqual(expected);
  });

  test('bytes come back whole, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.boolean(), (bytes, isBase64) => {
        const buffer = Buffer.from(bytes);
        const json = jsonOf((reply) => writeBulk(reply, buffer, 0, buffer.length), isBase64);
        const back =
          typeof json === 'string'
            ? Buffer.from(json)
            : Buffer.from((json as { base64: string }).base64, 'base64');
        expect(back).toEqual(buffer);
        if (isBase64) expect(json).toHaveProperty('base64');
      }),
    );
  });
});

describe('several', () => {
  test.each([
    ['array', writeArray],
    ['set', writeSet],
    ['push', writePush],
  ])('%s, nested', (_, writeHeader) => {
    const json = jsonOf((reply) => {
      writeHeader(reply, 3);
      writeInteger(reply, 1);
      writeArray(reply, 0);
      writeMap(reply, 1);
      writeBulkText(reply, 'k');
      writeNull(reply);
    });
    expect(json).toEqual([1, [], { k: null }]);
  });

  test('a map with a key that is no string is pairs', () => {
    const json = jsonOf((reply) => {
      writeMap(reply, 1);
      writeInteger(reply, 1);
      writeBulkText(reply, 'one');
    });
    expect(json).toEqual([[1, 'one']]);
  });

  test('a key named __proto__ stays a key', () => {
    const json = jsonOf((reply) => {
      writeMap(reply, 1);
      writeBulkText(reply, '__proto__');
      writeInteger(reply, 1);
    });
    expect(JSON.stringify(json)).toBe('{"__proto__":1}');
  });
});
