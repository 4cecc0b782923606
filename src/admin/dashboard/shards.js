/**
 * The table of shards: what lies in each, and how it fares. Counts since the start are shown per second.
 */
import { byId } from './dom.js';
import {
  formatBytes,
  formatCount,
  formatMicroseconds,
  formatMilliseconds,
  formatPercent,
  formatRate,
  formatWhole,
} from './format.js';
import { ratesBetween } from './rates.js';
import { createTable } from './table.js';

/** @typedef {import('./shapes.d.ts').ShardState} ShardState */
/** @typedef {ShardState & { perSecond: Record<'evictedKeys' | 'expiredKeys' | 'lockWaits', number> }} ShardRow */

/** @type {('evictedKeys' | 'expiredKeys' | 'lockWaits')[]} */
const COUNTS = ['evictedKeys', 'expiredKeys', 'lockWaits'];

/** @type {import('./table.js').Column<ShardRow>[]} */
const COLUMNS = [
  { id: 'index', label: 'Shard', text: ({ index }) => String(index), sort: ({ index }) => index },
  {
    id: 'owner',
    label: 'Worker',
    hint: 'Who writes its log and does its housekeeping',
    text: ({ owner }) => String(owner),
    sort: ({ owner }) => owner,
  },
  { id: 'slots', label: 'Slots', text: ({ slots }) => formatWhole(slots), sort: ({ slots }) => slots },
  {
    id: 'keys',
    label: 'Keys',
    text: ({ keys }) => formatCount(keys),
    sort: ({ keys }) => keys,
    bar: ({ keys }) => keys,
  },
  {
    id: 'expiring',
    label: 'With TTL',
    text: ({ expiring }) => formatCount(expiring),
    sort: ({ expiring }) => expiring,
  },
  {
    id: 'used',
    label: 'Memory',
    text: ({ usedBytes }) => formatBytes(usedBytes),
    sort: ({ usedBytes }) => usedBytes,
  },
  {
    id: 'full',
    label: 'Full',
    hint: 'Of the shard’s share of maxmemory; at 100 % it evicts',
    text: ({ usedBytes, limitBytes }) => formatPercent(usedBytes / limitBytes),
    sort: ({ usedBytes, limitBytes }) => usedBytes / limitBytes,
    bar: ({ usedBytes, limitBytes }) => usedBytes / limitBytes,
    barFull: 1,
  },
  {
    id: 'fragmentation',
    label: 'Fragm.',
    hint: 'Bytes of the arena over those of them that are in use; 1.00 is none',
    text: ({ fragmentation }) => fragmentation.toFixed(2),
    sort: ({ fragmentation }) => fragmentation,
    heat: ({ fragmentation }) => fragmentation - 1,
    heatFloor: 0.2,
  },
  {
    id: 'evicted',
    label: 'Evicted',
    text: ({ perSecond }) => formatRate(perSecond.evictedKeys),
    sort: ({ perSecond }) => perSecond.evictedKeys,
    heat: ({ perSecond }) => perSecond.evictedKeys,
    heatFloor: 10,
  },
  {
    id: 'expired',
    label: 'Expired',
    text: ({ perSecond }) => formatRate(perSecond.expiredKeys),
    sort: ({ perSecond }) => perSecond.expiredKeys,
  },
  {
    id: 'lag',
    label: 'Expiry lag',
    text: ({ expiryLagMs }) => formatMilliseconds(expiryLagMs),
    sort: ({ expiryLagMs }) => expiryLagMs,
    heat: ({ expiryLagMs }) => expiryLagMs,
    heatFloor: 100,
  },
  {
    id: 'waits',
    label: 'Lock waits',
    hint: 'Times a thread found the shard locked by another',
    text: ({ perSecond }) => formatRate(perSecond.lockWaits),
    sort: ({ perSecond }) => perSecond.lockWaits,
    heat: ({ perSecond }) => perSecond.lockWaits,
    heatFloor: 100,
  },
  {
    id: 'hold',
    label: 'Hold p99',
    hint: 'How long its lock is held',
    text: ({ lockHoldP99Us }) => formatMicroseconds(lockHoldP99Us),
    sort: ({ lockHoldP99Us }) => lockHoldP99Us,
    heat: ({ lockHoldP99Us }) => lockHoldP99Us,
    heatFloor: 50,
  },
  {
    id: 'pending',
    label: 'To log',
    hint: 'Records that are still to be written to the log',
    text: ({ pendingLogBytes }) => formatBytes(pendingLogBytes),
    sort: ({ pendingLogBytes }) => pendingLogBytes,
  },
];

/**
 * @param {(shard: number) => void} onPoint a shard was pointed at; -1 for none
 * @returns {(state: import('./shapes.d.ts').StateAnswer, before: import('./shapes.d.ts').StateAnswer | undefined) => void}
 */
export function createShards(onPoint) {
  const table = createTable({
    label: 'Shards',
    columns: COLUMNS,
    key: ({ index }) => index,
    sortBy: 'index',
    isAscending: true,
    onPoint: ({ index }) => onPoint(index),
    isTall: true,
  });
  table.element.addEventListener('pointerleave', () => onPoint(-1));
  byId('shards-table').append(table.element);
  return (state, before) => {
    const earlier = before ?? state;
    const rates = ratesBetween(earlier.shards, state.shards, state.t - earlier.t, COUNTS);
    table.update(
      state.shards.map((shard) => {
        return { ...shard, perSecond: /** @type {ShardRow['perSecond']} */ (rates.get(shard.index)) };
      }),
    );
  };
}
