/** The query of a key's URL. */
import { expect, test } from 'vitest';
import { readKeyQuery } from '../../src/admin/key-query.ts';

const URL = '/v1/keys/k';

test.each([
  ['', { database: 0, ttlMs: 0 }],
  ['?', { database: 0, ttlMs: 0 }],
  ['?db=15', { database: 15, ttlMs: 0 }],
  ['?ttl=1', { database: 0, ttlMs: 1000 }],
  ['?pttl=1&db=3', { database: 3, ttlMs: 1 }],
  ['?ttl=250000000000', { database: 0, ttlMs: 250_000_000_000_000 }],
])('%s is read', (query, expected) => {
  expect(readKeyQuery(URL + query, true, 16)).toEqual(expected);
});

test.each([
  ['?db=16', 'db is to be a whole number from 0 to 15'],
  ['?db=-1', 'db is to be'],
  ['?db=', 'db is to be'],
  ['?db=1.0', 'db is to be'],
  ['?db=1e1', 'db is to be'],
  ['?ttl=0', 'ttl is to be a whole number from 1'],
  ['?ttl=250000000001', 'ttl is to be'],
  ['?pttl=250000000000001', 'pttl is to be'],
  ['?ttl=99999999999999999999', 'ttl is to be'],
  ['?ttll=5', "no parameter 'ttll' here: db, ttl, pttl"],
  ['?toString=1', "no parameter 'toString'"],
  ['?__proto__=1', "no parameter '__proto__'"],
  ['?ttl=1&pttl=1', 'not both'],
  ['?db=1&db=2', 'db stands there twice'],
])('%s is refused', (query, text) => {
  expect(readKeyQuery(URL + query, true, 16)).toContain(text);
});

test('a time to live is only for a PUT', () => {
  expect(readKeyQuery(`${URL}?ttl=1`, false, 16)).toContain("no parameter 'ttl' here: db");
});
