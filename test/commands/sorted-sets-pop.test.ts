/** Clients that wait for sorted sets, on one thread: who is served, with what, and what else may become of them. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Session } from '../../src/commands/session.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const NIL = '*-1\r\n';
const STEPS_TO_SETTLE = 40;

let clockMs = 0;
let harness: Harness;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  clockMs = 0;
  harness = createHarness({ monotonicMs: () => clockMs });
});
afterEach(() => {
  vi.useRealTimers();
  harness.expectWhole();
});

/** All messages have been read, and what came of them; the late replies since the last look. */
async function lateReplies(): Promise<string[]> {
  for (let i = 0; i < STEPS_TO_SETTLE; i += 1) await new Promise((resolve) => setImmediate(resolve));
  return harness.deferredReplies.splice(0);
}

/** A new client whose command waits. */
function waiting(protocol: 2 | 3, ...command: string[]): Session {
  const session = harness.connect();
  session.protocol = protocol;
  expect(harness.runAs(session, ...command)).toBe('');
  expect(session.blocked).toBeDefined();
  return session;
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

describe('a client that waits for a sorted set', () => {
  it('is served its least member, or its greatest, with the key and the score', async () => {
    waiting(2, 'BZPOPMIN', 'none', 'z', '0');
    waiting(3, 'BZPOPMAX', 'z', '0');
    harness.run('ZADD', 'z', '2', 'b', '1.5', 'a', '3', 'c');
    expect(await lateReplies()).toEqual([
      `*3\r\n${bulk('z')}${bulk('a')}${bulk('1.5')}`,
      `*3\r\n${bulk('z')}${bulk('c')},3\r\n`,
    ]);
    expect(harness.run('ZRANGE', 'z', '0', '-1')).toBe(`*1\r\n${bulk('b')}`);
  });

  it('is served as many as it asks for, and as there are', async () => {
    waiting(2, 'BZMPOP', '0', '2', 'none', 'z', 'MAX', 'COUNT', '5');
    harness.run('ZADD', 'z', '2', 'b', '1', 'a');
    const pairs = `*2\r\n*2\r\n${bulk('b')}${bulk('2')}*2\r\n${bulk('a')}${bulk('1')}`;
    expect(await lateReplies()).toEqual([`*2\r\n${bulk('z')}${pairs}`]);
    expect(harness.run('EXISTS', 'z')).toBe(':0\r\n');
  });

  it('is not served by a key of another type, nor by a change that makes nothing', async () => {
    waiting(2, 'BZPOPMIN', 'z', '0');
    harness.run('RPUSH', 'z', 'x');
    expect(await lateReplies()).toEqual([]);
    harness.run('DEL', 'z');
    harness.run('ZADD', 'z', 'XX', '1', 'a');
    expect(await lateReplies()).toEqual([]);
    harness.run('ZADD', 'z', '1', 'a');
    expect(await lateReplies()).toEqual([`*3\r\n${bulk('z')}${bulk('a')}${bulk('1')}`]);
  });

  it.each([
    ['ZINCRBY', 'z', '1', 'a'],
    ['ZUNIONSTORE', 'z', '1', 'source'],
    ['ZRANGESTORE', 'z', 'source', '0', '0'],
    ['COPY', 'source', 'z'],
    ['RENAME', 'source', 'z'],
  ])('is served by %s', async (...command) => {
    harness.run('ZADD', 'source', '1', 'a');
    waiting(2, 'BZPOPMIN', 'z', '0');
    harness.run(...command);
    expect(await lateReplies()).toEqual([`*3\r\n${bulk('z')}${bulk('a')}${bulk('1')}`]);
  });

  it('gets nothing when its time is over, and at once in a transaction', async () => {
    waiting(2, 'BZPOPMIN', 'z', '1');
    waiting(3, 'BZMPOP', '1', '1', 'z', 'MIN');
    clockMs += 1000;
    vi.advanceTimersByTime(1000);
    expect(await lateReplies()).toEqual([NIL, '_\r\n']);
    harness.run('MULTI');
    harness.run('BZPOPMAX', 'z', '0');
    harness.run('BZMPOP', '0', '1', 'z', 'MIN');
    expect(harness.run('EXEC')).toBe(`*2\r\n${NIL}${NIL}`);
  });

  it('comes after those who came before it', async () => {
    waiting(2, 'BZPOPMAX', 'z', '0');
    waiting(2, 'BZPOPMIN', 'z', '0');
    waiting(2, 'BZPOPMIN', 'z', '0');
    harness.run('ZADD', 'z', '1', 'a', '2', 'b');
    expect(await lateReplies()).toEqual([
      `*3\r\n${bulk('z')}${bulk('b')}${bulk('2')}`,
      `*3\r\n${bulk('z')}${bulk('a')}${bulk('1')}`,
    ]);
    harness.run('ZADD', 'z', '3', 'c');
    expect(await lateReplies()).toEqual([`*3\r\n${bulk('z')}${bulk('c')}${bulk('3')}`]);
  });
});
