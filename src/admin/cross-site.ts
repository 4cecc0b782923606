/**
 * What a browser could be made to send by another site's page: refused, because the page must not act, or read, in the name of
 * whoever looks at it.
 *
 * Pure; main thread. Two attacks. A page of another site sends a request that changes something: browsers say so in
 * `Sec-Fetch-Site` and `Origin` (https://www.w3.org/TR/fetch-metadata/). And a page whose site's name was made to lead to this
 * machine (DNS rebinding) is of the same site as far as the browser knows: it shows in `Host`, which is that site's name.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** What the server knows of itself. `hosts` are the names of `http-hosts`, `*` is any; `hostname` is the machine's. */
export type SiteSettings = {
  readonly hosts: readonly string[];
  readonly hostname: string;
  readonly hasPassword: boolean;
};

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const FOREIGN_SITES: ReadonlySet<unknown> = new Set(['cross-site', 'same-site']);
/**
 * What browsers send, and clients of programs hardly ever. To a site by plain HTTP browsers do not send `Sec-Fetch-*`; a page can
 * change some of the others, and none of them all.
 */
const BROWSER_MARKS = ['sec-fetch-site', 'sec-fetch-mode', 'origin', 'referer', 'accept-language'];
const BROWSER_AGENT = 'Mozilla/';
/** As URLs have it after parsing, in whatever way it was written. */
const IPV4_PATTERN = /^\d+\.\d+\.\d+\.\d+$/;

/** Why a request is refused, in one line for people; undefined where it is not. */
export function crossSiteRefusal(
  method: string,
  headers: IncomingHttpHeaders,
  settings: SiteSettings,
): string | undefined {
  if (!SAFE_METHODS.has(method)) {
    if (FOREIGN_SITES.has(headers['sec-fetch-site']))
      return 'a page of another site may not change anything here';
    if (headers.origin !== undefined && !isSameHost(headers.origin, headers.host))
      return `a page of ${headers.origin} may not change anything here`;
  }
  if (settings.hasPassword || !isBrowser(headers) || isKnownHost(headers.host, settings)) return undefined;
  return (
    `a browser may not come by the name '${headers.host ?? ''}' while no password is set: add it to http-hosts ` +
    '(CONFIG SET http-hosts), or set requirepass, or use the address'
  );
}

function isBrowser(headers: IncomingHttpHeaders): boolean {
  if (BROWSER_MARKS.some((mark) => headers[mark] !== undefined)) return true;
  return headers['user-agent']?.startsWith(BROWSER_AGENT) === true;
}

/** Whether the address of a page is of this very host and port. `null`, a page without an address, never is. */
function isSameHost(origin: string, host: string | undefined): boolean {
  const page = URL.parse(origin);
  // The scheme of the page, whose default port goes without saying in both.
  const own = host === undefined ? null : URL.parse(`${page?.protocol}//${host}`);
  return page !== null && own !== null && page.host === own.host;
}

/** A name that leads here whatever a foreign name server says; an address is no name. */
function isKnownHost(host: string | undefined, { hosts, hostname }: SiteSettings): boolean {
  const url = host === undefined ? null : URL.parse(`http://${host}`);
  if (url === null) return false;
  const name = url.hostname;
  if (name.startsWith('[') || IPV4_PATTERN.test(name)) return true;
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return (
    name === hostname.toLowerCase() || hosts.some((known) => known === '*' || known.toLowerCase() === name)
  );
}
