/**
 * The name of a key in a URL: percent-encoded bytes (RFC 3986, 2.1), any of them. Pure; main thread.
 *
 * Routers decode a URL as UTF-8 and refuse the rest; keys are bytes. So a URL of a key is routed under KEY_ROUTE, and its name is
 * read from what the client has sent.
 */
import { Buffer } from 'node:buffer';

const KEYS_PREFIX = '/v1/keys/';
/** Where all URLs of keys are routed to. */
const KEY_ROUTE = '/v1/keys/-';

/** What stands before the path in a URL as proxies get it; every server has to take that (RFC 9112, 3.2.2). */
const ORIGIN_PATTERN = /^https?:\/\/[^/?#]*/i;

const PERCENT = 37;
const ESCAPE_BYTES = 3;

/** From the path on. */
export function pathFrom(url: string): string {
  return url.startsWith('/') ? url : url.replace(ORIGIN_PATTERN, '');
}

/** The URL that the router gets to see: the same but for keys. A `/` in a key must be encoded. */
export function routedUrl(url: string): string {
  const path = pathFrom(url);
  if (!path.startsWith(KEYS_PREFIX)) return url;
  const end = nameEnd(path);
  const slash = path.indexOf('/', KEYS_PREFIX.length);
  if (end === KEYS_PREFIX.length || (slash >= 0 && slash < end)) return url;
  return KEY_ROUTE + path.slice(end);
}

/** The bytes of the key in a URL, from its path on, that `routedUrl` changes; undefined where an escape is malformed. */
export function keyFromUrl(url: string): Buffer | undefined {
  const end = nameEnd(url);
  const bytes = Buffer.from(url.slice(KEYS_PREFIX.length, end), 'latin1');
  const first = bytes.indexOf(PERCENT);
  if (first < 0) return bytes;
  let to = first;
  for (let from = first; from < bytes.length; to += 1) {
    if (bytes[from] !== PERCENT) {
      bytes[to] = bytes[from];
      from += 1;
      continue;
    }
    const high = hexDigit(bytes[from + 1]);
    const low = hexDigit(bytes[from + 2]);
    if (high < 0 || low < 0) return undefined;
    bytes[to] = 16 * high + low;
    from += ESCAPE_BYTES;
  }
  return bytes.subarray(0, to);
}

/** Where the query begins, or the URL ends. */
function nameEnd(url: string): number {
  const query = url.indexOf('?', KEYS_PREFIX.length);
  return query < 0 ? url.length : query;
}

/** -1 for what is none, also behind the end. */
function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 0x20;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
