/**
 * Fault test of a real cluster: clients append and read while nodes, etcd and the network between them fail; then their histories are
 * judged (test/support/cluster-faults/check.ts).
 *
 *   npm run cluster:test -- --schedules 50 --seed 7 --faults kill-owner,pause-owner --routing redirect --etcd-down-seconds 30
 *
 * Schedule i of a run has the seed `--seed` + i and one to three faults by chance; with `--faults` only of these kinds. `--routing both` takes turns.
 * Needs etcd; for cuts of the network root and `ip`, else they are left out, and it says so. Prints a line per schedule and a table; with --json
 * the lines go to standard error and standard output is one JSON object. Exits with 1 when something was found.
 */
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { randomSeed } from '../src/base/random.ts';
import { startCluster } from '../test/support/cluster.ts';
import { createNetwork, type Network, whyNoNetwork } from '../test/support/cluster-faults/network.ts';
import { type RunReport, runSchedule, type Stage, setStage } from '../test/support/cluster-faults/run.ts';
import { FAULT_KINDS, type FaultKind, scheduleOf } from '../test/support/cluster-faults/schedule.ts';

const OPTIONS = {
  schedules: { type: 'string', default: '50' },
  seed: { type: 'string' },
  faults: { type: 'string', default: FAULT_KINDS.join(',') },
  routing: { type: 'string', default: 'both' },
  writers: { type: 'string', default: '8' },
  readers: { type: 'string', default: '3' },
  ballast: { type: 'string', default: '5000' },
  'etcd-down-seconds': { type: 'string', default: '8' },
  /** Tells networks of several runs on one machine apart. */
  network: { type: 'string', default: '77' },
  json: { type: 'boolean', default: false },
} as const;
const ROUTINGS = ['forward', 'redirect'] as const;
const NODES = 3;
/** For one that joins. */
const HOMES = NODES + 1;
const ETCDS = 3;
const NODE_TIMEOUT_MS = 3_000;
const AWAY_EXTRA_MS = 3_000;
const CALM_MS = 1_000;
const MS_PER_SECOND = 1000;
const PROBLEMS_TOLD_MAX = 6;
const OUTPUT_CHARACTERS_TOLD_MAX = 1_500;
const EXIT_CODE_FOUND = 1;
const EXIT_CODE_USAGE = 2;

type Routing = (typeof ROUTINGS)[number];
type Told = RunReport & { readonly routing: Routing };

const { values } = parseArgs({ options: OPTIONS, strict: true });
// A signal alone would leave processes and networks behind: they go when this process exits.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => process.exit(EXIT_CODE_FOUND));
const firstSeed = values.seed === undefined ? randomSeed() >>> 8 : Number(values.seed);
const noNetwork = whyNoNetwork();
const kinds = readKinds();
const reports: Told[] = [];
say(`seed ${firstSeed}, faults ${kinds.join(' ')}`);
for (const routing of ROUTINGS) {
  if (values.routing === routing || values.routing === 'both') await runAll(routing);
}
tellAll();
process.exitCode = reports.some(({ problems }) => problems.length > 0) ? EXIT_CODE_FOUND : 0;

/** One cluster for all schedules, and a new one behind each that found something. */
async function runAll(routing: Routing): Promise<void> {
  let stage: Stage | undefined;
  for (let i = 0; i < Number(values.schedules); i += 1) {
    const isMine = values.routing === routing || ROUTINGS[i % ROUTINGS.length] === routing;
    if (!isMine) continue;
    stage ??= await openStage(routing);
    const report = { routing, ...(await runOne(stage, firstSeed + i)) };
    reports.push(report);
    tell(report);
    if (report.problems.length === 0) continue;
    tellNodes(stage);
    await closeStage(stage);
    stage = undefined;
  }
  if (stage !== undefined) await closeStage(stage);
}

function runOne(stage: Stage, seed: number): Promise<RunReport> {
  return runSchedule(stage, scheduleOf(seed, kinds), {
    writers: Number(values.writers),
    readers: Number(values.readers),
    hasShoppers: isGentle(scheduleOf(seed, kinds).faults),
    nodeTimeoutMs: NODE_TIMEOUT_MS,
    awayExtraMs: AWAY_EXTRA_MS,
    calmMs: CALM_MS,
    etcdDownMs: Number(values['etcd-down-seconds']) * MS_PER_SECOND,
  });
}

/** What an operator does on purpose costs an application no request. */
function isGentle(faults: readonly FaultKind[]): boolean {
  return faults.every((kind) => kind === 'rolling-restart' || kind === 'join-and-leave');
}

