/** Keys over HTTP without sockets: conditions, refusals, and when a reply may leave. */
import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, test } from 'vitest';
import { JOURNAL_EVICTION_BYTES_MAX, JOURNAL_SOFT_BYTES } from '../../src/config/limits.ts';
import { closeGate, GATE_LOADING, GATE_LOG, openGate } from '../../src/resilience/gate.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { isJournalBroken, pendingBytes, startJournaling, takePending } from '../../src/shard/journal.ts';
import { EVICTED_KEYS, LOCK } from '../../src/shard/layout.ts';
import { accessWith } from '../support/access.ts';
import { clusterTable } from '../support/cluster-table.ts';
import { createKeyApp, type KeyApp } from '../support/key-app.ts';

const PROBLEM = 'application/problem+json; charset=utf-8';
const ENOSPC = -28;
/** Holds a lock and is none of ours. */
const OTHER_THREAD = 77;

const apps: KeyApp[] = [];

const slotOf = (key: string) => slotOfKey(Buffer.from(key), 0, key.length);

function world(...options: Parameters<typeof createKeyApp>): KeyApp {
  const created = createKeyApp(...options);
  apps.push(created);
  return created;
}

function ask(
  { app }: KeyApp,
  method: 'GET' | 'HEAD' | 'PUT' | 'DELETE',
  name: string,
  { body, ...headers }: Record<string, string> & { body?: string } = {},
) {
  return app.inject({ method, url: `/v1/keys/${name}`, headers, payload: body });
}

function store(keys: KeyApp, name: string, body: string, headers: Record<string, string> = {}) {
  return ask(keys, 'PUT', name, { body, ...headers });
}

afterEach(async () => {
  for (const { app, harness } of apps.splice(0)) {
    await app.close();
    harness.expectWhole();
  }
});

describe('a key', () => {
  test('is created, replaced, read and removed', async () => {
    const keys = world();
    const created = await store(keys, 'k', 'one');
    expect([created.statusCode, created.body]).toEqual([201, '']);
    const replaced = await store(keys, 'k', 'two');
    expect([replaced.statusCode, replaced.body]).toEqual([204, '']);
    expect(replaced.headers.etag).not.toBe(created.headers.etag);
    const read = await ask(keys, 'GET', 'k');
    expect([read.statusCode, read.body, read.headers.etag]).toEqual([200, 'two', replaced.headers.etag]);
    // Bytes of anybody's must not become a page, nor a script of another site.
    expect(read.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'private, no-cache',
    });
    expect(read.headers).not.toHaveProperty('distcache-ttl-ms');
    expect((await ask(keys, 'DELETE', 'k')).statusCode).toBe(204);
    for (const method of ['GET', 'DELETE'] as const) {
      const missing = await ask(keys, method, 'k');
      expect([missing.statusCode, missing.headers['content-type']]).toEqual([404, PROBLEM]);
    }
  });

  test('and its value are any bytes', async () => {
    const keys = world();
    const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const url = '/v1/keys/%00%2F%ff';
    expect((await keys.app.inject({ method: 'PUT', url, payload: value })).statusCode).toBe(201);
    expect((await keys.app.inject({ url })).rawPayload).toEqual(value);
    expect(keys.harness.run('GET', Buffer.from([0, 47, 255]))).toContain('$256');
  });

  test('may be empty, and large', async () => {
    const keys = world();
    expect((await store(keys, 'empty', '')).statusCode).toBe(201);
    const empty = await ask(keys, 'GET', 'empty');
    expect([empty.statusCode, empty.body, empty.headers['content-length']]).toEqual([200, '', '0']);
    const large = 'x'.repeat(3_000_000);
    expect((await store(keys, 'large', large)).statusCode).toBe(201);
    expect((await ask(keys, 'GET', 'large')).body).toBe(large);
  });

  test('is told of without its value by HEAD', async () => {
    const keys = world();
    const { headers } = await store(keys, 'k', 'value');
    const head = await ask(keys, 'HEAD', 'k');
    expect([head.statusCode, head.body]).toEqual([200, '']);
    expect(head.headers).toMatchObject({ etag: headers.etag, 'content-length': '5' });
  });

  test.each([
    ['ttl=10', 10_000],
    ['pttl=10', 10],
  ])('with %s expires', async (query, ttlMs) => {
    const keys = world();
    await store(keys, `k?${query}`, 'v');
    expect((await ask(keys, 'GET', 'k')).headers['distcache-ttl-ms']).toBe(String(ttlMs));
    keys.harness.nowMs += ttlMs - 1;
    expect((await ask(keys, 'GET', 'k')).headers['distcache-ttl-ms']).toBe('1');
    // In its last moment it is still there, and not for ever.
    keys.harness.nowMs += 1;
    expect((await ask(keys, 'GET', 'k')).headers['distcache-ttl-ms']).toBe('1');
    keys.harness.nowMs += 1;
    expect((await ask(keys, 'GET', 'k')).statusCode).toBe(404);
  });

  test('is stored for ever by a PUT without a time', async () => {
    const keys = world();
    await store(keys, 'k?ttl=10', 'v');
    await store(keys, 'k', 'v');
    expect((await ask(keys, 'GET', 'k')).headers).not.toHaveProperty('distcache-ttl-ms');
  });

  test('lives in the database that was named', async () => {
    const keys = world();
    await store(keys, 'k?db=3', 'three');
    expect((await ask(keys, 'GET', 'k')).statusCode).toBe(404);
    expect((await ask(keys, 'GET', 'k?db=3')).body).toBe('three');
    expect((await ask(keys, 'GET', 'k?db=16')).statusCode).toBe(400);
  });

  test('counts as GET, SET and DEL do', async () => {
    const keys = world();
    await store(keys, 'k', 'v');
    await ask(keys, 'GET', 'k');
    await ask(keys, 'GET', 'none');
    const info = keys.harness.run('INFO', 'stats');
    expect(info).toMatch(/keyspace_hits:1\r\nkeyspace_misses:1/);
  });
});

