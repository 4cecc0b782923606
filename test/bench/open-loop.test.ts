/** The bookkeeping of an open loop: replies cut anywhere, latencies from when a request was due. */
import { describe, expect, test } from 'vitest';
import { createLane, type Lane, noteSent, replyBytesOf, takeReplies } from '../../bench/support/open-loop.ts';
import { createHistogram, readHistogram } from '../../src/metrics/histogram.ts';

const VALUE = 'xxxx';
const OK = '+OK\r\n';
const HIT = `$4\r\n${VALUE}\r\n`;
const SET_BYTES = replyBytesOf(true, VALUE.length);
const GET_BYTES = replyBytesOf(false, VALUE.length);
const MS_TO_NS = 1e6;

function laneOf(...dues: readonly [dueMs: number, replyBytes: number][]): Lane {
  const lane = createLane();
  for (const [dueMs, replyBytes] of dues) noteSent(lane, dueMs, replyBytes);
  return lane;
}

function take(lane: Lane, text: string, nowMs: number, latencies = createHistogram()): number {
  const bytes = Buffer.from(text);
  return takeReplies(lane, bytes, bytes.length, nowMs, latencies);
}

test('the replies to SET and GET have the lengths of the wire', () => {
  expect([SET_BYTES, GET_BYTES, replyBytesOf(false, 64)]).toEqual([OK.length, HIT.length, 71]);
});

test('replies cut at any two bytes are each counted once, when their last byte is there', () => {
  const text = OK + HIT + HIT + OK;
  const ends = [5, 15, 25, 30];
  for (let first = 0; first <= text.length; first += 1) {
    for (let second = first; second <= text.length; second += 1) {
      const lane = laneOf([0, SET_BYTES], [0, GET_BYTES], [0, GET_BYTES], [0, SET_BYTES]);
      const counts = [text.slice(0, first), text.slice(first, second), text.slice(second)].map((part) =>
        take(lane, part, 1),
      );
      const endedBy = (length: number): number => ends.filter((end) => end <= length).length;
      expect(counts).toEqual([endedBy(first), endedBy(second) - endedBy(first), 4 - endedBy(second)]);
    }
  }
});

test('a latency counts from when the request was due, so a pause is charged to all that it kept waiting', () => {
  const dues = Array.from({ length: 100 }, (_, index) => [index, SET_BYTES] as [number, number]);
  const latencies = createHistogram();
  expect(take(laneOf(...dues), OK.repeat(100), 100, latencies)).toBe(100);
  const { count, max, p50, sum } = readHistogram(latencies);
  expect({ count, max, sum }).toEqual({ count: 100, max: 100 * MS_TO_NS, sum: 5050 * MS_TO_NS });
  expect(p50 / MS_TO_NS).toBeGreaterThan(48);
  expect(p50 / MS_TO_NS).toBeLessThan(52);
});

test('bytes behind the length that was read do not count', () => {
  for (let length = OK.length; length < 2 * OK.length; length += 1) {
    const lane = laneOf([0, SET_BYTES], [0, SET_BYTES]);
    expect(takeReplies(lane, Buffer.from(OK + OK), length, 1, createHistogram())).toBe(1);
    expect(take(lane, (OK + OK).slice(length), 1)).toBe(1);
  }
});

describe('refused is', () => {
  test.each([
    ['an error', SET_BYTES, '-MISCONF no\r\n'],
    ['a miss', GET_BYTES, `$-1\r\n${OK}`],
    ['a value of another length', GET_BYTES, '$5\r\nxxxxx\r\n'],
    ['a reply to another command', GET_BYTES, OK + OK],
  ])('%s, cut anywhere', (_, replyBytes, text) => {
    for (let cut = 0; cut < text.length; cut += 1) {
      const lane = laneOf([0, replyBytes], [0, replyBytes]);
      expect(() => take(lane, text.slice(0, cut), 1) + take(lane, text.slice(cut), 1)).toThrow('unexpected');
    }
  });

  test('a value that is longer, before the next reply shows it', () => {
    expect(() => take(laneOf([0, GET_BYTES]), '$5\r\nxxxxx\r', 1)).toThrow('unexpected');
  });

  test('a reply that nobody waits for', () => {
    expect(() => take(laneOf([0, SET_BYTES]), OK + OK, 1)).toThrow('unexpected');
    expect(() => take(laneOf([0, GET_BYTES]), HIT + HIT, 1)).toThrow('unexpected');
  });

  test('a request more than a lane keeps, until one is answered', () => {
    const lane = createLane();
    const fill = (): void => {
      while (lane.sent < 10 * 32_768) noteSent(lane, lane.sent, SET_BYTES);
    };
    expect(fill).toThrow('does not keep up');
    const unanswered = lane.sent;
    expect(take(lane, OK, 1)).toBe(1);
    expect(fill).toThrow('does not keep up');
    expect(lane.sent).toBe(unanswered + 1);
  });
});
