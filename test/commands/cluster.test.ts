/** Tests of CLUSTER: what it tells of the cluster, and what it has main do. What redis-server has as well is in test/differential. */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  TOPIC_CLUSTER_FAILOVER,
  TOPIC_CLUSTER_FORGET,
  TOPIC_CLUSTER_LEAVE,
} from '../../src/commands/cluster-topics.ts';
import { LEASE_ENDS_MS, NO_NODE, TABLE_VERSION } from '../../src/routing/node-table.ts';
import { SLOT_COUNT, slotOfKey } from '../../src/routing/slot.ts';
import { clusterNode, clusterTable, nodeId, setSlot } from '../support/cluster-table.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { replyTree, type Tree } from '../support/replies.ts';

const DISABLED = '-ERR This instance has cluster support disabled\r\n';

/** Three nodes: slots 0 to 99 are ours, with replicas of the second and then the third; 100 to 199 the second's; 300 the third's. */
function openNode(): Harness {
  const owner = (slot: number) => (slot < 100 ? 0 : slot < 200 ? 1 : slot === 300 ? 2 : NO_NODE);
  const replica = (slot: number) => (slot < 50 ? 1 : slot < 100 ? 2 : slot < 200 ? 0 : NO_NODE);
  const cluster = clusterTable({ ownerOf: owner, replicaOf: replica });
  cluster.table.numbers.fill(42, 0, 1);
  return createHarness({ cluster, flags: ['--cluster-enabled', 'yes'] });
}

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
const place = (node: number) => `*4\r\n$9\r\n127.0.0.1\r\n:${7000 + node}\r\n${bulk(nodeId(node))}*0\r\n`;

function items(tree: Tree): readonly Tree[] {
  return typeof tree === 'string' ? [] : tree.items;
}

async function later(harness: Harness, ...command: string[]): Promise<string> {
  expect(harness.run(...command)).toBe('');
  for (let pass = 0; pass < 10 && harness.deferredReplies.length === 0; pass += 1)
    await new Promise(setImmediate);
  return harness.deferredReplies.pop() ?? '';
}

describe('CLUSTER SLOTS', () => {
  it('has a range for each run of slots with the same owner and replicas', () => {
    const harness = openNode();
    expect(harness.run('CLUSTER', 'SLOTS')).toBe(
      [
        `*4\r\n*4\r\n:0\r\n:49\r\n${place(0)}${place(1)}`,
        `*4\r\n:50\r\n:99\r\n${place(0)}${place(2)}`,
        `*4\r\n:100\r\n:199\r\n${place(1)}${place(0)}`,
        `*3\r\n:300\r\n:300\r\n${place(2)}`,
      ].join(''),
    );
  });

  it('leaves replicas out that are not there, and shows their owners all the same', () => {
    const harness = openNode();
    const { cluster } = harness.engine;
    if (cluster === undefined) throw new Error('a node of a cluster');
    cluster.nodes = cluster.nodes.map((node) => node && { ...node, isAlive: node.index !== 1 });
    const ranges = items(replyTree(harness.run('CLUSTER', 'SLOTS')));
    expect(ranges.map((range) => items(range).length)).toEqual([3, 4, 4, 3]);
  });

  it('is made anew for each version of the table, other nodes, each protocol and each kind of port', () => {
    const harness = openNode();
    const { cluster } = harness.engine;
    if (cluster === undefined) throw new Error('a node of a cluster');
    const first = harness.run('CLUSTER', 'SLOTS');
    cluster.table.owners[400] = 2;
    expect(harness.run('CLUSTER', 'SLOTS')).toBe(first);
    cluster.table.words[TABLE_VERSION] += 1;
    const second = harness.run('CLUSTER', 'SLOTS');
    expect(second).toContain(':400\r\n');
    cluster.nodes = [clusterNode(0), { ...clusterNode(1), port: 9999 }, clusterNode(2)];
    expect(harness.run('CLUSTER', 'SLOTS')).toContain(':9999\r\n');
    const encrypted = Object.assign(harness.connect(), { isEncrypted: true });
    expect(harness.runAs(encrypted, 'CLUSTER', 'SLOTS')).toContain(':7102\r\n');
    harness.run('HELLO', '3');
    expect(harness.run('CLUSTER', 'SLOTS')).toContain('%0\r\n');
  });

  it('of slots that lie scattered is made in time', () => {
    const cluster = clusterTable({ replicaOf: (slot) => (slot + 1) % 3 });
    const harness = createHarness({ cluster });
    const reply = harness.run('CLUSTER', 'SLOTS');
    expect(reply.startsWith(`*${SLOT_COUNT}\r\n*4\r\n:0\r\n:0\r\n`)).toBe(true);
    expect(harness.run('CLUSTER', 'SLOTS')).toBe(reply);
  });
});

