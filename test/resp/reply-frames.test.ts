/** Where replies end: every kind, at every cut, in every depth; and what is none. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REPLY_DEPTH_MAX, REPLY_LINE_BYTES_MAX } from '../../src/config/limits-cluster.ts';
import {
  createReplyFrames,
  FRAME_ERROR,
  FRAME_MALFORMED,
  FRAME_PUSH,
  FRAME_UNFINISHED,
  isBetweenFrames,
  readFrame,
} from '../../src/resp/reply-frames.ts';

type Found = { readonly text: string; readonly type: string };

/** All frames of a text that comes in these pieces; the rest must be nothing. */
function framesOf(...pieces: string[]): Found[] {
  const frames = createReplyFrames();
  const found: Found[] = [];
  let text = '';
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, 'latin1');
    let at = 0;
    while (at < bytes.length) {
      const end = readFrame(frames, bytes, at, bytes.length);
      if (end === FRAME_MALFORMED) throw new Error('malformed');
      text += bytes.toString('latin1', at, end === FRAME_UNFINISHED ? bytes.length : end);
      if (end === FRAME_UNFINISHED) break;
      found.push({ text, type: String.fromCharCode(frames.frameType) });
      text = '';
      at = end;
    }
  }
  expect(text).toBe('');
  expect(isBetweenFrames(frames)).toBe(true);
  return found;
}

const REPLIES: readonly string[] = [
  '+OK\r\n',
  '+\r\n',
  '-ERR no\r\n',
  ':-12\r\n',
  '$-1\r\n',
  '$0\r\n\r\n',
  '$5\r\na\r\n:b\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*2\r\n:1\r\n*1\r\n$1\r\nx\r\n',
  '*3\r\n*0\r\n*-1\r\n*1\r\n*1\r\n*0\r\n',
  '_\r\n',
  ',1.5\r\n',
  '#t\r\n',
  '(123456789012345678901234567890\r\n',
  '!5\r\nERR x\r\n',
  '=7\r\ntxt:abc\r\n',
  '%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n',
  '%0\r\n',
  '~2\r\n:1\r\n:2\r\n',
  '>2\r\n+message\r\n$1\r\nx\r\n',
  '|1\r\n+ttl\r\n:3600\r\n+OK\r\n',
  '|1\r\n+ttl\r\n*1\r\n:1\r\n*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n',
  '|0\r\n-ERR\r\n',
];

const typeOf = (reply: string): string => {
  const behind = /^\|.*?(\+OK|-ERR|\*2)/s.exec(reply);
  return reply.startsWith('|') && behind !== null ? behind[1][0] : reply[0];
};

describe('frames', () => {
  it.each(REPLIES)('%j ends where it ends, at whichever two bytes it is cut', (reply) => {
    const expected = [{ text: reply, type: typeOf(reply) }];
    expect(framesOf(reply)).toEqual(expected);
    for (let first = 0; first <= reply.length; first += 1) {
      for (let second = first; second <= reply.length; second += 1) {
        expect(framesOf(reply.slice(0, first), reply.slice(first, second), reply.slice(second))).toEqual(
          expected,
        );
      }
    }
  });

  it('all kinds in a row are told apart, byte by byte', () => {
    const all = REPLIES.join('');
    expect(framesOf(...all).map(({ text }) => text)).toEqual(REPLIES);
    expect(framesOf(all).map(({ text }) => text)).toEqual(REPLIES);
  });

  it('errors and pushes are named by their type', () => {
    expect(framesOf('-ERR\r\n>1\r\n:1\r\n').map(({ type }) => type.charCodeAt(0))).toEqual([
      FRAME_ERROR,
      FRAME_PUSH,
    ]);
  });

  it('any replies, however deep and however cut, are what was written', () => {
    const line = fc.stringMatching(/^[a-z]{0,5}$/);
    const value = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.tuple(fc.constantFrom('+', '-', '(', ','), line).map(([type, text]) => `${type}${text}\r\n`),
        fc
          .tuple(fc.constantFrom('$', '=', '!'), fc.string({ unit: fc.constantFrom('\r', '\n', '$', 'a') }))
          .map(([type, text]) => `${type}${text.length}\r\n${text}\r\n`),
        fc
          .tuple(fc.constantFrom('*', '~', '>'), fc.array(tie('value'), { maxLength: 4 }))
          .map(([type, items]) => `${type}${items.length}\r\n${items.join('')}`),
        fc
          .tuple(fc.constantFrom('%', '|'), fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }))
          .chain(([type, pairs]) =>
            (type === '|' ? tie('value') : fc.constant('')).map(
              (behind) => `${type}${pairs.length}\r\n${pairs.flat().join('')}${behind}`,
            ),
          ),
      ),
    })).value;
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), fc.array(fc.nat(1000)), (values, cuts) => {
        const all = values.join('');
        const places = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length];
        const pieces = places.slice(1).map((end, index) => all.slice(places[index], end));
        expect(framesOf(...pieces).map(({ text }) => text)).toEqual(values);
      }),
    );
  });
});

describe('what is no reply', () => {
  const outcome = (text: string, frames = createReplyFrames()) =>
    readFrame(frames, Buffer.from(text, 'latin1'), 0, text.length);

  it.each([
    'x\r\n',
    '\r\n',
    '$x\r\n',
    '$\r\n',
    '$-2\r\n',
    '$--1\r\n',
    '$1-\r\n',
    '%-1\r\n',
    '*?\r\n',
    '$99999999999999\r\n',
    '+a\rb\r\n',
    '+a\nb\r\n',
    ':1\n',
  ])('%j is malformed, whole and byte by byte, and stays so', (text) => {
    expect(outcome(text)).toBe(FRAME_MALFORMED);
    const frames = createReplyFrames();
    const last = [...text].map((byte) => outcome(byte, frames)).at(-1);
    expect(last).toBe(FRAME_MALFORMED);
    expect(outcome('+OK\r\n', frames)).toBe(FRAME_MALFORMED);
  });

  it('arrays lie in one another only so deep', () => {
    expect(outcome(`${'*1\r\n'.repeat(REPLY_DEPTH_MAX)}:1\r\n`)).toBeGreaterThan(0);
    expect(outcome(`${'*1\r\n'.repeat(REPLY_DEPTH_MAX + 1)}:1\r\n`)).toBe(FRAME_MALFORMED);
  });

  it('a line has an end', () => {
    expect(outcome(`+${'a'.repeat(REPLY_LINE_BYTES_MAX - 1)}`)).toBe(FRAME_UNFINISHED);
    expect(outcome(`+${'a'.repeat(REPLY_LINE_BYTES_MAX + 1)}`)).toBe(FRAME_MALFORMED);
  });

  it('nothing at all is incomplete', () => {
    expect(outcome('')).toBe(FRAME_UNFINISHED);
  });
});
