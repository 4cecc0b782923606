/** Replies are counted however they are cut, and none that was not expected passes. */
import { describe, expect, test } from 'vitest';
import { createReplyQueue, expectReply, type ReplyQueue, takeReplies } from '../../bench/support/replies.ts';

const OK = '+OK\r\n';
const HIT = '$4\r\nx\r\nx\r\n';
const COUNT = ':12345\r\n';
const MANY = '*2\r\n$1\r\na\r\n$1\r\nb\r\n';
const FOUND = 'VALUE k 0 4\r\nxxxx\r\nEND\r\n';
const TEXTS = [OK, HIT, COUNT, MANY, FOUND];
/** A line has no length of its own. */
const SHAPES = TEXTS.map((text) => ({
  first: text.charCodeAt(0),
  bytes: text === COUNT ? 0 : text.length,
}));

function queueOf(...texts: readonly string[]): ReplyQueue {
  const queue = createReplyQueue(SHAPES, 8);
  for (const text of texts) expectReply(queue, TEXTS.indexOf(text));
  return queue;
}

function take(queue: ReplyQueue, text: string): number {
  const bytes = Buffer.from(text, 'latin1');
  return takeReplies(queue, bytes, bytes.length);
}

test('replies of every shape, cut at any two bytes, are each counted once, when their last byte is there', () => {
  const texts = [OK, HIT, COUNT, HIT, FOUND, MANY, COUNT, OK];
  const text = texts.join('');
  const ends = texts.map((_, index) => texts.slice(0, index + 1).join('').length);
  const endedBy = (length: number): number => ends.filter((end) => end <= length).length;
  for (let first = 0; first <= text.length; first += 1) {
    for (let second = first; second <= text.length; second += 1) {
      const queue = queueOf(...texts);
      const counts = [text.slice(0, first), text.slice(first, second), text.slice(second)].map((part) =>
        take(queue, part),
      );
      expect(counts).toEqual([
        endedBy(first),
        endedBy(second) - endedBy(first),
        texts.length - endedBy(second),
      ]);
    }
  }
});

test('bytes that come one by one end replies at the same places', () => {
  const texts = [MANY, COUNT, FOUND, HIT, OK];
  const queue = queueOf(...texts);
  const counts = [...texts.join('')].map((byte) => take(queue, byte));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(texts.length);
  expect(queue.answered).toBe(queue.sent);
});

test('bytes behind the length that was read do not count', () => {
  for (const text of [OK, COUNT]) {
    for (let length = text.length; length < 2 * text.length; length += 1) {
      const queue = queueOf(text, text);
      expect(takeReplies(queue, Buffer.from(text + text), length)).toBe(1);
      expect(take(queue, (text + text).slice(length))).toBe(1);
    }
  }
});

describe('refused is', () => {
  test.each([
    ['an error', OK, '-MISCONF no\r\n'],
    ['an error instead of a number', COUNT, '-ERR no\r\n'],
    ['an error instead of many', MANY, '-LOADING no\r\n'],
    ['a miss', HIT, `$-1\r\n${OK}`],
    ['a null instead of many', MANY, `*-1\r\n${OK}`],
    ['a miss in the other protocol', FOUND, 'END\r\n'],
    ['an error in the other protocol', FOUND, 'SERVER_ERROR out of memory\r\n'],
    ['a value of another length', HIT, '$5\r\nxxxxx\r\n'],
    ['a reply to another command', HIT, OK + OK],
  ])('%s, cut anywhere', (_, expected, text) => {
    for (let cut = 0; cut < text.length; cut += 1) {
      const queue = queueOf(expected, expected);
      expect(() => take(queue, text.slice(0, cut)) + take(queue, text.slice(cut))).toThrow('unexpected');
    }
  });

  test('a value that is longer, before the next reply shows it', () => {
    expect(() => take(queueOf(HIT), '$5\r\nxxxxx\r')).toThrow('unexpected');
  });

  test('a reply that nobody waits for', () => {
    expect(() => take(queueOf(OK), OK + OK)).toThrow('unexpected');
    expect(() => take(queueOf(), HIT)).toThrow('unexpected');
  });

  test('a request more than a queue keeps, until one is answered', () => {
    const queue = queueOf(...Array.from({ length: 8 }, () => OK));
    expect(() => expectReply(queue, 0)).toThrow('does not keep up');
    expect(take(queue, OK)).toBe(1);
    expectReply(queue, 0);
    expect(() => expectReply(queue, 0)).toThrow('does not keep up');
  });
});

test('a queue goes round as often as there are replies', () => {
  const queue = queueOf();
  for (let round = 0; round < 100; round += 1) {
    const text = TEXTS[round % TEXTS.length];
    expectReply(queue, TEXTS.indexOf(text));
    expect(take(queue, text)).toBe(1);
  }
});
