/**
 * `npm run bench:hits`: how many reads hit in caches of equal memory, each used by the same client in the same way (read; on a
 * miss write) with the same seeded reads: ours with each of its policies, redis-server's and Valkey's LRU and LFU,
 * memcached.
 *
 * Equal memory is told twice. `limit`: the same limit for each by its own accounting, plus what an empty server counts.
 * `resident`: limits under which each has grown by as much RAM over the same reads as redis-server with allkeys-lru
 * under the equal limit, found from what it took there, and once more from a run that is not counted.
 */
import { setTimeout } from 'node:timers/promises';
import { readThrough } from './support/cache-aside.ts';
import { type Contender, createContenders } from './support/cache-contenders.ts';
import { nameOfKey } from './support/cache-simulation.ts';
import {
  createWorkload,
  WORKLOAD_NAMES,
  type Workload,
  type WorkloadName,
} from './support/cache-workloads.ts';
import {
  bestColumns,
  bestRows,
  type HitRun,
  hitColumns,
  hitRowOf,
  hitTableRows,
} from './support/hit-table.ts';
import { keyRequests } from './support/key-requests.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { markdownTable, mebibytes } from './support/markdown.ts';
import { growthOf, readMemory, sendTexts, warmUpMemory } from './support/memory-reading.ts';
import { type Options, parseNameList, runBenchmark, tellProgress } from './support/options.ts';
import { missingPeers, type Peer, type RunningPeer, withPeer } from './support/peers.ts';
import { type ResultRow, writeResult } from './support/result.ts';
import { spreadOf } from './support/statistics.ts';

/** `warm`: reads before those that count. `percent`: the limit as a share of all keys and values, those of scans left out. */
const DEFAULTS = {
  keys: 200_000,
  reads: 1_500_000,
  warm: 500_000,
  percent: 20,
  seeds: 3,
  seed: 20_261_122,
  policies: 'allkeys-lru,allkeys-lfu,allkeys-s3fifo',
  workloads: '',
  sets: '',
  quick: false,
  json: '',
};

type HitOptions = Options<typeof DEFAULTS>;

/** A contender, the limit that it gets now, and what its runs have shown. */
type Lane = { readonly contender: Contender; limitBytes: number; readonly runs: HitRun[] };

const SETS = ['limit', 'resident'] as const;
/** The default: those of `Zipf 0.99 and a loop` and of sizes that vary a thousandfold can be asked for. */
const COMPARED: readonly WorkloadName[] = [
  'Zipf 0.7',
  'Zipf 0.99',
  'Zipf 1.2',
  'Zipf 0.99 and scans',
  'shifting working set',
  'Zipf 0.99, sizes 64 to 2112',
];
/** Values are so many times as long as the workload says, so that most of the memory is theirs in every server: 1 KiB. */
const VALUE_SCALE = 8;
const KEY_BYTES = 16;
const BASE_NAME = 'redis-server allkeys-lru';
const WARM_UP_REQUESTS = 100_000;
const WARM_UP_KEYS = 1000;
const WARM_UP_VALUE_BYTES = 1024;
/** Until a server has given back what it needed for its last requests only. */
const SETTLE_MS = 300;
/** Less would be too little for the shards of a server with some workers. */
const LIMIT_BYTES_MIN = 4 * 2 ** 20;
const QUICK = {
  keys: 20_000,
  reads: 30_000,
  warm: 5_000,
  seeds: 1,
  workloads: 'Zipf 0.99 and scans',
};

await runBenchmark(DEFAULTS, main);

async function main(given: HitOptions): Promise<void> {
  const options = given.quick ? { ...given, ...QUICK, workloads: given.workloads || QUICK.workloads } : given;
  const sets = parseNameList('sets', options.sets, SETS);
  const names = options.workloads === '' ? COMPARED : parseWorkloads(options.workloads);
  const { contenders, unknown } = await createContenders(options.policies.split(','));
  const versions = contenders.map(({ peerOf }) => peerOf(1).version);
  const machine = describeMachine([...new Set(versions)]);
  const rows: ResultRow[] = [];
  for (const name of names) rows.push(...(await measureWorkload(name, contenders, sets, options)));
  process.stdout.write(`# Hit ratio at equal memory\n\n${machineText(machine)}`);
  process.stdout.write(conditionsText(options, unknown));
  for (const set of sets) {
    const ofSet = rows.filter((row) => row.set === set);
    process.stdout.write(`\n## ${headingOf(set)}\n\n`);
    process.stdout.write(markdownTable(hitColumns(names), hitTableRows(ofSet, names)));
    process.stdout.write(
      '\nPoints above the best of redis-server with the same reads, median (least-largest):\n\n',
    );
    process.stdout.write(markdownTable(bestColumns(names), bestRows(ofSet, names)));
  }
  writeResult(options.json, { name: 'bench:hits', machine, options, rows });
}

/** Their names hold commas, so they are looked for in the text. */
function parseWorkloads(text: string): WorkloadName[] {
  const byLength = WORKLOAD_NAMES.toSorted((a, b) => b.length - a.length);
  const items: WorkloadName[] = [];
  let left = text;
  while (left !== '') {
    const name = byLength.find((known) => left === known || left.startsWith(`${known},`));
    if (name === undefined) return parseNameList('workloads', left, WORKLOAD_NAMES);
    items.push(name);
    left = left.slice(name.length + 1);
  }
  return items;
}

