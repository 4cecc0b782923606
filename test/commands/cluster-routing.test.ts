/** Tests of where commands go on a node of a cluster: here, elsewhere, or nowhere at present. */
import { describe, expect, it } from 'vitest';
import { COMMAND_REJECTED } from '../../src/metrics/names.ts';
import { IS_COVERED, LEASE_ENDS_MS, NO_NODE, setSyncedTo } from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { clusterNode, setSlot } from '../support/cluster-table.ts';
import {
  CROSS_SLOT,
  DOWN,
  moved,
  NOT_SERVED,
  nextTurn,
  OTHER,
  OWN,
  openWorld,
  ownersBut,
  recordForwards,
  redirecting,
  slotOf,
  THIRD,
  type World,
} from '../support/routing-world.ts';

describe('a command of one key', () => {
  it('is executed where this node owns the slot, and sent to the owner where not', () => {
    const { harness } = redirecting({ ownerOf: ownersBut({ b: OTHER, c: THIRD }) });
    expect(harness.run('SET', 'a', '1')).toBe('+OK\r\n');
    expect(harness.run('GET', 'a')).toBe('$1\r\n1\r\n');
    expect(harness.run('GET', 'b')).toBe(moved('b', OTHER));
    expect(harness.run('SET', 'c', '1')).toBe(moved('c', THIRD));
    expect(harness.run('OBJECT', 'ENCODING', 'b')).toBe(moved('b', OTHER));
  });

  it('is sent to the TLS port where it came by TLS, and to the only port where there is one', () => {
    const { harness, cluster } = redirecting({ ownerOf: ownersBut({ b: OTHER }) });
    const encrypted = Object.assign(harness.connect(), { isEncrypted: true });
    expect(harness.runAs(encrypted, 'GET', 'b')).toBe(`-MOVED ${slotOf('b')} 127.0.0.1:7101\r\n`);
    cluster.nodes = cluster.nodes.map((node) => node && { ...node, port: 0 });
    expect(harness.run('GET', 'b')).toBe(`-MOVED ${slotOf('b')} 127.0.0.1:7101\r\n`);
    cluster.nodes = cluster.nodes.map((node) => node && { ...node, port: 7001, tlsPort: 0 });
    expect(harness.runAs(encrypted, 'GET', 'b')).toBe(`-MOVED ${slotOf('b')} 127.0.0.1:7001\r\n`);
  });

  it('is refused where no node owns the slot, or its owner is not there', () => {
    const { harness, cluster } = redirecting({ ownerOf: ownersBut({ b: NO_NODE, c: OTHER }) });
    expect(harness.run('GET', 'b')).toBe(NOT_SERVED);
    cluster.nodes = [clusterNode(0), { ...clusterNode(OTHER), isAlive: false }, clusterNode(THIRD)];
    expect(harness.run('GET', 'c')).toBe(NOT_SERVED);
    cluster.nodes = [clusterNode(0)];
    expect(harness.run('GET', 'c')).toBe(NOT_SERVED);
    expect(harness.run('GET', 'a')).toBe('$-1\r\n');
  });

  it('counts as rejected when it is sent elsewhere', () => {
    const { harness } = redirecting({ ownerOf: ownersBut({ b: OTHER }) });
    const { counters } = harness.engine;
    const rejected = () =>
      counters.subarray(COMMAND_REJECTED, COMMAND_REJECTED + 512).reduce((a, b) => a + b);
    harness.run('GET', 'a');
    expect(rejected()).toBe(0);
    harness.run('GET', 'b');
    expect(rejected()).toBe(1);
  });

  it('is refused to strangers and by rules before it is sent anywhere', () => {
    const { harness } = redirecting({ ownerOf: ownersBut({ b: OTHER }) }, '--requirepass', 'x');
    expect(harness.run('GET', 'b')).toBe('-NOAUTH Authentication required.\r\n');
    expect(harness.run('GET')).toBe("-ERR wrong number of arguments for 'get' command\r\n");
  });

  it('before the node has ever joined is refused', () => {
    const { harness } = redirecting({ ownerOf: () => NO_NODE, own: NO_NODE, leaseEndsMs: 0 });
    expect(harness.run('SET', 'a', '1')).toBe(NOT_SERVED);
    expect(harness.run('PING')).toBe('+PONG\r\n');
  });
});

