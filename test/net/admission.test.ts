/** Who may come in, compared with redis-server at both limits. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { PROTECTED_MODE_DENIAL, refusalOf, TOO_MANY_CLIENTS } from '../../src/net/admission.ts';
import { describeWithRedis, startRedisServer } from '../support/redis-server.ts';

const settings = { maxclients: 2, protectedMode: true };

it('refuses the first connection over maxclients, wherever it comes from', () => {
  expect(refusalOf(settings, false, 1, '127.0.0.1')).toBeUndefined();
  expect(refusalOf(settings, false, 2, '127.0.0.1')).toBe(TOO_MANY_CLIENTS);
  expect(refusalOf(settings, false, 2, '192.0.2.1')).toBe(TOO_MANY_CLIENTS);
});

it('lets in the two loopback addresses alone while protected mode has no password', () => {
  for (const address of ['127.0.0.1', '::1']) expect(refusalOf(settings, false, 0, address)).toBeUndefined();
  for (const address of ['192.0.2.1', '127.0.0.2', '::ffff:127.0.0.1', 'fd00::2', undefined]) {
    expect(refusalOf(settings, false, 0, address)).toBe(PROTECTED_MODE_DENIAL);
  }
});

it('lets everybody in without protected mode, or with a password', () => {
  expect(refusalOf({ ...settings, protectedMode: false }, false, 0, '192.0.2.1')).toBeUndefined();
  expect(refusalOf(settings, true, 0, '192.0.2.1')).toBeUndefined();
});

describeWithRedis('the texts are those of redis-server', () => {
  it('over maxclients and in protected mode', async () => {
    const redis = await startRedisServer(['--maxclients', '1']);
    const first = connect(redis.port, '127.0.0.1');
    first.write('PING\r\n');
    await once(first, 'data');
    expect(await greeting(redis.port, '127.0.0.1')).toBe(TOO_MANY_CLIENTS);
    const closed = once(first, 'close');
    first.end('QUIT\r\n');
    await closed;
    expect(await greeting(redis.port, '127.0.0.2')).toBe(PROTECTED_MODE_DENIAL);
    await redis.stop();
  });
});

/** What a server says before it closes a connection that asked nothing. */
async function greeting(port: number, localAddress: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  const [data] = await once(socket, 'data');
  socket.destroy();
  return `${data}`;
}
