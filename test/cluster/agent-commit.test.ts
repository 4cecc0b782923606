/** Changes of the cluster's keys by one node, against an etcd of the test's own. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pauseFor } from '../../src/base/pause.ts';
import { changeRecord, commitTopology } from '../../src/cluster/agent-commit.ts';
import { clusterKeys } from '../../src/cluster/membership.ts';
import { decodeTopology, encodeTopology, type Topology } from '../../src/cluster/topology.ts';
import { draftTopology } from '../../src/cluster/topology-draft.ts';
import { TOPIC_CLUSTER_NODES } from '../../src/commands/cluster-view.ts';
import { ROLE_OWNER, TOPOLOGY_EPOCH } from '../../src/routing/node-table.ts';
import { handleTopic } from '../../src/threads/bus.ts';
import { type AgentUnderTest, beginAgent, idOf, topologyOf } from '../support/agent-world.ts';
import { type FakeEtcd, startFakeEtcd } from '../support/fake-etcd.ts';
import { until } from '../support/until.ts';

const KEYS = clusterKeys('distcache');
const ID = idOf('a');
const OTHER = idOf('b');

let fake: FakeEtcd;
let node: AgentUnderTest;

beforeEach(async () => {
  fake = await startFakeEtcd();
  node = beginAgent(ID, { url: fake.url, sharedMs: () => 10_000 });
  await node.joined();
});

afterEach(async () => {
  fake.outage = undefined;
  await node.stop();
  await fake.close();
});

/** Another process is registered under the name. */
function register(id: string): void {
  fake.put(`${KEYS.nodes}${id}`, JSON.stringify({ ...node.agent.record, id }));
}

/** What etcd has. */
function written(): Topology | undefined {
  const text = fake.get(KEYS.topology);
  return text === undefined ? undefined : decodeTopology(text, 0).topology;
}

/** All slots belong to the node at the index. */
function ownedBy(topology: Topology, index: number): Topology {
  const draft = draftTopology(topology);
  draft.owners.fill(index);
  return draft;
}

/** Of two nodes, both registered; the first one, which is the node, owns all slots. */
async function begun(): Promise<Topology> {
  register(OTHER);
  await until(() => node.agent.state.members.has(OTHER), { what: () => 'it is not heard of', msMax: 5_000 });
  expect(await commitTopology(node.agent, topologyOf([ID, OTHER]))).toBe(true);
  const { topology } = node.agent.state;
  if (topology === undefined) throw new Error('it is in force');
  return topology;
}

