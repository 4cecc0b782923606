/** Tests of the bounds of users: rules that take main's time, and what every thread keeps. */
import { describe, expect, it } from 'vitest';
import { readAclText } from '../../src/commands/acl-lines.ts';
import { copyUser, createUser, setUserRule, type User } from '../../src/commands/acl-user.ts';
import {
  ACL_RULES_BYTES_MAX,
  ACL_RULES_MAX,
  ACL_USER_ITEMS_MAX,
  ACL_USERS_MAX,
} from '../../src/config/limits.ts';
import { createHarness } from '../support/harness.ts';

const SETUSER_BOUNDS = `ERR ACL SETUSER takes at most ${ACL_RULES_MAX} rules of ${ACL_RULES_BYTES_MAX} bytes together`;
const USER_BOUNDS = `a user has at most ${ACL_USER_ITEMS_MAX} passwords, patterns, first arguments and selectors`;

function numbered(count: number, rule: (index: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => rule(index));
}

function faultsOf(user: User, rules: readonly string[]): unknown[] {
  return rules.map((rule) => setUserRule(user, rule, false)).filter((fault) => fault !== undefined);
}

describe('a user', () => {
  it.each<[kind: string, rule: (index: number) => string]>([
    ['passwords', (index) => `>${index}`],
    ['patterns of keys', (index) => `~${index}`],
    ['channels', (index) => `&${index}`],
    ['first arguments', (index) => `+get|${index}`],
    ['selectors', (index) => `(~${index})`],
  ])('has so many %s at the most, and stays as it was beyond', (_, rule) => {
    const user = createUser('ann', false);
    expect(faultsOf(user, numbered(2 * ACL_USER_ITEMS_MAX, rule)).length).toBeGreaterThanOrEqual(
      ACL_USER_ITEMS_MAX,
    );
    const before = copyUser(user);
    expect(setUserRule(user, rule(-1), false)).toBe('too-many');
    expect(user).toEqual(before);
    // What adds nothing is still taken.
    expect(faultsOf(user, ['+set', '-set', 'allkeys', 'allchannels', 'resetpass', 'clearselectors'])).toEqual(
      [],
    );
  });

  it('has a selector of no more than that either', () => {
    const patterns = numbered(ACL_USER_ITEMS_MAX + 1, (index) => `~${index}`);
    const user = createUser('ann', false);
    expect(setUserRule(user, `(${patterns.join(' ')})`, false)).toBe('too-many');
    expect(setUserRule(user, `(${patterns.slice(2).join(' ')})`, false)).toBeUndefined();
  });
});

describe('ACL SETUSER', () => {
  it('is refused at once with too many rules, or too long ones', async () => {
    const harness = createHarness();
    const many = numbered(ACL_RULES_MAX + 1, () => '+get');
    expect(harness.run('ACL', 'SETUSER', 'ann', ...many)).toBe(`-${SETUSER_BOUNDS}\r\n`);
    expect(harness.run('ACL', 'SETUSER', 'ann', `~${'a'.repeat(ACL_RULES_BYTES_MAX)}`)).toBe(
      `-${SETUSER_BOUNDS}\r\n`,
    );
    expect(harness.run('ACL', 'SETUSER', 'a'.repeat(ACL_RULES_BYTES_MAX + 1))).toBe(`-${SETUSER_BOUNDS}\r\n`);
    expect(harness.run('ACL', 'SETUSER', 'ann', ...many.slice(1))).toBe('');
    await expect.poll(() => harness.deferredReplies).toEqual(['+OK\r\n']);
  });

  it('names the rule that is one too many, and changes nothing', async () => {
    const harness = createHarness();
    const rules = numbered(ACL_USER_ITEMS_MAX + 1, (index) => `~${index}`);
    harness.run('ACL', 'SETUSER', 'ann', ...rules);
    const last = rules[ACL_USER_ITEMS_MAX - 1];
    await expect
      .poll(() => harness.deferredReplies)
      .toEqual([`-ERR Error in ACL SETUSER modifier '${last}': ${USER_BOUNDS}\r\n`]);
    expect(harness.engine.access.users.has('ann')).toBe(false);
  });

  it('makes no more users than there may be, and changes those that there are', async () => {
    const harness = createHarness();
    const { users } = harness.engine.access;
    for (let index = users.size; index < ACL_USERS_MAX; index += 1)
      users.set(`${index}`, createUser(`${index}`, false));
    harness.run('ACL', 'SETUSER', 'ann');
    await expect
      .poll(() => harness.deferredReplies)
      .toEqual([`-ERR there are ${ACL_USERS_MAX} users already\r\n`]);
    harness.run('ACL', 'SETUSER', 'default', '-debug');
    await expect.poll(() => harness.deferredReplies.at(-1)).toBe('+OK\r\n');
  });
});

describe('an ACL file', () => {
  it('declares no more users than there may be', () => {
    const lines = numbered(ACL_USERS_MAX + 1, (index) => `user u${index}\n`);
    const defaults = { allowsAllChannels: false };
    expect(readAclText(lines.slice(1).join(''), 'f', defaults)).toHaveProperty('users');
    expect(readAclText(lines.join(''), 'f', defaults)).toEqual({
      errors: expect.stringContaining(`f:${ACL_USERS_MAX + 1}: there are ${ACL_USERS_MAX} users already. `),
    });
  });
});
