/** The known name nearest to an unknown one, for error messages. Pure; any thread. */

/** More changes than this, or than a third of the name, and a suggestion would only mislead. */
const CHANGES_MAX = 4;

/** The name with the fewest changes (letters added, dropped, replaced or swapped), or undefined where none is near. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let fewest = Math.min(CHANGES_MAX, Math.ceil(name.length / 3)) + 1;
  for (const candidate of known) {
    const changes = changesBetween(name, candidate);
    if (changes < fewest) {
      fewest = changes;
      best = candidate;
    }
  }
  return best;
}

/** Optimal string alignment distance (Damerau 1964, restricted to adjacent swaps); O(length * length). */
export function changesBetween(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = from[row - 1] === to[column - 1] ? 0 : 1;
      current[column] = Math.min(last[column] + 1, current[column - 1] + 1, last[column - 1] + replaced);
      const swapped =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) current[column] = Math.min(current[column], beforeLast[column - 2] + 1);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length];
}
