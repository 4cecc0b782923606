/** Commands of very many keys, which run in slices here, side by side with redis-server: replies, order, and what is left. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SLICED_KEYS_MIN } from '../../src/config/limits.ts';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { type ProgramCommand, runOnRedis } from '../support/redis-program.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { openWire } from '../support/wire.ts';

const KEYS = 20_000;

let server: DistcacheServer;
let oracle: RedisServer;
beforeAll(async () => {
  [server, oracle] = await Promise.all([startDistcache(WITHOUT_HTTP), startRedisServer()]);
});
afterAll(() => Promise.all([server?.stop(), oracle?.stop()]));

const names = (from: number, to: number, step: number) =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => `key:${from + i * step}`);

const some = fc
  .record({
    from: fc.integer({ min: 0, max: KEYS }),
    count: fc.constantFrom(1, 3, SLICED_KEYS_MIN - 1, SLICED_KEYS_MIN, SLICED_KEYS_MIN + 1, 3000, KEYS),
    step: fc.integer({ min: 1, max: 3 }),
    again: fc.integer({ min: 0, max: 5 }),
  })
  .map(({ from, count, step, again }) => {
    const keys = names(from, from + count * step, step);
    return [...keys, ...keys.slice(0, again)];
  });

const command: fc.Arbitrary<ProgramCommand> = fc.oneof(
  fc.tuple(fc.constantFrom('DEL', 'UNLINK', 'EXISTS', 'TOUCH'), some).map(([name, keys]) => [name, ...keys]),
  some.map((keys) => ['MSET', ...keys.flatMap((key) => [key, 'value'])]),
  fc.constantFrom<ProgramCommand>(['DBSIZE'], ['SELECT', '1'], ['SELECT', '0'], ['FLUSHDB']),
);

describeWithRedis('DEL, UNLINK, EXISTS and TOUCH of very many keys', () => {
  it('answer as in redis-server', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 12 }), async (commands) => {
        const program = [['FLUSHALL'], ...commands, ['DBSIZE']];
        expect(await runOnRedis(server.port, program)).toEqual(await runOnRedis(oracle.port, program));
      }),
      { numRuns: 20 },
    );
  });

  it('tell of each key that they remove', async () => {
    const keys = names(0, KEYS, 1);
    const told = async (port: number) => {
      const [listener, writer] = [await openWire(port), await openWire(port)];
      await writer.ask('FLUSHALL');
      await writer.ask('CONFIG', 'SET', 'notify-keyspace-events', 'Eg');
      await writer.ask('MSET', ...keys.flatMap((key) => [key, 'value']));
      await listener.ask('SUBSCRIBE', '__keyevent@0__:del');
      const reply = writer.ask('DEL', 'none', ...keys, ...keys);
      const messages: string[] = [];
      while (messages.length < KEYS) messages.push(String(await listener.reply()));
      expect(await reply).toBe(`:${KEYS}`);
      listener.close();
      writer.close();
      return messages;
    };
    expect(await told(server.port)).toEqual(await told(oracle.port));
  });
});
