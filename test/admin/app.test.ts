/** Tests of the HTTP app: routes by injection, and the listening by real sockets. */
import { connect, createServer } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { createAdminApp, listenAdmin } from '../../src/admin/app.ts';
import type { AdminSources, Readiness } from '../../src/admin/sources.ts';
import { StartError } from '../../src/base/errors.ts';
import { takeReading } from '../../src/metrics/reading.ts';
import { accessWith, setDefaultPassword } from '../support/access.ts';
import { parsePrometheusText } from '../support/prometheus-parser.ts';
import { sampleSources } from '../support/sample-reading.ts';

const READY: Readiness = { ready: true, checks: [{ name: 'workers', ok: true }] };
const NOT_READY: Readiness = {
  ready: false,
  checks: [
    { name: 'workers', ok: true },
    { name: 'log', ok: false, reason: 'the disk is full' },
    { name: 'peers', ok: false },
  ],
};
const PROBLEM = 'application/problem+json; charset=utf-8';
const HOST = '127.0.0.1';

const apps: FastifyInstance[] = [];

function appOf(sources: Partial<AdminSources> = {}): FastifyInstance {
  const app = createAdminApp({
    reading: () => takeReading(sampleSources()),
    readiness: () => READY,
    access: accessWith(),
    ...sources,
  });
  apps.push(app);
  return app;
}

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

describe('the pages', () => {
  test('/metrics is valid Prometheus text', async () => {
    const response = await appOf().inject('/metrics');
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(parsePrometheusText(response.body).size).toBeGreaterThan(20);
  });

  test('/metrics takes a new reading for every request', async () => {
    let readings = 0;
    const app = appOf({
      reading: () => {
        readings += 1;
        return takeReading(sampleSources());
      },
    });
    for (let request = 0; request < 3; request++) await app.inject('/metrics');
    expect(readings).toBe(3);
  });

  test('carry strict headers, errors too', async () => {
    const app = appOf();
    for (const url of ['/metrics', '/livez', '/nothing']) {
      const { headers } = await app.inject(url);
      expect(headers['content-security-policy']).toBe(
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['cache-control']).toBe('no-store');
    }
  });

  test('answer HEAD without a body', async () => {
    const response = await appOf().inject({ method: 'HEAD', url: '/metrics' });
    expect([response.statusCode, response.body]).toEqual([200, '']);
  });
});

describe('health', () => {
  test('/livez answers while the process does', async () => {
    const response = await appOf({ readiness: () => NOT_READY }).inject('/livez');
    expect([response.statusCode, response.body]).toEqual([200, 'ok\n']);
  });

  test.each(['/readyz', '/healthz'])('%s is 200 when ready and 503 when not', async (path) => {
    let state = READY;
    const app = appOf({ readiness: () => state });
    const ready = await app.inject(path);
    expect([ready.statusCode, ready.body]).toEqual([200, 'ok\n']);
    state = NOT_READY;
    const notReady = await app.inject(path);
    expect([notReady.statusCode, notReady.body]).toEqual([503, 'not ready\n']);
  });

  test.each(['/readyz', '/healthz'])('%s?verbose lists the checks with their reasons', async (path) => {
    const response = await appOf({ readiness: () => NOT_READY }).inject(`${path}?verbose`);
    expect(response.statusCode).toBe(503);
    expect(response.body).toBe('[+] workers: ok\n[-] log: the disk is full\n[-] peers: failed\nnot ready\n');
    expect((await appOf().inject(`${path}?verbose`)).body).toBe('[+] workers: ok\nok\n');
  });
});

