/** Clients that wait for lists, all on one thread: who is served, of what, and when a wait ends without that. */
import { beforeEach, describe, expect, it } from 'vitest';
import { endMovedWaits, takeOffer } from '../../src/commands/blocking.ts';
import { clientLine } from '../../src/commands/client-list.ts';
import { BLOCKED_RETRY_MS, TIMER_MS_MAX } from '../../src/config/limits.ts';
import { CLIENTS_BLOCKED } from '../../src/metrics/names.ts';
import { closeGate, GATE_LOG, openGate } from '../../src/resilience/gate.ts';
import { ROLE_HANDING_OVER } from '../../src/routing/node-table.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import {
  begin,
  current,
  expectNobodyWaits,
  NIL,
  nameOf,
  pass,
  popped,
  replies,
  settled,
  useBlockedClients,
  waiting,
} from '../support/blocked-clients.ts';
import { clusterTable, setSlot } from '../support/cluster-table.ts';
import type { Harness } from '../support/harness.ts';

useBlockedClients();

let harness: Harness;
beforeEach(() => {
  harness = current();
});

describe('a client that waits', () => {
  it('is served what is pushed, and is no longer blocked then', async () => {
    const session = waiting('BLPOP', 'a', '0');
    expect(harness.engine.counters[CLIENTS_BLOCKED]).toBe(1);
    expect(clientLine(session, harness.nowMs)).toContain(' flags=b ');
    await settled();
    expect(harness.run('RPUSH', 'a', '1', '2')).toBe(':2\r\n');
    await settled();
    expect(replies()).toEqual([popped('a', '1')]);
    expect(session.blocked).toBeUndefined();
    expect(harness.run('LRANGE', 'a', '0', '-1')).toBe('*1\r\n$1\r\n2\r\n');
    expectNobodyWaits();
  });

  it('is served what was pushed before its home has heard of it', async () => {
    waiting('BRPOP', 'a', '0');
    harness.run('RPUSH', 'a', '1', '2');
    await settled();
    expect(replies()).toEqual([popped('a', '2')]);
    expectNobodyWaits();
  });

  it('is served before those who came later, one after the other', async () => {
    for (let i = 0; i < 3; i += 1) waiting('BLPOP', 'a', '0');
    await settled();
    const ids = [...harness.engine.blocking.waits.keys()];
    harness.run('RPUSH', 'a', '1', '2');
    await settled();
    expect(replies()).toEqual([popped('a', '1'), popped('a', '2')]);
    expect([...harness.engine.blocking.waits.keys()]).toEqual(ids.slice(2));
    harness.run('RPUSH', 'a', '3');
    await settled();
    expect(replies()).toEqual([popped('a', '3')]);
    expectNobodyWaits();
  });

  it('is served once though it waits for several keys, and the others keep what they have', async () => {
    waiting('BLPOP', 'a', 'b', 'c', 'a', '0');
    await settled();
    harness.run('MULTI');
    for (const key of ['c', 'b', 'a']) harness.run('RPUSH', key, '1');
    harness.run('EXEC');
    await settled();
    expect(replies()).toEqual([popped('c', '1')]);
    expect(harness.run('EXISTS', 'a', 'b', 'c')).toBe(':2\r\n');
    expectNobodyWaits();
  });

  it('keeps its place where somebody else was faster', async () => {
    waiting('BLPOP', 'a', '0');
    await settled();
    waiting('BLPOP', 'a', 'b', '0');
    await settled();
    harness.run('RPUSH', 'a', '1');
    harness.run('LPOP', 'a');
    await settled();
    expect(replies()).toEqual([]);
    harness.run('RPUSH', 'a', '2');
    await settled();
    expect(replies()).toEqual([popped('a', '2')]);
    expect([...harness.engine.blocking.waits.values()].map(({ keyCount }) => keyCount)).toEqual([2]);
    harness.run('RPUSH', 'b', '3');
    await settled();
    expect(replies()).toEqual([popped('b', '3')]);
    expectNobodyWaits();
  });

  it('is not woken by a key that is gone, or of another type, when the command is over', async () => {
    waiting('BLPOP', 'a', '0');
    await settled();
    harness.run('SET', 'a', '1');
    harness.run('DEL', 'a');
    harness.run('SADD', 'a', 'x');
    await settled();
    harness.run('MULTI');
    harness.run('DEL', 'a');
    harness.run('RPUSH', 'a', '1');
    harness.run('SET', 'a', '1');
    harness.run('EXEC');
    await settled();
    expect(replies()).toEqual([]);
    harness.run('DEL', 'a');
    harness.run('RPUSH', 'a', '1');
    await settled();
    expect(replies()).toEqual([popped('a', '1')]);
  });

  it('waits on where the key that it is offered is gone by then, or of another type', async () => {
    waiting('BLPOP', 'a', '0');
    await settled();
    const [waitId] = harness.engine.blocking.waits.keys();
    takeOffer(harness.engine, { name: nameOf('a'), waitId }, 1);
    harness.run('SET', 'a', '1');
    takeOffer(harness.engine, { name: nameOf('a'), waitId }, 1);
    await settled();
    expect(replies()).toEqual([]);
    expect(harness.engine.blocking.waits.size).toBe(1);
  });

  it('is served of the key that is there, though another of its keys is of a wrong type by then', async () => {
    waiting('BLPOP', 'a', 'b', '0');
    await settled();
    harness.run('SET', 'a', '1');
    harness.run('RPUSH', 'b', '1');
    await settled();
    expect(replies()).toEqual([popped('b', '1')]);
  });

  it.each([
    ['RENAME', ['RENAME', 'src', 'a']],
    ['RENAMENX', ['RENAMENX', 'src', 'a']],
    ['COPY', ['COPY', 'src', 'a']],
    ['LMOVE', ['LMOVE', 'src', 'a', 'LEFT', 'RIGHT']],
  ])('is served of what %s brings', async (_, command) => {
    // Two destinations, in the shard of the source and in another.
    for (const key of ['a', 'b', 'c', 'd']) {
      waiting('BLPOP', key, '0');
      await settled();
      harness.run('RPUSH', 'src', '1');
      harness.run(...command.map((word) => (word === 'a' ? key : word)));
      await settled();
      expect(replies()).toEqual([popped(key, '1')]);
      harness.run('DEL', 'src');
    }
    expectNobodyWaits();
  });

  it('is served of what MOVE and SWAPDB bring into its database', async () => {
    harness.run('SELECT', '3');
    harness.run('RPUSH', 'a', '1');
    harness.run('RPUSH', 'b', '2');
    waiting('BLPOP', 'a', '0');
    waiting('BLPOP', 'b', '0');
    await settled();
    harness.run('MOVE', 'a', '0');
    await settled();
    expect(replies()).toEqual([popped('a', '1')]);
    harness.run('SWAPDB', '0', '3');
    await settled();
    expect(replies()).toEqual([popped('b', '2')]);
    expectNobodyWaits();
  });

  it('waits for keys of its own database', async () => {
    const session = harness.connect();
    harness.runAs(session, 'SELECT', '2');
    harness.runAs(session, 'BLPOP', 'a', '0');
    await settled();
    harness.run('RPUSH', 'a', '1');
    await settled();
    expect(replies()).toEqual([]);
    harness.run('SELECT', '2');
    harness.run('RPUSH', 'a', '2');
    await settled();
    expect(replies()).toEqual([popped('a', '2')]);
  });

  it('gets a reply that waits for the log, as that of any change does', async () => {
    const session = harness.connect();
    const { changes } = harness.engine;
    const { connection } = session;
    const isHeld: boolean[] = [];
    const defer: typeof connection.defer = () => {
      const { resume } = connection.defer();
      return {
        resume: (write) => {
          const { writes } = changes;
          resume(write);
          isHeld.push(changes.writes !== writes);
        },
      };
    };
    Object.assign(session, { connection: { ...connection, defer } });
    harness.runAs(session, 'BLPOP', 'a', '0');
    harness.run('RPUSH', 'a', '1');
    await settled();
    harness.runAs(session, 'BLPOP', 'a', '0.1');
    await pass(100);
    expect(replies()).toEqual([popped('a', '1'), NIL]);
    expect(isHeld).toEqual([true, false]);
  });

  it('waits on for a key that is not there though there is no memory for it', async () => {
    harness = begin({ flags: ['--maxmemory-policy', 'noeviction'], shardBytes: 2 ** 20, shards: 1 });
    waiting('BLMOVE', 'a', 'b', 'LEFT', 'LEFT', '0');
    await settled();
    for (let i = 0; !harness.run('SET', `${i}`, 'x'.repeat(1000)).startsWith('-OOM'); i += 1);
    const [waitId] = harness.engine.blocking.waits.keys();
    takeOffer(harness.engine, { name: nameOf('a'), waitId }, 1);
    await settled();
    expect(replies()).toEqual([]);
  });

  it('is answered in its own protocol', async () => {
    const session = harness.connect();
    harness.runAs(session, 'HELLO', '3');
    harness.runAs(session, 'BLPOP', 'a', '0.01');
    await pass(10);
    expect(replies()).toEqual(['_\r\n']);
  });
});

