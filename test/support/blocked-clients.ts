/**
 * Clients that wait for keys, all on one thread and by a clock that tests move: a harness, and looks at what became of them.
 */
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { queueName } from '../../src/commands/blocking-state.ts';
import { installClientTopics } from '../../src/commands/client.ts';
import type { Session } from '../../src/commands/session.ts';
import { CLIENTS_BLOCKED } from '../../src/metrics/names.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { WAITERS, WAITING_COUNTS, WAITING_PLACE_MASK } from '../../src/shard/layout.ts';
import { createHarness, type Harness, type HarnessOptions } from './harness.ts';

/** What a client is answered whose time is over. */
export const NIL = '*-1\r\n';

const START_MS = 5_000;
const STEPS_TO_SETTLE = 40;

const world = { clockMs: START_MS, harness: undefined as unknown as Harness };

/** A fresh world before each test of the file, and a look at its shards behind it. */
export function useBlockedClients(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    world.clockMs = START_MS;
    begin();
  });
  afterEach(() => {
    vi.useRealTimers();
    world.harness.expectWhole();
  });
}

/** Begins anew, with another harness. */
export function begin(options: HarnessOptions = {}): Harness {
  world.harness = createHarness({ ...options, monotonicMs: () => world.clockMs });
  installClientTopics(world.harness.engine);
  return world.harness;
}

/** The harness of the test that runs. */
export function current(): Harness {
  return world.harness;
}

/** All messages have been read, and what came of them. */
export async function settled(): Promise<void> {
  for (let i = 0; i < STEPS_TO_SETTLE; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

export async function pass(ms: number): Promise<void> {
  world.clockMs += ms;
  vi.advanceTimersByTime(ms);
  await settled();
}

/** A new client whose command waits. */
export function waiting(...command: string[]): Session {
  const { connect, runAs } = world.harness;
  const session = connect();
  expect(runAs(session, ...command)).toBe('');
  expect(session.blocked).toBeDefined();
  return session;
}

/** What BLPOP answers. */
export function popped(key: string, value: string): string {
  return `*2\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`;
}

/** The late replies since the last look. */
export function replies(): string[] {
  return world.harness.deferredReplies.splice(0);
}

/** What the queue of a key in database 0 is found by. */
export function nameOf(key: string): string {
  const { slotShard } = world.harness.engine;
  return queueName(slotShard[slotOfKey(Buffer.from(key), 0, key.length)], 0, key);
}

export function expectNobodyWaits(): void {
  const { engine, shards } = world.harness;
  expect(engine.counters[CLIENTS_BLOCKED]).toBe(0);
  expect(engine.blocking.waits.size).toBe(0);
  expect(engine.blocking.queues.size).toBe(0);
  expect(engine.blocking.tries.size).toBe(0);
  for (const { control, numbers } of shards) {
    expect(control[WAITERS]).toBe(0);
    const counts = numbers.subarray(WAITING_COUNTS, WAITING_COUNTS + WAITING_PLACE_MASK + 1);
    expect(counts.every((count) => count === 0)).toBe(true);
  }
}
