/** Requests as each server wants them, for keys and values of plain characters; all but a read are answered by one line. Pure. */
import { requestText } from './client.ts';
import { memcachedSet } from './memcached.ts';
import type { Protocol } from './peers.ts';

/** Requests as text. `ttlSeconds` 0: the key stays. */
export type KeyRequests = {
  readonly get: (key: string) => string;
  readonly set: (key: string, value: string, ttlSeconds: number) => string;
  readonly remove: (key: string) => string;
  /** Whether the key is there, without making it more recent. */
  readonly probe: (key: string) => string;
  /** What the reply to a probe begins with where it is. */
  readonly probeHit: string;
};

const RESP_REQUESTS: KeyRequests = {
  get: (key) => requestText(['GET', key]),
  set: (key, value, ttlSeconds) =>
    requestText(['SET', key, value, ...(ttlSeconds > 0 ? ['EX', String(ttlSeconds)] : [])]),
  remove: (key) => requestText(['DEL', key]),
  probe: (key) => requestText(['EXISTS', key]),
  probeHit: ':1',
};

const MEMCACHED_REQUESTS: KeyRequests = {
  get: (key) => `get ${key}\r\n`,
  set: memcachedSet,
  remove: (key) => `delete ${key}\r\n`,
  probe: (key) => `me ${key}\r\n`,
  probeHit: 'ME',
};

export function keyRequests(protocol: Protocol): KeyRequests {
  return protocol === 'memcached' ? MEMCACHED_REQUESTS : RESP_REQUESTS;
}
