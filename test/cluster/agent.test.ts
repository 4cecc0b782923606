/** How a node joins its cluster, keeps its lease and leaves, against an etcd of the test's own. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commitTopology } from '../../src/cluster/agent-commit.ts';
import { clusterKeys } from '../../src/cluster/membership.ts';
import { encodeTopology } from '../../src/cluster/topology.ts';
import { TOPIC_CLUSTER_NODES } from '../../src/commands/cluster-view.ts';
import { CLUSTER_SUCCESSION_MS } from '../../src/config/limits-cluster.ts';
import {
  isSyncedTo,
  LEASE_ENDS_MS,
  NO_NODE,
  OWN_INDEX,
  ROLE_OWNER,
  setSyncedTo,
  TOPOLOGY_EPOCH,
} from '../../src/routing/node-table.ts';
import { handleTopic } from '../../src/threads/bus.ts';
import {
  type AgentTestOptions,
  type AgentUnderTest,
  beginAgent,
  idOf,
  topologyOf,
} from '../support/agent-world.ts';
import { type FakeEtcd, startFakeEtcd } from '../support/fake-etcd.ts';
import { until } from '../support/until.ts';

const KEYS = clusterKeys('distcache');
const ID = idOf('a');
const OTHER = idOf('b');
const OWN_KEY = `${KEYS.nodes}${ID}`;

let fake: FakeEtcd;
let nowMs: number;
let begun: AgentUnderTest[];

beforeEach(async () => {
  fake = await startFakeEtcd();
  nowMs = 10_000;
  begun = [];
});

afterEach(async () => {
  fake.outage = undefined;
  await Promise.all(begun.map((node) => node.stop()));
  await fake.close();
});

function begin(id = ID, options: Partial<AgentTestOptions> = {}): AgentUnderTest {
  const node = beginAgent(id, { url: fake.url, sharedMs: () => nowMs, ...options });
  begun.push(node);
  return node;
}

const wait = (isTrue: () => boolean, what: string): Promise<void> =>
  until(isTrue, { what: () => what, msMax: 5_000 });

describe('a node that joins', () => {
  it('is registered under its lease, and may act until that ends', async () => {
    const node = begin();
    await node.joined();
    expect(JSON.parse(fake.get(OWN_KEY) ?? '')).toMatchObject({ id: ID, port: 7000 });
    expect(node.table.numbers[LEASE_ENDS_MS]).toBe(nowMs + 2_800);
    expect(node.agent.trouble).toBe('');
  });

  it('goes by the topology before it may act, and tells all threads of the nodes before that', async () => {
    fake.put(KEYS.topology, encodeTopology(topologyOf([ID, OTHER])));
    const node = begin();
    let leaseAtFirstTopology = -1;
    node.agent.listeners.push(() => {
      if (leaseAtFirstTopology < 0) leaseAtFirstTopology = node.table.numbers[LEASE_ENDS_MS];
    });
    await node.joined();
    expect(leaseAtFirstTopology).toBe(0);
    expect(node.told).toEqual([{ ids: [ID, OTHER], epoch: 0 }]);
    expect(node.table.numbers[TOPOLOGY_EPOCH]).toBe(2);
    expect(node.table.words[OWN_INDEX]).toBe(0);
    expect(node.table.roles[0]).toBe(ROLE_OWNER);
    expect(node.lines.find((line) => line.includes('new topology'))).toContain('"owned":16384');
  });

  it('waits for etcd, and says so at once and each ten seconds', async () => {
    fake.outage = 'trouble';
    const node = begin();
    await node.logged('commands with keys are refused');
    const count = () => node.lines.filter((line) => line.includes('leader changed')).length;
    const requests = fake.paths.length;
    await wait(() => fake.paths.length > requests + 3, 'it does not try again');
    expect(count()).toBe(1);
    nowMs += 10_000;
    await wait(() => count() === 2, 'it is not said again');
    fake.outage = undefined;
    await node.joined();
    await node.logged('well with etcd again, after 10.0 s');
  });

  it('that is not listed any more when it has told its threads registers again', async () => {
    fake.put(KEYS.topology, encodeTopology(topologyOf([ID, OTHER])));
    const node = begin();
    let times = 0;
    handleTopic(node.agent.options.bus, TOPIC_CLUSTER_NODES, async () => {
      times += 1;
      if (times > 1) return;
      fake.remove(OWN_KEY);
      await wait(() => !node.agent.state.members.has(ID), 'it is listed');
      expect(node.table.numbers[LEASE_ENDS_MS]).toBe(0);
    });
    await wait(() => times > 0 && fake.get(OWN_KEY) !== undefined, 'it is not registered again');
    await node.joined();
  });

  it('and is stopped meanwhile leaves nothing behind in etcd', async () => {
    const node = begin();
    let stopping: Promise<void> | undefined;
    fake.beforeAnswer = (path) => {
      if (path === '/lease/grant') stopping ??= node.stop();
    };
    await wait(() => stopping !== undefined, 'it has no lease');
    await stopping;
    await node.agent.life;
    expect(fake.get(OWN_KEY)).toBe(undefined);
    expect(fake.paths).toContain('/lease/revoke');
  });

  it('waits until another process that has its name is gone', async () => {
    const twin = begin(ID, { change: { runId: 'the other', host: '10.0.0.9' } });
    await twin.joined();
    const node = begin();
    await node.logged(`another process is registered as node ${ID} at 10.0.0.9:7000`);
    expect(node.table.numbers[LEASE_ENDS_MS]).toBe(0);
    await twin.stop();
    // Its successors come first.
    await wait(() => node.agent.trouble.includes('until what it owned has new owners'), 'it does not wait');
    expect(node.agent.registeredAt).toBe(0);
    nowMs += CLUSTER_SUCCESSION_MS;
    await node.joined();
  });
});

describe('a member', () => {
  it('takes nothing that it knew of a node for true of another that has its index now', async () => {
    const node = begin();
    await node.joined();
    const third = idOf('c');
    await commitTopology(node.agent, topologyOf([ID, OTHER]));
    const { table } = node;
    for (const index of [0, 1]) setSyncedTo(table, index, 7, true);
    table.syncedFrom.set([1, 0], 7);
    await commitTopology(node.agent, topologyOf([ID, third], node.agent.state.topology?.epoch));
    expect([0, 1].map((index) => isSyncedTo(table, index, 7))).toEqual([true, false]);
    expect([...table.syncedFrom.subarray(7, 9)]).toEqual([NO_NODE, 0]);
  });

  it('sees others come and go, and whom the topology names', async () => {
    fake.put(KEYS.topology, encodeTopology(topologyOf([ID, OTHER])));
    const node = begin();
    await node.joined();
    const isAlive = () => node.agent.nodes.map((each) => each?.isAlive);
    expect(isAlive()).toEqual([true, false]);
    const other = begin(OTHER, { change: { port: 7009 } });
    await wait(() => isAlive()[1] === true, 'the other is not seen');
    // Where it says that it is now counts, not where the topology has it.
    expect(node.agent.nodes[1]?.port).toBe(7009);
    await other.stop();
    await wait(() => isAlive()[1] === false, 'the other is still seen');
  });

  it('keeps its lease, and its end moves on with time', async () => {
    const node = begin();
    await node.joined();
    const first = node.table.numbers[LEASE_ENDS_MS];
    nowMs += 600;
    await wait(() => node.table.numbers[LEASE_ENDS_MS] > first, 'the lease was not renewed');
    expect(node.table.numbers[LEASE_ENDS_MS]).toBe(nowMs + 2_800);
  });

  it('does not move the end of its lease while etcd is away, says what that means, and goes on behind it', async () => {
    const node = begin();
    await node.joined();
    const end = node.table.numbers[LEASE_ENDS_MS];
    fake.outage = 'trouble';
    await node.logged('lasts for another 2.8 s');
    nowMs += 3_000;
    await node.logged('until that is mended, commands with keys are refused');
    expect(node.table.numbers[LEASE_ENDS_MS]).toBe(end);
    fake.outage = undefined;
    await wait(() => node.table.numbers[LEASE_ENDS_MS] > end, 'the lease was not renewed');
    expect(fake.paths.filter((path) => path === '/lease/grant')).toHaveLength(1);
  });

  it('whose lease is gone joins anew, and may not act until it knows what became of its slots', async () => {
    fake.put(KEYS.topology, encodeTopology(topologyOf([ID, OTHER])));
    const node = begin();
    await node.joined();
    const ends: number[] = [];
    node.agent.listeners.push(() => ends.push(node.table.numbers[LEASE_ENDS_MS]));
    fake.expire(OWN_KEY);
    const taken = topologyOf([OTHER, ID]);
    fake.put(KEYS.topology, encodeTopology(taken));
    await wait(() => node.table.numbers[TOPOLOGY_EPOCH] > 2 && node.agent.registeredAt > 2, 'it is not back');
    await node.joined();
    // Of the changes that it saw, the one behind which it may act is the last.
    expect(ends.slice(0, -1).every((end) => end === 0)).toBe(true);
    expect(node.table.roles[0]).toBe(0);
    expect(JSON.parse(fake.get(OWN_KEY) ?? '').id).toBe(ID);
  });

  it('that has lost its lease does not decide at once about others, who may have lost theirs with it', async () => {
    const node = begin();
    await node.joined();
    expect(node.agent.plansFromMs).toBe(0);
    fake.expire(OWN_KEY);
    await node.logged('etcd has ended the lease');
    await node.joined();
    expect(node.agent.plansFromMs).toBe(nowMs + 1_500);
  });

  it('whose key was removed registers again', async () => {
    const node = begin();
    await node.joined();
    fake.remove(OWN_KEY);
    await node.logged('does not list this node any more');
    await wait(() => fake.get(OWN_KEY) !== undefined, 'it did not register again');
    await node.joined();
  });

  it('reads everything again where etcd has compacted what it has not seen', async () => {
    const node = begin();
    await node.joined();
    fake.outage = 'trouble';
    fake.breakWatches();
    fake.put(KEYS.topology, encodeTopology(topologyOf([ID])));
    for (let round = 0; round < 3; round++) fake.put(KEYS.coordinator, ID);
    fake.compact(fake.store.revision);
    fake.outage = undefined;
    await node.logged('everything is read again');
    await wait(() => node.table.numbers[TOPOLOGY_EPOCH] > 0, 'the topology was not read');
    fake.put(KEYS.coordinator, OTHER);
    await wait(() => node.agent.state.coordinator === OTHER, 'the watch does not go on');
  });

  it('registers again when it finds itself unlisted as it reads everything again', async () => {
    const node = begin();
    await node.joined();
    fake.outage = 'trouble';
    fake.breakWatches();
    fake.remove(OWN_KEY);
    fake.compact(fake.store.revision + 1);
    fake.put(KEYS.coordinator, ID);
    fake.outage = undefined;
    await node.logged('everything is read again');
    await wait(() => fake.get(OWN_KEY) !== undefined, 'it is not registered again');
    await node.joined();
  });

  it('does not go back behind what it has written while it read everything again', async () => {
    const node = begin();
    await node.joined();
    await commitTopology(node.agent, topologyOf([ID]));
    const { topology } = node.agent.state;
    if (topology === undefined) throw new Error('it is in force');
    const epochs: number[] = [];
    node.agent.listeners.push(() => epochs.push(node.table.numbers[TOPOLOGY_EPOCH]));
    // The reading sees what was before the commit, and is answered behind it.
    fake.beforeAnswer = async (path) => {
      if (path === '/kv/range') await commitTopology(node.agent, topology);
    };
    fake.outage = 'trouble';
    fake.breakWatches();
    for (let round = 0; round < 3; round++) fake.put(KEYS.coordinator, ID);
    fake.compact(fake.store.revision);
    fake.outage = undefined;
    await node.logged('everything is read again');
    await wait(() => node.agent.isWatching && epochs.length > 2, 'the watch does not go on');
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
    expect(node.table.numbers[TOPOLOGY_EPOCH]).toBeGreaterThan(topology.epoch);
  });

  it('that stops may not act any more before its lease is given back, and is gone from etcd', async () => {
    const node = begin();
    await node.joined();
    const farewells: number[] = [];
    node.agent.farewells.push(async () => void farewells.push(node.table.numbers[LEASE_ENDS_MS]));
    let endAtRevoke = -1;
    fake.onRequest = (path) => {
      if (path === '/lease/revoke') endAtRevoke = node.table.numbers[LEASE_ENDS_MS];
    };
    await node.stop();
    expect(farewells).toEqual([12_800]);
    expect(endAtRevoke).toBe(0);
    expect(fake.get(OWN_KEY)).toBeUndefined();
    expect(fake.store.leases.size).toBe(0);
  });

  it('stops in time while etcd hangs, and while a farewell does', async () => {
    const node = begin();
    await node.joined();
    node.agent.farewells.push(() => new Promise(() => undefined));
    fake.outage = 'hang';
    await node.stop(100);
    expect(node.table.numbers[LEASE_ENDS_MS]).toBe(0);
  });
});
