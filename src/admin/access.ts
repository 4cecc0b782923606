/**
 * Who may see the HTTP pages when `requirepass` is set: whoever sends the password, as HTTP Basic (user `default` or none)
 * or as a bearer token. Pure; main thread.
 */
import { Buffer } from 'node:buffer';
import { createHash, timingSafeEqual } from 'node:crypto';

const DEFAULT_USER = 'default';

/** The `WWW-Authenticate` of a refusal (RFC 7617, RFC 6750). */
export const ACCESS_CHALLENGE = 'Basic realm="distcache", charset="UTF-8", Bearer realm="distcache"';

/** Whether a request with this `Authorization` header may pass. The empty password lets everybody pass. */
export function accessAllowed(authorization: string | undefined, password: string): boolean {
  if (password === '') return true;
  const sent = passwordFrom(authorization ?? '');
  return sent !== undefined && equalSecrets(sent, password);
}

function passwordFrom(authorization: string): string | undefined {
  const [, scheme, credentials] = /^([A-Za-z]+) +(\S+) *$/.exec(authorization) ?? [];
  if (scheme === undefined) return undefined;
  if (scheme.toLowerCase() === 'bearer') return credentials;
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const [, user, password] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(credentials, 'base64').toString('utf8')) ?? [];
  return user === '' || user === DEFAULT_USER ? password : undefined;
}

/** Takes the same time wherever the two differ, and however long they are: it compares their digests. */
function equalSecrets(one: string, other: string): boolean {
  return timingSafeEqual(digestOf(one), digestOf(other));
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
