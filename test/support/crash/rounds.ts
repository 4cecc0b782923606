/**
 * Round after round on one folder: load, kill at a random moment, start again, compare with the history, go on from there.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openWire } from '../wire.ts';
import { checkBallast, loadBallast } from './ballast.ts';
import { createCast } from './cast.ts';
import { type Chance, createChance } from './chance.ts';
import { type Load, type Role, startLoad } from './clients.ts';
import { readFound } from './found.ts';
import { createFinding, type Finding, type History } from './history.ts';
import {
  type FsyncPolicy,
  launchTarget,
  type Running,
  startTarget,
  stopTarget,
  type Target,
} from './target.ts';
import { adoptFound, verifyFound } from './verify.ts';

export type RoundsOptions = {
  readonly rounds: number;
  readonly seed: number;
  readonly target: Target;
  /** Taken in turn. */
  readonly policies: readonly FsyncPolicy[];
  /** The usual number of workers; some rounds take 2, 1 or 4. */
  readonly workers: number;
  /** The mean length of the load. */
  readonly secondsPerRound: number;
  /** Keys that are written once and must be there ever after. */
  readonly ballastKeys: number;
  /** Whether the data folder stays when something was found. */
  readonly keepsData: boolean;
};

/** How a round's load ended. */
type Ending = 'under load' | 'while saving' | 'when quiet' | 'by SIGTERM' | 'while stopping';

export type RoundReport = {
  readonly round: number;
  readonly policy: FsyncPolicy;
  readonly workers: number;
  readonly acknowledged: number;
  readonly ending: Ending;
  readonly endedAfterMs: number;
  /** Kills during the start that followed. */
  readonly startKills: number;
  readonly restartMs: number;
  readonly findings: readonly Finding[];
};

export type Outcome = {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly findings: readonly Finding[];
  /** The name of the data folder below the system's temporary folder, where it was kept. */
  readonly kept?: string;
};

type Run = {
  readonly options: RoundsOptions;
  readonly folder: string;
  readonly history: History;
  readonly roles: readonly Role[];
  readonly databases: readonly number[];
  policy: FsyncPolicy;
  workers: number;
  restartMs: number;
};

const WORKER_COUNTS = [2, 1, 4];
const SAVE_COMMANDS = ['BGSAVE', 'BGREWRITEAOF', 'BGREWRITEAOF', 'SAVE'];
const SAVE_KILL_MS_MAX = 60;
const STOP_KILL_MS_MAX = 40;
const QUIET_MS_MAX = 10_000;
/** A guess, for kills of the first start. */
const FIRST_START_MS = 200;
const MS_PER_SECOND = 1000;
/** Streams of chance: the plan of the rounds, the keys, and one for each connection of each round. */
const PLAN_STREAM = 0;
const KEYS_STREAM = 1;
const CLIENT_STREAMS = 100;

/** Runs until all rounds are done or something is found. */
export async function runRounds(
  options: RoundsOptions,
  onRound: (report: RoundReport) => void,
): Promise<Outcome> {
  const run = createRun(options);
  const plan = createChance(options.seed, PLAN_STREAM);
  await killStarts(run, plan);
  const first = await start(run);
  const findings = 'kind' in first ? [first] : await playRounds(run, first, plan, onRound);
  const { round, acknowledgedWrites } = run.history;
  const outcome = { rounds: round, acknowledged: acknowledgedWrites, findings };
  if (findings.length > 0 && options.keepsData) return { ...outcome, kept: basename(run.folder) };
  rmSync(run.folder, { recursive: true, force: true });
  return outcome;
}

async function playRounds(
  run: Run,
  first: Running,
  plan: Chance,
  onRound: (report: RoundReport) => void,
): Promise<Finding[]> {
  const { history, options } = run;
  let running = first;
  const findings: Finding[] = await attempt('the first keys', running, async () => {
    await loadBallast(running.port, options.ballastKeys);
    return [];
  });
  while (findings.length === 0 && history.round < options.rounds) {
    const { report, next } = await runRound(run, running, plan);
    findings.push(...report.findings);
    onRound(report);
    running = next ?? running;
  }
  if (findings.length === 0) {
    const checkAll = () => checkBallast(running.port, options.ballastKeys);
    findings.push(...(await attempt('the last look', running, checkAll)));
  }
  await stopTarget(running, 'SIGKILL');
  return findings;
}

/** A server that does not answer as it should is a finding too. */
async function attempt(where: string, running: Running, act: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await act();
  } catch (error) {
    return [createFinding('broken', where, `${(error as Error).message}: ${running.output()}`)];
  }
}

function createRun(options: RoundsOptions): Run {
  const { roles, history } = createCast(createChance(options.seed, KEYS_STREAM));
  return {
    options,
    folder: mkdtempSync(join(tmpdir(), 'distcache-crash-')),
    history,
    roles,
    databases: [...new Set(history.sessions.flatMap(({ databases }) => databases))],
    policy: options.policies[0],
    workers: options.workers,
    restartMs: FIRST_START_MS,
  };
}

