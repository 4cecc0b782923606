/**
 * SAVE, BGSAVE, BGREWRITEAOF, WAITAOF, DEBUG RELOAD and LOADAOF, and what INFO tells of them, on the real server under load.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/durability/manifest.ts';
import { type DistcacheServer, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { contents, createDataFolder, type DataFolder, killServer } from '../support/lasting-folder.ts';
import { eventually, infoField } from '../support/readings.ts';
import { openWire, type Wire } from '../support/wire.ts';

const NOT_LOGGED = '-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.';

let folder: DataFolder;
let server: DistcacheServer;
let wire: Wire;
beforeAll(async () => {
  folder = createDataFolder(WITHOUT_HTTP);
  server = await folder.start();
  wire = await openWire(server.port);
});
beforeEach(async () => {
  await eventually(async () => (await infoText()).includes('rdb_bgsave_in_progress:0'));
  await eventually(async () => (await infoText()).includes('aof_rewrite_in_progress:0'));
  expect(await wire.ask('FLUSHALL')).toBe('+OK');
});
afterAll(() => folder.remove());

async function infoText(): Promise<string> {
  return String(await wire.ask('INFO', 'persistence'));
}

function manifest(): Manifest {
  const text = readFileSync(join(folder.path, 'distcache.manifest'), 'utf8').trimEnd();
  return JSON.parse(text.slice(0, text.lastIndexOf('\n'))) as Manifest;
}

/** All that the collections hold, what has no order sorted. */
async function collections(): Promise<unknown[]> {
  const held: unknown[] = [await wire.ask('DBSIZE'), await wire.ask('PEXPIRETIME', 'large list')];
  for (const name of ['small', 'large']) {
    held.push(await wire.ask('LRANGE', `${name} list`, '0', '-1'));
    held.push([...((await wire.ask('SMEMBERS', `${name} set`)) as unknown[])].map(String).sort());
    const pairs = ((await wire.ask('HGETALL', `${name} hash`)) as unknown[]).map(String);
    held.push(pairs.flatMap((value, i) => (i % 2 === 1 ? [`${pairs[i - 1]}=${value}`] : [])).sort());
    held.push(await wire.ask('ZRANGE', `${name} zset`, '0', '-1', 'WITHSCORES'));
  }
  return held;
}

/** Of each type one that is packed, and one that is a tree. */
async function fillCollections(): Promise<void> {
  const numbers = Array.from({ length: 2_500 }, (_, i) => `${i}`);
  for (const [name, items] of [
    ['small', numbers.slice(0, 5)],
    ['large', numbers],
  ] as const) {
    await wire.ask('RPUSH', `${name} list`, ...items);
    await wire.ask('SADD', `${name} set`, ...items.map((item) => `member ${item}`));
    await wire.ask('HSET', `${name} hash`, ...items.flatMap((item) => [`field ${item}`, item]));
    await wire.ask('ZADD', `${name} zset`, ...items.flatMap((item) => [`${Number(item) / 4}`, `m${item}`]));
  }
  await wire.ask('PEXPIREAT', 'large list', '4000000000000');
}

async function fill(count: number, bytes = 100): Promise<void> {
  const value = 'x'.repeat(bytes);
  for (let at = 0; at < count; at += 1_000) {
    const pairs = Array.from({ length: Math.min(1_000, count - at) }, (_, i) => [`key-${at + i}`, value]);
    await wire.ask('MSET', ...pairs.flat());
  }
}

/** Increments a counter of its own, over and over; `stop` answers how far it came. */
function count(port: number, key: string) {
  let isStopped = false;
  let last = 0;
  const done = (async () => {
    const own = await openWire(port);
    while (!isStopped) {
      const reply = String(await own.ask('INCR', key));
      if (reply.startsWith(':')) last = Number(reply.slice(1));
      else if (!reply.startsWith('-LOADING')) throw new Error(reply);
    }
    own.close();
  })();
  return {
    last: () => last,
    stop: async () => {
      isStopped = true;
      await done;
      return last;
    },
  };
}

