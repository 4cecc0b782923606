/** CACHE.HOTKEYS, and how what several threads have counted becomes one list. */
import { expect, it } from 'vitest';
import { installHotKeys, readHotKeys } from '../../src/commands/hot-keys.ts';
import type { HotKeyCount, HotKeyCounts } from '../../src/metrics/hot-keys.ts';
import { createHarness, type Harness } from '../support/harness.ts';

function createHotHarness(): Harness {
  const harness = createHarness();
  installHotKeys(harness.engine);
  return harness;
}

async function reply(harness: Harness, ...command: string[]): Promise<string> {
  expect(harness.run(...command)).toBe('');
  await new Promise(setImmediate);
  return harness.deferredReplies.pop() ?? '';
}

function count(
  key: string,
  readsPerSecond: number,
  writesPerSecond: number,
  errorPerSecond = 0,
): HotKeyCount {
  return { database: 0, key, keyBytes: key.length, readsPerSecond, writesPerSecond, errorPerSecond };
}

it('tells the keys that are used most, with rates, share and error', async () => {
  const harness = createHotHarness();
  harness.run('SET', 'a', '1');
  for (let i = 0; i < 3; i += 1) harness.run('GET', 'b');
  harness.nowMs += 500;
  expect(await reply(harness, 'CACHE.HOTKEYS', 'COUNT', '1')).toBe(
    '*1\r\n*12\r\n$3\r\nkey\r\n$1\r\nb\r\n$8\r\ndatabase\r\n:0\r\n$16\r\nreads-per-second\r\n$1\r\n6\r\n' +
      '$17\r\nwrites-per-second\r\n$1\r\n0\r\n$5\r\nshare\r\n$4\r\n0.75\r\n$5\r\nerror\r\n$1\r\n0\r\n',
  );
  harness.run('HELLO', '3');
  expect(await reply(harness, 'CACHE.HOTKEYS')).toMatch(/^\*2\r\n%6\r\n\$3\r\nkey\r\n\$1\r\nb\r\n/);
});

it('tells bytes as they are, and marks what it has cut', async () => {
  const harness = createHotHarness();
  harness.run('GET', Buffer.from([0xff, 0, 10]));
  harness.run('GET', 'x'.repeat(300));
  harness.nowMs += 500;
  const text = await reply(harness, 'CACHE.HOTKEYS');
  expect(text).toContain('$3\r\n\xff\0\n\r\n');
  expect(text).toContain(`$259\r\n${'x'.repeat(256)}...\r\n`);
});

it('refuses other words and counts, and explains itself', () => {
  const harness = createHotHarness();
  for (const words of [['COUNT'], ['5'], ['COUNT', '1', 'x']]) {
    expect(harness.run('CACHE.HOTKEYS', ...words)).toBe('-ERR syntax error\r\n');
  }
  expect(harness.run('CACHE.HOTKEYS', 'COUNT', 'x')).toBe('-ERR value is not an integer or out of range\r\n');
  expect(harness.run('CACHE.HOTKEYS', 'COUNT', '0')).toBe('-ERR COUNT must be > 0\r\n');
  expect(harness.run('CACHE.HOTKEYS', 'HELP')).toContain('CACHE.HOTKEYS <subcommand>');
});

it('adds up threads; one without a counter for a key may have missed as much as its lowest counter holds', async () => {
  const harness = createHarness();
  const threads: HotKeyCounts[] = [
    { keys: [count('a', 50, 10), count('b', 20, 0, 5)], accessesPerSecond: 100, missingPerSecond: 4 },
    { keys: [count('a', 30, 0, 2), count('c', 1, 0, 9)], accessesPerSecond: 100, missingPerSecond: 10 },
  ];
  const engine = {
    ...harness.engine,
    bus: { ...harness.engine.bus, requestAll: async () => threads },
  };
  const hotKeys = await readHotKeys(engine, 10);
  // c cannot be told from keys that are used now and then.
  expect(hotKeys.map(({ key }) => key)).toEqual(['a', 'b']);
  expect(hotKeys[0]).toEqual({
    ...{ database: 0, key: 'a', keyBytes: 1, readsPerSecond: 80, writesPerSecond: 10 },
    ...{ share: 0.45, error: 0.01 },
  });
  expect(hotKeys[1]).toMatchObject({ share: 0.1, error: 0.075 });
  expect(await readHotKeys(engine, 1)).toHaveLength(1);
});
