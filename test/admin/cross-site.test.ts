/** What pages of other sites could make a browser send, in every combination that matters. */
import { describe, expect, test } from 'vitest';
import { crossSiteRefusal, type SiteSettings } from '../../src/admin/cross-site.ts';

const HOST = '127.0.0.1:8080';
const SETTINGS: SiteSettings = { hosts: [], hostname: 'Box7', hasPassword: false };
const BROWSER = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)' };

function isRefused(method: string, headers: Record<string, string>, settings: Partial<SiteSettings> = {}) {
  return crossSiteRefusal(method, { host: HOST, ...headers }, { ...SETTINGS, ...settings }) !== undefined;
}

describe('a request that changes something', () => {
  const cases = ['PUT', 'POST', 'DELETE', 'PATCH'].flatMap((method) =>
    [false, true].map((hasPassword) => [method, hasPassword] as const),
  );
  test.each(cases)('%s is refused to pages of other sites, password or not (%s)', (method, hasPassword) => {
    for (const site of ['cross-site', 'same-site'])
      expect(isRefused(method, { 'sec-fetch-site': site }, { hasPassword }), site).toBe(true);
    for (const site of ['same-origin', 'none'])
      expect(isRefused(method, { 'sec-fetch-site': site }, { hasPassword }), site).toBe(false);
    expect(isRefused(method, {}, { hasPassword })).toBe(false);
  });

  test.each([
    ['http://127.0.0.1:8080', false],
    ['http://127.0.0.1:8081', true],
    ['http://127.0.0.1', true],
    ['http://localhost:8080', true],
    ['https://evil.example', true],
    ['null', true],
    ['not an address', true],
    ['', true],
  ])('with the origin %s is refused: %s', (origin, refused) => {
    expect(isRefused('PUT', { origin })).toBe(refused);
  });

  test.each([
    ['http://box7', 'box7', false],
    ['http://box7:80', 'box7', false],
    ['http://box7', 'BOX7:80', false],
    ['https://box7', 'box7', false],
    ['https://box7', 'box7:80', true],
    ['http://[::1]:8080', '[::1]:8080', false],
  ])('the origin %s at the host %s is refused: %s', (origin, host, refused) => {
    expect(isRefused('PUT', { origin, host })).toBe(refused);
  });

  test('that only reads is not asked for its origin', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      expect(isRefused(method, { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' })).toBe(
        false,
      );
  });
});

describe('a name that leads here', () => {
  const known = [
    '127.0.0.1',
    '10.1.2.3:80',
    '[::1]:8080',
    'localhost',
    'LOCALHOST:8080',
    'a.localhost',
    'box7:8080',
    '0x7f.1',
  ];
  const unknown = [
    'evil.example',
    'box7.evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '',
    'a b',
  ];

  test.each(known)('%s is known', (host) => {
    expect(isRefused('GET', { ...BROWSER, host })).toBe(false);
  });

  test.each(unknown)('%j is refused to browsers while no password is set', (host) => {
    expect(isRefused('GET', { ...BROWSER, host })).toBe(true);
    expect(isRefused('GET', { ...BROWSER, host }, { hasPassword: true })).toBe(false);
    expect(isRefused('GET', { 'user-agent': 'curl/8.0', host })).toBe(false);
  });

  test('no host at all is no known one', () => {
    expect(crossSiteRefusal('GET', BROWSER, SETTINGS)).toContain("by the name ''");
  });

  test('each mark of a browser is enough', () => {
    const marks: Record<string, string>[] = [
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-mode': 'cors' },
      { origin: 'http://evil.example' },
      { referer: 'http://evil.example/' },
      { 'accept-language': 'en' },
      BROWSER,
    ];
    for (const mark of marks) expect(isRefused('GET', { ...mark, host: 'evil.example' })).toBe(true);
  });

  test('names of http-hosts are known, in any case, and * is any', () => {
    const browser = { ...BROWSER, host: 'Cache.example:8080' };
    expect(isRefused('GET', browser, { hosts: ['other', 'CACHE.example'] })).toBe(false);
    expect(isRefused('GET', browser, { hosts: ['*'] })).toBe(false);
    expect(isRefused('GET', browser, { hosts: ['cache'] })).toBe(true);
  });

  test('the refusal names the directive', () => {
    const text = crossSiteRefusal('GET', { ...BROWSER, host: 'cache.example' }, SETTINGS);
    expect(text).toContain('http-hosts');
    expect(text).toContain("'cache.example'");
  });
});
