/** The load generators and what disturbs servers beside them, against a server of ours: what is sent arrives. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../../bench/support/client.ts';
import { withLargeValues } from '../../bench/support/large-values.ts';
import { fillServer, withLoad } from '../../bench/support/load-generator.ts';
import { createMassExpiry, withMassExpiry } from '../../bench/support/mass-expiry.ts';
import { withOpenLoop } from '../../bench/support/open-loop-process.ts';
import { ourPeer, withPeer } from '../../bench/support/peers.ts';
import { infoNumber } from '../../bench/support/server-text.ts';

const KEYS = 1000;
let port = 0;
let release: () => void = () => undefined;
let released: Promise<void> = Promise.resolve();

/** One server, with all keys, for every test. */
beforeAll(async () => {
  await new Promise<void>((resolve, reject) => {
    released = withPeer(ourPeer(['--workers', '1']), async (running) => {
      port = running.port;
      await fillServer('resp', port, KEYS, 64);
      resolve();
      await new Promise<void>((end) => {
        release = end;
      });
    });
    released.catch(reject);
  });
});

afterAll(async () => {
  release();
  await released.catch(() => undefined);
});

function planOf(keys: number) {
  return {
    ...({ protocol: 'resp', port, keys, valueBytes: 64, threads: 2, connections: 5, pipeline: 7 } as const),
    ...{ skew: 0.99, isInOrder: false },
    mix: [
      { command: 'GET', share: 0.5 },
      { command: 'SET', share: 0.5 },
    ] as const,
  };
}

/** Keys but for those of the benchmark. */
async function keysBesides(): Promise<number> {
  return Number(await ask(port, 'DBSIZE')) - KEYS;
}

async function stat(name: string): Promise<number> {
  return infoNumber(await ask(port, 'INFO', 'stats'), name);
}

test('a filled server has every key once', async () => {
  expect(await ask(port, 'DBSIZE')).toBe(String(KEYS));
  expect(await ask(port, 'STRLEN', 'key:000000000000')).toBe('64');
  expect(await ask(port, 'STRLEN', 'key:000000000999')).toBe('64');
});

test('a closed loop of several threads sends as many requests as it was asked for, and its reads hit', async () => {
  const missesBefore = await stat('keyspace_misses');
  await withLoad(planOf(KEYS), async (runLoad) => {
    for (const requests of [1, 5_003]) {
      const before = await stat('total_commands_processed');
      expect((await runLoad({ seconds: 0, requests })).requests).toBe(requests);
      const sent = (await stat('total_commands_processed')) - before;
      expect(sent).toBeGreaterThanOrEqual(requests);
      expect(sent).toBeLessThanOrEqual(requests + 2);
    }
  });
  expect(await stat('keyspace_misses')).toBe(missesBefore);
});

test('a read that misses ends the run', async () => {
  const run = withLoad(planOf(1000 * KEYS), (runLoad) => runLoad({ seconds: 0, requests: 1000 }));
  await expect(run).rejects.toThrow('the load generator has ended');
});

test('values of a megabyte pass until what is measured is done', async () => {
  const untilFourth = async (): Promise<void> => {
    while ((await ask(port, 'STRLEN', 'large:3')) === '0');
  };
  const { valuesPerSecond } = await withLargeValues(port, untilFourth);
  expect(valuesPerSecond).toBeGreaterThan(0);
  expect(await ask(port, 'STRLEN', 'large:3')).toBe(String(2 ** 20));
});

test('very many keys fall due after what is measured began, and are gone when it is over', async () => {
  const before = await keysBesides();
  const expiry = createMassExpiry(port, 500, 1000);
  const untilAllGone = async (): Promise<number> => {
    const held = (await keysBesides()) - before;
    while ((await keysBesides()) > before);
    return held;
  };
  const { result, shareGone } = await withMassExpiry(expiry, untilAllGone);
  expect(result).toBe(500);
  expect(shareGone).toBe(1);
});

test('keys that fell due while they were written are written again', async () => {
  const expiry = createMassExpiry(port, 500, 300);
  expiry.loadMs = -10_000;
  const { shareGone } = await withMassExpiry(expiry, () => Promise.resolve());
  expect(shareGone).toBe(0);
  expect(expiry.loadMs).toBeGreaterThanOrEqual(0);
});

test('an open loop sends what is due, and makes new keys where the index is to grow', async () => {
  await ask(port, 'FLUSHALL');
  await fillServer('resp', port, KEYS, 64);
  const plan = { port, connections: 3, keys: KEYS, valueBytes: 64 };
  const load = { ratePerSecond: 5000, seconds: 0.2, setOneIn: 2 };
  await withOpenLoop(plan, 'none', async ({ precedence, runLoad }) => {
    expect(precedence).toBe('none');
    expect(await runLoad({ ...load, isGrowing: false })).toMatchObject({ requests: 1000 });
    expect(await ask(port, 'DBSIZE')).toBe(String(KEYS));
    const { sets } = await runLoad({ ...load, isGrowing: true });
    expect(sets).toBeGreaterThan(400);
    expect(await ask(port, 'DBSIZE')).toBe(String(KEYS + sets));
  });
});
