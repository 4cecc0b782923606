/** Tests of users as rules again, beyond what is compared with redis-server (test/differential/acl.test.ts). */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { namedCommands } from '../../src/commands/acl-commands.ts';
import { describeCommands, describeUser } from '../../src/commands/acl-describe.ts';
import { createSelector, setRule } from '../../src/commands/acl-selector.ts';
import { createUser, setUserRule, type User } from '../../src/commands/acl-user.ts';
import '../../src/commands/families.ts';

const EVERY_COMMAND = namedCommands().flatMap((command) => [command, ...command.subcommands]);
const names = EVERY_COMMAND.map(({ name }) => name);
const OWN_NAMES = EVERY_COMMAND.filter(({ isRedis }) => !isRedis).map(({ name }) => name);
const commandRule = fc.oneof(
  fc.tuple(fc.constantFrom('+', '-'), fc.constantFrom(...names)).map((parts) => parts.join('')),
  fc
    .tuple(
      fc.constantFrom('+@', '-@'),
      fc.constantFrom('all', 'slow', 'fast', 'read', 'write', 'connection', 'admin'),
    )
    .map((parts) => parts.join('')),
);
const rule = fc.oneof(
  commandRule,
  fc.constantFrom(
    'on',
    'nopass',
    '>a',
    '>b',
    'reset',
    'sanitize-payload',
    '+select|0',
    '+echo|x',
    '(~s +get)',
  ),
  fc.constantFrom('~a', '%R~b', '%W~b', '&c', '(&d -@all +@read)', 'resetkeys', 'resetchannels'),
);

function userWith(rules: readonly string[]): User {
  const user = createUser('u', false);
  for (const text of rules) setUserRule(user, text, false);
  return user;
}

it('what is told of a user makes the same user', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 12 }), (rules) => {
      const user = userWith(rules);
      // A blank within parentheses ends no rule.
      const words = describeUser(user).match(/\([^)]*\)|[^ ]+/g) ?? [];
      const again = userWith(words);
      expect(describeUser(again)).toBe(describeUser(user));
      expect(again.selectors.map(({ commands }) => commands)).toEqual(
        user.selectors.map(({ commands }) => commands),
      );
    }),
  );
});

it('the categories that are told do not depend on commands that redis-server does not have', () => {
  expect(OWN_NAMES).toContain('cache.mrc');
  const categories = (rules: readonly string[]) => {
    const selector = createSelector(false);
    for (const text of rules) setRule(selector, text);
    return describeCommands(selector).match(/[+-]@\w+/g);
  };
  const allow = OWN_NAMES.map((name) => `+${name}`);
  const forbid = OWN_NAMES.map((name) => `-${name}`);
  // As many of these as it takes for a category to be worth telling, and one less.
  const fast = names
    .filter((name) => ['asking', 'auth', 'echo', 'hello'].includes(name))
    .map((name) => `+${name}`);
  fc.assert(
    fc.property(fc.array(commandRule, { maxLength: 12 }), (rules) => {
      for (const list of [rules, [...rules, ...fast]]) {
        expect(categories([...list, ...allow])).toEqual(categories([...list, ...forbid]));
      }
    }),
    { numRuns: 300 },
  );
});
