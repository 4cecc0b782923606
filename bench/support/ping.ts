/** The least that can be asked of a server over a connection: what each protocol sends, and what must come back. Pure. */
import type { Protocol } from './peers.ts';

/** One line either way: `reply` is what the answer begins with. */
export type Ping = { readonly request: string; readonly reply: string };

const PINGS: Readonly<Record<Protocol, Ping>> = {
  resp: { request: '*1\r\n$4\r\nPING\r\n', reply: '+PONG\r\n' },
  memcached: { request: 'version\r\n', reply: 'VERSION ' },
};

export function pingOf(protocol: Protocol): Ping {
  return PINGS[protocol];
}

/** Whether a text is the whole answer; throws when it is another. */
export function isAnswered({ reply }: Ping, text: string): boolean {
  const length = Math.min(reply.length, text.length);
  if (text.slice(0, length) !== reply.slice(0, length))
    throw new Error(`a ping was answered ${text.slice(0, 100)}`);
  return text.length >= reply.length && text.endsWith('\n');
}