describe('a snapshot on request', () => {
  it('SAVE resets the changes and moves LASTSAVE; the older set and its log go', async () => {
    await fill(1_000);
    expect(await infoField(wire, 'rdb_changes_since_last_save')).toBeGreaterThanOrEqual(1_000);
    const before = Number(String(await wire.ask('LASTSAVE')).slice(1));
    const older = manifest();
    expect(await wire.ask('SAVE')).toBe('+OK');
    expect(await infoField(wire, 'rdb_changes_since_last_save')).toBe(0);
    expect(Number(String(await wire.ask('LASTSAVE')).slice(1))).toBeGreaterThanOrEqual(before);
    const newer = manifest();
    expect(newer.snapshot).toMatchObject({ set: (older.snapshot?.set ?? 0) + 1, verified: true });
    expect(newer.previous).toBeNull();
    for (const { stream, segments } of newer.streams) {
      const listed = segments.map(({ sequence }) => sequence);
      expect(listed).not.toContain(older.streams[stream].segments.at(-1)?.sequence);
      const names = readdirSync(join(folder.path, `worker-00${stream}`));
      expect(names.map((name) => Number(/\d+/.exec(name)))).toEqual(listed);
    }
    const name = `shard-000/snapshot-${String(older.snapshot?.set).padStart(12, '0')}.snap`;
    expect(existsSync(join(folder.path, name))).toBe(false);
  });

  it('BGSAVE runs once at a time, a rewrite waits for it, and one may be scheduled behind a rewrite', async () => {
    // Slow enough for what is asked meanwhile; on a busy machine, where it pauses the longer, over in some seconds.
    await wire.ask('CONFIG', 'SET', 'snapshot-cpu-share', '10');
    await fill(20_000);
    const saves = await infoField(wire, 'rdb_saves');
    expect(await wire.ask('BGSAVE')).toBe('+Background saving started');
    expect(await wire.ask('BGSAVE')).toBe('-ERR Background save already in progress');
    expect(await wire.ask('SAVE')).toBe('-ERR Background save already in progress');
    expect(await infoText()).toContain('rdb_bgsave_in_progress:1');
    expect(await wire.ask('BGREWRITEAOF')).toBe('+Background append only file rewriting scheduled');
    await wire.ask('CONFIG', 'SET', 'snapshot-cpu-share', '100');
    await eventually(async () => (await infoField(wire, 'rdb_saves')) === saves + 2);
    await eventually(async () => (await infoText()).includes('aof_rewrite_in_progress:0'));
    await wire.ask('CONFIG', 'SET', 'snapshot-cpu-share', '10');
    expect(await wire.ask('BGREWRITEAOF')).toBe('+Background append only file rewriting started');
    expect(await wire.ask('BGREWRITEAOF')).toBe(
      '-ERR Background append only file rewriting already in progress',
    );
    expect(await wire.ask('BGSAVE')).toMatch(/^-ERR Another child process is active/);
    expect(await wire.ask('BGSAVE', 'SCHEDULE')).toBe('+Background saving scheduled');
    await wire.ask('CONFIG', 'SET', 'snapshot-cpu-share', '100');
    await eventually(async () => (await infoField(wire, 'rdb_saves')) === saves + 4);
  });

  it('a rewrite folds the log, and the sizes in INFO follow', async () => {
    for (let round = 0; round < 20; round += 1) await fill(1_000);
    await eventually(async () => (await infoField(wire, 'aof_current_size')) > 2_000_000);
    const rewrites = await infoField(wire, 'aof_rewrites');
    await wire.ask('BGREWRITEAOF');
    await eventually(async () => (await infoField(wire, 'aof_rewrites')) === rewrites + 1);
    await eventually(async () => (await infoField(wire, 'aof_current_size')) < 400_000);
    const base = await infoField(wire, 'aof_base_size');
    expect(base).toBeGreaterThan(100_000);
    expect(base).toBeLessThan(400_000);
  });

  it('a log that has outgrown the snapshot is folded by itself', async () => {
    await wire.ask('SAVE');
    const rewrites = await infoField(wire, 'aof_rewrites');
    await wire.ask('CONFIG', 'SET', 'auto-aof-rewrite-min-size', '1mb');
    for (let round = 0; round < 20; round += 1) await fill(1_000);
    await eventually(async () => (await infoField(wire, 'aof_rewrites')) > rewrites);
    // It may have begun in the middle of the changes: what came behind is not as much again.
    await eventually(async () => {
      const size = await infoField(wire, 'aof_current_size');
      return size < 1_100_000 || size < 2 * (await infoField(wire, 'aof_base_size'));
    });
    await wire.ask('CONFIG', 'SET', 'auto-aof-rewrite-min-size', '64mb');
  });
});