describe('conditions', () => {
  test('If-None-Match: * creates only', async () => {
    const keys = world();
    expect((await store(keys, 'k', '1', { 'if-none-match': '*' })).statusCode).toBe(201);
    const refused = await store(keys, 'k', '2', { 'if-none-match': '*' });
    expect([refused.statusCode, refused.headers['content-type']]).toEqual([412, PROBLEM]);
    expect((await ask(keys, 'GET', 'k')).body).toBe('1');
  });

  test('If-Match replaces and removes only what was seen, and a refusal says what is there', async () => {
    const keys = world();
    const first = (await store(keys, 'k', '1')).headers.etag as string;
    const second = (await store(keys, 'k', '2', { 'if-match': first })).headers.etag as string;
    for (const method of ['PUT', 'DELETE'] as const) {
      const refused = await ask(keys, method, 'k', { body: '3', 'if-match': first });
      expect([refused.statusCode, refused.headers.etag]).toEqual([412, second]);
    }
    expect((await ask(keys, 'DELETE', 'k', { 'if-match': `"x", ${second}` })).statusCode).toBe(204);
    for (const tag of [second, '*']) {
      const gone = await store(keys, 'k', '4', { 'if-match': tag });
      expect([gone.statusCode, gone.headers.etag]).toEqual([412, undefined]);
    }
  });

  test('a change of anything changes the tag: value, time to live, removal and return', async () => {
    const { app, harness } = world();
    const tags = new Set<unknown>();
    const changes = [
      ['SET', 'k', '1'],
      ['SET', 'k', '1'],
      ['APPEND', 'k', 'x'],
      ['EXPIRE', 'k', '100'],
      ['PERSIST', 'k'],
      ['SETRANGE', 'k', '0', 'y'],
      ['DEL', 'k'],
      ['SET', 'k', '1'],
      ['INCR', 'k'],
    ];
    let seen = 0;
    for (const change of changes) {
      harness.run(...change);
      const { headers, statusCode } = await app.inject('/v1/keys/k');
      if (statusCode !== 200) continue;
      tags.add(headers.etag);
      seen += 1;
    }
    expect([tags.size, seen]).toEqual([8, 8]);
  });

  test('reading does not change the tag', async () => {
    const keys = world();
    const { etag } = (await store(keys, 'k', '1')).headers;
    keys.harness.run('GET', 'k');
    keys.harness.run('TOUCH', 'k');
    expect((await ask(keys, 'GET', 'k')).headers.etag).toBe(etag);
  });

  test('If-None-Match on GET is 304 while the value is the same', async () => {
    const keys = world();
    const tag = (await store(keys, 'k', '1')).headers.etag as string;
    for (const method of ['GET', 'HEAD'] as const) {
      const same = await ask(keys, method, 'k', { 'if-none-match': tag });
      expect([same.statusCode, same.body, same.headers.etag]).toEqual([304, '', tag]);
    }
    await store(keys, 'k', '2');
    expect((await ask(keys, 'GET', 'k', { 'if-none-match': tag })).body).toBe('2');
    expect((await ask(keys, 'GET', 'k', { 'if-match': tag })).statusCode).toBe(412);
  });
});