describe('CLUSTER SHARDS', () => {
  it('has a shard for each owner with the same replicas', () => {
    const harness = openNode();
    harness.run('HELLO', '3');
    const shards = items(replyTree(harness.run('CLUSTER', 'SHARDS')));
    expect(shards).toHaveLength(4);
    const roles = harness
      .run('CLUSTER', 'SHARDS')
      .match(/(master|replica)\r\n/g)
      ?.join('');
    expect(roles?.replaceAll('\r\n', ' ')).toBe('master replica master replica master replica master ');
  });
});

describe('CLUSTER NODES', () => {
  it('has a line for each node, with its slots in ranges', () => {
    const harness = openNode();
    const { cluster } = harness.engine;
    if (cluster === undefined) throw new Error('a node of a cluster');
    cluster.nodes = [clusterNode(0), clusterNode(1), { ...clusterNode(2), isAlive: false }];
    const text = [
      `${nodeId(0)} 127.0.0.1:7000@17000 myself,master - 0 0 42 connected 0-99\n`,
      `${nodeId(1)} 127.0.0.1:7001@17001 master - 0 0 42 connected 100-199\n`,
      `${nodeId(2)} 127.0.0.1:7002@17002 master,fail - 0 0 42 disconnected 300\n`,
    ].join('');
    expect(harness.run('CLUSTER', 'NODES')).toBe(bulk(text));
    harness.run('HELLO', '3');
    expect(harness.run('CLUSTER', 'NODES')).toBe(`=${text.length + 4}\r\ntxt:${text}\r\n`);
  });

  it('is empty before the node has joined', () => {
    const harness = createHarness({
      cluster: clusterTable({ nodes: 0, own: NO_NODE, ownerOf: () => NO_NODE }),
    });
    expect(harness.run('CLUSTER', 'NODES')).toBe('$0\r\n\r\n');
    expect(harness.run('CLUSTER', 'SLOTS')).toBe('*0\r\n');
    expect(harness.run('CLUSTER', 'SHARDS')).toBe('*0\r\n');
    expect(harness.run('CLUSTER', 'MYID')).toBe('$0\r\n\r\n');
  });
});

describe('CLUSTER INFO', () => {
  const stateOf = (harness: Harness) => /cluster_state:(\w+)/.exec(harness.run('CLUSTER', 'INFO'))?.[1];

  it('counts the slots that have an owner, and those whose owner is there', () => {
    const harness = openNode();
    const { cluster } = harness.engine;
    if (cluster !== undefined)
      cluster.nodes = [clusterNode(0), { ...clusterNode(1), isAlive: false }, clusterNode(2)];
    const reply = harness.run('CLUSTER', 'INFO');
    for (const line of [
      'slots_assigned:201',
      'slots_ok:101',
      'slots_fail:100',
      'known_nodes:3',
      'size:3',
      'current_epoch:42',
    ])
      expect(reply).toContain(`cluster_${line}\r\n`);
  });

  it('says that all is well while the node has a lease, and all slots where all are asked for', () => {
    const harness = openNode();
    expect(stateOf(harness)).toBe('ok');
    Object.assign(harness.engine.config, { clusterRequireFullCoverage: true });
    expect(stateOf(harness)).toBe('fail');
    Object.assign(harness.engine.config, { clusterRequireFullCoverage: false });
    harness.engine.cluster?.table.numbers.fill(0, LEASE_ENDS_MS, LEASE_ENDS_MS + 1);
    expect(stateOf(harness)).toBe('fail');
  });
});

