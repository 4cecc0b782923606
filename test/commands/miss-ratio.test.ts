/** CACHE.MRC and main's watch over the sampled keys, from the commands to the reply. */
import { expect, it } from 'vitest';
import {
  type MissRatioWatch,
  missRatioReading,
  tickMissRatio,
  watchMissRatio,
} from '../../src/commands/miss-ratio.ts';
import { applyDirectives } from '../../src/config/config.ts';
import { ACCESS_TICK_MS } from '../../src/config/limits.ts';
import { THRESHOLD } from '../../src/metrics/access-ring.ts';
import { POINTS } from '../../src/metrics/miss-ratio.ts';
import { createHarness, type Harness } from '../support/harness.ts';

type Watched = { readonly harness: Harness; readonly watch: MissRatioWatch; readonly tick: () => void };

/** One thread that executes and main in one. The first tick begins the sampling. */
function createWatched(): Watched {
  const harness = createHarness({ flags: ['--maxmemory', '16mb'] });
  const { engine } = harness;
  const watch = watchMissRatio(engine, engine.sampling.control.buffer as SharedArrayBuffer);
  const tick = (): void => {
    harness.nowMs += ACCESS_TICK_MS;
    tickMissRatio(watch);
  };
  tick();
  return { harness, watch, tick };
}

it('follows reads from the command to the prediction, sampled or not', () => {
  const { harness, watch, tick } = createWatched();
  harness.run('SET', 'a', '1');
  for (let i = 0; i < 3; i += 1) harness.run('GET', 'a');
  harness.run('GET', 'none');
  tick();
  const reading = missRatioReading(watch);
  expect(reading).toMatchObject({
    sampledKeys: 1,
    rate: 1,
    references: 4,
    sampledReferences: 4,
    hitRatio: 0.75,
  });
  expect(reading.half).toEqual({ bytes: 8 * 2 ** 20, hitRatio: 0.75, missRatio: 0.25 });
  expect(reading.curve).toHaveLength(64);
});

it('takes the memory limit from the configuration as it is, and counts the index', () => {
  const { harness, watch, tick } = createWatched();
  harness.run('SET', 'a', '1');
  applyDirectives(harness.engine.config, [['maxmemory', String(12 * 2 ** 20)]]);
  tick();
  expect(missRatioReading(watch).now.bytes).toBe(12 * 2 ** 20);
  // The only key bears the whole of the smallest index.
  expect(watch.ratio.overheadBytes).toBeGreaterThan(1000);
});

it('forgets the keys of an emptied database', () => {
  const { harness, watch, tick } = createWatched();
  harness.run('SET', 'a', '1');
  tick();
  expect(watch.ratio.stack.count).toBe(1);
  harness.run('FLUSHALL');
  tick();
  expect(watch.ratio.stack.count).toBe(0);
});

it('goes on after CONFIG RESETSTAT, from which no negative counts come', () => {
  const { harness, watch, tick } = createWatched();
  for (let i = 0; i < 5; i += 1) harness.run('GET', 'none');
  tick();
  harness.engine.counters.fill(0);
  tick();
  harness.run('GET', 'none');
  tick();
  expect(missRatioReading(watch).references).toBe(6);
});

it('stops and forgets when it is switched off, and begins anew when it is switched on', () => {
  const { harness, watch, tick } = createWatched();
  harness.run('SET', 'a', '1');
  harness.run('GET', 'a');
  tick();
  applyDirectives(harness.engine.config, [['miss-ratio-sampling', 'no']]);
  tick();
  expect(harness.engine.sampling.control[THRESHOLD]).toBe(0);
  harness.run('GET', 'a');
  tick();
  expect(missRatioReading(watch)).toMatchObject({
    sampledKeys: 0,
    rate: 0,
    references: 0,
    hitRatio: null,
    curve: [],
  });
  applyDirectives(harness.engine.config, [['miss-ratio-sampling', 'yes']]);
  tick();
  expect(harness.engine.sampling.control[THRESHOLD]).toBe(POINTS);
  harness.run('SET', 'a', '1');
  harness.run('GET', 'a');
  tick();
  expect(missRatioReading(watch).now.hitRatio).toBe(1);
});

it('samples fewer keys under a load beyond the budget, also of what found no place', () => {
  const { harness, watch, tick } = createWatched();
  const names = Array.from({ length: 1000 }, (_, index) => `key${index}`);
  for (let i = 0; i < 20; i += 1) harness.run('MGET', ...names);
  tick();
  // 200,000 uses a second, of which only the first four thousand found a place.
  expect(missRatioReading(watch).rate).toBeLessThan(0.3);
  expect(harness.engine.sampling.control[THRESHOLD]).toBe(watch.ratio.threshold);
});

it('answers CACHE.MRC by way of main, as a map', async () => {
  const { harness, tick } = createWatched();
  const ask = async (): Promise<string> => {
    expect(harness.run('CACHE.MRC')).toBe('');
    await new Promise(setImmediate);
    return harness.deferredReplies.pop() ?? '';
  };
  expect(await ask()).toBe(
    '*18\r\n$12\r\nsampled-keys\r\n:0\r\n$4\r\nrate\r\n$1\r\n1\r\n$10\r\nreferences\r\n:0\r\n$18\r\nsampled-references\r\n:0\r\n' +
      '$9\r\nhit-ratio\r\n$-1\r\n' +
      `$4\r\nhalf\r\n*6\r\n$5\r\nbytes\r\n:${8 * 2 ** 20}\r\n$9\r\nhit-ratio\r\n$-1\r\n$10\r\nmiss-ratio\r\n$-1\r\n` +
      `$3\r\nnow\r\n*6\r\n$5\r\nbytes\r\n:${16 * 2 ** 20}\r\n$9\r\nhit-ratio\r\n$-1\r\n$10\r\nmiss-ratio\r\n$-1\r\n` +
      `$6\r\ndouble\r\n*6\r\n$5\r\nbytes\r\n:${32 * 2 ** 20}\r\n$9\r\nhit-ratio\r\n$-1\r\n$10\r\nmiss-ratio\r\n$-1\r\n` +
      '$5\r\ncurve\r\n*0\r\n',
  );
  harness.run('SET', 'a', '1');
  harness.run('GET', 'a');
  tick();
  harness.run('HELLO', '3');
  expect(await ask()).toMatch(/^%9\r\n.*hit-ratio\r\n,1\r\n.*\$5\r\ncurve\r\n\*64\r\n%3\r\n/s);
  expect(harness.run('CACHE.MRC', 'x')).toBe('-ERR syntax error\r\n');
  expect(harness.run('CACHE.MRC', 'HELP')).toContain('CACHE.MRC <subcommand>');
});
