/**
 * Crash test of a real server: load it, kill it at a random moment, start it again, compare with what it had acknowledged.
 *
 *   npm run crash -- --rounds 500 --seed 7 --target distcache --fsync all --workers 2 --seconds-per-round 0.3
 *
 * Prints a line per round and a summary; with --json the lines go to standard error and standard output is one JSON object.
 * Exits with 1 when something was found, and keeps the data folder then.
 */
import { parseArgs } from 'node:util';
import { randomSeed } from '../src/base/random.ts';
import type { Finding, FindingKind } from '../test/support/crash/history.ts';
import {
  type Outcome,
  type RoundReport,
  type RoundsOptions,
  runRounds,
} from '../test/support/crash/rounds.ts';
import { FSYNC_POLICIES, TARGETS } from '../test/support/crash/target.ts';

const OPTIONS = {
  rounds: { type: 'string', default: '200' },
  seed: { type: 'string' },
  target: { type: 'string', default: 'distcache' },
  fsync: { type: 'string', default: 'all' },
  workers: { type: 'string', default: '2' },
  'seconds-per-round': { type: 'string', default: '0.3' },
  'ballast-keys': { type: 'string', default: '20000' },
  json: { type: 'boolean', default: false },
} as const;
const SUMMED_KINDS: readonly FindingKind[] = [
  'lost',
  'torn',
  'phantom',
  'resurrected',
  'deadline',
  'refused',
  'broken',
];
const FINDINGS_TOLD_MAX = 5;
const LINE_CHARACTERS_MAX = 240;
const SECONDS_MAX = 60;
const COUNT_MAX = 1_000_000;
const EXIT_CODE_FOUND = 1;
const EXIT_CODE_USAGE = 2;

const { options, isJson } = readOptions(process.argv.slice(2));
const say = (line: string) => (isJson ? process.stderr : process.stdout).write(`${line}\n`);
const reports: RoundReport[] = [];
say(`target ${options.target.name}, fsync ${options.policies.join(' ')}, seed ${options.seed}`);
const outcome = await runRounds(options, (report) => {
  reports.push(report);
  say(roundLine(report));
});
for (const finding of outcome.findings.slice(0, FINDINGS_TOLD_MAX)) sayFinding(finding);
say(summaryLine(outcome));
if (outcome.kept !== undefined)
  say(`seed ${options.seed}; the data is kept in the temporary folder, in ${outcome.kept}`);
if (isJson) process.stdout.write(`${JSON.stringify(asJson(outcome))}\n`);
process.exitCode = outcome.findings.length > 0 ? EXIT_CODE_FOUND : 0;

function readOptions(argumentList: readonly string[]): { options: RoundsOptions; isJson: boolean } {
  const values = parseFlags(argumentList);
  const target = TARGETS.find(({ name }) => name === values.target);
  if (target === undefined) refuse(`--target is one of ${TARGETS.map(({ name }) => name).join(', ')}`);
  const policies = FSYNC_POLICIES.filter((policy) => values.fsync === 'all' || values.fsync === policy);
  if (policies.length === 0) refuse(`--fsync is one of ${FSYNC_POLICIES.join(', ')}, all`);
  return {
    isJson: values.json,
    options: {
      rounds: numberOf(values.rounds, 'rounds', 1, COUNT_MAX),
      seed: values.seed === undefined ? randomSeed() >>> 1 : numberOf(values.seed, 'seed', 0, 2 ** 31),
      target,
      policies,
      workers: numberOf(values.workers, 'workers', 1, 64),
      secondsPerRound: numberOf(values['seconds-per-round'], 'seconds-per-round', 0.001, SECONDS_MAX),
      keepsData: true,
      ballastKeys: numberOf(values['ballast-keys'], 'ballast-keys', 1, COUNT_MAX),
    },
  };
}

function parseFlags(argumentList: readonly string[]) {
  try {
    return parseArgs({ args: [...argumentList], options: OPTIONS, strict: true }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function numberOf(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  return refuse(`--${name} is a number from ${least} to ${most}`);
}

function refuse(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(EXIT_CODE_USAGE);
}

function roundLine(report: RoundReport): string {
  const starts = report.startKills > 0 ? `, ${report.startKills} times while starting` : '';
  return [
    `round ${`${report.round}`.padStart(4)}`,
    report.policy.padEnd(8),
    `workers ${report.workers}`,
    `acknowledged ${`${report.acknowledged}`.padStart(6)}`,
    `ended ${report.ending} after ${report.endedAfterMs} ms${starts}`,
    `restart ${report.restartMs} ms`,
    report.findings.length === 0 ? 'ok' : `FAILED: ${report.findings.map(({ kind }) => kind).join(' ')}`,
  ].join('  ');
}

function sayFinding({ kind, where, text, history }: Finding): void {
  say(`${kind}: ${where}\n  ${text}`);
  for (const line of history) say(`    ${shorten(line)}`);
}

/** The words at the end say whether it was acknowledged. */
function shorten(line: string): string {
  if (line.length <= LINE_CHARACTERS_MAX) return line;
  return `${line.slice(0, LINE_CHARACTERS_MAX - 20)} ... ${line.slice(-14)}`;
}

function summaryLine({ rounds, acknowledged, findings }: Outcome): string {
  const counts = SUMMED_KINDS.map((kind) => `${kind} ${countOf(findings, kind)}`);
  return `rounds ${rounds}, acknowledged ${acknowledged} writes, ${counts.join(', ')}`;
}

function countOf(findings: readonly Finding[], kind: FindingKind): number {
  return findings.filter((finding) => finding.kind === kind).length;
}

function asJson(result: Outcome): object {
  const { target, policies, seed, workers, secondsPerRound, ballastKeys } = options;
  const restarts = reports.map(({ restartMs }) => restartMs).sort((a, b) => a - b);
  return {
    target: target.name,
    fsync: policies,
    seed,
    workers,
    secondsPerRound,
    ballastKeys,
    counts: Object.fromEntries(SUMMED_KINDS.map((kind) => [kind, countOf(result.findings, kind)])),
    restartMedianMs: restarts[restarts.length >> 1],
    restartMostMs: restarts.at(-1),
    startKills: reports.reduce((sum, { startKills }) => sum + startKills, 0),
    ...result,
    reports,
  };
}