describe('CLUSTER REPLICAS', () => {
  it('names the nodes that have replicas of some slot of the node', () => {
    const harness = openNode();
    const named = (index: number) =>
      items(replyTree(harness.run('CLUSTER', 'REPLICAS', nodeId(index)))).map(
        (line) => String(line).split(/\r\n| /)[1],
      );
    expect(named(0)).toEqual([nodeId(1), nodeId(2)]);
    expect(named(1)).toEqual([nodeId(0)]);
    expect(named(2)).toEqual([]);
    expect(harness.run('CLUSTER', 'SLAVES', nodeId(1))).toBe(harness.run('CLUSTER', 'REPLICAS', nodeId(1)));
  });
});

describe('the slots of this node', () => {
  let harness: Harness;
  const slot = String(slotOfKey(Buffer.from('a'), 0, 1));
  beforeAll(() => {
    harness = createHarness({ cluster: clusterTable({ nodes: 1 }), flags: ['--cluster-enabled', 'yes'] });
    for (const key of ['a', '{a}1', '{a}2', 'b']) harness.run('SET', key, '1');
  });

  it('are counted and listed by key', () => {
    expect(harness.run('CLUSTER', 'COUNTKEYSINSLOT', slot)).toBe(':3\r\n');
    const keys = items(replyTree(harness.run('CLUSTER', 'GETKEYSINSLOT', slot, '10')));
    expect(keys.toSorted()).toEqual(['a', '{a}1', '{a}2'].map(bulk).toSorted());
    expect(items(replyTree(harness.run('CLUSTER', 'GETKEYSINSLOT', slot, '2')))).toHaveLength(2);
    expect(harness.run('CLUSTER', 'GETKEYSINSLOT', slot, '0')).toBe('*0\r\n');
    expect(harness.run('CLUSTER', 'COUNTKEYSINSLOT', '1')).toBe(':0\r\n');
  });
});

describe('what main is asked to do', () => {
  it.each([
    [['LEAVE'], TOPIC_CLUSTER_LEAVE, null],
    [['FORGET', nodeId(1)], TOPIC_CLUSTER_FORGET, nodeId(1)],
    [['FAILOVER'], TOPIC_CLUSTER_FAILOVER, false],
    [['FAILOVER', 'force'], TOPIC_CLUSTER_FAILOVER, true],
    [['FAILOVER', 'TAKEOVER'], TOPIC_CLUSTER_FAILOVER, true],
  ])('CLUSTER %j is done, or told why not', async (words, topic, payload) => {
    const harness = openNode();
    const asked: unknown[] = [];
    const answers = ['', 'ERR it cannot be done'];
    harness.engine.bus.handle(topic, (request) => {
      asked.push(request);
      return answers[asked.length - 1];
    });
    expect(await later(harness, 'CLUSTER', ...words)).toBe('+OK\r\n');
    expect(await later(harness, 'CLUSTER', ...words)).toBe('-ERR it cannot be done\r\n');
    expect(asked).toEqual([payload, payload]);
  });
});

describe('what etcd decides', () => {
  it.each([
    ['ADDSLOTS', '1'],
    ['ADDSLOTSRANGE', '1', '2'],
    ['BUMPEPOCH'],
    ['DELSLOTS', '1'],
    ['DELSLOTSRANGE', '1', '2'],
    ['FLUSHSLOTS'],
    ['MEET', '127.0.0.1', '7001'],
    ['REPLICATE', nodeId(1)],
    ['RESET'],
    ['SAVECONFIG'],
    ['SET-CONFIG-EPOCH', '1'],
    ['SETSLOT', '1', 'NODE', nodeId(1)],
  ])('is not done by hand: CLUSTER %s', (name, ...rest) => {
    const reply = openNode().run('CLUSTER', name, ...rest);
    expect(reply).toMatch(new RegExp(`^-ERR CLUSTER ${name} is not done by hand here: .*\\r\\n$`));
  });
});

