/**
 * Tests of the timing of commands, over a worker's real turns and with a clock that moves when the test says so: by each
 * reading, or while a command runs.
 */
import { describe, expect, it } from 'vitest';
import { findByName } from '../../src/commands/registry.ts';
import { applyThresholds } from '../../src/commands/timing.ts';
import {
  JOURNAL_SOFT_BYTES,
  SMALL_READ_BYTES_MAX,
  SMALL_READS_PER_TIMED,
  STRETCH_BYTES_MAX,
  STRETCH_COMMANDS_MAX,
} from '../../src/config/limits.ts';
import { type HistogramReading, readHistogram } from '../../src/metrics/histogram.ts';
import {
  COMMANDS_TOGETHER_HISTOGRAM,
  FIRST_COMMAND_HISTOGRAM,
  latenciesOf,
  TURNS_HISTOGRAM,
} from '../../src/metrics/latencies.ts';
import { COMMAND_CALLS, COMMAND_FAILED, COMMAND_NS, COMMAND_REJECTED } from '../../src/metrics/names.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { createServingWorld } from '../support/serving-world.ts';

function idOf(name: string): number {
  const command = findByName(name);
  if (command === undefined) throw new Error(`no command ${name}`);
  return command.id;
}

function latencyOf({ engine }: Harness, name: string): HistogramReading {
  return readHistogram(latenciesOf(engine.timing.latencies, FIRST_COMMAND_HISTOGRAM + idOf(name)));
}

function countsOf({ engine: { counters } }: Harness, name: string) {
  const id = idOf(name);
  return {
    calls: counters[COMMAND_CALLS + id],
    rejected: counters[COMMAND_REJECTED + id],
    failed: counters[COMMAND_FAILED + id],
    ns: counters[COMMAND_NS + id],
  };
}

/** A clock that goes on by `stepMs` with each reading. */
function stepping(stepMs: number) {
  const clock = { readings: 0, monotonicMs: () => clock.readings++ * stepMs };
  return clock;
}

/** A worker with one client; each reading of the clock is `stepMs` later than the last. */
function createWorld(stepMs: number, flags: string[] = []) {
  const clock = stepping(stepMs);
  const world = createServingWorld({ appendfsync: 'no', monotonicMs: clock.monotonicMs, flags });
  const client = world.connect();
  const { harness } = world;
  return {
    harness,
    clock,
    client,
    turn: world.turn,
    /** Has all of them read at once, and the turn go on. */
    read: (...commands: string[][]) => client.sendBytes(...commands.map((args) => requestBytes(...args))),
    /** Has all of them read at once, in a turn of their own. */
    send: (...commands: string[][]) => {
      client.sendBytes(...commands.map((args) => requestBytes(...args)));
      world.turn();
    },
  };
}

/** A step of the clock that is so short that no read uses up its connection's share of a turn. */
const BRIEF = 1 / 64;

const repeated = (count: number, ...command: string[]) => Array.from({ length: count }, () => command);

describe('a command that comes alone', () => {
  it("(the predecessor's bug: a latency that was a literal) has the latency that the clock says", () => {
    for (const ms of [0.0625, 0.5, 3, 70]) {
      const { harness, send } = createWorld(ms);
      send(['GET', 'a']);
      expect(latencyOf(harness, 'get')).toMatchObject({ count: 1, sum: ms * 1e6, max: ms * 1e6 });
      expect(countsOf(harness, 'get')).toEqual({ calls: 1, rejected: 0, failed: 0, ns: ms * 1e6 });
    }
  });

  it('counts in the histogram of all commands together, too', () => {
    const { harness, send } = createWorld(1);
    send(['GET', 'a']);
    send(['SET', 'a', '1']);
    const together = readHistogram(latenciesOf(harness.engine.timing.latencies, COMMANDS_TOGETHER_HISTOGRAM));
    expect(together).toMatchObject({ count: 2, sum: 2e6 });
  });

  it('is timed by two readings, besides the two of its turn', () => {
    const { send, clock } = createWorld(1);
    send(['GET', 'a']);
    const before = clock.readings;
    send(['GET', 'a']);
    expect(clock.readings - before).toBe(4);
  });

  it('keeps no histogram while latency-tracking is off, but its time', () => {
    const { harness, send } = createWorld(1, ['--latency-tracking', 'no']);
    send(['GET', 'a']);
    expect(latencyOf(harness, 'get').count).toBe(0);
    expect(countsOf(harness, 'get')).toMatchObject({ calls: 1, ns: 1e6 });
  });
});

