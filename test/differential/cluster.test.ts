/**
 * A node of a cluster beside redis-server in cluster mode: two of those that know each other and own half of the slots each, and ours
 * with the same table. What both have must be the same bytes.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NO_NODE, ROLE_HANDING_OVER, ROLE_OWNER } from '../../src/routing/node-table.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { clusterTable } from '../support/cluster-table.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { compareTrees, converse, replyTree, type Tree } from '../support/replies.ts';
import { until } from '../support/until.ts';

type Program = readonly (readonly string[])[];

const OWN = 0;
const OTHER = 1;
const HALF = 8192;
const FLAGS = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'];

let servers: RedisServer[] = [];
let ids: string[] = [];

beforeAll(async () => {
  servers = await Promise.all([startRedisServer(FLAGS), startRedisServer(FLAGS)]);
  const [own, other] = servers;
  await converse(own.port, [['CLUSTER', 'ADDSLOTSRANGE', '0', `${HALF - 1}`]]);
  await converse(other.port, [['CLUSTER', 'ADDSLOTSRANGE', `${HALF}`, '16383']]);
  await converse(own.port, [['CLUSTER', 'MEET', '127.0.0.1', `${other.port}`]]);
  for (const server of servers) await eventually(() => isWhole(server));
  ids = await Promise.all(
    servers.map(async ({ port }) => (await converse(port, [['CLUSTER', 'MYID']]))[0].split('\r\n')[1]),
  );
}, 30_000);
afterAll(async () => {
  for (const server of servers) await server.stop();
});

/** What gossip brings takes redis-server some seconds. */
function eventually(isTrue: () => Promise<boolean>): Promise<void> {
  return until(isTrue, { what: () => 'the two servers do not agree', msMax: 20_000 });
}

async function isWhole({ port }: RedisServer): Promise<boolean> {
  const [info] = await converse(port, [['CLUSTER', 'INFO']]);
  return info.includes('cluster_state:ok') && info.includes('cluster_slots_assigned:16384');
}

/** Ours in the place of the first one. */
function openHarness(): Harness {
  const cluster = clusterTable({ nodes: 2, ownerOf: (slot) => (slot < HALF ? OWN : OTHER) });
  cluster.nodes = cluster.nodes.map(
    (node, index) => node && { ...node, id: ids[index], port: servers[index].port, tlsPort: 0 },
  );
  return createHarness({ cluster, flags: ['--cluster-enabled', 'yes', '--cluster-routing', 'redirect'] });
}

async function bothSay(
  program: Program,
  harness = openHarness(),
): Promise<[ours: string[], theirs: string[]]> {
  const ours = program.map((command) => harness.run(...command));
  return [ours, await converse(servers[OWN].port, program)];
}