describe('commands that wait', () => {
  it('BLMPOP takes as many as it was to take, of the one key that has come', async () => {
    waiting('BLMPOP', '0', '3', 'a', 'b', 'c', 'RIGHT', 'COUNT', '2');
    await settled();
    harness.run('RPUSH', 'b', '1', '2', '3');
    await settled();
    expect(replies()).toEqual(['*2\r\n$1\r\nb\r\n*2\r\n$1\r\n3\r\n$1\r\n2\r\n']);
    expectNobodyWaits();
  });

  it('BLMOVE hands on along a chain of those who wait', async () => {
    waiting('BLMOVE', 'a', 'b', 'LEFT', 'RIGHT', '0');
    waiting('BRPOPLPUSH', 'b', 'c', '0');
    waiting('BLPOP', 'c', '0');
    await settled();
    harness.run('RPUSH', 'a', 'x');
    await settled();
    expect(replies()).toEqual(['$1\r\nx\r\n', '$1\r\nx\r\n', popped('c', 'x')]);
    expect(harness.run('EXISTS', 'a', 'b', 'c')).toBe(':0\r\n');
    expectNobodyWaits();
  });

  it('BLMOVE answers that its destination is of a wrong type, and the next in the queue has its turn', async () => {
    harness.run('SET', 'b', '1');
    waiting('BLMOVE', 'a', 'b', 'LEFT', 'RIGHT', '0');
    waiting('BLPOP', 'a', '0');
    await settled();
    harness.run('RPUSH', 'a', 'x');
    await settled();
    const [first, second] = replies();
    expect(first).toMatch(/^-WRONGTYPE /);
    expect(second).toBe(popped('a', 'x'));
    expectNobodyWaits();
  });

  it('do not wait in a transaction', () => {
    harness.run('MULTI');
    harness.run('BLPOP', 'a', '0');
    harness.run('BLMPOP', '0', '1', 'a', 'LEFT');
    harness.run('BLMOVE', 'a', 'b', 'LEFT', 'LEFT', '0');
    harness.run('BRPOPLPUSH', 'a', 'b', '0');
    expect(harness.run('EXEC')).toBe(`*4\r\n${NIL}${NIL}$-1\r\n$-1\r\n`);
    expectNobodyWaits();
  });

  it('do not wait for another node, nor on main', () => {
    const peer = harness.connect();
    peer.isPeer = true;
    expect(harness.runAs(peer, 'BLPOP', 'a', '0')).toBe(NIL);
    Object.assign(harness.engine, { workerIndex: -1 });
    expect(harness.run('BLPOP', 'a', '0')).toBe(NIL);
    expectNobodyWaits();
  });
});