describe('a command of several keys', () => {
  it('that redirects must be of one slot, whoever owns it', () => {
    const { harness } = redirecting({ ownerOf: ownersBut({ '{b}1': OTHER, x: NO_NODE }) });
    expect(harness.run('MSET', 'a', '1', 'c', '1')).toBe(CROSS_SLOT);
    expect(harness.run('MSET', '{a}1', '1', '{a}2', '1')).toBe('+OK\r\n');
    expect(harness.run('MGET', '{b}1', '{b}2')).toBe(moved('{b}1', OTHER));
    expect(harness.run('DEL', 'x', '{x}1')).toBe(NOT_SERVED);
  });

  it('that forwards runs here when all slots are ours, and goes whole to another whose they all are', () => {
    const { harness, cluster } = openWorld({ ownerOf: ownersBut({ b: OTHER, c: OTHER, d: THIRD }) });
    const forwards = recordForwards(cluster);
    expect(harness.run('MSET', 'a', '1', 'e', '2')).toBe('+OK\r\n');
    expect(harness.run('MGET', 'a', 'e')).toBe('*2\r\n$1\r\n1\r\n$1\r\n2\r\n');
    expect(harness.run('MSET', 'b', '1', 'c', '2')).toBe('');
    expect(harness.run('MGET', 'b', 'd')).toBe('');
    expect(harness.run('MGET', 'a', 'b')).toBe('');
    expect(forwards).toEqual(['1: MSET b 1 c 2', 'all: MGET b d', 'all: MGET a b']);
    expect(harness.run('MSETNX', 'a', '1', 'b', '1')).toBe(CROSS_SLOT);
  });

  it('of another node is sent to the first owner that is not itself', () => {
    const { harness } = openWorld({ ownerOf: ownersBut({ b: OTHER, c: THIRD }) });
    harness.session.isPeer = true;
    expect(harness.run('MSET', 'a', '1', 'e', '2')).toBe('+OK\r\n');
    expect(harness.run('MGET', 'a', 'b', 'c')).toBe(moved('b', OTHER));
  });
});

describe('a command of as many keys as it says', () => {
  it('goes where these are, and nowhere because of what stands behind them', () => {
    const { harness } = redirecting({ ownerOf: ownersBut({ b: OTHER }) });
    expect(harness.run('LMPOP', '1', 'a', 'LEFT')).toBe('*-1\r\n');
    expect(harness.run('LMPOP', '1', 'b', 'LEFT')).toBe(moved('b', OTHER));
    expect(harness.run('LMPOP', '2', 'a', 'b', 'LEFT')).toBe(CROSS_SLOT);
    expect(harness.run('SINTERCARD', '1', 'a', 'LIMIT', 'b')).toMatch(/^-ERR LIMIT /);
  });

  it('says here what is wrong with their number', () => {
    const { harness } = redirecting({ ownerOf: ownersBut({ b: NO_NODE, left: OTHER }) });
    expect(harness.run('GET', 'b')).toBe(NOT_SERVED);
    expect(harness.run('LMPOP', '0', 'left', 'left')).toBe('-ERR numkeys should be greater than 0\r\n');
    expect(harness.run('LMPOP', '9', 'left', 'left')).toBe('-ERR syntax error\r\n');
  });
});

