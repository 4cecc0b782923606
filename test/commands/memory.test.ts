/** Tests of MEMORY STATS and MEMORY DOCTOR. */
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { EVICTED_IDLE_SECONDS_LAST, EVICTED_KEYS } from '../../src/shard/layout.ts';
import { createHarness, type Harness, type HarnessOptions } from '../support/harness.ts';
import { splitReplies } from '../support/replies.ts';

const nextTurn = promisify(setImmediate);

function openHarness(options?: HarnessOptions): Harness {
  const harness = createHarness(options);
  installServerTopics(harness.engine);
  return harness;
}

async function run(harness: Harness, ...args: string[]): Promise<string> {
  const count = harness.deferredReplies.length;
  harness.run(...args);
  while (harness.deferredReplies.length === count) await nextTurn();
  return harness.deferredReplies[count];
}

describe('MEMORY STATS', () => {
  it('announces as many fields as it has, with databases that hold keys', async () => {
    const harness = openHarness();
    harness.run('SET', 'a', 'v'.repeat(1000));
    harness.run('SELECT', '9');
    harness.run('SET', 'b', '1');
    const reply = await run(harness, 'MEMORY', 'STATS');
    const flat = splitReplies(reply.replace(/^\*\d+\r\n/, ''));
    expect(reply).toMatch(new RegExp(`^\\*${flat.length}\r\n`));
    const fieldOf = (name: string) => flat[flat.indexOf(`$${name.length}\r\n${name}\r\n`) + 1];
    expect(fieldOf('keys.count')).toBe(':2\r\n');
    const used = Number(fieldOf('total.allocated').slice(1));
    expect(used).toBeGreaterThan(1000);
    expect(fieldOf('keys.bytes-per-key')).toBe(`:${Math.floor(used / 2)}\r\n`);
    expect(Number(fieldOf('overhead.total').slice(1)) + Number(fieldOf('dataset.bytes').slice(1))).toBe(used);
    expect(fieldOf('db.0')).toMatch(/^\*6\r\n/);
    expect(fieldOf('db.9')).toMatch(/^\*6\r\n/);
    expect(flat).not.toContain('$4\r\ndb.1\r\n');
  });

  it('is a map with doubles in RESP3, and divides nothing by zero when there are no keys', async () => {
    const harness = openHarness();
    harness.run('HELLO', '3');
    const reply = await run(harness, 'MEMORY', 'STATS');
    expect(reply).toMatch(/^%27\r\n/);
    expect(reply).toContain('$18\r\ndataset.percentage\r\n,');
    expect(reply).not.toMatch(/nan|inf/i);
    expect(splitReplies(reply)).toHaveLength(1);
  });

  it('adds up the buffers of all clients', async () => {
    const harness = openHarness();
    Object.assign(harness.session.connection, { queryBufferBytes: () => 1, queryBufferFreeBytes: () => 20 });
    Object.assign(harness.connect().connection, { outputBytes: () => 300 });
    expect(await run(harness, 'MEMORY', 'STATS')).toContain('$14\r\nclients.normal\r\n:321\r\n');
  });
});

describe('MEMORY DOCTOR', () => {
  it('has nothing to say of little memory', async () => {
    expect(await run(openHarness(), 'MEMORY', 'DOCTOR')).toContain('Hi Sam, this instance is empty');
  });

  it('looks at the memory, the clients and what was evicted', async () => {
    const harness = openHarness({ shards: 1, shardBytes: 8 * 2 ** 20 });
    Object.assign(harness.session.connection, { outputBytes: () => 2 ** 20 });
    for (let n = 0; n < 10_000; n += 1) harness.run('SET', `key:${n}`, 'v'.repeat(1000));
    harness.run('HELLO', '3');
    const report = await run(harness, 'MEMORY', 'DOCTOR');
    expect(report).toMatch(/^=\d+\r\ntxt:Sam, I detected a few issues/);
    expect(report).toContain(' * Eviction pressure: ');
    expect(report).toContain(' * Big client buffers: ');
    expect(report).not.toContain(' * Memory is full: ');
  });

  it('asks only the shards that evict how long ago what they evicted was in use', async () => {
    const harness = openHarness({ shards: 2, shardBytes: 4 * 2 ** 20 });
    for (let n = 0; n < 10_000; n += 1) harness.run('SET', `key:${n}`, 'v'.repeat(1000));
    const [one, other] = harness.shards;
    one.numbers[EVICTED_KEYS] = 0;
    other.numbers[EVICTED_IDLE_SECONDS_LAST] = 100;
    expect(await run(harness, 'MEMORY', 'DOCTOR')).not.toContain('Eviction pressure');
    other.numbers[EVICTED_IDLE_SECONDS_LAST] = 50;
    expect(await run(harness, 'MEMORY', 'DOCTOR')).toContain('Eviction pressure');
  });
});
