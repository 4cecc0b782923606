/**
 * What has been acknowledged is there after the end of the process, whichever way it ended and with however many workers it
 * starts again.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DistcacheServer, WITHOUT_HTTP } from '../support/distcache-server.ts';
import {
  askAll,
  contents,
  createDataFolder,
  type DataFolder,
  killServer,
} from '../support/lasting-folder.ts';
import { eventually, infoField } from '../support/readings.ts';
import { openWire, type Wire } from '../support/wire.ts';

const MIB = 1024 * 1024;
const FAR_MS = 4_000_000_000_000;

let folder: DataFolder;
beforeEach(() => {
  folder = createDataFolder(WITHOUT_HTTP);
});
afterEach(() => folder.remove());

/** Changes of every kind, in all databases. */
async function change(wire: Wire, round: string): Promise<void> {
  for (let database = 0; database < 16; database += 1) {
    await wire.ask('SELECT', `${database}`);
    await askAll(wire, [
      [
        'MSET',
        ...Array.from({ length: 20 }, (_, i) => [`${round}-${i}`, `${round} ${database} ${i}`]).flat(),
      ],
      ['SET', `${round}-expiring`, 'x', 'PXAT', `${FAR_MS + database}`],
      ['SET', `${round}-number`, '41'],
      ['INCR', `${round}-number`],
      ['APPEND', `${round}-raw`, 'short, and yet raw'],
      ['DEL', `${round}-1`, `${round}-2`],
      ['RENAME', `${round}-3`, `${round}-renamed`],
      ['SETRANGE', `${round}-4`, '300', 'far out'],
      ['EXPIREAT', `${round}-5`, `${FAR_MS / 1000}`],
      ['PERSIST', `${round}-5`],
      ['PEXPIREAT', `${round}-6`, `${FAR_MS}`],
      ['SET', `${round}-gone`, 'x', 'PX', '1'],
      ['MOVE', `${round}-7`, `${(database + 1) % 16}`],
      ['COPY', `${round}-8`, `${round}-8-copy`, 'DB', `${(database + 5) % 16}`],
    ]);
  }
  await wire.ask('SELECT', '0');
  await wire.ask('SET', `${round}-large`, Buffer.alloc(MIB, round));
  await wire.ask('SWAPDB', '2', '3');
  await wire.ask('SELECT', '4');
  await wire.ask('FLUSHDB');
  await wire.ask('SET', `${round}-after`, 'the flush');
  await wire.ask('SELECT', '0');
}

/** What it holds once the keys that are to expire at once have. */
async function settled(server: DistcacheServer): Promise<string[]> {
  let found: string[] = [];
  await eventually(async () => {
    found = await contents(server.port);
    return !found.some((line) => line.includes('-gone'));
  });
  return found;
}

async function changed(server: DistcacheServer, round: string): Promise<string[]> {
  const wire = await openWire(server.port);
  await change(wire, round);
  wire.close();
  return settled(server);
}

describe('the log', () => {
  it('keeps everything through kill -9 under each appendfsync', async () => {
    const first = await folder.start();
    const wire = await openWire(first.port);
    let expected: string[] = [];
    for (const policy of ['no', 'everysec', 'always']) {
      expect(await wire.ask('CONFIG', 'SET', 'appendfsync', policy)).toBe('+OK');
      expected = await changed(first, policy);
    }
    expect(expected.length).toBeGreaterThan(700);
    wire.close();
    await killServer(first);
    const second = await folder.start();
    expect(await contents(second.port)).toEqual(expected);
  });

  it('goes on with another number of workers, through kill -9 and SIGTERM', async () => {
    let server = await folder.start(['--workers', '2']);
    let expected = await changed(server, 'start');
    for (const workers of ['4', '1', '2']) {
      if (workers === '1') expect(await server.stop()).toBe(0);
      else await killServer(server);
      server = await folder.start(['--workers', workers]);
      expect(await contents(server.port)).toEqual(expected);
      expected = await changed(server, `with-${workers}`);
    }
  });

  it('cuts the data into as many shards as there are workers once it was stopped and started', async () => {
    const first = await folder.start(['--workers', '1']);
    const expected = await changed(first, 'a');
    await first.stop();
    const second = await folder.start(['--workers', '2']);
    expect(second.output()).toContain('the data keeps its 1 shards until the next start');
    expect(await second.stop()).toBe(0);
    const third = await folder.start(['--workers', '2']);
    expect(third.output()).not.toContain('until the next start');
    expect(await contents(third.port)).toEqual(expected);
  });
});

describe('without a log', () => {
  const NO_LOG = ['--workers', '1', '--appendonly', 'no'];
  const SAVED = [...NO_LOG, '--save', '3600 1'];

  it('what stays is what was saved: at a stop by save points or by SHUTDOWN SAVE, else nothing new', async () => {
    const shutDown = async (server: DistcacheServer, how: string) => {
      const wire = await openWire(server.port);
      wire.socket.write(`SHUTDOWN ${how}\r\n`);
      expect(await server.exit).toBe(0);
    };
    let server = await folder.start(NO_LOG);
    await changed(server, 'lost');
    expect(await server.stop()).toBe(0);
    server = await folder.start(SAVED);
    expect(await contents(server.port)).toEqual([]);
    let saved = await changed(server, 'saved');
    expect(await server.stop()).toBe(0);
    server = await folder.start(NO_LOG);
    expect(await contents(server.port)).toEqual(saved);
    await changed(server, 'lost');
    await killServer(server);
    server = await folder.start(NO_LOG);
    expect(await contents(server.port)).toEqual(saved);
    saved = await changed(server, 'more');
    await shutDown(server, 'SAVE');
    server = await folder.start(SAVED);
    expect(await contents(server.port)).toEqual(saved);
    await changed(server, 'lost');
    await shutDown(server, 'NOSAVE');
    server = await folder.start(NO_LOG);
    expect(await contents(server.port)).toEqual(saved);
  });

  it('a save point that is due saves in the background', async () => {
    const first = await folder.start([...NO_LOG, '--save', '1 10']);
    const expected = await changed(first, 'a');
    const wire = await openWire(first.port);
    await eventually(async () => (await infoField(wire, 'rdb_saves')) > 0);
    await eventually(async () => (await infoField(wire, 'rdb_changes_since_last_save')) === 0);
    wire.close();
    await killServer(first);
    const second = await folder.start(NO_LOG);
    expect(await contents(second.port)).toEqual(expected);
  });

  it('a log that is there is loaded all the same', async () => {
    const first = await folder.start(['--workers', '1']);
    const expected = await changed(first, 'logged');
    await killServer(first);
    const second = await folder.start(SAVED);
    expect(await contents(second.port)).toEqual(expected);
    const saved = await changed(second, 'saved');
    expect(await second.stop()).toBe(0);
    const third = await folder.start(['--workers', '1']);
    expect(await contents(third.port)).toEqual(saved);
  });
});
