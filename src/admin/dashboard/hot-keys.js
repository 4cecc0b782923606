/**
 * The hot keys: which keys take the most look-ups and writes of the moment, from the server's samples.
 */
import { byId, emptyState } from './dom.js';
import { formatPercent, formatRate } from './format.js';
import { keyText } from './key-text.js';
import { poll } from './poll.js';
import { createTable } from './table.js';

const EVERY_MS = 2000;
const KEYS_MAX = 50;

/** @typedef {import('./shapes.d.ts').HotKeyRow} HotKeyRow */

/** @type {import('./table.js').Column<HotKeyRow>[]} */
const COLUMNS = [
  { id: 'key', label: 'Key', isText: true, isCode: true, text: keyText, sort: ({ key }) => key },
  {
    id: 'database',
    label: 'DB',
    text: ({ database }) => String(database),
    sort: ({ database }) => database,
  },
  {
    id: 'reads',
    label: 'Reads',
    text: ({ readsPerSecond }) => formatRate(readsPerSecond),
    sort: ({ readsPerSecond }) => readsPerSecond,
  },
  {
    id: 'writes',
    label: 'Writes',
    text: ({ writesPerSecond }) => formatRate(writesPerSecond),
    sort: ({ writesPerSecond }) => writesPerSecond,
  },
  {
    id: 'share',
    label: 'Share',
    hint: 'Of all look-ups and writes',
    text: ({ share }) => formatPercent(share),
    sort: ({ share }) => share,
    bar: ({ share }) => share,
  },
];

/** @param {import('./poll.js').Pollster} pollster */
export function createHotKeys(pollster) {
  const table = createTable({
    label: 'Hot keys',
    columns: COLUMNS,
    key: ({ database, key }) => `${database} ${key}`,
    sortBy: 'share',
  });
  const empty = emptyState(
    'No key stands out. Keys appear here a few seconds after clients start to use them.',
  );
  table.element.hidden = true;
  byId('hot-keys-table').append(table.element, empty);
  poll(pollster, {
    section: 'hot-keys',
    path: () => `v1/hot-keys?count=${KEYS_MAX}`,
    everyMs: EVERY_MS,
    onData: (/** @type {HotKeyRow[]} */ keys) => {
      table.update(keys);
      table.element.hidden = keys.length === 0;
      empty.hidden = keys.length > 0;
    },
  });
}
