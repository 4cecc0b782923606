/**
 * The table of workers: how the work is spread over the threads. Counts since the start are shown per second.
 */
import { byId } from './dom.js';
import {
  formatBytesRate,
  formatCount,
  formatMicroseconds,
  formatMilliseconds,
  formatRate,
} from './format.js';
import { ratesBetween } from './rates.js';
import { createTable } from './table.js';

/** @typedef {import('./shapes.d.ts').WorkerState} WorkerState */
/** @typedef {'commands' | 'bytesIn' | 'bytesOut' | 'turns'} Count */
/** @typedef {WorkerState & { perSecond: Record<Count, number> }} WorkerRow */

/** @type {Count[]} */
const COUNTS = ['commands', 'bytesIn', 'bytesOut', 'turns'];

/** @type {import('./table.js').Column<WorkerRow>[]} */
const COLUMNS = [
  { id: 'index', label: 'Worker', text: ({ index }) => String(index), sort: ({ index }) => index },
  {
    id: 'connections',
    label: 'Connections',
    text: ({ connections }) => formatCount(connections),
    sort: ({ connections }) => connections,
    bar: ({ connections }) => connections,
  },
  {
    id: 'commands',
    label: 'Commands',
    text: ({ perSecond }) => formatRate(perSecond.commands),
    sort: ({ perSecond }) => perSecond.commands,
    bar: ({ perSecond }) => perSecond.commands,
  },
  {
    id: 'in',
    label: 'In',
    text: ({ perSecond }) => formatBytesRate(perSecond.bytesIn),
    sort: ({ perSecond }) => perSecond.bytesIn,
  },
  {
    id: 'out',
    label: 'Out',
    text: ({ perSecond }) => formatBytesRate(perSecond.bytesOut),
    sort: ({ perSecond }) => perSecond.bytesOut,
  },
  {
    id: 'turns',
    label: 'Turns',
    hint: 'Passes over the connections that had something to say',
    text: ({ perSecond }) => formatRate(perSecond.turns),
    sort: ({ perSecond }) => perSecond.turns,
  },
  {
    id: 'turn',
    label: 'Turn p99',
    text: ({ turnP99Us }) => formatMicroseconds(turnP99Us),
    sort: ({ turnP99Us }) => turnP99Us,
    heat: ({ turnP99Us }) => turnP99Us,
    heatFloor: 500,
  },
  {
    id: 'delay',
    label: 'Loop delay p99',
    text: ({ loopDelayP99Ms }) => formatMilliseconds(loopDelayP99Ms),
    sort: ({ loopDelayP99Ms }) => loopDelayP99Ms,
    heat: ({ loopDelayP99Ms }) => loopDelayP99Ms,
    heatFloor: 5,
  },
];

/**
 * @returns {(state: import('./shapes.d.ts').StateAnswer, before: import('./shapes.d.ts').StateAnswer | undefined) => void}
 */
export function createWorkers() {
  const table = createTable({
    label: 'Workers',
    columns: COLUMNS,
    key: ({ index }) => index,
    sortBy: 'index',
    isAscending: true,
    isTall: true,
  });
  byId('workers-table').append(table.element);
  return (state, before) => {
    const earlier = before ?? state;
    const rates = ratesBetween(earlier.workers, state.workers, state.t - earlier.t, COUNTS);
    table.update(
      state.workers.map((worker) => {
        return { ...worker, perSecond: /** @type {WorkerRow['perSecond']} */ (rates.get(worker.index)) };
      }),
    );
  };
}
