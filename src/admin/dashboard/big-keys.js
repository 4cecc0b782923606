/**
 * The big keys: a job of the server that walks over all keys, started here, with its progress and what it found.
 */
import { send } from './api.js';
import { byId, emptyState, setText } from './dom.js';
import { formatAge, formatBytes, formatCount, formatMilliseconds, formatPercent } from './format.js';
import { keyText } from './key-text.js';
import { announce } from './live-region.js';
import { poll } from './poll.js';
import { createTable } from './table.js';

const EVERY_MS = 1000;

/** @typedef {import('./shapes.d.ts').BigKeyRow} BigKeyRow */
/** @typedef {import('./shapes.d.ts').BigKeysAnswer} BigKeysAnswer */

/** @type {import('./table.js').Column<BigKeyRow>[]} */
const COLUMNS = [
  { id: 'key', label: 'Key', isText: true, isCode: true, text: keyText, sort: ({ key }) => key },
  { id: 'database', label: 'DB', text: ({ database }) => String(database), sort: ({ database }) => database },
  { id: 'type', label: 'Type', isText: true, text: ({ type }) => type, sort: ({ type }) => type },
  {
    id: 'bytes',
    label: 'Size',
    text: ({ bytes }) => formatBytes(bytes),
    sort: ({ bytes }) => bytes,
    bar: ({ bytes }) => bytes,
  },
  {
    id: 'ttl',
    label: 'TTL',
    text: ({ ttlMs }) => (ttlMs >= 0 ? formatAge(ttlMs / 1000) : 'none'),
    sort: ({ ttlMs }) => ttlMs,
  },
];

/** @param {import('./poll.js').Pollster} pollster */
export function createBigKeys(pollster) {
  const start = /** @type {HTMLButtonElement} */ (byId('big-keys-start'));
  const table = createTable({
    label: 'Big keys',
    columns: COLUMNS,
    key: ({ database, key }) => `${database} ${key}`,
    sortBy: 'bytes',
  });
  const empty = emptyState(
    'Press the button to look through all keys. It goes in small steps and holds nobody up.',
  );
  table.element.hidden = true;
  byId('big-keys-table').append(table.element, empty);
  const asking = poll(pollster, {
    section: 'big-keys',
    path: () => 'v1/big-keys',
    everyMs: EVERY_MS,
    onData: (/** @type {BigKeysAnswer} */ report) => {
      showProgress(report, start);
      const found = report.largest ?? [];
      table.update(found);
      table.element.hidden = found.length === 0;
      empty.hidden = found.length > 0;
      if (report.state === 'done' && found.length === 0) setText(empty, 'There is no key in any database.');
    },
  });
  start.addEventListener('click', async () => {
    start.disabled = true;
    try {
      await send('POST', 'v1/big-keys');
    } catch (trouble) {
      announce(`The search did not start: ${/** @type {Error} */ (trouble).message}.`);
      start.disabled = false;
    }
    asking.refresh();
  });
}

/**
 * @param {BigKeysAnswer} report
 * @param {HTMLButtonElement} start
 */
function showProgress(report, start) {
  const bar = /** @type {HTMLProgressElement} */ (byId('big-keys-progress'));
  const isRunning = report.state === 'running';
  start.disabled = isRunning;
  bar.value = report.state === 'done' ? 1 : (report.progress ?? 0);
  bar.dataset.state = report.state;
  setText(start, report.state === 'idle' ? 'Find big keys' : isRunning ? 'Searching' : 'Search again');
  setText(byId('big-keys-result'), progressText(report));
}

/** @param {BigKeysAnswer} report */
function progressText({ state, progress, keys, bytes, tookMs, byType }) {
  if (state === 'running')
    return `${formatPercent(Math.floor(progress * 100) / 100)}, ${formatCount(keys)} keys so far`;
  if (state === 'failed')
    return 'The search ended before it was through. The log of the server has the reason.';
  if (state === 'done')
    return `${formatCount(keys)} keys, ${formatBytes(bytes)}, in ${formatMilliseconds(tookMs)}${typesText(byType)}`;
  return '';
}

/**
 * What each type takes, where there is more than one.
 * @param {BigKeysAnswer['byType']} byType
 */
function typesText(byType) {
  if (byType.length < 2) return '';
  const types = byType.map(({ type, keys, bytes }) => `${type} ${formatCount(keys)} (${formatBytes(bytes)})`);
  return `: ${types.join(', ')}`;
}
