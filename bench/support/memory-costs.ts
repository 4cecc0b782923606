/** What a key costs all told, by the lengths of key and value and with a TTL or without, in a server with nothing else. */

import { keyRequests } from './key-requests.ts';
import { type Column, spreadText } from './markdown.ts';
import { growthOf, type MemoryReading, readMemory, sendTexts, warmUpMemory } from './memory-reading.ts';
import { type Peer, withPeer } from './peers.ts';
import type { ResultRow } from './result.ts';
import { ratioText, type Spread, spreadOf } from './statistics.ts';

export type Shape = { readonly keyBytes: number; readonly valueBytes: number; readonly ttlSeconds: number };

/** What one run of one shape cost beyond the empty server. */
type Cost = { readonly keys: number } & MemoryReading;

const TTL_SECONDS = 3600;
const KEY_BYTES = [10, 100];
const VALUE_BYTES = [8, 64, 1024];

/** Each key length with each value length, without a TTL and with one. */
export const SHAPES: readonly Shape[] = [0, TTL_SECONDS].flatMap((ttlSeconds) =>
  KEY_BYTES.flatMap((keyBytes) => VALUE_BYTES.map((valueBytes) => ({ keyBytes, valueBytes, ttlSeconds }))),
);

export const COST_COLUMNS: readonly Column[] = [
  { heading: 'key', align: 'right' },
  { heading: 'value', align: 'right' },
  { heading: 'TTL', align: 'left' },
  { heading: 'server', align: 'left' },
  { heading: 'used per key', align: 'right' },
  { heading: 'beyond key and value', align: 'right' },
  { heading: 'resident per key', align: 'right' },
  { heading: 'resident to used', align: 'right' },
  { heading: 'used to redis-server', align: 'left' },
];

/** Fills a fresh, warmed server. Throws where it does not hold all keys. */
export async function measureCost(peer: Peer, shape: Shape, keys: number, warmUps: number): Promise<Cost> {
  return withPeer(peer, async (running) => {
    await warmUpMemory(peer, running, warmUps);
    const before = await readMemory(peer, running);
    const { set } = keyRequests(peer.protocol);
    const value = 'x'.repeat(shape.valueBytes);
    await sendTexts(running.port, keys, (index) =>
      set(keyText(index, shape.keyBytes), value, shape.ttlSeconds),
    );
    const grown = growthOf(await readMemory(peer, running), before);
    if (grown.keys !== keys)
      throw new Error(`${peer.name} holds ${grown.keys} of ${keys} keys: give it more memory`);
    return grown;
  });
}

/** A key of so many bytes: `k`, zeros, the index. */
export function keyText(index: number, keyBytes: number): string {
  return `k${String(index).padStart(keyBytes - 1, '0')}`;
}

/** The runs of one server and shape. */
export function costRow(server: string, shape: Shape, costs: readonly Cost[]): ResultRow {
  const spread = (pick: (cost: Cost) => number): Spread => spreadOf(costs.map(pick));
  const payload = shape.keyBytes + shape.valueBytes;
  return {
    set: 'cost',
    server,
    keyBytes: shape.keyBytes,
    valueBytes: shape.valueBytes,
    ttl: shape.ttlSeconds > 0 ? 'with TTL' : 'without TTL',
    keys: costs[0].keys,
    usedPerKeyBytes: spread(({ usedBytes, keys }) => usedBytes / keys),
    overheadPerKeyBytes: spread(({ usedBytes, keys }) => usedBytes / keys - payload),
    residentPerKeyBytes: spread(({ residentBytes, keys }) => residentBytes / keys),
    residentToUsed: spread(({ residentBytes, usedBytes }) => residentBytes / usedBytes),
  };
}

export function costCells(row: ResultRow, rows: readonly ResultRow[]): string[] {
  const base = rows.find(
    (other) =>
      other.server === 'redis-server' &&
      ['keyBytes', 'valueBytes', 'ttl'].every((field) => other[field] === row[field]),
  );
  const spread = (field: string): Spread => row[field] as Spread;
  return [
    `${row.keyBytes} B`,
    `${row.valueBytes} B`,
    row.ttl === 'with TTL' ? 'yes' : 'no',
    row.server,
    spreadText(spread('usedPerKeyBytes'), 1, 1),
    spread('overheadPerKeyBytes').median.toFixed(1),
    spreadText(spread('residentPerKeyBytes'), 1, 1),
    `${spread('residentToUsed').median.toFixed(2)}x`,
    base === undefined || base === row
      ? '1'
      : ratioText(spread('usedPerKeyBytes'), base.usedPerKeyBytes as Spread),
  ];
}
