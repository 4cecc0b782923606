/**
 * `npm run bench:mrc`: how far the sampled miss-ratio curve is off. First against exact least-recently-used caches, simulated
 * at several sizes beside it; then a real server's prediction for half and double of its memory against servers that have so
 * much, under the same reads.
 */
import { setTimeout } from 'node:timers/promises';
import { MISS_RATIO_KEYS_MAX } from '../src/config/limits.ts';
import type { MissRatioReading } from '../src/metrics/miss-ratio.ts';
import { readThroughServer } from './support/cache-aside.ts';
import { type Comparison, compareWithExact } from './support/cache-simulation.ts';
import { bytesOfAll, createWorkload, WORKLOAD_NAMES, type WorkloadName } from './support/cache-workloads.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable, percentText } from './support/markdown.ts';
import { type Options, runBenchmark, tellProgress, writeJson } from './support/options.ts';
import { ourPeer, type RunningPeer, withPeer } from './support/peers.ts';

const DEFAULTS = { keys: 100_000, reads: 500_000, seed: 20_261_122, json: '', quick: false };

/** Sizes as factors of the cache that serves, which holds a fifth of all entries. */
const FACTORS = [0.125, 0.25, 0.5, 0.75, 1, 1.5, 2, 3];
const LIMIT_SHARE = 0.2;

/** Of the keys: as many as there is room for, and as few as a busy server samples. */
const RATES = [1, 0.02];
const SEEDS = 3;

const QUICK_READS = 50_000;

const SERVER_WORKLOADS: readonly WorkloadName[] = ['Zipf 0.7', 'Zipf 0.99', 'Zipf 0.99 and scans'];
const SERVER_LIMIT_MIB = 4;
/** Servers get so many times fewer keys and reads than the simulation. */
const SERVER_PART = 2;
const SERVER_FACTORS = [0.5, 1, 2];

/** Until main has taken in what was sampled last. */
const SETTLE_MS = 500;

const SIMULATED_COLUMNS: readonly Column[] = [
  { heading: 'workload', align: 'left' },
  { heading: 'seed', align: 'right' },
  { heading: 'sampled keys', align: 'right' },
  { heading: 'of all', align: 'right' },
  { heading: 'of all reads', align: 'right' },
  { heading: 'largest error', align: 'right' },
  { heading: 'mean error', align: 'right' },
  ...FACTORS.map((factor): Column => ({ heading: `${factor} x`, align: 'right' })),
];

const SERVER_COLUMNS: readonly Column[] = [
  { heading: 'workload', align: 'left' },
  { heading: 'sampled keys', align: 'right' },
  { heading: 'of all', align: 'right' },
  ...['half', 'now', 'double'].map(
    (size): Column => ({ heading: `${size}: measured, predicted`, align: 'right' }),
  ),
  { heading: 'largest error', align: 'right' },
];

type Simulated = Comparison & { readonly workload: string; readonly seed: number };

/** What CACHE.MRC says of three sizes, and what servers of these sizes measured. */
type Served = {
  readonly workload: string;
  readonly sampledKeys: number;
  readonly rate: number;
  readonly predicted: readonly number[];
  readonly measured: readonly number[];
};

await runBenchmark(DEFAULTS, main);

async function main(given: Options<typeof DEFAULTS>): Promise<void> {
  const options = given.quick ? { ...given, reads: QUICK_READS } : given;
  const machine = describeMachine([ourPeer().version]);
  const simulated = simulateAll(options);
  const served: Served[] = [];
  for (const name of SERVER_WORKLOADS) served.push(await serve(name, options));
  process.stdout.write(
    `# Miss-ratio curve\n\n${machineText(machine)}` +
      `Hit ratios, exact and predicted, of ${options.reads} reads over ${options.keys} keys; 1 x is a cache that holds ` +
      `${percentText(LIMIT_SHARE)} of the bytes of all entries.\n\n` +
      `${markdownTable(SIMULATED_COLUMNS, simulated.map(simulatedRow))}\n` +
      `Servers of half, once and double ${SERVER_LIMIT_MIB} MiB under the same reads, half as many over half as many keys; the prediction is the middle one's.\n\n` +
      `${markdownTable(SERVER_COLUMNS, served.map(servedRow))}`,
  );
  writeJson(options.json, { machine, options, simulated, served });
}

function simulateAll({ keys, reads, seed }: Options<typeof DEFAULTS>): Simulated[] {
  const results: Simulated[] = [];
  for (const rateMax of RATES) {
    for (const name of WORKLOAD_NAMES) {
      for (let run = 0; run < SEEDS; run += 1) {
        tellProgress(`${name}, rate ${rateMax}, run ${run + 1} of ${SEEDS}`);
        const workload = createWorkload(name, keys, reads, seed + run);
        const limitBytes = bytesOfAll(workload) * LIMIT_SHARE;
        const sampling = { keysMax: MISS_RATIO_KEYS_MAX, rateMax, seed: seed + run };
        const comparison = compareWithExact({ workload, reads, limitBytes, factors: FACTORS, ...sampling });
        results.push({ ...comparison, workload: name, seed: seed + run });
      }
    }
  }
  return results;
}

async function serve(name: WorkloadName, options: Options<typeof DEFAULTS>): Promise<Served> {
  const { seed } = options;
  const [keys, reads] = [options.keys / SERVER_PART, options.reads / SERVER_PART];
  const measured: number[] = [];
  let reading: MissRatioReading | undefined;
  for (const factor of SERVER_FACTORS) {
    tellProgress(`${name}, ${factor} x ${SERVER_LIMIT_MIB} MiB`);
    const peer = ourPeer(['--maxmemory', `${SERVER_LIMIT_MIB * factor}mb`]);
    const use = async ({ port, httpPort }: RunningPeer): Promise<void> => {
      const hits = await readThroughServer(port, createWorkload(name, keys, reads, seed), reads);
      measured.push(hits / reads);
      await setTimeout(SETTLE_MS);
      if (factor === 1) reading = await fetchMissRatio(httpPort);
    };
    await withPeer(peer, use, { http: true });
  }
  if (reading === undefined) throw new Error('the server told no curve');
  const predicted = [reading.half, reading.now, reading.double].map(({ hitRatio }) => hitRatio ?? 0);
  return { workload: name, sampledKeys: reading.sampledKeys, rate: reading.rate, predicted, measured };
}

async function fetchMissRatio(httpPort: number): Promise<MissRatioReading> {
  const response = await fetch(`http://127.0.0.1:${httpPort}/metrics.json`);
  const { missRatio } = (await response.json()) as { missRatio: MissRatioReading };
  return missRatio;
}

function simulatedRow(result: Simulated): string[] {
  const { workload, seed, sampledKeys, rate, sampledShare, errorMax, errorMean, sizes } = result;
  return [
    workload,
    String(seed),
    String(sampledKeys),
    percentText(rate),
    percentText(sampledShare),
    errorMax.toFixed(4),
    errorMean.toFixed(4),
    ...sizes.map(({ exact, predicted }) => `${exact.toFixed(3)}, ${predicted.toFixed(3)}`),
  ];
}

function servedRow({ workload, sampledKeys, rate, predicted, measured }: Served): string[] {
  const errors = measured.map((ratio, index) => Math.abs(ratio - predicted[index]));
  return [
    workload,
    String(sampledKeys),
    percentText(rate),
    ...measured.map((ratio, index) => `${ratio.toFixed(3)}, ${predicted[index].toFixed(3)}`),
    Math.max(...errors).toFixed(4),
  ];
}
