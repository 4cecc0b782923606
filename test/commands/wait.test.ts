/** WAIT and min-replicas-to-write: what counts is what replicas have said that they have. */
import { describe, expect, it } from 'vitest';
import type { Call } from '../../src/commands/call.ts';
import { installClientTopics } from '../../src/commands/client.ts';
import type { ClusterView, Forwarder } from '../../src/commands/cluster-view.ts';
import { countGoodReplicas, lacksReplicas } from '../../src/commands/replica-counts.ts';
import { noteWritten, noteWrittenAnywhere } from '../../src/commands/written-slots.ts';
import { CLIENTS_BLOCKED } from '../../src/metrics/names.ts';
import { FAILOVERS, LEASE_ENDS_MS, NO_NODE, setSyncedTo } from '../../src/routing/node-table.ts';
import {
  createReplicationBuffer,
  openReplicationBoard,
  setAcknowledgedLsn,
} from '../../src/routing/replication-board.ts';
import { SLOT_COUNT, slotOfKey } from '../../src/routing/slot.ts';
import { LSN } from '../../src/shard/layout.ts';
import { clusterTable, setSlot } from '../support/cluster-table.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { until } from '../support/until.ts';

const SHARDS = 2;

type World = Harness & { readonly view: ClusterView; readonly acknowledge: (node: number) => void };

function createWorld(flags: string[] = []): World {
  const board = openReplicationBoard(createReplicationBuffer(SHARDS, 1), SHARDS);
  let listener: () => void = () => undefined;
  const view: ClusterView = {
    ...clusterTable({ nodes: 3, ownerOf: () => 0, replicaOf: () => 1 }),
    board,
    sharedMs: () => 50_000,
    replication: {
      feed: () => undefined,
      acknowledge: () => undefined,
      copyAnew: () => undefined,
      progress: async () => undefined,
      onAcknowledged: (one) => {
        listener = one;
        return () => {
          listener = () => undefined;
        };
      },
    },
  };
  const harness = createHarness({ shards: SHARDS, cluster: view, flags });
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) setSyncedTo(view.table, 1, slot, true);
  const acknowledge = (node: number) => {
    for (const shard of harness.shards) setAcknowledgedLsn(board, node, shard.index, shard.numbers[LSN]);
    listener();
  };
  return Object.assign(harness, { view, acknowledge });
}

/** As a topology does it that gives away a slot of an owner that is gone. */
function failOver({ view }: World, slot: number, heir: number): void {
  setSlot(view, slot, heir, heir === 0 ? 1 : 0);
  view.table.failovers[slot] += 1;
  view.table.words[FAILOVERS] += 1;
}

function slotOf(key: string): number {
  return slotOfKey(Buffer.from(key), 0, key.length);
}

