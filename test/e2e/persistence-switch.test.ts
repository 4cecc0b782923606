/**
 * The log is turned off and on, loses its writer, and is stopped, all under load: what was acknowledged under it is there.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SEGMENT_HEADER_BYTES } from '../../src/durability/log-format.ts';
import { type DistcacheServer, STOPPED_IN_TIME, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { createDataFolder, type DataFolder, killServer } from '../support/lasting-folder.ts';
import { eventually } from '../support/readings.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire } from '../support/wire.ts';

const BATCH = 20;

let folder: DataFolder;
beforeEach(() => {
  folder = createDataFolder(WITHOUT_HTTP);
});
afterEach(() => folder.remove());

/** One client that counts a key of its own up, in batches; `last` is what was acknowledged. */
async function countUp(port: number, key: string) {
  const wire = await openWire(port);
  const load = { key, last: 0, refused: new Set<string>() };
  const requests = Buffer.concat(Array.from({ length: BATCH }, () => requestBytes('INCR', key)));
  const run = async () => {
    for (;;) {
      wire.socket.write(requests);
      for (let i = 0; i < BATCH; i += 1) {
        const reply = String(await wire.reply());
        if (reply.startsWith(':')) load.last = Number(reply.slice(1));
        else load.refused.add(reply);
      }
    }
  };
  // Until the server ends, or its worker.
  return { load, done: run().catch(wire.close) };
}

type Count = Awaited<ReturnType<typeof countUp>>;

async function countAll(server: DistcacheServer, keys = ['a', 'b', 'c', 'd', 'e', 'f']): Promise<Count[]> {
  const counts: Count[] = [];
  for (const key of keys) counts.push(await countUp(server.port, key));
  await eventually(() => counts.every(({ load }) => load.last > 200));
  return counts;
}

async function goesOn(counts: readonly Count[]): Promise<void> {
  const lasts = counts.map(({ load }) => load.last);
  await eventually(() => counts.every(({ load }, i) => load.last > lasts[i] + 200));
}

function lastSegment(path: string): { sequence: number; bytes: number } {
  const [name] = readdirSync(path).toSorted().reverse();
  return { sequence: Number(/\d+/.exec(name)), bytes: statSync(join(path, name)).size };
}

/** Kills the server in the midst of it, starts another, and expects what was acknowledged. */
async function expectKept(server: DistcacheServer, counts: readonly Count[]): Promise<void> {
  await killServer(server);
  await Promise.all(counts.map(({ done }) => done));
  const next = await folder.start();
  const wire = await openWire(next.port);
  for (const { load } of counts) {
    expect(Number(await wire.ask('GET', load.key)), load.key).toBeGreaterThanOrEqual(load.last);
  }
  wire.close();
}

describe('CONFIG SET appendonly', () => {
  it('no and yes again, under load: nothing is refused, and what follows the OK is kept', async () => {
    const server = await folder.start();
    const counts = await countAll(server);
    const wire = await openWire(server.port);
    expect(await wire.ask('CONFIG', 'SET', 'appendonly', 'no')).toBe('+OK');
    await goesOn(counts);
    expect(String(await wire.ask('INFO', 'persistence'))).toContain('aof_enabled:0');
    expect(await wire.ask('CONFIG', 'SET', 'appendonly', 'yes')).toBe('+OK');
    await goesOn(counts);
    for (const { load } of counts) expect([...load.refused]).toEqual([]);
    await expectKept(server, counts);
  });

  it('yes on a server that was started without, twice at a time', async () => {
    const server = await folder.start(['--appendonly', 'no']);
    const counts = await countAll(server);
    const wires = await Promise.all([openWire(server.port), openWire(server.port)]);
    const replies = await Promise.all(wires.map((wire) => wire.ask('CONFIG', 'SET', 'appendonly', 'yes')));
    expect(replies).toEqual(['+OK', '+OK']);
    await goesOn(counts);
    await expectKept(server, counts);
  });

  it('yes fails where no log can be made, and everything is as before', async () => {
    const server = await folder.start(['--appendonly', 'no'], ['prlimit', '--fsize=100:unlimited', '--']);
    const wire = await openWire(server.port);
    expect(await wire.ask('CONFIG', 'SET', 'appendonly', 'yes')).toBe(
      '-ERR Unable to turn on AOF. Check server logs.',
    );
    expect(await wire.ask('CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'no']);
    expect(await wire.ask('SET', 'key', 'value')).toBe('+OK');
    wire.close();
  });
});

describe('a worker that dies', () => {
  it('leaves a log that goes on: nothing acknowledged is lost, before or after', async () => {
    const server = await folder.start();
    const counts = await countAll(server, ['a', 'b', 'c', 'd']);
    for (const [at, death] of ['WORKER-EXIT', 'WORKER-DIE-HOLDING-LOCK'].entries()) {
      const wire = await openWire(server.port);
      wire.socket.write(`DEBUG ${death}\r\n`);
      await wire.closed;
      await server.logged('serves again', at + 1);
      const later = await countAll(server, [`${death}-a`, `${death}-b`]);
      await goesOn(later);
      // Each worker goes on in a segment of its own, the replacement in a new one.
      const last = ['worker-000', 'worker-001'].map((name) => lastSegment(join(folder.path, name)));
      for (const { bytes } of last) expect(bytes).toBeGreaterThan(SEGMENT_HEADER_BYTES);
      expect(Math.max(...last.map(({ sequence }) => sequence))).toBeGreaterThan(1 + at);
      counts.push(...later);
    }
    await expectKept(server, counts);
  });
});

describe('a stop under load', () => {
  it.each(['everysec', 'always', 'no'])('with appendfsync %s ends within two seconds', async (policy) => {
    const server = await folder.start(['--appendfsync', policy]);
    const counts = await countAll(server);
    expect(await server.stop()).toBe(0);
    expect(server.output()).toContain(STOPPED_IN_TIME);
    await Promise.all(counts.map(({ done }) => done));
  });
});