describe('the timeout', () => {
  it('ends the wait with a null array, and not before', async () => {
    waiting('BLPOP', 'a', '0.5');
    waiting('BLMOVE', 'a', 'b', 'LEFT', 'LEFT', '1');
    await pass(499);
    expect(replies()).toEqual([]);
    await pass(1);
    expect(replies()).toEqual([NIL]);
    await pass(500);
    expect(replies()).toEqual([NIL]);
    expectNobodyWaits();
    harness.run('RPUSH', 'a', '1');
    await settled();
    expect(harness.run('LLEN', 'a')).toBe(':1\r\n');
  });

  it('does nothing to a client that was served in time, nor to its next wait', async () => {
    const session = waiting('BLPOP', 'a', '1');
    harness.run('RPUSH', 'a', '1');
    await settled();
    expect(replies()).toEqual([popped('a', '1')]);
    harness.runAs(session, 'BLPOP', 'a', '2');
    await pass(1500);
    expect(replies()).toEqual([]);
    expect(harness.engine.counters[CLIENTS_BLOCKED]).toBe(1);
    await pass(500);
    expect(replies()).toEqual([NIL]);
    expectNobodyWaits();
  });

  it.each([
    ['0.0001', 1],
    ['1e-400', 1],
    ['0x10', 16_000],
    ['1.0001', 1001],
    ['2592000', 2_592_000_000],
  ])('of %s seconds is %i ms', async (text, ms) => {
    waiting('BLPOP', 'a', text);
    // A timer of the runtime waits for less than the last of these.
    for (let left = ms - 1; left > 0; left -= TIMER_MS_MAX) await pass(Math.min(left, TIMER_MS_MAX));
    expect(replies()).toEqual([]);
    await pass(1);
    expect(replies()).toEqual([NIL]);
  });

  it.each(['0', '-0', '-0.0001', '0.0'])('of %s seconds is none', async (text) => {
    waiting('BLPOP', 'a', text);
    await pass(TIMER_MS_MAX);
    expect(replies()).toEqual([]);
  });

  it.each(['-1', '-0.1', 'inf', '-inf', '1e30', '1e16'])('of %s seconds is negative', (text) => {
    expect(harness.run('BLPOP', 'a', text)).toBe('-ERR timeout is negative\r\n');
  });

  it.each(['', 'nan', 'x', ' 1', '1 ', '1e', '1,5'])('of "%s" is none at all', (text) => {
    expect(harness.run('BLPOP', 'a', text)).toBe('-ERR timeout is not a float or out of range\r\n');
  });
});

