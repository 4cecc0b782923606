/**
 * Users: who may log in with what, and what they may do. How the rules of ACL SETUSER and of a `user` line change one.
 *
 * Plain records that travel between threads. Main reads the rules; a user that is in force is never changed, only replaced.
 * All texts are one character per byte. Source: Redis 7.0 `acl.c`, `ACLSetUser`.
 */
import { asciiBytes } from '../base/bytes.ts';
import { hashSecret } from '../base/secrets.ts';
import { ACL_USER_ITEMS_MAX } from '../config/limits.ts';
import {
  addsItem,
  copySelector,
  createSelector,
  itemsOf,
  type RuleFault,
  readSelector,
  type Selector,
  setRule,
} from './acl-selector.ts';

/** Who a client is that has not logged in; its password is `requirepass`. */
export const DEFAULT_USER = 'default';

export type User = {
  readonly name: string;
  isOn: boolean;
  /** Whatever is given is its password. */
  needsNoPassword: boolean;
  /** What it says of payloads of RESTORE, which is told and nothing else; undefined while it says nothing. */
  sanitizes: boolean | undefined;
  /** SHA-256, in 64 lower-case hexadecimal digits each. */
  passwords: readonly string[];
  /** The first is its own; the others it was given in parentheses. */
  selectors: readonly Selector[];
};

const HASH_PATTERN = /^[0-9a-f]{64}$/;

const FAULT_TEXTS: Readonly<Record<RuleFault, string>> = {
  'unknown-command': 'Unknown command or category name in ACL',
  syntax: 'Syntax error',
  'after-all-keys':
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' " +
    'to start with an empty list of patterns',
  'after-all-channels':
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try " +
    "'resetchannels' to start with an empty list of channels",
  'first-argument-of-subcommand': 'Allowing first-arg of a subcommand is not supported',
  'no-such-password': 'The password you are trying to remove from the user does not exist',
  'bad-hash':
    'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters',
  'too-many': `a user has at most ${ACL_USER_ITEMS_MAX} passwords, patterns, first arguments and selectors`,
};

/** What ACL SETUSER makes of a user, or (of undefined) of a name; or the error for the client. `before` stays as it is. */
export function changedUser(
  before: User | undefined,
  name: string,
  rules: readonly string[],
  allowsAllChannels: boolean,
): User | string {
  const user = before === undefined ? createUser(name, allowsAllChannels) : copyUser(before);
  for (const rule of rules) {
    const fault = setUserRule(user, rule, allowsAllChannels);
    if (fault === undefined) continue;
    return `ERR Error in ACL SETUSER modifier '${rule.split('\0', 1)[0]}': ${faultText(fault)}`;
  }
  return user;
}

/** What is wrong, in redis-server's words. */
export function faultText(fault: RuleFault): string {
  return FAULT_TEXTS[fault];
}

/** One that may do nothing; `allowsAllChannels` is what `acl-pubsub-default` says. */
export function createUser(name: string, allowsAllChannels: boolean): User {
  return {
    name,
    isOn: false,
    needsNoPassword: false,
    sanitizes: undefined,
    passwords: [],
    selectors: [createSelector(allowsAllChannels)],
  };
}

/** The default user as it is when nobody says anything about it: it may do everything. */
export function createDefaultUser(): User {
  const user = createUser(DEFAULT_USER, true);
  for (const rule of ['+@all', '~*', '&*', 'on', 'nopass']) setUserRule(user, rule, true);
  return user;
}

/** A copy that may be changed. */
export function copyUser(user: User): User {
  return { ...user, selectors: user.selectors.map(copySelector) };
}

/** Whether everything is allowed to it: then nobody looks at what its clients do. */
export function isUnrestricted({ selectors }: User): boolean {
  return selectors.some(
    (selector) => selector.allowsAllCommands && selector.allowsAllKeys && selector.allowsAllChannels,
  );
}

/** Whether clients may come as this user without a password. */
export function isOpen({ isOn, needsNoPassword }: User): boolean {
  return isOn && needsNoPassword;
}

/** Makes `password` the only one; none at all, where it is empty: anybody may be the user. */
export function setOnlyPassword(user: User, password: string): void {
  user.passwords = password === '' ? [] : [passwordHash(password)];
  user.needsNoPassword = password === '';
}

/** Applies one rule. A fault leaves the user as it was. */
export function setUserRule(user: User, rule: string, allowsAllChannels: boolean): RuleFault | undefined {
  if (rule === '' || setUserWord(user, rule.toLowerCase(), allowsAllChannels)) return undefined;
  if (addsItem(rule) && isFull(user)) return 'too-many';
  switch (rule[0]) {
    case '>':
      return addPassword(user, passwordHash(rule.slice(1)));
    case '#':
      return addPassword(user, rule.slice(1));
    case '<':
      return removePassword(user, passwordHash(rule.slice(1)));
    case '!':
      return removePassword(user, rule.slice(1));
  }
  if (rule[0] !== '(' || !rule.endsWith(')')) return setRule(user.selectors[0], rule);
  const selector = readSelector(rule, allowsAllChannels);
  if (typeof selector === 'string') return selector;
  user.selectors = [...user.selectors, selector];
  return undefined;
}

/** SHA-256 of a password in bytes, one character each, as a user keeps it. */
export function passwordHash(password: string): string {
  return hashSecret(asciiBytes(password));
}

/** The rules that are words, but for those of a selector; false for every other. */
function setUserWord(user: User, word: string, allowsAllChannels: boolean): boolean {
  switch (word) {
    case 'on':
    case 'off':
      user.isOn = word === 'on';
      return true;
    case 'sanitize-payload':
    case 'skip-sanitize-payload':
      user.sanitizes = word === 'sanitize-payload';
      return true;
    case 'nopass':
    case 'resetpass':
      user.needsNoPassword = word === 'nopass';
      user.passwords = [];
      return true;
    case 'clearselectors':
      user.selectors = user.selectors.slice(0, 1);
      return true;
    case 'reset':
      Object.assign(user, createUser(user.name, allowsAllChannels), { sanitizes: true });
      return true;
    default:
      return false;
  }
}

/** Of passwords, patterns, first arguments and selectors together. */
function isFull({ passwords, selectors }: User): boolean {
  let items = passwords.length;
  for (const selector of selectors) items += itemsOf(selector);
  return items >= ACL_USER_ITEMS_MAX;
}

function addPassword(user: User, hash: string): RuleFault | undefined {
  if (!HASH_PATTERN.test(hash)) return 'bad-hash';
  if (!user.passwords.includes(hash)) user.passwords = [...user.passwords, hash];
  user.needsNoPassword = false;
  return undefined;
}

function removePassword(user: User, hash: string): RuleFault | undefined {
  if (!HASH_PATTERN.test(hash)) return 'bad-hash';
  if (!user.passwords.includes(hash)) return 'no-such-password';
  user.passwords = user.passwords.filter((other) => other !== hash);
  return undefined;
}
