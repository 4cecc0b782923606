/** The memory and the table that a configuration leads to. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { currentSurroundings } from '../../src/config/file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { readShard } from '../../src/metrics/shard-reading.ts';
import { checkShard } from '../../src/shard/check.ts';
import { KEYS_MAX, LFU_DECAY_MINUTES, LFU_LOG_FACTOR, POLICY } from '../../src/shard/layout.ts';
import { VOLATILE_LFU } from '../../src/shard/policy.ts';
import { openShard } from '../../src/shard/shard.ts';
import { createShards, createSlotTable } from '../../src/threads/shards.ts';

function shardsOf(count: number, ...flags: string[]) {
  const loaded = loadConfig(flags, {}, currentSurroundings());
  if (loaded.kind !== 'run') throw new Error('no configuration');
  const buffers = createShards(loaded.config, count, systemClock, () => 7);
  return buffers.map((shard, index) => openShard(shard, index, 1, systemClock));
}

describe('the shards', () => {
  it('are as many as are asked for, whole and empty, and share the limits', () => {
    const shards = shardsOf(3, '--maxmemory', '31mb', '--maxkeys', '10', '--databases', '4');
    expect(shards.map((shard) => checkShard(shard))).toEqual([undefined, undefined, undefined]);
    const readings = shards.map(readShard);
    expect(readings.map(({ keys, databases }) => [keys, databases.length])).toEqual([
      [0, 4],
      [0, 4],
      [0, 4],
    ]);
    expect(readings.reduce((sum, { limitBytes }) => sum + limitBytes, 0)).toBe(31 * 1024 * 1024);
    expect(shards.map(({ control }) => control[KEYS_MAX])).toEqual([4, 3, 3]);
  });

  it('work by the policy of the configuration', () => {
    const policy = ['--maxmemory-policy', 'volatile-lfu', '--lfu-log-factor', '5', '--lfu-decay-time', '9'];
    const [{ control }] = shardsOf(1, '--maxmemory', '2mb', ...policy);
    expect([control[POLICY], control[LFU_LOG_FACTOR], control[LFU_DECAY_MINUTES]]).toEqual([
      VOLATILE_LFU,
      5,
      9,
    ]);
  });
});

describe('the slot table', () => {
  it.each([1, 2, 7])('gives each of %i shards slots, the same ones every time', (count) => {
    const table = new Uint16Array(createSlotTable(count));
    expect([...new Set(table)].sort()).toEqual(Array.from({ length: count }, (_, index) => index));
    expect(new Uint16Array(createSlotTable(count))).toEqual(table);
  });
});
