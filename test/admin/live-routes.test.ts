/** Tests of the pages of live data by injection, over an engine without threads. */
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { createAdminApp } from '../../src/admin/app.ts';
import { type ConfigRow, configRows } from '../../src/admin/config-routes.ts';
import { addSample, createHistory, SAMPLE_FIELDS, type SampleFigures } from '../../src/admin/history.ts';
import { createLiveHub } from '../../src/admin/live.ts';
import { readState } from '../../src/admin/live-state.ts';
import { type Ring, ringOfSlots } from '../../src/admin/ring-routes.ts';
import { shownKey } from '../../src/admin/shown-key.ts';
import { installClientTopics } from '../../src/commands/client.ts';
import { installSlowLog } from '../../src/commands/slow-log.ts';
import { applyDirectives } from '../../src/config/config.ts';
import { takeReading } from '../../src/metrics/reading.ts';
import { createBigKeysSearch } from '../../src/threads/big-keys.ts';
import { accessWith } from '../support/access.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { sampleSources } from '../support/sample-reading.ts';

const apps: FastifyInstance[] = [];

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

function createPages(harness: Harness = createHarness(), password = '') {
  const { engine } = harness;
  installClientTopics(engine);
  installSlowLog(engine);
  const history = createHistory(['get', 'set']);
  const hub = createLiveHub({
    sample: () => undefined,
    state: () => readState(engine, { ready: true, checks: [] }, () => ({ turnP99Us: 0, loopDelayP99Ms: 0 })),
    monotonicMs: () => 0,
  });
  const bigKeys = createBigKeysSearch(undefined as never);
  const now = () => ({ wallMs: harness.nowMs, monotonicMs: 5000 });
  const app = createAdminApp({
    reading: () => takeReading(sampleSources()),
    readiness: () => ({ ready: true, checks: [] }),
    access: accessWith(password),
    live: { engine, history, now, hub, bigKeys, stop: () => undefined },
  });
  apps.push(app);
  const getJson = async <Answer>(url: string): Promise<Answer> => {
    const response = await app.inject(url);
    expect(response.statusCode, response.body).toBe(200);
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    return response.json<Answer>();
  };
  return { harness, app, history, bigKeys, getJson };
}

const PATHS = [
  'history',
  'slowlog',
  'hot-keys',
  'miss-ratio',
  'big-keys',
  'clients',
  'config',
  'ring',
  'live',
];

describe('the pages of live data', () => {
  test('want the password when there is one', async () => {
    const { app } = createPages(createHarness(), 'secret');
    for (const path of PATHS) expect((await app.inject(`/v1/${path}`)).statusCode).toBe(401);
    for (const url of ['/v1/slowlog/reset', '/v1/big-keys'])
      expect((await app.inject({ method: 'POST', url })).statusCode).toBe(401);
    expect((await app.inject({ method: 'DELETE', url: '/v1/clients/1' })).statusCode).toBe(401);
  });

  test('/v1/history has the samples that were taken', async () => {
    const { history, harness, getJson } = createPages();
    expect(await getJson('/v1/history')).toEqual({ intervalMs: 1000, samples: [] });
    const figures = Object.fromEntries(SAMPLE_FIELDS.map((field) => [field, 1])) as SampleFigures;
    addSample(history, { monotonicMs: 4000, elapsedMs: 1000 }, figures, Float64Array.of(3, 4));
    const { samples } = await getJson<{ samples: object[] }>('/v1/history');
    const first = { t: harness.nowMs - 1000, opsPerSecond: 1, commands: { set: 4, get: 3, other: 0 } };
    expect(samples).toMatchObject([first]);
  });

  test('are described, each with what it answers', async () => {
    const { app } = createPages();
    await app.ready();
    const { paths } = app.swagger() as { paths: Record<string, Record<string, { summary?: string }>> };
    for (const path of PATHS) expect(paths[`/v1/${path}`]?.get.summary).toEqual(expect.any(String));
    expect(Object.keys(paths['/v1/big-keys'])).toContain('post');
    expect(Object.keys(paths['/v1/clients/{id}'])).toContain('delete');
  });
});

