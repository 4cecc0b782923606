/** Tests of what a client is told that its user may not do, where it takes two clients to find out. */
import { describe, expect, it } from 'vitest';
import type { Session } from '../../src/commands/session.ts';
import { createHarness, type Harness } from '../support/harness.ts';

async function setUser(harness: Harness, ...rules: string[]): Promise<void> {
  harness.run('ACL', 'SETUSER', 'u', ...rules);
  while (harness.deferredReplies.length === 0) await new Promise(setImmediate);
  expect(harness.deferredReplies.shift()).toBe('+OK\r\n');
}

function login(harness: Harness): Session {
  const session = harness.connect();
  expect(harness.runAs(session, 'AUTH', 'u', 'x')).toBe('+OK\r\n');
  return session;
}

/** Word for word as redis-server 7.0.15 says it. */
const NO_MORE =
  '-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer ' +
  'allowed for the following reason: ';

describe('a command in a transaction', () => {
  it('is refused at EXEC where the rules have changed since it was queued, and the others are executed', async () => {
    const harness = createHarness();
    await setUser(harness, 'on', 'nopass', '+@all', '~*', '&a*');
    const session = login(harness);
    for (const command of [
      ['MULTI'],
      ['SET', 'k', 'v'],
      ['GET', 'k'],
      ['GET', 'j'],
      ['PUBLISH', 'a', 'x'],
      ['DEL', 'k'],
    ]) {
      harness.runAs(session, ...command);
    }
    await setUser(harness, 'resetkeys', '%R~k', '%W~k', 'resetchannels', '-del');
    expect(harness.runAs(session, 'EXEC')).toBe(
      '*5\r\n+OK\r\n$1\r\nv\r\n' +
        `${NO_MORE}no permission to touch the specified keys\r\n` +
        `${NO_MORE}no permission to access one of the channels used as arguments to the command\r\n` +
        `${NO_MORE}no permission to execute the command or subcommand\r\n`,
    );
    expect(harness.engine.access.log.map(({ reason, context, object }) => [reason, context, object])).toEqual(
      [
        ['command', 'multi', 'del'],
        ['channel', 'multi', 'a'],
        ['key', 'multi', 'j'],
      ],
    );
    harness.expectWhole();
  });

  it('that is refused as it is queued spoils it', async () => {
    const harness = createHarness();
    await setUser(harness, 'on', 'nopass', '+@all', '~a');
    const session = login(harness);
    harness.runAs(session, 'MULTI');
    expect(harness.runAs(session, 'GET', 'b')).toContain(
      '-NOPERM this user has no permissions to access one of the keys',
    );
    expect(harness.runAs(session, 'EXEC')).toContain('-EXECABORT');
  });
});

describe('a refusal', () => {
  it('is counted, changes nothing, and shows as the client’s last command', async () => {
    const harness = createHarness();
    await setUser(harness, 'on', 'nopass', '+@all', '-flushall', '%R~k');
    harness.run('SET', 'k', 'v');
    const session = login(harness);
    expect(harness.runAs(session, 'FLUSHALL')).toBe(
      "-NOPERM this user has no permissions to run the 'flushall' command\r\n",
    );
    expect(harness.runAs(session, 'APPEND', 'k', 'x')).toContain('NOPERM');
    expect(session.lastCommand).toBe('append');
    expect(harness.run('GET', 'k')).toBe('$1\r\nv\r\n');
    expect(harness.run('INFO', 'errorstats')).toContain('errorstat_NOPERM:count=2');
    expect(harness.run('INFO', 'commandstats')).toMatch(/cmdstat_flushall:calls=0,.*rejected_calls=1/);
  });
});
