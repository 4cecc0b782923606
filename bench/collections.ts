/**
 * `npm run bench:collections`: hashes, lists, sets and sorted sets beside redis-server. `--sets memory` measures what is named.
 *
 *   memory   bytes of a million small hashes, and of one collection of a million elements of each type, as texts and as integers
 *   latency  commands on collections of a million elements, one at a time: how long they take and how long they hold a lock
 *   list     redis-benchmark's own list of tests, whole, at 1 and 16 in the pipeline, ours with 1 and 2 workers
 */
import { collectionKinds } from './support/collection-kinds.ts';
import { LATENCY_COLUMNS, latencyCells, measureLargeLatency } from './support/collection-latency.ts';
import {
  COLLECTION_MEMORY_COLUMNS,
  collectionMemoryCells,
  collectionMemoryRow,
  measureCollectionMemory,
} from './support/collection-memory.ts';
import { type ListRow, listCells, listColumns, measureDefaultList } from './support/default-list.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { markdownTable } from './support/markdown.ts';
import { type Options, parseNameList, parseNumberList, runBenchmark, writeJson } from './support/options.ts';
import { ourPeer, redisPeer } from './support/peers.ts';
import type { ResultRow } from './support/result.ts';
import { inRounds } from './support/rounds.ts';

/** `elements`: of each large collection, and how many small ones. `requests`: of each test of the list; `timed`: of each timed command. */
const DEFAULTS = {
  sets: '',
  rounds: 3,
  elements: 1_000_000,
  requests: 200_000,
  timed: 5_000,
  clients: 50,
  pipelines: '1,16',
  quick: false,
  json: '',
};
const QUICK = { rounds: 1, elements: 20_000, requests: 2_000, timed: 200 };
const WARM_UP_REQUESTS = 200_000;
const QUICK_WARM_UP_REQUESTS = 20_000;
/** Of the elements, before the memory is looked at: what comes with the first of a kind is not theirs. */
const WARM_UP_SHARE = 0.05;
/** Enough that nothing is evicted. */
const MEMORY = ['--maxmemory', '2gb'];
const EVERY_HOLD = ['--lock-hold-sampling', '1'];

type CollectionsOptions = Options<typeof DEFAULTS>;

const SETS = { memory: reportMemory, latency: reportLatency, list: reportList } as const satisfies Record<
  string,
  (options: CollectionsOptions) => Promise<readonly object[]>
>;

await runBenchmark(DEFAULTS, main);

async function main(given: CollectionsOptions): Promise<void> {
  const options = given.quick ? { ...given, ...QUICK } : given;
  const names = parseNameList('sets', options.sets, Object.keys(SETS) as (keyof typeof SETS)[]);
  const machine = describeMachine([redisPeer(), ourPeer()].map(({ version }) => version));
  process.stdout.write(`# Collections\n\n${machineText(machine)}`);
  const results: Record<string, readonly object[]> = {};
  for (const name of names) results[name] = await SETS[name](options);
  process.stdout.write(`\nMedian (least-largest) of ${options.rounds} rounds, of latencies of one.\n`);
  writeJson(options.json, { machine, options, ...results });
}

async function reportMemory({ elements, rounds, quick }: CollectionsOptions): Promise<readonly object[]> {
  const peers = [redisPeer(), ourPeer(MEMORY)];
  const warmUps = quick ? QUICK_WARM_UP_REQUESTS : WARM_UP_REQUESTS;
  const rows: ResultRow[] = [];
  const fewOf = collectionKinds(Math.ceil(elements * WARM_UP_SHARE));
  for (const [place, kind] of collectionKinds(elements).entries()) {
    const about = `${kind.name}, ${kind.contents}`;
    const runs = await inRounds(peers, rounds, about, (peer) =>
      measureCollectionMemory(peer, kind, fewOf[place], warmUps),
    );
    rows.push(...peers.map(({ name }, index) => collectionMemoryRow(name, kind, runs[index])));
  }
  // They come in pairs, redis-server's first.
  const cells = rows.map((row, index) => collectionMemoryCells(row, rows[index - (index % 2)]));
  process.stdout.write(
    `## Memory\n\n${elements} small hashes, or one collection of ${elements} elements; bytes for each of them, beyond the empty, warmed server's.\n\n`,
  );
  process.stdout.write(markdownTable(COLLECTION_MEMORY_COLUMNS, cells));
  return rows;
}

async function reportLatency({ elements, timed }: CollectionsOptions): Promise<readonly object[]> {
  const peers = [redisPeer(), ourPeer([...MEMORY, ...EVERY_HOLD, '--workers', '2'])];
  const [theirs, ours] = await inRounds(peers, 1, 'latency on large collections', (peer) =>
    measureLargeLatency(peer, elements, timed),
  );
  const rows = ours[0].flatMap((row, index) => [theirs[0][index], row]);
  process.stdout.write(
    `\n## Latency\n\nCollections of ${elements} elements; one request at a time. Holds of locks are wall time, and told by the bounds of their histogram.\n\n`,
  );
  process.stdout.write(markdownTable(LATENCY_COLUMNS, rows.map(latencyCells)));
  return rows;
}

async function reportList(options: CollectionsOptions): Promise<readonly object[]> {
  const { rounds, requests, clients } = options;
  const ours = [1, 2].map((workers) =>
    ourPeer([...MEMORY, '--workers', String(workers)], `distcache with ${workers}`),
  );
  const peers = [redisPeer(), ...ours];
  process.stdout.write(
    `\n## redis-benchmark's list\n\n\`redis-benchmark -n ${requests} -c ${clients}\`, whole; ours with 1 and 2 workers.\n\n`,
  );
  const rows: ListRow[] = [];
  for (const pipeline of parseNumberList('pipelines', options.pipelines)) {
    rows.push(...(await measureDefaultList(peers, { rounds, requests, pipeline, clients })));
  }
  process.stdout.write(markdownTable(listColumns(peers.map(({ name }) => name)), rows.map(listCells)));
  return rows;
}
