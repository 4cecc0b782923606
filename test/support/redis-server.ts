/**
 * The oracle: a real redis-server for differential tests, started on a spare port without persistence, in a
 * temporary folder of its own, and stopped by its process id. Where it is not installed, the tests that need it
 * are skipped and their name says why.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';

const START_ATTEMPTS_MAX = 5;
const START_WAIT_MS_MAX = 10_000;
const STOP_WAIT_MS_MAX = 5_000;
const CONNECT_RETRY_MS = 10;

export type RedisServer = { port: number; stop(): Promise<void> };

const redisServerPath = findOnPath('redis-server');

/** Whether redis-server is on the PATH of this process. */
const redisServerPresent: boolean = redisServerPath !== undefined;

/** A `describe` that compares with redis-server: skipped, with the reason in its name, where there is none. */
export function describeWithRedis(name: string, body: () => void): void {
  const title = redisServerPresent ? name : `${name} (skipped: redis-server is not installed)`;
  describe.skipIf(!redisServerPresent)(title, body);
}

/**
 * Starts redis-server on a free port of 127.0.0.1 and resolves once it answers connections.
 * `extraArguments` come after ours and therefore win, e.g. `['--databases', '4']`.
 * Rejects with the server's own output when it does not come up within ten seconds.
 */
export async function startRedisServer(extraArguments: string[] = []): Promise<RedisServer> {
  if (redisServerPath === undefined) throw new Error('redis-server is not installed');
  let output = '';
  for (let attempt = 0; attempt < START_ATTEMPTS_MAX; attempt++) {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'distcache-oracle-'));
    const fixed = [
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
      '--save',
      '',
      '--appendonly',
      'no',
    ];
    const child = spawn(redisServerPath, [...fixed, ...extraArguments], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const killWithUs = () => child.kill('SIGKILL');
    process.once('exit', killWithUs);
    const stop = async () => {
      await stopChild(child);
      process.off('exit', killWithUs);
      rmSync(folder, { recursive: true, force: true });
    };
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => collect(Buffer.from(error.message)));
    if (await answersConnections(child, port)) return { port, stop };
    await stop();
  }
  throw new Error(`redis-server did not start: ${output}`);
}

/** A TCP port that was free a moment ago. Another process may take it first, so whoever starts a server retries. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

async function answersConnections(child: ChildProcess, port: number): Promise<boolean> {
  const deadline = Date.now() + START_WAIT_MS_MAX;
  while (
    child.exitCode === null &&
    child.signalCode === null &&
    child.pid !== undefined &&
    Date.now() < deadline
  ) {
    if (await answersPing(port)) return child.exitCode === null;
    await new Promise((resolve) => setTimeout(resolve, CONNECT_RETRY_MS));
  }
  return false;
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const finish = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', () => finish(true));
  });
}

function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve();
  return new Promise((resolve) => {
    const forced = setTimeout(() => child.kill('SIGKILL'), STOP_WAIT_MS_MAX);
    child.once('exit', () => {
      clearTimeout(forced);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

function findOnPath(program: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(folder, program);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not in this folder: the next one may have it.
    }
  }
  return undefined;
}
