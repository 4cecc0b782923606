/** Registration, and this node's copy of what etcd has of the cluster. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { grantLease } from '../../src/cluster/etcd.ts';
import { createEtcd, type Etcd } from '../../src/cluster/etcd-gateway.ts';
import {
  type ClusterState,
  clusterKeys,
  createClusterState,
  type NodeRecord,
  parseNodeRecord,
  registerNode,
  takeEvents,
  takeValues,
} from '../../src/cluster/membership.ts';
import { createTopology, encodeTopology } from '../../src/cluster/topology.ts';
import { type FakeEtcd, startFakeEtcd } from '../support/fake-etcd.ts';

const KEYS = clusterKeys('test');
const ID = 'a'.repeat(40);
const OTHER = 'b'.repeat(40);
const TOPOLOGY_TEXT = encodeTopology(createTopology());

function record(id: string, change: Partial<NodeRecord> = {}): NodeRecord {
  const ports = { port: 6379, tlsPort: 0, httpPort: 8080 };
  const rest = { weight: 100, runId: 'run1', startedAtMs: 5, isLeaving: false };
  return { id, host: '10.0.0.1', ...ports, ...rest, ...change };
}

let warnings: string[];
let state: ClusterState;
const log = { notice: () => undefined, warning: (text: string) => void warnings.push(text) };

beforeEach(() => {
  warnings = [];
  state = createClusterState(ID, KEYS);
});

const at = (key: string, value: string, modRevision: number) => ({
  ...{ key, value, modRevision, createRevision: modRevision, lease: '' },
});
const event = (key: string, value: string | undefined, modRevision: number) => ({
  ...at(key, value ?? '', modRevision),
  isRemoved: value === undefined,
});

describe('a registration', () => {
  let fake: FakeEtcd;
  let etcd: Etcd;
  beforeEach(async () => {
    fake = await startFakeEtcd();
    etcd = createEtcd({ urls: [fake.url], patience: { tryMsMax: 2_000, pauseMsMin: 1 } });
  });
  afterEach(() => fake.close());

  it('puts what the node says of itself under its lease, and reads everything behind it', async () => {
    fake.put(KEYS.topology, TOPOLOGY_TEXT);
    const { id: lease } = await grantLease(etcd, 3);
    const registration = await registerNode(etcd, KEYS, record(ID), lease);
    expect(registration).toMatchObject({ ok: true, revision: 3 });
    expect(registration.ok && registration.values.map(({ key }) => key)).toEqual([
      `/distcache/test/nodes/${ID}`,
      '/distcache/test/topology',
    ]);
    expect(JSON.parse(fake.get(`${KEYS.nodes}${ID}`) ?? '')).toEqual(record(ID));
    fake.expire(`${KEYS.nodes}${ID}`);
    expect(fake.get(`${KEYS.nodes}${ID}`)).toBeUndefined();
  });

  it('is refused while another process has the name, and says which', async () => {
    const { id: lease } = await grantLease(etcd, 3);
    await registerNode(etcd, KEYS, record(ID, { runId: 'run2', host: '10.0.0.2' }), lease);
    const { id: ownLease } = await grantLease(etcd, 3);
    const refused = await registerNode(etcd, KEYS, record(ID), ownLease);
    expect(refused).toMatchObject({ ok: false, other: { host: '10.0.0.2' } });
    fake.expire(`${KEYS.nodes}${ID}`);
    expect(await registerNode(etcd, KEYS, record(ID), ownLease)).toMatchObject({ ok: true });
  });

  it('is refused while something unreadable has the name', async () => {
    fake.put(`${KEYS.nodes}${ID}`, 'nonsense');
    const { id: lease } = await grantLease(etcd, 3);
    expect(await registerNode(etcd, KEYS, record(ID), lease)).toEqual({ ok: false, other: undefined });
  });

  it('takes the place of one that this very process made under an earlier lease', async () => {
    const { id: first } = await grantLease(etcd, 3);
    await registerNode(etcd, KEYS, record(ID), first);
    const { id: second } = await grantLease(etcd, 3);
    const again = await registerNode(etcd, KEYS, record(ID), second);
    expect(again.ok && again.values[0]).toMatchObject({ createRevision: 2, modRevision: 3, lease: second });
  });
});

describe('what etcd has', () => {
  it('is the nodes, the coordinator and the topology, whose epoch is its revision', () => {
    const values = [
      at(`${KEYS.nodes}${ID}`, JSON.stringify(record(ID)), 2),
      at(`${KEYS.nodes}${OTHER}`, JSON.stringify(record(OTHER, { isLeaving: true })), 3),
      at(KEYS.coordinator, OTHER, 4),
      at(KEYS.topology, TOPOLOGY_TEXT, 5),
      at(`${KEYS.prefix}something`, 'of a later version', 6),
    ];
    takeValues(state, values, 9, log);
    expect([...state.members.values()]).toEqual([
      { ...record(ID), registeredAt: 2 },
      { ...record(OTHER, { isLeaving: true }), registeredAt: 3 },
    ]);
    expect(state).toMatchObject({ coordinator: OTHER, revision: 9, topology: { epoch: 5 } });
    expect(warnings).toEqual([]);
  });

  it('replaces all that was known', () => {
    takeValues(
      state,
      [at(`${KEYS.nodes}${ID}`, JSON.stringify(record(ID)), 2), at(KEYS.coordinator, ID, 3)],
      3,
      log,
    );
    takeValues(state, [], 4, log);
    expect(state).toMatchObject({ members: new Map(), coordinator: '', topology: undefined, revision: 4 });
  });

  it('is passed over where it describes no node, with a word', () => {
    const texts = [
      '',
      '{',
      'null',
      '[]',
      '{}',
      JSON.stringify({ ...record(ID), port: '6379' }),
      JSON.stringify({ ...record(ID), port: 65_536 }),
      JSON.stringify({ ...record(ID), weight: 0 }),
      JSON.stringify(record(OTHER)),
    ];
    for (const text of texts) takeValues(state, [at(`${KEYS.nodes}${ID}`, text, 2)], 2, log);
    expect(state.members.size).toBe(0);
    expect(warnings).toHaveLength(texts.length);
  });

  it('changes as it is watched: nodes come, change and go', () => {
    const before = state.members;
    takeEvents(state, [event(`${KEYS.nodes}${ID}`, JSON.stringify(record(ID)), 2)], log);
    expect(before.size).toBe(0);
    takeEvents(
      state,
      [
        event(`${KEYS.nodes}${OTHER}`, JSON.stringify(record(OTHER)), 3),
        event(`${KEYS.nodes}${ID}`, JSON.stringify(record(ID, { isLeaving: true })), 4),
        event(KEYS.coordinator, ID, 5),
      ],
      log,
    );
    expect(state.members.get(ID)?.isLeaving).toBe(true);
    expect(state).toMatchObject({ coordinator: ID, revision: 5 });
    takeEvents(
      state,
      [event(`${KEYS.nodes}${OTHER}`, undefined, 6), event(KEYS.coordinator, undefined, 6)],
      log,
    );
    expect([...state.members.keys()]).toEqual([ID]);
    expect(state.coordinator).toBe('');
  });

  it('never goes back behind a topology that this node has written itself', () => {
    state.topology = { ...createTopology(), epoch: 7 };
    for (const revision of [6, 7]) {
      takeEvents(state, [event(KEYS.topology, TOPOLOGY_TEXT, revision)], log);
      expect(state.topology.epoch).toBe(7);
    }
    takeEvents(state, [event(KEYS.topology, TOPOLOGY_TEXT, 8)], log);
    expect(state.topology.epoch).toBe(8);
  });

  it('leaves the topology in force where the new one cannot be read, with a word', () => {
    takeEvents(state, [event(KEYS.topology, TOPOLOGY_TEXT, 2)], log);
    takeEvents(state, [event(KEYS.topology, '{"version":9}', 3)], log);
    expect(state.topology?.epoch).toBe(2);
    expect(warnings).toEqual([expect.stringContaining('epoch 3')]);
  });

  it('has no topology when that was removed, with a word', () => {
    takeEvents(state, [event(KEYS.topology, TOPOLOGY_TEXT, 2), event(KEYS.topology, undefined, 3)], log);
    expect(state.topology).toBeUndefined();
    expect(warnings).toHaveLength(1);
  });
});

it('a record from before nodes could leave says that it does not', () => {
  const { isLeaving: _, ...older } = record(ID);
  expect(parseNodeRecord(JSON.stringify(older))).toEqual(record(ID));
});
