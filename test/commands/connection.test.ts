/**
 * The connection's own commands as they stand, where no redis-server is at hand to compare with.
 */
import { describe, expect, it } from 'vitest';
import { createHarness } from '../support/harness.ts';

const HELLO = (protocol: number, id = 1) =>
  `${protocol === 2 ? '*14' : '%7'}\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:${protocol}\r\n` +
  `$2\r\nid\r\n:${id}\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n`;

describe('HELLO', () => {
  it('switches the protocol of its own answer and of all that follow', () => {
    const harness = createHarness({ shards: 1 });
    expect(harness.run('HELLO')).toBe(HELLO(2));
    expect(harness.run('CLIENT', 'GETNAME')).toBe('$-1\r\n');
    expect(harness.run('HELLO', '3')).toBe(HELLO(3));
    expect(harness.run('CLIENT', 'GETNAME')).toBe('_\r\n');
    expect(harness.run('HELLO')).toBe(HELLO(3));
    expect(harness.run('HELLO', '2')).toBe(HELLO(2));
    expect(harness.session.protocol).toBe(2);
  });

  it('keeps the protocol when it is refused', () => {
    const harness = createHarness({ shards: 1, flags: ['--requirepass', 'secret'] });
    expect(harness.run('HELLO', '3')).toMatch(/^-NOAUTH HELLO must be called/);
    expect(harness.run('HELLO', '3', 'AUTH', 'default', 'wrong')).toMatch(/^-WRONGPASS/);
    expect(harness.run('HELLO', '4')).toBe('-NOPROTO unsupported protocol version\r\n');
    expect(harness.session).toMatchObject({ protocol: 2, authenticated: false });
    expect(harness.run('HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'me')).toBe(HELLO(3));
    expect(harness.session).toMatchObject({ protocol: 3, authenticated: true, name: 'me' });
  });
});

describe('AUTH', () => {
  it('lets in with the password, in UTF-8, and keeps out without', () => {
    const harness = createHarness({ shards: 1, flags: ['--requirepass', 'gehëim'] });
    expect(harness.run('PING')).toBe('-NOAUTH Authentication required.\r\n');
    for (const wrong of ['', 'gehëi', 'gehëimx', 'GEHËIM'])
      expect(harness.run('AUTH', wrong)).toMatch(/^-WRONGPASS/);
    expect(harness.run('AUTH', 'nobody', 'gehëim')).toMatch(/^-WRONGPASS/);
    expect(harness.session.authenticated).toBe(false);
    expect(harness.run('AUTH', 'gehëim')).toBe('+OK\r\n');
    expect(harness.run('AUTH', 'wrong')).toMatch(/^-WRONGPASS/);
    expect(harness.run('PING')).toBe('+PONG\r\n');
    expect(harness.run('RESET')).toBe('+RESET\r\n');
    expect(harness.run('PING')).toBe('-NOAUTH Authentication required.\r\n');
    expect(harness.run('AUTH', 'default', 'gehëim')).toBe('+OK\r\n');
  });

  it('needs no password where none is set, but says that AUTH without a user is a mistake then', () => {
    const harness = createHarness({ shards: 1 });
    expect(harness.run('AUTH', 'x')).toMatch(/^-ERR AUTH <password> called without any password configured/);
    expect(harness.run('AUTH', 'default', 'x')).toBe('+OK\r\n');
    expect(harness.run('AUTH', 'nobody', 'x')).toMatch(/^-WRONGPASS/);
    expect(harness.run('AUTH', 'a', 'b', 'c')).toBe('-ERR syntax error\r\n');
  });
});

describe('PING, ECHO, SELECT, QUIT', () => {
  it('answer', () => {
    const harness = createHarness({ shards: 1, flags: ['--databases', '4'] });
    expect(harness.run('ping')).toBe('+PONG\r\n');
    expect(harness.run('PING', 'a\r\n')).toBe('$3\r\na\r\n\r\n');
    expect(harness.run('PING', 'a', 'b')).toBe("-ERR wrong number of arguments for 'ping' command\r\n");
    expect(harness.run('ECHO', '')).toBe('$0\r\n\r\n');
    expect(harness.run('SELECT', '3')).toBe('+OK\r\n');
    expect(harness.run('SELECT', '4')).toBe('-ERR DB index is out of range\r\n');
    expect(harness.session.database).toBe(3);
    expect(harness.run('QUIT')).toBe('+OK\r\n');
    expect(harness.session.closing).toBe(true);
  });
});