async function openStage(routing: Routing): Promise<Stage> {
  const network = kinds.some((kind) => kind.startsWith('cut-'))
    ? createNetwork(HOMES, Number(values.network))
    : undefined;
  if (network !== undefined) process.once('exit', network.remove);
  const cluster = await startCluster({
    nodes: NODES,
    etcds: ETCDS,
    homes: network?.homes,
    etcdHost: network?.etcdHost,
    flags: [
      ...['--cluster-routing', routing, '--cluster-node-timeout', `${NODE_TIMEOUT_MS}`],
      ...(network === undefined ? [] : ['--protected-mode', 'no']),
    ],
  });
  const isForwarded = routing === 'forward';
  return setStage({ cluster, network, ballastKeys: Number(values.ballast), isForwarded });
}

async function closeStage({ owners, cluster, network }: Stage): Promise<void> {
  owners.stop();
  await cluster.remove();
  removeNetwork(network);
}

function removeNetwork(network: Network | undefined): void {
  if (network === undefined) return;
  process.off('exit', network.remove);
  network.remove();
}

function readKinds(): FaultKind[] {
  const named = values.faults.split(',');
  const unknown = named.find((name) => !FAULT_KINDS.some((kind) => kind === name));
  if (unknown !== undefined) {
    process.stderr.write(`--faults ${unknown}: ${FAULT_KINDS.join(', ')}\n`);
    process.exit(EXIT_CODE_USAGE);
  }
  const wanted = FAULT_KINDS.filter((kind) => named.includes(kind));
  if (noNetwork === undefined) return wanted;
  const left = wanted.filter((kind) => !kind.startsWith('cut-'));
  if (left.length < wanted.length) say(`the network is not cut here: ${noNetwork}`);
  return left;
}

function tell({ schedule, routing, faults, verdict, problems, tookMs, requestsOfLibrary }: Told): void {
  const { acknowledged, safe, lostAtFailovers } = verdict;
  const writable = faults.map(
    ({ kind, writableMs }) => `${kind}${writableMs === undefined ? '' : ` ${writableMs.toFixed(0)} ms`}`,
  );
  const library = requestsOfLibrary === 0 ? '' : `, library ${requestsOfLibrary}`;
  say(
    [
      `seed ${schedule.seed}`,
      routing.padEnd(8),
      `acknowledged ${acknowledged} (safe ${safe}, lost at failovers ${lostAtFailovers}${library})`,
      `${(tookMs / MS_PER_SECOND).toFixed(0)} s`,
      writable.join(', ') || schedule.faults.join(', '),
      problems.length === 0 ? 'ok' : 'FAILED',
    ].join('  '),
  );
  for (const problem of problems.slice(0, PROBLEMS_TOLD_MAX)) say(`    ${problem}`);
}

function tellNodes({ cluster }: Stage): void {
  for (const { name, program } of cluster.nodes)
    say(`  ${name}: ...${program.output().slice(-OUTPUT_CHARACTERS_TOLD_MAX)}`);
}

function tellAll(): void {
  say('');
  for (const kind of FAULT_KINDS) {
    const all = reports.flatMap(({ faults }) => faults).filter((fault) => fault.kind === kind);
    if (all.length === 0) continue;
    const writable = all.flatMap(({ writableMs }) => (writableMs === undefined ? [] : [writableMs]));
    const most =
      writable.length === 0 ? '' : `, writes again after ${Math.max(...writable).toFixed(0)} ms at most`;
    say(`${kind.padEnd(18)} ${`${all.length}`.padStart(4)} times${most}`);
  }
  const sum = (of: (report: Told) => number) => reports.reduce((total, report) => total + of(report), 0);
  const failed = reports.filter(({ problems }) => problems.length > 0).length;
  const totals = {
    schedules: reports.length,
    failed,
    acknowledged: sum(({ verdict }) => verdict.acknowledged),
    safe: sum(({ verdict }) => verdict.safe),
    unknown: sum(({ verdict }) => verdict.unknown),
    lostAtFailovers: sum(({ verdict }) => verdict.lostAtFailovers),
    lostWindowMsMost: Math.max(0, ...reports.map(({ verdict }) => verdict.lostWindowMsMost)),
    requestsOfLibrary: sum(({ requestsOfLibrary }) => requestsOfLibrary),
    minutes: performance.now() / MS_PER_SECOND / 60,
  };
  say(
    `schedules ${totals.schedules}, failed ${failed}; acknowledged ${totals.acknowledged}, of these with a replica ${totals.safe} (none may be lost), ` +
      `lost at failovers ${totals.lostAtFailovers}, of at most ${totals.lostWindowMsMost.toFixed(0)} ms each; ${totals.minutes.toFixed(1)} minutes`,
  );
  if (values.json)
    process.stdout.write(`${JSON.stringify({ seed: firstSeed, kinds, ...totals, reports })}\n`);
}

function say(line: string): void {
  (values.json ? process.stderr : process.stdout).write(`${line}\n`);
}
