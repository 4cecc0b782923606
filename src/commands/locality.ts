/**
 * Whether a client is on this machine: what `local` means in enable-debug-command and enable-protected-configs.
 *
 * Pure; any thread.
 */
import type { Session } from './session.ts';

/** As redis-server's islocalClient: the loopback addresses themselves, also IPv4's in IPv6 form, or a Unix socket. */
const LOOPBACK_ADDRESS = /^(127\.0\.0\.1|\[?::1\]?|\[?::ffff:127\.0\.0\.1\]?):\d+$/;

export function isLocalClient({ isUnixSocket, address }: Session): boolean {
  return isUnixSocket || LOOPBACK_ADDRESS.test(address);
}
