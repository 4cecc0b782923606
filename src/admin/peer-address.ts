/**
 * Where a request comes from. Pure; main thread.
 */

/** What a socket knows of its other end. */
type Peer = { readonly remoteAddress?: string; readonly remotePort?: number };

/** These two and no other address of 127.0.0.0/8, as RESP has it; the second also as a v6 socket sees the first. */
const LOOPBACK_ADDRESSES: ReadonlySet<string | undefined> = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

/** `address:port` of the peer, with brackets around an IPv6 address. */
export function peerAddress({ remoteAddress = '?', remotePort = 0 }: Peer): string {
  return remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}

/** Whether the peer is on this machine; undefined is the address of one that is gone. */
export function isLoopback(remoteAddress: string | undefined): boolean {
  return LOOPBACK_ADDRESSES.has(remoteAddress);
}
