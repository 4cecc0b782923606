/**
 * Who somebody is that asks over HTTP: a user, by HTTP Basic or a bearer token. The same users as those of RESP.
 *
 * Pure; main thread. Basic: the name and the password, where no name is the default user. Bearer: the password of the default user,
 * or `name:password`.
 */
import { Buffer } from 'node:buffer';
import { type AclAccess, defaultUser, findLogin, isOpenToAll } from '../commands/acl-access.ts';
import { DEFAULT_USER, type User } from '../commands/acl-user.ts';
import { textToBytes } from '../config/arguments.ts';

/** The `WWW-Authenticate` of a refusal (RFC 7617, RFC 6750). */
export const ACCESS_CHALLENGE = 'Basic realm="distcache", charset="UTF-8", Bearer realm="distcache"';

/** As users are kept: one character per byte. */
type Credentials = { readonly name: string; readonly password: string };

/** The user whom this `Authorization` header stands for; without one, the default user, if that needs no password. */
export function userFrom(authorization: string | undefined, access: AclAccess): User | undefined {
  for (const { name, password } of credentialsIn(authorization ?? '')) {
    const user = findLogin(access, name, password);
    if (user !== undefined) return user;
  }
  const isNobody = nameFrom(authorization) === DEFAULT_USER;
  return isNobody && isOpenToAll(access) ? defaultUser(access) : undefined;
}

/** The name that a header gives; the default user's where it gives none. */
export function nameFrom(authorization: string | undefined): string {
  return credentialsIn(authorization ?? '').at(-1)?.name ?? DEFAULT_USER;
}

/** What a header may mean; nothing where it is none of these two kinds. */
function credentialsIn(authorization: string): Credentials[] {
  const [, scheme, sent] = /^([A-Za-z]+) +(\S+) *$/.exec(authorization) ?? [];
  if (scheme?.toLowerCase() === 'bearer') {
    // A header's characters are its bytes.
    const named = splitPair(sent);
    const bare = { name: DEFAULT_USER, password: sent };
    return named === undefined ? [bare] : [bare, named];
  }
  if (scheme?.toLowerCase() !== 'basic') return [];
  const pair = splitPair(textToBytes(Buffer.from(sent, 'base64').toString('utf8')));
  return pair === undefined ? [] : [pair];
}

/** `name:password`, up to the first colon. */
function splitPair(text: string): Credentials | undefined {
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  return { name: text.slice(0, colon) || DEFAULT_USER, password: text.slice(colon + 1) };
}
