/** Whether a node of a cluster should get traffic. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { clusterCheck } from '../../src/cluster/cluster-check.ts';
import { clusterKeys } from '../../src/cluster/membership.ts';
import { encodeTopology } from '../../src/cluster/topology.ts';
import { TOPOLOGY_EPOCH } from '../../src/routing/node-table.ts';
import { type AgentUnderTest, beginAgent, idOf, topologyOf } from '../support/agent-world.ts';
import { type FakeEtcd, startFakeEtcd } from '../support/fake-etcd.ts';
import { until } from '../support/until.ts';

const KEYS = clusterKeys('distcache');
const ID = idOf('a');

let fake: FakeEtcd;
let node: AgentUnderTest;
let nowMs: number;

beforeEach(async () => {
  fake = await startFakeEtcd();
  nowMs = 10_000;
});

afterEach(async () => {
  fake.outage = undefined;
  await node.stop();
  await fake.close();
});

const begin = () => beginAgent(ID, { url: fake.url, sharedMs: () => nowMs });

it('a node that cannot join gets no traffic, and says why', async () => {
  fake.outage = 'trouble';
  node = begin();
  expect(clusterCheck(node.agent)).toEqual({
    name: 'cluster',
    ok: false,
    reason: 'not a member of the cluster: not joined yet',
  });
  await node.logged('leader changed');
  expect(clusterCheck(node.agent).reason).toContain('leader changed');
});

it('a member gets traffic when all slots have an owner that is alive', async () => {
  node = begin();
  await node.joined();
  expect(clusterCheck(node.agent).reason).toBe('no slot has been assigned yet');
  const orphaned = topologyOf([ID, idOf('b')]);
  orphaned.owners[7] = 1;
  fake.put(KEYS.topology, encodeTopology(orphaned));
  await until(() => node.table.numbers[TOPOLOGY_EPOCH] > 0, { what: () => 'no topology', msMax: 5_000 });
  expect(clusterCheck(node.agent).reason).toBe('some slots have no owner that is alive');
  fake.put(KEYS.topology, encodeTopology(topologyOf([ID])));
  await until(() => clusterCheck(node.agent).ok, { what: () => 'not ready', msMax: 5_000 });
  const epoch = node.table.numbers[TOPOLOGY_EPOCH];
  expect(clusterCheck(node.agent).detail).toBe(`epoch ${epoch}, 1 nodes, 16384 slots owned, 0 replicas`);
});

it('a member that cannot renew its lease gets traffic until that ends', async () => {
  fake.put(KEYS.topology, encodeTopology(topologyOf([ID])));
  node = begin();
  await node.joined();
  fake.outage = 'trouble';
  await node.logged('lasts for another');
  expect(clusterCheck(node.agent)).toMatchObject({ ok: true });
  expect(clusterCheck(node.agent).detail).toMatch(/leader changed; serves for another 3 s$/);
  nowMs += 3_000;
  expect(clusterCheck(node.agent).reason).toContain('the lease has ended');
});
