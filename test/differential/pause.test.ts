/**
 * CLIENT PAUSE, UNPAUSE and UNBLOCK against redis-server: the same programs on both, every reply compared; and what a pause lets
 * pass, over two connections of each.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { createHarness } from '../support/harness.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { converse } from '../support/replies.ts';
import { openWire, type Wire } from '../support/wire.ts';

const RUNS = 60;
/** Long enough for a test, and no longer than a test may take. */
const PAUSE_MS = '5000';

/** None of them pauses anything for long: the harness has no connections that could wait. */
const timeout = fc.constantFrom(
  ...['0', '-1', '-0', '+1', '01', '1.0', '', 'a', ' 1', '9223372036854775807', '9223372036854775808', '1e3'],
);
const mode = fc.constantFrom('WRITE', 'write', 'ALL', 'All', 'READ', '');
const reason = fc.constantFrom('TIMEOUT', 'timeout', 'ERROR', 'error', 'NOSUCH', '');
const id = fc.constantFrom('0', '99', '-1', '9223372036854775807', '9223372036854775808', 'a', '', '1.5');
const command = fc.oneof(
  fc.tuple(fc.constant('PAUSE'), timeout),
  fc.tuple(fc.constant('PAUSE'), timeout, mode),
  fc.tuple(fc.constant('PAUSE'), timeout, mode, mode),
  fc.tuple(fc.constant('UNBLOCK'), id),
  fc.tuple(fc.constant('UNBLOCK'), id, reason),
  fc.tuple(fc.constant('UNBLOCK'), id, reason, reason),
  fc.constantFrom(['UNPAUSE'], ['UNPAUSE', 'x'], ['PAUSE'], ['UNBLOCK']),
);

describeWithRedis('pauses, compared with redis-server', () => {
  let redis: RedisServer;
  let distcache: DistcacheServer;
  beforeAll(async () => {
    [redis, distcache] = await Promise.all([startRedisServer(), startDistcache(WITHOUT_HTTP)]);
  });
  afterAll(() => Promise.all([redis?.stop(), distcache?.stop()]));

  let wires: Wire[][];
  beforeEach(async () => {
    wires = await Promise.all(
      [redis.port, distcache.port].map((port) => Promise.all([openWire(port), openWire(port)])),
    );
    await both(0, 'FLUSHALL');
  });

  /** The reply that both servers give to client `client`. */
  async function both(client: number, ...words: string[]): Promise<unknown> {
    const [theirs, ours] = await Promise.all(wires.map((clients) => clients[client].ask(...words)));
    expect(ours).toEqual(theirs);
    return ours;
  }

  function sendBoth(client: number, ...words: string[]): void {
    const bytes = `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
    for (const clients of wires) clients[client].socket.write(bytes);
  }

  async function blockedClients(count: number): Promise<void> {
    for (const [, other] of wires) {
      while (!String(await other.ask('INFO', 'clients')).includes(`blocked_clients:${count}\r\n`));
    }
  }

  async function nextOfBoth(client: number): Promise<unknown> {
    const [theirs, ours] = await Promise.all(wires.map((clients) => clients[client].reply()));
    expect(ours).toEqual(theirs);
    return ours;
  }

  it('are asked for, and refused, in the same words', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 8 }), async (commands) => {
        const { run, deferredReplies } = createHarness({ shards: 1 });
        const program = commands.map((words) => ['CLIENT', ...words]);
        const ours: string[] = [];
        for (const words of program) {
          const reply = run(...words);
          // UNBLOCK asks all threads first.
          while (reply === '' && deferredReplies.length === 0)
            await new Promise((done) => setImmediate(done));
          ours.push(reply + deferredReplies.splice(0).join(''));
        }
        expect(ours).toEqual(await converse(redis.port, program));
      }),
      { numRuns: RUNS },
    );
  });

  it.each([
    [['SET', 'key', '1']],
    [['DEL', 'key']],
    [['EXPIRE', 'key', '5']],
    [['GETEX', 'key']],
    [['FLUSHALL']],
    [['PUBLISH', 'channel', 'text']],
    [['SPUBLISH', 'channel', 'text']],
  ])('of writes hold back %j', async (words) => {
    await both(1, 'CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
    sendBoth(0, ...words);
    await blockedClients(1);
    await both(1, 'CLIENT', 'UNPAUSE');
    await nextOfBoth(0);
    await blockedClients(0);
  });

  it.each([
    [['GET', 'key']],
    [['PING']],
    [['MULTI']],
    [['WATCH', 'key']],
    [['CONFIG', 'GET', 'maxclients']],
    [['SUBSCRIBE', 'channel']],
    [['SET', 'key']],
    [['NOSUCH']],
    [['EXEC']],
  ])('of writes let %j pass', async (words) => {
    await both(1, 'CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
    await both(0, ...words);
    await both(1, 'CLIENT', 'UNPAUSE');
  });

  it('of writes hold back an EXEC that writes, and what would be queued for one', async () => {
    for (const words of [['MULTI'], ['GET', 'key'], ['SET', 'key', '1']]) await both(0, ...words);
    await both(1, 'CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
    sendBoth(0, 'EXEC');
    await blockedClients(1);
    await both(1, 'GET', 'key');
    await both(1, 'CLIENT', 'UNPAUSE');
    expect(await nextOfBoth(0)).toEqual([null, '+OK']);
    await both(0, 'MULTI');
    await both(1, 'CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
    sendBoth(0, 'SET', 'key', '2');
    await blockedClients(1);
    await both(1, 'CLIENT', 'UNPAUSE');
    expect(await nextOfBoth(0)).toBe('+QUEUED');
  });

  it('leave what expires meanwhile where it is, out of sight', async () => {
    // In one go, so that the key lives when the pause begins.
    await both(0, 'MULTI');
    await both(0, 'SET', 'key', '1', 'PX', '50');
    await both(0, 'CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
    await both(0, 'EXEC');
    for (const clients of wires) while ((await clients[0].ask('EXISTS', 'key')) === ':1');
    await both(0, 'GET', 'key');
    expect(await both(0, 'DBSIZE')).toBe(':1');
    await both(1, 'CLIENT', 'UNPAUSE');
    await both(0, 'GET', 'key');
    expect(await both(0, 'DBSIZE')).toBe(':0');
  });
});

describe('pauses over HTTP', () => {
  it('refuse what would have to wait, and nothing else', async () => {
    const server = await startDistcache();
    const wire = await openWire(server.port);
    const url = `http://127.0.0.1:${server.httpPort}/v1/keys/key`;
    const put = async () => (await fetch(url, { method: 'PUT', body: 'value' })).status;
    expect(await put()).toBe(201);
    expect(await wire.ask('CLIENT', 'PAUSE', PAUSE_MS, 'WRITE')).toBe('+OK');
    expect(await put()).toBe(503);
    expect((await fetch(url)).status).toBe(200);
    expect(await wire.ask('CLIENT', 'UNPAUSE')).toBe('+OK');
    expect(await put()).toBe(204);
    wire.close();
    await server.stop();
  });
});
