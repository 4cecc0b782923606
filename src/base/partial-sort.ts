/**
 * Sorting only as much of a list as is asked for: quicksort that leaves alone the parts outside of a range.
 *
 * Pure; runs on every thread. Not stable. O(n + k log k) for a range of k. Source: J. L. Bentley and M. D. McIlroy, "Engineering a Sort
 * Function" (1993), with the range of redis-server's `pqsort.c`: equal items end up where they do there.
 */

/** Less than, equal to or greater than 0, as the first item comes before, with or after the second. */
export type Comparison = (a: number, b: number) => number;

/** Below these sizes: insertion; the middle item as the pivot; the median of three, and not of nine. */
const INSERTION_MAX = 7;
const MEDIAN_MIN = 8;
const NINTHER_MIN = 41;

/** Puts into `items[first, last]` what belongs there when all items are sorted; the others are in any order. */
export function sortRange(items: Uint32Array, compare: Comparison, first: number, last: number): void {
  sortPart(items, 0, items.length, compare, first, last);
}

function sortPart(
  items: Uint32Array,
  from: number,
  length: number,
  compare: Comparison,
  first: number,
  last: number,
): void {
  let start = from;
  let count = length;
  for (;;) {
    if (count < INSERTION_MAX) {
      insertionSort(items, start, start + count, compare);
      return;
    }
    swap(items, start, pivotOf(items, start, count, compare));
    const end = start + count;
    const { below, above } = partition(items, start, end, compare);
    if (below > 1 && touches(start, start + below - 1, first, last)) {
      sortPart(items, start, below, compare, first, last);
    }
    if (above <= 1 || !touches(end - above, end - 1, first, last)) return;
    start = end - above;
    count = above;
  }
}

function touches(start: number, end: number, first: number, last: number): boolean {
  return !((first < start && last < start) || (first > end && last > end));
}

function insertionSort(items: Uint32Array, start: number, end: number, compare: Comparison): void {
  for (let i = start + 1; i < end; i += 1) {
    for (let j = i; j > start && compare(items[j - 1], items[j]) > 0; j -= 1) swap(items, j, j - 1);
  }
}

function pivotOf(items: Uint32Array, start: number, count: number, compare: Comparison): number {
  let middle = start + Math.floor(count / 2);
  if (count < MEDIAN_MIN) return middle;
  let low = start;
  let high = start + count - 1;
  if (count >= NINTHER_MIN) {
    const eighth = Math.floor(count / 8);
    low = medianOf(items, low, low + eighth, low + 2 * eighth, compare);
    middle = medianOf(items, middle - eighth, middle, middle + eighth, compare);
    high = medianOf(items, high - 2 * eighth, high - eighth, high, compare);
  }
  return medianOf(items, low, middle, high, compare);
}

function medianOf(items: Uint32Array, a: number, b: number, c: number, compare: Comparison): number {
  if (compare(items[a], items[b]) < 0) {
    if (compare(items[b], items[c]) < 0) return b;
    return compare(items[a], items[c]) < 0 ? c : a;
  }
  if (compare(items[b], items[c]) > 0) return b;
  return compare(items[a], items[c]) < 0 ? a : c;
}

/**
 * Parts the items by that at `start`: less, equal, greater. How many are less, and how many greater. What is equal gathers at both ends
 * and is brought to the middle at last.
 */
function partition(
  items: Uint32Array,
  start: number,
  end: number,
  compare: Comparison,
): { below: number; above: number } {
  let equalLeft = start + 1;
  let left = start + 1;
  let right = end - 1;
  let equalRight = end - 1;
  for (;;) {
    for (; left <= right; left += 1) {
      const order = compare(items[left], items[start]);
      if (order > 0) break;
      if (order === 0) {
        swap(items, equalLeft, left);
        equalLeft += 1;
      }
    }
    for (; left <= right; right -= 1) {
      const order = compare(items[right], items[start]);
      if (order < 0) break;
      if (order === 0) {
        swap(items, right, equalRight);
        equalRight -= 1;
      }
    }
    if (left > right) break;
    swap(items, left, right);
    left += 1;
    right -= 1;
  }
  const below = left - equalLeft;
  const above = equalRight - right;
  const moved = Math.min(equalLeft - start, below);
  swapRuns(items, start, left - moved, moved);
  const movedBack = Math.min(above, end - equalRight - 1);
  swapRuns(items, left, end - movedBack, movedBack);
  return { below, above };
}

function swapRuns(items: Uint32Array, a: number, b: number, count: number): void {
  for (let i = 0; i < count; i += 1) swap(items, a + i, b + i);
}

function swap(items: Uint32Array, a: number, b: number): void {
  const item = items[a];
  items[a] = items[b];
  items[b] = item;
}
