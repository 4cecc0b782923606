/** Tests of the pages of health: who sees what, as text and as JSON. */
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { createAdminApp } from '../../src/admin/app.ts';
import type { Readiness } from '../../src/admin/sources.ts';
import { takeReading } from '../../src/metrics/reading.ts';
import { accessWith } from '../support/access.ts';
import { sampleSources } from '../support/sample-reading.ts';

const NOT_READY: Readiness = {
  ready: false,
  checks: [
    { name: 'workers', ok: true },
    { name: 'log', ok: false, reason: 'the disk is full', detail: 'never shown' },
    { name: 'peers', ok: false },
    { name: 'cluster', ok: true, reason: 'never shown', detail: 'not configured' },
  ],
};
const AS_JSON = { accept: 'application/json' };
const WITH_PASSWORD = { authorization: 'Bearer secret' };
const WITHHELD = 'failed (the reason needs the password)';

const apps: FastifyInstance[] = [];

function appOf(readiness: Readiness, password = ''): FastifyInstance {
  const app = createAdminApp({
    reading: () => takeReading(sampleSources()),
    readiness: () => readiness,
    access: accessWith(password),
  });
  apps.push(app);
  return app;
}

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

describe('the pages of health', () => {
  test.each(['/readyz', '/healthz'])(
    '%s?verbose has a line for each check, and how it stands',
    async (path) => {
      const { statusCode, body, headers } = await appOf(NOT_READY).inject(`${path}?verbose`);
      expect([statusCode, headers['content-type'], headers.vary]).toEqual([
        503,
        'text/plain; charset=utf-8',
        'accept',
      ]);
      expect(body).toBe(
        '[+] workers: ok\n[-] log: the disk is full\n[-] peers: failed\n[+] cluster: ok (not configured)\nnot ready\n',
      );
    },
  );

  test.each(['/readyz', '/healthz'])('%s is JSON for those who ask for it, with all checks', async (path) => {
    const response = await appOf(NOT_READY).inject({ url: path, headers: AS_JSON });
    expect(response.statusCode).toBe(503);
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(response.json()).toEqual({
      ready: false,
      checks: [
        { name: 'workers', ok: true },
        { name: 'log', ok: false, reason: 'the disk is full' },
        { name: 'peers', ok: false, reason: 'failed' },
        { name: 'cluster', ok: true, detail: 'not configured' },
      ],
    });
  });

  test('/livez is JSON for those who ask for it', async () => {
    const response = await appOf(NOT_READY).inject({ url: '/livez', headers: AS_JSON });
    expect([response.statusCode, response.json()]).toEqual([200, { live: true }]);
  });

  test('keep reasons and details from those without the password, in both forms', async () => {
    const app = appOf(NOT_READY, 'secret');
    const text = await app.inject('/readyz?verbose');
    expect(text.body).toBe(
      `[+] workers: ok\n[-] log: ${WITHHELD}\n[-] peers: ${WITHHELD}\n[+] cluster: ok\nnot ready\n`,
    );
    const json = await app.inject({ url: '/readyz', headers: AS_JSON });
    expect([json.statusCode, json.json().checks[1]]).toEqual([
      503,
      { name: 'log', ok: false, reason: WITHHELD },
    ]);
    expect(json.body).not.toContain('disk');
    expect(json.body).not.toContain('configured');
    const trusted = await app.inject({ url: '/readyz', headers: { ...AS_JSON, ...WITH_PASSWORD } });
    expect(trusted.body).toContain('the disk is full');
  });
});
