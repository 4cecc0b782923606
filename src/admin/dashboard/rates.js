/**
 * What happened per second between two states of the server, from counts that only grow. Pure.
 */

/**
 * Per second, by record and field; 0 in the first round, and where a count fell because the server was started anew.
 * @template {{ index: number }} Row
 * @template {keyof Row & string} Field
 * @param {readonly Row[]} before
 * @param {readonly Row[]} after
 * @param {number} elapsedMs
 * @param {readonly Field[]} fields
 * @returns {Map<number, Record<Field, number>>} by index
 */
export function ratesBetween(before, after, elapsedMs, fields) {
  const earlier = new Map(before.map((row) => [row.index, row]));
  return new Map(
    after.map((row) => {
      const start = earlier.get(row.index);
      const rates = fields.map((field) => [field, start ? rateOf(start[field], row[field], elapsedMs) : 0]);
      return [row.index, Object.fromEntries(rates)];
    }),
  );
}

/**
 * @param {unknown} before
 * @param {unknown} after
 * @param {number} elapsedMs
 */
function rateOf(before, after, elapsedMs) {
  const growth = Number(after) - Number(before);
  return growth > 0 && elapsedMs > 0 ? (growth * 1000) / elapsedMs : 0;
}
