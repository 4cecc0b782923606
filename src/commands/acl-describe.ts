/**
 * Users as rules again: what ACL LIST and ACL GETUSER show, and what is written to files.
 *
 * Pure; any thread, some hundred microseconds for a user. Which commands a selector allows is told by the categories that fit it
 * best, then by single commands; these come in the order of their names, where redis-server has that of its hash table.
 * Source: Redis 7.0 `acl.c`, `ACLDescribeSelectorCommandRules`.
 */
import { CATEGORIES, commandsOfCategory, type NamedCommand, namedCommands } from './acl-commands.ts';
import {
  createSelector,
  KEY_ALL,
  KEY_READ,
  type KeyPattern,
  type Selector,
  setCategory,
  setCommand,
  setRule,
} from './acl-selector.ts';
import type { User } from './acl-user.ts';

/** The words of its state, as in ACL GETUSER. */
export function userFlags({ isOn, needsNoPassword, sanitizes }: User): string[] {
  const flags = [isOn ? 'on' : 'off'];
  if (needsNoPassword) flags.push('nopass');
  if (sanitizes !== undefined) flags.push(sanitizes ? 'sanitize-payload' : 'skip-sanitize-payload');
  return flags;
}

/** All of a user's rules but its name: setting these makes the same user. */
export function describeUser(user: User): string {
  const [own, ...others] = user.selectors;
  return [
    ...userFlags(user),
    ...user.passwords.map((hash) => `#${hash}`),
    describeSelector(own),
    ...others.map((selector) => `(${describeSelector(selector)})`),
  ].join(' ');
}

/** The line of a user in a file. */
export function userLine(user: User): string {
  return `user ${user.name} ${describeUser(user)}`;
}

/** `~a* %R~b*`. */
export function describeKeys({ allowsAllKeys, keys }: Selector): string {
  return allowsAllKeys ? '~*' : keys.map(describePattern).join(' ');
}

/** `&a* &b*`. */
export function describeChannels({ allowsAllChannels, channels }: Selector): string {
  return allowsAllChannels ? '&*' : channels.map(({ text }) => `&${text}`).join(' ');
}

/** `-@all +@read +set`. */
export function describeCommands(selector: Selector): string {
  // The rules are applied as they are found: what still differs needs more of them.
  const told = createSelector(false);
  const rules = [selector.isSubtractive ? '+@all' : '-@all'];
  setRule(told, rules[0]);
  for (const category of fittingCategories(selector)) {
    setCategory(told, category, !selector.isSubtractive);
    rules.push(`${selector.isSubtractive ? '-' : '+'}@${category}`);
  }
  for (const command of namedCommands()) addSingleRules(selector, told, command, rules);
  return rules.join(' ');
}

function describeSelector(selector: Selector): string {
  const channels = describeChannels(selector);
  return [
    describeKeys(selector),
    selector.allowsAllChannels ? '' : 'resetchannels',
    channels,
    describeCommands(selector),
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function describePattern({ rights, text }: KeyPattern): string {
  if (rights === KEY_ALL) return `~${text}`;
  return `${rights === KEY_READ ? '%R' : '%W'}~${text}`;
}

/** The categories that say most, best first: each tells more commands right than wrong of those that are not told yet. */
function fittingCategories({ commands, isSubtractive }: Selector): string[] {
  const left = createSelector(false);
  left.commands = commands.slice();
  const found: string[] = [];
  for (;;) {
    const category = bestCategory(left.commands, isSubtractive, found);
    if (category === undefined) return found;
    found.push(category);
    setCategory(left, category, isSubtractive);
  }
}

function bestCategory(
  commands: Uint8Array,
  isSubtractive: boolean,
  taken: readonly string[],
): string | undefined {
  let best: string | undefined;
  let wrongMin = Infinity;
  let rightMax = 0;
  for (const category of CATEGORIES) {
    if (taken.includes(category)) continue;
    const { allowed, forbidden } = countCategory(commands, category);
    const right = isSubtractive ? forbidden : allowed;
    const wrong = isSubtractive ? allowed : forbidden;
    if (right <= wrong || wrong > wrongMin || (wrong === wrongMin && right <= rightMax)) continue;
    best = category;
    wrongMin = wrong;
    rightMax = right;
  }
  return best;
}

/** What is of this server alone does not count, so that the rules are those of redis-server. */
function countCategory(
  commands: Uint8Array,
  category: string,
): { readonly allowed: number; readonly forbidden: number } {
  let allowed = 0;
  let forbidden = 0;
  for (const command of commandsOfCategory(category) ?? []) {
    if (!command.isRedis) continue;
    if (commands[command.place] === 1) allowed += 1;
    else forbidden += 1;
  }
  return { allowed, forbidden };
}

function addSingleRules(selector: Selector, told: Selector, command: NamedCommand, rules: string[]): void {
  const { place, name } = command;
  const isAllowed = selector.commands[place] === 1;
  if (isAllowed !== (told.commands[place] === 1)) {
    rules.push(`${isAllowed ? '+' : '-'}${name}`);
    setCommand(told, command, isAllowed);
  }
  for (const subcommand of command.subcommands) addSingleRules(selector, told, subcommand, rules);
  if (isAllowed) return;
  for (const argument of selector.firstArguments.get(place) ?? []) rules.push(`+${name}|${argument}`);
}
