/** Commands of very many keys: in slices, with others in between; the sum as reply; and when they are not sliced at all. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { findByName } from '../../src/commands/registry.ts';
import { SLICE_KEYS, SLICED_KEYS_MIN } from '../../src/config/limits.ts';
import { COMMAND_CALLS } from '../../src/metrics/names.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { keyCount } from '../../src/shard/databases.ts';
import { clusterTable, setSlot } from '../support/cluster-table.ts';
import { createHarness, type Harness, type HarnessOptions } from '../support/harness.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { createServingWorld } from '../support/serving-world.ts';

const OK = '+OK\r\n';
const MANY = SLICED_KEYS_MIN + SLICE_KEYS;

function names(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => `key:${from + i}`);
}

function fill(harness: Pick<Harness, 'run'>, keys: readonly string[]): void {
  harness.run('MSET', ...keys.flatMap((key) => [key, 'value']));
}

/** Each look at the clock is so much later than the one before. */
function createTickingHarness(stepMs: number, options: HarnessOptions = {}): Harness {
  let nowMs = 0;
  return createHarness({
    ...options,
    monotonicMs: () => {
      nowMs += stepMs;
      return nowMs;
    },
  });
}

async function settle(harness: Harness, replies = 1): Promise<void> {
  for (let pass = 0; pass < 100 && harness.deferredReplies.length < replies; pass += 1) {
    await new Promise(setImmediate);
  }
}

/** Says after how many turns nothing of it is left. */
async function countTurns(harness: Harness, isOver: () => boolean): Promise<number> {
  let turns = 0;
  for (; !isOver(); turns += 1) await new Promise(setImmediate);
  expect(harness.deferredReplies).toHaveLength(1);
  return turns;
}

const sizeOf = (harness: Harness) => Number(harness.run('DBSIZE').slice(1));

describe('DEL, UNLINK, EXISTS and TOUCH of very many keys', () => {
  it.each([SLICED_KEYS_MIN - 1, SLICED_KEYS_MIN, MANY - 1, MANY, MANY + 1, 5000])(
    'count the same with %d keys',
    async (count) => {
      const harness = createTickingHarness(1);
      const keys = names(count);
      const some = keys.filter((_, i) => i % 3 !== 0);
      const asked = [...keys, ...keys.slice(0, 7)];
      const expected: number[] = [];
      const replies: string[] = [];
      for (const command of ['EXISTS', 'TOUCH', 'DEL', 'UNLINK']) {
        fill(harness, some);
        const before = harness.deferredReplies.length;
        const reply = harness.run(command, ...asked);
        if (reply === '') await settle(harness, before + 1);
        replies.push(reply + harness.deferredReplies.slice(before).join(''));
        const removes = command === 'DEL' || command === 'UNLINK';
        const again = removes ? 0 : asked.slice(count).filter((key) => some.includes(key)).length;
        expected.push(some.length + again);
        expect(sizeOf(harness)).toBe(removes ? 0 : some.length);
      }
      expect(replies).toEqual(expected.map((n) => `:${n}\r\n`));
      harness.expectWhole();
    },
  );

  it('are answered at once when they are quick, and else later, and others come in between', async () => {
    const quick = createTickingHarness(0);
    fill(quick, names(MANY));
    expect(quick.run('DEL', ...names(MANY))).toBe(`:${MANY}\r\n`);

    const slow = createTickingHarness(10);
    fill(slow, names(10 * SLICE_KEYS));
    expect(slow.run('DEL', ...names(10 * SLICE_KEYS))).toBe('');
    expect(sizeOf(slow)).toBe(9 * SLICE_KEYS);
    // The request's buffer is used for this one.
    const other = slow.connect();
    expect(slow.runAs(other, 'MSET', ...names(2000, 100_000).flatMap((key) => [key, 'other']))).toBe(OK);
    const turns = await countTurns(slow, () => slow.deferredReplies.length > 0);
    expect(turns).toBeGreaterThanOrEqual(9);
    expect(slow.deferredReplies).toEqual([`:${10 * SLICE_KEYS}\r\n`]);
    expect(sizeOf(slow)).toBe(2000);
    slow.expectWhole();
  });

  it('count as one call', async () => {
    const harness = createTickingHarness(10);
    const { counters } = harness.engine;
    harness.run('EXISTS', ...names(MANY));
    await settle(harness);
    expect(counters[COMMAND_CALLS + (findByName('exists')?.id ?? -1)]).toBe(1);
  });

  it('go on to the end when the client has gone', async () => {
    const harness = createTickingHarness(10);
    fill(harness, names(MANY));
    const client = harness.connect();
    harness.runAs(client, 'DEL', ...names(MANY));
    client.closing = true;
    await settle(harness);
    expect(sizeOf(harness)).toBe(0);
  });

  it('in a transaction are executed in one go', () => {
    const harness = createTickingHarness(10);
    fill(harness, names(MANY));
    harness.run('MULTI');
    harness.run('DEL', ...names(MANY));
    expect(harness.run('EXEC')).toBe(`*1\r\n:${MANY}\r\n`);
    expect(sizeOf(harness)).toBe(0);
  });

  it('on main are executed in one go', () => {
    const harness = createTickingHarness(10);
    fill(harness, names(MANY));
    Object.assign(harness.engine, { workerIndex: -1 });
    expect(harness.run('UNLINK', ...names(MANY))).toBe(`:${MANY}\r\n`);
  });

  it('with keys that no other command in between may change unseen: what is set behind a slice stays', async () => {
    const harness = createTickingHarness(10);
    fill(harness, names(MANY));
    harness.run('DEL', ...names(MANY));
    harness.runAs(harness.connect(), 'SET', 'key:0', 'new');
    await settle(harness);
    expect(harness.run('GET', 'key:0')).toBe('$3\r\nnew\r\n');
    expect(sizeOf(harness)).toBe(1);
  });

  it('work in the database that the client had chosen', async () => {
    const harness = createTickingHarness(10);
    fill(harness, names(MANY));
    harness.run('SELECT', '3');
    fill(harness, names(MANY));
    harness.run('DEL', ...names(MANY));
    await settle(harness);
    expect(sizeOf(harness)).toBe(0);
    harness.run('SELECT', '0');
    expect(sizeOf(harness)).toBe(MANY);
  });
});

