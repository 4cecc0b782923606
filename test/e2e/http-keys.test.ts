/** Keys over HTTP against the real server: many clients at once, kill -9, the death of a worker, other sites, limits. */
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HTTP_WAITING_REQUESTS_MAX } from '../../src/config/limits.ts';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { createDataFolder, type DataFolder, killServer } from '../support/lasting-folder.ts';
import { eventually } from '../support/readings.ts';
import { openWire } from '../support/wire.ts';

const HOST = '127.0.0.1';
const BROWSER = { 'user-agent': 'Mozilla/5.0' };
const PROBLEM = 'application/problem+json; charset=utf-8';

/** What the browsers of other sites' pages say. */
const FOREIGN: readonly Record<string, string>[] = [
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { origin: 'http://evil.example' },
  { origin: 'null' },
  { ...BROWSER, host: 'evil.example' },
];

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: string };

/** `fetch` decides itself on some of the headers that are tested here. */
function ask(
  port: number,
  method: string,
  path: string,
  { body, ...headers }: Record<string, string> & { body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: HOST, port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** What comes back for these bytes until the server closes. */
function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, HOST);
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(received));
    socket.on('error', reject);
    socket.write(text);
  });
}

describe('a server with two workers', () => {
  let server: DistcacheServer;
  beforeAll(async () => {
    server = await startDistcache(['--enable-debug-command', 'yes', '--proto-max-bulk-len', '2mb']);
  });
  afterAll(() => server.stop());

  const http = (...args: Parameters<typeof ask> extends [number, ...infer Rest] ? Rest : never) =>
    ask(server.httpPort, ...args);

  it('shows RESP clients what HTTP clients store, and the other way round', async () => {
    const wire = await openWire(server.port);
    for (let index = 0; index < 50; index += 1) {
      expect((await http('PUT', `/v1/keys/both:${index}?ttl=100`, { body: `v${index}` })).status).toBe(201);
      expect(await wire.ask('GET', `both:${index}`)).toBe(`v${index}`);
      await wire.ask('SET', `both:${index}`, 'resp');
      expect((await http('GET', `/v1/keys/both:${index}`)).body).toBe('resp');
    }
    wire.close();
  });

  it('loses no update of a counter that many clients change with If-Match', async () => {
    const clients = 10;
    const each = 10;
    await http('PUT', '/v1/keys/counter', { body: '0' });
    let conflicts = 0;
    const addOne = async (): Promise<void> => {
      for (;;) {
        const { body, headers } = await http('GET', '/v1/keys/counter');
        const tag = String(headers.etag);
        const { status } = await http('PUT', '/v1/keys/counter', {
          body: `${Number(body) + 1}`,
          'if-match': tag,
        });
        if (status === 204) return;
        expect(status).toBe(412);
        conflicts += 1;
      }
    };
    const client = async (): Promise<void> => {
      for (let round = 0; round < each; round += 1) await addOne();
    };
    await Promise.all(Array.from({ length: clients }, client));
    expect((await http('GET', '/v1/keys/counter')).body).toBe(String(clients * each));
    expect(conflicts).toBeGreaterThan(0);
  });

  it('loses no update of a counter to commands of RESP in between', async () => {
    await http('PUT', '/v1/keys/mixed', { body: '0' });
    const wire = await openWire(server.port);
    let added = 0;
    const byHttp = async (): Promise<void> => {
      for (let round = 0; round < 50; round += 1) {
        const { body, headers } = await http('GET', '/v1/keys/mixed');
        const reply = await http('PUT', '/v1/keys/mixed', {
          body: `${Number(body) + 1}`,
          'if-match': String(headers.etag),
        });
        if (reply.status === 204) added += 1;
      }
    };
    const byResp = async (): Promise<void> => {
      for (let round = 0; round < 300; round += 1) await wire.ask('INCR', 'mixed');
    };
    await Promise.all([byHttp(), byHttp(), byResp()]);
    expect((await http('GET', '/v1/keys/mixed')).body).toBe(String(300 + added));
    wire.close();
  });

  it('lets one of many clients create a key with If-None-Match: *', async () => {
    const create = () => http('PUT', '/v1/keys/once', { body: 'x', 'if-none-match': '*' });
    const statuses = (await Promise.all(Array.from({ length: 30 }, create))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 412)).toHaveLength(29);
  });

  it('answers pipelined requests of one connection in order', async () => {
    const requests = Array.from({ length: 20 }, (_, index) => {
      const last = index === 19 ? 'Connection: close\r\n' : '';
      return `PUT /v1/keys/order HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n${10 + index}GET /v1/keys/order HTTP/1.1\r\nHost: x\r\n${last}\r\n`;
    });
    const received = await sendRaw(server.httpPort, requests.join(''));
    const values = [...received.matchAll(/\r\n\r\n(\d\d)HTTP|\r\n\r\n(\d\d)$/g)].map(
      (match) => match[1] ?? match[2],
    );
    expect(values).toEqual(Array.from({ length: 20 }, (_, index) => String(10 + index)));
  });

  it('cuts off who sends ever more requests behind one that is not answered', async () => {
    const one = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n';
    const stream = 'GET /v1/live HTTP/1.1\r\nHost: x\r\n\r\n';
    // None of them is answered, for the stream does not end: the server closes.
    expect(await sendRaw(server.httpPort, stream + one.repeat(HTTP_WAITING_REQUESTS_MAX + 1))).not.toContain(
      'ok\n',
    );
    const last = one.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
    const answered = await sendRaw(server.httpPort, one.repeat(HTTP_WAITING_REQUESTS_MAX) + last);
    expect(answered.match(/HTTP\/1.1 200/g)).toHaveLength(HTTP_WAITING_REQUESTS_MAX + 1);
  });

  it('takes the key of a whole URL, as proxies get it, and of no other spelling of the route', async () => {
    const whole = `http://${HOST}:${server.httpPort}/v1/keys/whole%2F1`;
    expect((await http('PUT', `${whole}?ttl=100`, { body: 'x' })).status).toBe(201);
    expect((await http('GET', '/v1/keys/whole%2F1')).body).toBe('x');
    expect((await http('GET', whole)).body).toBe('x');
    for (const path of ['/v1/%6Beys/whole%2F1', '/%761/keys/w', `http://${HOST}/v1/key%73/w`])
      expect((await http('PUT', path, { body: 'y' })).status).toBe(404);
    expect(JSON.parse((await http('GET', '/v1/keys?count=1000&match=*w*')).body).keys).toEqual(['whole/1']);
  });

  it('refuses other sites, and says how to be known by another name', async () => {
    const put = (headers: Record<string, string>) => http('PUT', '/v1/keys/site', { body: 'x', ...headers });
    const post = (headers: Record<string, string>) =>
      http('POST', '/v1/pipeline', { body: '[]', 'content-type': 'application/json', ...headers });
    for (const send of [put, post]) {
      for (const headers of FOREIGN) {
        const { status, headers: told } = await send(headers);
        expect([status, told['content-type']]).toEqual([403, PROBLEM]);
      }
      const own = `${HOST}:${server.httpPort}`;
      expect(
        (await send({ ...BROWSER, host: own, origin: `http://${own}`, 'sec-fetch-site': 'same-origin' }))
          .status,
      ).toBeLessThan(300);
    }
    const named = { ...BROWSER, host: 'cache.example' };
    expect(JSON.parse((await http('GET', '/v1/keys/site', named)).body).detail).toContain(
      'CONFIG SET http-hosts',
    );
    const wire = await openWire(server.port);
    await wire.ask('CONFIG', 'SET', 'http-hosts', 'cache.example');
    expect((await http('GET', '/v1/keys/site', named)).status).toBe(200);
    await wire.ask('CONFIG', 'SET', 'http-hosts', '');
    wire.close();
  });

  it('takes a password that is set at run time', async () => {
    const wire = await openWire(server.port);
    await wire.ask('CONFIG', 'SET', 'requirepass', 'secret');
    for (const path of ['/v1/keys/k', '/v1/keys', '/docs/json', '/nothing']) {
      const { status, headers } = await http('GET', path);
      expect([status, headers['www-authenticate']]).toEqual([401, expect.stringContaining('Bearer')]);
    }
    expect((await http('GET', '/v1/keys', { authorization: 'Bearer secret' })).status).toBe(200);
    await wire.ask('CONFIG', 'SET', 'requirepass', '');
    wire.close();
  });

  it('refuses what is too large before it has come', async () => {
    const head = `PUT /v1/keys/large HTTP/1.1\r\nHost: x\r\nContent-Length: ${2 ** 21 + 1}\r\n\r\n`;
    expect(await sendRaw(server.httpPort, head)).toMatch(/^HTTP\/1.1 413 [\s\S]*proto-max-bulk-len/);
    const chunk = `${(2 ** 20).toString(16)}\r\n${'x'.repeat(2 ** 20)}\r\n`;
    const chunked = `PUT /v1/keys/large HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}1\r\n`;
    expect(await sendRaw(server.httpPort, `${chunked}x`)).toMatch(/^HTTP\/1.1 413 /);
    const value = 'y'.repeat(2 ** 21);
    expect((await http('PUT', '/v1/keys/large', { body: value })).status).toBe(201);
    expect((await http('GET', '/v1/keys/large')).body).toBe(value);
    const long = await ask(server.httpPort, 'GET', `/v1/keys/${'a'.repeat(70_000)}`);
    expect([long.status, long.headers['content-type']]).toEqual([431, PROBLEM]);
    const body = `["${'x'.repeat(17 * 2 ** 20)}"]`;
    expect(
      await sendRaw(
        server.httpPort,
        `POST /v1/pipeline HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
      ),
    ).toMatch(/^HTTP\/1.1 413 [\s\S]*problem\+json/);
  });

  it('answers what is no HTTP with a problem', async () => {
    const answer = await sendRaw(server.httpPort, 'PING\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\nContent-Type: application\/problem\+json/);
  });

  it('stays up, and answers at once, while the lock of a shard is held by a worker that has died', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `death:${index}`);
    for (const name of names) await http('PUT', `/v1/keys/${name}`, { body: 'before' });
    const dying = await openWire(server.port);
    dying.socket.write('DEBUG WORKER-DIE-HOLDING-LOCK\r\n');
    const store = async (name: string) => (await http('PUT', `/v1/keys/${name}`, { body: 'after' })).status;
    const statuses = await Promise.all(names.map(store));
    for (const status of statuses) expect([204, 503]).toContain(status);
    await dying.closed;
    // Refused ones are stored when they are tried again: the log is begun anew after such a death.
    for (const name of names) await eventually(async () => (await store(name)) === 204);
    for (const name of names) expect((await http('GET', `/v1/keys/${name}`)).body).toBe('after');
  });
});

describe('what was answered', () => {
  const folders: DataFolder[] = [];
  afterEach(async () => {
    for (const folder of folders.splice(0)) await folder.remove();
  });

  it.each(['always', 'everysec'])('is there after kill -9, with appendfsync %s', async (policy) => {
    const folder = createDataFolder();
    folders.push(folder);
    const server = await folder.start(['--appendonly', 'yes', '--appendfsync', policy]);
    const acknowledged = new Map<string, string>();
    let isRunning = true;
    const client = async (number: number): Promise<void> => {
      for (let round = 0; isRunning; round += 1) {
        const [name, body] = [`k${number}:${round % 5}`, String(round)];
        const reply = await ask(server.httpPort, 'PUT', `/v1/keys/${name}`, { body }).catch(() => undefined);
        if (reply === undefined) return;
        expect([201, 204]).toContain(reply.status);
        acknowledged.set(name, body);
      }
    };
    const clients = Array.from({ length: 8 }, (_, number) => client(number));
    await eventually(() => acknowledged.size === 40);
    await killServer(server);
    isRunning = false;
    await Promise.all(clients);
    const again = await folder.start();
    for (const [name, body] of acknowledged) {
      const value = Number((await ask(again.httpPort, 'GET', `/v1/keys/${name}`)).body);
      // One more may have been under way.
      expect([Number(body), Number(body) + 5]).toContain(value);
    }
  });

  it('has another tag after a start, so that a lost change is not taken for a new one', async () => {
    const folder = createDataFolder();
    folders.push(folder);
    const server = await folder.start();
    await ask(server.httpPort, 'PUT', '/v1/keys/k', { body: 'v' });
    const before = (await ask(server.httpPort, 'GET', '/v1/keys/k')).headers.etag;
    await server.stop();
    const again = await folder.start();
    const { body, headers } = await ask(again.httpPort, 'GET', '/v1/keys/k');
    expect(body).toBe('v');
    expect(headers.etag).not.toBe(before);
  });
});
