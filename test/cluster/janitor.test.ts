/** What the janitor lets go of, and when: keys of slots that are another node's and have been for a while. */
import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import { createJanitor, type Janitor, lookAround } from '../../src/cluster/janitor.ts';
import { JANITOR_DELAY_MS } from '../../src/config/limits-cluster.ts';
import { closeGate, GATE_LOADING, GATE_LOG, openGate } from '../../src/resilience/gate.ts';
import { NO_NODE, OWN_INDEX, TOPOLOGY_EPOCH } from '../../src/routing/node-table.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { NONE } from '../../src/shard/layout.ts';
import { clusterTable, setSlot } from '../support/cluster-table.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { readRecords, take } from '../support/journal.ts';
import { find, set } from '../support/shard.ts';

let harness: Harness;
let janitor: Janitor;
let nowMs = 0;
let lookMs = 0;
const KEYS = Array.from({ length: 1200 }, (_, index) => `key:${index}`);
const cluster = () => {
  if (harness.engine.cluster === undefined) throw new Error('the node is in a cluster');
  return harness.engine.cluster;
};

/** A node of four that owns every fourth slot, has replicas of the slots behind those, and nothing of the others. */
beforeEach(() => {
  nowMs = 1000;
  lookMs = 0;
  const view = clusterTable({ nodes: 4, replicaOf: (slot) => (slot % 4 === 1 ? 0 : 2) });
  const monotonicMs = () => {
    nowMs += lookMs;
    return nowMs;
  };
  harness = createHarness({ shards: 2, cluster: view, monotonicMs });
  for (const key of KEYS) put(key);
  harness = { ...harness, engine: { ...harness.engine, workerCount: 1 } };
  janitor = createJanitor(harness.engine, view.table);
  return () => harness.expectWhole();
});

function slotOf(key: string): number {
  const bytes = Buffer.from(key);
  return slotOfKey(bytes, 0, bytes.length);
}

function put(key: string): void {
  set(harness.shards[harness.engine.slotShard[slotOf(key)]], key, 'value');
}

function left(): string[] {
  return KEYS.filter((key) => find(harness.shards[harness.engine.slotShard[slotOf(key)]], key) !== NONE);
}

const isStrange = (key: string) => slotOf(key) % 4 > 1;
const KEPT = KEYS.filter((key) => !isStrange(key));

/** Looks as often as it takes until the slots have been strange for long enough. */
async function look(times = 2): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    lookAround(janitor);
    while (janitor.sweeps.length > 0) await new Promise(setImmediate);
    nowMs += JANITOR_DELAY_MS;
  }
}

describe('the janitor', () => {
  it('drops what is neither owned nor replicated here, and then says how much', async () => {
    await look();
    expect(left()).toEqual(KEPT);
    expect(harness.log).toEqual([]);
    await look(1);
    const slots = new Set(KEYS.filter(isStrange).map(slotOf)).size;
    expect(harness.log).toEqual([
      `dropped ${KEYS.length - KEPT.length} keys of ${slots} slots that are with other nodes`,
    ]);
    await look();
    expect(harness.log).toHaveLength(1);
  });

  it('goes on over several turns', async () => {
    lookMs = 0.6;
    lookAround(janitor);
    nowMs += JANITOR_DELAY_MS;
    lookAround(janitor);
    const first = left().length;
    expect(first).toBeGreaterThan(KEPT.length);
    await look(1);
    expect(left()).toEqual(KEPT);
  });

  it('waits until the slots have been another node’s for a while', () => {
    lookAround(janitor);
    nowMs += JANITOR_DELAY_MS - 1;
    lookAround(janitor);
    expect(left()).toEqual(KEYS);
  });

  it('begins to wait anew when a slot has been this node’s in between', async () => {
    const [key] = KEYS.filter(isStrange);
    lookAround(janitor);
    setSlot(cluster(), slotOf(key), 0);
    nowMs += JANITOR_DELAY_MS / 2;
    lookAround(janitor);
    setSlot(cluster(), slotOf(key), 1);
    nowMs += JANITOR_DELAY_MS / 2;
    await look(1);
    expect(left().filter(isStrange).map(slotOf)).toContain(slotOf(key));
    await look(1);
    expect(left()).toEqual(KEPT);
  });

  it('leaves what is imported', async () => {
    const [key] = KEYS.filter(isStrange);
    setSlot(cluster(), slotOf(key), 1, NO_NODE, 0);
    await look();
    expect(left()).toContain(key);
  });

  it('leaves what nobody owns', async () => {
    const [key] = KEYS.filter(isStrange);
    setSlot(cluster(), slotOf(key), NO_NODE);
    await look();
    expect(left()).toContain(key);
  });

  it('leaves what is written once it has begun', async () => {
    lookMs = 0.6;
    const strange = KEYS.filter(isStrange);
    lookAround(janitor);
    nowMs += JANITOR_DELAY_MS;
    lookAround(janitor);
    expect(janitor.sweeps.length).toBeGreaterThan(0);
    for (const key of strange) {
      setSlot(cluster(), slotOf(key), 1, NO_NODE, 0);
      put(key);
    }
    while (janitor.sweeps.length > 0) await new Promise(setImmediate);
    expect(left()).toEqual(KEYS);
  });

  it.each([
    ['the first topology', () => (cluster().table.numbers[TOPOLOGY_EPOCH] = 0)],
    ['the node is in the topology', () => (cluster().table.words[OWN_INDEX] = NO_NODE)],
  ])('touches nothing before %s', async (_, undo) => {
    undo();
    await look(3);
    expect(left()).toEqual(KEYS);
  });

  it.each([GATE_LOADING, GATE_LOG])('touches nothing while the gate is closed (%i)', async (reason) => {
    closeGate(harness.engine.gate, reason);
    await look(3);
    expect(left()).toEqual(KEYS);
    openGate(harness.engine.gate, reason);
    await look(1);
    expect(left()).toEqual(KEPT);
  });

  it('keeps the house of its own shards alone, and records of what goes', async () => {
    const [own, other] = harness.shards;
    for (const shard of harness.shards) startJournaling(shard);
    janitor = createJanitor({ ...harness.engine, workerCount: 2 }, cluster().table);
    await look();
    const ofShard = (shard: number) => (key: string) => harness.engine.slotShard[slotOf(key)] === shard;
    expect(left().filter(ofShard(1))).toEqual(KEYS.filter(ofShard(1)));
    expect(readRecords(take(own))).toHaveLength(KEYS.filter(ofShard(0)).filter(isStrange).length);
    expect(readRecords(take(other))).toEqual([]);
  });
});
