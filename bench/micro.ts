/**
 * `npm run bench:micro`: the parts of the server in one process, without sockets. The rows of the original C++ program
 * have its names, and beside each stands what this server does in addition.
 */
import { BREAKER_CASES } from './support/cases-breaker.ts';
import { CACHE_CASES } from './support/cases-cache.ts';
import { CLUSTER_CASES } from './support/cases-cluster.ts';
import { CONCURRENT_CASES } from './support/cases-concurrent.ts';
import { LOG_CASES } from './support/cases-log.ts';
import { PROTOCOL_CASES } from './support/cases-protocol.ts';
import { PUBSUB_CASES } from './support/cases-pubsub.ts';
import { SNAPSHOT_CASES } from './support/cases-snapshots.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable } from './support/markdown.ts';
import { measureCase } from './support/measure.ts';
import { BadFlag, type Options, runBenchmark, tellProgress, writeJson } from './support/options.ts';
import type { Spread } from './support/statistics.ts';

/** `only`: rows whose name begins so. A row alone shows it without the type feedback of the others. */
const DEFAULTS = { runs: 9, 'warm-ups': 4, only: '', json: '' };

const MILLION = 1e6;
const SECONDS_TO_NS = 1e9;

const COLUMNS: readonly Column[] = [
  { heading: 'row', align: 'left' },
  { heading: 'million/s', align: 'right' },
  { heading: 'least-largest', align: 'right' },
  { heading: 'ns each', align: 'right' },
  { heading: 'data', align: 'left' },
  { heading: 'what ours does in addition', align: 'left' },
];

await runBenchmark(DEFAULTS, main);

async function main(options: Options<typeof DEFAULTS>): Promise<void> {
  const all = [
    ...CACHE_CASES,
    ...CONCURRENT_CASES,
    ...BREAKER_CASES,
    ...CLUSTER_CASES,
    ...LOG_CASES,
    ...PROTOCOL_CASES,
    ...PUBSUB_CASES,
    ...SNAPSHOT_CASES,
  ];
  const cases = all.filter(({ name }) => name.startsWith(options.only));
  if (cases.length === 0)
    throw new BadFlag(`--only ${options.only}: one of ${all.map(({ name }) => name).join(', ')}`);
  const rows: { name: string; data: string; adds: string; perSecond: Spread }[] = [];
  for (const testCase of cases) {
    tellProgress(testCase.name);
    const perSecond = await measureCase(testCase, { runs: options.runs, warmUps: options['warm-ups'] });
    rows.push({ name: testCase.name, data: testCase.data, adds: testCase.adds, perSecond });
  }
  const machine = describeMachine([]);
  const table = markdownTable(
    COLUMNS,
    rows.map(({ name, data, adds, perSecond }) => [name, ...speedCells(perSecond), data, adds]),
  );
  process.stdout.write(
    `${machineText(machine)}${table}\nMedian of ${options.runs} runs; one thread unless the row says more.\n`,
  );
  writeJson(options.json, { machine, options, rows });
}

function speedCells({ median, min, max }: Spread): string[] {
  const millions = (perSecond: number): string => (perSecond / MILLION).toFixed(2);
  return [millions(median), `${millions(min)}-${millions(max)}`, (SECONDS_TO_NS / median).toFixed(1)];
}
