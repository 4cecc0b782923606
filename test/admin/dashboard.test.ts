/** Tests of the routes that serve the page: what they allow it, how it is cached, and that nothing else is served. */
import { afterAll, expect, test } from 'vitest';
import { createAdminApp } from '../../src/admin/app.ts';
import { takeReading } from '../../src/metrics/reading.ts';
import { accessWith } from '../support/access.ts';
import { sampleSources } from '../support/sample-reading.ts';

const app = createAdminApp({
  reading: () => takeReading(sampleSources()),
  readiness: () => ({ ready: true, checks: [] }),
  access: accessWith(),
});
afterAll(() => app.close());

test('the page may load from its own server and runs nothing that stands in it', async () => {
  const { statusCode, headers, body } = await app.inject('/');
  expect([statusCode, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
  expect(headers['content-security-policy']).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
      "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  );
  expect(body).toMatch(/^<!doctype html>/);
  expect(body).not.toMatch(/<style|\sstyle=|\son[a-z]+=|https?:|<script(?![^>]* src=)/);
});

test('everything that the page and its modules name is there', async () => {
  const { body } = await app.inject('/');
  const named = [...body.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map(([, path]) => `/${path}`);
  const seen = new Set<string>();
  for (const path of named) await follow(path, seen);
  expect(seen.size).toBeGreaterThan(30);
});

async function follow(path: string, seen: Set<string>): Promise<void> {
  if (seen.has(path)) return;
  seen.add(path);
  const { statusCode, body } = await app.inject(path);
  expect(statusCode, path).toBe(200);
  if (path === '/assets/uplot.js') return;
  for (const [, name] of body.matchAll(/from '\.\/([a-z-]+\.js)'/g)) await follow(`/assets/${name}`, seen);
}

test.each(['/', '/assets/main.js', '/assets/uplot.js'])(
  '%s is asked for again, and not sent again',
  async (url) => {
    const first = await app.inject(url);
    expect(first.headers['cache-control']).toBe('no-cache');
    const etag = String(first.headers.etag);
    const second = await app.inject({ url, headers: { 'if-none-match': etag } });
    expect([second.statusCode, second.body]).toEqual([304, '']);
  },
);

test.each([
  ['/assets/main.js', /^(application|text)\/javascript/],
  ['/assets/theme.css', /^text\/css/],
  ['/assets/icon.svg', /^image\/svg\+xml/],
  ['/assets/uplot.css', /^text\/css/],
])('%s has its type', async (url, type) => {
  expect((await app.inject(url)).headers['content-type']).toMatch(type);
});

test.each([
  '/assets/',
  '/assets/none.js',
  '/assets/../app.ts',
  '/assets/%2e%2e/app.ts',
  '/assets/..%2fapp.ts',
])('there is nothing at %s', async (url) => {
  expect((await app.inject(url)).statusCode).toBeGreaterThanOrEqual(400);
});
