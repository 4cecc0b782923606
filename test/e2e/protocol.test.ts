/**
 * RESP on real sockets: broken into pieces, malformed, very long, cut off. Where redis-server is installed its bytes are
 * the measure. One worker, so that what one connection leaves behind would meet the next.
 */
import { Buffer } from 'node:buffer';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { eventually, infoField, residentBytes } from '../support/readings.ts';
import { exchangeBytes } from '../support/redis-exchange.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire, type Wire } from '../support/wire.ts';

const MIB = 1024 * 1024;
const READ_BUFFER_BYTES = 64 * 1024;

let server: DistcacheServer;
let wire: Wire;
beforeAll(async () => {
  server = await startDistcache(['--workers', '1', '--maxmemory', '256mb', ...WITHOUT_HTTP]);
  wire = await openWire(server.port);
});
beforeEach(async () => {
  expect(await wire.ask('FLUSHALL')).toBe('+OK');
});
afterAll(async () => {
  wire.close();
  await server.stop();
});

/** Bytes in which a piece that is missing, doubled or moved shows. */
function patternBytes(length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i += 1) words[i] = Math.imul(i + 1, 0x9e3779b1);
  return Buffer.from(words.buffer, 0, length);
}

function bulk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
}

/** A long input has only its beginning in the name of its test. */
function named(input: string): [name: string, input: string] {
  return [JSON.stringify(input.slice(0, 60)), input];
}

/** What one connection gets for `input` before the server closes it of its own accord. */
async function untilClosed(port: number, input: string): Promise<string> {
  const opened = await openWire(port);
  opened.socket.write(Buffer.from(input, 'latin1'));
  return (await opened.rest()).toString('latin1');
}

describeWithRedis('as with redis-server', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedisServer();
  });
  afterAll(() => redis.stop());

  it.each(
    [
      '*a\r\n',
      '*2147483648\r\n',
      '*99999999999999999999\r\n',
      '*1\r\n:1\r\n',
      '*1\r\n\r\n',
      '*1\r\n*1\r\n',
      '*1\r\n$a\r\n',
      '*1\r\n$-1\r\n',
      '*1\r\n$536870913\r\n',
      '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n+OK\r\n',
      '*1\r\n$4\r\nPING\r\n*x\r\nPING\r\n',
      "SET k 'a\r\n",
      'SET k "a"b\r\n',
      `*${'1'.repeat(70_000)}`,
      `*1\r\n$${'1'.repeat(70_000)}`,
      'x'.repeat(70_000),
      'QUIT\r\nPING\r\n',
      'PING\r\nQUIT\r\nPING\r\n*x\r\n',
      'GET / HTTP/1.1\r\nHost: here\r\n\r\nSET k v\r\n',
      'POST / HTTP/1.1\r\n\r\nSET k v\r\n',
    ].map(named),
  )('%s is answered, and its connection closed', async (_name, input) => {
    const expected = await untilClosed(redis.port, input);
    expect(await untilClosed(server.port, input)).toBe(expected);
    expect(await wire.ask('PING')).toBe('+PONG');
  });

  it.each(
    [
      '*0\r\nPING\r\n',
      '*-1\r\nPING\r\n',
      '*-7\r\nPING\r\n',
      '\r\n\n\r\nPING\n',
      '   \r\nPING\r\n',
      '*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n',
      '*1\n\n$4\n\nPING\r\n',
      'PI\0NG\r\nPING\r\n',
      '*2\r\n$4\r\nECHO\r\n$0\r\n\r\nPING\r\n',
      'SET "a\\x00b" "\\r\\n"\r\nGET "a\\x00b"\r\n',
      'HELLO 3\r\nGET absent\r\nHELLO 2\r\nGET absent\r\nHELLO 4\r\nGET absent\r\n',
      'PING\r\n*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\nCONFIG GET databases\r\n',
      'CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n',
      'CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nPING\r\nCLIENT REPLY ON\r\n',
      'CLIENT REPLY SKIP\r\nPING\r\nPING\r\n',
      'CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\n',
      'CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n',
      'CLIENT REPLY SKIP\r\nCLIENT LIST\r\nPING\r\n',
      'CLIENT REPLY OFF\r\nKEYS *\r\nCONFIG SET timeout 0\r\nCLIENT REPLY ON\r\nPING\r\n',
      'CLIENT REPLY SKIP\r\nRESET\r\nPING\r\n',
      // Here redis-server does not answer, and forgets to close as well.
      'CLIENT REPLY OFF\r\n*x\r\nPING\r\n',
      'CLIENT REPLY SKIP\r\n*x\r\n',
      'CLIENT REPLY OFF\r\nQUIT\r\n',
    ].map(named),
  )('%s is answered', async (_name, input) => {
    const withoutId = (bytes: Buffer) => bytes.toString('latin1').replaceAll(/\$2\r\nid\r\n:\d+/g, '');
    const bytes = Buffer.from(input, 'latin1');
    const expected = withoutId(await exchangeBytes(redis.port, bytes));
    expect(withoutId(await exchangeBytes(server.port, bytes))).toBe(expected);
  });
});

