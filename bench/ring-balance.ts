/**
 * Prints how evenly the hash ring deals the 16384 slots, for 2 to 64 owners, as a Markdown table:
 * `node bench/ring-balance.ts`. It is arithmetic, not a measurement, so every machine prints the same table but for
 * the last column.
 */
import { fillSlotTable, type RingOwner, slotBalance } from '../src/routing/hash-ring.ts';
import { SLOT_COUNT } from '../src/routing/slot.ts';

const OWNERS_MIN = 2;
const OWNERS_MAX = 64;

const table = new Uint16Array(SLOT_COUNT);
const lines = [
  '| owners | CV of slots per owner | fewest | even | most | moved by one more owner | ideal | built in ms |',
  '|---:|---:|---:|---:|---:|---:|---:|---:|',
];
for (let count = OWNERS_MIN; count <= OWNERS_MAX; count++) lines.push(balanceRow(count));
process.stdout.write(`${lines.join('\n')}\n`);

function balanceRow(count: number): string {
  const owners = shardOwners(count);
  const startedAtMs = performance.now();
  fillSlotTable(owners, table);
  const builtInMs = performance.now() - startedAtMs;
  const { counts, coefficientOfVariation } = slotBalance(table, owners);
  const cells = [
    count,
    coefficientOfVariation.toFixed(4),
    Math.min(...counts),
    (SLOT_COUNT / count).toFixed(1),
    Math.max(...counts),
    percent(slotsMovedByOneMore(count) / SLOT_COUNT),
    percent(1 / (count + 1)),
    builtInMs.toFixed(1),
  ];
  return `| ${cells.join(' | ')} |`;
}

function slotsMovedByOneMore(count: number): number {
  const grown = new Uint16Array(SLOT_COUNT);
  fillSlotTable(shardOwners(count + 1), grown);
  return grown.reduce((moved, owner, slot) => moved + (owner === table[slot] ? 0 : 1), 0);
}

function shardOwners(count: number): RingOwner[] {
  return Array.from({ length: count }, (_, index) => ({ id: `shard-${index}` }));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
