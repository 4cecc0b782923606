/**
 * Messages between clients against redis-server: clients of two workers here, of one thread there, who say the same one after the
 * other and must hear the same.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Heard, hearOracle, hearServer, type Step } from '../support/conversations.ts';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { converse } from '../support/replies.ts';

const RUNS = 75;
const CLIENTS = 4;

const name = fc.constantFrom('a', 'b', 'ab', '', 'a*', '\0ü', 'h[ae]llo');
const pattern = fc.constantFrom('a', 'a*', '?', '*', '[ab]', 'a\\*', '', 'h[^e]llo', 'hello');
const client = fc.nat({ max: CLIENTS - 1 });
const names = fc.array(name, { minLength: 1, maxLength: 3 });
const step: fc.Arbitrary<Step> = fc
  .oneof(
    fc.tuple(client, fc.constantFrom('SUBSCRIBE', 'UNSUBSCRIBE', 'SSUBSCRIBE', 'SUNSUBSCRIBE'), names),
    fc.tuple(
      client,
      fc.constantFrom('PSUBSCRIBE', 'PUNSUBSCRIBE'),
      fc.array(pattern, { minLength: 1, maxLength: 2 }),
    ),
    fc.tuple(
      client,
      fc.constantFrom('PUBLISH', 'SPUBLISH', 'publish'),
      fc.tuple(
        fc.constantFrom('a', 'b', 'ab', '', 'a*', '\0ü', 'hello', 'hallo'),
        fc.constantFrom('', 'x', 'é\r\n'),
      ),
    ),
    fc.tuple(
      client,
      fc.constantFrom('UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE', 'RESET', 'GET', 'SUBSCRIBE', 'PUBLISH'),
      fc.constant([]),
    ),
    fc.tuple(client, fc.constant('HELLO'), fc.constantFrom(['2'], ['3'])),
    fc.tuple(
      client,
      fc.constant('PUBSUB'),
      fc.oneof(
        fc.constantFrom(
          ['NUMPAT'],
          ['CHANNELS'],
          ['SHARDCHANNELS'],
          ['NUMPAT', 'x'],
          ['CHANNELS', 'a', 'b'],
          [],
        ),
        pattern.map((one) => ['CHANNELS', one]),
        pattern.map((one) => ['SHARDCHANNELS', one]),
        names.map((some) => ['NUMSUB', ...some]),
        names.map((some) => ['shardnumsub', ...some]),
      ),
    ),
    fc.tuple(client, fc.constant('SET'), fc.constant(['k', 'v'])),
  )
  .map(([who, command, args]): Step => [who, command, ...args]);

/**
 * What redis-server takes from its hash tables has no order: the names of PUBSUB CHANNELS, those that an UNSUBSCRIBE of all
 * gives up, the patterns of one message. The id that HELLO tells is the server's own.
 */
function ordered(heard: readonly Heard[]): string[][][] {
  return heard.map((here) => here.map((replies) => replies.flatMap(parts).sort()));
}

function parts(text: string): string[] {
  const reply = JSON.parse(text);
  if (!Array.isArray(reply)) return [text];
  if (reply[0] === 'server') return ['HELLO'];
  const [kind, ...rest] = reply;
  if (String(kind).endsWith('unsubscribe')) return rest.map((part) => JSON.stringify([kind, part]));
  return reply.every((part) => typeof part === 'string' && !part.startsWith(':') && !MESSAGES.has(reply[0]))
    ? [JSON.stringify([...reply].sort())]
    : [text];
}

const MESSAGES = new Set(['message', 'pmessage', 'smessage', 'pong']);