describe('CLUSTER PEER', () => {
  it('marks a connection that comes to the right cluster and may do everything', () => {
    const harness = openNode();
    expect(harness.run('CLUSTER', 'PEER', nodeId(1), 'other')).toBe(
      "-ERR this node is of the cluster 'distcache'\r\n",
    );
    expect(harness.session.isPeer).toBe(false);
    expect(harness.run('CLUSTER', 'PEER', nodeId(1), 'distcache')).toBe('+OK\r\n');
    expect(harness.session.isPeer).toBe(true);
  });

  it('is refused to a user that may not do everything', async () => {
    const harness = openNode();
    await later(harness, 'ACL', 'SETUSER', 'limited', 'on', 'nopass', '+@all', '~x*');
    harness.run('AUTH', 'limited', 'any');
    expect(harness.run('CLUSTER', 'PEER', nodeId(1), 'distcache')).toMatch(/^-NOPERM /);
    expect(harness.session.isPeer).toBe(false);
  });
});

describe('READONLY', () => {
  it('shows in what is told of the client', () => {
    const harness = openNode();
    const flags = () => / flags=(\w+) /.exec(harness.run('CLIENT', 'INFO'))?.[1];
    harness.run('READONLY');
    expect(flags()).toBe('r');
    harness.run('READWRITE');
    expect(flags()).toBe('N');
  });
});

describe('on a node that is alone', () => {
  it.each([
    ['CLUSTER', 'SLOTS'],
    ['CLUSTER', 'SHARDS'],
    ['CLUSTER', 'NODES'],
    ['CLUSTER', 'INFO'],
    ['CLUSTER', 'MYID'],
    ['CLUSTER', 'LEAVE'],
    ['CLUSTER', 'HELP'],
    ['CLUSTER', 'PEER', nodeId(1), 'distcache'],
    ['CLUSTER', 'COUNTKEYSINSLOT', '1'],
    ['CLUSTER', 'MEET', 'a', '1'],
    ['READONLY'],
    ['READWRITE'],
    ['ASKING'],
  ])('%s %s has no sense', (...command) => {
    expect(createHarness().run(...command)).toBe(DISABLED);
  });

  it('the slot of a key is known all the same', () => {
    expect(createHarness().run('CLUSTER', 'KEYSLOT', 'a')).toBe(':15495\r\n');
  });

  it('the others see this node as a master without replicas', () => {
    const harness = createHarness();
    expect(harness.run('ROLE')).toBe('*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n');
    expect(harness.run('REPLICAOF', 'no', 'one')).toBe('+OK\r\n');
    expect(harness.run('SLAVEOF', '127.0.0.1', '6379')).toMatch(/^-ERR this server follows no other/);
  });
});

describe('ROLE and INFO', () => {
  it('tell of the nodes that this one feeds', () => {
    const cluster = clusterTable({ sharedMs: () => 12_900 });
    cluster.table.heardOfMs[2] = 10_000;
    const harness = createHarness({ cluster, flags: ['--cluster-enabled', 'yes'] });
    setSlot(cluster, slotOfKey(Buffer.from('a'), 0, 1), 0);
    harness.run('SET', 'a', '1');
    expect(harness.run('ROLE')).toBe(
      `*3\r\n$6\r\nmaster\r\n:1\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n$4\r\n7002\r\n$1\r\n0\r\n`,
    );
    const info = harness.run('INFO', 'replication');
    expect(info).toContain(
      'connected_slaves:1\r\nslave0:ip=127.0.0.1,port=7002,state=online,offset=0,lag=2\r\n',
    );
    expect(info).toContain('master_repl_offset:1\r\n');
    expect(harness.run('INFO', 'server')).toContain('redis_mode:cluster\r\n');
    expect(harness.run('INFO', 'cluster')).toContain('cluster_enabled:1\r\n');
  });
});
