/** The queues of those who wait, at the home of their keys: whose turn it is, and what becomes of those who go. */
import { beforeEach, describe, expect, it } from 'vitest';
import { registerAnew } from '../../src/commands/blocking.ts';
import {
  dequeue,
  enqueue,
  forgetWaitersOf,
  lookAtKey,
  takeAnswer,
} from '../../src/commands/blocking-home.ts';
import { TOPIC_OFFER } from '../../src/commands/blocking-state.ts';
import { TYPE_LIST, TYPE_ZSET } from '../../src/shard/layout.ts';
import {
  current,
  expectNobodyWaits,
  nameOf,
  popped,
  replies,
  settled,
  useBlockedClients,
  waiting,
} from '../support/blocked-clients.ts';
import type { Harness } from '../support/harness.ts';

useBlockedClients();

let harness: Harness;
beforeEach(() => {
  harness = current();
});

describe('the home of a key', () => {
  it('hears of the waits again when its thread was replaced', async () => {
    waiting('BLPOP', 'a', '0');
    await settled();
    harness.engine.blocking.queues.clear();
    harness.run('RPUSH', 'a', '1');
    await settled();
    expect(replies()).toEqual([]);
    for (const home of [1, 2, 3]) registerAnew(harness.engine, home);
    await settled();
    expect(replies()).toEqual([popped('a', '1')]);
    expectNobodyWaits();
  });

  it('forgets the clients of a thread that has died, also one that has its turn', async () => {
    const { engine } = harness;
    const name = nameOf('a');
    const [shard] = name.split(':').map(Number);
    const lost = { name, shard, database: 0, key: 'a', type: TYPE_LIST, waitId: 77 };
    const { publishTo } = engine.bus;
    Object.assign(engine.bus, { publishTo: (thread: number) => thread === 9 });
    harness.run('RPUSH', 'a', '1');
    enqueue(engine, lost, 9);
    expect(engine.blocking.queues.get(name)?.offered).toBeDefined();
    Object.assign(engine.bus, { publishTo });
    enqueue(engine, { ...lost, waitId: 78, type: TYPE_ZSET }, 1);
    forgetWaitersOf(engine, 9);
    expect([...(engine.blocking.queues.get(name)?.waiters.values() ?? [])]).toHaveLength(1);
    expect(engine.blocking.queues.get(name)?.offered).toBeUndefined();
  });

  it('passes over who waits for another type', async () => {
    waiting('BLPOP', 'a', '0');
    await settled();
    const name = nameOf('a');
    const queue = harness.engine.blocking.queues.get(name);
    const other = new Map([['9:9', { threadId: 9, waitId: 9, type: TYPE_ZSET }], ...(queue?.waiters ?? [])]);
    queue?.waiters.clear();
    for (const [waiter, record] of other) queue?.waiters.set(waiter, record);
    harness.run('RPUSH', 'a', '1');
    await settled();
    expect(replies()).toEqual([popped('a', '1')]);
    expect(queue?.waiters.size).toBe(1);
  });

  it('goes on with a queue whose first has tried in vain', async () => {
    waiting('BLPOP', 'a', '0');
    await settled();
    const queue = harness.engine.blocking.queues.get(nameOf('a'));
    const [waitId] = harness.engine.blocking.waits.keys();
    Object.assign(queue ?? {}, { offered: `1:${waitId}` });
    harness.run('RPUSH', 'a', '1');
    await settled();
    expect(replies()).toEqual([]);
    takeAnswer(harness.engine, { name: nameOf('a'), waitId, isOver: false }, 1);
    await settled();
    expect(replies()).toEqual([popped('a', '1')]);
    expectNobodyWaits();
  });

  it('takes back the turn of one whose thread is not there', async () => {
    const { engine } = harness;
    const name = nameOf('a');
    const [shard] = name.split(':').map(Number);
    const { publishTo } = engine.bus;
    Object.assign(engine.bus, { publishTo: () => false });
    harness.run('RPUSH', 'a', '1');
    enqueue(engine, { name, shard, database: 0, key: 'a', type: TYPE_LIST, waitId: 5 }, 9);
    expect(engine.blocking.queues.get(name)?.offered).toBeUndefined();
    Object.assign(engine.bus, { publishTo });
    forgetWaitersOf(engine, 9);
    expectNobodyWaits();
  });

  it('has the first of two keys that come together serve whom it can', async () => {
    for (const count of ['1', '10', '10', '1'])
      waiting('BLMPOP', '0', '2', '{x}a', '{x}b', 'LEFT', 'COUNT', count);
    await settled();
    harness.run('MULTI');
    harness.run('RPUSH', '{x}a', '1', '2', '3');
    harness.run('RPUSH', '{x}b', '4', '5');
    harness.run('EXEC');
    await settled();
    const taken = replies().map((reply) => reply.replace(/\r\n/g, ' ').replace(/[*$]\d+ /g, ''));
    expect(taken).toEqual(['{x}a 1 ', '{x}a 2 3 ', '{x}b 4 5 ']);
    harness.run('RPUSH', '{x}b', '6');
    await settled();
    expect(replies()).toHaveLength(1);
    expectNobodyWaits();
  });

  it('goes on with a queue that waited for a try in another, which was in vain', async () => {
    const { engine } = harness;
    waiting('BLPOP', 'a', 'b', '0');
    await settled();
    const [waitId] = engine.blocking.waits.keys();
    engine.blocking.tries.set(`1:${waitId}`, new Set());
    harness.run('RPUSH', 'b', '1');
    await settled();
    expect(replies()).toEqual([]);
    Object.assign(engine.blocking.queues.get(nameOf('a')) ?? {}, { offered: `1:${waitId}` });
    takeAnswer(engine, { name: nameOf('a'), waitId, isOver: false }, 1);
    await settled();
    expect(replies()).toEqual([popped('b', '1')]);
    expectNobodyWaits();
  });

  it('offers a key to one at a time', () => {
    const { engine } = harness;
    const name = nameOf('a');
    const [shard] = name.split(':').map(Number);
    const offers: unknown[] = [];
    Object.assign(engine.bus, {
      publishTo: (...offer: unknown[]) => {
        offers.push(offer);
        return true;
      },
    });
    harness.run('RPUSH', 'a', '1', '2');
    for (const waitId of [5, 4]) {
      enqueue(engine, { name, shard, database: 0, key: 'a', type: TYPE_LIST, waitId }, 9);
      lookAtKey(engine, name);
    }
    expect(offers).toEqual([[9, TOPIC_OFFER, { name, waitId: 5 }]]);
    dequeue(engine, { name, waitId: 5 }, 9);
    expect(offers.slice(1)).toEqual([[9, TOPIC_OFFER, { name, waitId: 4 }]]);
    dequeue(engine, { name, waitId: 4 }, 9);
    expectNobodyWaits();
  });
});
describe('a client that has gone', () => {
  it('is not waited for, and takes nothing', async () => {
    const session = waiting('BLPOP', 'a', '0');
    waiting('BLPOP', 'a', '0');
    await settled();
    session.blocked?.end('gone');
    harness.run('RPUSH', 'a', '1');
    await settled();
    expect(replies()).toEqual([popped('a', '1')]);
    expectNobodyWaits();
  });

  it('and is offered the key before its home has heard of that leaves it to the next', async () => {
    const { engine } = harness;
    const name = nameOf('a');
    const [shard] = name.split(':').map(Number);
    enqueue(engine, { name, shard, database: 0, key: 'a', type: TYPE_LIST, waitId: 999 }, 1);
    waiting('BLPOP', 'a', '0');
    await settled();
    harness.run('RPUSH', 'a', '1');
    await settled();
    expect(replies()).toEqual([popped('a', '1')]);
    expectNobodyWaits();
  });
});
