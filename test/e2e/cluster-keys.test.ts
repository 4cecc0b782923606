/** Which keys a real node means by its own: what is counted, listed, shown and flushed beside replicas, and what goes when slots have moved. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ClusterReading } from '../../src/metrics/cluster-reading.ts';
import { startCluster, type TestCluster } from '../support/cluster.ts';
import type { Node } from '../support/cluster-node.ts';
import { describeWithEtcd } from '../support/etcd.ts';
import { parsePrometheusText } from '../support/prometheus-parser.ts';
import { until } from '../support/until.ts';
import { openWire } from '../support/wire.ts';

const START_MS_MAX = 90_000;
const WAIT_MS_MAX = 60_000;
const KEYS = Array.from({ length: 600 }, (_, index) => `key:${index}`);

describeWithEtcd('the keys of a node of a cluster', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await startCluster({ flags: ['--cluster-peer-timeout', '5000'] });
    await put(KEYS);
    // From now on a node answers for itself.
    for (const node of cluster.nodes) await node.ask('CONFIG', 'SET', 'cluster-routing', 'redirect');
  }, START_MS_MAX);

  afterAll(() => cluster?.remove());

  /** Through one node, which passes on what is not its own. */
  async function put(keys: readonly string[], ...options: string[]): Promise<void> {
    const wire = await openWire(cluster.nodes[0].port);
    for (const key of keys) expect(await wire.ask('SET', key, 'value', ...options)).toBe('+OK');
    wire.close();
  }

  async function readingOf(node: Node): Promise<ClusterReading> {
    const response = await fetch(`http://127.0.0.1:${node.httpPort}/v1/cluster`);
    return (await response.json()) as ClusterReading;
  }

  const readAll = () => Promise.all(cluster.nodes.map(readingOf));
  const sumOf = (readings: readonly ClusterReading[], role: keyof ClusterReading['keys']) =>
    readings.reduce((sum, { keys }) => sum + keys[role], 0);

  async function untilKeys(own: number, replica: number): Promise<void> {
    let found: ClusterReading[] = [];
    const isThere = async () => {
      found = await readAll();
      return (
        sumOf(found, 'own') === own && sumOf(found, 'replica') === replica && sumOf(found, 'strange') === 0
      );
    };
    const what = () =>
      `${own} own keys and ${replica} in replicas: ${JSON.stringify(found.map(({ keys }) => keys))}`;
    await until(isThere, { what, msMax: WAIT_MS_MAX });
  }

  it('are those of its slots, by every way to ask', async () => {
    await untilKeys(KEYS.length, KEYS.length);
    const names: string[] = [];
    for (const node of cluster.nodes) {
      const { own } = (await readingOf(node)).keys;
      expect(own).toBeGreaterThan(0);
      const wire = await openWire(node.port);
      expect(await wire.ask('DBSIZE')).toBe(`:${own}`);
      expect(String(await wire.ask('INFO', 'keyspace'))).toContain(`db0:keys=${own},expires=0,`);
      names.push(...((await wire.ask('KEYS', '*')) as string[]));
      wire.close();
    }
    expect(names.sort()).toEqual([...KEYS].sort());
  });

  it('are in the metrics, with all nodes and how far the replicas are', async () => {
    for (const node of cluster.nodes) {
      const reading = await readingOf(node);
      const page = parsePrometheusText(
        await (await fetch(`http://127.0.0.1:${node.httpPort}/metrics`)).text(),
      );
      const valuesOf = (name: string) => page.get(name)?.samples.map(({ value }) => value);
      expect(valuesOf('distcache_cluster_keys')).toEqual(Object.values(reading.keys));
      expect(valuesOf('distcache_cluster_node_alive')).toEqual([1, 1, 1]);
      expect(valuesOf('distcache_cluster_epoch')).toEqual([reading.epoch]);
      expect(valuesOf('distcache_replication_in_sync_slots')).toEqual(
        valuesOf('distcache_replication_slots'),
      );
      expect(valuesOf('distcache_database_keys')).toEqual([reading.keys.own]);
    }
  });

  it('that have gone on their owner go from the replicas, without waiting for the end of a grace', async () => {
    const mortal = KEYS.map((key) => `mortal:${key}`);
    for (const node of cluster.nodes) await node.ask('CONFIG', 'SET', 'cluster-routing', 'forward');
    await put(mortal, 'PX', '1500');
    for (const node of cluster.nodes) await node.ask('CONFIG', 'SET', 'cluster-routing', 'redirect');
    const beganMs = performance.now();
    await untilKeys(KEYS.length, KEYS.length);
    expect(performance.now() - beganMs).toBeLessThan(20_000);
  });

  it('are all that a flush takes, there and in their replicas', async () => {
    const [first] = cluster.nodes;
    const left = KEYS.length - (await readingOf(first)).keys.own;
    expect(await first.ask('FLUSHALL')).toBe('+OK');
    expect(await first.ask('DBSIZE')).toBe(':0');
    await untilKeys(left, left);
    expect((await readingOf(first)).keys.replica).toBeGreaterThan(0);
  });

  it(
    'that it has handed over are let go of',
    async () => {
      const own = sumOf(await readAll(), 'own');
      await cluster.add();
      await cluster.ready();
      await untilKeys(own, own);
      expect((await readingOf(cluster.nodes[3])).keys.own).toBeGreaterThan(0);
    },
    START_MS_MAX + WAIT_MS_MAX,
  );
});
