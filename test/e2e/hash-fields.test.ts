/** Fields of hashes that expire, on a real server: through kill -9, out of the log and out of a snapshot, and told of when their time comes. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WITHOUT_HTTP } from '../support/distcache-server.ts';
import { askAll, createDataFolder, type DataFolder, killServer } from '../support/lasting-folder.ts';
import { eventually, infoField } from '../support/readings.ts';
import { openWire, type Wire } from '../support/wire.ts';

const LARGE_FIELDS = 5000;
const FAR_MS = 4_000_000_000_000;

let folder: DataFolder;
beforeEach(() => {
  folder = createDataFolder(WITHOUT_HTTP);
});
afterEach(() => folder.remove());

/** A small hash and a large one, of which some fields expire far away and some at once. */
async function fill(wire: Wire, round: string, soonMs: number): Promise<void> {
  const fields = Array.from({ length: LARGE_FIELDS }, (_, i) => `field:${i}`);
  const pairs = (from: number) => fields.slice(from, from + 500).flatMap((field) => [field, 'value']);
  for (let from = 0; from < LARGE_FIELDS; from += 500)
    await wire.ask('HSET', `${round}:large`, ...pairs(from));
  const far = fields.filter((_, i) => i % 5 === 0);
  const soon = fields.filter((_, i) => i % 5 === 1);
  const count = String(far.length);
  await askAll(wire, [
    ['HSET', `${round}:small`, 'a', '1', 'b', '2', 'c', '3', 'd', '4'],
    ['HPEXPIREAT', `${round}:small`, `${FAR_MS}`, 'FIELDS', '2', 'a', 'b'],
    ['HINCRBY', `${round}:small`, 'a', '1'],
    ['HSETEX', `${round}:small`, 'PXAT', `${soonMs}`, 'FIELDS', '1', 'soon', 'x'],
    ['HPERSIST', `${round}:small`, 'FIELDS', '1', 'b'],
    ['HPEXPIREAT', `${round}:large`, `${FAR_MS + 1}`, 'FIELDS', count, ...far],
    ['HPEXPIREAT', `${round}:large`, `${soonMs}`, 'FIELDS', count, ...soon],
  ]);
}

async function expectFilled(wire: Wire, round: string): Promise<void> {
  expect(await wire.ask('HMGET', `${round}:small`, 'a', 'b', 'soon')).toEqual(['2', '2', null]);
  expect(await wire.ask('HPEXPIRETIME', `${round}:small`, 'FIELDS', '3', 'a', 'b', 'soon')).toEqual([
    `:${FAR_MS}`,
    ':-1',
    ':-2',
  ]);
  const times = await wire.ask(
    'HPEXPIRETIME',
    `${round}:large`,
    'FIELDS',
    '3',
    'field:0',
    'field:1',
    'field:2',
  );
  expect(times).toEqual([`:${FAR_MS + 1}`, ':-2', ':-1']);
  const left = (await wire.ask('HKEYS', `${round}:large`)) as string[];
  expect(left).toHaveLength((LARGE_FIELDS / 5) * 4);
  // Those that nobody has asked for go as well.
  await eventually(async () => (await wire.ask('HLEN', `${round}:large`)) === `:${(LARGE_FIELDS / 5) * 4}`);
}

describe('fields that expire', () => {
  it('are as they were after kill -9, from the log and from a snapshot, or gone if their time has come', async () => {
    const first = await folder.start(['--workers', '2', '--appendonly', 'yes']);
    const wire = await openWire(first.port);
    const soonMs = Date.now() + 2500;
    await fill(wire, 'saved', soonMs);
    expect(await wire.ask('BGSAVE')).toMatch(/^\+Background saving/);
    await eventually(async () => (await infoField(wire, 'rdb_bgsave_in_progress')) === 0);
    await fill(wire, 'logged', soonMs);
    wire.close();
    await killServer(first);
    const second = await folder.start(['--workers', '2', '--appendonly', 'yes']);
    const again = await openWire(second.port);
    await eventually(async () => Date.now() > soonMs);
    await expectFilled(again, 'saved');
    await expectFilled(again, 'logged');
    expect(await again.ask('OBJECT', 'ENCODING', 'saved:small')).toBe('listpackex');
    again.close();
    expect(await second.stop()).toBe(0);
    const third = await folder.start(['--workers', '1', '--appendonly', 'yes']);
    const last = await openWire(third.port);
    await expectFilled(last, 'saved');
    await expectFilled(last, 'logged');
    last.close();
  });

  it('are told of when they go by themselves, with the hash if they were its last', async () => {
    const server = await folder.start(['--notify-keyspace-events', 'KEA']);
    const listener = await openWire(server.port);
    const wire = await openWire(server.port);
    expect(await listener.ask('PSUBSCRIBE', '__keyevent@0__:*')).toEqual(expect.anything());
    await wire.ask('HSETEX', 'h', 'PX', '30', 'FIELDS', '1', 'a', '1');
    const events: string[] = [];
    while (events.at(-1) !== 'del') {
      const message = (await listener.reply()) as readonly unknown[];
      events.push(String(message[2]).slice('__keyevent@0__:'.length));
      expect(String(message[3])).toBe('h');
    }
    expect(events).toEqual(['hset', 'hexpire', 'hexpired', 'del']);
    expect(await wire.ask('EXISTS', 'h')).toBe(':0');
    expect(await infoField(wire, 'expired_subkeys')).toBe(1);
    wire.close();
    listener.close();
  });
});
