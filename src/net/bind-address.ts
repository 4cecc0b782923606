/**
 * Addresses to listen on, as the `bind` directive writes them, and why one cannot be had, in words.
 *
 * Pure; any thread.
 */

/** `isOptional`: the machine may lack the address. */
export type BindAddress = { readonly host: string; readonly isOptional: boolean };

const ANY_IPV4 = '0.0.0.0';
const ANY_IPV6 = '::';

/** A protocol or address that a machine may lack, as redis-server passes over them. */
const MISSING_PROTOCOL_CODES = new Set(['EAFNOSUPPORT', 'EPFNOSUPPORT', 'EPROTONOSUPPORT', 'ENOPROTOOPT']);
const MISSING_ADDRESS_CODE = 'EADDRNOTAVAIL';

const TROUBLES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'this machine does not have the address',
  ENOTFOUND: 'this machine does not have the address',
  EACCES: 'this user may not use the address',
};

/** One word of `bind`: an address or a name, `*` or `::*` for all, `-` in front of one that may be missing. */
export function parseBindAddress(word: string): BindAddress {
  const isOptional = word.startsWith('-');
  const host = isOptional ? word.slice(1) : word;
  if (host === '*') return { host: ANY_IPV4, isOptional };
  if (host === '::*') return { host: ANY_IPV6, isOptional };
  return { host, isOptional };
}

/** `127.0.0.1:6379`, `[::1]:6379`. */
export function addressText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether a server may start without this address after `error`. */
export function mayBeMissing(address: BindAddress, error: unknown): boolean {
  const code = codeOf(error);
  return MISSING_PROTOCOL_CODES.has(code) || (address.isOptional && code === MISSING_ADDRESS_CODE);
}

/** Why listening failed: one phrase for the operator. */
export function listenFailureText(error: unknown): string {
  return TROUBLES[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
