/** PFADD, PFCOUNT, PFMERGE and their like without an oracle: what they leave in the keyspace, over shards, without room, and when. */
import { afterEach, describe, expect, it } from 'vitest';
import { closeGate, GATE_LOG } from '../../src/resilience/gate.ts';
import { LSN } from '../../src/shard/layout.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let harness: Harness;
afterEach(() => harness.expectWhole());

function changes({ shards }: Harness): number {
  return shards.reduce((sum, { numbers }) => sum + numbers[LSN], 0);
}

function elements(count: number, prefix = 'e'): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

const CHANGED_BYTE = '$1\r\n\x80\r\n';
const VALID_BYTE = '$1\r\n\0\r\n';

describe('PFADD', () => {
  it('tells whether anything was new, and is no change if not', () => {
    harness = createHarness();
    expect(harness.run('PFADD', 'key')).toBe(':1\r\n');
    expect(changes(harness)).toBe(1);
    expect(harness.run('OBJECT', 'ENCODING', 'key')).toBe('$3\r\nraw\r\n');
    expect(harness.run('PFADD', 'key')).toBe(':0\r\n');
    expect(harness.run('PFADD', 'key', 'a', 'b')).toBe(':1\r\n');
    const before = changes(harness);
    expect(harness.run('PFADD', 'key', 'b', 'a')).toBe(':0\r\n');
    expect(changes(harness)).toBe(before);
  });

  it('keeps the time to live, and finds 20000 elements within three percent', () => {
    harness = createHarness();
    harness.run('PFADD', 'key');
    harness.run('EXPIRE', 'key', '5');
    for (let i = 0; i < 20; i += 1) harness.run('PFADD', 'key', ...elements(1000, `${i}:`));
    expect(harness.run('TTL', 'key')).toBe(':5\r\n');
    expect(Math.abs(Number(harness.run('PFCOUNT', 'key').slice(1)) / 20_000 - 1)).toBeLessThan(0.03);
  });

  it('takes the dense form where the configuration says, at once', () => {
    harness = createHarness();
    harness.run('PFADD', 'key', ...elements(20));
    expect(harness.run('PFDEBUG', 'ENCODING', 'key')).toBe('+sparse\r\n');
    harness.engine.config.hllSparseMaxBytes = 10;
    harness.run('PFADD', 'key', ...elements(20, 'more'));
    expect(harness.run('PFDEBUG', 'ENCODING', 'key')).toBe('+dense\r\n');
    expect(harness.run('STRLEN', 'key')).toBe(':12304\r\n');
  });

  it('answers with nothing but the error when there is no room', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 20, flags: ['--maxmemory-policy', 'noeviction'] });
    harness.run('PFADD', 'key', ...elements(100));
    harness.run('SET', 'a', 'x'.repeat(900_000));
    for (let i = 0; harness.run('SET', `fill${i}`, 'x'.repeat(3000)) === '+OK\r\n'; i += 1);
    const before = harness.run('GET', 'key');
    expect(harness.run('PFDEBUG', 'TODENSE', 'key')).toMatch(/^-OOM [^\n]*\r\n$/);
    expect(harness.run('GET', 'key')).toBe(before);
  });
});

describe('PFCOUNT', () => {
  it('keeps the count in the string until something is new', () => {
    harness = createHarness();
    harness.run('PFADD', 'key', 'a', 'b');
    expect(harness.run('GETRANGE', 'key', '15', '15')).toBe(CHANGED_BYTE);
    expect(harness.run('PFCOUNT', 'key')).toBe(':2\r\n');
    expect(harness.run('GETRANGE', 'key', '8', '15')).toBe('$8\r\n\x02\0\0\0\0\0\0\0\r\n');
    const before = changes(harness);
    expect(harness.run('PFCOUNT', 'key')).toBe(':2\r\n');
    harness.run('PFADD', 'key', 'a');
    expect(harness.run('GETRANGE', 'key', '15', '15')).toBe(VALID_BYTE);
    expect(changes(harness)).toBe(before);
    harness.run('PFADD', 'key', 'c');
    expect(harness.run('GETRANGE', 'key', '15', '15')).toBe(CHANGED_BYTE);
  });

  it('changes nothing while nothing may change', () => {
    harness = createHarness();
    harness.run('PFADD', 'key', 'a', 'b');
    const before = changes(harness);
    closeGate(harness.engine.gate, GATE_LOG);
    expect(harness.run('PFCOUNT', 'key')).toBe(':2\r\n');
    expect(changes(harness)).toBe(before);
    expect(harness.run('GETRANGE', 'key', '15', '15')).toBe(CHANGED_BYTE);
  });

  it('of several keys, in several shards, is that of their union, and changes none', () => {
    harness = createHarness();
    for (let i = 0; i < 8; i += 1) harness.run('PFADD', `key${i}`, `e${i}`, `e${i + 1}`);
    const before = changes(harness);
    const keys = Array.from({ length: 8 }, (_, i) => `key${i}`);
    expect(harness.run('PFCOUNT', ...keys, 'none')).toBe(':9\r\n');
    expect(changes(harness)).toBe(before);
  });
});

describe('PFMERGE', () => {
  it('joins keys of several shards, and makes the target dense if any is', () => {
    harness = createHarness();
    for (let i = 0; i < 8; i += 1) harness.run('PFADD', `key${i}`, `e${i}`, `e${i + 1}`);
    const keys = Array.from({ length: 8 }, (_, i) => `key${i}`);
    expect(harness.run('PFMERGE', 'to', ...keys)).toBe('+OK\r\n');
    expect(harness.run('PFCOUNT', 'to')).toBe(':9\r\n');
    expect(harness.run('PFDEBUG', 'ENCODING', 'to')).toBe('+sparse\r\n');
    expect(harness.run('PFDEBUG', 'TODENSE', 'key3')).toBe(':1\r\n');
    expect(harness.run('PFDEBUG', 'TODENSE', 'key3')).toBe(':0\r\n');
    expect(harness.run('PFMERGE', 'to', 'key3')).toBe('+OK\r\n');
    expect(harness.run('PFDEBUG', 'ENCODING', 'to')).toBe('+dense\r\n');
    expect(harness.run('PFCOUNT', 'to')).toBe(':9\r\n');
  });
});

describe('PFSELFTEST', () => {
  it('takes turns, and finds nothing wrong', async () => {
    let clockMs = 0;
    harness = createHarness({ monotonicMs: () => (clockMs += 0.01) });
    expect(harness.run('PFSELFTEST')).toBe('');
    while (harness.deferredReplies.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(harness.deferredReplies).toEqual(['+OK\r\n']);
  });

  it('is done at once where replies must be', () => {
    harness = createHarness();
    Object.assign(harness.engine, { workerIndex: -1 });
    expect(harness.run('PFSELFTEST')).toBe('+OK\r\n');
  });
});