describe('a new topology', () => {
  it('is in etcd, and in force here, when the commit resolves', async () => {
    const topology = await begun();
    expect(topology.epoch).toBe(fake.store.revision);
    expect(node.table.numbers[TOPOLOGY_EPOCH]).toBe(topology.epoch);
    expect(written()?.owners[0]).toBe(0);
  });

  it('is in force then even where the watch was faster and the threads are still being told', async () => {
    const first = await begun();
    handleTopic(node.agent.options.bus, TOPIC_CLUSTER_NODES, () =>
      pauseFor(30, new AbortController().signal),
    );
    fake.beforeAnswer = (path) =>
      path === '/kv/txn'
        ? until(() => node.agent.state.topology?.epoch === fake.store.revision, {
            what: () => 'the watch is not faster',
            msMax: 5_000,
          })
        : undefined;
    const nodes = first.nodes.map((one) => ({ ...one, weight: one.weight + 1 }));
    expect(await commitTopology(node.agent, { ...ownedBy(first, 1), nodes })).toBe(true);
    expect(node.table.numbers[TOPOLOGY_EPOCH]).toBe(fake.store.revision);
    expect(node.table.owners[0]).toBe(1);
  });

  it('takes the place of the epoch that it was made from, and of no other', async () => {
    const first = await begun();
    expect(await commitTopology(node.agent, ownedBy(first, 1))).toBe(true);
    expect(await commitTopology(node.agent, ownedBy(first, 0))).toBe(false);
    expect(written()?.owners[0]).toBe(1);
  });

  it('is refused where another was written that this node has not heard of yet', async () => {
    const first = await begun();
    const { paths } = fake;
    fake.breakWatches();
    fake.outage = 'trouble';
    fake.put(KEYS.topology, encodeTopology(topologyOf([OTHER, ID])));
    const committing = commitTopology(node.agent, ownedBy(first, 1));
    await until(() => paths.includes('/kv/txn'), { what: () => 'nothing was sent', msMax: 5_000 });
    fake.outage = undefined;
    expect(await committing).toBe(false);
    expect(written()?.nodes[0].id).toBe(OTHER);
  });

  it('that the coordinator makes is refused when that is another by now', async () => {
    const first = await begun();
    fake.put(KEYS.coordinator, OTHER);
    expect(await commitTopology(node.agent, ownedBy(first, 1), 'coordinator')).toBe(false);
    fake.put(KEYS.coordinator, ID);
    expect(await commitTopology(node.agent, ownedBy(first, 1), 'coordinator')).toBe(true);
  });

  it('takes no slot from another node that is registered', async () => {
    const first = await begun();
    expect(await commitTopology(node.agent, ownedBy(first, 1))).toBe(true);
    const { topology } = node.agent.state;
    if (topology === undefined) throw new Error('it is in force');
    expect(await commitTopology(node.agent, ownedBy(topology, 0))).toBe(false);
    fake.remove(`${KEYS.nodes}${OTHER}`);
    expect(await commitTopology(node.agent, ownedBy(topology, 0))).toBe(true);
  });

  it('is not written by a node that is not registered (any more)', async () => {
    const first = await begun();
    fake.outage = 'trouble';
    fake.expire(`${KEYS.nodes}${ID}`);
    const committing = commitTopology(node.agent, ownedBy(first, 1));
    fake.outage = undefined;
    expect(await committing).toBe(false);
    expect(written()?.owners[0]).toBe(0);
  });

  it.each(['break after', 'half', 'hang', 'trouble', 'break'] as const)(
    'of which it was in doubt whether it was written (%s) is found out about',
    async (fault) => {
      const first = await begun();
      fake.faults.push(['/kv/txn', fault], ['/kv/range', fault]);
      expect(await commitTopology(node.agent, ownedBy(first, 1))).toBe(true);
      expect(written()?.owners[0]).toBe(1);
      expect(node.agent.state.topology?.epoch).toBe(fake.store.revision);
    },
  );

  it('is not taken for written when the first try was lost and another was faster', async () => {
    const first = await begun();
    fake.faults.push(['/kv/txn', 'break']);
    let isFirst = true;
    fake.onRequest = (path) => {
      if (path !== '/kv/txn') return;
      if (!isFirst) fake.put(KEYS.topology, encodeTopology(topologyOf([OTHER, ID])));
      isFirst = false;
    };
    expect(await commitTopology(node.agent, ownedBy(first, 1))).toBe(false);
  });

  it('of which it was in doubt whether it was written is in force here when another came right behind it', async () => {
    const first = await begun();
    // Nothing is heard of the other one in any other way.
    for (let times = 0; times < 100; times += 1) fake.faults.push(['/watch', 'hang']);
    fake.breakWatches();
    fake.faults.push(['/kv/txn', 'break after']);
    let tries = 0;
    fake.onRequest = (path) => {
      if (path !== '/kv/txn') return;
      tries += 1;
      const present = written();
      if (tries !== 2 || present === undefined) return;
      const draft = draftTopology(present);
      draft.targets[5] = 0;
      fake.put(KEYS.topology, encodeTopology(draft));
    };
    await commitTopology(node.agent, ownedBy(first, 1));
    expect(tries).toBe(2);
    expect(node.agent.state.topology?.epoch).toBe(fake.store.revision);
    expect(node.table.owners[0]).toBe(1);
    expect(node.table.roles[0] & ROLE_OWNER).toBe(0);
  });

  it('gives no slot of this node to one that is not registered, or not as it was', async () => {
    const first = await begun();
    fake.faults.push(['/kv/txn', 'break']);
    let tries = 0;
    fake.onRequest = (path) => {
      if (path === '/kv/txn') tries += 1;
      if (path !== '/kv/txn' || tries !== 2) return;
      // It has started anew.
      fake.remove(`${KEYS.nodes}${OTHER}`);
      register(OTHER);
    };
    expect(await commitTopology(node.agent, ownedBy(first, 1))).toBe(false);
    fake.onRequest = () => undefined;
    fake.remove(`${KEYS.nodes}${OTHER}`);
    await until(() => !node.agent.state.members.has(OTHER), { what: () => 'it is there', msMax: 5_000 });
    expect(await commitTopology(node.agent, ownedBy(first, 1))).toBe(false);
    expect(written()?.owners[0]).toBe(0);
  });

  it('is given up when the agent stops', async () => {
    const first = await begun();
    fake.outage = 'hang';
    const committing = commitTopology(node.agent, ownedBy(first, 1));
    await node.stop(100);
    expect(await committing).toBe(false);
  });
});

describe('what a node says of itself', () => {
  it('can be changed under the same registration', async () => {
    expect(await changeRecord(node.agent, { isLeaving: true })).toBe(true);
    await until(() => node.agent.state.members.get(ID)?.isLeaving === true, {
      what: () => 'it is not heard',
      msMax: 5_000,
    });
    expect(node.agent.registeredAt).toBeGreaterThan(0);
  });

  it('stays changed when it registers again', async () => {
    await changeRecord(node.agent, { isLeaving: true });
    fake.remove(`${KEYS.nodes}${ID}`);
    await until(() => fake.get(`${KEYS.nodes}${ID}`) !== undefined, {
      what: () => 'it is not registered',
      msMax: 5_000,
    });
    expect(JSON.parse(fake.get(`${KEYS.nodes}${ID}`) ?? '').isLeaving).toBe(true);
  });

  it('is not changed while etcd is away', async () => {
    fake.outage = 'trouble';
    expect(await changeRecord(node.agent, { isLeaving: true })).toBe(false);
  });

  it('is not said later on when it was refused', async () => {
    fake.outage = 'trouble';
    fake.remove(`${KEYS.nodes}${ID}`);
    await until(() => node.agent.registeredAt === 0, { what: () => 'it is registered', msMax: 5_000 });
    expect(await changeRecord(node.agent, { isLeaving: true })).toBe(false);
    fake.outage = undefined;
    await node.joined();
    expect(JSON.parse(fake.get(`${KEYS.nodes}${ID}`) ?? '').isLeaving).toBe(false);
  });
});