describe('brief commands in a row', () => {
  it(`are timed together, up to ${STRETCH_COMMANDS_MAX}, each with the mean`, () => {
    const { harness, send, clock } = createWorld(8 * BRIEF);
    send(['GET', 'a']);
    const before = clock.readings;
    send(...repeated(STRETCH_COMMANDS_MAX, 'GET', 'a'), ...repeated(4, 'GET', 'a'));
    expect(clock.readings - before).toBe(3 + 2);
    // The first alone, a whole stretch, and the four behind it took one step of the clock each.
    expect(latencyOf(harness, 'get')).toMatchObject({
      count: 1 + STRETCH_COMMANDS_MAX + 4,
      sum: 3 * 8e6 * BRIEF,
    });
  });

  it('of several kinds share the mean', () => {
    const { harness, send } = createWorld(6 * BRIEF);
    send(['SET', 'a', '1'], ['GET', 'a'], ['GET', 'a']);
    expect(latencyOf(harness, 'set')).toMatchObject({ count: 1, max: 2e6 * BRIEF });
    expect(latencyOf(harness, 'get')).toMatchObject({ count: 2, max: 2e6 * BRIEF });
  });

  it('with a refused one among them: it takes its share of the time, and none of the calls', () => {
    const { harness, send } = createWorld(6 * BRIEF);
    send(['SET', 'a', '1'], ['GET'], ['GET', 'a']);
    expect(countsOf(harness, 'get')).toEqual({ calls: 1, rejected: 1, failed: 0, ns: 2e6 * BRIEF });
    expect(countsOf(harness, 'set')).toEqual({ calls: 1, rejected: 0, failed: 0, ns: 2e6 * BRIEF });
    const together = latenciesOf(harness.engine.timing.latencies, COMMANDS_TOGETHER_HISTOGRAM);
    expect(readHistogram(together)).toMatchObject({ count: 2, sum: 4e6 * BRIEF });
    send(['GET', 'a'], ['NOSUCH']);
    expect(countsOf(harness, 'get')).toMatchObject({ calls: 2, ns: 5e6 * BRIEF });
    send(...repeated(STRETCH_COMMANDS_MAX, 'GET'));
    expect(countsOf(harness, 'get')).toEqual({
      calls: 2,
      rejected: 1 + STRETCH_COMMANDS_MAX,
      failed: 0,
      ns: 5e6 * BRIEF,
    });
  });

  it('that fail are told apart from those that do not', () => {
    const { harness, send } = createWorld(6 * BRIEF);
    send(['INCR', 'n'], ['SET', 'text', 'x'], ['INCR', 'text']);
    expect(countsOf(harness, 'incr')).toEqual({ calls: 2, rejected: 0, failed: 1, ns: 4e6 * BRIEF });
  });

  it('that are split over two turns are in two stretches', () => {
    const { harness, client, clock, turn } = createWorld(3 * BRIEF);
    const bytes = Buffer.concat([requestBytes('GET', 'a'), requestBytes('GET', 'b')]);
    client.sendBytes(bytes.subarray(0, 30));
    turn();
    const before = clock.readings;
    client.sendBytes(bytes.subarray(30));
    turn();
    expect(clock.readings - before).toBe(2 + 2);
    expect(latencyOf(harness, 'get')).toMatchObject({ count: 2, sum: 6e6 * BRIEF, max: 3e6 * BRIEF });
  });

  it.each([
    ['one that may take long by its kind', ['KEYS', 'nothing'], 'keys'],
    ['one of many arguments', ['MGET', ...'abcdefghij'], 'mget'],
    ['one of much input', ['SET', 'b', 'v'.repeat(STRETCH_BYTES_MAX)], 'set'],
  ])('end before %s, which is timed alone', (_, long, name) => {
    const { harness, send } = createWorld(4 * BRIEF);
    send(['GET', 'a'], ['GET', 'a'], long, ['GET', 'a'], ['GET', 'a']);
    expect(latencyOf(harness, name)).toMatchObject({ count: 1, sum: 4e6 * BRIEF });
    expect(latencyOf(harness, 'get')).toMatchObject({ count: 4, sum: 8e6 * BRIEF, max: 2e6 * BRIEF });
  });

  it('end behind a reply of many bytes', () => {
    const { harness, send } = createWorld(4 * BRIEF);
    send(['SET', 'a', 'v'.repeat(STRETCH_BYTES_MAX)]);
    send(['GET', 'a'], ['STRLEN', 'a']);
    expect(latencyOf(harness, 'get')).toMatchObject({ count: 1, sum: 4e6 * BRIEF });
    expect(latencyOf(harness, 'strlen')).toMatchObject({ count: 1, sum: 4e6 * BRIEF });
  });

  it.each([
    ['slowlog-log-slower-than', 0, 'slowlogLogSlowerThan'],
    ['slowlog-log-slower-than', 999, 'slowlogLogSlowerThan'],
    ['latency-monitor-threshold', 1, 'latencyMonitorThreshold'],
  ] as const)('are each timed alone with %s %i', (_, value, field) => {
    const { harness, send } = createWorld(4 * BRIEF);
    harness.engine.config[field] = value;
    applyThresholds(harness.engine);
    send(...repeated(3, 'GET', 'a'));
    expect(latencyOf(harness, 'get')).toMatchObject({ count: 3, sum: 12e6 * BRIEF });
  });
});

