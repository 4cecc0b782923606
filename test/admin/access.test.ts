/** Tests of the password check. */
import { describe, expect, test } from 'vitest';
import { accessAllowed } from '../../src/admin/access.ts';

const PASSWORD = 'pass:wörd with spaces';

function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

describe('access', () => {
  test('is free when there is no password, whatever is sent', () => {
    for (const header of [undefined, '', 'Basic ???', basic('x:y')])
      expect(accessAllowed(header, '')).toBe(true);
  });

  test('is given for the password as Basic or Bearer, in any case of the scheme', () => {
    expect(accessAllowed(basic(`default:${PASSWORD}`), PASSWORD)).toBe(true);
    expect(accessAllowed(basic(`:${PASSWORD}`), PASSWORD)).toBe(true);
    expect(accessAllowed('Bearer secret', 'secret')).toBe(true);
    expect(accessAllowed('bEARER secret', 'secret')).toBe(true);
    expect(accessAllowed(basic('default:secret').replace('Basic', 'basic'), 'secret')).toBe(true);
  });

  test.each([
    undefined,
    '',
    'secret',
    'Bearer',
    'Bearer ',
    'Bearer Secret',
    'Bearer secret2',
    'Bearer secre',
    'Bearer secret secret',
    'Digest secret',
    basic('default:secret').replace('Basic', 'Digest'),
    'Basic',
    'Basic secret',
    'Basic ====',
    basic('secret'),
    basic('default:'),
    basic('default:Secret'),
    basic('somebody:secret'),
    basic('default:secret\n'),
  ])('is refused for %j', (header) => {
    expect(accessAllowed(header, 'secret')).toBe(false);
  });
});
