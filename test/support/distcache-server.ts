/**
 * The real server as a child process, on spare ports and in a temporary folder of its own, stopped by its process id.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './redis-server.ts';
import { SERVER_MAIN } from './server-main.ts';

/** Halves the time of a start from the second one on. */
export const NODE_COMPILE_CACHE = join(tmpdir(), 'distcache-test-compile-cache');
const START_ATTEMPTS_MAX = 5;
const OUTPUT_CHARACTERS_MAX = 1_000_000;
const PORT_TAKEN_PATTERN = /address is in use|port is in use/;

/**
 * What the server writes last when its stop, which it bounds to less than two seconds itself, was not cut short. A clock of the tests
 * would time the machine.
 */
export const STOPPED_IN_TIME = '"msg":"stopped"';

/** Flags of a server that is asked over RESP alone: a quarter of the work of a start is for HTTP. */
export const WITHOUT_HTTP: readonly string[] = ['--http-port', '0'];

export type DistcacheServer = {
  readonly port: number;
  readonly httpPort: number;
  readonly pid: number;
  /** Where it runs; removed when it has ended. */
  readonly folder: string;
  /** SIGTERM; resolves to the exit code. */
  stop(): Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** The exit code, null where a signal ended it. */
  readonly exit: Promise<number | null>;
  /** Standard output and standard error so far. */
  output(): string;
  /** Resolves once the output holds `text` so many times. Rejects when the server ends before. */
  logged(text: string, count?: number): Promise<void>;
};

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/**
 * Starts the server with two workers, 64 MB and no rehearsal, and resolves when it is ready. `flags` come last and therefore win; a flag
 * `--port` among them is the caller's own (its port is then not known here). `launcher` is a command that runs the rest of
 * its arguments; `main` is the program.
 */
export async function startDistcache(
  flags: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
  launcher: readonly string[] = [],
  main = SERVER_MAIN,
): Promise<DistcacheServer> {
  let output = '';
  for (let attempt = 0; attempt < START_ATTEMPTS_MAX; attempt++) {
    const port = await freePort();
    const httpPort = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'distcache-test-'));
    const child = spawnDistcache(
      main,
      [
        '--port',
        `${port}`,
        '--http-port',
        `${httpPort}`,
        '--workers',
        '2',
        '--maxmemory',
        '64mb',
        '--rehearsal',
        'no',
        '--dir',
        folder,
        ...flags,
      ],
      environment,
      launcher,
    );
    const server = wrap(child, port, httpPort, folder);
    try {
      await server.logged('"msg":"ready"');
      return server;
    } catch {
      output = server.output();
      if (!PORT_TAKEN_PATTERN.test(output)) break;
    }
  }
  throw new Error(`the server did not start: ${output}`);
}

/** Runs the server with these flags alone, in an empty folder of its own, for a start that ends by itself. */
export function runDistcache(
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'distcache-test-'));
  const child = spawnDistcache(SERVER_MAIN, flags, environment, [], folder);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => {
    child.once('close', (code) => {
      rmSync(folder, { recursive: true, force: true });
      resolve({ code, stdout, stderr });
    });
  });
}

function spawnDistcache(
  main: string,
  flags: readonly string[],
  environment: Readonly<Record<string, string>>,
  launcher: readonly string[] = [],
  folder?: string,
): ChildProcess {
  const [program, ...rest] = [...launcher, process.execPath, main, ...flags];
  const child = spawn(program, rest, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE, ...environment },
  });
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.off('exit', killWithUs));
  return child;
}

function wrap(child: ChildProcess, port: number, httpPort: number, folder: string): DistcacheServer {
  let output = '';
  const watchers = new Set<() => void>();
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX);
    for (const watch of watchers) watch();
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const exit = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      rmSync(folder, { recursive: true, force: true });
      resolve(code);
    });
  });
  const logged = (text: string, count = 1) =>
    new Promise<void>((resolve, reject) => {
      const watch = () => {
        if (output.split(text).length <= count) return;
        watchers.delete(watch);
        resolve();
      };
      watchers.add(watch);
      void exit.then(() => reject(new Error(`the server ended before it wrote '${text}': ${output}`)));
      watch();
    });
  return {
    port,
    httpPort,
    pid: child.pid ?? 0,
    folder,
    stop: () => {
      child.kill('SIGTERM');
      return exit;
    },
    kill: (signal) => void child.kill(signal),
    exit,
    output: () => output,
    logged,
  };
}