describeWithRedis('publish and subscribe against redis-server', () => {
  let oracle: RedisServer;
  let server: DistcacheServer;
  beforeAll(async () => {
    [oracle, server] = await Promise.all([startRedisServer(), startDistcache(WITHOUT_HTTP)]);
  });
  afterAll(() => Promise.all([oracle.stop(), server.stop()]));

  it('lets everybody hear the same', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        const theirs = await hearOracle(oracle.port, CLIENTS, steps);
        const ours = await hearServer(server.port, theirs, steps);
        expect(ordered(ours)).toEqual(ordered(theirs));
      }),
      { numRuns: RUNS },
    );
  });

  it.each(['2', '3'])('answers what is wrong in the same words in RESP%s', async (protocol) => {
    const commands = [
      ['HELLO', protocol],
      ...['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE', 'PUBLISH', 'SPUBLISH'].map((command) => [command]),
      ['PUBLISH', 'a'],
      ['SPUBLISH', 'a', 'b', 'c'],
      ['PUBSUB'],
      ['PUBSUB', 'nosuch'],
      ['PUBSUB', 'HELP'],
      ['PUBSUB', 'help', 'x'],
      ['PUBSUB', 'channels', 'a', 'b'],
      ['PUBSUB', 'Shardchannels', 'a', 'b'],
      ['PUBSUB', 'numpat', 'x'],
      ['PUBSUB', 'numsub'],
      ['PUBSUB', 'shardnumsub'],
      ['UNSUBSCRIBE'],
      ['PUNSUBSCRIBE'],
      ['SUNSUBSCRIBE'],
      ['SUBSCRIBE', 'a'],
      ['SET', 'a', 'b'],
      ['CONFIG', 'NOSUCH'],
      ['NOSUCH'],
      ['CLIENT', 'LIST', 'TYPE', 'pubsub', 'x'],
      ['MULTI'],
      ['AUTH', 'x'],
      ['PING'],
      ['PING', 'x'],
      ['PING', 'x', 'y'],
      ['RESET'],
      ['PING'],
    ];
    const [ours, theirs] = await Promise.all([
      converse(server.port, commands),
      converse(oracle.port, commands),
    ]);
    expect(ours.slice(1)).toEqual(theirs.slice(1));
  });

  it('does the same in transactions', async () => {
    const commands = [
      ['MULTI'],
      ['SUBSCRIBE', 'a', 'b'],
      ['PUBLISH', 'c', 'x'],
      ['SSUBSCRIBE', 'a'],
      ['UNSUBSCRIBE', 'a'],
      ['EXEC'],
      ['PING'],
      ['PUBLISH', 'a', 'x'],
      ['EXEC'],
    ];
    const [ours, theirs] = await Promise.all([
      converse(server.port, commands),
      converse(oracle.port, commands),
    ]);
    expect(ours).toEqual(theirs);
  });

  it.each(['SKIP', 'OFF'])('confirms and tells also those who have said CLIENT REPLY %s', async (mode) => {
    const commands = [
      ['HELLO', '3'],
      ['CLIENT', 'REPLY', mode],
      ['SUBSCRIBE', 'a', 'b'],
      ['PUBLISH', 'a', 'x'],
      ['UNSUBSCRIBE', 'b', 'a'],
      ['SUBSCRIBE', 'c'],
      ['CLIENT', 'REPLY', 'ON'],
      ['PING'],
    ];
    const [ours, theirs] = await Promise.all([
      converse(server.port, commands),
      converse(oracle.port, commands),
    ]);
    expect(ours.slice(1)).toEqual(theirs.slice(1));
  });

  it('shows subscribers alike in CLIENT LIST, by type too, and in INFO', async () => {
    const shown = async (port: number) => {
      const steps: Step[] = [
        [0, 'HELLO', '3'],
        [0, 'SUBSCRIBE', 'a', 'b'],
        [0, 'PSUBSCRIBE', 'c*'],
        [0, 'SSUBSCRIBE', 'd', 'e', 'f'],
        [0, 'CLIENT', 'INFO'],
        [0, 'CLIENT', 'LIST', 'TYPE', 'PUBSUB'],
        [0, 'CLIENT', 'LIST', 'TYPE', 'NORMAL'],
        [0, 'INFO', 'stats'],
        [0, 'CLIENT', 'KILL', 'TYPE', 'pubsub'],
        [0, 'UNSUBSCRIBE'],
        [0, 'PUNSUBSCRIBE'],
        [0, 'SUNSUBSCRIBE'],
        [0, 'CLIENT', 'INFO'],
        [0, 'CLIENT', 'LIST', 'TYPE', 'pubsub'],
      ];
      const heard = await hearOracle(port, 1, steps);
      return heard
        .slice(1)
        .map(([replies]) => replies.join().match(/(flags|sub|psub|ssub|pubsub\w*)[=:]\w+|"txt:"|":\d+"/g));
    };
    expect(await shown(server.port)).toEqual(await shown(oracle.port));
  });
});
