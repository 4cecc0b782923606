/**
 * `npm run bench:policies`: how many reads hit under which policy of eviction, simulated: the same reads, the same bytes, nothing
 * but the policy. What `allkeys-s3fifo` was chosen by; `npm run bench:hits` measures servers.
 */
import { nextRandom } from '../src/base/random.ts';
import { createSampledLfu, createTinyLfu } from './support/cache-frequency.ts';
import {
  type CacheSize,
  createExactGhosts,
  createFifo,
  createLru,
  createSieve,
  createTagGhosts,
  type SimulatedCache,
} from './support/cache-policies.ts';
import {
  bytesOfAll,
  createWorkload,
  WORKLOAD_NAMES,
  type Workload,
  type WorkloadName,
} from './support/cache-workloads.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable, percentText } from './support/markdown.ts';
import { type Options, parseNameList, runBenchmark, tellProgress } from './support/options.ts';
import { type ResultRow, writeResult } from './support/result.ts';
import { type Spread, spreadOf } from './support/statistics.ts';

/** `warm`: reads before those that count. */
const DEFAULTS = {
  keys: 100_000,
  warm: 500_000,
  reads: 1_000_000,
  seeds: 3,
  seed: 20_261_122,
  workloads: '',
  quick: false,
  json: '',
};

type PolicyOptions = Options<typeof DEFAULTS>;

/** Caches hold this much of the bytes of all entries. */
const SHARES = [0.01, 0.05, 0.2];

const QUICK = { keys: 10_000, warm: 20_000, reads: 50_000, seeds: 1 };

const PAPER = { small: 0.1, isCounted: false, hitsMin: 2, stepsMax: Infinity };
const OURS = { small: 0.05, isCounted: true, hitsMin: 1, stepsMax: 32 };
/** Four tags of two bytes for eight keys: a byte for each. */
const TAGS_PER_BUCKET = 4;

type Policy = { readonly name: string; readonly create: (size: CacheSize, seed: number) => SimulatedCache };

const POLICIES: readonly Policy[] = [
  { name: 'LRU', create: createLru },
  { name: 'LFU, 5 samples', create: (size, seed) => createSampledLfu(size, 5, chanceOf(seed)) },
  { name: 'LFU, 10 samples', create: (size, seed) => createSampledLfu(size, 10, chanceOf(seed)) },
  { name: 'SIEVE', create: createSieve },
  {
    name: 'W-TinyLFU, 1 B a key',
    create: (size) => createTinyLfu(size, { window: 0.01, counters: 2, rows: 2 }),
  },
  {
    name: 'W-TinyLFU, 8 B a key',
    create: (size) => createTinyLfu(size, { window: 0.01, counters: 16, rows: 4 }),
  },
  {
    name: 'S3-FIFO, paper',
    create: (size) => createFifo(size, { ...PAPER, createGhosts: createExactGhosts }),
  },
  {
    name: 'S3-FIFO, 10 %',
    create: (size) => createFifo(size, { ...OURS, small: 0.1, createGhosts: ourGhosts }),
  },
  {
    name: 'S3-FIFO, 1 %',
    create: (size) => createFifo(size, { ...OURS, small: 0.01, createGhosts: ourGhosts }),
  },
  { name: 'S3-FIFO, ours', create: (size) => createFifo(size, { ...OURS, createGhosts: ourGhosts }) },
];

/** One workload at one size, and the hit ratio of each policy. */
type Compared = { readonly workload: string; readonly share: number; readonly ratios: readonly Spread[] };

await runBenchmark(DEFAULTS, main);

async function main(given: PolicyOptions): Promise<void> {
  const options = given.quick ? { ...given, ...QUICK } : given;
  const machine = describeMachine([]);
  const compared: Compared[] = [];
  for (const name of parseNameList('workloads', options.workloads, WORKLOAD_NAMES)) {
    for (const share of SHARES) compared.push(compare(name, share, options));
  }
  const columns: Column[] = ['workload', 'holds', ...POLICIES.map(({ name }) => name)].map(
    (heading, index) => ({ heading, align: index === 0 ? 'left' : 'right' }),
  );
  process.stdout.write(
    `# Policies of eviction, simulated\n\n${machineText(machine)}` +
      `Hit ratios in percent of ${options.reads} reads after ${options.warm} that do not count, over ${options.keys} keys ` +
      `(twice as many where scans read others); medians of ${options.seeds} seeds. \`holds\`: the cache's share of the bytes of ` +
      `all entries. LFU is redis-server's, with minutes that pass every million reads.\n\n` +
      markdownTable(columns, [...compared.map(rowOf), meanRow(compared)]),
  );
  const rows = compared.flatMap(resultRows);
  writeResult(options.json, { name: 'bench:policies', machine, options, rows });
}

function compare(name: WorkloadName, share: number, options: PolicyOptions): Compared {
  const { keys, warm, reads, seeds } = options;
  tellProgress(`${name}, a cache for ${percentText(share)}`);
  const ratios = POLICIES.map((): number[] => []);
  for (let seed = options.seed; seed < options.seed + seeds; seed += 1) {
    const workload = createWorkload(name, keys, warm + reads, seed);
    const trace = Int32Array.from({ length: warm + reads }, () => workload.next());
    const size = sizeFor(workload, share);
    POLICIES.forEach(({ create }, index) => {
      ratios[index].push(hitRatioOf(create(size, seed), workload, trace, warm));
    });
  }
  return { workload: name, share, ratios: ratios.map(spreadOf) };
}

function sizeFor(workload: Workload, share: number): CacheSize {
  const { keys } = workload;
  return { keys, bytesMax: bytesOfAll(workload) * share, entries: Math.ceil(keys * share) };
}

function hitRatioOf(read: SimulatedCache, { bytesOf }: Workload, trace: Int32Array, warm: number): number {
  let hits = 0;
  for (let at = 0; at < trace.length; at += 1) {
    const isHit = read(trace[at], bytesOf(trace[at]));
    if (isHit && at >= warm) hits += 1;
  }
  return hits / (trace.length - warm);
}

function ourGhosts(size: CacheSize) {
  return createTagGhosts(size, TAGS_PER_BUCKET);
}

function chanceOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = nextRandom(state);
    return (state >>> 0) / 2 ** 32;
  };
}

function rowOf({ workload, share, ratios }: Compared): string[] {
  return [workload, percentText(share), ...ratios.map(({ median }) => pointsText(median))];
}

function meanRow(compared: readonly Compared[]): string[] {
  const means = POLICIES.map(
    (_, index) => compared.reduce((sum, { ratios }) => sum + ratios[index].median, 0) / compared.length,
  );
  return ['mean', '', ...means.map(pointsText)];
}

function pointsText(ratio: number): string {
  return (100 * ratio).toFixed(2);
}

function resultRows({ workload, share, ratios }: Compared): ResultRow[] {
  return POLICIES.map(({ name }, index) => ({
    set: 'hit-ratio',
    server: name,
    workload,
    share,
    hitRatio: ratios[index],
  }));
}
