/**
 * Who may ask for what over HTTP, and what every answer says to browsers. Main thread.
 */
import type { IncomingMessage } from 'node:http';
import { isOpenToAll } from '../commands/acl-access.ts';
import { allowsCommand } from '../commands/acl-check.ts';
import { noteDenied } from '../commands/acl-log.ts';
import type { User } from '../commands/acl-user.ts';
import '../commands/families.ts';
import { assert } from '../base/assert.ts';
import { findByName } from '../commands/registry.ts';
import { ACCESS_CHALLENGE, nameFrom, userFrom } from './access.ts';
import { AT_ONCE, createHttpSession } from './command-runner.ts';
import { crossSiteRefusal } from './cross-site.ts';
import { isLoopback, peerAddress } from './peer-address.ts';
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
  detail: 'a user and a password are needed, or the password of requirepass',
  challenge: ACCESS_CHALLENGE,
};

/**
 * The user that the request comes from, or why it is refused. In this order: a stranger is told nothing, a page of another site
 * is refused whatever it knows, and then the password.
 */
export function admitRequest(
  sources: Pick<AdminSources, 'access' | 'exposure' | 'commands'>,
  request: IncomingMessage,
): User | Refusal {
  const { access, exposure } = sources;
  const { method = '', headers, socket } = request;
  const hasPassword = !isOpenToAll(access);
  if (!hasPassword && exposure?.isProtected() && !isLoopback(socket.remoteAddress))
    return forbidden(PROTECTED_MODE_DENIAL);
  const settings = { hosts: exposure?.hosts() ?? [], hostname: exposure?.hostname ?? '', hasPassword };
  const crossSite = crossSiteRefusal(method, headers, settings);
  if (crossSite !== undefined) return forbidden(crossSite);
  const user = userFrom(headers.authorization, access);
  if (user !== undefined) return user;
  if (headers.authorization !== undefined) noteWrongPassword(sources, request);
  return PASSWORD_NEEDED;
}

/** Why a page is refused to a user that was let in; `command` is the one that the page stands for. Undefined where it is not. */
export function pageRefusal(user: User, name: string | undefined): Refusal | undefined {
  if (name === undefined) return undefined;
  const command = findByName(name);
  assert(command !== undefined, 'a page stands for a command that there is');
  if (allowsCommand(user, command)) return undefined;
  const shown = name.replace('|', ' ').toUpperCase();
  return forbidden(`this page wants a user that may run ${shown}`);
}

/** As AUTH would: in the ACL log. */
function noteWrongPassword({ commands }: Pick<AdminSources, 'commands'>, request: IncomingMessage): void {
  if (commands === undefined) return;
  const { engine } = commands;
  const session = createHttpSession(engine, peerAddress(request.socket), 0, AT_ONCE);
  const user = nameFrom(request.headers.authorization);
  noteDenied(engine, session, { reason: 'auth', context: 'toplevel', object: 'http', user });
}

function forbidden(detail: string): Refusal {
  return { status: 403, detail, challenge: '' };
}
