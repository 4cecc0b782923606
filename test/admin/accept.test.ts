/** Tests of the choice between the forms of an answer. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseOffer } from '../../src/admin/accept.ts';

const OFFERS = [
  { type: 'text/plain' },
  { type: 'application/json' },
  { type: 'application/x-numbers', versions: ['1', '2'] },
];

describe('the form of an answer', () => {
  test.each([
    [undefined, 'text/plain'],
    ['', 'text/plain'],
    ['*/*', 'text/plain'],
    ['text/html', 'text/plain'],
    ['text/*', 'text/plain'],
    ['application/*', 'application/json'],
    ['application/json', 'application/json'],
    ['Application/JSON; charset=utf-8', 'application/json'],
    ['application/json, text/plain', 'application/json'],
    ['text/plain, application/json', 'text/plain'],
    ['text/plain;q=0.5, application/json', 'application/json'],
    ['text/plain;q=0.5, application/json;q=0.4', 'text/plain'],
    ['application/json;q=0', 'text/plain'],
    ['application/json;q=none', 'text/plain'],
    ['text/html, application/json;q=0.9, */*;q=0.8', 'application/json'],
    ['application/x-numbers', 'application/x-numbers'],
    ['application/x-numbers;version=2', 'application/x-numbers'],
    ['application/x-numbers;version=3', 'text/plain'],
    [
      'application/x-numbers; version=3; q=1, application/x-numbers; version=1; q=0.1',
      'application/x-numbers',
    ],
  ])('for %j is %s', (accept, type) => {
    expect(chooseOffer(accept, OFFERS).type).toBe(type);
  });

  test('is one of those that there are, whatever is asked for', () => {
    fc.assert(fc.property(fc.string(), (accept) => OFFERS.includes(chooseOffer(accept, OFFERS))));
  });
});