describeWithRedis('a node of a cluster and redis-server', () => {
  it.each(['2', '3'])('show the slots and shards alike in RESP%s', async (protocol) => {
    const program = [
      ['CLUSTER', 'SLOTS'],
      ['CLUSTER', 'SHARDS'],
      ['CLUSTER', 'LINKS'],
      ['CLUSTER', 'MYID'],
    ];
    const [ours, theirs] = await bothSay([['HELLO', protocol], ...program]);
    const withoutOffset = (reply: string) => reply.replace(/(replication-offset\r\n:)\d+/g, '$10');
    expect(ours[1]).toBe(theirs[1]);
    expect(inOrder(withoutOffset(ours[2]))).toEqual(inOrder(withoutOffset(theirs[2])));
    expect(namesIn(ours[2])).toBe(namesIn(theirs[2]));
    expect(ours[4]).toBe(theirs[4]);
  });

  it('describe the nodes alike, but for what heartbeats tell', async () => {
    const [ours, theirs] = await bothSay([['CLUSTER', 'NODES']]);
    const described = (reply: string) =>
      reply
        .split(/\r\n|\n/)
        .filter((line) => line.includes('master'))
        .map((line) => line.replace(/ - \d+ \d+ \d+ /, ' - 0 0 0 ').replace(/@\d+/, '@0'))
        .sort();
    expect(described(ours[0])).toEqual(described(theirs[0]));
    expect(described(ours[0])).toHaveLength(2);
  });

  it('tell of the cluster under the same names, and the same of its slots', async () => {
    const [ours, theirs] = await bothSay([['CLUSTER', 'INFO']]);
    const fields = (reply: string) => reply.split('\r\n').filter((line) => line.includes(':'));
    const names = (reply: string) => fields(reply).map((line) => line.split(':')[0]);
    const ofMessages = (name: string) => /_stats_messages_\w+_(sent|received)$/.test(name);
    expect(names(ours[0])).toEqual(names(theirs[0]).filter((name) => !ofMessages(name)));
    const ofSlots = (reply: string) => fields(reply).filter((line) => !/epoch|messages/.test(line));
    expect(ofSlots(ours[0])).toEqual(ofSlots(theirs[0]));
  });

  it.each([
    [['HELLO'], ['INFO', 'cluster'], ['ROLE']],
    [['READONLY'], ['READWRITE'], ['ASKING'], ['READONLY', 'x'], ['ASKING', 'x'], ['ROLE', 'x']],
    [
      ['REPLICAOF', 'NO', 'ONE'],
      ['SLAVEOF', 'a', '1'],
      ['REPLICAOF', 'a'],
    ],
    [
      ['SELECT', '0'],
      ['SELECT', '1'],
      ['SELECT', '99'],
      ['SELECT', '-1'],
      ['SELECT', 'x'],
    ],
    [
      ['SWAPDB', '0', '1'],
      ['SWAPDB', 'x', '1'],
      ['SWAPDB', '0', '0'],
    ],
    [
      ['SET', '{b}', '1'],
      ['MOVE', '{b}', '1'],
      ['MOVE', '{b}', '0'],
      ['MOVE', '{b}', 'x'],
      ['MOVE', 'b', '99'],
    ],
    [
      ['SET', 'b', '1'],
      ['COPY', 'b', 'c{b}'],
      ['COPY', 'b', 'd{b}', 'DB', '0'],
      ['COPY', 'b', 'b', 'DB', '0'],
      ['COPY', 'b', 'e{b}', 'DB', '1'],
      ['COPY', 'b', 'b', 'DB', '1'],
      ['COPY', 'b', 'e{b}', 'DB', '99'],
      ['COPY', 'b', 'a'],
    ],
    [
      ['CLUSTER', 'COUNTKEYSINSLOT', '16384'],
      ['CLUSTER', 'COUNTKEYSINSLOT', '-1'],
      ['CLUSTER', 'COUNTKEYSINSLOT', 'x'],
      ['CLUSTER', 'COUNTKEYSINSLOT', '9223372036854775807'],
      ['CLUSTER', 'COUNTKEYSINSLOT', '9223372036854775808'],
      ['CLUSTER', 'GETKEYSINSLOT', '16384', '1'],
      ['CLUSTER', 'GETKEYSINSLOT', '1', '-1'],
      ['CLUSTER', 'GETKEYSINSLOT', '1', 'x'],
      ['CLUSTER', 'GETKEYSINSLOT', 'x', '1'],
      ['CLUSTER', 'GETKEYSINSLOT', '1', '10'],
      ['CLUSTER', 'GETKEYSINSLOT', '1'],
    ],
    [
      ['CLUSTER', 'REPLICAS', 'x'],
      ['CLUSTER', 'SLAVES', 'x'],
      ['CLUSTER', 'COUNT-FAILURE-REPORTS', 'x'],
      ['CLUSTER', 'FORGET', 'x'],
      ['CLUSTER', 'FAILOVER', 'x'],
      ['CLUSTER', 'FAILOVER', 'FORCE', 'x'],
      ['CLUSTER', 'NOSUCH'],
      ['CLUSTER'],
      ['CLUSTER', 'KEYSLOT'],
      ['CLUSTER', 'KEYSLOT', '{user}1'],
    ],
    [
      ['SPUBLISH', 'b', 'x'],
      ['SPUBLISH', 'a', 'x'],
      ['SSUBSCRIBE', 'a'],
      ['SSUBSCRIBE', 'a', 'b'],
      ['PUBSUB', 'SHARDCHANNELS'],
    ],
  ])('answer alike: %j', async (...program) => {
    const [ours, theirs] = await bothSay(program);
    const plain = (replies: string[]) =>
      replies.map((reply) =>
        reply.replace(/(\r\nid\r\n:)\d+/, '$10').replace(/^(\*3\r\n\$6\r\nmaster\r\n:)\d+/, '$10'),
      );
    expect(plain(ours)).toEqual(plain(theirs));
  });

  it('know of the other node that it has no replicas, and of themselves', async () => {
    const program = ids.flatMap((id) => [
      ['CLUSTER', 'REPLICAS', id],
      ['CLUSTER', 'COUNT-FAILURE-REPORTS', id],
    ]);
    const [ours, theirs] = await bothSay([...program, ['CLUSTER', 'FORGET', ids[OWN]]]);
    expect(ours).toEqual(theirs);
  });

  it('send the same commands to the same node, in and out of transactions', async () => {
    const key = fc.constantFrom('a', 'b', 'c', '{a}1', '{b}1', '{b}2');
    const command: fc.Arbitrary<readonly string[]> = fc.oneof(
      fc.tuple(fc.constantFrom('GET', 'DEL', 'INCR', 'TTL', 'WATCH'), key),
      fc.tuple(fc.constant('SET'), key, fc.constant('1')),
      fc.tuple(fc.constantFrom('MGET', 'EXISTS', 'TOUCH', 'DEL', 'WATCH'), key, key).map((words) => words),
      fc.tuple(fc.constant('MSET'), key, fc.constant('1'), key, fc.constant('2')),
      fc.tuple(fc.constantFrom('RENAME', 'RENAMENX', 'LCS'), key, key),
      fc.tuple(fc.constant('OBJECT'), fc.constant('ENCODING'), key),
      fc.tuple(fc.constant('SPUBLISH'), key, fc.constant('x')),
      fc.constantFrom(
        ['MULTI'],
        ['EXEC'],
        ['EXEC'],
        ['DISCARD'],
        ['PING'],
        ['ASKING'],
        ['READONLY'],
        ['UNWATCH'],
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 20 }), async (program) => {
        const [ours, theirs] = await bothSay([['FLUSHALL'], ...program]);
        expect(ours).toEqual(theirs);
      }),
      { numRuns: 60 },
    );
  });

  it('ask at the other node for what is there already, and run transactions that ask', async () => {
    const slot = slotOfKey(Buffer.from('b'), 0, 1);
    const harness = openHarness();
    const { cluster } = harness.engine;
    if (cluster === undefined) throw new Error('a node of a cluster');
    cluster.table.targets[slot] = OTHER;
    cluster.table.roles[slot] = ROLE_OWNER | ROLE_HANDING_OVER;
    await converse(servers[OWN].port, [
      ['FLUSHALL'],
      ['CLUSTER', 'SETSLOT', `${slot}`, 'MIGRATING', ids[OTHER]],
    ]);
    const program = [
      ...[
        ['GET', 'b'],
        ['SET', 'b', '1'],
        ['MGET', 'b', '{b}2'],
        ['WATCH', 'b'],
      ],
      ...[
        ['MULTI'],
        ['GET', 'b'],
        ['EXEC'],
        ['MULTI'],
        ['PING'],
        ['EXEC'],
        ['MGET', 'a', 'b'],
        ['SPUBLISH', 'b', 'x'],
      ],
    ];
    const [ours, theirs] = await bothSay(program, harness);
    await converse(servers[OWN].port, [['CLUSTER', 'SETSLOT', `${slot}`, 'STABLE']]);
    expect(ours).toEqual(theirs);
  });

  it('say of a slot without an owner that it is not served, and of a cluster with one that it is down', async () => {
    const slot = slotOfKey(Buffer.from('b'), 0, 1);
    const programs: Program[] = [
      [['GET', 'b'], ['GET', 'c'], ['MGET', 'b', 'c'], ['MGET', 'c', 'b'], ['MULTI'], ['GET', 'b'], ['EXEC']],
    ];
    for (const requires of ['no', 'yes']) {
      const harness = openHarness();
      const { cluster, config } = harness.engine;
      Object.assign(config, { clusterRequireFullCoverage: requires === 'yes' });
      cluster?.table.owners.fill(NO_NODE, slot, slot + 1);
      cluster?.table.roles.fill(0, slot, slot + 1);
      cluster?.table.words.fill(0, 2, 3);
      await converse(servers[OWN].port, [
        ['CONFIG', 'SET', 'cluster-require-full-coverage', requires],
        ['CLUSTER', 'DELSLOTS', `${slot}`],
      ]);
      const isDown = async () =>
        (await converse(servers[OWN].port, [['CLUSTER', 'INFO']]))[0].includes('state:fail');
      await eventually(async () => (await isDown()) === (requires === 'yes'));
      for (const program of programs) {
        const [ours, theirs] = await bothSay(program, harness);
        expect(ours).toEqual(theirs);
      }
      await converse(servers[OWN].port, [['CLUSTER', 'ADDSLOTS', `${slot}`]]);
      await eventually(async () => !(await isDown()));
    }
  });
});

/** The elements of an array reply in one order: redis-server keeps nodes in a hash table. */
function inOrder(reply: string): readonly Tree[] {
  const tree = replyTree(reply);
  return typeof tree === 'string' ? [] : tree.items.toSorted(compareTrees);
}

/** The names of what a reply tells, in its order. */
function namesIn(reply: string): string {
  return (reply.match(/\r\n[a-z-]+\r\n/g) ?? []).join('');
}
