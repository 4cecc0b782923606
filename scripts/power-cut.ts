/**
 * Simulated lives of data folders: servers on a disk in memory, ended by power cuts and kills at any of its operations, and started
 * again. Each start must find what was promised, and a state that once was.
 *
 *   npm run power-cut -- --seeds 5000 --from 1 [--collections]
 *
 * With --collections there are lists, sets, hashes and sorted sets among the keys. Prints the seeds that failed and a summary;
 * exits with 1 when there was one. A seed always tells the same story.
 */
import { parseArgs } from 'node:util';
import { livePowerCuts, liveWithCollections, type Tally } from '../test/support/power-cut/simulation.ts';

const FAILURES_TOLD_MAX = 10;
const REPORT_MS = 10_000;
const MS_PER_SECOND = 1000;
const EXIT_CODE_FOUND = 1;
const EXIT_CODE_USAGE = 2;
const COUNT_MAX = 2 ** 31;

const { seeds, from, live } = readOptions();
const startedMs = performance.now();
const sums: Tally = { starts: 0, powerCuts: 0, kills: 0, blocks: 0, blocksLost: 0, snapshots: 0 };
let failures = 0;
let reportedMs = startedMs;
for (let seed = from; seed < from + seeds; seed += 1) {
  try {
    add(live(seed));
  } catch (error) {
    failures += 1;
    if (failures <= FAILURES_TOLD_MAX) say(`seed ${seed} failed: ${(error as Error).message}`);
  }
  if (performance.now() - reportedMs < REPORT_MS) continue;
  reportedMs = performance.now();
  say(`${seed + 1 - from} of ${seeds} seeds, ${rate(seed + 1 - from)}`);
}
say(
  `seeds ${seeds}, failed ${failures}, starts ${sums.starts}, power cuts ${sums.powerCuts}, kills ${sums.kills}, ` +
    `snapshots ${sums.snapshots}, blocks kept ${sums.blocks} and lost as they may be ${sums.blocksLost}, ${rate(seeds)}`,
);
process.exitCode = failures > 0 ? EXIT_CODE_FOUND : 0;

function readOptions(): { seeds: number; from: number; live: (seed: number) => Tally } {
  try {
    const options = {
      seeds: { type: 'string', default: '5000' },
      from: { type: 'string', default: '1' },
      collections: { type: 'boolean', default: false },
    } as const;
    const { values } = parseArgs({ options, strict: true });
    const live = values.collections ? liveWithCollections : (seed: number) => livePowerCuts(seed);
    return { seeds: numberOf(values.seeds, 'seeds'), from: numberOf(values.from, 'from'), live };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(EXIT_CODE_USAGE);
  }
}

function numberOf(text: string, name: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= COUNT_MAX) return value;
  throw new Error(`--${name} is a whole number from 1 to ${COUNT_MAX}`);
}

function add(tally: Tally): void {
  for (const name of Object.keys(sums) as (keyof Tally)[]) sums[name] += tally[name];
}

function rate(done: number): string {
  return `${Math.round((done * MS_PER_SECOND) / (performance.now() - startedMs))} seeds a second`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
