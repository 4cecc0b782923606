/**
 * The bytes of every kind of reply in both protocols, and the growth of the buffer.
 */
import { describe, expect, it } from 'vitest';
import {
  beginBulk,
  createReplyWriter,
  ensureRoom,
  insertArray,
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
  writeOk,
  writePong,
  writePush,
  writeRaw,
  writeSet,
  writeSimple,
  writeVerbatim,
} from '../../src/resp/reply-writer.ts';

/** What `write` appends under both protocols, starting from the smallest buffer so that it has to grow. */
function written(write: (reply: ReplyWriter) => void): [resp2: string, resp3: string] {
  const texts = ([2, 3] as const).map((protocol) => {
    const reply = createReplyWriter(1);
    reply.protocol = protocol;
    write(reply);
    return reply.bytes.toString('latin1', 0, reply.length);
  });
  return [texts[0], texts[1]];
}

function writtenAlike(write: (reply: ReplyWriter) => void): string {
  const [resp2, resp3] = written(write);
  expect(resp3).toBe(resp2);
  return resp2;
}

describe('replies that are the same in RESP2 and RESP3', () => {
  it('are OK, PONG, statuses and errors', () => {
    expect(writtenAlike(writeOk)).toBe('+OK\r\n');
    expect(writtenAlike(writePong)).toBe('+PONG\r\n');
    expect(writtenAlike((reply) => writeSimple(reply, 'QUEUED'))).toBe('+QUEUED\r\n');
    expect(writtenAlike((reply) => writeError(reply, 'ERR no'))).toBe('-ERR no\r\n');
  });

  it('keep an error on one line and its high bytes as they are', () => {
    expect(writtenAlike((reply) => writeError(reply, "ERR got 'a\r\nb'\xff\0"))).toBe(
      "-ERR got 'a  b'\xff\0\r\n",
    );
    expect(writtenAlike((reply) => writeError(reply, 'ERR no\r\n\n'))).toBe('-ERR no\r\n');
  });

  it('are integers of every length and sign', () => {
    const magnitudes = [0, Number.MAX_SAFE_INTEGER];
    for (let power = 1; power < Number.MAX_SAFE_INTEGER; power *= 10)
      magnitudes.push(power, power - 1, power + 1);
    for (const value of magnitudes.flatMap((magnitude) => [magnitude, -magnitude])) {
      expect(writtenAlike((reply) => writeInteger(reply, value))).toBe(`:${value}\r\n`);
    }
    expect(writtenAlike((reply) => writeBigInteger(reply, -(2n ** 63n)))).toBe(':-9223372036854775808\r\n');
  });

  it('are bulk strings of every length, from private and from shared memory', () => {
    for (const buffer of [new ArrayBuffer(2000), new SharedArrayBuffer(2000)]) {
      const source = Buffer.from(buffer as ArrayBuffer).map((_, i) => i * 7) as Buffer;
      const shared = Buffer.from(buffer as ArrayBuffer);
      source.copy(shared);
      for (let length = 0; length < 1500; length += length < 120 ? 1 : 97) {
        const payload = source.toString('latin1', 11, 11 + length);
        expect(writtenAlike((reply) => writeBulk(reply, shared, 11, 11 + length))).toBe(
          `$${length}\r\n${payload}\r\n`,
        );
      }
    }
  });

  it('are texts in UTF-8, array headers and preformatted bytes', () => {
    expect(writtenAlike((reply) => writeBulkText(reply, 'né€😀'))).toBe(
      `$10\r\n${Buffer.from('né€😀').toString('latin1')}\r\n`,
    );
    expect(writtenAlike((reply) => writeBulkText(reply, ''))).toBe('$0\r\n\r\n');
    expect(writtenAlike((reply) => writeArray(reply, 1_234_567))).toBe('*1234567\r\n');
    expect(writtenAlike((reply) => writeRaw(reply, Buffer.from('*0\r\n')))).toBe('*0\r\n');
  });
});

describe('replies that RESP3 has types for', () => {
  it('are nulls and booleans', () => {
    expect(written(writeNull)).toEqual(['$-1\r\n', '_\r\n']);
    expect(written(writeNullArray)).toEqual(['*-1\r\n', '_\r\n']);
    expect(written((reply) => writeBoolean(reply, true))).toEqual([':1\r\n', '#t\r\n']);
    expect(written((reply) => writeBoolean(reply, false))).toEqual([':0\r\n', '#f\r\n']);
  });

  it('are maps, sets and pushes', () => {
    expect(written((reply) => writeMap(reply, 7))).toEqual(['*14\r\n', '%7\r\n']);
    expect(written((reply) => writeSet(reply, 12))).toEqual(['*12\r\n', '~12\r\n']);
    expect(written((reply) => writePush(reply, 3))).toEqual(['*3\r\n', '>3\r\n']);
  });

  it('are doubles and verbatim texts', () => {
    expect(written((reply) => writeDouble(reply, 0.1))).toEqual([
      '$19\r\n0.10000000000000001\r\n',
      ',0.10000000000000001\r\n',
    ]);
    expect(written((reply) => writeDouble(reply, -Infinity))).toEqual(['$4\r\n-inf\r\n', ',-inf\r\n']);
    expect(written((reply) => writeVerbatim(reply, 'txt', 'né'))).toEqual([
      '$3\r\nn\xc3\xa9\r\n',
      '=7\r\ntxt:n\xc3\xa9\r\n',
    ]);
  });
});

describe('the buffer of a reply writer', () => {
  it('keeps what is written while it doubles', () => {
    const reply = createReplyWriter(4);
    let expected = '';
    for (let i = 0; i < 2000; i += 1) {
      writeInteger(reply, i);
      expected += `:${i}\r\n`;
    }
    expect(reply.bytes.toString('latin1', 0, reply.length)).toBe(expected);
    expect(Math.log2(reply.bytes.length) % 1).toBe(0);
    expect(reply.bytes.length).toBeLessThan(2 * reply.length + 40);
  });

  it('stays the same buffer as long as there is room', () => {
    const reply = createReplyWriter(1024);
    const { bytes } = reply;
    for (let i = 0; i < 200; i += 1) writeOk(reply);
    ensureRoom(reply, 24);
    expect(reply.bytes).toBe(bytes);
    ensureRoom(reply, 25);
    expect(reply.bytes.length).toBe(2048);
  });

  it('leaves the payload of a begun bulk to the caller', () => {
    const reply = createReplyWriter(8);
    const at = beginBulk(reply, 12);
    writeOk(reply);
    reply.bytes.fill('x', at, at + 12);
    expect(reply.bytes.toString('latin1', 0, reply.length)).toBe('$12\r\nxxxxxxxxxxxx\r\n+OK\r\n');
  });

  it('takes an array header before its elements when their number is known at last', () => {
    for (const count of [0, 1, 9, 10, 500]) {
      const reply = createReplyWriter(16);
      writeOk(reply);
      const at = reply.length;
      for (let i = 0; i < count; i += 1) writeInteger(reply, i);
      insertArray(reply, at, count);
      writeOk(reply);
      const elements = Array.from({ length: count }, (_, i) => `:${i}\r\n`).join('');
      expect(reply.bytes.toString('latin1', 0, reply.length)).toBe(`+OK\r\n*${count}\r\n${elements}+OK\r\n`);
    }
  });
});
