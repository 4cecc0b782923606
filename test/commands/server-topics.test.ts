/** Tests of what a thread does for the others: statistics, active expiry, the limits and policy of its own shard. */
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { applyLiveConfig, installServerTopics } from '../../src/commands/server-topics.ts';
import { applyDirectives } from '../../src/config/config.ts';
import { COMMANDS, CONNECTIONS_OPEN, KEYSPACE_MISSES } from '../../src/metrics/names.ts';
import {
  EVICTED_KEYS,
  HOLD_SAMPLING,
  KEYS_LIVE,
  KEYS_MAX,
  LFU_DECAY_MINUTES,
  LFU_LOG_FACTOR,
  LIMIT_BYTES,
  POLICY,
} from '../../src/shard/layout.ts';
import { holderOf } from '../../src/shard/lock.ts';
import { policyNumber } from '../../src/shard/policy.ts';
import { createHarness } from '../support/harness.ts';

const nextTurn = promisify(setImmediate);

describe('the configuration in force', () => {
  it('reaches the own shard in its share, and no other', () => {
    const harness = createHarness({ shards: 3 });
    const { engine, shards } = harness;
    const others = shards.slice(1).map((shard) => [shard.numbers[LIMIT_BYTES], shard.control[POLICY]]);
    applyDirectives(engine.config, [
      ['maxmemory', '10000001'],
      ['maxkeys', '100'],
      ['maxmemory-policy', 'volatile-lfu'],
      ['lfu-log-factor', '7'],
      ['lfu-decay-time', '3'],
      ['lock-hold-sampling', '5'],
    ]);
    applyLiveConfig(engine);
    const [{ control, numbers }] = shards;
    expect(numbers[LIMIT_BYTES]).toBe(3_333_334);
    expect(control[KEYS_MAX]).toBe(34);
    expect(control[POLICY]).toBe(policyNumber('volatile-lfu'));
    expect([control[LFU_LOG_FACTOR], control[LFU_DECAY_MINUTES], control[HOLD_SAMPLING]]).toEqual([7, 3, 5]);
    expect(holderOf(shards[0])).toBe(0);
    expect(shards.slice(1).map((shard) => [shard.numbers[LIMIT_BYTES], shard.control[POLICY]])).toEqual(
      others,
    );
  });

  it('reaches a lower limit after some turns, each of them short', async () => {
    const harness = createHarness({ shards: 1 });
    const [shard] = harness.shards;
    for (let index = 0; index < 2000; index += 1) harness.run('SET', `key:${index}`, 'value');
    applyDirectives(harness.engine.config, [['maxkeys', '10']]);
    applyLiveConfig(harness.engine);
    expect(shard.control[KEYS_LIVE]).toBe(2000 - 256);
    while (shard.control[KEYS_LIVE] > 10) await nextTurn();
    expect(shard.control[KEYS_MAX]).toBe(10);
    expect(harness.run('GET', 'key:1999')).toBe('$5\r\nvalue\r\n');
    harness.expectWhole();
  });

  it('heeds the latest limit when it is raised again on the way', async () => {
    const harness = createHarness({ shards: 1 });
    const [shard] = harness.shards;
    for (let index = 0; index < 2000; index += 1) harness.run('SET', `key:${index}`, 'value');
    applyDirectives(harness.engine.config, [['maxkeys', '10']]);
    applyLiveConfig(harness.engine);
    applyDirectives(harness.engine.config, [['maxkeys', '5000']]);
    applyLiveConfig(harness.engine);
    for (let turns = 0; turns < 10; turns += 1) await nextTurn();
    expect(shard.control[KEYS_LIVE]).toBe(2000 - 256);
    expect(shard.control[KEYS_MAX]).toBe(5000);
  });

  it('is no business of the main thread', () => {
    const { engine, shards } = createHarness();
    const before = shards[0].numbers[LIMIT_BYTES];
    applyDirectives(engine.config, [['maxmemory', '10000000']]);
    applyLiveConfig({ ...engine, workerIndex: -1 });
    expect(shards[0].numbers[LIMIT_BYTES]).toBe(before);
  });
});

describe('the topics', () => {
  it('reset the thread and its own shard', async () => {
    const { engine: bare, shards, run } = createHarness();
    const resetLogTotals = vi.fn();
    const engine = { ...bare, resetLogTotals };
    installServerTopics(engine);
    engine.counters[CONNECTIONS_OPEN] = 3;
    run('GET', 'nothing');
    for (const shard of shards) shard.numbers[EVICTED_KEYS] = 4;
    await engine.bus.requestAll('reset-stat', null);
    expect(engine.counters[COMMANDS]).toBe(0);
    expect(engine.counters[KEYSPACE_MISSES]).toBe(0);
    expect(engine.counters[CONNECTIONS_OPEN]).toBe(3);
    expect(shards.map((shard) => shard.numbers[EVICTED_KEYS])).toEqual([0, 4, 4]);
    expect(resetLogTotals).toHaveBeenCalledOnce();
    expect(holderOf(shards[0])).toBe(0);
  });

  it('turn active expiry off and on', async () => {
    const { engine } = createHarness();
    installServerTopics(engine);
    await engine.bus.requestAll('active-expiry', false);
    expect(engine.activeExpiry).toBe(false);
    await engine.bus.requestAll('active-expiry', true);
    expect(engine.activeExpiry).toBe(true);
  });
});
