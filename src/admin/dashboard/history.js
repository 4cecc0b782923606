/**
 * The last fifteen minutes as columns, one array of numbers for each line of a chart, all as long as `times`. Pure.
 *
 * A column is named by the path of its number in a sample: `usedBytes`, `latencyUs.p99`, `commands.get`. What a sample
 * does not have is null, and so is one row where the server was not reached, which a chart draws as a gap.
 */

/** What the server keeps: fifteen minutes at one a second. */
export const HISTORY_SAMPLES_MAX = 900;

/** Closer than this to the last sample is the same sample: told by two routes, its time may differ by a rounding. */
const SAME_MS_MAX = 300;
const GAP_MS_MIN = 2600;
const GAP_AT_MS = 1000;

/**
 * @typedef {object} History
 * @property {number[]} times in seconds since 1970, as the charts want them
 * @property {Map<string, (number | null)[]>} columns
 * @property {import('./shapes.d.ts').SampleAnswer | undefined} last
 */

/** @returns {History} */
export function createHistory() {
  return { times: [], columns: new Map(), last: undefined };
}

/**
 * Starts over with the samples that the server kept.
 * @param {History} history
 * @param {readonly import('./shapes.d.ts').SampleAnswer[]} samples oldest first
 */
export function replaceHistory(history, samples) {
  history.times.length = 0;
  history.columns.clear();
  history.last = undefined;
  for (const sample of samples) pushSample(history, sample);
}

/**
 * Adds a sample, unless it is not newer than the last one. What is older than fifteen minutes leaves. Where the server's clock
 * was set back, what is there moves back with it, as with the server.
 * @param {History} history
 * @param {import('./shapes.d.ts').SampleAnswer} sample
 */
export function pushSample(history, sample) {
  const { last } = history;
  if (last !== undefined && last.t - sample.t > GAP_MS_MIN) moveBack(history, last.t - sample.t + GAP_AT_MS);
  else if (last !== undefined && sample.t - last.t <= SAME_MS_MAX) return;
  if (last !== undefined && sample.t - last.t > GAP_MS_MIN) pushRow(history, last.t + GAP_AT_MS, new Map());
  pushRow(history, sample.t, numbersOf(sample));
  history.last = sample;
}

/**
 * The numbers under a name, oldest first; all null where no sample had it.
 * @param {History} history
 * @param {string} name
 */
export function columnOf(history, name) {
  return history.columns.get(name) ?? /** @type {(number | null)[]} */ (history.times.map(() => null));
}

/**
 * The commands that appear in any sample, in the order in which they appeared first; 'other' last.
 * @param {History} history
 */
export function commandNames(history) {
  const names = [...history.columns.keys()]
    .filter((name) => name.startsWith('commands.'))
    .map((name) => name.slice('commands.'.length))
    .filter((name) => name !== 'other');
  return history.columns.has('commands.other') ? [...names, 'other'] : names;
}

/**
 * @param {History} history
 * @param {number} byMs
 */
function moveBack({ times }, byMs) {
  for (let index = 0; index < times.length; index++) times[index] -= byMs / 1000;
}

/**
 * @param {History} history
 * @param {number} t
 * @param {Map<string, number>} numbers
 */
function pushRow(history, t, numbers) {
  for (const name of numbers.keys()) {
    if (!history.columns.has(name))
      history.columns.set(
        name,
        history.times.map(() => null),
      );
  }
  history.times.push(t / 1000);
  for (const [name, column] of history.columns) column.push(numbers.get(name) ?? null);
  if (history.times.length <= HISTORY_SAMPLES_MAX) return;
  history.times.shift();
  for (const [name, column] of history.columns) {
    column.shift();
    if (name.startsWith('commands.') && column.every((value) => value === null)) history.columns.delete(name);
  }
}

/**
 * @param {Record<string, unknown>} record
 * @param {string} path
 * @param {Map<string, number>} numbers
 */
function numbersOf(record, path = '', numbers = new Map()) {
  for (const [name, value] of Object.entries(record)) {
    if (typeof value === 'number') numbers.set(path + name, value);
    else if (typeof value === 'object' && value !== null)
      numbersOf(/** @type {Record<string, unknown>} */ (value), `${path}${name}.`, numbers);
  }
  return numbers;
}
