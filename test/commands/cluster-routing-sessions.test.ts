/** Tests of where commands go by what a client has said before: ASKING, READONLY, MULTI, WATCH; and of channels. */
import { describe, expect, it } from 'vitest';
import type { ClusterView } from '../../src/commands/cluster-view.ts';
import { READS_DEGRADED } from '../../src/metrics/names.ts';
import { LEASE_ENDS_MS, NO_NODE, ROLE_HANDING_OVER, ROLE_OWNER } from '../../src/routing/node-table.ts';
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
} from '../support/routing-world.ts';

describe('a slot that moves', () => {
  const handOver = ({ table }: ClusterView, key: string): void => {
    table.targets[slotOf(key)] = OTHER;
    table.roles[slotOf(key)] = ROLE_OWNER | ROLE_HANDING_OVER;
  };

  it('is still served by its owner until all of it is with the other', () => {
    const { harness } = redirecting({ ownerOf: () => OWN, targetOf: () => OTHER });
    expect(harness.run('SET', 'a', '1')).toBe('+OK\r\n');
  });

  it('that is handed over is to be asked for at its target', () => {
    const { harness, cluster } = redirecting({ ownerOf: () => OWN });
    handOver(cluster, 'a');
    const ask = `-ASK ${slotOf('a')} 127.0.0.1:7001\r\n`;
    expect(harness.run('SET', 'a', '1')).toBe(ask);
    expect(harness.run('MGET', 'a', '{a}1')).toBe(ask);
    expect(harness.run('SET', 'b', '1')).toBe('+OK\r\n');
  });

  it('that is handed over is passed on as asked for; commands of other slots besides wait', () => {
    const { harness, cluster } = openWorld({ ownerOf: () => OWN });
    const forwards = recordForwards(cluster);
    handOver(cluster, 'a');
    expect(harness.run('SET', 'a', '1')).toBe('');
    expect(forwards).toEqual(['asking 1: SET a 1']);
    expect(harness.run('MGET', 'a', 'b')).toBe('');
    expect(harness.slotWaits).toBe(1);
    expect(harness.session.isPostponed).toBe(true);
    expect(forwards).toHaveLength(1);
  });

  it('is waited for by who asks for it before it has come, and no longer than a while', () => {
    let monotonicMs = 0;
    const table = { ownerOf: () => OTHER, targetOf: () => OWN };
    const { harness, cluster } = openWorld(table, ['--cluster-routing', 'redirect'], {
      monotonicMs: () => monotonicMs,
    });
    expect(harness.run('SET', 'a', '1')).toBe(moved('a', OTHER));
    expect(harness.run('ASKING')).toBe('+OK\r\n');
    const comeAgain = (): string => {
      harness.session.isPostponed = false;
      // As the connection does with a command that has not run.
      harness.session.commandsProcessed -= 1;
      return harness.run('SET', 'a', '1');
    };
    expect(harness.run('SET', 'a', '1')).toBe('');
    expect(harness.session.isPostponed).toBe(true);
    monotonicMs = 999;
    expect(comeAgain()).toBe('');
    setSlot(cluster, slotOf('a'), OWN);
    expect(comeAgain()).toBe('+OK\r\n');
    setSlot(cluster, slotOf('a'), OTHER, NO_NODE, OWN);
    harness.run('ASKING');
    expect(harness.run('SET', 'a', '1')).toBe('');
    monotonicMs = 1999;
    expect(comeAgain()).toBe('-TRYAGAIN The slot is on its way to this node\r\n');
    expect(harness.session.isPostponed).toBe(false);
    expect(harness.slotWaits).toBe(3);
  });

  it('may be asked for by the very next command only', () => {
    const { harness } = redirecting({ ownerOf: () => OTHER, targetOf: () => OWN });
    harness.run('ASKING');
    harness.run('PING');
    expect(harness.run('GET', 'a')).toBe(moved('a', OTHER));
    harness.run('ASKING');
    harness.run('NOSUCH');
    expect(harness.run('GET', 'a')).toBe(moved('a', OTHER));
  });

  it('may be asked for by a whole transaction, and by nothing behind it', () => {
    const { harness, cluster } = redirecting({ ownerOf: () => OTHER, targetOf: () => OWN });
    harness.run('ASKING');
    harness.run('MULTI');
    expect(harness.run('SET', 'a', '1')).toBe('');
    expect(harness.session.isPostponed).toBe(true);
    harness.session.isPostponed = false;
    setSlot(cluster, slotOf('a'), OWN);
    expect(harness.run('SET', 'a', '1')).toBe('+QUEUED\r\n');
    expect(harness.run('GET', 'a')).toBe('+QUEUED\r\n');
    expect(harness.run('EXEC')).toBe('*2\r\n+OK\r\n$1\r\n1\r\n');
    setSlot(cluster, slotOf('a'), OTHER, NO_NODE, OWN);
    expect(harness.run('GET', 'a')).toBe(moved('a', OTHER));
  });
});

