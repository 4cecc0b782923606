/**
 * The miss-ratio curve and the hot keys of the real process: what clients of different workers do comes together.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { eventually } from '../support/readings.ts';
import { openWire, type Wire } from '../support/wire.ts';

const KEYS = 200;
const ROUNDS = 5;

let server: DistcacheServer;
let wires: Wire[];
beforeAll(async () => {
  server = await startDistcache(['--workers', '2']);
  wires = [await openWire(server.port), await openWire(server.port)];
  for (const wire of wires) await wire.ask('PING');
});
afterAll(async () => {
  for (const { close } of wires) close();
  await server.stop();
});

async function missRatio(): Promise<{ references: number; now: { hitRatio: number }; sampledKeys: number }> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics.json`);
  return ((await response.json()) as { missRatio: never }).missRatio;
}

it('keys that one client writes and another reads hit, whatever memory there is', async () => {
  const [writer, reader] = wires;
  for (let key = 0; key < KEYS; key += 1) await writer.ask('SET', `key${key}`, 'value');
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let key = 0; key < KEYS; key += 1) await reader.ask('GET', `key${key}`);
  }
  await eventually(async () => (await missRatio()).references === ROUNDS * KEYS);
  expect(await missRatio()).toMatchObject({ sampledKeys: KEYS, now: { hitRatio: 1 } });
  const reply = (await reader.ask('CACHE.MRC')) as unknown[];
  expect(reply.slice(0, 2)).toEqual(['sampled-keys', `:${KEYS}`]);
  expect(reply[reply.indexOf('curve') + 1]).toHaveLength(64);
});

it('a key that clients of both workers use is told once, with the uses of both', async () => {
  for (let i = 0; i < 400; i += 1) await wires[i % 2].ask(i % 4 < 2 ? 'GET' : 'INCR', 'counter');
  const [hottest] = (await wires[0].ask('CACHE.HOTKEYS', 'COUNT', '1')) as string[][];
  const field = (name: string): string => hottest[hottest.indexOf(name) + 1];
  expect(field('key')).toBe('counter');
  // Half of the uses are reads, in turns.
  const [reads, writes] = [Number(field('reads-per-second')), Number(field('writes-per-second'))];
  expect(reads).toBeGreaterThan(0);
  expect(writes / reads).toBeGreaterThan(0.8);
  expect(writes / reads).toBeLessThan(1.25);
});
