/** The two servers of a differential run; ours may be ended and started again over its data. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProgram, type Program as Process } from '../program.ts';
import { freePort, startRedisServer } from '../redis-server.ts';
import { SERVER_MAIN } from '../server-main.ts';
import { until } from '../until.ts';
import { openConversation } from './conversation.ts';
import { type Program, type Settings, thresholdSettings } from './program.ts';
import type { Pair } from './run.ts';

export type ServerPair = Pair & {
  /** What programs must leave as it is: after a restart the server is as its flags say. */
  readonly settings: Settings | undefined;
  /** Ends ours, not always gently, and starts it again. */
  restart(): Promise<boolean>;
  stop(): Promise<void>;
};

type Options = { readonly workers: number; readonly isRestarted: boolean };

const COMMANDS_PER_RESTART = 20_000;
const ENTRIES = 40;
const VALUE_BYTES = 24;
const MEMORY = '1gb';
const START_MS_MAX = 60_000;

/** Resolves when both answer. */
export async function createServerPair({ workers, isRestarted }: Options): Promise<ServerPair> {
  const redis = await startRedisServer(['--maxmemory', MEMORY]);
  const folder = mkdtempSync(join(tmpdir(), 'distcache-differential-'));
  const port = await freePort();
  const settings = isRestarted ? thresholdSettings(ENTRIES, VALUE_BYTES) : undefined;
  const thresholds = (settings ?? []).flatMap(([name, value]) => [`--${name}`, value]);
  const log = isRestarted ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
  const ours = createProgram({
    name: 'ours',
    program: process.execPath,
    flags: [
      SERVER_MAIN,
      ...['--port', `${port}`, '--http-port', '0', '--workers', `${workers}`, '--maxmemory', MEMORY],
      ...['--save', '', '--rehearsal', 'no', '--dir', folder, ...log, ...thresholds],
    ],
  });
  ours.start();
  await untilAnswers(ours, port);
  let [commandsLeft, restarts] = [COMMANDS_PER_RESTART, 0];
  const restart = async () => {
    restarts += 1;
    await (restarts % 2 === 0 ? ours.stop() : ours.kill());
    ours.start();
    await untilAnswers(ours, port);
    await rewriteLog(port);
    return true;
  };
  const restartAtTimes = async (commands: number): Promise<boolean> => {
    commandsLeft -= commands;
    if (commandsLeft > 0) return false;
    commandsLeft = COMMANDS_PER_RESTART;
    return restart();
  };
  return {
    ourPort: () => port,
    theirPort: redis.port,
    settings,
    restart,
    disturb: isRestarted ? restartAtTimes : undefined,
    stop: async () => {
      await ours.stop();
      await redis.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Where ours is restarted, a program has the settings of its flags, and no SORT: that makes a sorted set a skiplist for the time of the
 * process, in both.
 */
export function fittedTo({ settings }: ServerPair, program: Program): Program {
  if (settings === undefined) return program;
  const units = program.units.filter((unit) => !unit.some(([name]) => /^sort/i.test(String(name))));
  return { ...program, settings, isOrdered: false, units };
}

/** Begins a snapshot, which what comes then changes while it is taken. */
async function rewriteLog(port: number): Promise<void> {
  const conversation = await openConversation(port);
  const [reply] = await conversation.ask([['BGREWRITEAOF']]);
  conversation.close();
  if (!reply.startsWith('+')) throw new Error(`the log is not written anew: ${reply}`);
}

function untilAnswers(ours: Process, port: number): Promise<void> {
  return until(() => answers(ours, port), {
    what: () => `our server does not answer: ${ours.output()}`,
    msMax: START_MS_MAX,
  });
}

/** While it loads its data it answers, but not this. */
async function answers(ours: Process, port: number): Promise<boolean> {
  if (!ours.isRunning()) throw new Error(`our server has ended: ${ours.output()}`);
  try {
    const conversation = await openConversation(port);
    const [reply] = await conversation.ask([['DBSIZE']]);
    conversation.close();
    return reply.startsWith(':');
  } catch {
    return false;
  }
}