describe('a node that forwards', () => {
  it('passes nothing on that waits, but says who can serve it', () => {
    const { harness, cluster } = openWorld({ ownerOf: ownersBut({ b: OTHER }) });
    const forwards = recordForwards(cluster);
    expect(harness.run('BLPOP', 'b', '0')).toBe(moved('b', OTHER));
    expect(harness.run('LPOP', 'b')).toBe('');
    expect(forwards).toEqual(['1: LPOP b']);
  });

  it('passes commands on, and only those of other nodes', () => {
    const { harness, cluster } = openWorld({ ownerOf: ownersBut({ b: OTHER }) });
    const forwards = recordForwards(cluster);
    expect(harness.run('SET', 'a', '1')).toBe('+OK\r\n');
    expect(harness.run('SET', 'b', '1')).toBe('');
    expect(harness.run('DBSIZE')).toBe('');
    expect(harness.run('KEYS', '*')).toBe('*1\r\n$1\r\na\r\n');
    expect(forwards).toEqual(['1: SET b 1', 'all: DBSIZE']);
  });

  it('sends the client itself while there is nobody who passes on, and peers always', () => {
    const { harness, cluster } = openWorld({ ownerOf: ownersBut({ b: OTHER }) });
    expect(harness.run('SET', 'b', '1')).toBe(moved('b', OTHER));
    const forwards = recordForwards(cluster);
    harness.session.isPeer = true;
    expect(harness.run('SET', 'b', '1')).toBe(moved('b', OTHER));
    expect(harness.run('DBSIZE')).toBe(':0\r\n');
    expect(forwards).toEqual([]);
  });

  it('sends who tracks keys to the owner of what it reads, and who watches', () => {
    const { harness, cluster } = openWorld({ ownerOf: ownersBut({ b: OTHER }) });
    const forwards = recordForwards(cluster);
    harness.run('HELLO', '3');
    expect(harness.run('WATCH', 'b')).toBe(moved('b', OTHER));
    harness.run('CLIENT', 'TRACKING', 'ON');
    expect(harness.run('GET', 'b')).toBe(moved('b', OTHER));
    expect(harness.run('SET', 'b', '1')).toBe('');
    expect(forwards).toEqual(['1: SET b 1']);
  });
});

describe('the lease', () => {
  it('that is over ends reads and writes of our slots in the next turn', () => {
    let nowMs = 0;
    const { harness } = redirecting({ sharedMs: () => nowMs, leaseEndsMs: 100 });
    const key = '{0}a';
    const { cluster } = harness.engine;
    if (cluster === undefined) throw new Error('a node of a cluster');
    setSlot(cluster, slotOf(key), OWN);
    nowMs = 99.9;
    expect(harness.run('SET', key, '1')).toBe('+OK\r\n');
    nowMs = 100;
    expect(harness.run('SET', key, '2')).toBe('+OK\r\n');
    nextTurn(harness);
    expect(harness.run('SET', key, '3')).toBe(DOWN);
    expect(harness.run('GET', key)).toBe(DOWN);
    expect(harness.run('MGET', key, '{0}b')).toBe(DOWN);
    expect(harness.run('FLUSHALL')).toBe(DOWN);
    expect(harness.run('SWAPDB', '0', '1')).toBe(DOWN);
    expect(harness.run('PING')).toBe('+PONG\r\n');
    cluster.table.numbers[LEASE_ENDS_MS] = 200;
    nextTurn(harness);
    expect(harness.run('GET', key)).toBe('$1\r\n2\r\n');
  });

  it('is looked at anew when the time of the turn is another, where turns are not counted', () => {
    let nowMs = 0;
    const { harness, cluster } = redirecting({ sharedMs: () => nowMs, leaseEndsMs: 100 });
    setSlot(cluster, slotOf('a'), OWN);
    expect(harness.run('GET', 'a')).toBe('$-1\r\n');
    nowMs = 100;
    harness.nowMs += 1;
    expect(harness.run('GET', 'a')).toBe(DOWN);
  });

  it('that is over lets reads pass where that is wanted', () => {
    const { harness } = redirecting(
      { ownerOf: ownersBut({ b: OTHER }), leaseEndsMs: 0 },
      ...['--cluster-allow-reads-when-down', 'yes'],
    );
    expect(harness.run('GET', 'a')).toBe('$-1\r\n');
    expect(harness.run('SET', 'a', '1')).toBe(
      '-CLUSTERDOWN The cluster is down and only accepts read commands\r\n',
    );
    expect(harness.run('GET', 'b')).toBe(moved('b', OTHER));
  });

  it('that is over does not keep commands from being passed on', () => {
    const { harness, cluster } = openWorld({ ownerOf: ownersBut({ b: OTHER }), leaseEndsMs: 0 });
    const forwards = recordForwards(cluster);
    expect(harness.run('SET', 'b', '1')).toBe('');
    expect(harness.run('SET', 'a', '1')).toBe(DOWN);
    expect(harness.run('MGET', 'a', 'b')).toBe(DOWN);
    expect(forwards).toEqual(['1: SET b 1']);
  });
});

