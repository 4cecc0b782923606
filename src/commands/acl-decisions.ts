/**
 * Changes of users, decided by main: ACL SETUSER, DELUSER, LOAD and SAVE of all clients, one after the other, and the password of
 * `requirepass`.
 *
 * Main thread. Each decision is made on main's users, told to every thread, and answered when all have followed, so that the
 * client's OK means everywhere; a thread that is started meanwhile starts with them.
 */

import { readAclFile, writeAclFile } from '../config/acl-file.ts';
import { textToBytes } from '../config/arguments.ts';
import type { Change, Config } from '../config/config.ts';
import { ACL_USERS_MAX } from '../config/limits.ts';
import { configError } from '../config/settings.ts';
import { defaultUser } from './acl-access.ts';
import { describeUser, userLine } from './acl-describe.ts';
import {
  aclText,
  readAclText,
  readUserSettings,
  sortedUsers,
  TOO_MANY_USERS,
  type UserDefaults,
} from './acl-lines.ts';
import {
  type AclDeleteRequest,
  type AclLoadRequest,
  type AclSetRequest,
  TOPIC_ACL_APPLY,
  TOPIC_ACL_DELETE,
  TOPIC_ACL_LOAD,
  TOPIC_ACL_SAVE,
  TOPIC_ACL_SET,
  type UsersChange,
  type UsersOutcome,
} from './acl-topics.ts';
import {
  changedUser,
  copyUser,
  createDefaultUser,
  DEFAULT_USER,
  setOnlyPassword,
  type User,
} from './acl-user.ts';
import type { Engine } from './engine.ts';

const NOBODY_ASKS = 0;

const SAVE_FAILED =
  'ERR There was an error trying to save the ACLs. Please check the server logs for more information';
const BOTH_WAYS =
  'users are declared here and in an ACL file (aclfile): declare them in one of the two places, not in both';

export type UserDecisions = {
  /** Puts the changes of CONFIG SET in force that concern users. */
  readonly settle: (changes: readonly Change[]) => Promise<void>;
  /** The lines of the configuration file that declare the users. */
  readonly configLines: () => string[];
};

/** The users that the server starts with, by name. Throws a StartError where what declares them is wrong. */
export function loadUsers(config: Config): Map<string, User> {
  const declared = readUserSettings(config.userSettings, defaultsOf(config));
  if ('problem' in declared) throw configError(declared.place, declared.problem);
  const users = new Map([[DEFAULT_USER, initialDefaultUser(config)], ...declared.users]);
  if (config.aclfile === '') return users;
  if (declared.users.size > 0) throw configError(config.userSettings[0].place, BOTH_WAYS);
  const loaded = loadAclFile(config);
  if ('error' in loaded) throw configError('aclfile', loaded.error);
  return new Map([...users, ...loaded.users.map((user): [string, User] => [user.name, user])]);
}

/** Makes this thread, main, the one that decides. */
export function decideUsers(engine: Engine): UserDecisions {
  const { bus, access, config } = engine;
  let deciding: Promise<unknown> = Promise.resolve();
  const inTurn = <Answer>(decide: () => Promise<Answer>): Promise<Answer> => {
    const decided = deciding.then(decide);
    deciding = decided.catch(() => undefined);
    return decided;
  };
  bus.handle(TOPIC_ACL_SET, (request) => inTurn(() => setUser(engine, request as AclSetRequest)));
  bus.handle(TOPIC_ACL_DELETE, (request) => inTurn(() => deleteUsers(engine, request as AclDeleteRequest)));
  bus.handle(TOPIC_ACL_LOAD, (request) => inTurn(() => reloadUsers(engine, request as AclLoadRequest)));
  bus.handle(TOPIC_ACL_SAVE, () => inTurn(() => saveUsers(engine)));
  return {
    settle: async (changes) => {
      const change = changes.find(([name]) => name === 'requirepass');
      if (change !== undefined) await inTurn(() => setDefaultPassword(engine, change[1]));
    },
    configLines: () => (config.aclfile === '' ? linesToKeep(config, access.users) : []),
  };
}

async function setUser(engine: Engine, { name, rules, askingId }: AclSetRequest): Promise<UsersOutcome> {
  const { allowsAllChannels } = defaultsOf(engine.config);
  const { users } = engine.access;
  const before = users.get(name);
  if (before === undefined && users.size >= ACL_USERS_MAX) return { error: `ERR ${TOO_MANY_USERS}` };
  const user = changedUser(before, name, rules, allowsAllChannels);
  if (typeof user === 'string') return { error: user };
  return apply(engine, { removed: [], users: [user], askingId }, 1);
}

async function deleteUsers(engine: Engine, { names, askingId }: AclDeleteRequest): Promise<UsersOutcome> {
  const removed = [...new Set(names)].filter((name) => engine.access.users.has(name));
  return apply(engine, { removed, users: [], askingId }, removed.length);
}

/** All of the file or nothing. As with redis-server, the clients of all users but the default one are closed. */
async function reloadUsers(engine: Engine, { askingId }: AclLoadRequest): Promise<UsersOutcome> {
  const { access, config } = engine;
  const loaded = loadAclFile(config);
  if ('error' in loaded) return { error: `ERR ${loaded.error}` };
  const removed = [...access.users.keys()].filter((name) => name !== DEFAULT_USER);
  const named = loaded.users.some(({ name }) => name === DEFAULT_USER);
  const users = named ? loaded.users : [...loaded.users, initialDefaultUser(config)];
  return apply(engine, { removed, users, askingId }, users.length);
}

async function saveUsers({ access, config, log }: Engine): Promise<UsersOutcome> {
  const trouble = await writeAclFile(config.dir, config.aclfile, aclText(access.users.values()));
  if (trouble === undefined) return { count: access.users.size, closesAsking: false };
  log.warning(`ACL SAVE: ${trouble}`);
  return { error: SAVE_FAILED };
}

async function setDefaultPassword(engine: Engine, password: string): Promise<UsersOutcome> {
  const user = copyUser(defaultUser(engine.access));
  setOnlyPassword(user, textToBytes(password));
  return apply(engine, { removed: [], users: [user], askingId: NOBODY_ASKS }, 1);
}

async function apply({ bus }: Engine, change: UsersChange, count: number): Promise<UsersOutcome> {
  const answers = await bus.requestAll(TOPIC_ACL_APPLY, change);
  return { count, closesAsking: answers.includes(true) };
}

function loadAclFile(config: Config): { readonly users: readonly User[] } | { readonly error: string } {
  const text = readAclFile(config.dir, config.aclfile);
  if ('trouble' in text) {
    return { error: `Error loading ACLs, opening file '${config.aclfile}': ${text.trouble}` };
  }
  const read = readAclText(text.bytes, config.aclfile, defaultsOf(config));
  return 'errors' in read ? { error: read.errors } : read;
}

/** With the password of `requirepass`, which is UTF-8. */
function initialDefaultUser({ requirepass }: Config): User {
  const user = createDefaultUser();
  setOnlyPassword(user, textToBytes(requirepass));
  return user;
}

function defaultsOf({ aclPubsubDefault }: Config): UserDefaults {
  return { allowsAllChannels: aclPubsubDefault === 'allchannels' };
}

/** Of the default user only where `requirepass` does not say all of it. */
function linesToKeep(config: Config, users: ReadonlyMap<string, User>): string[] {
  const initial = describeUser(initialDefaultUser(config));
  return sortedUsers(users.values())
    .filter((user) => user.name !== DEFAULT_USER || describeUser(user) !== initial)
    .map(userLine);
}
