/** How much memory a running server says it uses, how much it has in RAM, and for how many keys. */
import { setTimeout } from 'node:timers/promises';
import { ask, sendMany } from './client.ts';
import { keyRequests } from './key-requests.ts';
import { memcachedStats, statNumber } from './memcached.ts';
import type { Peer, RunningPeer } from './peers.ts';
import { residentBytesOf } from './proc.ts';
import { infoNumber } from './server-text.ts';

/**
 * `usedBytes`: used_memory of those that speak RESP; of memcached its items and its hash table, without what is free in its
 * pages, which are in `residentBytes` only.
 */
export type MemoryReading = {
  readonly keys: number;
  readonly usedBytes: number;
  readonly residentBytes: number;
};

const WARM_UP_KEYS = 100;
const WARM_UP_VALUE = 'x'.repeat(64);
const POLL_MS = 20;
const GROWING_MS_MAX = 10_000;

export async function readMemory({ protocol }: Peer, { port, pid }: RunningPeer): Promise<MemoryReading> {
  const accounted = protocol === 'memcached' ? await readStats(port) : await readInfo(port);
  return { ...accounted, residentBytes: residentBytesOf(pid) };
}

/** Each less what it was before. */
export function growthOf(now: MemoryReading, before: MemoryReading): MemoryReading {
  return {
    keys: now.keys - before.keys,
    usedBytes: now.usedBytes - before.usedBytes,
    residentBytes: now.residentBytes - before.residentBytes,
  };
}

/** So that compiled code and buffers, which come with the first requests, are not taken for the keys' memory. */
export async function warmUpMemory(
  { protocol }: Peer,
  { port }: RunningPeer,
  requests: number,
): Promise<void> {
  const { set, remove } = keyRequests(protocol);
  await sendTexts(port, requests, (index) => set(`k${index % WARM_UP_KEYS}`, WARM_UP_VALUE, 0));
  await sendTexts(port, WARM_UP_KEYS, (index) => remove(`k${index}`));
}

/** As `sendMany`, of requests as text in Latin-1. */
export async function sendTexts(
  port: number,
  count: number,
  textOf: (index: number) => string,
): Promise<void> {
  await sendMany(port, count, (target, at, index) => at + target.write(textOf(index), at, 'latin1'));
}

async function readInfo(port: number): Promise<Omit<MemoryReading, 'residentBytes'>> {
  const usedBytes = infoNumber(await ask(port, 'INFO', 'memory'), 'used_memory');
  return { keys: Number(await ask(port, 'DBSIZE')), usedBytes };
}

/** Its hash table is moved into a larger one by a thread of its own: while that lasts there are two. */
async function readStats(port: number): Promise<Omit<MemoryReading, 'residentBytes'>> {
  const deadlineMs = performance.now() + GROWING_MS_MAX;
  for (;;) {
    const stats = await memcachedStats(port);
    if (stats.get('hash_is_expanding') === '0' || performance.now() > deadlineMs) {
      const usedBytes = statNumber(stats, 'bytes') + statNumber(stats, 'hash_bytes');
      return { keys: statNumber(stats, 'curr_items'), usedBytes };
    }
    await setTimeout(POLL_MS);
  }
}