describe('a client that gets no replies', () => {
  it.each(['CLIENT REPLY OFF\r\n*x\r\n', 'CLIENT REPLY OFF\r\nQUIT\r\n'])(
    'is still closed: %j',
    async (input) => {
      expect(await untilClosed(server.port, input)).toBe('');
    },
  );
});

describe('a request in pieces', () => {
  const request = Buffer.concat([
    requestBytes('SET', 'split', patternBytes(40)),
    Buffer.from('GET "split"\r\n'),
    requestBytes('ECHO', ''),
    Buffer.from('\r\n*0\r\n'),
    requestBytes('DEL', 'split'),
  ]);
  const replies = Buffer.concat([
    Buffer.from('+OK\r\n'),
    bulk(patternBytes(40)),
    Buffer.from('$0\r\n\r\n:1\r\n'),
  ]);

  /** Another client of the same worker has been answered: what was sent before is read. */
  const isRead = () => wire.ask('PING');

  it('may be cut at any byte', async () => {
    const split = await openWire(server.port);
    for (let at = 1; at < request.length; at += 1) {
      split.socket.write(request.subarray(0, at));
      await isRead();
      split.socket.write(request.subarray(at));
      expect(await split.take(replies.length)).toEqual(replies);
    }
    split.close();
  });

  it('may come byte by byte', async () => {
    const split = await openWire(server.port);
    for (let at = 0; at < request.length; at += 1) {
      split.socket.write(request.subarray(at, at + 1));
      await isRead();
    }
    expect(await split.take(replies.length)).toEqual(replies);
    split.close();
  });

  it('that ends in the middle is dropped with its connection', async () => {
    const answered = await exchangeBytes(
      server.port,
      Buffer.from('SET a 1\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$5\r\nval'),
    );
    expect(answered.toString()).toBe('+OK\r\n');
    expect(await wire.ask('EXISTS', 'a', 'b')).toBe(':1');
  });

  it('that was malformed leaves nothing behind for the next client', async () => {
    for (const malformed of [
      '*3\r\n$3\r\nSET\r\n+\r\n',
      '*2\r\n$-5\r\n',
      'x'.repeat(70_000),
      `*${'1'.repeat(70_000)}`,
    ]) {
      await untilClosed(server.port, malformed);
      expect(await untilClosed(server.port, 'PING\r\nQUIT\r\n')).toBe('+PONG\r\n+OK\r\n');
    }
  });
});