describe('WAITAOF', () => {
  it('answers when the log is on the disk', async () => {
    await wire.ask('SET', 'key', 'value');
    expect(await wire.ask('WAITAOF', '1', '0', '0')).toEqual([':1', ':0']);
    expect(await wire.ask('WAITAOF', '0', '0', '0')).toEqual([':1', ':0']);
  });

  it('waits no longer when the log is turned off: all is on the disk then, or that is the error', async () => {
    const other = await openWire(server.port);
    // Which of the two workers closes its log first is chance.
    for (let round = 0; round < 4; round += 1) {
      await wire.ask('SET', 'key', 'value');
      expect(await wire.ask('WAITAOF', '1', '0', '0')).toEqual([':1', ':0']);
      expect(await other.ask('SET', 'other', 'value')).toBe('+OK');
      wire.socket.write('SET key other\r\nPING\r\nWAITAOF 1 0 0\r\n');
      expect([await wire.reply(), await wire.reply()]).toEqual(['+OK', '+PONG']);
      expect(await other.ask('CONFIG', 'SET', 'appendonly', 'no')).toBe('+OK');
      expect([NOT_LOGGED, ':1,:0']).toContain(String(await wire.reply()));
      expect(await wire.ask('WAITAOF', '1', '0', '0')).toBe(NOT_LOGGED);
      expect(await wire.ask('CONFIG', 'SET', 'appendonly', 'yes')).toBe('+OK');
    }
    other.close();
  });
});

describe('DEBUG RELOAD and DEBUG LOADAOF', () => {
  it.each(['RELOAD', 'LOADAOF'])(
    '%s keeps collections, small and large, and what others write before and after, and so does a kill',
    async (what) => {
      await fill(2_000);
      await wire.ask('SET', 'expiring', 'x', 'PXAT', '4000000000000');
      await fillCollections();
      const counters = ['a', 'b', 'c'].map((key) => count(server.port, key));
      await eventually(() => counters.every(({ last }) => last() > 100));
      const before = await collections();
      expect(await wire.ask('DEBUG', what)).toBe('+OK');
      const atReload = counters.map(({ last }) => last());
      await eventually(() => counters.every(({ last }, i) => last() > atReload[i] + 100));
      const lasts = await Promise.all(counters.map(({ stop }) => stop()));
      expect(await wire.ask('MGET', 'a', 'b', 'c')).toEqual(lasts.map(String));
      expect(await wire.ask('PEXPIRETIME', 'expiring')).toBe(':4000000000000');
      expect(await wire.ask('DBSIZE')).toBe(':2012');
      expect(await collections()).toEqual(before);
      await wire.ask('LPOP', 'large list', '10');
      await wire.ask('ZREMRANGEBYRANK', 'large zset', '0', '9');
      const after = await collections();
      const expected = await contents(server.port);
      await killServer(server);
      server = await folder.start();
      wire = await openWire(server.port);
      expect(await collections()).toEqual(after);
      expect(await contents(server.port)).toEqual(expected);
    },
  );

  it('RELOAD takes a snapshot of its own though one runs', async () => {
    await fill(20_000);
    await wire.ask('CONFIG', 'SET', 'snapshot-cpu-share', '5');
    await wire.ask('BGSAVE');
    await eventually(async () => (await infoField(wire, 'current_save_keys_processed')) > 1_000);
    await fill(2_000, 50);
    expect(await infoText()).toContain('rdb_bgsave_in_progress:1');
    expect(await wire.ask('DEBUG', 'RELOAD')).toBe('+OK');
    const keys = Array.from({ length: 20_000 }, (_, i) => `key-${i}`);
    const values = (await wire.ask('MGET', ...keys)) as string[];
    expect(new Set(values.slice(0, 2_000))).toEqual(new Set(['x'.repeat(50)]));
    expect(new Set(values.slice(2_000))).toEqual(new Set(['x'.repeat(100)]));
    await wire.ask('CONFIG', 'SET', 'snapshot-cpu-share', '100');
  });
});

it('a stop calls off the snapshot that runs, which is no error, and loses nothing', async () => {
  await fill(20_000);
  await wire.ask('CONFIG', 'SET', 'snapshot-cpu-share', '5');
  expect(await wire.ask('BGSAVE')).toBe('+Background saving started');
  await eventually(async () => (await infoField(wire, 'current_save_keys_processed')) > 0);
  expect(await server.stop()).toBe(0);
  expect(server.output()).toContain('the snapshot is called off: the server stops');
  expect(server.output()).not.toContain('"level":"error"');
  server = await folder.start();
  wire = await openWire(server.port);
  expect(await wire.ask('DBSIZE')).toBe(':20000');
});
