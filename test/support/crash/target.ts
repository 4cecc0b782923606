/**
 * The servers that can be put through crashes, each as a child process on a folder that outlives it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NODE_COMPILE_CACHE } from '../distcache-server.ts';
import { freePort } from '../redis-server.ts';
import { SERVER_MAIN } from '../server-main.ts';
import { openWire } from '../wire.ts';

export const FSYNC_POLICIES = ['everysec', 'always', 'no'] as const;
export type FsyncPolicy = (typeof FSYNC_POLICIES)[number];

export type StartOptions = { readonly folder: string; readonly fsync: FsyncPolicy; readonly workers: number };

type Launch = {
  readonly program: string;
  readonly flags: readonly string[];
  readonly httpPort: number;
};

/** How one kind of server is started. */
export type Target = {
  readonly name: string;
  launch(port: number, httpPort: number, options: StartOptions): Launch;
};

export type Running = {
  readonly port: number;
  readonly child: ChildProcess;
  readonly hasEnded: () => boolean;
  readonly exit: Promise<void>;
  /** The end of its standard output and error. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
};

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MAXMEMORY = '1gb';
const OUTPUT_CHARACTERS_MAX = 6_000;
const START_ATTEMPTS_MAX = 5;
const PORT_TAKEN_PATTERN = /address is in use|port is in use|Address already in use/;
/** Any answer at all, -LOADING included. */
const ANSWER_MS_MAX = 10_000;
const LOADED_MS_MAX = 60_000;
const RETRY_MS = 4;
const HTTP_OK = 200;

const DISTCACHE: Target = {
  name: 'distcache',
  launch: (port, httpPort, { folder, fsync, workers }) => ({
    program: process.execPath,
    flags: [
      SERVER_MAIN,
      ...['--port', `${port}`, '--http-port', `${httpPort}`, '--dir', folder, '--workers', `${workers}`],
      ...['--appendonly', 'yes', '--appendfsync', fsync, '--save', ''],
      ...['--rehearsal', 'no', '--maxmemory', MAXMEMORY, '--maxmemory-policy', 'noeviction'],
    ],
    httpPort,
  }),
};

function redisTarget(name: string, appendonly: 'yes' | 'no'): Target {
  return {
    name,
    launch: (port, _httpPort, { folder, fsync }) => ({
      program: 'redis-server',
      flags: [
        ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder],
        ...['--appendonly', appendonly, '--appendfsync', fsync, '--save', ''],
      ],
      httpPort: 0,
    }),
  };
}

/**
 * redis-server under everysec puts off its write while an fsync runs (flushAppendOnlyFile), and answers: on a disk whose fsync
 * takes its time it does lose acknowledged writes. `forgetful` is a redis-server that keeps no log: the harness must find that out.
 */
export const TARGETS: readonly Target[] = [
  DISTCACHE,
  redisTarget('redis', 'yes'),
  redisTarget('forgetful', 'no'),
];

/** Starts the server and waits for nothing. */
export async function launchTarget(
  target: Target,
  options: StartOptions,
): Promise<Running & { httpPort: number }> {
  const port = await freePort();
  const { program, flags, httpPort } = target.launch(port, await freePort(), options);
  const child = spawn(program, flags, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE },
  });
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  let output = '';
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  child.on('error', (error) => collect(Buffer.from(error.message)));
  let hasEnded = false;
  const exit = new Promise<void>((resolve) => {
    child.once('close', () => {
      hasEnded = true;
      process.off('exit', killWithUs);
      resolve();
    });
  });
  return {
    port,
    httpPort,
    child,
    exit,
    hasEnded: () => hasEnded,
    output: () => withoutPaths(output, options.folder),
    kill: (signal) => void child.kill(signal),
  };
}

/** Starts the server and resolves when it is ready: PONG, and /readyz 200 where it has one. Rejects with what it said. */
export async function startTarget(target: Target, options: StartOptions): Promise<Running> {
  for (let attempt = 1; ; attempt += 1) {
    const running = await launchTarget(target, options);
    try {
      await untilReady(running.port, running.hasEnded);
      if (running.httpPort > 0) await untilReadyz(running.httpPort);
      return running;
    } catch (error) {
      await stopTarget(running, 'SIGKILL');
      const isTaken = PORT_TAKEN_PATTERN.test(running.output());
      if (!isTaken || attempt === START_ATTEMPTS_MAX) {
        throw new Error(`it did not start: ${(error as Error).message}\n${running.output()}`, {
          cause: error,
        });
      }
    }
  }
}

/** Sends the signal and waits for the end; kills it where it takes longer than ten seconds. Returns whether that was needed. */
export async function stopTarget(running: Running, signal: NodeJS.Signals): Promise<boolean> {
  let wasForced = false;
  const forced = setTimeout(() => {
    wasForced = true;
    running.kill('SIGKILL');
  }, ANSWER_MS_MAX);
  running.kill(signal);
  await running.exit;
  clearTimeout(forced);
  return wasForced;
}

function withoutPaths(text: string, folder: string): string {
  return text.replaceAll(folder, basename(folder)).replaceAll(ROOT, '').trim();
}

async function untilReady(port: number, hasEnded: () => boolean): Promise<void> {
  const startedMs = Date.now();
  let hasAnswered = false;
  for (;;) {
    if (hasEnded()) throw new Error('it ended');
    const answer = await ping(port);
    if (answer === '+PONG') return;
    hasAnswered ||= answer !== undefined;
    const waitedMs = Date.now() - startedMs;
    if (!hasAnswered && waitedMs > ANSWER_MS_MAX) throw new Error('it answers no PING');
    if (waitedMs > LOADED_MS_MAX) throw new Error(`it still answers ${answer}`);
    await pause(RETRY_MS);
  }
}

/** The answer to one PING, undefined where there is none within ten seconds. */
async function ping(port: number): Promise<string | undefined> {
  const wire = await openWire(port).catch(() => undefined);
  if (wire === undefined) return undefined;
  const guard = setTimeout(wire.close, ANSWER_MS_MAX);
  const answer = await wire.ask('PING').catch(() => undefined);
  clearTimeout(guard);
  wire.close();
  return answer === undefined ? undefined : String(answer);
}

async function untilReadyz(httpPort: number): Promise<void> {
  const startedMs = Date.now();
  for (;;) {
    const status = await readyzStatus(httpPort);
    if (status === HTTP_OK) return;
    if (Date.now() - startedMs > ANSWER_MS_MAX) throw new Error(`/readyz answers ${status}`);
    await pause(RETRY_MS);
  }
}

async function readyzStatus(httpPort: number): Promise<number> {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const headers = { connection: 'close' };
  const response = await fetch(`http://127.0.0.1:${httpPort}/readyz`, { signal, headers }).catch(
    () => undefined,
  );
  await response?.text().catch(() => undefined);
  return response?.status ?? 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
