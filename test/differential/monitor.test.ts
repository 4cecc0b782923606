/**
 * MONITOR against redis-server: the same program on both while a monitor watches, its lines compared but for time and address.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire, type Wire } from '../support/wire.ts';

type Request = readonly (string | Buffer)[] | string;

const PASSWORD = 'secret';
const RUNS = 30;
const MARK = 'the end of the program';

const bytes = fc.oneof(
  fc.constantFrom('', 'a', 'ü', '"', '\\', 'a b', 'tab\t', '\r\n', '\0', '\u007f', '12', '1e3'),
  fc.uint8Array({ maxLength: 12 }).map((octets) => Buffer.from(octets)),
);
const request: fc.Arbitrary<Request> = fc.oneof(
  fc.tuple(fc.constantFrom('SET', 'set', 'GETSET', 'APPEND'), bytes, bytes),
  fc.tuple(fc.constantFrom('GET', 'STRLEN', 'DEL', 'INCR', 'TYPE', 'TTL', 'EXISTS'), bytes),
  fc.tuple(fc.constant('SETEX'), bytes, fc.constantFrom('10', '0', 'x'), bytes),
  fc.tuple(fc.constant('SELECT'), fc.constantFrom('0', '3', '15', '16', 'x')),
  fc.tuple(fc.constant('ECHO'), bytes),
  fc.tuple(fc.constant('AUTH'), fc.constantFrom(PASSWORD, 'wrong')),
  fc.tuple(fc.constant('AUTH'), fc.constantFrom('default', 'nobody'), fc.constantFrom(PASSWORD, 'wrong')),
  fc.tuple(fc.constant('CLIENT'), fc.constantFrom('SETNAME', 'setname'), fc.constantFrom('x', 'a b', '')),
  fc.array(bytes, { maxLength: 5 }).map((args) => ['MGET', ...args]),
  fc.constantFrom<Request>(
    ['HELLO', '2', 'AUTH', 'default', PASSWORD],
    ['HELLO', '2', 'SETNAME', 'x', 'auth', 'default', 'wrong'],
    ['HELLO'],
    ['CONFIG', 'GET', 'save'],
    ['CLIENT', 'LIST'],
    ['CLIENT', 'ID'],
    ['CLIENT', 'NOSUCH'],
    ['COMMAND', 'COUNT'],
    ['OBJECT', 'HELP'],
    ['CLIENT', 'HELP'],
    ['DBSIZE'],
    ['NOSUCH', 'a'],
    ['GET'],
    ['PING'],
    ['FLUSHDB'],
    'set inline "two words \\x00\\n"\r\n',
    'ping\r\n',
    '\r\n',
    ['RESET'],
    ['SCAN', '0', 'COUNT', '5'],
    ['MONITOR', 'too many'],
  ),
);

/** The lines that a monitor gets while another connection sends the requests; `%` for time and address. */
async function linesOf(port: number, requests: readonly Request[]): Promise<string[]> {
  const [monitor, client] = await Promise.all([openWire(port), openWire(port)]);
  for (const wire of [monitor, client]) await wire.ask('AUTH', PASSWORD);
  expect(await monitor.ask('MONITOR')).toBe('+OK');
  for (const request of requests) {
    client.socket.write(typeof request === 'string' ? request : requestBytes(...request));
  }
  client.socket.write(requestBytes('AUTH', PASSWORD));
  client.socket.write(requestBytes('ECHO', MARK));
  const lines: string[] = [];
  do {
    const line = String(await monitor.reply());
    expect(line).toMatch(/^\+\d{10}\.\d{6} \[\d+ 127\.0\.0\.1:\d+\] "/);
    lines.push(line.replace(/^\+[\d.]+ \[(\d+) \S+\]/, '% [$1 %]'));
  } while (!lines.at(-1)?.endsWith(`"${MARK}"`));
  for (const wire of [monitor, client]) wire.close();
  return lines;
}

describeWithRedis('MONITOR against redis-server', () => {
  let oracle: RedisServer;
  let server: DistcacheServer;
  beforeAll(async () => {
    const flags = ['--requirepass', PASSWORD];
    [oracle, server] = await Promise.all([
      startRedisServer(flags),
      startDistcache([...flags, ...WITHOUT_HTTP]),
    ]);
  });
  afterAll(() => Promise.all([oracle.stop(), server.stop()]));

  it('tells the same commands in the same words', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 20 }), async (requests) => {
        expect(await linesOf(server.port, requests)).toEqual(await linesOf(oracle.port, requests));
      }),
      { numRuns: RUNS },
    );
  });

  it('answers a monitor as redis-server does, and tells it its own commands behind their replies', async () => {
    const program: Request[] = [
      ...[['PING'], ['GET', 'a'], ['SET', 'a', 'b'], ['DBSIZE'], ['KEYS', '*'], ['EXISTS'], ['MONITOR', 'x']],
      ...[['ECHO', 'x'], ['SELECT', '2'], ['CLIENT', 'GETNAME'], ['CLIENT', 'REPLY', 'ON'], ['FLUSHALL']],
      ...[['TYPE', 'a'], ['RESET'], ['AUTH', PASSWORD], ['PING'], ['GET', 'a']],
    ];
    const answers = async (port: number) => {
      const wire: Wire = await openWire(port);
      await wire.ask('AUTH', PASSWORD);
      expect(await wire.ask('MONITOR')).toBe('+OK');
      // A second one is not answered.
      wire.socket.write('MONITOR\r\n');
      const texts: string[] = [];
      let watches = true;
      for (const request of program as (readonly string[])[]) {
        const reply = String(await wire.ask(...request));
        texts.push(reply);
        if (request[0] === 'RESET') watches = false;
        if (watches && !reply.startsWith('-')) {
          texts.push(String(await wire.reply()).replace(/^\+[\d.]+ \[(\d+) \S+\]/, '% [$1 %]'));
        }
      }
      wire.close();
      return texts;
    };
    expect(await answers(server.port)).toEqual(await answers(oracle.port));
  });

  it('is listed with the fields of redis-server in their order, and those of a library behind them', async () => {
    const listed = async (port: number) => {
      const [monitor, client] = await Promise.all([openWire(port), openWire(port)]);
      for (const wire of [monitor, client]) await wire.ask('AUTH', PASSWORD);
      await monitor.ask('MONITOR');
      const list = String(await client.ask('CLIENT', 'LIST', 'TYPE', 'normal')).split('\n');
      const info = String(await client.ask('CLIENT', 'INFO'));
      const address = `addr=127.0.0.1:${monitor.socket.localPort} `;
      const line = list.find((text) => text.includes(address)) ?? '';
      for (const wire of [monitor, client]) wire.close();
      const names = (text: string) =>
        text
          .trim()
          .split(' ')
          .map((field) => field.split('=')[0]);
      const shown = Object.fromEntries(line.split(' ').map((field) => field.split('=')));
      const { flags, cmd, db, resp, user, multi, redir } = shown;
      return { fields: [names(line), names(info)], monitor: { flags, cmd, db, resp, user, multi, redir } };
    };
    const [ours, theirs] = [await listed(server.port), await listed(oracle.port)];
    expect(ours.monitor).toEqual(theirs.monitor);
    expect(ours.fields).toEqual(theirs.fields.map((names) => [...names, 'lib-name', 'lib-ver']));
  });
});