describe('a replica', () => {
  const table = { ownerOf: () => OTHER, replicaOf: () => OWN };

  it('is read by who says READONLY, as long as it is whole', () => {
    const { harness, cluster } = redirecting(table);
    expect(harness.run('GET', 'a')).toBe(moved('a', OTHER));
    expect(harness.run('READONLY')).toBe('+OK\r\n');
    expect(harness.run('GET', 'a')).toBe('$-1\r\n');
    expect(harness.run('SET', 'a', '1')).toBe(moved('a', OTHER));
    cluster.table.syncedFrom[slotOf('a')] = NO_NODE;
    expect(harness.run('GET', 'a')).toBe(moved('a', OTHER));
    cluster.table.syncedFrom[slotOf('a')] = OTHER;
    harness.run('READWRITE');
    expect(harness.run('GET', 'a')).toBe(moved('a', OTHER));
    harness.run('READONLY');
    harness.run('RESET');
    expect(harness.run('GET', 'a')).toBe(moved('a', OTHER));
  });

  it('is read by a transaction that changes nothing', () => {
    const { harness } = redirecting(table);
    harness.run('READONLY');
    harness.run('MULTI');
    expect(harness.run('GET', 'a')).toBe('+QUEUED\r\n');
    expect(harness.run('EXEC')).toBe('*1\r\n$-1\r\n');
    harness.run('MULTI');
    expect(harness.run('SET', 'a', '1')).toBe(moved('a', OTHER));
    expect(harness.run('EXEC')).toBe('-EXECABORT Transaction discarded because of previous errors.\r\n');
  });

  it('answers reads while its owner cannot be reached, where that is wanted, and they are counted', () => {
    const { harness, cluster } = openWorld(table);
    const { engine } = harness;
    const forwards = recordForwards(cluster, { reaches: false });
    expect(harness.run('GET', 'a')).toBe('');
    expect(forwards).toEqual(['1: GET a']);
    Object.assign(engine.config, { clusterDegradedReads: true });
    expect(harness.run('GET', 'a')).toBe('$-1\r\n');
    expect(harness.run('MGET', 'a', 'b')).toBe('*2\r\n$-1\r\n$-1\r\n');
    expect(harness.run('SET', 'a', '1')).toBe('');
    expect(engine.counters[READS_DEGRADED]).toBe(2);
    cluster.table.syncedFrom[slotOf('b')] = NO_NODE;
    expect(harness.run('MGET', 'a', 'b')).toBe('');
    expect(forwards.slice(1)).toEqual(['1: SET a 1', 'all: MGET a b']);
    cluster.nodes = [clusterNode(OWN)];
    expect(harness.run('GET', 'b')).toBe(NOT_SERVED);
    expect(harness.run('GET', 'a')).toBe('$-1\r\n');
  });
});

