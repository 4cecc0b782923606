/** Commands over HTTP as JSON. */
import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, test } from 'vitest';
import { runPipeline } from '../../src/admin/pipeline.ts';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { PIPELINE_COMMANDS_MAX, PIPELINE_REPLY_BYTES_MAX } from '../../src/config/limits.ts';
import { beginFlight, endFlight } from '../../src/durability/log-board.ts';
import { ERROR_REPLIES } from '../../src/metrics/names.ts';
import { isJournalBroken, pendingBytes, startJournaling, takePending } from '../../src/shard/journal.ts';
import { LOCK, WATCHED_ABSENT } from '../../src/shard/layout.ts';
import { whenSettled } from '../../src/threads/settling.ts';
import { createKeyApp, type KeyApp } from '../support/key-app.ts';

const OTHER_THREAD = 77;

const apps: KeyApp[] = [];

function world(...options: Parameters<typeof createKeyApp>): KeyApp {
  const created = createKeyApp(...options);
  apps.push(created);
  return created;
}

async function run({ app }: KeyApp, commands: unknown, query = '') {
  const response = await app.inject({
    method: 'POST',
    url: `/v1/pipeline${query}`,
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(commands),
  });
  return { status: response.statusCode, json: response.json() };
}

afterEach(async () => {
  for (const { app, harness } of apps.splice(0)) {
    await app.close();
    harness.expectWhole();
  }
});

