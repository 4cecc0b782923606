/**
 * The slow log: the commands that took longer than `slowlog-log-slower-than`, latest first.
 */
import { send } from './api.js';
import { byId, emptyState } from './dom.js';
import { formatMicroseconds, formatMoment } from './format.js';
import { bytesText } from './key-text.js';
import { announce } from './live-region.js';
import { poll } from './poll.js';
import { createTable } from './table.js';

const EVERY_MS = 5000;
const ENTRIES_MAX = 128;

/** @typedef {import('./shapes.d.ts').SlowLogRow} SlowLogRow */

/** @type {import('./table.js').Column<SlowLogRow>[]} */
const COLUMNS = [
  { id: 'at', label: 'When', isText: true, text: ({ atMs }) => formatMoment(atMs), sort: ({ id }) => id },
  {
    id: 'took',
    label: 'Took',
    text: ({ durationUs }) => formatMicroseconds(durationUs),
    sort: ({ durationUs }) => durationUs,
    bar: ({ durationUs }) => durationUs,
  },
  {
    id: 'command',
    label: 'Command',
    isText: true,
    isCode: true,
    text: (entry) => entry.arguments.map(bytesText).join(' '),
    sort: (entry) => entry.arguments[0] ?? '',
  },
  {
    id: 'client',
    label: 'Client',
    isText: true,
    text: ({ client, clientName }) => (clientName ? `${bytesText(clientName)} (${client})` : client),
  },
];

/** @param {import('./poll.js').Pollster} pollster */
export function createSlowLog(pollster) {
  const table = createTable({ label: 'Slow log', columns: COLUMNS, key: ({ id }) => id, sortBy: 'at' });
  const empty = emptyState(
    'Nothing was slow. What takes longer than slowlog-log-slower-than microseconds is kept here; see Configuration.',
  );
  const clear = byId('slow-log-clear');
  byId('slow-log-table').append(table.element, empty);
  const asking = poll(pollster, {
    section: 'slow-log',
    path: () => `v1/slowlog?count=${ENTRIES_MAX}`,
    everyMs: EVERY_MS,
    onData: (/** @type {SlowLogRow[]} */ entries) => {
      table.update(entries);
      table.element.hidden = entries.length === 0;
      empty.hidden = entries.length > 0;
      clear.toggleAttribute('disabled', entries.length === 0);
    },
  });
  table.element.hidden = true;
  clear.addEventListener('click', async () => {
    try {
      await send('POST', 'v1/slowlog/reset');
      announce('The slow log is empty.');
    } catch (trouble) {
      announce(`The slow log could not be emptied: ${/** @type {Error} */ (trouble).message}.`);
    }
    asking.refresh();
  });
}
