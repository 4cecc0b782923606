/** Tests of who a request comes from. */
import { describe, expect, test } from 'vitest';
import { nameFrom, userFrom } from '../../src/admin/access.ts';
import { accessWith, addUser } from '../support/access.ts';

const PASSWORD = 'pass:wörd with spaces';

function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

/** The name of the user that a header stands for. */
function who(header: string | undefined, password: string): string | undefined {
  const access = accessWith(password);
  addUser(access, 'bob', 'on', '>b:b', '>second');
  addUser(access, 'off', '>secret');
  return userFrom(header, access)?.name;
}

describe('who asks', () => {
  test('is the default user where it has no password, unless another one is named', () => {
    for (const header of [undefined, '', 'Basic ???', 'Digest x', 'Bearer x', basic('default:x'), basic(':')])
      expect(who(header, '')).toBe('default');
    for (const header of [basic('x:y'), basic('bob:wrong'), basic('off:secret')])
      expect(who(header, '')).toBeUndefined();
  });

  test('is the default user for its password as Basic or Bearer, in any case of the scheme', () => {
    expect(who(basic(`default:${PASSWORD}`), PASSWORD)).toBe('default');
    expect(who(basic(`:${PASSWORD}`), PASSWORD)).toBe('default');
    expect(who('Bearer secret', 'secret')).toBe('default');
    expect(who('bEARER secret', 'secret')).toBe('default');
    expect(who('Bearer bob:secret', 'bob:secret')).toBe('default');
    expect(who(basic('default:secret').replace('Basic', 'basic'), 'secret')).toBe('default');
  });

  test('is another user for any of its passwords', () => {
    for (const header of [basic('bob:b:b'), basic('bob:second'), 'Bearer bob:b:b', 'Bearer bob:second'])
      expect(who(header, 'secret')).toBe('bob');
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
    'Bearer bob:secret',
    'Bearer bob:',
    'Digest secret',
    basic('default:secret').replace('Basic', 'Digest'),
    'Basic',
    'Basic secret',
    'Basic ====',
    basic('secret'),
    basic('default:'),
    basic('default:Secret'),
    basic('somebody:secret'),
    basic('off:secret'),
    basic('default:secret\n'),
  ])('is nobody for %j', (header) => {
    expect(who(header, 'secret')).toBeUndefined();
  });

  test('is named as the header says', () => {
    const headers = [undefined, 'Bearer x', 'Bearer bob:x', basic('bob:x'), basic(':x'), 'nonsense'];
    expect(headers.map(nameFrom)).toEqual(['default', 'default', 'bob', 'bob', 'default', 'default']);
  });
});
