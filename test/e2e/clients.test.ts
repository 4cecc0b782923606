/**
 * The two Node.js libraries that most programs use, doing their usual work against the real server.
 */
import { Buffer } from 'node:buffer';
import { Redis } from 'ioredis';
import { createClient, WatchError } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';

const MIB = 1024 * 1024;
const SCANNED_KEYS = 3_000;

let server: DistcacheServer;
beforeAll(async () => {
  server = await startDistcache(['--maxmemory', '256mb', ...WITHOUT_HTTP]);
});
afterAll(() => server.stop());

/** Every byte value, in no pattern that a text encoding would survive. */
function binaryBytes(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i += 1) bytes[i] = (i * 31 + (i >> 8)) & 0xff;
  return bytes;
}

describe.each([2, 3] as const)('ioredis over RESP%i', (protocol) => {
  let redis: Redis;
  beforeEach(async () => {
    redis = new Redis({ port: server.port, protocol, connectionName: 'ioredis-test', lazyConnect: true });
    await redis.connect();
    await redis.flushall();
  });
  afterEach(() => redis.disconnect());

  it('connects, and the server knows its name, library and protocol', async () => {
    const info = String(await redis.client('INFO'));
    expect(info).toMatch(/ name=ioredis-test .* lib-name=ioredis/);
    expect(info).toContain(` resp=${protocol} `);
  });

  it('sets and gets strings and buffers, whatever their bytes', async () => {
    expect(await redis.set('text', 'grüße, 世界')).toBe('OK');
    expect(await redis.get('text')).toBe('grüße, 世界');
    const bytes = binaryBytes(1_000);
    await redis.set(bytes, bytes);
    expect(await redis.getBuffer(bytes)).toEqual(bytes);
    expect(await redis.get('absent')).toBeNull();
    expect(await redis.del('text', 'absent')).toBe(1);
  });

  it('carries values of 1 MiB and 20 MiB unchanged', async () => {
    for (const length of [MIB, 20 * MIB]) {
      const bytes = binaryBytes(length);
      await redis.set('large', bytes);
      expect(await redis.strlen('large')).toBe(length);
      expect((await redis.getBuffer('large'))?.equals(bytes)).toBe(true);
    }
  });

  it('answers pipelines in order, errors in their places', async () => {
    const pipeline = redis.pipeline();
    for (let i = 0; i < 1_000; i += 1) pipeline.set(`key-${i}`, `${i}`).incr(`key-${i}`);
    pipeline.set('word', 'one').incr('word').call('nosuch', 'argument');
    const results = (await pipeline.exec()) ?? [];
    for (let i = 0; i < 1_000; i += 1) expect(results[2 * i + 1]).toEqual([null, i + 1]);
    expect(results.slice(-2).map(([error]) => error?.message)).toEqual([
      'ERR value is not an integer or out of range',
      "ERR unknown command 'nosuch', with args beginning with: 'argument' ",
    ]);
  });

  it('gathers the commands of one tick by itself (auto-pipelining)', async () => {
    const gathering = new Redis({ port: server.port, protocol, enableAutoPipelining: true });
    await Promise.all(Array.from({ length: 500 }, (_, i) => gathering.set(`auto-${i}`, i)));
    const values = await Promise.all(Array.from({ length: 500 }, (_, i) => gathering.get(`auto-${i}`)));
    expect(values).toEqual(Array.from({ length: 500 }, (_, i) => `${i}`));
    gathering.disconnect();
  });

  it('sets and gets many keys at once, over all shards', async () => {
    const pairs = new Map(Array.from({ length: 1_000 }, (_, i) => [`many-${i}`, `value-${i}`]));
    await redis.mset(pairs);
    expect(await redis.mget([...pairs.keys(), 'absent'])).toEqual([...pairs.values(), null]);
    expect(await redis.exists(...pairs.keys())).toBe(1_000);
  });

  it('sees keys expire', async () => {
    await redis.set('short', 'x', 'PX', 30);
    await redis.set('long', 'x', 'EX', 100);
    expect(await redis.ttl('long')).toBe(100);
    await expect.poll(() => redis.get('short'), { interval: 5 }).toBeNull();
    expect(await redis.pttl('short')).toBe(-2);
  });

  it('keeps databases apart', async () => {
    await redis.set('key', 'zero');
    await redis.select(7);
    expect(await redis.get('key')).toBeNull();
    await redis.set('key', 'seven');
    await redis.select(0);
    expect(await redis.get('key')).toBe('zero');
    await expect(redis.select(16)).rejects.toThrow('ERR DB index is out of range');
  });

  it('streams every key by SCAN', async () => {
    const pipeline = redis.pipeline();
    for (let i = 0; i < SCANNED_KEYS; i += 1) pipeline.set(`scan:${i}`, i);
    await pipeline.exec();
    const seen = new Set<string>();
    for await (const keys of redis.scanStream({ match: 'scan:*', count: 100 })) {
      for (const key of keys) seen.add(key);
    }
    expect(seen.size).toBe(SCANNED_KEYS);
  });

  it('executes transactions, and none whose watched key has changed', async () => {
    await redis.set('count', '41');
    const done = await redis.multi().incr('count').get('count').set('other', 'x').exec();
    expect(done).toEqual([
      [null, 42],
      [null, '42'],
      [null, 'OK'],
    ]);
    const failing = await redis.multi().incr('other').incr('count').exec();
    expect(failing?.map(([error]) => error?.message ?? null)).toEqual([
      'ERR value is not an integer or out of range',
      null,
    ]);
    await expect(redis.multi().call('nosuch').incr('count').exec()).rejects.toThrow('EXECABORT');
    await redis.watch('count', 'absent');
    await redis.incr('count');
    expect(await redis.multi().set('count', '0').exec()).toBeNull();
    expect(await redis.get('count')).toBe('44');
    expect(await redis.multi({ pipeline: false })).toBe('OK');
    expect(await redis.incr('count')).toBe('QUEUED');
    expect(await redis.exec()).toEqual([[null, 45]]);
  });
});

