/** Long walks over all keys: they let go of locks, end their turn, and answer later. */
import { beforeEach, describe, expect, it } from 'vitest';
import { executeCall } from '../../src/commands/execute.ts';
import { allCommands } from '../../src/commands/registry.ts';
import { WALK_SLICE_ENTRIES, WALK_TURN_ENTRIES } from '../../src/config/limits.ts';
import { LIMIT_CUTS } from '../../src/metrics/names.ts';
import { createReplyWriter } from '../../src/resp/reply-writer.ts';
import { HOLD_COUNT } from '../../src/shard/layout.ts';
import { holderOf } from '../../src/shard/lock.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { set } from '../support/shard.ts';

const KEYS = 4 * WALK_TURN_ENTRIES;

let harness: Harness;
function start(flags: string[] = []): void {
  harness = createHarness({ shards: 2, flags: ['--lock-hold-sampling', '1', ...flags] });
  for (let n = 0; n < KEYS; n += 1) set(harness.shards[n % 2], `key:${n}`, '');
}
beforeEach(() => {
  start();
  return () => harness.expectWhole();
});

/** Lets turns pass until `done`, at most as many as a walk may need; how many passed. */
async function passTurns(done: () => boolean): Promise<number> {
  for (let turn = 0; turn < 50; turn += 1) {
    if (done()) return turn;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('the walk does not end');
}

function names(reply: string): Set<string> {
  return new Set(reply.split('\r\n').filter((line) => line.startsWith('key:')));
}

describe('a long walk', () => {
  it('answers later, and other clients are served meanwhile', async () => {
    const other = harness.connect();
    expect(harness.run('KEYS', '*')).toBe('');
    expect(harness.shards.map(holderOf)).toEqual([0, 0]);
    let served = 0;
    const turns = await passTurns(() => {
      expect(harness.runAs(other, 'SET', 'key:0', String(served))).toBe('+OK\r\n');
      served += 1;
      return harness.deferredReplies.length > 0;
    });
    expect(turns).toBeGreaterThanOrEqual(2);
    const [reply] = harness.deferredReplies;
    expect(names(reply).size).toBe(KEYS);
    expect(reply.startsWith(`*${reply.split('$').length - 1}\r\n`)).toBe(true);
  });

  it('holds a lock for some hundred entries at a time', async () => {
    const holds = () => harness.shards.reduce((sum, shard) => sum + shard.numbers[HOLD_COUNT], 0);
    const before = holds();
    harness.run('KEYS', 'nothing');
    await passTurns(() => harness.deferredReplies.length > 0);
    expect(harness.deferredReplies).toEqual(['*0\r\n']);
    expect(holds() - before).toBeGreaterThanOrEqual(Math.floor(KEYS / (WALK_SLICE_ENTRIES + 100)));
  });

  it('is what SCAN with a great COUNT makes', async () => {
    harness.run('SCAN', '0', 'COUNT', '1000000');
    await passTurns(() => harness.deferredReplies.length > 0);
    expect(harness.deferredReplies[0].startsWith(`*2\r\n$1\r\n0\r\n*${KEYS}\r\n`)).toBe(true);
    expect(names(harness.deferredReplies[0]).size).toBe(KEYS);
  });

  it('may run beside another one', async () => {
    const other = harness.connect();
    harness.run('KEYS', 'key:1*');
    harness.runAs(other, 'KEYS', 'key:2*');
    await passTurns(() => harness.deferredReplies.length > 1);
    for (const [index, reply] of harness.deferredReplies.entries()) {
      const digit = String(index + 1);
      const expected = Array.from({ length: KEYS }, (_, n) => `key:${n}`).filter((name) => name[4] === digit);
      expect(names(reply)).toEqual(new Set(expected));
    }
  });

  it('keeps its pattern when the bytes of the request are overwritten', async () => {
    const input = Buffer.from('KEYSkey:12*');
    const call = {
      engine: harness.engine,
      input,
      spans: Int32Array.of(0, 4, 4, 11),
      count: 2,
      command: allCommands()[0],
      session: harness.session,
      reply: createReplyWriter(64),
      nowMs: harness.nowMs,
      isDeferred: false,
      shard: harness.shards[0],
    };
    executeCall(call);
    input.fill('*');
    await passTurns(() => harness.deferredReplies.length > 0);
    const expected = Array.from({ length: KEYS }, (_, n) => `key:${n}`).filter((name) =>
      name.startsWith('key:12'),
    );
    expect(names(harness.deferredReplies[0])).toEqual(new Set(expected));
  });

  it('looks at the clock anew in each turn', async () => {
    const expiresAtMs = harness.nowMs + 10;
    for (let n = 0; n < KEYS; n += 1) set(harness.shards[n % 2], `key:${n}`, '', { expiresAtMs });
    harness.run('KEYS', '*');
    harness.nowMs += 11;
    await passTurns(() => harness.deferredReplies.length > 0);
    expect(names(harness.deferredReplies[0]).size).toBeLessThan(WALK_TURN_ENTRIES + 2 * WALK_SLICE_ENTRIES);
  });

  it('stops when its client is being closed, and answers nothing', async () => {
    harness.run('KEYS', '*');
    harness.session.closing = true;
    const holds = () => harness.shards[0].numbers[HOLD_COUNT];
    const before = holds();
    await passTurns(() => harness.deferredReplies.length > 0);
    expect(harness.deferredReplies).toEqual(['']);
    expect(holds()).toBe(before);
  });

  it('closes a client whose answer passes the limit on output, instead of collecting it all', async () => {
    start(['--client-output-buffer-limit', 'normal 40000 0 0']);
    harness.run('KEYS', '*');
    await passTurns(() => harness.session.closing);
    expect(harness.deferredReplies).toEqual([]);
    expect(harness.engine.counters[LIMIT_CUTS]).toBe(1);
    expect(harness.log).toEqual(['client 1 closed: its reply passed client-output-buffer-limit']);
  });
});
