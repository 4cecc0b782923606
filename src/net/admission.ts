/**
 * Whether a connection may come in: the limit on clients, and protected mode, in redis-server's words and order.
 *
 * Pure; main thread for TCP, worker 0 for the Unix socket.
 */
import type { Config } from '../config/config.ts';

export const TOO_MANY_CLIENTS = '-ERR max number of clients reached\r\n';

/** Word for word as redis-server 7.0.15 has it, its slip included: clients and runbooks know this text. */
export const PROTECTED_MODE_DENIAL =
  '-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the ' +
  'default user. In this mode connections are only accepted from the loopback interface. If you want to connect ' +
  'from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode ' +
  "sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the " +
  'same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. ' +
  'Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by ' +
  "editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the " +
  "server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' " +
  'option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above ' +
  'things in order for the server to start accepting connections from the outside.\r\n';

/** These two and no other address of 127.0.0.0/8, as with redis-server. */
const LOOPBACK_ADDRESSES: ReadonlySet<string | undefined> = new Set(['127.0.0.1', '::1']);

type AdmissionSettings = Pick<Config, 'maxclients' | 'protectedMode'>;

/**
 * What to answer a connection that may not come in, or undefined. `openConnections` does not count it yet;
 * `peerAddress` is undefined for a peer that is gone already. `hasPassword`: the default user has one.
 */
export function refusalOf(
  settings: AdmissionSettings,
  hasPassword: boolean,
  openConnections: number,
  peerAddress: string | undefined,
): string | undefined {
  return refusalOfMore(settings, openConnections) ?? refusalOfStranger(settings, hasPassword, peerAddress);
}

/** The same, whoever comes. */
export function refusalOfMore(
  { maxclients }: Pick<AdmissionSettings, 'maxclients'>,
  openConnections: number,
): string | undefined {
  return openConnections >= maxclients ? TOO_MANY_CLIENTS : undefined;
}

/** The same, however many there are. */
export function refusalOfStranger(
  { protectedMode }: Pick<AdmissionSettings, 'protectedMode'>,
  hasPassword: boolean,
  peerAddress: string | undefined,
): string | undefined {
  if (!protectedMode || hasPassword) return undefined;
  return LOOPBACK_ADDRESSES.has(peerAddress) ? undefined : PROTECTED_MODE_DENIAL;
}
