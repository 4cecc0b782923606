/** Tests of the columns behind the charts: their order, their length, their gaps. */
import { describe, expect, test } from 'vitest';
import {
  columnOf,
  commandNames,
  createHistory,
  HISTORY_SAMPLES_MAX,
  pushSample,
  replaceHistory,
} from '../../../src/admin/dashboard/history.js';

function sample(second: number, numbers: Record<string, unknown> = {}) {
  return { t: second * 1000, commands: {}, opsPerSecond: second, ...numbers };
}

function filled(...samples: ReturnType<typeof sample>[]) {
  const history = createHistory();
  replaceHistory(history, samples);
  return history;
}

describe('the history', () => {
  test('names numbers inside a record by their path', () => {
    const history = filled(sample(1, { latencyUs: { p99: 7 }, commands: { get: 3 } }));
    expect(columnOf(history, 'latencyUs.p99')).toEqual([7]);
    expect(columnOf(history, 'commands.get')).toEqual([3]);
    expect(history.times).toEqual([1]);
  });

  test('has null where a sample lacks a number, before and after', () => {
    const history = filled(
      sample(1),
      sample(2, { commands: { get: 5 } }),
      sample(3, { commands: { set: 1 } }),
    );
    expect(columnOf(history, 'commands.get')).toEqual([null, 5, null]);
    expect(columnOf(history, 'commands.set')).toEqual([null, null, 1]);
    expect(columnOf(history, 'nothing')).toEqual([null, null, null]);
  });

  test('takes a sample once, however often and by whichever route it comes', () => {
    const history = filled(sample(1), sample(2));
    pushSample(history, sample(2));
    pushSample(history, { ...sample(2), t: 2004 });
    pushSample(history, sample(1));
    expect(history.times).toEqual([1, 2]);
  });

  test('shows a time without the server as one empty row, and a late sample not', () => {
    const history = filled(sample(1), sample(3), sample(10));
    expect(history.times).toEqual([1, 3, 4, 10]);
    expect(columnOf(history, 'opsPerSecond')).toEqual([1, 3, null, 10]);
  });

  test('forgets what is older than fifteen minutes, and commands that only that had', () => {
    const history = filled(sample(1, { commands: { rare: 1 } }));
    for (let second = 2; second <= HISTORY_SAMPLES_MAX + 5; second++) pushSample(history, sample(second));
    expect(history.times.length).toBe(HISTORY_SAMPLES_MAX);
    expect(history.times[0]).toBe(6);
    expect(columnOf(history, 'opsPerSecond')[0]).toBe(6);
    expect(commandNames(history)).toEqual([]);
  });

  test('goes on where the clock of the server was set back', () => {
    const history = filled(sample(100), sample(101));
    pushSample(history, sample(41));
    pushSample(history, sample(42));
    expect(history.times).toEqual([39, 40, 41, 42]);
    expect(columnOf(history, 'opsPerSecond')).toEqual([100, 101, 41, 42]);
  });

  test('starts over with what the server kept', () => {
    const history = filled(sample(1, { commands: { get: 1 } }));
    replaceHistory(history, [sample(50), sample(51)]);
    expect(history.times).toEqual([50, 51]);
    expect(commandNames(history)).toEqual([]);
    expect(history.last?.t).toBe(51_000);
  });

  test('names the commands in the order in which they came, the others last', () => {
    const history = filled(
      sample(1, { commands: { other: 1, set: 1 } }),
      sample(2, { commands: { get: 1 } }),
    );
    expect(commandNames(history)).toEqual(['set', 'get', 'other']);
  });
});