describe('a pipeline', () => {
  test('answers each command in order', async () => {
    const { status, json } = await run(world(), [
      ['SET', 'n', 41],
      ['INCR', 'n'],
      ['GET', 'n'],
      ['GET', 'none'],
      ['MSET', 'a', '1', 'b', '2'],
      ['MGET', 'a', 'b', 'c'],
      ['INCR', 'b', 'too many'],
      ['NOPE'],
      ['CONFIG', 'GET', 'databases'],
      ['EXISTS', 'a', 'b'],
    ]);
    expect(status).toBe(200);
    expect(json).toEqual([
      'OK',
      42,
      '42',
      null,
      'OK',
      ['1', '2', null],
      { error: "ERR wrong number of arguments for 'incr' command" },
      { error: "ERR unknown command 'NOPE', with args beginning with: " },
      { databases: '16' },
      2,
    ]);
  });

  test('answers words that would end a connection, as any unknown command', async () => {
    const { json } = await run(world(), [['POST'], ['HOST:'], ['PING']]);
    const error = 'ERR there is no such command';
    expect(json).toEqual([{ error }, { error }, 'PONG']);
  });

  test('refuses what only looks like base64, since other bytes would be stored', async () => {
    const keys = world();
    for (const base64 of ['!!', 'aGVs bG8=', 'YQ==b', 'é']) {
      const { status, json } = await run(keys, [['SET', 'k', { base64 }]]);
      expect([status, json.detail]).toEqual([400, expect.stringContaining('command 0 is to be an array')]);
    }
    expect((await run(keys, [['SET', 'k', { base64: '_-8' }]])).json).toEqual(['OK']);
    expect((await run(keys, [['GET', 'k']], '?encoding=base64')).json).toEqual([{ base64: '/+8=' }]);
  });

  test('answers with an error in place of a reply beyond what all may have', async () => {
    const keys = world();
    const bytes = PIPELINE_REPLY_BYTES_MAX / 16;
    const { json } = await run(keys, [
      ['SETRANGE', 'k', bytes - 1, 'x'],
      ['STRLEN', 'k'],
      ['MGET', ...Array(16).fill('k')],
      ['SET', 'behind', 1],
    ]);
    const error = 'ERR the replies are too long: ask for less at a time';
    expect(json).toEqual([bytes, bytes, { error }, { error }]);
    expect((await run(keys, [['EXISTS', 'behind']])).json).toEqual([0]);
  });

  test('goes on behind a transaction whose reply is longer than a client may leave unread', async () => {
    const keys = world({ flags: ['--client-output-buffer-limit', 'normal 1mb 0 0'] });
    const { json } = await run(keys, [
      ['SETRANGE', 'k', 2 ** 20 - 1, 'x'],
      ['MULTI'],
      ['GET', 'k'],
      ['SET', 'done', 1],
      ['EXEC'],
      ['LCS', 'done', 'done'],
      ['KEYS', '*'],
    ]);
    const error = 'ERR the replies are too long: ask for less at a time';
    expect(json).toEqual([
      2 ** 20,
      'OK',
      'QUEUED',
      'QUEUED',
      { error },
      '1',
      expect.arrayContaining(['k', 'done']),
    ]);
  });

  test('takes and gives bytes as base64', async () => {
    const keys = world();
    const base64 = Buffer.of(0, 255, 10).toString('base64');
    expect(
      (
        await run(keys, [
          ['SET', { base64 }, { base64 }],
          ['GET', { base64 }],
        ])
      ).json,
    ).toEqual(['OK', { base64 }]);
    const all = await run(
      keys,
      [
        ['SET', 'k', 'v'],
        ['GET', 'k'],
      ],
      '?encoding=base64',
    );
    expect(all.json).toEqual(['OK', { base64: 'dg==' }]);
  });

  test('runs in the database that was named, and leaves no trace of it', async () => {
    const keys = world();
    await run(keys, [['SET', 'k', 'v']], '?db=2');
    expect((await run(keys, [['GET', 'k']])).json).toEqual([null]);
    expect((await run(keys, [['GET', 'k']], '?db=2')).json).toEqual(['v']);
    expect((await run(keys, [], '?db=99')).status).toBe(400);
  });

  test('waits for replies that come later', async () => {
    const keys = world();
    await run(keys, [['MSET', 'x', 'a'.repeat(4000), 'y', 'b'.repeat(4000)]]);
    expect(
      (
        await run(keys, [
          ['LCS', 'x', 'y', 'LEN'],
          ['GET', 'none'],
        ])
      ).json,
    ).toEqual([0, null]);
  });

  test('of no commands answers nothing', async () => {
    expect(await run(world(), [])).toEqual({ status: 200, json: [] });
  });

  test.each([
    ['HELLO', '3'],
    ['AUTH', 'x'],
    ['SELECT', '1'],
    ['QUIT'],
    ['RESET'],
    ['CLIENT', 'REPLY', 'OFF'],
    ['CLIENT', 'SETNAME', 'x'],
    ['CLIENT', 'NOPE'],
    ['SHUTDOWN', 'NOSAVE'],
    ['shutdown'],
    ['MONITOR'],
    ['DEBUG', 'SLEEP', '0'],
    ['WAITAOF', '1', '0', '0'],
  ])('does not run %s %s', async (...command) => {
    const keys = world({ flags: ['--enable-debug-command', 'yes'] });
    const { status, json } = await run(keys, [command.filter((word) => word !== undefined), ['PING']]);
    expect(status).toBe(200);
    expect(json).toEqual([{ error: expect.stringContaining('is not for HTTP') }, 'PONG']);
  });

  test.each([
    ['{}', {}],
    ['a text', 'PING'],
    ['a command that is a text', ['PING']],
    ['an empty command', [[]]],
    ['a null', [['SET', 'k', null]]],
    ['a truth', [['SET', 'k', true]]],
    ['an object', [['SET', 'k', { text: 'x' }]]],
    ['too many', Array.from({ length: PIPELINE_COMMANDS_MAX + 1 }, () => ['PING'])],
  ])('of %s is a problem of status 400', async (_, commands) => {
    const { status, json } = await run(world(), commands);
    expect([status, json.title]).toEqual([400, 'Bad Request']);
  });

  test('that is no JSON, or no JSON type, is a problem', async () => {
    const { app } = world();
    const post = (type: string, payload: string) =>
      app.inject({ method: 'POST', url: '/v1/pipeline', headers: { 'content-type': type }, payload });
    const statuses = [
      (await post('application/json', '[')).statusCode,
      (await post('application/json', '')).statusCode,
      (await post('text/plain', '[]')).statusCode,
      (await post('application/x-www-form-urlencoded', '[]')).statusCode,
    ];
    expect(statuses).toEqual([400, 400, 415, 415]);
  });

  test('goes on behind a command whose shard is busy', async () => {
    const keys = world({ shards: 2 });
    const [first, second] = keys.harness.shards;
    for (const shard of [first, second]) shard.lockWaitMs = 1;
    // {b} and {c}: one key in each shard, whichever.
    await run(keys, [['MSET', 'b', '1', 'c', '1', 'd', '1', 'e', '1']]);
    Atomics.store(second.control, LOCK, OTHER_THREAD);
    const { json } = await run(keys, [
      ['MSET', 'b', '2', 'c', '2', 'd', '2', 'e', '2'],
      ['FLUSHALL'],
      ['PING'],
    ]);
    expect(json).toEqual([
      { error: expect.stringContaining('TRYAGAIN') },
      { error: expect.stringContaining('TRYAGAIN') },
      'PONG',
    ]);
    Atomics.store(second.control, LOCK, 0);
    // Nothing half done, and no lock left.
    expect((await run(keys, [['MGET', 'b', 'c', 'd', 'e']])).json).toEqual([['1', '1', '1', '1']]);
    expect(Atomics.load(first.control, LOCK)).toBe(0);
  });

  test('is one write of the log, and a failure of the log is a problem for all of it', async () => {
    const keys = world();
    for (const shard of keys.harness.shards) startJournaling(shard);
    const commands = Array.from({ length: 50 }, (_, index) => ['SET', `k${index}`, 'v']);
    await run(keys, commands);
    expect(keys.settled.length).toBeLessThan(25);
    keys.settle = () => ({ isSafe: false, errno: 0 });
    const { status, json } = await run(keys, commands);
    expect([status, json.detail]).toEqual([503, expect.stringContaining('the log is broken')]);
  });

  test('waits for the disk, also where another request has had its changes written meanwhile', async () => {
    const keys = world();
    const { runner, harness, settled } = keys;
    const { settling, engine } = runner;
    for (const shard of harness.shards) startJournaling(shard);
    keys.settle = () => {
      for (const shard of harness.shards) takePending(shard, Buffer.alloc(pendingBytes(shard)), 0);
      endFlight(settling.board, 0, beginFlight(settling.board, 0));
      return { isSafe: true, errno: 0 };
    };
    const late = Promise.withResolvers<unknown[]>();
    Object.assign(engine.bus, { requestAll: () => late.promise });
    const commands = [
      ['SET', 'k', 'v'],
      ['SLOWLOG', 'LEN'],
    ];
    const replies = runPipeline(runner, { commands, database: 0, address: '?:0', user: 'default' });
    await new Promise((resolve) => whenSettled(settling, engine.changes, false, resolve));
    late.resolve([0]);
    await replies;
    expect(settled.map(({ isWrite }) => isWrite)).toEqual([false, true]);
  });

  test('of large values waits for the log, however many there are at once', async () => {
    const keys = world({ shards: 1, shardBytes: 2 * 2 ** 20 });
    const [shard] = keys.harness.shards;
    startJournaling(shard);
    keys.settle = () => {
      takePending(shard, Buffer.alloc(pendingBytes(shard)), 0);
      return { isSafe: true, errno: 0 };
    };
    const commands = [
      ['SET', 'k', 'v'.repeat(2 ** 19)],
      ['MSET', 'k', 'v'.repeat(2 ** 19), 'm', ''],
    ];
    const answers = await Promise.all(Array.from({ length: 20 }, () => run(keys, commands)));
    expect(isJournalBroken(shard)).toBe(false);
    expect(answers.map(({ json }) => json)).toEqual(new Array(20).fill(['OK', 'OK']));
  });

  test('has transactions, which end with it', async () => {
    const keys = world();
    const { json } = await run(keys, [
      ['WATCH', 'k', 'none'],
      ['MULTI'],
      ['SET', 'k', '1'],
      ['INCR', 'k'],
      ['MGET', 'k', 'none'],
      ['EXEC'],
      ['WATCH', 'k'],
      ['INCR', 'k'],
      ['MULTI'],
      ['INCR', 'k'],
      ['EXEC'],
      ['WATCH', 'none'],
      ['MULTI'],
      ['DEL', 'k'],
    ]);
    expect(json.slice(5)).toEqual([
      ['OK', 2, ['2', null]],
      'OK',
      3,
      'OK',
      'QUEUED',
      null,
      'OK',
      'OK',
      'QUEUED',
    ]);
    expect(keys.harness.shards.map(({ control }) => control[WATCHED_ABSENT])).toEqual([0, 0, 0]);
    expect((await run(keys, [['EXEC'], ['GET', 'k']])).json).toEqual([
      { error: 'ERR EXEC without MULTI' },
      '3',
    ]);
  });

  test('does not execute a transaction a part of which was refused, or whose watch was', async () => {
    const keys = world({ shards: 1 });
    const [shard] = keys.harness.shards;
    shard.lockWaitMs = 1;
    const aborted = { error: 'EXECABORT Transaction discarded because of previous errors.' };
    const refused = await run(keys, [['MULTI'], ['SET', 'k', '1'], ['SELECT', '1'], ['EXEC'], ['GET', 'k']]);
    expect(refused.json.slice(3)).toEqual([aborted, null]);
    Atomics.store(shard.control, LOCK, OTHER_THREAD);
    const busy = await run(keys, [['MULTI'], ['SET', 'k', '1'], ['EXEC'], ['PING']]);
    expect(busy.json.slice(2)).toEqual([{ error: expect.stringContaining('TRYAGAIN') }, 'PONG']);
    const commands = [
      ['WATCH', 'k'],
      ['SLOWLOG', 'LEN'],
      ['MULTI'],
      ['SET', 'k', '1'],
      ['EXEC'],
      ['GET', 'k'],
    ];
    const late = Promise.withResolvers<unknown[]>();
    Object.assign(keys.harness.engine.bus, { requestAll: () => late.promise });
    const unwatched = run(keys, commands);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    Atomics.store(shard.control, LOCK, 0);
    late.resolve([0]);
    expect((await unwatched).json).toEqual([
      { error: expect.stringContaining('TRYAGAIN') },
      0,
      'OK',
      'QUEUED',
      aborted,
      null,
    ]);
  });

  test('has a transaction of large values wait for the log and executed then, whole', async () => {
    const keys = world({ shards: 1, shardBytes: 2 * 2 ** 20 });
    const [shard] = keys.harness.shards;
    startJournaling(shard);
    keys.settle = () => {
      takePending(shard, Buffer.alloc(pendingBytes(shard)), 0);
      return { isSafe: true, errno: 0 };
    };
    const sets = Array.from({ length: 12 }, (_, i) => ['SET', `k${i % 2}`, 'v'.repeat(2 ** 19)]);
    const commands = [['MULTI'], ...sets, ['EXEC']];
    const answers = await Promise.all(Array.from({ length: 6 }, () => run(keys, commands)));
    expect(isJournalBroken(shard)).toBe(false);
    expect(answers.map(({ json }) => json.at(-1))).toEqual(new Array(6).fill(new Array(12).fill('OK')));
  });

  test('has its errors counted that come later', async () => {
    const keys = world();
    installServerTopics(keys.harness.engine);
    const { json } = await run(keys, [['LATENCY', 'GRAPH', 'none']]);
    expect(json).toEqual([{ error: expect.stringContaining('ERR') }]);
    expect(keys.harness.engine.counters[ERROR_REPLIES]).toBe(1);
  });
});

