/** Tests of the search as a job: a real thread, one search at a time, and what becomes of it when it cannot go on. */
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { PLACES } from '../../src/base/places.ts';
import { createShardBuffers, formatShard, openShard } from '../../src/shard/shard.ts';
import {
  type BigKeysSearch,
  bigKeysProgress,
  createBigKeysSearch,
  startBigKeysSearch,
  stopBigKeysSearch,
} from '../../src/threads/big-keys.ts';
import { createJobs, type Jobs, stopJobs } from '../../src/threads/jobs.ts';
import { set } from '../support/shard.ts';

const KEYS = 1000;

const pools: Jobs[] = [];
const troubles: string[] = [];

afterEach(async () => {
  for (const jobs of pools.splice(0)) await stopJobs(jobs, 1000);
  troubles.length = 0;
});

function createSearch(waitingMax = 4): BigKeysSearch {
  const log = { error: (text: string) => void troubles.push(text) };
  const jobs = createJobs({ entry: PLACES.workerEntry('job'), threadsMax: 1, waitingMax, log });
  pools.push(jobs);
  const nowMs = systemClock.wallMs();
  const buffers = [0, 1].map(() =>
    createShardBuffers({
      capacityBytes: 4 * 2 ** 20,
      limitBytes: 4 * 2 ** 20,
      keysMax: 0,
      policy: 0,
      databases: 16,
      lfuLogFactor: 10,
      lfuDecayMinutes: 1,
      holdSampling: 64,
      hashKey: [1, 2],
      seed: 3,
      nowMs,
    }),
  );
  const shards = buffers.map((own, index) => openShard(own, index, 1, systemClock));
  for (const shard of shards) formatShard(shard, nowMs);
  for (let index = 0; index < KEYS; index += 1) set(shards[index % 2], `key:${index}`, 'value', { nowMs });
  const warning = (text: string) => void troubles.push(text);
  return createBigKeysSearch({ jobs, buffers, shards, clock: systemClock, log: { warning } });
}

describe('the search', () => {
  test('is idle at first, runs once at a time, and keeps its report', async () => {
    const search = createSearch();
    expect([search.state, bigKeysProgress(search)]).toEqual(['idle', 0]);
    expect(startBigKeysSearch(search)).toBe(true);
    expect(startBigKeysSearch(search)).toBe(false);
    expect([search.state, search.keysAtStart]).toEqual(['running', KEYS]);
    await search.running;
    expect([search.state, bigKeysProgress(search), search.report?.keys]).toEqual(['done', 1, KEYS]);
    expect(search.report?.largest).toHaveLength(100);
    const { report } = search;
    expect(startBigKeysSearch(search)).toBe(true);
    expect(search.report).toBe(report);
    await search.running;
    expect(search.report).not.toBe(report);
    expect(troubles).toEqual([]);
  });

  test('is called off by the stop, which waits for it', async () => {
    const search = createSearch();
    startBigKeysSearch(search);
    await stopBigKeysSearch(search, 5000);
    expect(search.running).toBeUndefined();
    expect([search.state, search.reason]).toEqual(['failed', 'the search was called off']);
    await stopBigKeysSearch(search, 0);
  });

  test('fails with the reason when no job can be had, and can be started again', async () => {
    const search = createSearch(0);
    startBigKeysSearch(search);
    await search.running;
    expect([search.state, search.reason]).toEqual(['failed', 'too many jobs wait, try again later']);
    expect(bigKeysProgress(search)).toBe(0);
    expect(startBigKeysSearch(search)).toBe(true);
    await search.running;
  });
});
