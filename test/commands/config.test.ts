/** Tests of CONFIG where redis-server is no oracle: what travels between threads, and replies that come later. */
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { COMMANDS } from '../../src/metrics/names.ts';
import { createHarness } from '../support/harness.ts';

const nextTurn = promisify(setImmediate);
const UNANSWERED = '-ERR the main thread does not answer; the log has the reason\r\n';

describe('CONFIG GET', () => {
  it('answers a map of names in the order asked, each once', () => {
    const harness = createHarness({ flags: ['--maxkeys', '7', '--requirepass', ''] });
    expect(harness.run('CONFIG', 'GET', 'maxkeys', 'lfu-*', 'maxkeys')).toBe(
      '*6\r\n$7\r\nmaxkeys\r\n$1\r\n7\r\n$14\r\nlfu-log-factor\r\n$2\r\n10\r\n$14\r\nlfu-decay-time\r\n$1\r\n1\r\n',
    );
    harness.run('HELLO', '3');
    expect(harness.run('CONFIG', 'GET', 'maxkeys')).toBe('%1\r\n$7\r\nmaxkeys\r\n$1\r\n7\r\n');
    expect(harness.run('CONFIG', 'GET', 'no-such-thing')).toBe('%0\r\n');
  });

  it('answers texts beyond ASCII in UTF-8', () => {
    const harness = createHarness({ flags: ['--logfile', 'größe.log'] });
    expect(harness.run('CONFIG', 'GET', 'logfile')).toBe(
      Buffer.from('*2\r\n$7\r\nlogfile\r\n$11\r\ngröße.log\r\n').toString('latin1'),
    );
  });
});

describe('CONFIG SET', () => {
  it('gives main the pairs and answers OK when main has put them in force', async () => {
    const harness = createHarness();
    const asked: unknown[] = [];
    harness.engine.bus.handle('config-set', (payload) => {
      asked.push(payload);
      return '';
    });
    expect(harness.run('CONFIG', 'SET', 'maxkeys', '5', 'requirepass', 'pässword')).toBe('');
    expect(harness.deferredReplies).toEqual([]);
    await nextTurn();
    expect(asked).toEqual([
      {
        pairs: [
          ['maxkeys', '5'],
          ['requirepass', 'pässword'],
        ],
        clientIsLocal: true,
      },
    ]);
    expect(harness.deferredReplies).toEqual(['+OK\r\n']);
  });

  it('answers what main refuses, and that main is silent', async () => {
    const harness = createHarness();
    harness.engine.bus.handle('config-set', () => 'ERR CONFIG SET failed: too late');
    harness.run('CONFIG', 'SET', 'maxkeys', '5');
    await nextTurn();
    harness.engine.bus.handle('config-set', () => Promise.reject(new Error('gone')));
    harness.run('CONFIG', 'SET', 'maxkeys', '5');
    await nextTurn();
    expect(harness.deferredReplies).toEqual(['-ERR CONFIG SET failed: too late\r\n', UNANSWERED]);
    expect(harness.log.join()).toContain('gone');
  });

  it('does not bother main with what this thread can refuse', () => {
    const harness = createHarness();
    harness.engine.bus.handle('config-set', () => expect.unreachable());
    expect(harness.run('CONFIG', 'SET', 'maxkeys', 'many')).toMatch(/^-ERR CONFIG SET failed/);
    expect(harness.run('CONFIG', 'SET', 'maxmemory', '0')).toMatch(
      /^-ERR CONFIG SET failed.*a cache needs a bound/,
    );
  });

  it('refuses protected directives to a client elsewhere when they are for local ones', async () => {
    const harness = createHarness({ flags: ['--enable-protected-configs', 'local'] });
    harness.engine.bus.handle('config-set', () => '');
    const elsewhere = { ...harness.connect(), address: '10.0.0.7:4711' };
    const socket = { ...harness.connect(), address: '/run/cache.sock:0', isUnixSocket: true };
    const command = ['CONFIG', 'SET', 'dbfilename', 'other.rdb'];
    expect(harness.runAs(elsewhere, ...command)).toMatch(/can't set protected config/);
    for (const address of ['127.0.0.1:1', '[::1]:1', '::1:1', '[::ffff:127.0.0.1]:1']) {
      expect(harness.runAs({ ...elsewhere, address }, ...command)).toBe('');
    }
    for (const address of ['127.0.0.12:1', '[::12]:1', '1127.0.0.1:1', '[fe80::1]:1']) {
      expect(harness.runAs({ ...elsewhere, address }, ...command)).not.toBe('');
    }
    expect(harness.runAs(socket, ...command)).toBe('');
    await nextTurn();
  });
});

describe('CONFIG RESETSTAT', () => {
  it('answers when all threads have reset', async () => {
    const harness = createHarness();
    installServerTopics(harness.engine);
    harness.run('GET', 'x');
    expect(harness.run('CONFIG', 'RESETSTAT')).toBe('');
    await nextTurn();
    expect(harness.deferredReplies).toEqual(['+OK\r\n']);
    // Only itself, as with redis-server.
    expect(harness.engine.counters[COMMANDS]).toBe(1);
  });
});

describe('CONFIG REWRITE', () => {
  it('leaves the file to main', async () => {
    const harness = createHarness();
    const answers = ['', 'ERR The server is running without a config file'];
    harness.engine.bus.handle('config-rewrite', () => answers.shift());
    harness.run('CONFIG', 'REWRITE');
    harness.run('CONFIG', 'REWRITE');
    await nextTurn();
    expect(harness.deferredReplies).toEqual([
      '+OK\r\n',
      '-ERR The server is running without a config file\r\n',
    ]);
  });
});
