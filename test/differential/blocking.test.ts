/**
 * Commands that wait for lists and sorted sets against redis-server: random programs over several clients of both, each step begun when all that the
 * last one has set going is over; every client gets the same replies in the same order, and waits where the other's waits.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { converse } from '../support/replies.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire, type Wire } from '../support/wire.ts';

const CLIENTS = 4;
const RUNS = 20;
const STEPS_MAX = 25;
const LOOKS_MAX = 2_000;
/** So many looks in a row at which nothing moves. */
const CALM_LOOKS = 3;

/** One server under test: its clients, what each was answered, and who watches them. */
type Side = {
  readonly clients: readonly { readonly wire: Wire; readonly id: string; readonly replies: unknown[] }[];
  readonly watcher: Wire;
};

// Of one shard: which of two keys in different ones is told of first, only redis-server knows.
const key = fc.constantFrom('{t}a', '{t}b', '{t}c');
const side = fc.constantFrom('LEFT', 'RIGHT');
const value = fc.constantFrom('1', '2', '3', '4');

const step = fc.oneof(
  fc.tuple(fc.constantFrom('BLPOP', 'BRPOP'), key, fc.constant('0')),
  fc.tuple(fc.constantFrom('BLPOP', 'BRPOP'), key, key, fc.constant('0')),
  fc.tuple(fc.constant('BLMOVE'), key, key, side, side, fc.constant('0')),
  fc.tuple(fc.constant('BRPOPLPUSH'), key, key, fc.constant('0')),
  fc
    .tuple(key, key, side, value)
    .map(([one, other, end, count]) => ['BLMPOP', '0', '2', one, other, end, 'COUNT', count]),
  fc.tuple(fc.constantFrom('BZPOPMIN', 'BZPOPMAX'), key, key, fc.constant('0')),
  fc
    .tuple(key, key, fc.constantFrom('MIN', 'MAX'), value)
    .map(([one, other, end, count]) => ['BZMPOP', '0', '2', one, other, end, 'COUNT', count]),
  fc.tuple(fc.constant('ZADD'), key, value, value),
  fc.tuple(fc.constantFrom('LPUSH', 'RPUSH'), key, value),
  fc.tuple(fc.constantFrom('LPUSH', 'RPUSH'), key, value, value, value),
  fc.tuple(fc.constantFrom('RENAME', 'LMOVE', 'RPOPLPUSH'), key, key).map((words) => {
    return words[0] === 'LMOVE' ? [...words, 'LEFT', 'RIGHT'] : words;
  }),
  fc.tuple(fc.constantFrom('DEL', 'LPOP', 'LLEN', 'TYPE'), key),
  fc.tuple(fc.constant('SET'), key, value),
  fc.tuple(fc.constant('COPY'), key, key, fc.constant('REPLACE')),
  fc.tuple(fc.constant('ZADD'), key, value, value, value, fc.constant('z')),
  // What overwrites a key of another type, redis-server 7.0.15 tells nobody of.
  fc.tuple(fc.constant('ZUNIONSTORE'), fc.constant('{t}d'), fc.constant('1'), key),
  fc.tuple(fc.constant('BZPOPMIN'), key, fc.constant('{t}d'), fc.constant('0')),
  fc.tuple(fc.constant('ZPOPMIN'), key),
  fc.tuple(fc.constant('UNBLOCK'), fc.integer({ min: 0, max: CLIENTS - 1 }).map(String)),
);

/** What is sent in one go, as a transaction or not. */
const steps = fc.oneof(
  { weight: 4, arbitrary: step.map((words) => [words]) },
  {
    weight: 1,
    arbitrary: fc
      .array(
        step.filter(([name]) => name !== 'UNBLOCK'),
        { minLength: 1, maxLength: 4 },
      )
      .map((commands) => [['MULTI'], ...commands, ['EXEC']]),
  },
);

