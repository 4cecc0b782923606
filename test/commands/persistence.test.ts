/** Tests of the commands of durability: what they ask of main, what they answer, and when. */
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SNAPSHOT_REPLY_MS_MAX } from '../../src/config/limits.ts';
import { SNAPSHOT_LAST_MS } from '../../src/metrics/persistence.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { START_MS } from '../support/shard.ts';

const nextTurn = promisify(setImmediate);

const OPEN = { flags: ['--enable-debug-command', 'yes'] };
const SYNTAX = '-ERR syntax error\r\n';

/** A harness whose main answers these topics, and what it was asked. */
function askingHarness(answers: Record<string, unknown>): { harness: Harness; asked: unknown[] } {
  const harness = createHarness(OPEN);
  const asked: unknown[] = [];
  const requestMain = async (topic: string, payload: unknown, waitMs?: number) => {
    asked.push([topic, payload, waitMs]);
    return answers[topic];
  };
  Object.assign(harness.engine, { bus: { ...harness.engine.bus, requestMain } });
  return { harness, asked };
}

describe('SAVE, BGSAVE and BGREWRITEAOF', () => {
  it.each([
    [['SAVE'], { kind: 'save', isScheduled: false }],
    [['bgsave'], { kind: 'bgsave', isScheduled: false }],
    [['BGSAVE', 'Schedule'], { kind: 'bgsave', isScheduled: true }],
    [['BGREWRITEAOF'], { kind: 'rewrite', isScheduled: false }],
  ])('%j asks main and answers with its text', async (command, request) => {
    const { harness, asked } = askingHarness({ snapshot: { ok: true, text: 'Well done' } });
    expect(harness.run(...command)).toBe('');
    await nextTurn();
    expect(asked).toEqual([['snapshot', request, SNAPSHOT_REPLY_MS_MAX]]);
    expect(harness.deferredReplies).toEqual(['+Well done\r\n']);
  });

  it('answer with the error that main has', async () => {
    const error = 'ERR Background save already in progress';
    const { harness } = askingHarness({ snapshot: { ok: false, error } });
    harness.run('BGSAVE');
    await nextTurn();
    expect(harness.deferredReplies).toEqual([`-${error}\r\n`]);
  });

  it('say so when main does not answer', async () => {
    const harness = createHarness();
    harness.engine.bus.handle('snapshot', () => Promise.reject(new Error('gone')));
    harness.run('SAVE');
    await nextTurn();
    expect(harness.deferredReplies).toEqual([
      '-ERR the main thread does not answer; the log has the reason\r\n',
    ]);
    expect(harness.log).toEqual(["'snapshot' was not answered: Error: gone"]);
  });

  it('ask nothing when the words are wrong', () => {
    const { harness, asked } = askingHarness({});
    expect(harness.run('BGSAVE', 'now')).toBe(SYNTAX);
    expect(harness.run('BGSAVE', 'SCHEDULE', 'SCHEDULE')).toBe(SYNTAX);
    for (const name of ['save', 'bgrewriteaof', 'lastsave']) {
      expect(harness.run(name, 'x')).toBe(`-ERR wrong number of arguments for '${name}' command\r\n`);
    }
    expect(asked).toEqual([]);
  });
});

describe('LASTSAVE', () => {
  it('tells when the newest snapshot was whole, and the start before there was one', () => {
    const harness = createHarness();
    harness.nowMs += 60_000;
    expect(harness.run('LASTSAVE')).toBe(`:${Math.floor(START_MS / 1000)}\r\n`);
    harness.engine.persistence[SNAPSHOT_LAST_MS] = 1_700_000_123_999;
    expect(harness.run('LASTSAVE')).toBe(':1700000123\r\n');
  });
});

describe('DEBUG RELOAD and LOADAOF', () => {
  it.each([
    [['RELOAD'], { kind: 'reload', saves: true }],
    [['reload', 'nosave'], { kind: 'reload', saves: false }],
    [['RELOAD', 'MERGE'], { kind: 'reload', saves: true }],
    [['RELOAD', 'MERGE', 'NoSave', 'NOSAVE'], { kind: 'reload', saves: false }],
    [['LOADAOF'], { kind: 'loadaof', saves: false }],
    [['loadaof', 'whatever'], { kind: 'loadaof', saves: false }],
  ])('%j asks main and answers when it has loaded', async (words, request) => {
    const { harness, asked } = askingHarness({ reload: { ok: true, text: 'OK' } });
    expect(harness.run('DEBUG', ...words)).toBe('');
    await nextTurn();
    expect(asked).toEqual([['reload', request, SNAPSHOT_REPLY_MS_MAX]]);
    expect(harness.deferredReplies).toEqual(['+OK\r\n']);
  });

  it('answer with the error that main has', async () => {
    const { harness } = askingHarness({ reload: { ok: false, error: 'ERR Error trying to load' } });
    harness.run('DEBUG', 'RELOAD');
    await nextTurn();
    expect(harness.deferredReplies).toEqual(['-ERR Error trying to load\r\n']);
  });

  it('refuse words that there are not, and a load over keys that stay', () => {
    const { harness, asked } = askingHarness({});
    const options = 'ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.';
    expect(harness.run('DEBUG', 'RELOAD', 'x')).toBe(`-${options}\r\n`);
    expect(harness.run('DEBUG', 'RELOAD', 'NOFLUSH', 'x')).toBe(`-${options}\r\n`);
    expect(harness.run('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH')).toBe(
      '-ERR DEBUG RELOAD NOFLUSH is not supported\r\n',
    );
    expect(asked).toEqual([]);
  });
});

