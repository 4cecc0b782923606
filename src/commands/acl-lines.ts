/**
 * Users as lines of files: those of an ACL file and the `user` lines of the configuration.
 *
 * Pure; main thread. Texts are one character per byte. Source: Redis 7.0 `acl.c`, `ACLLoadFromFile`, `ACLMergeSelectorArguments`.
 */
import { textToBytes } from '../config/arguments.ts';
import type { UserSetting } from '../config/config.ts';
import { ACL_USERS_MAX } from '../config/limits.ts';
import { userLine } from './acl-describe.ts';
import { hasSpaces, type RuleFault } from './acl-selector.ts';
import { createUser, DEFAULT_USER, faultText, setUserRule, type User } from './acl-user.ts';

const NOTHING_LOADED =
  'WARNING: ACL errors detected, no change to the previously active ACL rules was performed';

export const TOO_MANY_USERS = `there are ${ACL_USERS_MAX} users already`;

/** What a user begins with whom nobody has said anything about. */
export type UserDefaults = { readonly allowsAllChannels: boolean };

/** The rules of a selector may come as several words: here they are one. The index of a `(` that is not closed. */
export function mergeRules(words: readonly string[]): string[] | number {
  const merged: string[] = [];
  let openAt = -1;
  let open = '';
  for (const [index, word] of words.entries()) {
    if (word.startsWith('(') && !word.endsWith(')')) {
      open = word;
      openAt = index;
    } else if (openAt < 0) {
      merged.push(word);
    } else {
      open += ` ${word}`;
      if (!word.endsWith(')')) continue;
      merged.push(open);
      openAt = -1;
    }
  }
  return openAt < 0 ? merged : openAt;
}

/**
 * The users of an ACL file with that text. All that is wrong, in redis-server's words, where anything is: then there are none.
 * The default user is not among them where the file does not name it.
 */
export function readAclText(
  text: string,
  path: string,
  defaults: UserDefaults,
): { readonly users: readonly User[] } | { readonly errors: string } {
  const users = new Map<string, User>();
  let errors = '';
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '');
    if (trimmed !== '') errors += readAclLine(users, trimmed, `${path}:${index + 1}`, index + 1, defaults);
  }
  return errors === '' ? { users: [...users.values()] } : { errors: errors + NOTHING_LOADED };
}

/** The text of an ACL file with these users, in the order of their names. */
export function aclText(users: Iterable<User>): string {
  return sortedUsers(users)
    .map((user) => `${userLine(user)}\n`)
    .join('');
}

/** As redis-server keeps them: by the bytes of their names. */
export function sortedUsers(users: Iterable<User>): User[] {
  return [...users].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The users that the configuration declares, by name; or what is wrong with a declaration, without a password of its. */
export function readUserSettings(
  settings: readonly UserSetting[],
  defaults: UserDefaults,
): { readonly users: ReadonlyMap<string, User> } | { readonly place: string; readonly problem: string } {
  const users = new Map<string, User>();
  for (const { place, words } of settings) {
    const [name, ...rules] = words.map(textToBytes);
    const problem = readDeclared(users, name, rules, defaults);
    if (problem !== undefined) return { place, problem };
  }
  return { users };
}

/** What is wrong with one line; the empty text where nothing is. */
function readAclLine(
  users: Map<string, User>,
  line: string,
  place: string,
  number: number,
  defaults: UserDefaults,
): string {
  const [keyword, name, ...words] = line.split(' ');
  if (keyword !== 'user' || name === undefined) {
    return `${place} should start with user keyword followed by the username. `;
  }
  if (hasSpaces(name)) return `'${place}: username '${name}' contains invalid characters. `;
  if (users.has(name)) return `WARNING: Duplicate user '${name}' found on line ${number}. `;
  if (users.size >= ACL_USERS_MAX) return `${place}: ${TOO_MANY_USERS}. `;
  const user = createUser(name, defaults.allowsAllChannels);
  users.set(name, user);
  const rules = mergeRules(words);
  if (typeof rules === 'number') return `${place}: Unmatched parenthesis in selector definition.`;
  return applyAclRules(user, rules, place, defaults);
}

/** Every unknown command is told, since it is no secret; of the rest only the first, on which others may depend. */
function applyAclRules(user: User, rules: readonly string[], place: string, defaults: UserDefaults): string {
  let errors = '';
  let hasFault = false;
  for (const rule of rules) {
    const trimmed = rule.replace(/^[\t\r\n]+|[\t\r\n]+$/g, '');
    const fault = setUserRule(user, trimmed, defaults.allowsAllChannels);
    if (fault === 'unknown-command') {
      errors += `${place}: Error in applying operation '${trimmed}': ${faultText(fault)}. `;
    } else if (fault !== undefined && !hasFault) {
      errors += `${place}: ${faultText(fault)}. `;
      hasFault = true;
    }
  }
  return errors;
}

function readDeclared(
  users: Map<string, User>,
  name: string | undefined,
  words: readonly string[],
  defaults: UserDefaults,
): string | undefined {
  if (name === undefined) return 'user needs a name and rules';
  if (hasSpaces(name)) return "Usernames can't contain spaces or null characters";
  if (users.has(name)) {
    return `user '${name}': Duplicate user found. A user can only be defined once in config files`;
  }
  const rules = mergeRules(words);
  if (typeof rules === 'number') return `user '${name}': a parenthesis is not closed`;
  const user = createUser(name, defaults.allowsAllChannels);
  if (name === DEFAULT_USER) setUserRule(user, 'reset', defaults.allowsAllChannels);
  users.set(name, user);
  for (const rule of rules) {
    const fault = setUserRule(user, rule, defaults.allowsAllChannels);
    if (fault !== undefined) return `user '${name}': ${shownRule(rule, fault)}${faultText(fault)}`;
  }
  return undefined;
}

/** Only what names a command is shown: anything else may be a password with a slip in it. */
function shownRule(rule: string, fault: RuleFault): string {
  return fault === 'unknown-command' ? `'${rule}': ` : '';
}