describe('small reads in one turn', () => {
  it(`are timed one in ${SMALL_READS_PER_TIMED}, and the commands of the others count with the mean`, () => {
    const { harness, read, turn, clock } = createWorld(8 * BRIEF);
    read(['GET', 'a']);
    const before = clock.readings;
    for (let reads = 1; reads < SMALL_READS_PER_TIMED; reads += 1) read(['GET', 'a']);
    expect(clock.readings - before).toBe(0);
    expect(latencyOf(harness, 'get').count).toBe(0);
    read(['SET', 'a', '1']);
    expect(clock.readings - before).toBe(2);
    turn();
    const reads = SMALL_READS_PER_TIMED;
    expect(latencyOf(harness, 'get')).toMatchObject({
      count: reads,
      sum: reads * 8e6 * BRIEF,
      max: 8e6 * BRIEF,
    });
    expect(latencyOf(harness, 'set')).toMatchObject({ count: 1, sum: 8e6 * BRIEF });
  });

  it('are all timed from the first on where they are not small', () => {
    const { read, clock } = createWorld(8 * BRIEF);
    read(['GET', 'a']);
    const before = clock.readings;
    read(['SET', 'a', 'v'.repeat(SMALL_READ_BYTES_MAX)]);
    read(['SET', 'a', 'v'.repeat(SMALL_READ_BYTES_MAX)]);
    expect(clock.readings - before).toBe(4);
  });

  it('have what may take long timed alone, and what follows it', () => {
    const { harness, read, turn } = createWorld(8 * BRIEF);
    read(['GET', 'a']);
    read(['GET', 'a']);
    read(['KEYS', 'nothing'], ['GET', 'a']);
    turn();
    expect(latencyOf(harness, 'keys')).toMatchObject({ count: 1, sum: 8e6 * BRIEF });
    expect(latencyOf(harness, 'get')).toMatchObject({ count: 3, sum: 3 * 8e6 * BRIEF, max: 8e6 * BRIEF });
  });

  it(`are recorded when there are ${STRETCH_COMMANDS_MAX} commands, in the middle of an untimed one as well`, () => {
    const { harness, read, turn } = createWorld(8 * BRIEF);
    const brief = repeated(6, 'GET', 'a');
    for (let reads = 0; reads < 6; reads += 1) read(...brief);
    expect(latencyOf(harness, 'get')).toMatchObject({ count: STRETCH_COMMANDS_MAX });
    turn();
    expect(latencyOf(harness, 'get')).toMatchObject({ count: 36 });
    expect(countsOf(harness, 'get')).toMatchObject({ calls: 36 });
  });

  it('tell the slow log of one that had to wait for the log, from when its waiting began, and of no other', () => {
    const { harness, read, turn, clock } = createWorld(40);
    harness.engine.config.slowlogLogSlowerThan = 30_000;
    applyThresholds(harness.engine);
    const slow = () => harness.engine.slowLog.entries.map((entry) => [entry.arguments[0], entry.durationUs]);
    read(['STRLEN', 'a']);
    const seen = slow();
    // Something before this read, which it does not pay for.
    harness.engine.timing.delays.sinceMs = clock.monotonicMs();
    read(['GET', 'a']);
    expect(slow()).toEqual(seen);
    for (const command of [
      ['INCR', '{a}n'],
      ['MSET', '{a}1', '1', '{a}2', '2'],
    ]) {
      // More is pending then than a write waits for: the next one has it written first.
      read(['SET', '{a}', 'v'.repeat(JOURNAL_SOFT_BYTES)]);
      read(['GET', '{a}missing']);
      read(command);
      expect(slow().at(-1)).toEqual([command[0], 40_000]);
    }
    turn();
  });
});

