/**
 * The servers whose HTTP sides are compared: ours, and the usual alternative (fastify-redis.ts before redis-server).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { freePort, ourPeer, redisPeer, withPeer } from './peers.ts';

/** A running server: where it serves HTTP, and the processes whose processor time its requests cost. */
export type HttpServer = { readonly httpPort: number; readonly pids: readonly number[] };

export type HttpPeer = {
  readonly name: string;
  readonly version: string;
  readonly use: <Result>(run: (server: HttpServer) => Promise<Result>) => Promise<Result>;
};

const ALTERNATIVE_FILE = fileURLToPath(new URL('./fastify-redis.ts', import.meta.url));

export function ourHttp(): HttpPeer {
  const peer = ourPeer();
  return {
    ...peer,
    use: (run) => withPeer(peer, ({ httpPort, pid }) => run({ httpPort, pids: [pid] }), { http: true }),
  };
}

/** Throws a MissingProgram where redis-server is not installed. */
export function fastifyRedis(): HttpPeer {
  const peer = redisPeer();
  const versions = ['fastify', 'ioredis'].map((name) => `${name} ${versionOf(name)}`);
  return {
    name: 'fastify + ioredis + redis-server',
    version: [...versions, peer.version].join(', '),
    use: (run) => withPeer(peer, ({ port, pid }) => withFastify(port, pid, run)),
  };
}

async function withFastify<Result>(
  redisPort: number,
  redisPid: number,
  run: (server: HttpServer) => Promise<Result>,
): Promise<Result> {
  const httpPort = await freePort();
  const child = spawn(process.execPath, [ALTERNATIVE_FILE, String(httpPort), String(redisPort)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  try {
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    if (child.exitCode !== null) throw new Error('the alternative did not start');
    return await run({ httpPort, pids: [child.pid ?? 0, redisPid] });
  } finally {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    process.off('exit', killWithUs);
  }
}

function versionOf(name: string): string {
  return createRequire(import.meta.url)(`${name}/package.json`).version;
}
