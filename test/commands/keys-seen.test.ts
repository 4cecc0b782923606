/** DBSIZE, KEYS, SCAN and RANDOMKEY on a node of a cluster look at the slots that it owns; what it has in any slot can be listed. */
import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Call } from '../../src/commands/call.ts';
import { listKeysInSlot } from '../../src/commands/keys-scan.ts';
import { countKeysInSlot } from '../../src/commands/keys-seen.ts';
import { findByName } from '../../src/commands/registry.ts';
import { createReplyWriter } from '../../src/resp/reply-writer.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { clusterTable, setSlot } from '../support/cluster-table.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { set } from '../support/shard.ts';

let harness: Harness;
const cluster = () => {
  if (harness.engine.cluster === undefined) throw new Error('the node is in a cluster');
  return harness.engine.cluster;
};

/** A node that owns every third slot and has replicas of the others. */
beforeEach(() => {
  harness = createHarness({ cluster: clusterTable({ replicaOf: (slot) => (slot % 3 === 0 ? 255 : 0) }) });
  return () => harness.expectWhole();
});

function slotOf(key: string): number {
  const bytes = Buffer.from(key);
  return slotOfKey(bytes, 0, bytes.length);
}

/** The bulk strings of a reply, whatever they are nested in. */
function bulksOf(reply: string): string[] {
  return [...reply.matchAll(/\$\d+\r\n(.*?)\r\n/g)].map(([, text]) => text);
}

const isOwn = (key: string) => slotOf(key) % 3 === 0;

function fill(count: number): string[] {
  const keys = Array.from({ length: count }, (_, index) => `key:${index}`);
  for (const key of keys) set(harness.shards[harness.engine.slotShard[slotOf(key)]], key, 'value');
  return keys;
}

describe('a node of a cluster', () => {
  it('counts the keys of its own slots, from one change of the topology to the next', () => {
    const keys = fill(300);
    expect(harness.run('DBSIZE')).toBe(`:${keys.filter(isOwn).length}\r\n`);
    const [first] = keys.filter((key) => !isOwn(key));
    const gained = keys.filter((key) => slotOf(key) === slotOf(first)).length;
    setSlot(cluster(), slotOf(first), 0);
    expect(harness.run('DBSIZE')).toBe(`:${keys.filter(isOwn).length + gained}\r\n`);
  });

  it('lists them', () => {
    const keys = fill(300);
    expect(bulksOf(harness.run('KEYS', '*')).sort()).toEqual(keys.filter(isOwn).sort());
    const twos = keys.filter((key) => isOwn(key) && key.startsWith('key:2'));
    expect(bulksOf(harness.run('KEYS', 'key:2*')).sort()).toEqual(twos.sort());
  });

  it('scans them', () => {
    const keys = fill(300);
    const found: string[] = [];
    let cursor = '0';
    do {
      const [next, ...names] = bulksOf(harness.run('SCAN', cursor, 'COUNT', '10'));
      found.push(...names);
      cursor = next;
    } while (cursor !== '0');
    expect(found.sort()).toEqual(keys.filter(isOwn).sort());
  });

  it('draws one of them at random, each in its turn', () => {
    const keys = fill(60);
    const drawn = new Map<string, number>();
    for (let draw = 0; draw < 2000; draw += 1) {
      const [key] = bulksOf(harness.run('RANDOMKEY'));
      drawn.set(key, (drawn.get(key) ?? 0) + 1);
    }
    const own = keys.filter(isOwn);
    expect([...drawn.keys()].sort()).toEqual(own.sort());
    for (const times of drawn.values()) expect(times * own.length).toBeGreaterThan(2000 / 4);
  });

  it('finds the only one that is its own among thousands', () => {
    const foreign = Array.from({ length: 3000 }, (_, index) => `{a}${index}`);
    for (const key of foreign) set(harness.shards[harness.engine.slotShard[slotOf('a')]], key, '');
    setSlot(cluster(), slotOf('a'), 1);
    expect(harness.run('RANDOMKEY')).toBe('$-1\r\n');
    const own = 'b';
    set(harness.shards[harness.engine.slotShard[slotOf(own)]], own, '');
    setSlot(cluster(), slotOf(own), 0);
    expect(harness.run('RANDOMKEY')).toBe('$1\r\nb\r\n');
  });
});

describe('a client that reads replicas', () => {
  it('sees their keys, too, as long as it is sent to other nodes and not served by them', () => {
    const keys = fill(300);
    setSlot(cluster(), slotOf(keys[0]), 1);
    const replicated = keys.filter((key) => slotOf(key) !== slotOf(keys[0])).length;
    harness.session.isReadOnly = true;
    expect(harness.engine.config.clusterRouting).toBe('forward');
    const own = Number(harness.run('DBSIZE').slice(1));
    expect(own).toBeLessThan(replicated / 2);
    harness.engine.config.clusterRouting = 'redirect';
    expect(harness.run('DBSIZE')).toBe(`:${replicated}\r\n`);
    expect(bulksOf(harness.run('KEYS', '*'))).toHaveLength(replicated);
  });
});

describe('a slot', () => {
  /** What a command answers that lists a slot. */
  async function keysIn(slot: number, keysMax: number): Promise<string[]> {
    const reply = createReplyWriter(64);
    const { engine, session } = harness;
    const command = findByName('keys');
    const call = { engine, session, reply, command, nowMs: harness.nowMs, isDeferred: false } as Call;
    listKeysInSlot(call, slot, keysMax);
    if (!call.isDeferred) return bulksOf(reply.bytes.toString('latin1', 0, reply.length));
    while (harness.deferredReplies.length === 0) await new Promise(setImmediate);
    return bulksOf(harness.deferredReplies.shift() ?? '');
  }

  it('has its keys counted and listed, whoever owns it', async () => {
    fill(100);
    for (const owner of [0, 1]) {
      setSlot(cluster(), slotOf('tag'), owner);
      const tagged = Array.from({ length: 20 }, (_, index) => `{tag}${index}`);
      for (const key of tagged) set(harness.shards[harness.engine.slotShard[slotOf('tag')]], key, '');
      expect(countKeysInSlot(harness.engine, slotOf('tag'))).toBe(20);
      expect((await keysIn(slotOf('tag'), 100)).sort()).toEqual(tagged.sort());
      expect(await keysIn(slotOf('tag'), 7)).toHaveLength(7);
      expect(await keysIn(slotOf('tag'), 0)).toEqual([]);
    }
  });

  it('is listed within a transaction, too', () => {
    harness = createHarness({ cluster: clusterTable({ nodes: 1 }), flags: ['--cluster-enabled', 'yes'] });
    harness.run('SET', 'a', 'value');
    harness.run('MULTI');
    harness.run('CLUSTER', 'GETKEYSINSLOT', `${slotOf('a')}`, '10');
    expect(harness.run('EXEC')).toBe('*1\r\n*1\r\n$1\r\na\r\n');
  });

  it('without keys is listed as such', async () => {
    fill(5);
    expect(countKeysInSlot(harness.engine, 1)).toBe(0);
    expect(await keysIn(1, 10)).toEqual([]);
  });

  it('with many keys is listed in turns', async () => {
    for (let index = 0; index < 3000; index += 1) {
      set(harness.shards[harness.engine.slotShard[slotOf('tag')]], `{tag}${index}`, '');
    }
    expect(new Set(await keysIn(slotOf('tag'), 1e9)).size).toBe(3000);
  });
});
