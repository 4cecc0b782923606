/** A node as a process, from before there is an etcd to after it has gone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { getPrefix } from '../../src/cluster/etcd.ts';
import { createEtcd } from '../../src/cluster/etcd-gateway.ts';
import { type DistcacheServer, runDistcache, startDistcache } from '../support/distcache-server.ts';
import { createEtcdServers, describeWithEtcd, type EtcdServers } from '../support/etcd.ts';
import { callNode } from '../support/node-call.ts';
import { freePort } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

const ANSWER_MS_MAX = 5_000;

it('a node does not start with a URL that is none, and does not repeat it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'distcache-join-'));
  try {
    const flags = ['--cluster-enabled', 'yes', '--cluster-etcd', 'root:secret@etcd', '--dir', folder];
    const ended = await runDistcache([...flags, '--port', '0', '--http-port', '0']);
    expect(ended.code).toBe(78);
    expect(ended.stderr + ended.stdout).toContain('cluster-etcd: URL 1 of 1 is none');
    expect(ended.stderr + ended.stdout).not.toContain('secret');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describeWithEtcd('a node', () => {
  let folder: string;
  let etcd: EtcdServers;
  let node: DistcacheServer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'distcache-join-'));
    const clientUrl = `http://127.0.0.1:${await freePort()}`;
    const peerUrl = `http://127.0.0.1:${await freePort()}`;
    etcd = createEtcdServers([{ name: 'etcd-1', clientUrl, peerUrl }], folder);
    node = await startDistcache(['--cluster-enabled', 'yes', '--cluster-etcd', clientUrl, '--workers', '1']);
  });

  afterAll(async () => {
    node.kill('SIGKILL');
    await node.exit;
    await etcd.remove();
  });

  const readiness = async () => {
    const response = await fetch(`http://127.0.0.1:${node.httpPort}/readyz?verbose`);
    return `${response.status} ${await response.text()}`;
  };
  const ask = (...words: string[]) => callNode({ host: '127.0.0.1', port: node.port }, words, ANSWER_MS_MAX);

  it('starts without etcd, refuses what needs slots, and says why', async () => {
    await node.logged('until that is mended, commands with keys are refused');
    expect(await readiness()).toMatch(/\[-\] cluster: not a member of the cluster: .*ECONNREFUSED/);
    expect(await ask('PING')).toBe('+PONG');
    expect(await ask('SET', 'a', '1')).toMatch(/^-CLUSTERDOWN/);
    expect(await ask('CONFIG', 'SET', 'appendonly', 'no')).toContain('needs `appendonly yes`');
  });

  it('joins when there is one, and serves', async () => {
    etcd.members[0].program.start();
    await until(async () => (await readiness()).startsWith('200'), {
      what: () => node.output(),
      msMax: 20_000,
    });
    expect(await readiness()).toContain('16384 slots owned');
    expect(await ask('SET', 'a', '1')).toBe('+OK');
  });

  it('has left etcd when it has stopped', async () => {
    const client = createEtcd({ urls: etcd.urls });
    const keys = async () => (await getPrefix(client, '/distcache/')).values.map(({ key }) => key);
    expect((await keys()).filter((key) => !key.endsWith('/topology'))).toHaveLength(2);
    expect(await node.stop()).toBe(0);
    expect(await keys()).toEqual(['/distcache/distcache/topology']);
  });
});
