/** FLUSHDB and FLUSHALL on a node of a cluster: its own slots are emptied, what it has of others' stays, and so does what comes later. */
import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import { ROLE_HANDING_OVER, ROLE_OWNER } from '../../src/routing/node-table.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { clusterTable, setSlot } from '../support/cluster-table.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { readRecords, take } from '../support/journal.ts';
import { find, set } from '../support/shard.ts';

let harness: Harness;
/** The clock of the turns: each look at it takes so long. */
let nowMs = 0;
let lookMs = 0;

/** A node that owns the slots that divide by `nodes`, and has replicas of all others. */
function createNode(nodes: number): void {
  lookMs = 0;
  const cluster = clusterTable({ nodes, replicaOf: (slot) => (slot % nodes === 0 ? 255 : 0) });
  harness = createHarness({ cluster, monotonicMs });
}

function monotonicMs(): number {
  nowMs += lookMs;
  return nowMs;
}

beforeEach(() => () => harness.expectWhole());

function slotOf(key: string): number {
  const bytes = Buffer.from(key);
  return slotOfKey(bytes, 0, bytes.length);
}

/** Puts keys where replication or a client would. */
function put(key: string): void {
  set(harness.shards[harness.engine.slotShard[slotOf(key)]], key, 'value', { nowMs: harness.nowMs });
}

function fill(count: number): string[] {
  const keys = Array.from({ length: count }, (_, index) => `key:${index}`);
  for (const key of keys) put(key);
  return keys;
}

function left(keys: readonly string[]): string[] {
  return keys.filter((key) => harness.shards.some((shard) => find(shard, key) !== 0));
}

describe.each(['FLUSHALL', 'FLUSHDB'])('%s', (command) => {
  it('leaves the keys of others', () => {
    createNode(3);
    const keys = fill(3000);
    expect(harness.run(command)).toBe('+OK\r\n');
    expect(left(keys)).toEqual(keys.filter((key) => slotOf(key) % 3 !== 0));
  });

  it('is one change of a shard that has no keys of others', () => {
    createNode(1);
    const keys = fill(100);
    for (const shard of harness.shards) startJournaling(shard);
    expect(harness.run(command, 'ASYNC')).toBe('+OK\r\n');
    expect(left(keys)).toEqual([]);
    for (const shard of harness.shards) expect(readRecords(take(shard))).toHaveLength(1);
  });

  it('refuses what is no option', () => {
    createNode(2);
    const keys = fill(10);
    expect(harness.run(command, 'NOW')).toBe('-ERR syntax error\r\n');
    expect(left(keys)).toEqual(keys);
  });
});

describe('a long flush', () => {
  /** Lets the turn's time end after some slices. */
  function createSlowNode(): string[] {
    createNode(2);
    const keys = fill(4000);
    lookMs = 0.3;
    return keys;
  }

  async function whenAnswered(between: () => void = () => undefined): Promise<number> {
    for (let turns = 1; ; turns += 1) {
      between();
      await new Promise(setImmediate);
      if (harness.deferredReplies.length > 0) return turns;
    }
  }

  it('goes on in later turns, and answers when all is gone', async () => {
    const keys = createSlowNode();
    expect(harness.run('FLUSHALL')).toBe('');
    expect(await whenAnswered()).toBeGreaterThan(2);
    expect(harness.deferredReplies).toEqual(['+OK\r\n']);
    expect(left(keys)).toEqual(keys.filter((key) => slotOf(key) % 2 !== 0));
  });

  it('leaves what was written after it, also under a key that was there', async () => {
    const keys = createSlowNode();
    const own = keys.filter((key) => slotOf(key) % 2 === 0);
    harness.run('FLUSHALL');
    let next = 0;
    await whenAnswered(() => {
      put(own[next]);
      put(own[own.length - 1 - next]);
      next += 1;
    });
    const written = own.filter((_, index) => index < next || index >= own.length - next);
    expect(left(own)).toEqual(written);
  });

  it('leaves slots alone that are another node’s by then, or about to be', async () => {
    const keys = createSlowNode();
    const cluster = harness.engine.cluster;
    if (cluster === undefined) throw new Error('the node is in a cluster');
    const later = new Set<number>();
    harness.run('FLUSHALL');
    const before = new Set(left(keys));
    await whenAnswered(() => {
      if (later.size > 0) return;
      for (const key of keys) {
        if (slotOf(key) % 4 !== 0) continue;
        later.add(slotOf(key));
        if (slotOf(key) % 8 === 0) setSlot(cluster, slotOf(key), 1);
        else cluster.table.roles[slotOf(key)] = ROLE_OWNER | ROLE_HANDING_OVER;
      }
    });
    expect(left(keys)).toEqual(
      keys.filter((key) => before.has(key) && (slotOf(key) % 2 !== 0 || later.has(slotOf(key)))),
    );
  });

  it('happens at once within a transaction', () => {
    const keys = createSlowNode();
    harness.run('MULTI');
    harness.run('FLUSHALL');
    expect(harness.run('EXEC')).toBe('*1\r\n+OK\r\n');
    expect(left(keys)).toEqual(keys.filter((key) => slotOf(key) % 2 !== 0));
  });
});