describe('the threshold of slow commands', () => {
  it.each([
    [-1, 0, Infinity],
    [0, 0, 0],
    [10_000, 0, 10e6],
    [-1, 5, 5e6],
    [10_000, 5, 5e6],
    [1000, 5, 1e6],
  ])('is %i us of the slow log and %i ms of the latency monitor: %d ns', (slowUs, spikeMs, ns) => {
    const { engine } = createHarness();
    engine.config.slowlogLogSlowerThan = slowUs;
    engine.config.latencyMonitorThreshold = spikeMs;
    applyThresholds(engine);
    expect(engine.slowThresholdNs).toBe(ns);
  });

  it('is what a command or the mean of a stretch must reach for the slow log', () => {
    const { harness, send } = createWorld(40);
    harness.engine.config.slowlogLogSlowerThan = 10_000;
    applyThresholds(harness.engine);
    const slow = () => harness.engine.slowLog.entries.map((entry) => entry.arguments[0]);
    send(['SET', 'a', '1'], ['GET', 'a'], ['GET', 'a'], ['GET', 'a'], ['GET', 'a']);
    expect(slow()).toEqual([]);
    send(['SET', 'a', '1'], ['GET', 'a']);
    send(['STRLEN', 'a']);
    expect(slow().sort()).toEqual(['GET', 'STRLEN']);
  });
});

describe('a command that is answered later', () => {
  it('is counted when it is, with all the time until then', async () => {
    let nowMs = 100;
    const harness = createHarness({ flags: ['--enable-debug-command', 'yes'], monotonicMs: () => nowMs });
    let answer = (_: unknown): void => undefined;
    harness.engine.bus.handle('active-expiry', () => new Promise((resolve) => (answer = resolve)));
    harness.run('DEBUG', 'SET-ACTIVE-EXPIRE', '1');
    await new Promise(setImmediate);
    expect(countsOf(harness, 'debug').calls).toBe(0);
    nowMs += 250;
    answer(true);
    await new Promise(setImmediate);
    expect(harness.deferredReplies).toEqual(['+OK\r\n']);
    expect(countsOf(harness, 'debug')).toEqual({ calls: 1, rejected: 0, failed: 0, ns: 250e6 });
    expect(latencyOf(harness, 'debug')).toMatchObject({ count: 1, max: 250e6 });
  });

  it('has failed if the answer is an error', async () => {
    const harness = createHarness();
    harness.engine.bus.handle('config-rewrite', () => 'ERR no');
    harness.run('CONFIG', 'REWRITE');
    await new Promise(setImmediate);
    expect(countsOf(harness, 'config|rewrite')).toMatchObject({ calls: 1, failed: 1 });
  });
});

describe('the length of a turn', () => {
  it('is the time from its first read to its last write', () => {
    const { harness, read, turn } = createWorld(1);
    const turns = latenciesOf(harness.engine.timing.latencies, TURNS_HISTOGRAM);
    read(['GET', 'a'], ['GET', 'b']);
    turn();
    // Readings: the start of the turn, then two for the stretch, then the end.
    expect(readHistogram(turns)).toMatchObject({ count: 1, sum: 3e6 });
    turn();
    expect(readHistogram(turns)).toMatchObject({ count: 2, sum: 4e6, max: 3e6 });
  });
});
