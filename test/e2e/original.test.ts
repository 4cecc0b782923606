/**
 * The cases of the suite that this server's predecessor had, by name, stronger, and on the real server.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { eventually, infoField, metricTotal } from '../support/readings.ts';
import { openWire, type Wire } from '../support/wire.ts';

const CAPACITY = 5;

async function startWith(...flags: string[]): Promise<{ server: DistcacheServer; wire: Wire }> {
  const server = await startDistcache(flags);
  return { server, wire: await openWire(server.port) };
}

describe('LRU', () => {
  let server: DistcacheServer;
  let wire: Wire;
  beforeAll(async () => {
    ({ server, wire } = await startWith('--workers', '1', '--maxkeys', `${CAPACITY}`));
  });
  beforeEach(async () => {
    await wire.ask('FLUSHALL');
    await wire.ask('CONFIG', 'RESETSTAT');
  });
  afterAll(async () => {
    wire.close();
    await server.stop();
  });

  it('basic set and get', async () => {
    expect(await wire.ask('SET', 'key1', 'value1')).toBe('+OK');
    expect(await wire.ask('GET', 'key1')).toBe('value1');
    await wire.ask('SET', 'key1', 'value2');
    expect(await wire.ask('GET', 'key1')).toBe('value2');
  });

  it('get of a missing key', async () => {
    expect(await wire.ask('GET', 'missing')).toBeNull();
    expect(await wire.ask('EXISTS', 'missing')).toBe(':0');
  });

  it('set and delete', async () => {
    await wire.ask('SET', 'key1', 'value1');
    expect(await wire.ask('DEL', 'key1')).toBe(':1');
    expect(await wire.ask('GET', 'key1')).toBeNull();
    expect(await wire.ask('DEL', 'key1')).toBe(':0');
  });

  it('TTL expiry after one second', async () => {
    await wire.ask('SET', 'key1', 'value1', 'EX', '1');
    const startMs = performance.now();
    expect(await wire.ask('GET', 'key1')).toBe('value1');
    await eventually(async () => (await wire.ask('GET', 'key1')) === null);
    expect(performance.now() - startMs).toBeGreaterThan(950);
    expect(await wire.ask('DBSIZE')).toBe(':0');
  });

  it('eviction at capacity: the first is gone, the second and the last are there', async () => {
    for (let i = 1; i <= CAPACITY + 1; i += 1) expect(await wire.ask('SET', `key${i}`, `${i}`)).toBe('+OK');
    expect(await wire.ask('MGET', 'key1', 'key2', 'key6')).toEqual([null, '2', '6']);
    expect(await wire.ask('DBSIZE')).toBe(`:${CAPACITY}`);
    expect(await infoField(wire, 'evicted_keys')).toBe(1);
  });

  it('ordering after get: a, b, c, get a, then d, e, f keeps a and c and drops b', async () => {
    for (const key of ['a', 'b', 'c']) await wire.ask('SET', key, key);
    expect(await wire.ask('GET', 'a')).toBe('a');
    for (const key of ['d', 'e', 'f']) await wire.ask('SET', key, key);
    expect(await wire.ask('MGET', 'a', 'b', 'c', 'd', 'e', 'f')).toEqual(['a', null, 'c', 'd', 'e', 'f']);
  });

  it('size and capacity', async () => {
    for (let i = 0; i < CAPACITY; i += 1) {
      await wire.ask('SET', `key${i}`, 'x');
      await wire.ask('SET', `key${i}`, 'again');
    }
    expect(await wire.ask('DBSIZE')).toBe(`:${CAPACITY}`);
    expect(await wire.ask('CONFIG', 'GET', 'maxkeys')).toEqual(['maxkeys', `${CAPACITY}`]);
  });

  it('hit rate is two thirds exactly', async () => {
    await wire.ask('SET', 'key1', 'value1');
    await wire.ask('GET', 'key1');
    await wire.ask('GET', 'key1');
    await wire.ask('GET', 'missing');
    const [hits, misses] = [await infoField(wire, 'keyspace_hits'), await infoField(wire, 'keyspace_misses')];
    expect([hits, misses]).toEqual([2, 1]);
    expect(hits / (hits + misses)).toBe(2 / 3);
  });
});

describe('concurrency, RESP and metrics', () => {
  let server: DistcacheServer;
  let wire: Wire;
  beforeAll(async () => {
    ({ server, wire } = await startWith());
  });
  beforeEach(async () => {
    await wire.ask('FLUSHALL');
  });
  afterAll(async () => {
    wire.close();
    await server.stop();
  });

  it('concurrent access: 4 connections x 1000 set and get, each its own keys and all the same ones', async () => {
    const before = await metricTotal(server.httpPort, 'distcache_command_calls_total');
    const wires = await Promise.all(Array.from({ length: 4 }, () => openWire(server.port)));
    await Promise.all(
      wires.map(async (client, c) => {
        for (let i = 0; i < 1_000; i += 1) {
          const key = i % 2 === 0 ? `key-${c}-${i}` : `shared-${i}`;
          client.socket.write(`SET ${key} ${i}\r\nGET ${key}\r\n`);
          expect(await client.reply()).toBe('+OK');
          expect(String(await client.reply())).toBe(`${i}`);
        }
      }),
    );
    expect(await wire.ask('DBSIZE')).toBe(':2500');
    // Exact: 8,000 commands and the DBSIZE.
    expect((await metricTotal(server.httpPort, 'distcache_command_calls_total')) - before).toBe(8_001);
    for (const { close } of wires) close();
  });

  it('SET with two arguments, GET, DEL of three keys', async () => {
    expect(await wire.ask('SET', 'a', '1')).toBe('+OK');
    expect(await wire.ask('GET', 'a')).toBe('1');
    await wire.ask('MSET', 'b', '2', 'c', '3');
    expect(await wire.ask('DEL', 'a', 'b', 'c')).toBe(':3');
  });

  it('an empty command is passed over', async () => {
    wire.socket.write('\r\n*0\r\n   \r\nPING\r\n');
    expect(await wire.reply()).toBe('+PONG');
  });

  it('no arguments', async () => {
    expect(await wire.ask('PING')).toBe('+PONG');
    expect(await wire.ask('GET')).toBe("-ERR wrong number of arguments for 'get' command");
    expect(await wire.ask('')).toMatch(/^-ERR unknown command '', with args/);
  });

  it('commands are case-insensitive, keys are not', async () => {
    expect(await wire.ask('sEt', 'Key', 'v')).toBe('+OK');
    expect(await wire.ask('get', 'Key')).toBe('v');
    expect(await wire.ask('GeT', 'key')).toBeNull();
  });

  it('serialises simple strings, errors, nil, bulk strings and integers', async () => {
    const raw = async (line: string, bytes: number) => {
      wire.socket.write(`${line}\r\n`);
      return (await wire.take(bytes)).toString();
    };
    expect(await raw('SET s hello', 5)).toBe('+OK\r\n');
    expect(await raw('INCR s', 46)).toBe('-ERR value is not an integer or out of range\r\n');
    expect(await raw('GET nothing', 5)).toBe('$-1\r\n');
    expect(await raw('GET s', 11)).toBe('$5\r\nhello\r\n');
    expect(await raw('STRLEN s', 4)).toBe(':5\r\n');
  });

  it('metrics: counters and gauges appear, and count', async () => {
    const { httpPort } = server;
    const sets = await metricTotal(httpPort, 'distcache_commands_total');
    for (let i = 0; i < 10; i += 1) await wire.ask('SET', `k${i}`, 'v');
    expect(await metricTotal(httpPort, 'distcache_commands_total')).toBe(sets + 10);
    expect(await metricTotal(httpPort, 'distcache_connections_open')).toBe(1);
    expect(await metricTotal(httpPort, 'distcache_database_keys')).toBe(10);
    const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  });

  it('no worker shows a part: 4 connections x 1000 INCR make 4000', async () => {
    const wires = await Promise.all(Array.from({ length: 4 }, () => openWire(server.port)));
    for (const { socket } of wires) socket.write('INCR total\r\n'.repeat(1_000));
    for (const client of wires) for (let i = 0; i < 1_000; i += 1) await client.reply();
    expect(await wire.ask('GET', 'total')).toBe('4000');
    for (const { close } of wires) close();
  });
});