describe('with a password', () => {
  const headers = { authorization: 'Bearer secret' };

  test('every page but health needs it, unknown ones too', async () => {
    const app = appOf({ access: accessWith('secret') });
    for (const url of ['/', '/metrics', '/nothing', '/livez/', '/readyz/../metrics']) {
      const response = await app.inject(url);
      expect(response.statusCode, url).toBe(401);
      expect(response.headers['content-type']).toBe(PROBLEM);
      expect(response.headers['www-authenticate']).toMatch(/^Basic realm="distcache"/);
      expect(response.json()).toMatchObject({ title: 'Unauthorized', status: 401 });
    }
    expect((await app.inject({ url: '/metrics', headers })).statusCode).toBe(200);
    expect((await app.inject({ url: '/nothing', headers })).statusCode).toBe(404);
    for (const url of ['/livez', '/readyz', '/healthz']) expect((await app.inject(url)).statusCode).toBe(200);
  });

  test('a changed password counts from the next request on', async () => {
    const access = accessWith('secret');
    const app = appOf({ access });
    expect((await app.inject({ url: '/metrics', headers })).statusCode).toBe(200);
    setDefaultPassword(access, 'another');
    expect((await app.inject({ url: '/metrics', headers })).statusCode).toBe(401);
    setDefaultPassword(access, '');
    expect((await app.inject('/metrics')).statusCode).toBe(200);
  });

  test('the reasons of failed checks are only for those who send it', async () => {
    const app = appOf({ access: accessWith('secret'), readiness: () => NOT_READY });
    expect((await app.inject('/readyz?verbose')).body).not.toContain('disk');
    expect((await app.inject({ url: '/readyz?verbose', headers })).body).toContain('log: the disk is full');
  });
});

describe('trouble', () => {
  test('an unknown page or method is a problem document', async () => {
    const app = appOf();
    for (const [method, url] of [
      ['GET', '/nothing'],
      ['POST', '/metrics'],
    ] as const) {
      const response = await app.inject({ method, url });
      expect(response.statusCode).toBe(404);
      expect(response.headers['content-type']).toBe(PROBLEM);
      const detail = `no ${method} ${url} here`;
      expect(response.json()).toEqual({ type: 'about:blank', title: 'Not Found', status: 404, detail });
    }
  });

  test('a malformed address is a problem document of status 400', async () => {
    const response = await appOf().inject('/%zz');
    expect([response.statusCode, response.headers['content-type']]).toEqual([400, PROBLEM]);
  });

  test('a reading that fails is a problem document without the reason, which is logged', async () => {
    const logged: string[] = [];
    const logger = pino({ level: 'error' }, { write: (line: string) => void logged.push(line) });
    const reading = () => {
      throw new Error('inner secret');
    };
    const response = await appOf({ reading, logger }).inject('/metrics');
    expect([response.statusCode, response.headers['content-type']]).toEqual([500, PROBLEM]);
    expect(response.body).not.toContain('secret');
    expect(logged.join('')).toContain('inner secret');
  });
});

describe('listening', () => {
  test('serves a real connection on the port it tells', async () => {
    const port = await listenAdmin(appOf(), HOST, 0);
    const response = await fetch(`http://${HOST}:${port}/metrics`);
    expect(response.status).toBe(200);
    expect(parsePrometheusText(await response.text()).has('distcache_build_info')).toBe(true);
  });

  test('closing does not wait for a client in the middle of a request', async () => {
    const app = appOf();
    const socket = connect(await listenAdmin(app, HOST, 0), HOST);
    socket.on('error', () => {});
    socket.write('GET /livez HTTP/1.1\r\nHost: here\r\n\r\nGET /livez HTTP/1.1\r\n');
    await new Promise((resolve) => socket.once('readable', resolve));
    await app.close();
    socket.destroy();
  });

  test('a port in use is a start error of one line', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, HOST, resolve));
    const address = other.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    try {
      const error = await listenAdmin(appOf(), HOST, port).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(StartError);
      expect(error).toMatchObject({
        message: `cannot serve HTTP on ${HOST}:${port}: the port is in use`,
        exitCode: 1,
      });
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });

  test('an address of another machine is a start error', async () => {
    // 192.0.2.0/24 is set aside for documentation (RFC 5737), so no machine has it.
    await expect(listenAdmin(appOf(), '192.0.2.1', 0)).rejects.toThrow(
      'this machine does not have the address',
    );
  });
});