describe('/v1/clients', () => {
  type Answer = { total: number; clients: Record<string, unknown>[] };

  test('has every field of CLIENT LIST, and what the client did', async () => {
    const { harness, getJson } = createPages();
    harness.run('CLIENT', 'SETNAME', 'somebody');
    harness.nowMs += 3000;
    const { total, clients } = await getJson<Answer>('/v1/clients');
    expect(total).toBe(1);
    const line = harness.run('CLIENT', 'INFO').split('\r\n')[1].trim();
    const fields = Object.fromEntries(line.split(' ').map((field) => field.split(/=(.*)/s).slice(0, 2)));
    const [{ worker, connectedAtMs, commands, bytesIn, bytesOut, ...told }] = clients;
    expect(connectedAtMs).toBe(harness.nowMs - 3000);
    expect(Object.keys(told)).toEqual(Object.keys(fields));
    // The line was written by a later command.
    const asText = Object.entries(told).map(([name, value]) => [name, String(value)]);
    expect(Object.fromEntries(asText)).toEqual({ ...fields, cmd: 'client|setname' });
    expect([worker, typeof commands, typeof bytesIn, typeof bytesOut]).toEqual([
      0,
      'number',
      'number',
      'number',
    ]);
  });

  test('has the busiest first, or the newest, and says how many there are', async () => {
    const { harness, getJson } = createPages();
    for (let index = 0; index < 4; index += 1) {
      harness.nowMs += index === 3 ? -1000 : 1;
      harness.connect();
    }
    [...harness.engine.sessions.values()].forEach((session, index) => {
      session.commandsProcessed = [5, 9, 1, 9, 0][index];
    });
    const idsOf = async (query: string) => {
      const { total, clients } = await getJson<Answer>(`/v1/clients${query}`);
      expect(total).toBe(5);
      return clients.map(({ id }) => id);
    };
    expect(await idsOf('')).toEqual([4, 2, 1, 3, 5]);
    expect(await idsOf('?limit=2')).toEqual([4, 2]);
    expect(await idsOf('?limit=3&order=newest')).toEqual([4, 3, 2]);
  });

  test('asks each thread for no more than are wanted', async () => {
    const { harness } = createPages();
    for (let index = 0; index < 4; index += 1) harness.connect();
    const [answer] = await harness.engine.bus.requestAll('client-records', { limit: 2, order: 'newest' });
    expect(answer).toMatchObject({ total: 5, clients: [{ id: 5 }, { id: 4 }] });
    expect((answer as Answer).clients).toHaveLength(2);
  });

  test('closes a client by its id, once', async () => {
    const { harness, app } = createPages();
    harness.connect();
    const closed: number[] = [];
    for (const session of harness.engine.sessions.values())
      Object.assign(session.connection, {
        destroy: () => {
          closed.push(session.id);
          harness.engine.sessions.delete(session.id);
        },
      });
    const kill = (id: string) => app.inject({ method: 'DELETE', url: `/v1/clients/${id}` });
    expect((await kill('2')).statusCode).toBe(204);
    expect(closed).toEqual([2]);
    const again = await kill('2');
    expect([again.statusCode, again.json().detail]).toEqual([404, 'there is no client 2']);
    for (const id of ['0', '-1', 'x', '1.5']) expect((await kill(id)).statusCode).toBe(400);
    expect(closed).toEqual([2]);
  });

  test.each(['?limit=0', '?limit=1001', '?limit=x', '?order=oldest'])('refuses %s', async (query) => {
    expect((await createPages().app.inject(`/v1/clients${query}`)).statusCode).toBe(400);
  });
});

describe('/v1/config', () => {
  test('has every directive that is not hidden, with its default and whether it differs', async () => {
    const harness = createHarness();
    applyDirectives(harness.engine.config, [['maxkeys', '77']]);
    const rows = await createPages(harness).getJson<ConfigRow[]>('/v1/config');
    const names = rows.map(({ name }) => name);
    expect(names).toEqual(names.toSorted());
    expect(new Set(names).size).toBe(names.length);
    const maxkeys = rows.find(({ name }) => name === 'maxkeys');
    expect(maxkeys).toEqual({
      ...{ name: 'maxkeys', value: '77', default: '0', differs: true, mutable: true },
      help: expect.stringContaining('keys'),
    });
    for (const { value, default: preset, differs } of rows) expect(differs).toBe(value !== preset);
  });

  test('tells of secrets only whether they are set', () => {
    const { texts, defaultTexts } = createHarness().engine.config;
    const secrets = [
      'requirepass',
      'masterauth',
      'masteruser',
      'tls-key-file-pass',
      'tls-client-key-file-pass',
    ];
    const set = { ...texts, ...Object.fromEntries(secrets.map((name) => [name, 'hush'])) };
    const rows = configRows({ texts: set, defaultTexts });
    expect(JSON.stringify(rows)).not.toContain('hush');
    for (const name of secrets)
      expect(rows.find((row) => row.name === name)).toMatchObject({
        value: '(set)',
        default: '',
        differs: true,
      });
    for (const { value } of configRows({ texts, defaultTexts })) expect(value).not.toBe('(set)');
  });
});

