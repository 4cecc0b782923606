/**
 * What one client may cost the others: memory for answers it does not read or requests it does not end, time, places.
 */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { eventually, infoField, metricTotal, residentBytes } from '../support/readings.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire, type Wire } from '../support/wire.ts';

const MIB = 1024 * 1024;
/** More than a slow reader takes in six seconds. */
const SLOW_REPLIES = 60;
const SLOW_BYTES_PER_MS = 10_000;
const SLOW_MS = 20;

const CUTS = 'distcache_limit_cuts_total';
const SENT = 'distcache_sent_bytes_total';
const LONG_REPLY_BYTES = `$${MIB}\r\n`.length + MIB + 2;

let server: DistcacheServer;
let wire: Wire;
let cutsBefore: number;
beforeAll(async () => {
  server = await startDistcache(['--maxmemory', '32mb', '--enable-debug-command', 'yes']);
  wire = await openWire(server.port);
  await wire.ask('SET', 'long', Buffer.alloc(MIB, 'x'));
});
beforeEach(async () => {
  cutsBefore = await cuts();
});
afterEach(async () => {
  await configSet('client-output-buffer-limit', 'normal 1gb 256mb 60');
  await configSet('client-query-buffer-limit', '1gb');
  await configSet('timeout', '0');
});
afterAll(async () => {
  wire.close();
  await server.stop();
});

async function configSet(name: string, value: string): Promise<void> {
  expect(await wire.ask('CONFIG', 'SET', name, value)).toBe('+OK');
}

const cuts = () => metricTotal(server.httpPort, CUTS);

/** A client that reads nothing until it is told to. */
async function stalled(requests: string): Promise<Wire> {
  const opened = await openWire(server.port);
  opened.socket.pause();
  opened.socket.write(requests);
  return opened;
}

/**
 * Ten megabytes a second, and after a pause what was missed: the kernels in between pass on the progress in steps of some
 * mebibytes, which are to be well within a second of one another.
 */
function readSlowly(socket: Socket): () => void {
  const startedMs = performance.now();
  let bytes = 0;
  const isAhead = () => bytes > SLOW_BYTES_PER_MS * (performance.now() - startedMs);
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    if (isAhead()) socket.pause();
  };
  socket.on('data', count);
  const timer = setInterval(() => {
    if (!isAhead()) socket.resume();
  }, SLOW_MS);
  return () => {
    clearInterval(timer);
    socket.off('data', count);
  };
}

async function unreadBytes(): Promise<number> {
  const list = String(await wire.ask('CLIENT', 'LIST'));
  return Math.max(...[...list.matchAll(/ omem=(\d+)/g)].map(([, bytes]) => Number(bytes)));
}

describe('a client that does not read', () => {
  it('is cut at the hard limit, costs no more memory than that, and others are served meanwhile', async () => {
    await configSet('client-output-buffer-limit', 'normal 8mb 0 0');
    const clientsBefore = await infoField(wire, 'connected_clients');
    const before = residentBytes(server.pid);
    const reader = await stalled('GET long\r\n'.repeat(2_000));
    let peakBytes = 0;
    await eventually(async () => {
      expect(await wire.ask('PING')).toBe('+PONG');
      peakBytes = Math.max(peakBytes, residentBytes(server.pid));
      return (await cuts()) === cutsBefore + 1;
    });
    expect(peakBytes - before).toBeLessThan(100 * MIB);
    reader.socket.resume();
    expect((await reader.rest()).length).toBeLessThan(100 * MIB);
    await eventually(async () => (await infoField(wire, 'connected_clients')) === clientsBefore);
    await server.logged('over client-output-buffer-limit');
  });

  it('and asks for little again and again is charged for what that costs', async () => {
    const sentBefore = await metricTotal(server.httpPort, SENT);
    const reader = await stalled('GET long\r\n'.repeat(12));
    const neighbours = [wire, await openWire(server.port)];
    const sent = async () => (await metricTotal(server.httpPort, SENT)) - sentBefore;
    await eventually(async () => (await sent()) >= 12 * LONG_REPLY_BYTES);
    const [unreadBefore, residentBefore] = [await unreadBytes(), residentBytes(server.pid)];
    for (let i = 0; i < 1_500; i += 1) {
      // What is skipped has filled the buffer that the PONG lies in.
      reader.socket.write('CLIENT REPLY SKIP\r\nGETRANGE long 0 200000\r\nPING\r\n');
      await Promise.all(neighbours.map((neighbour) => neighbour.ask('PING')));
    }
    expect((await unreadBytes()) - unreadBefore).toBeGreaterThan(100_000);
    expect(residentBytes(server.pid) - residentBefore).toBeLessThan(40 * MIB);
    reader.socket.resume();
    await reader.take(12 * LONG_REPLY_BYTES);
    expect((await reader.take(1_500 * 7)).toString()).toBe('+PONG\r\n'.repeat(1_500));
    reader.close();
    neighbours[1].close();
  });

  it('may stay over the soft limit for its seconds only', async () => {
    await configSet('client-output-buffer-limit', 'normal 0 1mb 1');
    const reader = await stalled('GET long\r\n'.repeat(12));
    await eventually(async () => (await unreadBytes()) > MIB);
    expect(await cuts()).toBe(cutsBefore);
    await eventually(async () => (await cuts()) === cutsBefore + 1);
    reader.close();
    await server.logged('over the soft client-output-buffer-limit');
  });
});

