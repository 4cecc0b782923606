/** Tests of counting replies: every shape that there is in RESP2 and RESP3, alone, nested and in rows. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countReplies } from '../../src/resp/reply-count.ts';
import {
  createReplyWriter,
  writeArray,
  writeBoolean,
  writeBulkText,
  writeDouble,
  writeError,
  writeInteger,
  writeMap,
  writeNull,
  writeNullArray,
  writeOk,
  writePush,
  writeSet,
  writeVerbatim,
} from '../../src/resp/reply-writer.ts';

const bytesOf = (text: string) => Buffer.from(text, 'latin1');
const count = (text: string) => countReplies(bytesOf(text), 0, text.length);

const SHAPES = [
  '+OK\r\n',
  '+\r\n',
  '-ERR no\r\n',
  ':0\r\n',
  ':-12\r\n',
  '$0\r\n\r\n',
  '$2\r\nab\r\n',
  '$-1\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*2\r\n:1\r\n$-1\r\n',
  '*2\r\n*-1\r\n:1\r\n',
  '*1\r\n*1\r\n*0\r\n',
  '_\r\n',
  ',1.5\r\n',
  ',inf\r\n',
  ',-inf\r\n',
  '#t\r\n',
  '(3492890328409238509324850943850943825024385\r\n',
  '!5\r\nERR x\r\n',
  '=7\r\ntxt:abc\r\n',
  '%0\r\n',
  '~0\r\n',
  '%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n',
  '~2\r\n+a\r\n+b\r\n',
  '>2\r\n+message\r\n%1\r\n:1\r\n~1\r\n$1\r\nx\r\n',
];

const SINGLE = SHAPES.map((shape): [string] => [shape]);

/** Any reply: leaves with any bytes in them, containers of any depth. */
const { reply } = fc.letrec<{ reply: string; leaf: string; box: string }>((tie) => ({
  reply: fc.oneof({ maxDepth: 4, withCrossShrink: true }, tie('leaf'), tie('box')),
  leaf: fc.oneof(
    fc.constantFrom(...SHAPES.filter((shape) => !'*%~>'.includes(shape[0]))),
    fc.tuple(fc.constantFrom('$', '=', '!'), fc.uint8Array({ maxLength: 30 })).map(([type, bytes]) => {
      return `${type}${bytes.length}\r\n${Buffer.from(bytes).toString('latin1')}\r\n`;
    }),
  ),
  box: fc
    .tuple(fc.constantFrom('*', '~', '>', '%'), fc.array(tie('reply'), { maxLength: 4 }))
    .map(([type, items]) => {
      const held = type === '%' ? items.slice(0, items.length - (items.length % 2)) : items;
      return `${type}${type === '%' ? held.length / 2 : held.length}\r\n${held.join('')}`;
    }),
}));

describe('counting replies', () => {
  it('of nothing is none', () => {
    expect(count('')).toBe(0);
  });

  it.each(SINGLE)('takes %j for one', (shape) => {
    expect(count(shape)).toBe(1);
    expect(count(`${shape}${shape}+OK\r\n`)).toBe(3);
  });

  it('takes no bytes of a value for replies', () => {
    expect(count('$12\r\n+OK\r\n+OK\r\n\r\n\r\n:1\r\n')).toBe(2);
    expect(count('=16\r\ntxt:*3\r\n:1\r\n\r\n\r\n\r\n:1\r\n')).toBe(2);
  });

  it('keeps to the stretch that it is given', () => {
    const text = '+a\r\n*1\r\n:1\r\n$1\r\nx\r\n:5\r\n';
    const end = text.indexOf(':5');
    expect(countReplies(bytesOf(text), 4, end)).toBe(2);
    expect(countReplies(bytesOf(text), end, end)).toBe(0);
  });

  it.each([2, 3] as const)('counts what the reply writer writes in RESP%i', (protocol) => {
    const writer = createReplyWriter(16);
    writer.protocol = protocol;
    writeOk(writer);
    writeError(writer, 'ERR no');
    writeInteger(writer, -5);
    writeBulkText(writer, 'a\r\nb');
    writeNull(writer);
    writeNullArray(writer);
    writeBoolean(writer, true);
    writeDouble(writer, 0.5);
    writeVerbatim(writer, 'txt', '# Server\r\na:1\r\n');
    writeArray(writer, 2);
    writeMap(writer, 1);
    writeInteger(writer, 1);
    writeNull(writer);
    writeSet(writer, 1);
    writeBulkText(writer, '');
    writePush(writer, 1);
    writeInteger(writer, 1);
    expect(countReplies(writer.bytes, 0, writer.length)).toBe(11);
  });

  it('counts any replies in a row', () => {
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 12 }), (replies) => {
        expect(count(replies.join(''))).toBe(replies.length);
      }),
    );
  });
});
