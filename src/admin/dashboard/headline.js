/**
 * The six numbers on top: what a person wants to know who looks for two seconds, each with the line of its last minutes.
 */
import { byId, element, setProperty, setText } from './dom.js';
import {
  formatBytes,
  formatBytesRate,
  formatCount,
  formatMicroseconds,
  formatPercent,
  formatRate,
  splitUnit,
} from './format.js';
import { columnOf } from './history.js';
import { createSparkline, drawSparkline } from './sparkline.js';

/** Of a window of 900 samples a line so small shows every so-manieth, as the largest of its neighbours. */
const POINTS_MAX = 90;
/** A change by this part of a level fills half of its line's height. */
const LEVEL_SPAN_MIN = 0.05;

/**
 * @typedef {any} Sample
 *
 * @typedef {object} Tile
 * @property {string} id
 * @property {string} label
 * @property {(sample: Sample) => string} number
 * @property {(sample: Sample) => string} detail
 * @property {(history: import('./history.js').History) => (number | null)[]} line
 * @property {boolean} [isLevel] its line shows how it changes, rather than how far it is from zero
 * @property {(sample: Sample) => number} [meter] 0 to 1
 */

/** @type {Tile[]} */
const TILES = [
  {
    id: 'operations',
    label: 'Operations',
    number: (sample) => formatRate(sample.opsPerSecond),
    detail: (sample) =>
      `in ${formatBytesRate(sample.inBytesPerSecond)} · out ${formatBytesRate(sample.outBytesPerSecond)}`,
    line: (history) => columnOf(history, 'opsPerSecond'),
  },
  {
    id: 'latency',
    label: 'Latency p99',
    number: (sample) => formatMicroseconds(sample.latencyUs.p99 || undefined),
    detail: (sample) =>
      `p50 ${formatMicroseconds(sample.latencyUs.p50)} · max ${formatMicroseconds(sample.latencyUs.max)}`,
    line: (history) => columnOf(history, 'latencyUs.p99'),
  },
  {
    id: 'hit-ratio',
    label: 'Hit ratio',
    number: (sample) => formatPercent(ratioOf(sample.hitsPerSecond, sample.missesPerSecond)),
    detail: (sample) =>
      sample.hitsPerSecond + sample.missesPerSecond > 0
        ? `${formatRate(sample.missesPerSecond)} missed`
        : 'no look-ups now',
    line: (history) => {
      const misses = columnOf(history, 'missesPerSecond');
      return columnOf(history, 'hitsPerSecond').map(
        (hits, at) => ratioOf(hits ?? 0, misses[at] ?? 0) ?? null,
      );
    },
    isLevel: true,
  },
  {
    id: 'memory',
    label: 'Memory',
    number: (sample) => formatBytes(sample.usedBytes),
    detail: (sample) =>
      `${formatPercent(sample.usedBytes / sample.limitBytes)} of ${formatBytes(sample.limitBytes)}`,
    line: (history) => columnOf(history, 'usedBytes'),
    isLevel: true,
    meter: (sample) => sample.usedBytes / sample.limitBytes,
  },
  {
    id: 'connections',
    label: 'Connections',
    number: (sample) => formatCount(sample.connections),
    detail: (sample) => `${formatRate(sample.acceptedPerSecond)} accepted`,
    line: (history) => columnOf(history, 'connections'),
    isLevel: true,
  },
  {
    id: 'keys',
    label: 'Keys',
    number: (sample) => formatCount(sample.keys),
    detail: (sample) =>
      `${formatRate(sample.evictedPerSecond)} evicted · ${formatRate(sample.expiredPerSecond)} expired`,
    line: (history) => columnOf(history, 'keys'),
    isLevel: true,
  },
];

/** Builds the tiles; the function that it returns writes them anew. */
export function createHeadline() {
  const tiles = TILES.map(createTile);
  byId('headline').append(...tiles.map(({ card }) => card));
  /**
   * @param {import('./history.js').History} history
   * @param {number} windowSeconds
   */
  return (history, windowSeconds) => {
    const sample = /** @type {Sample} */ (history.last);
    if (sample === undefined || document.hidden) return;
    const group = Math.ceil(windowSeconds / POINTS_MAX);
    for (const { tile, number, unit, detail, spark, card } of tiles) {
      const [value, unitText] = splitUnit(tile.number(sample));
      setText(number, value);
      setText(unit, unitText);
      setText(detail, tile.detail(sample));
      const line = peaks(tile.line(history).slice(-windowSeconds), group);
      drawSparkline(spark, line, windowSeconds / group, tile.isLevel ? levelBottom(line) : 0);
      if (tile.meter) setProperty(card, '--meter', String(Math.min(1, tile.meter(sample) || 0)));
    }
  };
}

/** @param {Tile} tile */
function createTile(tile) {
  const number = element('span', { class: 'tile-number' }, '–');
  const unit = element('span', { class: 'tile-unit' });
  const detail = element('p', { class: 'tile-detail' }, '\u00a0');
  const spark = createSparkline();
  const card = element(
    'div',
    { class: tile.meter ? 'tile metered' : 'tile', id: `tile-${tile.id}` },
    element('h3', { class: 'tile-label' }, tile.label),
    element('p', { class: 'tile-value' }, number, unit),
    detail,
    spark.element,
  );
  return { tile, number, unit, detail, spark, card };
}

/**
 * The largest of each group, the last group ending at the last value, so that points keep their height while they move.
 * @param {(number | null)[]} values
 * @param {number} size
 */
function peaks(values, size) {
  if (size <= 1) return values;
  const found = [];
  for (let end = values.length; end > 0; end -= size) {
    found.push(Math.max(...values.slice(Math.max(0, end - size), end).map((value) => value ?? 0)));
  }
  return found.reverse();
}

/**
 * Where the line of a level starts: so far below it that it lies in the middle, and small changes stay small.
 * @param {(number | null)[]} values
 */
function levelBottom(values) {
  const known = values.filter((value) => value !== null);
  const top = Math.max(...known);
  const bottom = Math.min(...known);
  return Math.max(0, bottom - Math.max(top - bottom, top * LEVEL_SPAN_MIN));
}

/**
 * @param {number} hits
 * @param {number} misses
 */
function ratioOf(hits, misses) {
  return hits + misses > 0 ? hits / (hits + misses) : undefined;
}
