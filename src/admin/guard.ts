/**
 * Who may ask for what over HTTP, and what every answer says to browsers. Main thread.
 */
import type { IncomingMessage } from 'node:http';
import { ACCESS_CHALLENGE, accessAllowed } from './access.ts';
import { crossSiteRefusal } from './cross-site.ts';
import { isLoopback } from './peer-address.ts';
import type { AdminSources } from './sources.ts';

/** For a problem; `challenge` is the `WWW-Authenticate` of a 401, else ''. */
export type Refusal = { readonly status: 401 | 403; readonly detail: string; readonly challenge: string };

/** Nothing is kept, framed, sniffed or embedded elsewhere, and a document may load nothing. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const PROTECTED_MODE_DENIAL =
  'protected mode: while no password is set, only this machine may come. Set requirepass; or, where nobody else reaches this ' +
  'port, protected-mode no.';
const PASSWORD_NEEDED: Refusal = {
  status: 401,
  detail: 'the password of requirepass is needed',
  challenge: ACCESS_CHALLENGE,
};

/**
 * Why the request is refused, undefined where it is not. In this order: a stranger is told nothing, a page of another site is
 * refused whatever it knows, and then the password.
 */
export function httpRefusal(
  { password, exposure }: Pick<AdminSources, 'password' | 'exposure'>,
  { method = '', headers, socket }: IncomingMessage,
): Refusal | undefined {
  const secret = password();
  const hasPassword = secret !== '';
  if (!hasPassword && exposure?.isProtected() && !isLoopback(socket.remoteAddress))
    return forbidden(PROTECTED_MODE_DENIAL);
  const settings = { hosts: exposure?.hosts() ?? [], hostname: exposure?.hostname ?? '', hasPassword };
  const crossSite = crossSiteRefusal(method, headers, settings);
  if (crossSite !== undefined) return forbidden(crossSite);
  return accessAllowed(headers.authorization, secret) ? undefined : PASSWORD_NEEDED;
}

function forbidden(detail: string): Refusal {
  return { status: 403, detail, challenge: '' };
}