describe('WAITAOF', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  const UNSYNCED = '*2\r\n:0\r\n:0\r\n';
  const SYNCED = '*2\r\n:1\r\n:0\r\n';

  /** A harness whose log is on the disk when `sync` is called; until then `waiting` callbacks wait. */
  function loggedHarness(isSynced = false) {
    vi.useFakeTimers();
    const harness = createHarness();
    const waiting: (() => void)[] = [];
    harness.engine.whenSynced = (done) => {
      if (isSynced) done();
      else waiting.push(done);
    };
    const sync = () => {
      for (const done of waiting.splice(0)) done();
    };
    return { harness, sync };
  }

  it.each([
    [['x', '0', '0'], 'ERR value is not an integer or out of range'],
    [['-1', '0', '0'], 'ERR value is out of range, value must between 0 and 1'],
    [['2', '0', '0'], 'ERR value is out of range, value must between 0 and 1'],
    [['0', 'x', '0'], 'ERR value is out of range, must be positive'],
    [['0', '-1', '0'], 'ERR value is out of range, must be positive'],
    [['0', '0', 'x'], 'ERR timeout is not an integer or out of range'],
    [['0', '0', '1.5'], 'ERR timeout is not an integer or out of range'],
    [['0', '0', '-1'], 'ERR timeout is negative'],
    [['1', '0', '-1'], 'ERR timeout is negative'],
    [['1', '0', '0'], 'ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.'],
  ])('%j is refused while nothing is logged', (args, error) => {
    expect(createHarness().run('WAITAOF', ...args)).toBe(`-${error}\r\n`);
  });

  it('without a log answers at once that nothing is on the disk, where nothing is asked for', () => {
    expect(createHarness().run('WAITAOF', '0', '0', '0')).toBe(UNSYNCED);
  });

  it('answers at once when everything is on the disk', () => {
    const { harness } = loggedHarness(true);
    expect(harness.run('WAITAOF', '1', '0', '0')).toBe(SYNCED);
    expect(harness.run('WAITAOF', '0', '0', '0')).toBe(SYNCED);
  });

  it('answers at once how it is, where the own log is not asked for', () => {
    const { harness, sync } = loggedHarness();
    expect(harness.run('WAITAOF', '0', '0', '0')).toBe(UNSYNCED);
    sync();
    expect(harness.deferredReplies).toEqual([]);
  });

  it('waits for the sync, however long it takes', () => {
    const { harness, sync } = loggedHarness();
    expect(harness.run('WAITAOF', '1', '0', '0')).toBe('');
    vi.advanceTimersByTime(2 ** 31);
    expect(harness.deferredReplies).toEqual([]);
    sync();
    expect(harness.deferredReplies).toEqual([SYNCED]);
  });

  it('gives up after the timeout, and answers once', () => {
    const { harness, sync } = loggedHarness();
    expect(harness.run('WAITAOF', '1', '0', '250')).toBe('');
    vi.advanceTimersByTime(249);
    expect(harness.deferredReplies).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(harness.deferredReplies).toEqual([UNSYNCED]);
    sync();
    vi.advanceTimersByTime(1000);
    expect(harness.deferredReplies).toEqual([UNSYNCED]);
  });

  it('leaves no timer behind when the sync comes first', () => {
    const { harness, sync } = loggedHarness();
    harness.run('WAITAOF', '1', '0', '250');
    sync();
    expect(harness.deferredReplies).toEqual([SYNCED]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits for replicas until the timeout, since there are none, and tells the own log as it is by then', () => {
    const { harness, sync } = loggedHarness();
    expect(harness.run('WAITAOF', '1', '1', '100')).toBe('');
    sync();
    expect(harness.deferredReplies).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(harness.deferredReplies).toEqual([SYNCED]);
    expect(harness.run('WAITAOF', '0', '1', '100')).toBe('');
    vi.advanceTimersByTime(100);
    expect(harness.deferredReplies).toEqual([SYNCED, UNSYNCED]);
  });

  it('takes a timeout that no timer can keep for the longest that there is', () => {
    const { harness } = loggedHarness();
    harness.run('WAITAOF', '1', '0', '9007199254740991');
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(harness.deferredReplies).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(harness.deferredReplies).toEqual([UNSYNCED]);
  });
});
