/**
 * A disk that is full, or a folder that vanishes, under a running server: what can be answered is, nothing acknowledged is lost,
 * and it is over when the disk is well again. The kernel's limit on the size of files (EFBIG) plays the full disk.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { DistcacheServer } from '../support/distcache-server.ts';
import { createDataFolder, type DataFolder, killServer } from '../support/lasting-folder.ts';
import { eventually, metricTotal } from '../support/readings.ts';
import { describeWithTools, runTool } from '../support/tools.ts';
import { openWire, type Wire } from '../support/wire.ts';

const FULL = '-MISCONF Errors writing to the AOF file: File too large';
const SNAPSHOT_FAILED = /^-MISCONF Redis is configured to save RDB snapshots/;

let folder: DataFolder;
beforeEach(() => {
  folder = createDataFolder();
});
afterEach(() => folder.remove());

/** From now on no file grows beyond one byte; what is beyond stays. */
async function fillDisk({ pid }: DistcacheServer): Promise<void> {
  await runTool('prlimit', ['--pid', `${pid}`, '--fsize=1:unlimited']);
}

async function freeDisk({ pid }: DistcacheServer): Promise<void> {
  await runTool('prlimit', ['--pid', `${pid}`, '--fsize=unlimited:unlimited']);
}

async function readyz(server: DistcacheServer): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/readyz?verbose`);
  return { status: response.status, text: await response.text() };
}

async function infoText(wire: Wire): Promise<string> {
  return String(await wire.ask('INFO', 'persistence'));
}

/** Clients on both workers that set keys of their own, each with its own number, until the server ends. */
async function setAll(server: DistcacheServer) {
  const writers = await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (name) => {
      const wire = await openWire(server.port);
      const load = { name, acknowledged: -1, refused: 0, last: '' };
      const run = async () => {
        for (let i = 0; ; i += 1) {
          load.last = String(await wire.ask('SET', `${name}-${i % 500}`, `${i}`));
          if (load.last === '+OK') load.acknowledged = i;
          else load.refused += 1;
        }
      };
      return { load, done: run().catch(wire.close) };
    }),
  );
  await eventually(() => writers.every(({ load }) => load.acknowledged > 100));
  return writers;
}

type Writers = Awaited<ReturnType<typeof setAll>>;

async function moveOn(writers: Writers): Promise<void> {
  const before = writers.map(({ load }) => load.acknowledged);
  await eventually(() => writers.every(({ load }, i) => load.acknowledged > before[i] + 100));
}

/** Kills it, starts another, and expects the last acknowledged value of each writer or a later one. */
async function expectKept(server: DistcacheServer, writers: Writers): Promise<void> {
  await killServer(server);
  await Promise.all(writers.map(({ done }) => done));
  const next = await folder.start();
  const wire = await openWire(next.port);
  for (const { load } of writers) {
    const { name, acknowledged } = load;
    const kept = Number(await wire.ask('GET', `${name}-${acknowledged % 500}`));
    expect(kept, `${name} ${acknowledged}`).toBeGreaterThanOrEqual(acknowledged);
  }
  wire.close();
}

describeWithTools('a full disk', ['prlimit'], () => {
  it('refuses writes, not reads, says so, and ends by itself, whatever appendfsync says', async () => {
    const server = await folder.start();
    const wire = await openWire(server.port);
    await wire.ask('SET', 'key', 'value');
    const writers = await setAll(server);
    for (const policy of ['everysec', 'always']) {
      expect(await wire.ask('CONFIG', 'SET', 'appendfsync', policy)).toBe('+OK');
      await fillDisk(server);
      await eventually(() => writers.every(({ load }) => load.last === FULL));
      expect(await wire.ask('SET', 'key', 'other')).toBe(FULL);
      expect(await wire.ask('PING')).toBe(FULL);
      expect(await wire.ask('GET', 'key')).toBe('value');
      expect(await infoText(wire)).toContain('aof_last_write_status:err');
      expect(await readyz(server)).toEqual({
        status: 503,
        text: expect.stringContaining('[-] log: the log cannot be written: File too large\n'),
      });
      expect(await metricTotal(server.httpPort, 'distcache_log_troubled')).toBe(1);
      await freeDisk(server);
      await moveOn(writers);
      expect(await wire.ask('PING')).toBe('+PONG');
      await eventually(async () => (await readyz(server)).status === 200);
      expect(await infoText(wire)).toContain('aof_last_write_status:ok');
    }
    wire.close();
    await expectKept(server, writers);
  });

  it('with on-log-error continue is served on, and everything is in the log that begins anew', async () => {
    const server = await folder.start(['--on-log-error', 'continue', '--appendfsync', 'always']);
    const wire = await openWire(server.port);
    const writers = await setAll(server);
    await fillDisk(server);
    await eventually(async () => (await infoText(wire)).includes('aof_last_write_status:err'));
    await moveOn(writers);
    expect((await readyz(server)).status).toBe(200);
    for (const { load } of writers) expect(load.refused).toBe(0);
    await freeDisk(server);
    await eventually(async () => (await infoText(wire)).includes('aof_last_write_status:ok'));
    await moveOn(writers);
    for (const { load } of writers) expect(load.refused).toBe(0);
    wire.close();
    await expectKept(server, writers);
  });
});

describeWithTools('a snapshot that fails', ['prlimit'], () => {
  it('stops writes where there are save points, until one succeeds', async () => {
    const server = await folder.start(['--appendonly', 'no', '--save', '3600 1']);
    const wire = await openWire(server.port);
    await wire.ask('SET', 'key', 'value');
    await fillDisk(server);
    expect(await wire.ask('SAVE')).toMatch(/^-ERR .*EFBIG/);
    expect(await infoText(wire)).toContain('rdb_last_bgsave_status:err');
    expect(await wire.ask('SET', 'key', 'other')).toMatch(SNAPSHOT_FAILED);
    expect(await wire.ask('PING')).toMatch(SNAPSHOT_FAILED);
    expect(await wire.ask('GET', 'key')).toBe('value');
    await freeDisk(server);
    await wire.ask('BGSAVE');
    await eventually(async () => (await infoText(wire)).includes('rdb_last_bgsave_status:ok'));
    expect(await wire.ask('SET', 'key', 'other')).toBe('+OK');
    wire.close();
  });
});

describeWithTools('a folder that vanishes', ['prlimit'], () => {
  it('is noticed within a second or two, and the log begins anew', async () => {
    const server = await folder.start();
    const writers = await setAll(server);
    const lost = join(folder.path, 'worker-000');
    const startedMs = performance.now();
    rmSync(lost, { recursive: true });
    await eventually(() => existsSync(lost));
    // It is looked at each second; a busy machine takes longer.
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    await server.logged('the log is written again');
    await moveOn(writers);
    await expectKept(server, writers);
  });

  it('is no end of the log even where a worker dies before that is mended', async () => {
    const server = await folder.start();
    const writers = await setAll(server);
    const wire = await openWire(server.port);
    await fillDisk(server);
    for (const name of ['worker-000', 'worker-001']) rmSync(join(folder.path, name), { recursive: true });
    await eventually(() => writers.every(({ load }) => load.last.startsWith('-MISCONF')));
    wire.socket.write('DEBUG WORKER-EXIT\r\n');
    await server.logged('serves again');
    await freeDisk(server);
    await server.logged('the log is written again');
    const later = await setAll(server);
    await moveOn(later);
    await expectKept(server, later);
  });
});
