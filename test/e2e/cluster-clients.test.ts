/**
 * The clients and tools of Redis Cluster against three real nodes, as they are: they learn who has which slots, and follow where they
 * are sent.
 */
import { Buffer } from 'node:buffer';
import { Cluster, Redis } from 'ioredis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { slotOfKey } from '../../src/routing/slot.ts';
import { startCluster, type TestCluster } from '../support/cluster.ts';
import { describeWithEtcd } from '../support/etcd.ts';
import { describeWithTools, runTool } from '../support/tools.ts';
import { until } from '../support/until.ts';

const UNTIL_MS = 60_000;
/** A machine that is busy with other tests takes its time with ten thousand ranges of slots. */
const slotsRefreshTimeout = 20_000;
const KEYS = 300;
const NAMES = Array.from({ length: KEYS }, (_, i) => `key:${i}`);

describeWithEtcd('three nodes that redirect', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startCluster({
      flags: ['--cluster-routing', 'redirect', '--cluster-node-timeout', '20000'],
    });
  }, UNTIL_MS);
  afterAll(() => cluster?.remove());

  const port = () => String(cluster.nodes[0].port);

  /** How many keys each node owns. */
  async function keysOfEach(): Promise<number[]> {
    const sizes = await Promise.all(cluster.nodes.map((node) => node.ask('DBSIZE')));
    return sizes.map((size) => Number(size.slice(1)));
  }

  async function routeBy(routing: 'forward' | 'redirect'): Promise<void> {
    for (const node of cluster.nodes) await node.ask('CONFIG', 'SET', 'cluster-routing', routing);
  }

  async function emptyAll(): Promise<void> {
    for (const node of cluster.nodes) await node.ask('FLUSHALL');
  }

  describe('ioredis Cluster', () => {
    it('reads and writes every key at its owner', async () => {
      await emptyAll();
      const client = new Cluster([{ host: '127.0.0.1', port: cluster.nodes[0].port }], {
        slotsRefreshTimeout,
      });
      expect(await Promise.all(NAMES.map((name) => client.set(name, name)))).toEqual(NAMES.map(() => 'OK'));
      expect(await Promise.all(NAMES.map((name) => client.get(name)))).toEqual(NAMES);
      const sizes = await keysOfEach();
      expect(Math.min(...sizes), `${sizes}`).toBeGreaterThan(KEYS / 6);
      expect(sizes.reduce((a, b) => a + b)).toBe(KEYS);
      client.disconnect();
    });

    // It takes a node either for a master or for a replica, so that it would be sent around for ever by nodes that redirect.
    it('reads through nodes that have replicas, where they forward what is not theirs', async () => {
      await routeBy('forward');
      const client = new Cluster([{ host: '127.0.0.1', port: cluster.nodes[0].port }], {
        scaleReads: 'slave',
      });
      await Promise.all(NAMES.map((name) => client.set(name, `${name}!`)));
      expect(await Promise.all(NAMES.map((name) => client.get(name)))).toEqual(
        NAMES.map((name) => `${name}!`),
      );
      client.disconnect();
      await routeBy('redirect');
    });

    it('runs pipelines and transactions of one slot', async () => {
      const client = new Cluster([{ host: '127.0.0.1', port: cluster.nodes[1].port }], {
        slotsRefreshTimeout,
      });
      const results = await client.multi().set('{tag}a', '1').incr('{tag}a').get('{tag}a').exec();
      expect(results).toEqual([
        [null, 'OK'],
        [null, 2],
        [null, '2'],
      ]);
      expect(await client.pipeline().mget('{tag}a', '{tag}b').del('{tag}a').exec()).toEqual([
        [null, ['2', null]],
        [null, 1],
      ]);
      await expect(client.mget('a', 'b')).rejects.toThrow(/CROSSSLOT|same slot|same node/);
      client.disconnect();
    });
  });

  it('node-redis createCluster finds all nodes, and every key on its own', async () => {
    await emptyAll();
    const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port()}` }] });
    await client.connect();
    await Promise.all(NAMES.map((name) => client.set(name, name)));
    expect(await Promise.all(NAMES.map((name) => client.get(name)))).toEqual(NAMES);
    expect(await client.multi().set('{tag}a', '1').incr('{tag}a').exec()).toEqual(['OK', 2]);
    expect(client.masters).toHaveLength(3);
    client.destroy();
  });

  it('a replica is read by who says READONLY, and its owner is named to others', async () => {
    await emptyAll();
    const [node] = cluster.nodes;
    const client = new Redis({ port: node.port, retryStrategy: null, protocol: 2 });
    const slots = await client.cluster('SLOTS');
    const own = String(await client.cluster('MYID'));
    const isReplicaOf = ([, , owner, ...replicas]: (typeof slots)[number]) =>
      owner[2] !== own && replicas.some(([, , id]) => id === own);
    const name = NAMES.find((each) => {
      const slot = slotOfKey(Buffer.from(each), 0, each.length);
      return slots.some((range) => range[0] <= slot && slot <= range[1] && isReplicaOf(range));
    });
    expect(name).toBeDefined();
    if (name === undefined) return;
    await expect(client.get(name)).rejects.toThrow(/^MOVED /);
    const writer = new Cluster([{ host: '127.0.0.1', port: node.port }], { slotsRefreshTimeout });
    await writer.set(name, 'value');
    expect(await client.readonly()).toBe('OK');
    await until(async () => (await client.get(name)) === 'value', {
      what: () => 'the replica has the value',
      msMax: 5_000,
    });
    await expect(client.set(name, 'x')).rejects.toThrow(/^MOVED /);
    writer.disconnect();
    client.disconnect();
  });

  describeWithTools('redis-cli and redis-benchmark', ['redis-cli', 'redis-benchmark'], () => {
    it('follow where they are sent', async () => {
      const commands = ['a', 'b', 'c', 'd'].map((name) => `SET ${name} ${name}1\nGET ${name}\n`).join('');
      const { code, stdout } = await runTool('redis-cli', ['-c', '-p', port()], commands);
      expect(code).toBe(0);
      expect(stdout.split('\n').filter((line) => /^[abcd]1$/.test(line))).toEqual(['a1', 'b1', 'c1', 'd1']);
    });

    it('find nothing wrong with the cluster', async () => {
      const { code, stdout } = await runTool('redis-cli', ['--cluster', 'check', `127.0.0.1:${port()}`]);
      expect(stdout).toContain('[OK] All nodes agree about slots configuration.');
      expect(stdout).toContain('[OK] All 16384 slots covered.');
      expect(stdout).not.toMatch(/\[ERR\]|\[WARNING\]/);
      expect(code).toBe(0);
      const info = await runTool('redis-cli', ['--cluster', 'info', `127.0.0.1:${port()}`]);
      expect(info.stdout).toMatch(/keys in 3 masters/);
      const called = await runTool('redis-cli', ['--cluster', 'call', `127.0.0.1:${port()}`, 'PING']);
      expect(called.stdout.match(/PONG/g)).toHaveLength(3);
    });

    it('measure all nodes at once', async () => {
      const flags = [
        '--cluster',
        '-p',
        port(),
        '-t',
        'set,get',
        '-n',
        '3000',
        '-c',
        '9',
        '-r',
        '10000',
        '-q',
      ];
      const { code, stdout, stderr } = await runTool('redis-benchmark', flags);
      expect(stdout).toContain('Cluster has 3 master nodes');
      expect(stdout).toMatch(/SET: [\d.]+ requests per second/);
      expect(stdout).toMatch(/GET: [\d.]+ requests per second/);
      expect(`${stdout}${stderr}`).not.toMatch(/error/i);
      expect(code).toBe(0);
    });

    it('are told how it is done here where they would change the cluster by hand', async () => {
      const { stdout, stderr } = await runTool('redis-cli', [
        '-p',
        port(),
        'CLUSTER',
        'MEET',
        '127.0.0.1',
        '7000',
      ]);
      expect(`${stdout}${stderr}`).toContain('a node joins by its own configuration');
    });
  });
});
