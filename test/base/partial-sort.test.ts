/** The range that is asked for holds what sorting everything would put there, whatever the order before. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sortRange } from '../../src/base/partial-sort.ts';

const byNumber = (a: number, b: number) => a - b;

function sortedRange(items: readonly number[], first: number, last: number): number[] {
  const copy = Uint32Array.from(items);
  sortRange(copy, byNumber, first, last);
  expect([...copy].sort(byNumber)).toEqual([...items].sort(byNumber));
  return [...copy.subarray(first, last + 1)];
}

describe('sorting a range', () => {
  it('sorts every order of up to six items, with every range', () => {
    for (const items of ordersOf([0, 1, 2, 2, 3, 4])) {
      for (let first = 0; first < items.length; first += 1) {
        for (let last = first; last < items.length; last += 1) {
          expect(sortedRange(items, first, last)).toEqual([...items].sort(byNumber).slice(first, last + 1));
        }
      }
    }
  });

  it('sorts long lists of many and of few different items', () => {
    const list = fc.oneof(
      fc.array(fc.nat(1000), { maxLength: 300, size: 'max' }),
      fc.array(fc.nat(3), { maxLength: 300, size: 'max' }),
    );
    fc.assert(
      fc.property(list, fc.nat(300), fc.nat(300), (items, a, b) => {
        const [first, last] = [Math.min(a, b), Math.max(a, b)];
        expect(sortedRange(items, first, last)).toEqual([...items].sort(byNumber).slice(first, last + 1));
      }),
    );
  });

  it('looks at little more than the range', () => {
    const items = Array.from({ length: 10_000 }, (_, i) => (i * 7919) % 10_000);
    let looks = 0;
    const compare = (a: number, b: number) => {
      looks += 1;
      return a - b;
    };
    const copy = Uint32Array.from(items);
    sortRange(copy, compare, 0, 9);
    expect([...copy.subarray(0, 10)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(looks).toBeLessThan(4 * items.length);
  });
});

function ordersOf(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) => ordersOf(items.filter((_, j) => j !== i)).map((rest) => [item, ...rest]));
}