describe('WAIT', () => {
  it('answers at once where there are enough', () => {
    const world = createWorld();
    world.run('SET', 'a', '1');
    expect(world.run('WAIT', '0', '0')).toBe(':0\r\n');
    world.acknowledge(1);
    expect(world.run('WAIT', '1', '0')).toBe(':1\r\n');
    expect(world.run('WAIT', '-1', '0')).toBe(':1\r\n');
  });

  it('answers when a replica has acknowledged what came before it, and not sooner', () => {
    const world = createWorld();
    world.acknowledge(1);
    world.run('SET', 'a', '1');
    expect(world.run('WAIT', '1', '0')).toBe('');
    expect(world.deferredReplies).toEqual([]);
    world.acknowledge(1);
    expect(world.deferredReplies).toEqual([':1\r\n']);
    world.acknowledge(1);
    expect(world.deferredReplies).toHaveLength(1);
  });

  it('answers what there is when its time is over', async () => {
    const world = createWorld();
    world.run('SET', 'a', '1');
    world.run('WAIT', '1', '1');
    await until(() => world.deferredReplies.length > 0, { what: () => 'no reply', msMax: 5_000 });
    expect(world.deferredReplies).toEqual([':0\r\n']);
  });

  it('ends by CLIENT UNBLOCK with what there is, or with an error, and is no longer blocked then', async () => {
    const world = createWorld();
    installClientTopics(world.engine);
    world.run('SET', 'a', '1');
    for (const [reason, reply] of [
      ['TIMEOUT', ':0\r\n'],
      ['ERROR', '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n'],
    ]) {
      world.run('WAIT', '1', '0');
      expect(world.engine.counters[CLIENTS_BLOCKED]).toBe(1);
      world.runAs(world.connect(), 'CLIENT', 'UNBLOCK', `${world.session.id}`, reason);
      await until(() => world.deferredReplies.length === 2, { what: () => 'no reply', msMax: 5_000 });
      expect(world.deferredReplies.splice(0)).toEqual([reply, ':1\r\n']);
      expect(world.engine.counters[CLIENTS_BLOCKED]).toBe(0);
      expect(world.session.blocked).toBeUndefined();
    }
  });

  it('counts no replica that has not got the slot whole', () => {
    const world = createWorld();
    world.run('SET', 'a', '1');
    world.acknowledge(1);
    setSyncedTo(world.view.table, 1, slotOf('a'), false);
    world.run('MULTI');
    world.run('WAIT', '1', '0');
    expect(world.run('EXEC')).toBe('*1\r\n:0\r\n');
  });

  it('answers the least of all slots that the client has changed', () => {
    const world = createWorld();
    world.run('SET', 'a', '1');
    world.run('SET', 'b', '1');
    setSlot(world.view, slotOf('b'), 0, NO_NODE);
    world.acknowledge(1);
    world.run('WAIT', '1', '0');
    expect(world.deferredReplies).toEqual([]);
    const other = world.connect();
    world.runAs(other, 'SET', 'a', '2');
    world.acknowledge(1);
    expect(world.runAs(other, 'WAIT', '1', '0')).toBe(':1\r\n');
  });

  it('counts none for a slot that has gone to another node', () => {
    const world = createWorld();
    world.run('SET', 'a', '1');
    world.acknowledge(1);
    setSlot(world.view, slotOf('a'), 1, 0);
    world.run('WAIT', '1', '0');
    expect(world.deferredReplies).toEqual([]);
  });

  it('looks at all slots once the client has changed many', () => {
    const world = createWorld();
    for (let key = 0; key < 100; key += 1) world.run('SET', `key:${key}`, '1');
    world.acknowledge(1);
    expect(world.run('WAIT', '1', '0')).toBe(':1\r\n');
    setSyncedTo(world.view.table, 1, 12_345, false);
    world.run('WAIT', '1', '0');
    expect(world.deferredReplies).toEqual([]);
  });

  it('asks the nodes that changes were passed on to, with the LSNs that they told before', async () => {
    const world = createWorld();
    const asked: string[] = [];
    let answers = 0;
    const count = (lsns: Buffer) => ({
      count: answers > 2 ? 1 : 0,
      lsns: lsns.length > 0 ? lsns : Buffer.from('theirs'),
    });
    world.view.forwarder = {
      ...({} as Forwarder),
      countReplicas: (node, _protocol, slots, lsns, done) => {
        asked.push(`${node} ${slots.length} ${lsns.toString()}`);
        answers += 1;
        done(count(lsns));
      },
    };
    noteWritten(world.session, world.view.table, slotOf('elsewhere'));
    setSlot(world.view, slotOf('elsewhere'), 2);
    expect(world.run('WAIT', '1', '0')).toBe('');
    await until(() => world.deferredReplies.length > 0, { what: () => 'no reply', msMax: 5_000 });
    expect(world.deferredReplies).toEqual([':1\r\n']);
    expect(asked).toEqual(['2 1 ', '2 1 theirs', '2 1 theirs']);
  });

  it('answers 0 at once where the slot has failed over since, and counts again from then on', () => {
    const world = createWorld();
    const asked: number[] = [];
    world.view.forwarder = {
      ...({} as Forwarder),
      countReplicas: (node, _protocol, _slots, lsns, done) => {
        asked.push(node);
        done({ count: 1, lsns });
      },
    };
    noteWritten(world.session, world.view.table, slotOf('elsewhere'));
    failOver(world, slotOf('elsewhere'), 2);
    expect(world.run('WAIT', '1', '0')).toBe(':0\r\n');
    expect(asked).toEqual([]);
    noteWritten(world.session, world.view.table, slotOf('elsewhere'));
    expect(world.run('WAIT', '1', '0')).toBe(':1\r\n');
    expect(asked).toEqual([2]);
  });

  it('ends with 0 where the slot fails over while it waits', async () => {
    const world = createWorld();
    world.run('SET', 'a', '1');
    expect(world.run('WAIT', '1', '0')).toBe('');
    failOver(world, slotOf('a'), 1);
    world.acknowledge(1);
    expect(world.deferredReplies).toEqual([':0\r\n']);
  });

  it('knows of failovers of many slots, from before they were too many to be listed and behind that', () => {
    const world = createWorld();
    for (let key = 0; key < 100; key += 1) world.run('SET', `key:${key}`, '1');
    world.acknowledge(1);
    failOver(world, 7, 0);
    expect(world.run('WAIT', '1', '0')).toBe(':0\r\n');
    expect(world.run('WAIT', '1', '0')).toBe(':1\r\n');
    const other = world.connect();
    world.runAs(other, 'SET', 'a', '1');
    failOver(world, slotOf('a'), 0);
    noteWrittenAnywhere(other, world.view.table);
    world.acknowledge(1);
    expect(world.runAs(other, 'WAIT', '1', '0')).toBe(':0\r\n');
    expect(world.runAs(other, 'WAIT', '1', '0')).toBe(':1\r\n');
  });

  it('counts none behind the end of the lease: what replicas take then they may have passed over', () => {
    const world = createWorld();
    world.run('SET', 'a', '1');
    world.view.table.numbers[LEASE_ENDS_MS] = 50_000;
    world.acknowledge(1);
    world.run('WAIT', '1', '0');
    expect(world.deferredReplies).toEqual([]);
    world.view.table.numbers[LEASE_ENDS_MS] = 50_001;
    world.acknowledge(1);
    expect(world.deferredReplies).toEqual([':1\r\n']);
  });

  it('tells another node how its own slots stand, and only another node', () => {
    const world = createWorld();
    world.run('SET', 'a', '1');
    const slot = String(slotOf('a'));
    expect(world.run('CLUSTER', 'WAIT-SLOTS', '', slot)).toContain('only the nodes of a cluster');
    world.session.isPeer = true;
    const first = world.run('CLUSTER', 'WAIT-SLOTS', '', slot);
    expect(first.startsWith('*2\r\n:0\r\n$16\r\n')).toBe(true);
    const lsns = Buffer.from(first.slice(-18, -2), 'latin1');
    world.acknowledge(1);
    world.run('SET', 'a', '2');
    expect(world.run('CLUSTER', 'WAIT-SLOTS', lsns, slot)).toContain(':1\r\n');
    expect(world.run('CLUSTER', 'WAIT-SLOTS', '', slot)).toContain(':0\r\n');
    expect(world.run('CLUSTER', 'WAIT-SLOTS', lsns)).toContain(':1\r\n');
    setSlot(world.view, slotOf('a'), 2);
    expect(world.run('CLUSTER', 'WAIT-SLOTS', lsns, slot)).toContain(':-1\r\n');
  });

  it('knows what a transaction has changed, and what has no keys', () => {
    const world = createWorld();
    for (const one of [['MULTI'], ['SET', 'a', '1'], ['EXEC']]) world.run(...one);
    expect(world.session.written?.count).toBe(1);
    world.run('FLUSHALL');
    expect(world.session.written?.isAny).toBe(true);
  });

  it('refuses what makes no sense in the words of redis-server', () => {
    const world = createWorld();
    expect(world.run('WAIT', 'x', '1')).toBe('-ERR value is not an integer or out of range\r\n');
    expect(world.run('WAIT', '1', 'x')).toBe('-ERR timeout is not an integer or out of range\r\n');
    expect(world.run('WAIT', '1', '-1')).toBe('-ERR timeout is negative\r\n');
  });

  it('counts none on a node that is alone', () => {
    const harness = createHarness();
    harness.run('SET', 'a', '1');
    expect(harness.run('WAIT', '0', '0')).toBe(':0\r\n');
  });
});

