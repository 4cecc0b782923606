/** Tests of the users as a thread knows them: who may log in, and what becomes of clients when users change. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { describe, expect, it } from 'vitest';
import { findLogin, isOpenToAll } from '../../src/commands/acl-access.ts';
import { TOPIC_ACL_APPLY, type UsersChange } from '../../src/commands/acl-topics.ts';
import { createUser, setUserRule, type User } from '../../src/commands/acl-user.ts';
import { GUARD_ACL, type Session } from '../../src/commands/session.ts';
import { addSubscription, CHANNELS, createListening, PATTERNS } from '../../src/commands/subscriptions.ts';
import { ACL_RULES_BYTES_MAX } from '../../src/config/limits.ts';
import { accessWith, addUser } from '../support/access.ts';
import { createHarness, type Harness } from '../support/harness.ts';

function userWith(name: string, ...rules: string[]): User {
  const user = createUser(name, false);
  for (const rule of rules) expect(setUserRule(user, rule, false)).toBeUndefined();
  return user;
}

async function apply(harness: Harness, change: Partial<UsersChange>): Promise<unknown> {
  const [answer] = await harness.engine.bus.requestAll(TOPIC_ACL_APPLY, {
    ...{ removed: [], users: [], askingId: 0 },
    ...change,
  });
  return answer;
}

function clientOf(harness: Harness, user: string): Session {
  const session = harness.connect();
  expect(harness.runAs(session, 'AUTH', user, 'x')).toBe('+OK\r\n');
  return session;
}

/** How many secrets are compared and hashed meanwhile. */
function effortOf(login: () => unknown): { readonly comparisons: number; readonly hashes: number } {
  const { timingSafeEqual, createHash } = crypto;
  const effort = { comparisons: 0, hashes: 0 };
  crypto.timingSafeEqual = (a, b) => {
    effort.comparisons += 1;
    return timingSafeEqual(a, b);
  };
  crypto.createHash = (...args) => {
    effort.hashes += 1;
    return createHash(...args);
  };
  syncBuiltinESMExports();
  login();
  Object.assign(crypto, { timingSafeEqual, createHash });
  syncBuiltinESMExports();
  return effort;
}

function isRestricted({ guards }: Session): boolean {
  return (guards & GUARD_ACL) !== 0;
}

describe('logging in', () => {
  it('takes any password of a user that is on, and nothing else', () => {
    const access = accessWith('default-secret');
    addUser(access, 'ann', 'on', '>one', '>two');
    addUser(access, 'bob', '>one');
    addUser(access, 'eve', 'on');
    addUser(access, 'any', 'on', 'nopass');
    const tries: [name: string, password: string, isRight: boolean][] = [
      ['ann', 'one', true],
      ['ann', 'two', true],
      ['ann', 'three', false],
      ['ann', '', false],
      ['bob', 'one', false],
      ['eve', '', false],
      ['any', 'whatever', true],
      ['nobody', '', false],
      ['ANN', 'one', false],
      ['default', 'default-secret', true],
    ];
    for (const [name, password, isRight] of tries) {
      expect([name, password, findLogin(access, name, password) !== undefined]).toEqual([
        name,
        password,
        isRight,
      ]);
    }
  });

  it('compares something for every name, whoever has passwords', () => {
    const access = accessWith();
    addUser(access, 'ann', 'on', '>one');
    addUser(access, 'eve', 'on');
    addUser(access, 'off', '>one');
    addUser(access, 'any', 'on', 'nopass');
    for (const name of ['ann', 'eve', 'off', 'any', 'nobody', 'default'])
      expect([name, effortOf(() => findLogin(access, name, 'x')).comparisons]).toEqual([name, 1]);
  });

  it('does not hash what is longer than any password, which takes seconds, and is never right', () => {
    const access = accessWith();
    addUser(access, 'ann', 'on', `#${'0'.repeat(64)}`, '>');
    addUser(access, 'any', 'on', 'nopass');
    const long = 'x'.repeat(ACL_RULES_BYTES_MAX + 1);
    expect(findLogin(access, 'ann', long)).toBeUndefined();
    expect(findLogin(access, 'any', long)?.name).toBe('any');
    const effort = effortOf(() => findLogin(access, 'any', long));
    // Those of the comparison, of digests.
    expect(effort).toEqual({ comparisons: 1, hashes: 2 });
    expect(effortOf(() => findLogin(access, 'any', long.slice(1))).hashes).toBe(3);
  });

  it('is for nobody while the default user is on and has no password', () => {
    const access = accessWith();
    expect(isOpenToAll(access)).toBe(true);
    addUser(access, 'default', 'nopass');
    expect(isOpenToAll(access)).toBe(false);
    addUser(access, 'default', 'on', '>x');
    expect(isOpenToAll(access)).toBe(false);
  });
});

