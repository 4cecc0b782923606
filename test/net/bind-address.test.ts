/** The words of `bind`. */
import { describe, expect, it } from 'vitest';
import {
  addressText,
  listenFailureText,
  mayBeMissing,
  parseBindAddress,
} from '../../src/net/bind-address.ts';

function failure(code: string): Error {
  return Object.assign(new Error(`listen ${code}`), { code });
}

describe('a word of bind', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1', false],
    ['-::1', '::1', true],
    ['*', '0.0.0.0', false],
    ['-*', '0.0.0.0', true],
    ['::*', '::', false],
    ['-::*', '::', true],
    ['localhost', 'localhost', false],
  ])('%s is %s', (word, host, isOptional) => {
    expect(parseBindAddress(word)).toEqual({ host, isOptional });
  });

  it('is shown with its port, IPv6 in brackets', () => {
    expect(addressText('127.0.0.1', 6379)).toBe('127.0.0.1:6379');
    expect(addressText('::1', 6379)).toBe('[::1]:6379');
  });
});

describe('an address that cannot be had', () => {
  it('may be missing where the dash says so, but not in use', () => {
    const optional = parseBindAddress('-192.0.2.1');
    expect(mayBeMissing(optional, failure('EADDRNOTAVAIL'))).toBe(true);
    expect(mayBeMissing(parseBindAddress('192.0.2.1'), failure('EADDRNOTAVAIL'))).toBe(false);
    expect(mayBeMissing(optional, failure('EADDRINUSE'))).toBe(false);
  });

  it('of a protocol that the machine lacks may always be missing', () => {
    expect(mayBeMissing(parseBindAddress('::1'), failure('EAFNOSUPPORT'))).toBe(true);
  });

  it('is explained in words, where there are some', () => {
    expect(listenFailureText(failure('EADDRINUSE'))).toBe('the address is in use');
    expect(listenFailureText(failure('EOTHER'))).toBe('listen EOTHER');
    expect(listenFailureText('text')).toBe('text');
  });
});
