/** What commands tell of the keys that they use: for the miss-ratio curve, and for the hot keys. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyLiveConfig } from '../../src/commands/server-topics.ts';
import { applyDirectives } from '../../src/config/config.ts';
import {
  DATABASE_EMPTIED,
  drainAccesses,
  droppedAccesses,
  THRESHOLD,
} from '../../src/metrics/access-ring.ts';
import { readHotKeyCounts } from '../../src/metrics/hot-keys.ts';
import {
  type Access,
  createAccess,
  NO_REFERENCE,
  POINTS,
  READ_HIT,
  READ_MISS,
} from '../../src/metrics/miss-ratio.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let harness: Harness;
beforeEach(() => {
  harness = createHarness();
  harness.engine.sampling.control[THRESHOLD] = POINTS;
});
afterEach(() => harness.expectWhole());

/** What was told since the last call. */
function told(): Access[] {
  const access = createAccess();
  const accesses: Access[] = [];
  drainAccesses([harness.engine.sampling.ring], access, () => void accesses.push({ ...access }));
  return accesses;
}

/** Runs a command and returns the references that it told, each with whether the key is there afterwards. */
function toldBy(...command: string[]): [reference: number, isThere: boolean][] {
  told();
  harness.run(...command);
  return told().map(({ reference, bytes }) => [reference, bytes > 0]);
}

const WRITTEN: [number, boolean] = [NO_REFERENCE, true];
const GONE: [number, boolean] = [NO_REFERENCE, false];
const HIT: [number, boolean] = [READ_HIT, true];
const MISSED: [number, boolean] = [READ_MISS, false];

describe('a sampled key', () => {
  it.each([
    [['SET', 'new', 'v'], [WRITTEN]],
    [['GET', 'a'], [HIT]],
    [['GET', 'none'], [MISSED]],
    [['DEL', 'a'], [GONE]],
    [['GETDEL', 'a'], [[READ_HIT, false]]],
    [['SET', 'a', 'w', 'GET'], [HIT]],
    [['SET', 'none', 'w', 'GET'], [[READ_MISS, true]]],
    [['APPEND', 'a', 'w'], [WRITTEN]],
    [['SETNX', 'a', 'w'], [WRITTEN]],
    [['EXPIRE', 'none', '9'], [GONE]],
    [
      ['MGET', 'a', 'none', 'b'],
      [HIT, MISSED, HIT],
    ],
    [
      ['MSET', 'a', '1', 'c', '2'],
      [WRITTEN, WRITTEN],
    ],
    [
      ['UNLINK', 'a', 'b', 'none'],
      [GONE, GONE, GONE],
    ],
    [
      ['EXISTS', 'a', 'none'],
      [HIT, MISSED],
    ],
    [
      ['RENAME', 'a', 'c'],
      [GONE, WRITTEN],
    ],
    [
      ['COPY', 'a', 'c'],
      [WRITTEN, WRITTEN],
    ],
    [['PING'], []],
    [['GET', 'a', 'b'], []],
  ] as [string[], [number, boolean][]][])('%j is told as what it was', (command, expected) => {
    harness.run('MSET', 'a', '1', 'b', '2');
    expect(toldBy(...command)).toEqual(expected);
  });

  it('is the same whatever command uses it, and another in another database', () => {
    harness.run('SET', 'a', '1');
    harness.run('GET', 'a');
    harness.run('MGET', 'a');
    harness.run('SELECT', '1');
    harness.run('GET', 'a');
    const [set, get, mget, other] = told();
    for (const access of [get, mget]) expect([access.low, access.high]).toEqual([set.low, set.high]);
    expect([other.low, other.high]).not.toEqual([set.low, set.high]);
    expect([set.point >> 16, set.database, other.database]).toEqual([other.point >> 16, 0, 1]);
  });

  it('is told with what the shard charges for it, its deadline and the time', () => {
    harness.run('SET', 'a', 'x'.repeat(100), 'PXAT', String(harness.nowMs + 50));
    const [{ bytes, deadlineMs, atMs }] = told();
    expect([deadlineMs, atMs]).toEqual([harness.nowMs + 50, harness.nowMs]);
    expect(bytes).toBe(144);
    harness.nowMs += 51;
    expect(toldBy('GET', 'a')).toEqual([MISSED]);
  });

  it('is told of its database when that is emptied or exchanged', () => {
    harness.run('FLUSHDB');
    harness.run('SWAPDB', '2', '5');
    expect(told().map(({ reference, database }) => [reference, database])).toEqual([
      [DATABASE_EMPTIED, 0],
      [DATABASE_EMPTIED, 2],
      [DATABASE_EMPTIED, 5],
    ]);
    harness.run('FLUSHALL');
    expect(told()).toHaveLength(16);
  });
});