describe('/v1/ring', () => {
  test('has every slot once, with the shard that it has in the table', async () => {
    const { harness, getJson } = createPages();
    const { slots, owners, ranges } = await getJson<Ring>('/v1/ring');
    const table: number[] = [];
    for (const [first, last, shard] of ranges) {
      expect(first).toBe(table.length);
      for (let slot = first; slot <= last; slot += 1) table.push(shard);
    }
    expect(table).toEqual([...harness.engine.slotShard]);
    expect(slots).toBe(16384);
    expect(owners.map(({ shard }) => shard)).toEqual([0, 1, 2]);
    expect(owners.reduce((sum, owner) => sum + owner.slots, 0)).toBe(16384);
    for (const owner of owners) expect(owner.share).toBe(owner.slots / 16384);
  });

  test('joins slots that follow each other', () => {
    expect(ringOfSlots(Uint16Array.of(1, 1, 0, 1, 1, 1), [1, 5]).ranges).toEqual([
      [0, 1, 1],
      [2, 2, 0],
      [3, 5, 1],
    ]);
  });
});

describe('the state', () => {
  test('has every shard and worker, and agrees with the engine', () => {
    const harness = createHarness();
    for (let index = 0; index < 50; index += 1) harness.run('SET', `key:${index}`, 'value');
    const checks = [
      { name: 'log', ok: false, reason: 'the disk is full' },
      { name: 'running', ok: true, reason: 'the server is stopping' },
    ];
    const engine = { ...harness.engine, workerCount: 2 };
    const state = readState(engine, { ready: false, checks }, () => ({
      turnP99Us: 1.23456,
      loopDelayP99Ms: 2,
    }));
    expect(state.shards.map(({ index, owner }) => [index, owner])).toEqual([
      [0, 0],
      [1, 1],
      [2, 0],
    ]);
    expect(state.shards.reduce((sum, { keys }) => sum + keys, 0)).toBe(50);
    expect(state.shards.reduce((sum, { slots }) => sum + slots, 0)).toBe(16384);
    expect(state.ready).toEqual({
      ready: false,
      checks: [
        { name: 'log', ok: false, reason: 'the disk is full' },
        { name: 'running', ok: true, reason: '' },
      ],
    });
    expect(state.log).toMatchObject({ enabled: false, breaker: 'closed', troubled: false, streams: [] });
    expect(state.snapshot).toMatchObject({ running: false, lastFailed: false });
    expect(state.loading.loading).toBe(false);
  });
});

describe('a key that is shown', () => {
  test('is text where it is UTF-8, else base64', () => {
    expect(shownKey(Buffer.from('käse'), 5)).toEqual({ key: 'käse', base64: false, keyBytes: 5 });
    expect(shownKey(Buffer.of(), 0)).toEqual({ key: '', base64: false, keyBytes: 0 });
    expect(shownKey(Buffer.of(0xff, 0), 2)).toEqual({ key: '/wA=', base64: true, keyBytes: 2 });
  });

  test('loses a character that was cut in two, but not one that is broken', () => {
    const whole = Buffer.from('ab€');
    for (const end of [3, 4]) {
      const part = whole.subarray(0, end);
      expect(shownKey(part, 5)).toEqual({ key: 'ab', base64: false, keyBytes: 5 });
      expect(shownKey(part, end).base64).toBe(true);
    }
    expect(shownKey(Buffer.of(0x61, 0xff, 0x61, 0x61, 0x61), 9).base64).toBe(true);
  });
});
