/**
 * `npm run bench:memory`: what a key costs all told, by the lengths of key and value and with a TTL or without; how much of a
 * limit holds entries after the sizes have changed twice under random deletes; and how much RAM is kept for nothing when
 * there is no limit. Beside redis-server, valkey-server and memcached, where installed, one after the other in each round.
 */
import { memcachedLimit } from './support/cache-contenders.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { markdownTable, mebibytes } from './support/markdown.ts';
import {
  CHURN_COLUMNS,
  churnCells,
  churnRows,
  FRAGMENTATION_COLUMNS,
  fragmentationCells,
  fragmentationRows,
  measureChurn,
  measureFragmentation,
} from './support/memory-churn.ts';
import { COST_COLUMNS, costCells, costRow, measureCost, SHAPES, type Shape } from './support/memory-costs.ts';
import { type Options, parseNameList, runBenchmark } from './support/options.ts';
import { memcachedPeers, ourPeer, type Peer, redisPeer, valkeyPeers } from './support/peers.ts';
import { type ResultRow, writeResult } from './support/result.ts';
import { inRounds, missingText } from './support/rounds.ts';

/** `churn-mib`: the limit under churn; each of its three phases writes twice as much. */
const DEFAULTS = { keys: 1_000_000, rounds: 3, 'churn-mib': 128, sets: '', quick: false, json: '' };

type MemoryOptions = Options<typeof DEFAULTS>;

const SETS = ['cost', 'churn', 'fragmentation'] as const;
const MIB = 2 ** 20;
const WARM_UP_REQUESTS = 200_000;
const QUICK = { keys: 20_000, rounds: 1, 'churn-mib': 16 };
const QUICK_SHAPES: readonly Shape[] = SHAPES.filter(
  ({ keyBytes, valueBytes }) => keyBytes === 10 && valueBytes === 64,
);

await runBenchmark(DEFAULTS, main);

async function main(given: MemoryOptions): Promise<void> {
  const options = given.quick ? { ...given, ...QUICK } : given;
  const sets = parseNameList('sets', options.sets, SETS);
  const peers = peersOf();
  const machine = describeMachine(peers.map(({ version }) => version));
  process.stdout.write(`# Memory\n\n${machineText(machine)}`);
  process.stdout.write(missingText());
  const rows: ResultRow[] = [];
  if (sets.includes('cost')) rows.push(...(await reportCosts(peers, options)));
  if (sets.includes('churn')) rows.push(...(await reportChurn(options)));
  if (sets.includes('fragmentation')) rows.push(...(await reportFragmentation(peers, options)));
  process.stdout.write(
    `\nMedian (least-largest) of ${options.rounds} rounds. Used: used_memory; of memcached its items and hash table. Resident: in RAM.\n`,
  );
  writeResult(options.json, { name: 'bench:memory', machine, options, rows });
}

/** redis-server first: it is what the others are compared with. `limitMib` 0: as much as they take by themselves. */
function peersOf(limitMib = 0): Peer[] {
  if (limitMib === 0) return [redisPeer(), ourPeer(), ...valkeyPeers(), ...memcachedPeers()];
  const flags = ['--maxmemory', `${limitMib}mb`, '--maxmemory-policy', 'allkeys-lru'];
  return [
    redisPeer(flags),
    ourPeer(flags),
    ...valkeyPeers(flags),
    ...memcachedPeers(memcachedLimit(limitMib * MIB)),
  ];
}

async function reportCosts(
  peers: readonly Peer[],
  { keys, rounds, quick }: MemoryOptions,
): Promise<ResultRow[]> {
  const rows: ResultRow[] = [];
  for (const shape of quick ? QUICK_SHAPES : SHAPES) {
    const { keyBytes, valueBytes, ttlSeconds } = shape;
    const about = `keys of ${keyBytes} bytes, values of ${valueBytes}, TTL ${ttlSeconds}`;
    const runs = await inRounds(peers, rounds, about, (peer) =>
      measureCost(peer, shape, keys, warmUpsOf(quick)),
    );
    rows.push(...peers.map(({ name }, index) => costRow(name, shape, runs[index])));
  }
  process.stdout.write(`## Bytes per key\n\n${keys} keys; bytes beyond the empty, warmed server's.\n\n`);
  process.stdout.write(
    markdownTable(
      COST_COLUMNS,
      rows.map((row) => costCells(row, rows)),
    ),
  );
  return rows;
}

async function reportChurn(options: MemoryOptions): Promise<ResultRow[]> {
  const limitMib = options['churn-mib'];
  const maxBytes = limitMib * MIB;
  const peers = peersOf(limitMib);
  const runs = await inRounds(peers, options.rounds, `churn at ${limitMib} MiB`, (peer) =>
    measureChurn(peer, maxBytes),
  );
  const byPeer = peers.map(({ name }, index) => churnRows(name, maxBytes, runs[index]));
  const rows = byPeer[0].flatMap((_, phase) => byPeer.map((ofPeer) => ofPeer[phase]));
  process.stdout.write(
    `\n## Churn under a limit\n\nmaxmemory (memcached: -m) ${mebibytes(maxBytes)}, allkeys-lru; values of each size in turn, one request in five a random delete. memcached gives pages to another size at its own pace, slower than this.\n\n`,
  );
  process.stdout.write(markdownTable(CHURN_COLUMNS, rows.map(churnCells)));
  return rows;
}

async function reportFragmentation(
  peers: readonly Peer[],
  { keys, rounds, quick }: MemoryOptions,
): Promise<ResultRow[]> {
  const measure = (peer: Peer) => measureFragmentation(peer, keys, warmUpsOf(quick));
  const runs = await inRounds(peers, rounds, 'fragmentation', measure);
  const byPeer = peers.map(({ name }, index) => fragmentationRows(name, runs[index]));
  const rows = byPeer[0].flatMap((_, step) => byPeer.map((ofPeer) => ofPeer[step]));
  process.stdout.write(
    `\n## Fragmentation without a limit\n\n${keys} keys of 10 bytes with values of 64; half of them deleted at random; those set again with 200 bytes; all set again with 0 to 511.\n\n`,
  );
  process.stdout.write(markdownTable(FRAGMENTATION_COLUMNS, rows.map(fragmentationCells)));
  return rows;
}

/** A quick run measures nothing. */
function warmUpsOf(quick: boolean): number {
  return quick ? WARM_UP_REQUESTS / 10 : WARM_UP_REQUESTS;
}