describe('min-replicas-to-write', () => {
  const answer = (world: World, slot: number) => {
    const reply = { bytes: Buffer.alloc(256), length: 0, protocol: 2 as const };
    const isRefused = lacksReplicas({ engine: world.engine, reply } as Call, slot);
    return isRefused ? reply.bytes.toString('latin1', 0, reply.length) : '';
  };

  it('refuses changes of slots without so many replicas that were heard of lately', () => {
    const world = createWorld(['--min-replicas-to-write', '1', '--min-replicas-max-lag', '10']);
    const slot = slotOf('a');
    expect(answer(world, slot)).toBe('-NOREPLICAS Not enough good replicas to write.\r\n');
    world.view.table.heardOfMs[1] = 39_999;
    expect(answer(world, slot)).not.toBe('');
    world.view.table.heardOfMs[1] = 40_000;
    expect(answer(world, slot)).toBe('');
    expect(countGoodReplicas(world.view, slot, 10_000)).toBe(1);
    setSyncedTo(world.view.table, 1, slot, false);
    expect(answer(world, slot)).not.toBe('');
  });

  it('is off by default, and without a lag that is allowed', () => {
    expect(answer(createWorld(), 1)).toBe('');
    expect(answer(createWorld(['--min-replicas-to-write', '1', '--min-replicas-max-lag', '0']), 1)).toBe('');
  });
});
