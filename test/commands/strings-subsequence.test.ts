/** The table of 30 columns a word against the plain table of lengths: lengths, and every step of the way back. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findSubsequence } from '../../src/commands/strings-subsequence.ts';

const span = (text: string) => {
  const bytes = Buffer.from(`<${text}>`);
  return { bytes, start: 1, end: bytes.length - 1 };
};

describe('the longest common subsequence', () => {
  it('is that of the plain table for all pairs of texts of two letters up to length 5', () => {
    const texts = [''];
    for (let i = 0; texts[i].length < 5; i += 1) texts.push(`${texts[i]}a`, `${texts[i]}b`);
    for (const first of texts) {
      for (const second of texts)
        expect(matchesByWords(first, second)).toEqual(matchesByTable(first, second));
    }
  });

  it('is that of the plain table across the borders of words', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), maxLength: 130, size: 'max' });
    fc.assert(
      fc.property(text, text, (first, second) => {
        expect(matchesByWords(first, second)).toEqual(matchesByTable(first, second));
      }),
      { numRuns: 400 },
    );
    for (const length of [29, 30, 31, 59, 60, 61]) {
      const [first, second] = ['a'.repeat(length), 'a'.repeat(length)];
      expect(matchesByWords(first, second)).toEqual(matchesByTable(first, second));
    }
  });

  it('has the same length, and no places, when only the length is wanted', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 100, size: 'max' });
    fc.assert(
      fc.property(text, text, (first, second) => {
        const { length, firstPlaces, secondPlaces } = findSubsequence({
          first: span(first),
          second: span(second),
          wantsPlaces: false,
        });
        expect(length).toBe(matchesByTable(first, second).length);
        expect([firstPlaces.length, secondPlaces.length]).toEqual([0, 0]);
      }),
    );
  });
});

function matchesByWords(first: string, second: string): number[][] {
  const request = { first: span(first), second: span(second), wantsPlaces: true };
  const { length, firstPlaces, secondPlaces } = findSubsequence(request);
  expect([firstPlaces.length, secondPlaces.length]).toEqual([length, length]);
  return Array.from(firstPlaces, (row, index) => [row, secondPlaces[index]]);
}

/** As redis-server does it. */
function matchesByTable(first: string, second: string): number[][] {
  const lengths = [new Array<number>(second.length + 1).fill(0)];
  for (let i = 1; i <= first.length; i += 1) {
    lengths.push([0]);
    for (let j = 1; j <= second.length; j += 1) {
      const same = first[i - 1] === second[j - 1];
      lengths[i].push(same ? lengths[i - 1][j - 1] + 1 : Math.max(lengths[i - 1][j], lengths[i][j - 1]));
    }
  }
  const matches: number[][] = [];
  let [i, j] = [first.length, second.length];
  while (i > 0 && j > 0) {
    if (first[i - 1] === second[j - 1]) {
      i -= 1;
      j -= 1;
      matches.push([i, j]);
    } else if (lengths[i - 1][j] > lengths[i][j - 1]) {
      i -= 1;
    } else {
      j -= 1;
    }
  }
  return matches;
}