describe('a transaction', () => {
  it('is refused from the first command on that belongs elsewhere', () => {
    const { harness } = redirecting({ ownerOf: ownersBut({ b: OTHER }) });
    harness.run('MULTI');
    expect(harness.run('SET', 'a', '1')).toBe('+QUEUED\r\n');
    expect(harness.run('SET', 'b', '1')).toBe(moved('b', OTHER));
    expect(harness.run('EXEC')).toBe('-EXECABORT Transaction discarded because of previous errors.\r\n');
    expect(harness.run('GET', 'a')).toBe('$-1\r\n');
  });

  it('whose slot has moved before EXEC is sent there, and is over', () => {
    const { harness, cluster } = redirecting({ ownerOf: () => OWN });
    harness.run('MULTI');
    harness.run('SET', 'a', '1');
    setSlot(cluster, slotOf('a'), OTHER);
    expect(harness.run('EXEC')).toBe(moved('a', OTHER));
    expect(harness.run('EXEC')).toBe('-ERR EXEC without MULTI\r\n');
  });

  it('of several slots is refused by a node that redirects, and executed by one that forwards', () => {
    for (const routing of ['redirect', 'forward']) {
      const { harness } = openWorld({ ownerOf: () => OWN }, ['--cluster-routing', routing]);
      harness.run('MULTI');
      harness.run('SET', 'a', '1');
      harness.run('SET', 'b', '1');
      expect(harness.run('EXEC')).toBe(routing === 'forward' ? '*2\r\n+OK\r\n+OK\r\n' : CROSS_SLOT);
      expect(harness.run('EXEC')).toBe('-ERR EXEC without MULTI\r\n');
    }
  });

  it('all of another node goes there whole, and of several nodes nowhere', () => {
    const { harness, cluster } = openWorld({ ownerOf: ownersBut({ b: OTHER, c: OTHER, d: THIRD }) });
    const forwards = recordForwards(cluster);
    const transact = (...keys: string[]): string => {
      harness.run('MULTI');
      for (const key of keys) expect(harness.run('SET', key, '1')).toBe('+QUEUED\r\n');
      return harness.run('EXEC');
    };
    expect(transact('b', 'c')).toBe('');
    expect(forwards).toEqual(['1: set set']);
    expect(harness.session.transaction).toBeUndefined();
    expect(transact('a', 'b')).toBe(CROSS_SLOT);
    expect(transact('b', 'd')).toBe(CROSS_SLOT);
    expect(harness.session.transaction).toBeUndefined();
    expect(transact('a')).toBe('*1\r\n+OK\r\n');
    harness.run('WATCH', 'a');
    expect(transact('b')).toBe(moved('b', OTHER));
    expect(forwards).toHaveLength(1);
  });

  it('of another node is sent there where none is passed on whole', () => {
    const { harness, cluster } = openWorld({ ownerOf: ownersBut({ b: OTHER }) });
    recordForwards(cluster, { transactions: false });
    harness.run('MULTI');
    expect(harness.run('SET', 'b', '1')).toBe(moved('b', OTHER));
  });

  it('is not executed when the slot of a watched key has moved, whatever it is to do', () => {
    const { harness, cluster } = openWorld({ ownerOf: () => OWN });
    harness.run('WATCH', 'a');
    harness.run('MULTI');
    harness.run('SET', 'b', '1');
    setSlot(cluster, slotOf('a'), OTHER);
    expect(harness.run('EXEC')).toBe('*-1\r\n');
    expect(harness.run('GET', 'b')).toBe('$-1\r\n');
    expect(harness.session.watched).toBeUndefined();
  });

  it('that would change all keys is refused when the lease is over', () => {
    const { harness, cluster } = redirecting({ ownerOf: () => OWN });
    harness.run('MULTI');
    expect(harness.run('FLUSHALL')).toBe('+QUEUED\r\n');
    cluster.table.numbers[LEASE_ENDS_MS] = 0;
    nextTurn(harness);
    expect(harness.run('EXEC')).toBe(DOWN);
    expect(harness.run('EXEC')).toBe('-ERR EXEC without MULTI\r\n');
  });

  it('without keys is executed anywhere, lease or not', () => {
    const { harness } = redirecting({ ownerOf: () => OTHER, leaseEndsMs: 0 });
    harness.run('MULTI');
    harness.run('PING');
    expect(harness.run('EXEC')).toBe('*1\r\n+PONG\r\n');
  });
});

describe('channels of shards', () => {
  it('are where the slots of their names are', () => {
    const { harness, cluster } = redirecting({ ownerOf: ownersBut({ b: OTHER }) });
    expect(harness.run('SPUBLISH', 'a', 'x')).toBe(':0\r\n');
    expect(harness.run('SPUBLISH', 'b', 'x')).toBe(moved('b', OTHER));
    expect(harness.run('SSUBSCRIBE', 'b')).toBe(moved('b', OTHER));
    expect(harness.run('SSUBSCRIBE', 'a', 'c')).toBe(CROSS_SLOT);
    expect(harness.run('SUNSUBSCRIBE', 'b')).toContain('sunsubscribe');
    expect(harness.run('PUBLISH', 'b', 'x')).toBe(':0\r\n');
    cluster.table.numbers[LEASE_ENDS_MS] = 0;
    nextTurn(harness);
    expect(harness.run('SPUBLISH', 'a', 'x')).toBe(':0\r\n');
  });

  it('stay where they are until their slots are another node`s', () => {
    const { harness, cluster } = redirecting({ ownerOf: () => OWN });
    cluster.table.targets[slotOf('a')] = OTHER;
    cluster.table.roles[slotOf('a')] = ROLE_OWNER | ROLE_HANDING_OVER;
    expect(harness.run('SPUBLISH', 'a', 'x')).toBe(':0\r\n');
    setSlot(cluster, slotOf('a'), OTHER);
    expect(harness.run('SPUBLISH', 'a', 'x')).toBe(moved('a', OTHER));
  });

  it('are published to on another node, but listened to only there', () => {
    const { harness, cluster } = openWorld({ ownerOf: ownersBut({ b: OTHER }) });
    const forwards = recordForwards(cluster);
    expect(harness.run('SPUBLISH', 'b', 'x')).toBe('');
    expect(harness.run('SSUBSCRIBE', 'b')).toBe(moved('b', OTHER));
    expect(forwards).toEqual(['1: SPUBLISH b x']);
  });
});
