/** COPY, RENAME, RENAMENX and MOVE of collections, side by side with redis-server: random programs over several databases and shards. */
import fc from 'fast-check';
import { afterAll, beforeAll, it } from 'vitest';
import { type Command, expectSameReplies } from '../support/collection-programs.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer(['--maxmemory', '1gb']);
});
afterAll(() => server?.stop());

const KEYS = ['a', 'b', 'c', 'd', 'e{1}'];
const key = fc.constantFrom(...KEYS);
const word = fc.constantFrom('x', 'y', 'z', '12', '-7', '');
const number = fc.integer({ min: 0, max: 12 }).map(String);
const element = fc.oneof(word, number, fc.constant('long'.repeat(8)));

const filling = fc.oneof(
  fc.tuple(fc.constant('HSET'), key, fc.constantFrom('f', 'g', '1', '2', '3', '4', '5'), element),
  fc.tuple(fc.constantFrom('RPUSH', 'LPUSH'), key, element, element),
  fc.tuple(fc.constant('SADD'), key, number, number),
  fc.tuple(fc.constant('SET'), key, word),
);
const copying = fc.oneof(
  fc.tuple(fc.constantFrom('RENAME', 'RENAMENX'), key, key),
  fc
    .tuple(key, key, fc.constantFrom([], ['REPLACE'], ['DB', '1'], ['DB', '1', 'REPLACE']))
    .map(([from, to, options]) => ['COPY', from, to, ...options]),
  fc.tuple(fc.constant('MOVE'), key, fc.constantFrom('0', '1')),
);
const changing = fc.oneof(
  fc.tuple(fc.constant('HDEL'), key, fc.constantFrom('f', 'g', '1', '2')),
  fc.tuple(fc.constantFrom('LPOP', 'RPOP'), key),
  fc.tuple(fc.constant('LTRIM'), key, fc.constant('1'), fc.constant('-2')),
  fc.tuple(fc.constant('SREM'), key, number),
  fc.tuple(fc.constant('DEL'), key),
  fc.tuple(fc.constant('PEXPIREAT'), key, fc.constantFrom('1900000000000', '1900000000001')),
  fc.tuple(fc.constant('SELECT'), fc.constantFrom('0', '1')),
);
const looking = fc.oneof(
  fc.tuple(fc.constantFrom('TYPE', 'PERSIST', 'LLEN', 'HLEN', 'SCARD', 'EXISTS'), key),
  fc.tuple(fc.constant('OBJECT'), fc.constant('ENCODING'), key),
  fc.tuple(fc.constant('LRANGE'), key, fc.constant('0'), fc.constant('-1')),
  fc.tuple(fc.constant('HMGET'), key, fc.constant('f'), fc.constant('g'), fc.constant('1'), fc.constant('5')),
  fc.tuple(fc.constant('SMISMEMBER'), key, number, number, number),
);
const program: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: filling },
    { weight: 5, arbitrary: copying },
    { weight: 3, arbitrary: changing },
    { weight: 6, arbitrary: looking },
  ),
  { minLength: 1, maxLength: 80 },
);

describeWithRedis('collections under other keys, compared with redis-server', () => {
  for (const isSmall of [false, true]) {
    it(`are what random programs make of them${isSmall ? ', as trees, too' : ''}`, async () => {
      await fc.assert(
        fc.asyncProperty(program, fc.constantFrom(2 as const, 3 as const), (commands, protocol) =>
          expectSameReplies(server.port, commands, KEYS, { protocol, isSmall }),
        ),
        { numRuns: 40 },
      );
    });
  }
});
