/** Tests of the slow commands that a thread remembers. */
import { expect, it } from 'vitest';
import { SLOW_LOG_ENTRIES_MAX } from '../../src/config/limits.ts';
import {
  clearSlow,
  countSlow,
  createSlowLog,
  createSlowLogIds,
  newestSlow,
  pushSlow,
  type SlowLog,
} from '../../src/metrics/slow-log.ts';

const ENTRY = { atMs: 1, durationUs: 2, arguments: ['get', 'k'], client: '1.2.3.4:5', clientName: '' };

const idsOf = (log: SlowLog, count: number) => newestSlow(log, count).map(({ id }) => id);

it('remembers the newest, at most as many as it is told', () => {
  const log = createSlowLog(createSlowLogIds());
  for (let index = 0; index < 10; index += 1) pushSlow(log, { ...ENTRY, durationUs: index }, 4);
  expect(countSlow(log)).toBe(4);
  expect(idsOf(log, Infinity)).toEqual([6, 7, 8, 9]);
  expect(idsOf(log, 2)).toEqual([8, 9]);
  expect(idsOf(log, 0)).toEqual([]);
  expect(newestSlow(log, 1)).toEqual([{ ...ENTRY, id: 9, durationUs: 9 }]);
});

it('forgets what is too much when the bound falls, and grows when it rises', () => {
  const log = createSlowLog(createSlowLogIds());
  for (let index = 0; index < 8; index += 1) pushSlow(log, ENTRY, 8);
  pushSlow(log, ENTRY, 3);
  expect(idsOf(log, Infinity)).toEqual([6, 7, 8]);
  for (let index = 0; index < 3; index += 1) pushSlow(log, ENTRY, 5);
  expect(idsOf(log, Infinity)).toEqual([7, 8, 9, 10, 11]);
});

it('holds the objects of no more than twice what it remembers', () => {
  const log = createSlowLog(createSlowLogIds());
  let most = 0;
  for (let index = 0; index < 1000; index += 1) {
    pushSlow(log, ENTRY, 16);
    most = Math.max(most, log.entries.length);
  }
  expect(most).toBeLessThanOrEqual(32);
  expect(countSlow(log)).toBe(16);
});

it('remembers nothing when it may not, and still counts on', () => {
  const log = createSlowLog(createSlowLogIds());
  pushSlow(log, ENTRY, 0);
  expect(countSlow(log)).toBe(0);
  pushSlow(log, ENTRY, 1);
  expect(idsOf(log, Infinity)).toEqual([1]);
});

it('numbers the entries of all threads in the order in which they come', () => {
  const ids = createSlowLogIds();
  const logs = [createSlowLog(ids), createSlowLog(ids)];
  for (const index of [0, 1, 1, 0]) pushSlow(logs[index], ENTRY, 8);
  expect(logs.map((log) => idsOf(log, 8))).toEqual([
    [0, 3],
    [1, 2],
  ]);
});

it('goes on with the numbers after it was cleared', () => {
  const log = createSlowLog(createSlowLogIds());
  for (let index = 0; index < 3; index += 1) pushSlow(log, ENTRY, 2);
  clearSlow(log);
  expect(countSlow(log)).toBe(0);
  pushSlow(log, ENTRY, 2);
  expect(idsOf(log, 2)).toEqual([3]);
});

it('is bounded whatever it is told', () => {
  const log = createSlowLog(createSlowLogIds());
  log.entries = new Array(SLOW_LOG_ENTRIES_MAX).fill({ ...ENTRY, id: 0 });
  pushSlow(log, ENTRY, 2 ** 53);
  expect(countSlow(log)).toBe(SLOW_LOG_ENTRIES_MAX);
});