describeWithRedis('clients that wait, compared with redis-server', () => {
  let redis: RedisServer;
  let distcache: DistcacheServer;
  beforeAll(async () => {
    [redis, distcache] = await Promise.all([startRedisServer(), startDistcache(WITHOUT_HTTP)]);
  });
  afterAll(() => Promise.all([redis?.stop(), distcache?.stop()]));

  let sides: Side[];
  beforeEach(() => {
    sides = [];
  });

  async function openSide(port: number): Promise<Side> {
    const watcher = await openWire(port);
    await watcher.ask('FLUSHALL');
    const clients: Side['clients'][number][] = [];
    for (let i = 0; i < CLIENTS; i += 1) {
      const wire = await openWire(port);
      const id = String(await wire.ask('CLIENT', 'ID')).slice(1);
      const replies: unknown[] = [];
      void readOn(wire, replies);
      clients.push({ wire, id, replies });
    }
    return { clients, watcher };
  }

  it('are served, and answered, alike', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: CLIENTS - 1 }), steps), { maxLength: STEPS_MAX }),
        async (program) => {
          sides = await Promise.all([redis.port, distcache.port].map(openSide));
          try {
            for (const [client, commands] of program) await runStep(client, commands);
          } finally {
            for (const { clients, watcher } of sides) {
              for (const { wire } of clients) wire.close();
              watcher.close();
            }
          }
        },
      ),
      { numRuns: RUNS },
    );
  }, 120_000);

  /** Sends it where the client does not wait, on both sides, and compares what all clients have got when nothing moves any more. */
  async function runStep(client: number, commands: readonly string[][]): Promise<void> {
    const [theirsBefore] = await Promise.all(sides.map(blockedIds));
    if (theirsBefore.includes(client)) return;
    await Promise.all(sides.map((each) => send(each, client, commands)));
    const [theirs, ours] = await Promise.all(sides.map(blockedIds));
    expect(ours).toEqual(theirs);
    const [their, our] = sides;
    for (let i = 0; i < CLIENTS; i += 1) expect(our.clients[i].replies).toEqual(their.clients[i].replies);
  }

  async function send({ clients, watcher }: Side, client: number, commands: readonly string[][]) {
    const { wire, replies } = clients[client];
    const lines = commands.map((words) =>
      words[0] === 'UNBLOCK' ? ['CLIENT', 'UNBLOCK', clients[Number(words[1])].id] : words,
    );
    const before = replies.length;
    wire.socket.write(Buffer.concat(lines.map((words) => requestBytes(...words))));
    let calm = 0;
    for (let looks = 0; calm < CALM_LOOKS && looks < LOOKS_MAX; looks += 1) {
      const isBlocked = (await blockedOf(clients, watcher)).includes(client);
      const isOver = isBlocked || replies.length === before + lines.length;
      calm = isOver ? calm + 1 : 0;
    }
    if (calm < CALM_LOOKS) throw new Error(`no reply to ${JSON.stringify(commands)}`);
    await settle({ clients, watcher });
  }

  /** Until neither the replies nor who waits has changed for some looks. */
  async function settle({ clients, watcher }: Side): Promise<void> {
    let last = '';
    for (let calm = 0; calm < 3 * CALM_LOOKS; calm += 1) {
      const state = JSON.stringify([
        clients.map(({ replies }) => replies),
        await blockedOf(clients, watcher),
      ]);
      if (state !== last) calm = 0;
      last = state;
    }
  }

  async function blockedIds({ clients, watcher }: Side): Promise<number[]> {
    return blockedOf(clients, watcher);
  }

  async function blockedOf(clients: Side['clients'], watcher: Wire): Promise<number[]> {
    const lines = String(await watcher.ask('CLIENT', 'LIST')).split('\n');
    return [...clients.keys()].filter((index) =>
      lines.some((line) => line.startsWith(`id=${clients[index].id} `) && / flags=b /.test(line)),
    );
  }

  it('are refused alike', async () => {
    const refused = [
      ['BLPOP', 'a'],
      ['BLPOP', 'a', 'x'],
      ['BLPOP', 'a', '-1'],
      ['BLPOP', 'a', 'inf'],
      ['BLPOP', 'a', 'nan'],
      ['BLPOP', 'a', '1e400'],
      ['BLMPOP', 'x', '1', 'a', 'LEFT'],
      ['BLMPOP', 'x', '0', 'a', 'LEFT'],
      ['BLMPOP', '-1', '1', 'a', 'LEFT'],
      ['BLMPOP', '1', '2', 'a', 'LEFT'],
      ['BLMPOP', '1', '1', 'a', 'UP'],
      ['BLMPOP', '1', '1', 'a', 'LEFT', 'COUNT'],
      ['BLMPOP', '1', '1', 'a', 'LEFT', 'COUNT', '0'],
      ['BLMPOP', '1', '1', 'a', 'LEFT', 'COUNT', '1', 'COUNT', '1'],
      ['BLMOVE', 'a', 'b', 'LEFT', 'UP', 'x'],
      ['BLMOVE', 'a', 'b', 'LEFT', 'LEFT', 'x'],
      ['BRPOPLPUSH', 'a', 'b', '-1'],
      ['SET', 's', '1'],
      ['BLPOP', 'a', 's', '0'],
      ['BLMOVE', 's', 'a', 'LEFT', 'LEFT', '0'],
      ['BLPOP', 'a', '0.01'],
      ['BLMOVE', 'a', 's', 'LEFT', 'LEFT', '0.01'],
      ['BRPOPLPUSH', 'a', 's', '0.01'],
      ['BLMPOP', '0.01', '2', 'a', 'b', 'LEFT'],
      ['MULTI'],
      ['BLPOP', 'a', '0'],
      ['BLMOVE', 'a', 'b', 'LEFT', 'LEFT', '0'],
      ['BRPOPLPUSH', 'a', 'b', '0'],
      ['BLMPOP', '0', '1', 'a', 'LEFT'],
      ['EXEC'],
      ['HELLO', '3'],
    ];
    for (const { port } of [redis, distcache]) await converse(port, [['FLUSHALL']]);
    const both = await Promise.all(
      [redis.port, distcache.port].map(async (port) => {
        const wire = await openWire(port);
        const replies: unknown[] = [];
        for (const words of refused.slice(0, -1)) replies.push(textOf(await wire.ask(...words)));
        await wire.ask('HELLO', '3');
        for (const words of refused.slice(-14, -1)) replies.push(textOf(await wire.ask(...words)));
        wire.close();
        return replies;
      }),
    );
    expect(both[1]).toEqual(both[0]);
  });
});

/** Until the connection is closed. */
async function readOn(wire: Wire, replies: unknown[]): Promise<void> {
  try {
    for (;;) replies.push(textOf(await wire.reply()));
  } catch {
    // Closed at the end of the program.
  }
}

/** A reply with texts in the place of buffers. */
function textOf(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return `$${reply.toString('latin1')}`;
  return Array.isArray(reply) ? reply.map(textOf) : reply;
}
