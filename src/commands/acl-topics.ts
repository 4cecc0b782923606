/**
 * What travels over the bus when users change: the topics of main, which decides, and of every thread, which follows.
 *
 * Types and names only. Users, rules and names are one character per byte.
 */
import type { User } from './acl-user.ts';

/** To main; it answers with a UsersOutcome when every thread has followed. */
export const TOPIC_ACL_SET = 'acl-set';
export const TOPIC_ACL_DELETE = 'acl-delete';
export const TOPIC_ACL_LOAD = 'acl-load';
export const TOPIC_ACL_SAVE = 'acl-save';
/** Main to all, with a UsersChange; each answers whether the asking client, which it serves, is to be closed. */
export const TOPIC_ACL_APPLY = 'acl-apply';

/** `askingId` is the client that asks; its connection ends behind the reply if it must. */
export type AclSetRequest = {
  readonly name: string;
  readonly rules: readonly string[];
  readonly askingId: number;
};
export type AclDeleteRequest = { readonly names: readonly string[]; readonly askingId: number };
export type AclLoadRequest = { readonly askingId: number };

/** The whole error for the client, or how many users were changed. */
export type UsersOutcome =
  | { readonly error: string }
  | { readonly count: number; readonly closesAsking: boolean };

/** The clients of `removed` users are closed; then `users` are added or take the place of those of their names. */
export type UsersChange = {
  readonly removed: readonly string[];
  readonly users: readonly User[];
  readonly askingId: number;
};
