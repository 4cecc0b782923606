/** Tests of DEBUG: who may use it, and what its subcommands do. Those that end a thread are tested with real ones. */
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { holderOf } from '../../src/shard/lock.ts';
import { createHarness } from '../support/harness.ts';

const nextTurn = promisify(setImmediate);
const REFUSED = /^-ERR DEBUG command not allowed\. If the enable-debug-command option is set to "local"/;
const OPEN = { flags: ['--enable-debug-command', 'yes'] };

describe('DEBUG', () => {
  it('is for those whom enable-debug-command names', () => {
    for (const [setting, here, elsewhere] of [
      ['no', false, false],
      ['local', true, false],
      ['yes', true, true],
    ] as const) {
      const harness = createHarness({ flags: ['--enable-debug-command', setting] });
      const other = { ...harness.connect(), address: '192.168.1.5:999' };
      expect([harness.run('DEBUG', 'JMAP'), REFUSED.test(harness.run('DEBUG', 'JMAP'))][1]).toBe(!here);
      expect(REFUSED.test(harness.runAs(other, 'DEBUG', 'HELP'))).toBe(!elsewhere);
    }
  });

  it('JMAP tells of every shard', () => {
    const harness = createHarness({ ...OPEN, shards: 2 });
    harness.run('SET', 'a', '1');
    const lines = harness.run('DEBUG', 'JMAP').split('\r\n')[1].trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines.map((line) => Number(/keys=(\d+)/.exec(line)?.[1])).sort()).toEqual([0, 1]);
    for (const line of lines)
      expect(line).toMatch(/^shard=\d keys=\d used=\d+ limit=\d+ index=\d+ arena=\d+ free=\d+$/);
  });

  it('LOG writes to the log', () => {
    const harness = createHarness(OPEN);
    expect(harness.run('DEBUG', 'LOG', 'hello there')).toBe('+OK\r\n');
    expect(harness.log).toContain('DEBUG LOG: hello there');
  });

  it.each([
    ['0', false],
    ['1', true],
    ['-1', true],
    ['2x', true],
    ['x', false],
    ['', false],
  ])('SET-ACTIVE-EXPIRE %j reads its number as C does', async (text, isActive) => {
    const harness = createHarness(OPEN);
    installServerTopics(harness.engine);
    harness.engine.activeExpiry = !isActive;
    expect(harness.run('DEBUG', 'SET-ACTIVE-EXPIRE', text)).toBe('');
    await nextTurn();
    expect(harness.deferredReplies).toEqual(['+OK\r\n']);
    expect(harness.engine.activeExpiry).toBe(isActive);
  });

  it('THROW is an internal error that leaves no lock behind, before and after a change', () => {
    const harness = createHarness(OPEN);
    expect(harness.run('DEBUG', 'THROW')).toBe(
      "-ERR internal error in 'debug': DEBUG THROW before a change\r\n",
    );
    expect(harness.run('DEBUG', 'THROW', 'k')).toBe(
      "-ERR internal error in 'debug': DEBUG THROW after a change\r\n",
    );
    expect(harness.shards.map(holderOf)).toEqual([0, 0, 0]);
    expect(harness.run('GET', 'k')).toBe('$1\r\nk\r\n');
    expect(harness.log.join()).toContain('DEBUG THROW after a change');
    harness.expectWhole();
  });

  it('WORKER-THROW throws where no command is running', () => {
    const harness = createHarness(OPEN);
    const later: (() => void)[] = [];
    Object.assign(harness.engine, { later: (callback: () => void) => later.push(callback) });
    expect(harness.run('DEBUG', 'WORKER-THROW')).toBe('+OK\r\n');
    expect(() => later[0]()).toThrow('DEBUG WORKER-THROW');
  });
});

describe('DEBUG SLEEP', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    ['0.25', 250],
    ['2', 2000],
    ['1e9', 2 ** 31 - 1],
    ['.5x', 500],
  ])('%s answers this client %i ms later', (seconds, delayMs) => {
    vi.useFakeTimers();
    const harness = createHarness(OPEN);
    expect(harness.run('DEBUG', 'SLEEP', seconds)).toBe('');
    vi.advanceTimersByTime(delayMs - 1);
    expect(harness.deferredReplies).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(harness.deferredReplies).toEqual(['+OK\r\n']);
  });

  it.each(['0', '-3', 'x', '', 'nan'])('%j answers in the next turn', (seconds) => {
    vi.useFakeTimers();
    const harness = createHarness(OPEN);
    harness.run('DEBUG', 'SLEEP', seconds);
    vi.advanceTimersByTime(1);
    expect(harness.deferredReplies).toEqual(['+OK\r\n']);
  });
});