async function measureWorkload(
  name: WorkloadName,
  contenders: readonly Contender[],
  sets: readonly (typeof SETS)[number][],
  options: HitOptions,
): Promise<ResultRow[]> {
  const limitBytes = limitOf(name, options);
  const seeds = Array.from({ length: options.seeds }, (_, index) => options.seed + index);
  const lanes = contenders.map((contender): Lane => ({ contender, limitBytes, runs: [] }));
  // Equal RAM is found from equal limits, of which one run is enough where only that is asked for.
  await runLanes(name, lanes, sets.includes('limit') ? seeds : seeds.slice(0, 1), options);
  const rows = sets.includes('limit') ? lanes.map((lane) => rowOf('limit', name, lane)) : [];
  if (!sets.includes('resident')) return rows;
  const targetBytes = grownBy(lanes.find(({ contender }) => contender.name === BASE_NAME) ?? lanes[0]);
  const matched = lanes.map((lane): Lane => ({ ...matchTo(lane, targetBytes), runs: [] }));
  await runLanes(name, matched, seeds.slice(0, 1), options);
  const settled = matched.map((lane): Lane => ({ ...matchTo(lane, targetBytes), runs: [] }));
  await runLanes(name, settled, seeds, options);
  return [...rows, ...settled.map((lane) => rowOf('resident', name, lane))];
}

/** The contenders take turns, seed by seed. */
async function runLanes(
  name: WorkloadName,
  lanes: readonly Lane[],
  seeds: readonly number[],
  options: HitOptions,
): Promise<void> {
  for (const seed of seeds) {
    for (const { contender, limitBytes, runs } of lanes) {
      tellProgress(`${name}, seed ${seed}: ${contender.name} at ${mebibytes(limitBytes)}`);
      runs.push(await measureRun(contender, limitBytes, workloadOf(name, options, seed), options));
    }
  }
}

async function measureRun(
  { peerOf }: Contender,
  limitBytes: number,
  workload: Workload,
  { reads, warm, quick }: HitOptions,
): Promise<HitRun> {
  const peer = peerOf(limitBytes);
  return withPeer(peer, async (running) => {
    const plan = { port: running.port, protocol: peer.protocol, countedFrom: warm };
    await warmUp(peer, running, quick ? WARM_UP_REQUESTS / 10 : WARM_UP_REQUESTS);
    const before = await readMemory(peer, running);
    const result = await readThrough(plan, workload, reads);
    await setTimeout(SETTLE_MS);
    const grown = growthOf(await readMemory(peer, running), before);
    return {
      hitRatio: result.hits / result.reads,
      keys: grown.keys,
      residentBytes: grown.residentBytes,
      refusedWrites: result.refused,
    };
  });
}

/** Writes, then reads as they will be measured, over few keys that go again. */
async function warmUp(peer: Peer, running: RunningPeer, requests: number): Promise<void> {
  await warmUpMemory(peer, running, requests);
  let read = 0;
  const next = (): number => {
    read += 1;
    return read % WARM_UP_KEYS;
  };
  const workload = { name: 'warm-up', keys: WARM_UP_KEYS, next, bytesOf: () => WARM_UP_VALUE_BYTES };
  const plan = { port: running.port, protocol: peer.protocol, countedFrom: 0 };
  await readThrough(plan, workload, requests);
  const { remove } = keyRequests(peer.protocol);
  await sendTexts(running.port, WARM_UP_KEYS, (key) => remove(nameOfKey(key)));
}

function workloadOf(name: WorkloadName, { keys, reads }: HitOptions, seed: number): Workload {
  const workload = createWorkload(name, keys, reads, seed);
  return { ...workload, bytesOf: (key) => VALUE_SCALE * workload.bytesOf(key) };
}

function limitOf(name: WorkloadName, options: HitOptions): number {
  const { bytesOf } = workloadOf(name, options, options.seed);
  let bytes = 0;
  for (let key = 0; key < options.keys; key += 1) bytes += KEY_BYTES + bytesOf(key);
  const mebibyte = 2 ** 20;
  return Math.max(1, Math.round((bytes * options.percent) / 100 / mebibyte)) * mebibyte;
}

/** The limit at which the growth would be the target's if both went up alike. */
function matchTo(lane: Lane, targetBytes: number): Lane {
  const limitBytes = (lane.limitBytes * targetBytes) / grownBy(lane);
  return { ...lane, limitBytes: Math.max(LIMIT_BYTES_MIN, limitBytes) };
}

function grownBy({ runs }: Lane): number {
  return Math.max(1, spreadOf(runs.map(({ residentBytes }) => residentBytes)).median);
}

function rowOf(set: string, workload: string, { contender, limitBytes, runs }: Lane): ResultRow {
  return hitRowOf(set, workload, contender, limitBytes, runs);
}

function headingOf(set: (typeof SETS)[number]): string {
  return set === 'limit' ? 'Under equal limits' : 'In equal RAM';
}

function conditionsText(
  { keys, reads, warm, percent, seeds }: HitOptions,
  unknown: readonly string[],
): string {
  const missing = missingPeers();
  return [
    `${keys} keys (scans read others besides), values of 1 KiB but where sizes are mixed (512 to 16,896 bytes); the limit is ${percent} % of`,
    `keys and values. ${reads} reads, of which the first ${warm} do not count; ${seeds} seeds. A run lasts seconds, so counters of LFU, which`,
    'halve by the minute, do not age.',
    ...(missing.length > 0 ? [`Not installed, so not measured: ${missing.join(', ')}.`] : []),
    ...(unknown.length > 0 ? [`Not known to this version, so not measured: ${unknown.join(', ')}.`] : []),
    '',
  ].join('\n');
}
