/** Which requests a generator sends: the draws, and the batches that are made of them. */
import { describe, expect, test } from 'vitest';
import { createReplyQueue } from '../../bench/support/replies.ts';
import { benchmarkKey, requestKind } from '../../bench/support/request-kinds.ts';
import {
  createBatch,
  createRequestStream,
  drawKeys,
  drawKinds,
  keysInOrder,
  writeBatch,
} from '../../bench/support/request-stream.ts';

const DRAWS = 200_000;

function countsOf(draws: Iterable<number>, end: number): number[] {
  const counts = new Array<number>(end).fill(0);
  for (const draw of draws) counts[draw] += 1;
  return counts;
}

describe('keys', () => {
  test('are all as likely without skew', () => {
    const counts = countsOf(drawKeys({ keys: 10, skew: 0, seed: 1 }, DRAWS), 10);
    for (const count of counts) expect(Math.abs(count / (DRAWS / 10) - 1)).toBeLessThan(0.03);
  });

  test("follow Zipf's law with it", () => {
    const keys = 1000;
    const skew = 0.99;
    const counts = countsOf(drawKeys({ keys, skew, seed: 1 }, DRAWS), keys);
    const total = keysInOrder(keys).reduce((sum, key) => sum + (key + 1) ** -skew, 0);
    for (const key of [0, 1, 2, 9, 99]) {
      const expected = ((key + 1) ** -skew / total) * DRAWS;
      expect(Math.abs(counts[key] / expected - 1), `key ${key}`).toBeLessThan(6 / Math.sqrt(expected));
    }
  });

  test('are the same for the same seed, and others for another', () => {
    for (const skew of [0, 0.99]) {
      const [one, same, other] = [7, 7, 8].map((seed) => drawKeys({ keys: 1000, skew, seed }, 100));
      expect(one).toEqual(same);
      expect(one).not.toEqual(other);
    }
  });

  test('in order are each of them once', () => {
    expect([...keysInOrder(4)]).toEqual([0, 1, 2, 3]);
  });
});

describe('kinds', () => {
  test.each([[[1]], [[0.9, 0.1]], [[0.5, 0.5]], [[0.2, 0.3, 0.5]]])('come by their shares: %j', (shares) => {
    const counts = countsOf(drawKinds(shares, 1, DRAWS), shares.length);
    shares.forEach((share, kind) => {
      expect(Math.abs(counts[kind] / DRAWS - share)).toBeLessThan(0.01);
    });
  });

  test('are never one that is not there, whatever shares add up to', () => {
    expect(drawKinds([0.1, 0.2, 0.6], 3, 1000).every((kind) => kind <= 2)).toBe(true);
    expect(drawKinds([0.25], 3, 1000).every((kind) => kind === 0)).toBe(true);
  });
});

describe('a batch', () => {
  const GET = requestKind('resp', 'GET', 4);
  const SET = requestKind('resp', 'SET', 4);
  const textOf = (kind: typeof GET, ...keys: readonly number[]): string => {
    let used = 0;
    return kind.bytes.toString('latin1').replaceAll(/key:\d+/g, () => benchmarkKey(keys[used++]));
  };

  function write(kinds: readonly (typeof GET)[], draws: readonly number[], counts: readonly number[]) {
    const stream = createRequestStream(kinds, Uint32Array.of(5, 6, 7, 8), Uint8Array.from(draws));
    const batch = createBatch(stream, 4);
    const queue = createReplyQueue(
      kinds.map(({ reply }) => reply),
      64,
    );
    const texts = counts.map((count) => {
      const length = writeBatch(stream, queue, batch, count);
      return batch.bytes.toString('latin1', 0, length);
    });
    return { texts, expected: [...queue.expected.subarray(0, queue.sent)] };
  }

  test('of one kind has the next keys, round and round, whatever was there before', () => {
    const { texts, expected } = write([SET], [0], [3, 2, 4]);
    expect(texts).toEqual([
      textOf(SET, 5) + textOf(SET, 6) + textOf(SET, 7),
      textOf(SET, 8) + textOf(SET, 5),
      textOf(SET, 6) + textOf(SET, 7) + textOf(SET, 8) + textOf(SET, 5),
    ]);
    expect(expected).toEqual(new Array(9).fill(0));
  });

  test('of several kinds has them in the order of their draws, and waits for their replies in that order', () => {
    const { texts, expected } = write([GET, SET], [0, 1, 1], [4, 1]);
    expect(texts).toEqual([
      textOf(GET, 5) + textOf(SET, 6) + textOf(SET, 7) + textOf(GET, 8),
      textOf(SET, 5),
    ]);
    expect(expected).toEqual([0, 1, 1, 0, 1]);
  });

  test('of a command with many keys takes as many draws', () => {
    const { texts } = write([requestKind('resp', 'MGET', 4)], [0], [1, 1]);
    const keys = texts.map((text) => [...text.matchAll(/key:0*(\d+)/g)].map(([, key]) => Number(key)));
    expect(keys).toEqual([
      [5, 6, 7, 8, 5, 6, 7, 8, 5, 6],
      [7, 8, 5, 6, 7, 8, 5, 6, 7, 8],
    ]);
  });
});