describe.each([2, 3] as const)('node-redis over RESP%i', (RESP) => {
  async function open() {
    const opened = createClient({
      socket: { port: server.port, host: '127.0.0.1' },
      RESP,
      name: 'node-redis-test',
    });
    opened.on('error', () => undefined);
    return opened.connect();
  }
  let redis: Awaited<ReturnType<typeof open>>;
  beforeEach(async () => {
    redis = await open();
    await redis.flushAll();
  });
  afterEach(() => redis.destroy());

  it('connects, and the server knows its name, library and protocol', async () => {
    const info = String(await redis.sendCommand(['CLIENT', 'INFO']));
    expect(info).toMatch(/ name=node-redis-test .* lib-name=node-redis/);
    expect(info).toContain(` resp=${RESP} `);
  });

  it('sets and gets strings, numbers and expiry', async () => {
    expect(await redis.set('text', 'grüße', { expiration: { type: 'EX', value: 100 } })).toBe('OK');
    expect(await redis.get('text')).toBe('grüße');
    expect(await redis.ttl('text')).toBe(100);
    expect(await redis.incrBy('count', 41)).toBe(41);
    expect(await redis.incrByFloat('count', 0.5)).toBe('41.5');
    expect(await redis.get('absent')).toBeNull();
    await expect(redis.incr('text')).rejects.toThrow('ERR value is not an integer or out of range');
  });

  it('has fields of hashes expire', async () => {
    await redis.hSet('hash', { a: '1', b: '2', c: '3' });
    expect(await redis.hExpire('hash', ['a', 'absent'], 100)).toEqual([1, -2]);
    expect(await redis.hpExpire('hash', 'b', 90_000, 'NX')).toEqual([1]);
    expect(await redis.hTTL('hash', ['a', 'b', 'c', 'absent'])).toEqual([100, 90, -1, -2]);
    expect(await redis.hPersist('hash', ['a', 'c'])).toEqual([1, -1]);
    expect(await redis.hGetEx('hash', ['a', 'absent'], { expiration: { type: 'EX', value: 7 } })).toEqual([
      '1',
      null,
    ]);
    const options = { expiration: { type: 'PX' as const, value: 50_000 }, mode: 'FNX' as const };
    expect(await redis.hSetEx('hash', { d: '4', e: '5' }, options)).toBe(1);
    expect(await redis.hSetEx('hash', { d: '6' }, options)).toBe(0);
    expect(await redis.hTTL('hash', ['a', 'd', 'e'])).toEqual([7, 50, 50]);
    expect(await redis.hGetDel('hash', ['a', 'absent'])).toEqual(['1', null]);
    expect(await redis.hGetAll('hash')).toEqual({ b: '2', c: '3', d: '4', e: '5' });
  });

  it('carries large values unchanged', async () => {
    const text = 'x'.repeat(2 * MIB);
    await redis.set('large', text);
    expect((await redis.get('large')) === text).toBe(true);
  });

  it('answers the commands of one tick in order', async () => {
    const replies = await Promise.all(Array.from({ length: 1_000 }, () => redis.incr('count')));
    expect(replies).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1));
  });

  it('sets and gets many keys at once', async () => {
    const pairs = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`many-${i}`, `value-${i}`]));
    await redis.mSet(pairs);
    expect(await redis.mGet([...Object.keys(pairs), 'absent'])).toEqual([...Object.values(pairs), null]);
  });

  it('iterates over every key', async () => {
    await redis.mSet(
      Object.fromEntries(Array.from({ length: SCANNED_KEYS }, (_, i) => [`scan:${i}`, `${i}`])),
    );
    const seen = new Set<string>();
    for await (const keys of redis.scanIterator({ MATCH: 'scan:*', COUNT: 100 })) {
      for (const key of keys) seen.add(key);
    }
    expect(seen.size).toBe(SCANNED_KEYS);
  });

  it('keeps databases apart', async () => {
    await redis.set('key', 'zero');
    await redis.select(3);
    expect(await redis.get('key')).toBeNull();
  });

  it('reads the configuration and the list of clients', async () => {
    expect(await redis.configGet('maxmemory')).toEqual({ maxmemory: `${256 * MIB}` });
    const names = (await redis.clientList()).map(({ name }) => name);
    expect(names).toContain('node-redis-test');
  });

  it('executes transactions, and none whose watched key has changed', async () => {
    await redis.set('count', '41');
    expect(await redis.multi().incr('count').get('count').set('other', 'x').exec()).toEqual([42, '42', 'OK']);
    await expect(redis.multi().incr('other').incr('count').exec()).rejects.toThrow('1 commands failed');
    await redis.watch(['count', 'absent']);
    await redis.incr('count');
    await expect(redis.multi().set('count', '0').exec()).rejects.toThrow(WatchError);
    expect(await redis.get('count')).toBe('44');
    await redis.watch('count');
    expect(await redis.multi().set('count', '1').exec()).toEqual(['OK']);
  });
});