describe('a pipeline', () => {
  const COMMANDS = 100_000;

  it.each([
    ['in one go', Infinity],
    ['in pieces of 1,009 bytes', 1_009],
    ['in pieces of 65,537 bytes', 65_537],
  ])(`of ${COMMANDS} commands is answered in order, sent %s`, async (_name, pieceBytes) => {
    const requests = Array.from({ length: COMMANDS }, (_, i) =>
      i % 3 === 0 ? requestBytes('SET', `key-${i % 100}`, `${i}`) : requestBytes('ECHO', `echo-${i}`),
    );
    const expected = Array.from({ length: COMMANDS }, (_, i) =>
      i % 3 === 0 ? '+OK\r\n' : `$${`echo-${i}`.length}\r\necho-${i}\r\n`,
    ).join('');
    const input = Buffer.concat(requests);
    const sender = await openWire(server.port);
    for (let at = 0; at < input.length; at += pieceBytes)
      sender.socket.write(input.subarray(at, at + pieceBytes));
    expect((await sender.take(expected.length)).toString('latin1') === expected).toBe(true);
    sender.close();
  });

  it('with long answers reaches a client that has closed its side already', async () => {
    const value = patternBytes(MIB);
    await wire.ask('SET', 'long', value);
    const answered = await exchangeBytes(server.port, Buffer.from(`${'GET long\r\n'.repeat(60)}QUIT\r\n`));
    const expected = Buffer.concat([
      ...Array.from({ length: 60 }, () => bulk(value)),
      Buffer.from('+OK\r\n'),
    ]);
    expect(answered.equals(expected)).toBe(true);
  });

  it('with long answers leaves other clients their turns, and the memory small', async () => {
    await wire.ask('SET', 'long', patternBytes(MIB));
    const before = residentBytes(server.pid);
    const greedy = await openWire(server.port);
    greedy.socket.write('GET long\r\n'.repeat(120));
    let turns = 0;
    let isDone = false;
    const done = greedy.take(120 * bulk(Buffer.alloc(MIB)).length).then(() => {
      isDone = true;
    });
    while (!isDone) {
      await wire.ask('PING');
      turns += 1;
    }
    await done;
    expect(turns).toBeGreaterThan(5);
    expect(residentBytes(server.pid) - before).toBeLessThan(100 * MIB);
    greedy.close();
  });

  it('that is reset by its client harms nobody', async () => {
    const clients = async () => Number(await infoField(wire, 'connected_clients'));
    // Some of them may be about to leave.
    const clientsBefore = await clients();
    // On a busy machine all of them may be reset before they are read.
    await wire.ask('SET', 'counter', '0');
    for (let i = 0; i < 20; i += 1) {
      const broken = await openWire(server.port);
      broken.socket.write('INCR counter\r\n'.repeat(5_000));
      broken.socket.write('GET counter\r\n'.repeat(i));
      await wire.ask('PING');
      broken.socket.resetAndDestroy();
    }
    await eventually(async () => (await clients()) <= clientsBefore);
    expect(await wire.ask('GET', 'counter')).toMatch(/^\d+$/);
  });
});

describe('values', () => {
  it('of every length around the borders of buffers come back byte for byte', async () => {
    const borders = [0, 1, 2, 16 * 1024, READ_BUFFER_BYTES, 256 * 1024, MIB, 4 * MIB];
    const lengths = borders
      .flatMap((border) => [border - 1, border, border + 1])
      .filter((length) => length >= 0);
    for (let length = READ_BUFFER_BYTES - 80; length <= READ_BUFFER_BYTES; length += 1) lengths.push(length);
    for (const length of lengths) {
      const value = patternBytes(length);
      wire.socket.write(Buffer.concat([requestBytes('SET', 'v', value), requestBytes('GET', 'v')]));
      const replies = Buffer.concat([Buffer.from('+OK\r\n'), bulk(value)]);
      expect((await wire.take(replies.length)).equals(replies), `${length} bytes`).toBe(true);
    }
  });

  it('of 20 and 64 MiB come back byte for byte', async () => {
    for (const length of [20 * MIB, 64 * MIB]) {
      const value = patternBytes(length);
      expect(await wire.ask('SET', 'v', value)).toBe('+OK');
      wire.socket.write(requestBytes('GET', 'v'));
      expect(
        (await wire.take(bulk(Buffer.alloc(0)).length + `${length}`.length - 1 + length)).equals(bulk(value)),
      ).toBe(true);
    }
  });

  it('of no bytes are values', async () => {
    expect(await wire.ask('SET', '', '')).toBe('+OK');
    expect(await wire.ask('GET', '')).toBe('');
    expect(await wire.ask('MGET', '', 'absent')).toEqual(['', null]);
    expect(await wire.ask('STRLEN', '')).toBe(':0');
    expect(await wire.ask('DEL', '')).toBe(':1');
  });

  it('that no shard can hold get a clear error; the connection and the other keys live', async () => {
    for (let i = 0; i < 100; i += 1) await wire.ask('SET', `key-${i}`, 'value');
    expect(await wire.ask('CONFIG', 'SET', 'maxmemory', '32mb')).toBe('+OK');
    expect(await wire.ask('SET', 'huge', Buffer.alloc(33 * MIB))).toMatch(
      /^-ERR a value of 34603008 bytes does not fit: a shard holds at most \d+ /,
    );
    expect(await wire.ask('CONFIG', 'SET', 'maxmemory', '256mb')).toBe('+OK');
    expect(await wire.ask('DBSIZE')).toBe(':100');
    expect(await wire.ask('SET', 'key-0', 'other')).toBe('+OK');
  });

  it('that were announced and never come cost no memory', async () => {
    const before = residentBytes(server.pid);
    const announced = await Promise.all(Array.from({ length: 50 }, () => openWire(server.port)));
    for (const { socket } of announced) socket.write('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nx');
    await wire.ask('PING');
    expect(residentBytes(server.pid) - before).toBeLessThan(32 * MIB);
    for (const { close } of announced) close();
  });

  it('whose sender resets in the middle leave the old value', async () => {
    await wire.ask('SET', 'k', 'old');
    const broken = await openWire(server.port);
    broken.socket.write(requestBytes('SET', 'k', Buffer.alloc(8 * MIB)).subarray(0, 5 * MIB));
    await wire.ask('PING');
    broken.socket.resetAndDestroy();
    await broken.closed;
    expect(await wire.ask('GET', 'k')).toBe('old');
  });
});