describe('a slot without an owner', () => {
  it('is nothing to the others, unless all must be covered', () => {
    const { harness } = redirecting({ ownerOf: ownersBut({ b: NO_NODE, c: OTHER }) });
    expect(harness.run('SET', 'a', '1')).toBe('+OK\r\n');
    Object.assign(harness.engine.config, { clusterRequireFullCoverage: true });
    expect(harness.run('SET', 'a', '1')).toBe(DOWN);
    expect(harness.run('GET', 'c')).toBe(DOWN);
    expect(harness.run('GET', 'b')).toBe(NOT_SERVED);
    const { cluster } = harness.engine;
    cluster?.table.words.fill(1, IS_COVERED, IS_COVERED + 1);
    expect(harness.run('SET', 'a', '1')).toBe('+OK\r\n');
  });

  it('keeps a node that forwards from everything as well where all must be covered', () => {
    const { harness, cluster } = openWorld({ ownerOf: ownersBut({ b: NO_NODE, c: OTHER }) });
    Object.assign(harness.engine.config, { clusterRequireFullCoverage: true });
    recordForwards(cluster);
    expect(harness.run('GET', 'c')).toBe(DOWN);
  });
});

describe('too few replicas', () => {
  const TOO_FEW = '-NOREPLICAS Not enough good replicas to write.\r\n';

  /** Replicas of all slots are whole and were heard of, but for those of `key`. */
  function openShort(key: string): World {
    const world = openWorld({ ownerOf: () => OWN, replicaOf: () => OTHER });
    Object.assign(world.harness.engine.config, { minReplicasToWrite: 1 });
    const { table } = world.cluster;
    table.heardOfMs[OTHER] = 1;
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) setSyncedTo(table, OTHER, slot, slot !== slotOf(key));
    return world;
  }

  it('keep the keys of their slots from being changed, and only those', () => {
    const { harness } = openShort('b');
    expect(harness.run('SET', 'a', '1')).toBe('+OK\r\n');
    expect(harness.run('SET', 'b', '1')).toBe(TOO_FEW);
    expect(harness.run('MSET', 'a', '1', 'b', '1')).toBe(TOO_FEW);
    expect(harness.run('MSET', 'a', '1', 'c', '1')).toBe('+OK\r\n');
    expect(harness.run('MGET', 'a', 'b')).toBe('*2\r\n$1\r\n1\r\n$-1\r\n');
    expect(harness.run('GET', 'b')).toBe('$-1\r\n');
  });

  it('are no reason not to queue what another node is to do', () => {
    const { harness, cluster } = openShort('a');
    const forwards = recordForwards(cluster);
    setSlot(cluster, slotOf('b'), OTHER);
    setSyncedTo(cluster.table, OTHER, slotOf('b'), false);
    harness.run('MULTI');
    expect(harness.run('SET', 'b', '1')).toBe('+QUEUED\r\n');
    expect(harness.run('EXEC')).toBe('');
    expect(forwards).toEqual(['1: set']);
  });

  it('keep a transaction from being executed that would change such keys', () => {
    const { harness, cluster } = openShort('b');
    setSyncedTo(cluster.table, OTHER, slotOf('b'), true);
    harness.run('MULTI');
    expect(harness.run('SET', 'a', '1')).toBe('+QUEUED\r\n');
    expect(harness.run('SET', 'b', '1')).toBe('+QUEUED\r\n');
    setSyncedTo(cluster.table, OTHER, slotOf('b'), false);
    expect(harness.run('EXEC')).toBe(
      '-EXECABORT Transaction discarded because of: NOREPLICAS Not enough good replicas to write.\r\n',
    );
    expect(harness.run('EXISTS', 'a')).toBe(':0\r\n');
    harness.run('MULTI');
    harness.run('GET', 'b');
    harness.run('SET', 'a', '1');
    expect(harness.run('EXEC')).toBe('*2\r\n$-1\r\n+OK\r\n');
  });
});