describe('the listing of keys', () => {
  test('comes to all keys, page by page', async () => {
    const { app, harness } = world();
    const names = Array.from({ length: 300 }, (_, index) => `key:${index}`);
    for (const name of names) harness.run('SET', name, 'v');
    const seen = new Set<string>();
    let cursor = '0';
    let pages = 0;
    do {
      const page = (await app.inject(`/v1/keys?count=20&cursor=${cursor}`)).json();
      for (const key of page.keys) seen.add(key);
      cursor = page.cursor;
      pages += 1;
    } while (cursor !== '0' && pages < 1000);
    expect(seen).toEqual(new Set(names));
    expect(pages).toBeGreaterThan(3);
  });

  test('takes a pattern, a type and bytes', async () => {
    const { app, harness } = world();
    harness.run('SET', 'user:1', 'v');
    harness.run('SET', 'other', 'v');
    harness.run('SET', Buffer.of(255), 'v');
    const list = async (query: string) => (await app.inject(`/v1/keys?count=1000&${query}`)).json();
    expect(await list('match=user:*')).toEqual({ cursor: '0', keys: ['user:1'] });
    expect((await list('type=hash')).keys).toEqual([]);
    expect((await list('')).keys).toContainEqual({ base64: '/w==' });
    expect(await list('match=o*&encoding=base64')).toEqual({ cursor: '0', keys: [{ base64: 'b3RoZXI=' }] });
  });

  test.each(['cursor=x', 'count=0', 'count=1000000', 'nope=1', 'db=16', 'cursor=99999999999999999999999'])(
    '%s is refused',
    async (query) => {
      expect((await world().app.inject(`/v1/keys?${query}`)).statusCode).toBe(400);
    },
  );
});
