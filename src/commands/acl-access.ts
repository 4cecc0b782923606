/**
 * The users as one thread knows them: who may log in, which of the thread's clients are bound by rules, and what becomes of these
 * when users change.
 *
 * One record per thread. Main decides on changes (threads/acl-changes.ts), tells every thread (topic 'acl-apply'), and answers
 * whoever asked when all have followed. The clients of a user that may do everything cost nothing: only the others have GUARD_ACL.
 */
import { asciiBytes } from '../base/bytes.ts';
import { equalSecrets } from '../base/secrets.ts';
import { ACL_RULES_BYTES_MAX } from '../config/limits.ts';
import { isChannelAmong } from './acl-check.ts';
import { type AclLogEntry, installAclLog } from './acl-log.ts';
import { TOPIC_ACL_APPLY, type UsersChange } from './acl-topics.ts';
import { DEFAULT_USER, isOpen, isUnrestricted, passwordHash, type User } from './acl-user.ts';
import type { Engine } from './engine.ts';
import { GUARD_ACL, type Session, setGuard } from './session.ts';
import { PATTERNS } from './subscriptions.ts';

export type AclAccess = {
  /** By name, one character per byte. The default user is always there. */
  readonly users: Map<string, User>;
  /** As the transaction that runs on this thread has changed them, of which main and the other threads do not know yet. */
  readonly foreseen: Map<string, User>;
  /** What was refused on this thread, the latest first. */
  readonly log: AclLogEntry[];
};

/** Compared with where there is no such user, or no password of its, so that the time does not tell. */
const NO_HASH = '0'.repeat(64);

export function createAclAccess(users: Map<string, User>): AclAccess {
  return { users, foreseen: new Map(), log: [] };
}

/** Makes this thread follow the changes of users. Once, before it serves. */
export function installAccess(engine: Engine): void {
  engine.bus.handle(TOPIC_ACL_APPLY, (payload) => followChange(engine, payload as UsersChange));
  installAclLog(engine);
}

/** The default user. */
export function defaultUser({ users }: AclAccess): User {
  return users.get(DEFAULT_USER) as User;
}

/** Whether clients need not log in. */
export function isOpenToAll(access: AclAccess): boolean {
  return isOpen(defaultUser(access));
}

/** Looks at what the client's user may do; to be called whenever the client becomes another one. */
export function bindSession(access: AclAccess, session: Session): void {
  const user = userNamed(access, session.user);
  setGuard(session, GUARD_ACL, user === undefined || !isUnrestricted(user));
}

/** The user of that name as commands have to see it. */
export function userNamed({ users, foreseen }: AclAccess, name: string): User | undefined {
  return foreseen.get(name) ?? users.get(name);
}

/** Holds the client's transaction to what it has asked of main: the commands behind ACL SETUSER see the user as it is to be. */
export function foreseeUser(access: AclAccess, session: Session, user: User): void {
  access.foreseen.set(user.name, user);
  bindSession(access, session);
}

/** The transaction is over: what main says counts. */
export function forgetForeseen(access: AclAccess, session: Session): void {
  if (access.foreseen.size === 0) return;
  access.foreseen.clear();
  bindSession(access, session);
}

/**
 * The user of that name, if it is on and this is a password of its. Every password of a user is compared, and one where there is
 * none, so that the time tells next to nothing. A few microseconds: what is longer than any password is not hashed.
 */
export function findLogin(access: AclAccess, name: string, password: string): User | undefined {
  const user = userNamed(access, name);
  const passwords = user?.passwords ?? [];
  const isTooLong = password.length > ACL_RULES_BYTES_MAX;
  const given = asciiBytes(isTooLong ? NO_HASH : passwordHash(password));
  let isRight = false;
  for (const hash of passwords.length === 0 ? [NO_HASH] : passwords) {
    if (equalSecrets(asciiBytes(hash), given)) isRight = passwords.length > 0 && !isTooLong;
  }
  if (user === undefined || !user.isOn) return undefined;
  return isRight || user.needsNoPassword ? user : undefined;
}

/** Puts a change in force on this thread. True where the asking client is to be closed behind its reply. */
function followChange(engine: Engine, { removed, users, askingId }: UsersChange): boolean {
  const { access, sessions } = engine;
  const losing = new Map<string, User>();
  const gone = new Set(removed);
  for (const name of gone) access.users.delete(name);
  for (const user of users) {
    const before = access.users.get(user.name);
    if (before !== undefined && losesChannels(before, user)) losing.set(user.name, user);
    access.users.set(user.name, user);
  }
  let closesAsking = false;
  for (const session of [...sessions.values()]) {
    const listener = losing.get(session.user);
    const isClosed = gone.has(session.user) || (listener !== undefined && !mayListen(listener, session));
    // The asking one, too: it is there for a while still.
    if (!isClosed || session.id === askingId) bindSession(access, session);
    else session.connection.destroy();
    if (isClosed && session.id === askingId) closesAsking = true;
  }
  return closesAsking;
}

/** Whether something that could be listened to is forbidden now. Source: Redis 7.0, `ACLKillPubsubClientsIfNeeded`. */
function losesChannels(before: User, after: User): boolean {
  if (after.selectors.some(({ allowsAllChannels }) => allowsAllChannels)) return false;
  if (before.selectors.some(({ allowsAllChannels }) => allowsAllChannels)) return true;
  const left = new Set(after.selectors.flatMap(({ channels }) => channels.map(({ text }) => text)));
  return before.selectors.some(({ channels }) => channels.some(({ text }) => !left.has(text)));
}

function mayListen(user: User, { subscriptions }: Session): boolean {
  const allowed = user.selectors.flatMap(({ channels }) => channels);
  const kinds = subscriptions?.names ?? [];
  return kinds.every((names, kind) =>
    [...names].every((name) => isChannelAmong(allowed, kind === PATTERNS, asciiBytes(name), 0, name.length)),
  );
}
