/**
 * Users for tests: the default one, with a password or without, and others made by rules.
 */
import { type AclAccess, createAclAccess } from '../../src/commands/acl-access.ts';
import { createDefaultUser, createUser, setOnlyPassword, setUserRule } from '../../src/commands/acl-user.ts';
import '../../src/commands/families.ts';
import { textToBytes } from '../../src/config/arguments.ts';

/** The default user has `password`; where it is empty, it needs none. */
export function accessWith(password = ''): AclAccess {
  const access = createAclAccess(new Map());
  setDefaultPassword(access, password);
  return access;
}

export function setDefaultPassword(access: AclAccess, password: string): void {
  const user = createDefaultUser();
  setOnlyPassword(user, textToBytes(password));
  access.users.set(user.name, user);
}

/** Adds a user, or replaces it. */
export function addUser(access: AclAccess, name: string, ...rules: string[]): void {
  const user = createUser(name, false);
  for (const rule of rules) {
    const fault = setUserRule(user, rule, false);
    if (fault !== undefined) throw new Error(`${rule}: ${fault}`);
  }
  access.users.set(name, user);
}