describe('a moment in which nothing may change', () => {
  it('holds the turn of who waits until it is over', async () => {
    waiting('BLPOP', 'a', '0');
    await settled();
    harness.run('RPUSH', 'a', '1');
    closeGate(harness.engine.gate, GATE_LOG);
    await settled();
    await pass(10 * BLOCKED_RETRY_MS);
    expect(replies()).toEqual([]);
    openGate(harness.engine.gate, GATE_LOG);
    await pass(BLOCKED_RETRY_MS);
    expect(replies()).toEqual([popped('a', '1')]);
    expectNobodyWaits();
  });

  it('does not hold up its timeout', async () => {
    waiting('BLPOP', 'a', '0.2');
    await settled();
    harness.run('CLIENT', 'PAUSE', '100000', 'WRITE');
    await pass(200);
    expect(replies()).toEqual([NIL]);
    expectNobodyWaits();
  });
});

describe('a slot that has gone to another node', () => {
  it('sends those on who wait for its keys, and serves none of them while it is on its way', async () => {
    const cluster = clusterTable({ nodes: 2, ownerOf: () => 0 });
    harness = begin({ cluster });
    waiting('BLPOP', '{x}a', '{x}b', '0');
    await settled();
    const slot = slotOfKey(Buffer.from('{x}'), 0, 3);
    harness.run('RPUSH', '{x}a', '1');
    cluster.table.roles[slot] |= ROLE_HANDING_OVER;
    endMovedWaits(harness.engine);
    await pass(2 * BLOCKED_RETRY_MS);
    expect(replies()).toEqual([]);
    setSlot(cluster, slot, 1);
    endMovedWaits(harness.engine);
    await pass(2 * BLOCKED_RETRY_MS);
    const [reply] = replies();
    expect(reply).toMatch(new RegExp(`^-MOVED ${slot} .*:\\d+\r\n$`));
    expectNobodyWaits();
  });
});