describe('a client that sends', () => {
  it('a request over the limit without ending it is cut', async () => {
    await configSet('client-query-buffer-limit', '1mb');
    const sender = await openWire(server.port);
    sender.socket.write('*2\r\n$4\r\nECHO\r\n$9000000\r\n');
    sender.socket.write(Buffer.alloc(2 * MIB));
    expect(await sender.rest()).toEqual(Buffer.alloc(0));
    expect(await cuts()).toBe(cutsBefore + 1);
    await server.logged('over client-query-buffer-limit');
  });

  it('many requests that have to wait is held back, not cut', async () => {
    await configSet('client-query-buffer-limit', '1mb');
    const residentBefore = residentBytes(server.pid);
    const COUNT = 400_000;
    const sender = await openWire(server.port);
    sender.socket.write(`DEBUG SLEEP 0.2\r\n${'PING\r\n'.repeat(COUNT)}`);
    expect(await sender.reply()).toBe('+OK');
    expect((await sender.take(COUNT * 7)).equals(Buffer.from('+PONG\r\n'.repeat(COUNT)))).toBe(true);
    expect(residentBytes(server.pid) - residentBefore).toBeLessThan(32 * MIB);
    expect(await cuts()).toBe(cutsBefore);
    sender.close();
  });
});

describe('timeout', () => {
  it('closes idle clients, but none that is busy, waits for an answer or still reads one', async () => {
    const idle = await openWire(server.port);
    const reader = await stalled('GET long\r\n'.repeat(SLOW_REPLIES));
    const waiting = await openWire(server.port);
    await configSet('timeout', '2');
    waiting.socket.write('DEBUG SLEEP 3.4\r\n');
    const stopReading = readSlowly(reader.socket);
    let isOver = false;
    const both = Promise.all([idle.closed, waiting.reply()]).then(([, reply]) => {
      isOver = true;
      return reply;
    });
    await eventually(async () => (await wire.ask('PING')) === '+PONG' && isOver);
    expect(await both).toBe('+OK');
    await configSet('timeout', '0');
    stopReading();
    reader.socket.resume();
    expect((await reader.take(SLOW_REPLIES * LONG_REPLY_BYTES)).length).toBe(SLOW_REPLIES * LONG_REPLY_BYTES);
    expect(await waiting.ask('PING')).toBe('+PONG');
    expect(await cuts()).toBe(cutsBefore + 1);
    reader.close();
    waiting.close();
  });
});

describe('an answer that comes later', () => {
  it('keeps its place before those of the commands behind it', async () => {
    const asking = await openWire(server.port);
    await asking.ask('SET', 'key', 'value');
    const requests = [
      ['CLIENT', 'LIST'],
      ['ECHO', '1'],
      ['CONFIG', 'SET', 'tcp-keepalive', '300'],
      ['ECHO', '2'],
      ['KEYS', 'key'],
      ['ECHO', '3'],
      ['DEBUG', 'SLEEP', '0.05'],
      ['ECHO', '4'],
      ['SCAN', '0', 'COUNT', '100000'],
      ['ECHO', '5'],
    ];
    asking.socket.write(Buffer.concat(requests.map((request) => requestBytes(...request))));
    const replies = [];
    for (const _ of requests) replies.push(await asking.reply());
    const texts = replies.map((reply) => (Buffer.isBuffer(reply) ? reply.toString() : reply));
    expect(texts[0]).toContain('cmd=client|list');
    expect(texts.slice(1)).toEqual([
      '1',
      '+OK',
      '2',
      [Buffer.from('key')],
      '3',
      '+OK',
      '4',
      [Buffer.from('0'), expect.arrayContaining([Buffer.from('key'), Buffer.from('long')])],
      '5',
    ]);
    asking.close();
  });

  it('comes also to a client that has closed its side', async () => {
    const asking = await openWire(server.port);
    asking.socket.end('DEBUG SLEEP 0.05\r\nCLIENT LIST\r\nPING\r\n');
    expect((await asking.rest()).toString()).toMatch(/^\+OK\r\n\$\d+\r\nid=[\s\S]*\r\n\+PONG\r\n$/);
  });

  it('is dropped with a client that is reset meanwhile', async () => {
    const clientsBefore = await infoField(wire, 'connected_clients');
    const asking = await openWire(server.port);
    asking.socket.write('DEBUG SLEEP 0.05\r\nSET dropped 1\r\n');
    await eventually(async () => (await infoField(wire, 'connected_clients')) === clientsBefore + 1);
    asking.socket.resetAndDestroy();
    await eventually(async () => (await infoField(wire, 'connected_clients')) === clientsBefore);
    expect(await wire.ask('PING')).toBe('+PONG');
  });
});

describe('maxclients', () => {
  it('turns away the client over it, in the words of redis-server', async () => {
    const open = await infoField(wire, 'connected_clients');
    await configSet('maxclients', `${open}`);
    const refused = await openWire(server.port);
    expect((await refused.rest()).toString()).toBe('-ERR max number of clients reached\r\n');
    await configSet('maxclients', '10000');
    const admitted = await openWire(server.port);
    expect(await admitted.ask('PING')).toBe('+PONG');
    admitted.close();
  });
});