describe('long requests', () => {
  it('have keys of a mebibyte', async () => {
    const key = patternBytes(MIB);
    expect(await wire.ask('SET', key, 'v')).toBe('+OK');
    expect(await wire.ask('GET', key)).toBe('v');
    expect(await wire.ask('RENAME', key, 'short')).toBe('+OK');
    expect(await wire.ask('RENAME', 'short', key)).toBe('+OK');
    expect(await wire.ask('KEYS', '*')).toEqual([key.toString('latin1')]);
    expect(await wire.ask('DEL', key)).toBe(':1');
  });

  it('have a million arguments', async () => {
    const COUNT = 1_000_000;
    await wire.ask('SET', 'k', 'v');
    const keys = Buffer.from('$1\r\nk\r\n'.repeat(COUNT));
    wire.socket.write(Buffer.concat([Buffer.from(`*${COUNT + 1}\r\n$4\r\nMGET\r\n`), keys]));
    const values = await wire.take(`*${COUNT}\r\n`.length + COUNT * '$1\r\nv\r\n'.length);
    expect(values.equals(Buffer.from(`*${COUNT}\r\n${'$1\r\nv\r\n'.repeat(COUNT)}`))).toBe(true);
    wire.socket.write(Buffer.concat([Buffer.from(`*${COUNT + 1}\r\n$3\r\nDEL\r\n`), keys]));
    expect(await wire.reply()).toBe(':1');
  });

  it('count as unread for the client itself as long as they are executed', async () => {
    expect(String(await wire.ask('CLIENT', 'LIST'))).toContain(' qbuf=26 ');
    expect(String(await wire.ask('CLIENT', 'INFO'))).toContain(' qbuf=26 ');
  });

  it('of many long arguments are moved a few times only while they come', async () => {
    const COUNT = 60;
    const value = bulk(patternBytes(100_000));
    const sender = await openWire(server.port);
    const id = String(await sender.ask('CLIENT', 'ID')).slice(1);
    const capacities = new Set<number>();
    sender.socket.write(`*${2 * COUNT + 1}\r\n$4\r\nMSET\r\n`);
    for (let i = 0; i < COUNT; i += 1) {
      sender.socket.write(Buffer.concat([bulk(Buffer.from(`key-${i}`)), value]));
      const list = String(await wire.ask('CLIENT', 'LIST', 'ID', id));
      const [, used, free] = / qbuf=([1-9]\d*) qbuf-free=(\d+) /.exec(list) ?? [];
      capacities.add(Number(used) + Number(free));
    }
    expect(await sender.reply()).toBe('+OK');
    expect(capacities.size).toBeLessThan(12);
    expect(await wire.ask('DBSIZE')).toBe(`:${COUNT}`);
    expect(await wire.ask('STRLEN', `key-${COUNT - 1}`)).toBe(':100000');
    sender.close();
  });
});
