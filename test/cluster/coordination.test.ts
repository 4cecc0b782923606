/** Tests of what the coordinator does in etcd and with the other nodes' answers: agents around one fake etcd. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { changeRecord } from '../../src/cluster/agent-commit.ts';
import { readProgress, startCoordination } from '../../src/cluster/coordination.ts';
import { clusterKeys } from '../../src/cluster/membership.ts';
import { encodeNumbers, encodeSlotBits } from '../../src/cluster/replication-frames.ts';
import { countSlots, decodeTopology, type Topology } from '../../src/cluster/topology.ts';
import { TOPIC_CLUSTER_FORGET, TOPIC_CLUSTER_LEAVE } from '../../src/commands/cluster-topics.ts';
import { NO_NODE } from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { requestFrom } from '../../src/threads/bus.ts';
import { type AgentUnderTest, beginAgent, idOf } from '../support/agent-world.ts';
import { type FakeEtcd, startFakeEtcd } from '../support/fake-etcd.ts';
import { until as untilTrue } from '../support/until.ts';

const KEYS = clusterKeys('distcache');
const [A, B] = [idOf('a'), idOf('b')];

let fake: FakeEtcd;
let nowMs = 0;
let nodes: { readonly node: AgentUnderTest; readonly stop: () => void }[] = [];

beforeEach(async () => {
  fake = await startFakeEtcd();
  nowMs = 100_000;
  nodes = [];
});

afterEach(async () => {
  for (const { node, stop } of nodes) {
    stop();
    await node.stop();
  }
  await fake.close();
});

function until(isTrue: () => unknown, what: string): Promise<void> {
  const lines = () => nodes.map(({ node }) => node.lines.join('\n')).join('\n\n');
  return untilTrue(async () => (await isTrue()) === true, {
    msMax: 5_000,
    what: () => `${what}: ${lines()}`,
  });
}

/** A node that coordinates when it may. */
async function begin(id: string): Promise<AgentUnderTest> {
  const node = beginAgent(id, { url: fake.url, sharedMs: () => nowMs });
  nodes.push({ node, stop: startCoordination(node.agent) });
  await node.joined();
  return node;
}

function written(): Topology | undefined {
  return decodeTopology(fake.get(KEYS.topology) ?? '', 0).topology;
}

/** Once the nodes have settled by their clock, all slots are laid out. */
async function laidOut(count: number): Promise<void> {
  await until(() => written()?.nodes.length === count, 'not all nodes are in the topology');
  nowMs += 5_000;
  for (const { node } of nodes) for (const listener of node.agent.listeners) listener();
  await until(
    () => countSlots(written()?.owners ?? new Uint8Array(1).fill(NO_NODE))[NO_NODE] === 0,
    'the slots are not laid out',
  );
}

function ask(node: AgentUnderTest, topic: string, payload: unknown): Promise<string | undefined> {
  return requestFrom<string>(node.agent.options.bus, 0, topic, payload);
}

describe('nodes that come together', () => {
  test('have one coordinator, under its lease, and its plan is in force on all', async () => {
    const one = await begin(A);
    await until(() => fake.get(KEYS.coordinator) === A, 'there is no coordinator');
    const other = await begin(B);
    await laidOut(2);
    expect(fake.get(KEYS.coordinator)).toBe(A);
    await until(() => other.table.owners.join() === written()?.owners.join(), 'not in force');
    expect(
      one.lines.filter((line) => line === 'this node is the coordinator of the cluster now'),
    ).toHaveLength(1);
    expect(other.lines).not.toContain('this node is the coordinator of the cluster now');
  });

  test('have another coordinator when the first one stops', async () => {
    const one = await begin(A);
    const other = await begin(B);
    await until(() => fake.get(KEYS.coordinator) === A, 'there is no coordinator');
    nodes[0].stop();
    await one.stop();
    await other.logged('this node is the coordinator of the cluster now');
    expect(fake.get(KEYS.coordinator)).toBe(B);
  });
});

describe('CLUSTER LEAVE', () => {
  test('registers the node as one that leaves, if there is another one', async () => {
    const one = await begin(A);
    expect(await ask(one, TOPIC_CLUSTER_LEAVE, null)).toBe(
      'ERR there is no other node that could take the slots of this one',
    );
    await begin(B);
    await until(() => one.agent.state.members.size === 2, 'it does not know the other');
    expect(await ask(one, TOPIC_CLUSTER_LEAVE, null)).toBe('');
    expect(JSON.parse(fake.get(KEYS.nodes + A) ?? '{}').isLeaving).toBe(true);
    await until(
      () => written()?.nodes.find(({ id }) => id === A)?.isLeaving === true,
      'the topology does not say so',
    );
  });
});

describe('CLUSTER FORGET', () => {
  test('gives up a node that is gone, and no other', async () => {
    const one = await begin(A);
    const other = await begin(B);
    await laidOut(2);
    expect(await ask(one, TOPIC_CLUSTER_FORGET, idOf('c'))).toBe(`ERR Unknown node ${idOf('c')}`);
    expect(await ask(one, TOPIC_CLUSTER_FORGET, B)).toContain('ERR The node is alive');
    nodes[1].stop();
    await other.stop();
    await until(() => one.agent.state.members.size === 1, 'it is still there');
    expect(await ask(one, TOPIC_CLUSTER_FORGET, B)).toBe('');
    expect(written()?.nodes.map(({ id }) => id)).toEqual([A]);
    expect(new Set(written()?.owners)).toEqual(new Set([written()?.nodes[0].index]));
    expect(one.lines).toContain(`node ${B} is given up, with what only it had: an operator said so`);
  });
});

describe('a node that stops', () => {
  test('says so before it gives anything away', async () => {
    const one = await begin(A);
    const [farewell] = one.agent.farewells;
    await farewell(1000);
    expect(JSON.parse(fake.get(KEYS.nodes + A) ?? '{}').isStopping).toBe(true);
    expect(await changeRecord(one.agent, { isStopping: false })).toBe(true);
  });
});

describe('what a node says of its replicas', () => {
  const slots = new Uint8Array(SLOT_COUNT);
  slots[3] = 1;
  slots[16_383] = 1;
  const bits = Buffer.from(encodeSlotBits(slots));

  test('is which slots are whole, and the LSNs by shard', () => {
    expect(readProgress([bits, encodeNumbers([7, 2 ** 40])])).toEqual({
      isInSync: slots,
      lsns: [7, 2 ** 40],
    });
  });

  test('is nothing where it has none, or has not heard of the owner’s shards', () => {
    const nothing = { isInSync: new Uint8Array(SLOT_COUNT), lsns: [] };
    expect(readProgress(null)).toEqual(nothing);
    expect(readProgress([bits, Buffer.alloc(0)])).toEqual(nothing);
  });

  test('is not believed where it is something else', () => {
    for (const reply of [
      'OK',
      7,
      [],
      [bits],
      [bits.subarray(1), encodeNumbers([1])],
      [bits, Buffer.alloc(7)],
    ])
      expect(readProgress(reply)).toBe(undefined);
    expect(readProgress([bits, encodeNumbers(new Float64Array(1025))])).toBe(undefined);
  });
});