async function runRound(
  run: Run,
  running: Running,
  plan: Chance,
): Promise<{ report: RoundReport; next?: Running }> {
  const { history, options } = run;
  history.round += 1;
  const before = { acknowledged: history.acknowledgedWrites, policy: run.policy, workers: run.workers };
  const ending = chooseEnding(plan);
  const startedMs = Date.now();
  const troubles = await loadAndKill(run, running, ending, plan);
  const endedAfterMs = Date.now() - startedMs;
  run.policy = options.policies[history.round % options.policies.length];
  run.workers = plan.happens(0.7) ? options.workers : plan.pick(WORKER_COUNTS);
  const diedMs = Date.now();
  const startKills = await killStarts(run, plan);
  const restarted = await start(run);
  const next = 'kind' in restarted ? undefined : restarted;
  const found = 'kind' in restarted ? [restarted] : await compare(run, restarted, diedMs);
  const report = {
    round: history.round,
    policy: before.policy,
    workers: before.workers,
    acknowledged: history.acknowledgedWrites - before.acknowledged,
    ending,
    endedAfterMs,
    startKills,
    restartMs: run.restartMs,
    findings: [...troubles, ...history.findings, ...found],
  };
  return { report, next };
}

function chooseEnding(plan: Chance): Ending {
  const choice = plan.below(20);
  if (choice < 9) return 'under load';
  if (choice < 15) return 'while saving';
  if (choice < 16) return 'when quiet';
  return choice < 19 ? 'by SIGTERM' : 'while stopping';
}

/** Returns once the server and all connections have ended. */
async function loadAndKill(run: Run, running: Running, ending: Ending, plan: Chance): Promise<Finding[]> {
  const { history, options, roles } = run;
  const chanceOf = (client: number) =>
    createChance(options.seed, CLIENT_STREAMS * (history.round + 1) + client);
  const load = await startLoad(running.port, history, roles, chanceOf).catch(() => undefined);
  if (load === undefined) {
    await stopTarget(running, 'SIGKILL');
    return [createFinding('broken', 'the server', `it takes no connections: ${running.output()}`)];
  }
  const loadMs = 1 + plan.below(2 * options.secondsPerRound * MS_PER_SECOND);
  await Promise.race([pause(loadMs), running.exit]);
  const trouble = running.hasEnded() ? 'it ended by itself' : await end(running, ending, load, plan);
  load.abandon();
  await load.ended;
  return trouble === undefined
    ? []
    : [createFinding('broken', 'the server', `${trouble}: ${running.output()}`)];
}

/** Ends the server in the way chosen. Returns what was wrong with that. */
async function end(running: Running, ending: Ending, load: Load, plan: Chance): Promise<string | undefined> {
  if (ending === 'by SIGTERM') return endCleanly(running);
  if (ending === 'while saving') {
    void sendQuietly(running.port, plan.pick(SAVE_COMMANDS));
    await pause(plan.below(SAVE_KILL_MS_MAX));
  }
  if (ending === 'while stopping') {
    running.kill('SIGTERM');
    await pause(plan.below(STOP_KILL_MS_MAX));
  }
  const isQuiet = ending !== 'when quiet' || (await isWithin(load.finish(), QUIET_MS_MAX));
  await stopTarget(running, 'SIGKILL');
  return isQuiet ? undefined : 'it left commands unanswered';
}

async function endCleanly(running: Running): Promise<string | undefined> {
  if (await stopTarget(running, 'SIGTERM')) return 'it did not stop in time';
  const code = running.child.exitCode;
  return code === 0 ? undefined : `it stopped with the code ${code}`;
}

/** Now and then the server is killed while it starts, up to three times in a row. Returns how often. */
async function killStarts(run: Run, plan: Chance): Promise<number> {
  let kills = 0;
  while (kills < 3 && plan.happens(0.25)) {
    kills += 1;
    const starting = await launchTarget(run.options.target, startOptions(run));
    await Promise.race([pause(plan.below(2 + 1.2 * run.restartMs)), starting.exit]);
    await stopTarget(starting, 'SIGKILL');
  }
  return kills;
}

async function start(run: Run): Promise<Running | Finding> {
  const startedMs = Date.now();
  try {
    return await startTarget(run.options.target, startOptions(run));
  } catch (error) {
    return createFinding('broken', 'the start', (error as Error).message);
  } finally {
    run.restartMs = Date.now() - startedMs;
  }
}

function startOptions({ folder, policy, workers }: Run): Parameters<typeof startTarget>[1] {
  return { folder, fsync: policy, workers };
}

function compare(run: Run, running: Running, diedMs: number): Promise<Finding[]> {
  const { history, options, databases } = run;
  return attempt('the comparison', running, async () => {
    const found = await readFound(running.port, databases);
    const findings = verifyFound(history, found, diedMs);
    findings.push(...(await checkBallast(running.port, options.ballastKeys, history.round)));
    adoptFound(history, found);
    return findings;
  });
}

/** The answer does not matter, and the server may die before it comes. */
async function sendQuietly(port: number, command: string): Promise<void> {
  const wire = await openWire(port).catch(() => undefined);
  await wire?.ask(command).catch(() => undefined);
  wire?.close();
}

function isWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  return Promise.race([promise.then(() => true), pause(ms).then(() => false)]);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