describe('refusals', () => {
  test.each([
    ['%zz', 'percent-encoded'],
    ['k?ttl=x', 'ttl is to be'],
    ['k?ttll=1', "no parameter 'ttll'"],
  ])('PUT %s is a problem of status 400', async (name, detail) => {
    const response = await store(world(), name, 'v');
    expect([response.statusCode, response.headers['content-type']]).toEqual([400, PROBLEM]);
    expect(response.json().detail).toContain(detail);
  });

  test('a value over proto-max-bulk-len, or over what a shard holds, is 413', async () => {
    const keys = world({ flags: ['--proto-max-bulk-len', '1mb'] });
    for (const bytes of [2 ** 20, 2 ** 20 + 1]) {
      expect((await store(keys, 'k', 'x'.repeat(bytes))).statusCode).toBe(bytes > 2 ** 20 ? 413 : 201);
    }
    const small = world({ shardBytes: 2 ** 20 });
    expect((await store(small, 'k', 'x'.repeat(2 ** 20))).statusCode).toBe(413);
    expect((await ask(small, 'GET', 'k')).statusCode).toBe(404);
  });

  test('what maxmemory does not allow is 507', async () => {
    const keys = world({ shards: 1, shardBytes: 2 ** 20, flags: ['--maxmemory-policy', 'noeviction'] });
    let status = 0;
    for (let i = 0; i < 300 && status !== 507; i += 1) {
      status = (await store(keys, `k${i}`, 'x'.repeat(10_000))).statusCode;
    }
    expect(status).toBe(507);
  });

  test('while data is loaded, or the log cannot be written: 503, to be tried again', async () => {
    const keys = world();
    const { gate } = keys.harness.engine;
    closeGate(gate, GATE_LOADING);
    const loading = await ask(keys, 'GET', 'k');
    expect([loading.statusCode, loading.headers['retry-after']]).toEqual([503, '1']);
    openGate(gate, GATE_LOADING);
    closeGate(gate, GATE_LOG, ENOSPC);
    const refused = await store(keys, 'k', 'v');
    expect(refused.statusCode).toBe(503);
    expect(refused.json().detail).toContain('No space left on device');
    expect((await ask(keys, 'GET', 'k')).statusCode).toBe(404);
  });

  test('a shard whose lock another holds is 503, soon, and nothing is done', async () => {
    const keys = world({ shards: 1 });
    const [shard] = keys.harness.shards;
    shard.lockWaitMs = 1;
    Atomics.store(shard.control, LOCK, OTHER_THREAD);
    for (const method of ['PUT', 'GET', 'DELETE'] as const) {
      const busy = await ask(keys, method, 'k', { body: 'v' });
      expect([busy.statusCode, busy.headers['retry-after']]).toEqual([503, '1']);
    }
    // Main does not wait for it again in this moment.
    expect(shard.lockWaitMs).toBe(0);
    Atomics.store(shard.control, LOCK, 0);
    expect((await ask(keys, 'GET', 'k')).statusCode).toBe(404);
  });

  test('the password is needed', async () => {
    const keys = world({}, { access: accessWith('secret') });
    expect((await store(keys, 'k', 'v')).statusCode).toBe(401);
    expect((await store(keys, 'k', 'v', { authorization: 'Bearer secret' })).statusCode).toBe(201);
    // User default, and none.
    for (const user of ['default', '']) {
      const basic = Buffer.from(`${user}:secret`).toString('base64');
      expect((await ask(keys, 'GET', 'k', { authorization: `Basic ${basic}` })).body).toBe('v');
    }
  });

  test('a page of another site may not store', async () => {
    const keys = world({}, { access: accessWith('secret') });
    const headers = { authorization: 'Bearer secret', origin: 'http://evil.example' };
    expect((await store(keys, 'k', 'v', headers)).statusCode).toBe(403);
    expect((await ask(keys, 'GET', 'k', { authorization: 'Bearer secret' })).statusCode).toBe(404);
  });

  test('in protected mode nobody from elsewhere may come, but for health', async () => {
    const exposure = { isProtected: () => true, hosts: () => [], hostname: '' };
    const { app } = world({}, { exposure });
    const from = (remoteAddress: string, url: string) => app.inject({ url, remoteAddress });
    for (const url of ['/v1/keys/k', '/v1/keys', '/metrics', '/docs/json']) {
      const refused = await from('192.0.2.7', url);
      expect([refused.statusCode, refused.json().detail]).toEqual([
        403,
        expect.stringContaining('protected-mode'),
      ]);
    }
    expect((await from('192.0.2.7', '/livez')).statusCode).toBe(200);
    for (const own of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
      expect((await from(own, '/v1/keys')).statusCode).toBe(200);
  });
});

describe('the log', () => {
  function logged(): KeyApp {
    const keys = world({ shards: 2 });
    for (const shard of keys.harness.shards) startJournaling(shard);
    return keys;
  }

  test('is written by a worker before the reply of a change leaves', async () => {
    const keys = logged();
    const { promise, resolve } = Promise.withResolvers<{ isSafe: boolean; errno: number }>();
    const asked = Promise.withResolvers<void>();
    keys.settle = () => {
      asked.resolve();
      return promise;
    };
    let isAnswered = false;
    const stored = store(keys, 'k', 'v').then((response) => {
      isAnswered = true;
      return response;
    });
    await asked.promise;
    await new Promise(setImmediate);
    expect([isAnswered, keys.settled.length, keys.settled[0].isWrite]).toEqual([false, 1, true]);
    resolve({ isSafe: true, errno: 0 });
    expect((await stored).statusCode).toBe(201);
  });

  test('that cannot be written makes a problem that is not to be tried again', async () => {
    const keys = logged();
    keys.settle = () => ({ isSafe: false, errno: ENOSPC });
    const failed = await store(keys, 'k', 'v');
    expect([failed.statusCode, failed.headers['retry-after']]).toEqual([503, undefined]);
    expect(failed.json().detail).toContain('No space left on device');
  });

  test('is written before a read shows what others have changed, whose failure is not the reader’s', async () => {
    const keys = logged();
    keys.harness.run('SET', 'k', 'v');
    keys.settle = () => ({ isSafe: false, errno: 0 });
    expect((await ask(keys, 'GET', 'k')).body).toBe('v');
    expect(keys.settled.map(({ isWrite }) => isWrite)).toEqual([false]);
  });

  test('is asked for once for all requests of a turn', async () => {
    const keys = logged();
    const names = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const replies = await Promise.all(names.map((name) => store(keys, name, 'v')));
    expect(replies.every(({ statusCode }) => statusCode === 201)).toBe(true);
    expect(new Set(replies.map(({ headers }) => headers.etag)).size).toBe(names.length);
    expect(keys.settled.length).toBeLessThan(10);
    expect(new Set(keys.settled.flatMap(({ shards }) => shards))).toEqual(new Set([0, 1]));
  });

  test('of others is not asked for by a read that shows nothing pending', async () => {
    const keys = world();
    await ask(keys, 'GET', 'k');
    await store(keys, 'k', 'v');
    expect(keys.settled).toEqual([]);
  });
});

test('many large values at once never are more than the journal holds', async () => {
  const keys = world({ shards: 1, shardBytes: 2 * 2 ** 20 });
  const [shard] = keys.harness.shards;
  startJournaling(shard);
  keys.settle = () => {
    takePending(shard, Buffer.alloc(pendingBytes(shard)), 0);
    return { isSafe: true, errno: 0 };
  };
  const body = 'v'.repeat(2 ** 19);
  const answers = await Promise.all(Array.from({ length: 40 }, () => store(keys, 'k', body)));
  expect(isJournalBroken(shard)).toBe(false);
  expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual(
    [201, ...new Array(39).fill(204)].sort(),
  );
});

test('a large value for which many small ones go does not fill the journal with their records', async () => {
  const keys = world({ shards: 1, shardBytes: 16 * 2 ** 20 });
  const [shard] = keys.harness.shards;
  for (let round = 0; shard.numbers[EVICTED_KEYS] === 0; round += 1) {
    keys.harness.run('MSET', ...Array.from({ length: 500 }, (_, index) => [`${round}:${index}`, '']).flat());
  }
  startJournaling(shard);
  let pendingMax = 0;
  keys.settle = () => {
    pendingMax = Math.max(pendingMax, pendingBytes(shard));
    takePending(shard, Buffer.alloc(pendingBytes(shard)), 0);
    return { isSafe: true, errno: 0 };
  };
  const valueBytes = 15 * 2 ** 20;
  expect((await store(keys, 'large', 'v'.repeat(valueBytes))).statusCode).toBe(201);
  expect(isJournalBroken(shard)).toBe(false);
  expect(pendingMax).toBeLessThan(valueBytes + JOURNAL_EVICTION_BYTES_MAX + JOURNAL_SOFT_BYTES);
});

describe('in a cluster', () => {
  test('a key of another node is asked for there: the answer says where its pages are', async () => {
    const cluster = clusterTable({ nodes: 2, ownerOf: (slot) => (slot === slotOf('k') ? 0 : 1) });
    const keys = world({ cluster });
    expect((await store(keys, 'k', 'here')).statusCode).toBe(201);
    for (const method of ['GET', 'PUT', 'DELETE'] as const) {
      const answer = await ask(keys, method, 'other');
      expect([answer.statusCode, answer.headers['content-type']]).toEqual([421, PROBLEM]);
      expect(answer.headers['distcache-node']).toBe('127.0.0.1:8001');
      expect(answer.json().detail).toBe('the key is on another node: ask 127.0.0.1:8001');
    }
  });

  test('a node without a lease serves none, and says so', async () => {
    const keys = world({ cluster: clusterTable({ ownerOf: () => 0, leaseEndsMs: 0 }) });
    const answer = await ask(keys, 'GET', 'k');
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1']);
    expect(answer.json().detail).toBe('CLUSTERDOWN The cluster is down');
  });
});
