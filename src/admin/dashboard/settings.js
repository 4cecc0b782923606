/**
 * The configuration: every directive with its value, which of them are not as they came, and a filter.
 */
import { byId, emptyState, setText } from './dom.js';
import { poll } from './poll.js';
import { createTable } from './table.js';

const EVERY_MS = 10_000;

/** @typedef {import('./shapes.d.ts').SettingRow} SettingRow */

/** @type {import('./table.js').Column<SettingRow>[]} */
const COLUMNS = [
  {
    id: 'name',
    label: 'Directive',
    isText: true,
    isCode: true,
    text: ({ name }) => name,
    sort: ({ name }) => name,
  },
  {
    id: 'value',
    label: 'Value',
    isText: true,
    isCode: true,
    text: ({ value }) => shown(value),
    sort: ({ value }) => value,
  },
  {
    id: 'default',
    label: 'Default',
    isText: true,
    isCode: true,
    text: (setting) => shown(setting.default),
    sort: (setting) => setting.default,
  },
  {
    id: 'mutable',
    label: 'Takes effect',
    isText: true,
    text: ({ mutable }) => (mutable ? 'at once' : 'at the next start'),
    sort: ({ mutable }) => (mutable ? 0 : 1),
  },
  { id: 'help', label: 'Meaning', isText: true, text: ({ help }) => help },
];

/** @param {import('./poll.js').Pollster} pollster */
export function createSettings(pollster) {
  const filter = /** @type {HTMLInputElement} */ (byId('settings-filter'));
  const differing = /** @type {HTMLInputElement} */ (byId('settings-differing'));
  const table = createTable({
    label: 'Configuration',
    columns: COLUMNS,
    key: ({ name }) => name,
    sortBy: 'name',
    isAscending: true,
    isMarked: ({ differs }) => differs,
    isTall: true,
  });
  table.element.classList.add('settings');
  const empty = emptyState(
    'No directive has this in its name, value or meaning. Clear the filter to see all.',
  );
  byId('settings-table').append(table.element, empty);
  /** @type {SettingRow[]} */
  let settings = [];
  const show = () => {
    const found = settings.filter((setting) => matches(setting, filter.value, differing.checked));
    table.update(found);
    table.element.hidden = found.length === 0;
    empty.hidden = found.length > 0 || settings.length === 0;
    const changed = settings.filter(({ differs }) => differs).length;
    setText(byId('settings-total'), `${changed} of ${settings.length} differ from their default`);
  };
  empty.hidden = true;
  filter.addEventListener('input', show);
  differing.addEventListener('change', show);
  filter.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape') return;
    filter.value = '';
    show();
  });
  poll(pollster, {
    section: 'settings',
    path: () => 'v1/config',
    everyMs: EVERY_MS,
    onData: (answer) => {
      settings = answer;
      show();
    },
  });
}

/**
 * @param {SettingRow} setting
 * @param {string} text
 * @param {boolean} isDifferingOnly
 */
function matches({ name, value, help, differs }, text, isDifferingOnly) {
  if (isDifferingOnly && !differs) return false;
  const wanted = text.trim().toLowerCase();
  return [name, value, help].some((field) => field.toLowerCase().includes(wanted));
}

/** @param {string} value */
function shown(value) {
  return value === '' ? '(empty)' : value;
}
