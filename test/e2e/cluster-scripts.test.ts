/** `npm run cluster` as one starts it, and the script that verifies a deployment, against it. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../support/redis-server.ts';
import { describeWithTools, runTool } from '../support/tools.ts';
import { until } from '../support/until.ts';

const CLUSTER = fileURLToPath(new URL('../../scripts/cluster.ts', import.meta.url));
const VERIFY = fileURLToPath(new URL('../../scripts/verify-deployment.sh', import.meta.url));
const UNTIL_MS = 60_000;
const READY_MS_MAX = 40_000;

describeWithTools('npm run cluster', ['etcd', 'nc'], () => {
  let output = '';
  let exitCode: number | null | undefined;
  let stop: () => void;
  let nodes = '';
  const pidOf = (name: string) => new RegExp(`${name} .* pid (\\d+)`).exec(output)?.[1] ?? '';

  beforeAll(async () => {
    const [port, httpPort, etcdPort] = [await freePorts(3), await freePorts(3), await freePorts(2)];
    const flags = ['--port', port, '--http-port', httpPort, '--etcd-port', etcdPort].map(String);
    nodes = [0, 1, 2].map((i) => `127.0.0.1:${port + i}:${httpPort + i}`).join(',');
    const child = spawn(
      process.execPath,
      [CLUSTER, '--dir', '', ...flags, '--maxmemory', '64mb', '--', '--rehearsal', 'no'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('close', (code) => {
      exitCode = code;
    });
    stop = () => child.kill('SIGTERM');
    await until(() => output.includes('all slots covered') || exitCode !== undefined, {
      msMax: READY_MS_MAX,
      what: () => `it does not come up: ${output}`,
    });
    expect(exitCode, output).toBeUndefined();
  }, UNTIL_MS);

  afterAll(() => stop());

  it(
    'the deployment is found in order, and stands the loss of a node',
    async () => {
      const { code, stdout } = await runTool(VERIFY, [
        '--nodes',
        nodes,
        '--failover',
        `kill -9 ${pidOf('node-1')}`,
      ]);
      expect(stdout).not.toContain('FAIL');
      expect(stdout).toMatch(/^ok {4}failover: all slots take writes again after \d+ ms$/m);
      expect(code).toBe(0);
      expect(output).toContain('node-1 was killed');
    },
    UNTIL_MS,
  );

  it(
    'a deployment that lacks a node is found out',
    async () => {
      const { code, stdout } = await runTool(VERIFY, ['--nodes', nodes]);
      expect(stdout).toContain('FAIL');
      expect(code).toBe(1);
    },
    UNTIL_MS,
  );

  it(
    'SIGTERM ends all of it',
    async () => {
      const pids = ['node-2', 'node-3'].map(pidOf);
      stop();
      await until(() => exitCode !== undefined, {
        msMax: READY_MS_MAX,
        what: () => `it does not end: ${output}`,
      });
      expect(exitCode).toBe(0);
      for (const pid of pids) expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
    },
    UNTIL_MS,
  );
});

/** The first of so many ports in a row that were free a moment ago. */
async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = await freePort();
    const rest = Array.from({ length: count - 1 }, (_, i) => isFree(first + 1 + i));
    if ((await Promise.all(rest)).every(Boolean)) return first;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