describe('the threshold', () => {
  it('lets through exactly the keys whose points are below it', () => {
    const names = Array.from({ length: 500 }, (_, index) => `key${index}`);
    for (const name of names) harness.run('SET', name, '1');
    const all = told();
    harness.engine.sampling.control[THRESHOLD] = POINTS / 3;
    for (const name of names) harness.run('GET', name);
    for (let at = 0; at < names.length; at += 50) harness.run('MGET', ...names.slice(at, at + 50));
    const below = all.filter(({ point }) => point < POINTS / 3).map(({ low }) => low);
    expect(below.length).toBeGreaterThan(120);
    expect(told().map(({ low }) => low)).toEqual([...below, ...below]);
  });

  it('may part the keys of one slot', () => {
    harness.run('SET', 'a', '1');
    const [{ point }] = told();
    const { control } = harness.engine.sampling;
    for (const [threshold, count] of [
      [point, 0],
      [point + 1, 2],
    ]) {
      control[THRESHOLD] = threshold;
      harness.run('GET', 'a');
      harness.run('MGET', 'a');
      expect(told()).toHaveLength(count);
    }
  });

  it('of nothing tells nothing', () => {
    harness.engine.sampling.control[THRESHOLD] = 0;
    harness.run('MSET', 'a', '1', 'b', '2');
    harness.run('GET', 'a');
    harness.run('FLUSHALL');
    expect(told()).toEqual([]);
  });
});

it('commands go on when nobody takes what is told', () => {
  for (let i = 0; i < 5000; i += 1) harness.run('SET', 'a', '1');
  expect(harness.run('GET', 'a')).toBe('$1\r\n1\r\n');
  expect(told()).toHaveLength(4096);
  expect(droppedAccesses(harness.engine.sampling.ring)).toBe(905);
});

describe('the hot keys', () => {
  it('count every use while the load is light, reads and writes apart', () => {
    harness.run('SET', 'a', '1');
    for (let i = 0; i < 3; i += 1) harness.run('GET', 'a');
    harness.run('MGET', 'a', 'b', 'a');
    harness.run('SELECT', '1');
    harness.run('MSET', 'a', '1', 'b', '2');
    harness.run('PING');
    const { keys } = readHotKeyCounts(harness.engine.sampling.hotKeys, harness.nowMs + 500);
    const seen = keys.map(({ database, key, readsPerSecond, writesPerSecond }) => [
      ...[database, key, readsPerSecond / 2, writesPerSecond / 2],
    ]);
    expect(seen).toEqual([
      [0, 'a', 5, 1],
      [0, 'b', 1, 0],
      [1, 'a', 0, 1],
      [1, 'b', 0, 1],
    ]);
  });

  it('count nothing while they are switched off', () => {
    harness = createHarness({ flags: ['--hot-key-sampling', 'no'] });
    for (let i = 0; i < 10; i += 1) harness.run('GET', 'a');
    expect(harness.engine.sampling.hotKeys.samples).toBe(0);
  });

  it('are counted from the moment on at which they are switched on', () => {
    harness = createHarness({ flags: ['--hot-key-sampling', 'no'] });
    harness.run('GET', 'a');
    applyDirectives(harness.engine.config, [['hot-key-sampling', 'yes']]);
    applyLiveConfig(harness.engine);
    harness.run('GET', 'a');
    expect(harness.engine.sampling.hotKeys.samples).toBe(1);
  });
});
