/** Tests of what becomes of commands that took long: at once, in a stretch, and answered later. */
import { Buffer } from 'node:buffer';
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, it } from 'vitest';
import { executeCall } from '../../src/commands/execute.ts';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { noteTimed, timeDeferred } from '../../src/commands/slow-commands.ts';
import { newestSlow } from '../../src/metrics/slow-log.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { callOf, runTimed } from '../support/timed-commands.ts';

const nextTurn = promisify(setImmediate);

let harness: Harness;
let monotonicMs: number;
beforeEach(() => {
  harness = createHarness({ flags: ['--slowlog-log-slower-than', '1000'] });
  monotonicMs = 0;
  Object.assign(harness.shards[0].clock, { monotonicMs: () => monotonicMs });
});

const logged = () => newestSlow(harness.engine.slowLog, Infinity);
const loggedArguments = () => logged().map((entry) => entry.arguments);

describe('a command that took long', () => {
  it('is logged with its time, its duration in whole microseconds and its client', () => {
    const { session } = harness;
    session.name = 'me';
    noteTimed(callOf(harness, ['GET', 'k']), 1_500_999, true);
    expect(logged()).toEqual([
      {
        id: 0,
        atMs: harness.nowMs,
        durationUs: 1500,
        arguments: ['GET', 'k'],
        client: session.address,
        clientName: 'me',
      },
    ]);
  });

  it('is logged from the threshold on, and not below', () => {
    for (const durationUs of [0, 999, 1000, 1001])
      runTimed(harness, ['GET', `${durationUs}`], { durationUs });
    expect(loggedArguments()).toEqual([
      ['GET', '1000'],
      ['GET', '1001'],
    ]);
  });

  it('is never logged when the threshold is -1, and always when it is 0', () => {
    harness.engine.config.slowlogLogSlowerThan = -1;
    runTimed(harness, ['PING'], { durationUs: 1e9 });
    harness.engine.config.slowlogLogSlowerThan = 0;
    runTimed(harness, ['ECHO', 'x'], { durationUs: 0 });
    expect(loggedArguments()).toEqual([['ECHO', 'x']]);
  });

  it('shows the first 128 bytes of each argument, byte for byte', () => {
    const bytes = Buffer.from(Array.from({ length: 128 }, (_, index) => 2 * index));
    const more = Buffer.concat([bytes, Buffer.from('xyz')]);
    runTimed(harness, ['SET', bytes, more], { durationUs: 1000 });
    const text = bytes.toString('latin1');
    expect(loggedArguments()).toEqual([['SET', text, `${text}... (3 more bytes)`]]);
  });

  it.each([
    [31, 31, ''],
    [32, 32, ''],
    [33, 32, '... (2 more arguments)'],
    [100, 32, '... (69 more arguments)'],
  ])('of %i arguments shows %i', (count, shownCount, last) => {
    const args = ['DEL', ...Array.from({ length: count - 1 }, (_, index) => `${index}`)];
    runTimed(harness, args, { durationUs: 1000 });
    const [shown] = loggedArguments();
    expect(shown).toHaveLength(shownCount);
    expect(shown.at(-1)).toBe(last === '' ? args.at(-1) : last);
    expect(shown.slice(0, 31)).toEqual(args.slice(0, 31));
  });

  it('does not show its secrets', () => {
    runTimed(harness, ['CONFIG', 'SET', 'requirepass', 'x'.repeat(200), 'port', '1'], { durationUs: 1000 });
    expect(loggedArguments()).toEqual([['CONFIG', 'SET', 'requirepass', '(redacted)', 'port', '1']]);
  });

  it('is a latency spike, by whether it is a fast command', () => {
    harness.engine.config.latencyMonitorThreshold = 2;
    for (const [args, durationUs] of [
      [['GET', 'k'], 1_999],
      [['GET', 'k'], 2_000],
      [['KEYS', '*'], 7_900],
    ] as const) {
      runTimed(harness, args, { durationUs });
    }
    const spikes = [...harness.engine.latencyEvents].map(([event, { maxMs }]) => [event, maxMs]);
    expect(spikes).toEqual([
      ['fast-command', 2],
      ['command', 7],
    ]);
  });
});

describe('a stretch of commands timed together', () => {
  it('is logged as its last command, with a mark that says so', () => {
    runTimed(harness, ['GET', 'k'], { durationUs: 1200, isAlone: false });
    expect(loggedArguments()).toEqual([['GET', 'k', '... (mean of commands timed together)']]);
  });

  it('is not logged when its mean is below the threshold', () => {
    runTimed(harness, ['GET', 'k'], { durationUs: 999, isAlone: false });
    expect(logged()).toEqual([]);
  });
});

describe('a command that is answered later', () => {
  it('is logged once, when its reply comes, with all the time until then', async () => {
    const call = callOf(harness, ['DEBUG', 'SLEEP', '1']);
    const resumed: unknown[] = [];
    const deferred = timeDeferred(call, { resume: (write) => void resumed.push(write) });
    call.isDeferred = true;
    noteTimed(call, 5e6, true);
    call.input.fill('x');
    expect(logged()).toEqual([]);
    monotonicMs += 12.5;
    harness.nowMs += 12;
    const write = () => undefined;
    deferred.resume(write);
    expect(resumed).toEqual([write]);
    expect(logged()).toMatchObject([
      { atMs: harness.nowMs, durationUs: 12_500, arguments: ['DEBUG', 'SLEEP', '1'] },
    ]);
  });

  it('is followed from its handler to its reply', async () => {
    installServerTopics(harness.engine);
    expect(runTimed(harness, ['CONFIG', 'RESETSTAT'], { durationUs: 5000 })).toBe('');
    monotonicMs += 3;
    while (harness.deferredReplies.length === 0) await nextTurn();
    expect(logged()).toMatchObject([{ durationUs: 3000, arguments: ['CONFIG', 'RESETSTAT'] }]);
  });

  it('leaves no mark on the next one', () => {
    const call = callOf(harness, ['PING']);
    call.isDeferred = true;
    executeCall(call);
    noteTimed(call, 1e6, true);
    expect(loggedArguments()).toEqual([['PING']]);
  });

  it('is not logged when the reply comes soon', () => {
    const deferred = timeDeferred(callOf(harness, ['KEYS', '*']), { resume: () => undefined });
    monotonicMs += 0.999;
    deferred.resume(() => undefined);
    expect(logged()).toEqual([]);
  });

  it('is not followed while nobody wants to know', () => {
    harness.engine.config.slowlogLogSlowerThan = -1;
    const deferred = { resume: () => undefined };
    expect(timeDeferred(callOf(harness, ['KEYS', '*']), deferred)).toBe(deferred);
    harness.engine.config.latencyMonitorThreshold = 1;
    expect(timeDeferred(callOf(harness, ['KEYS', '*']), deferred)).not.toBe(deferred);
  });

  it('is a latency spike, too', () => {
    harness.engine.config.latencyMonitorThreshold = 5;
    const deferred = timeDeferred(callOf(harness, ['KEYS', '*']), { resume: () => undefined });
    monotonicMs += 6.7;
    deferred.resume(() => undefined);
    expect(harness.engine.latencyEvents.get('command')?.maxMs).toBe(6);
  });

  it('is left out while it waits for something to happen, however long that takes', async () => {
    harness.engine.config.slowlogLogSlowerThan = 0;
    harness.engine.whenSynced = () => undefined;
    expect(runTimed(harness, ['WAITAOF', '0', '1', '1'], { durationUs: 5000 })).toBe('');
    while (harness.deferredReplies.length === 0) await nextTurn();
    expect(logged()).toEqual([]);
  });
});