describe('a change of users', () => {
  it('binds the clients of a user by its rules, and frees them when it may do everything', async () => {
    const harness = createHarness();
    await apply(harness, { users: [userWith('ann', 'on', 'nopass', '+get', '~*')] });
    const client = clientOf(harness, 'ann');
    expect([isRestricted(client), isRestricted(harness.session)]).toEqual([true, false]);
    await apply(harness, { users: [userWith('ann', '+@all', '~*', '&*')] });
    expect(isRestricted(client)).toBe(false);
    await apply(harness, { users: [userWith('ann', '+@all', '~*', '&*', '-debug', '(+@all ~* &*)')] });
    expect(isRestricted(client)).toBe(false);
    await apply(harness, { users: [userWith('ann', '+@all', '~*', '&*', '-debug')] });
    expect(isRestricted(client)).toBe(true);
    expect(harness.runAs(client, 'RESET')).toBe('+RESET\r\n');
    expect(isRestricted(client)).toBe(false);
  });

  it('closes the clients of a user that is gone, but for the asking one, whose thread says so', async () => {
    const harness = createHarness();
    await apply(harness, { users: [userWith('ann', 'on', 'nopass', '+@all', '~*', '&*')] });
    const [asking, other] = [clientOf(harness, 'ann'), clientOf(harness, 'ann')];
    expect(await apply(harness, { removed: ['ann'], askingId: asking.id })).toBe(true);
    expect([asking.closing, other.closing, harness.session.closing]).toEqual([false, true, false]);
    // Should the closing fail, whoever was it may do nothing.
    expect(harness.runAs(asking, 'GET', 'k')).toContain('NOPERM');
    expect(await apply(harness, { removed: ['nobody'], askingId: harness.session.id })).toBe(false);
  });

  it.each([
    [['&a*', '&b'], ['&a*', '&b', '&c'], false],
    [['&a*', '&b'], ['&a*'], false],
    [['&a*'], ['&a1', '&b'], false],
    [['&a*'], ['&b*'], true],
    [['allchannels'], ['&a1'], false],
    [['allchannels'], ['&a2'], true],
    [['allchannels'], ['(&a1)'], false],
    [['&a*'], ['allchannels'], false],
    [['&a*'], [], true],
  ])('from %j to %j closes a listener of a1: %j', async (before, after, isClosed) => {
    const harness = createHarness();
    await apply(harness, { users: [userWith('ann', 'on', 'nopass', '+@all', ...before)] });
    const [listener, idle] = [clientOf(harness, 'ann'), clientOf(harness, 'ann')];
    addSubscription(createListening(), listener, CHANNELS, 'a1');
    await apply(harness, { users: [userWith('ann', 'on', 'nopass', '+@all', ...after)] });
    expect([listener.closing, idle.closing]).toEqual([isClosed, false]);
  });

  it('closes a listener of a pattern unless the very pattern is still allowed', async () => {
    const harness = createHarness();
    await apply(harness, { users: [userWith('ann', 'on', 'nopass', 'allchannels')] });
    const [kept, lost] = [clientOf(harness, 'ann'), clientOf(harness, 'ann')];
    addSubscription(createListening(), kept, PATTERNS, 'a*');
    addSubscription(createListening(), lost, PATTERNS, 'ab*');
    await apply(harness, { users: [userWith('ann', '&a*')] });
    expect([kept.closing, lost.closing]).toEqual([false, true]);
  });
});