describe('under appendfsync always', () => {
  it('the reply waits until what all slices have changed is on the disk, and the next command for the reply', async () => {
    let nowMs = 0;
    const world = createServingWorld({
      monotonicMs: () => {
        nowMs += 10;
        return nowMs;
      },
    });
    const client = world.connect();
    client.send('MSET', ...names(MANY).flatMap((key) => [key, 'value']));
    world.turn();
    while (world.disk.pump() > 0) await world.settle();
    world.turn();
    expect(client.received()).toBe(OK);
    // What the first slice is to remove is not there: it changes nothing.
    const bytes = Buffer.from(requestBytes('DEL', ...names(SLICE_KEYS, 100_000), ...names(MANY)));
    client.socket.emit('data', bytes);
    // The next read goes to the same place.
    bytes.fill(0);
    client.send('PING');
    world.turn();
    for (let pass = 0; pass < 10; pass += 1) await world.settle();
    expect(sizeOf(world.harness)).toBe(0);
    world.turn();
    expect(client.received()).toBe(OK);
    while (world.disk.pump() > 0) await world.settle();
    world.turn();
    expect(client.received()).toBe(`${OK}:${MANY}\r\n+PONG\r\n`);
  });
});

describe('on a node of a cluster', () => {
  it.each(['slot', 'lease'])(
    'the rest is left alone once the %s is gone, and the reply says so',
    async (what) => {
      let sharedMs = 0;
      const cluster = clusterTable({ nodes: 2, ownerOf: () => 0, leaseEndsMs: 1, sharedMs: () => sharedMs });
      const harness = createTickingHarness(1, { cluster });
      const keys = names(MANY + SLICE_KEYS);
      fill(harness, keys);
      expect(harness.run('DEL', ...keys)).toBe('');
      if (what === 'lease') sharedMs = 1;
      const last = Buffer.from(keys[keys.length - 1]);
      if (what === 'slot') setSlot(cluster, slotOfKey(last, 0, last.length), 1);
      await settle(harness);
      expect(harness.deferredReplies).toEqual([
        '-TRYAGAIN Slots have moved meanwhile, and only some of the keys were removed\r\n',
      ]);
      expect(harness.shards.reduce((sum, shard) => sum + keyCount(shard, 0), 0)).toBeGreaterThan(0);
      harness.expectWhole();
    },
  );

  it('reads go on, for which there may be replicas', async () => {
    const cluster = clusterTable({ nodes: 2, ownerOf: () => 1, replicaOf: () => 0 });
    const harness = createTickingHarness(1, { cluster });
    harness.run('READONLY');
    expect(harness.run('EXISTS', ...names(MANY + SLICE_KEYS))).toBe('');
    await settle(harness);
    expect(harness.deferredReplies).toEqual([':0\r\n']);
  });
});
