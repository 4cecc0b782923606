/**
 * What TLS is made of: the files that the directives name, read anew at each change, and the settings beside them, as one
 * plain record that can be cloned to other threads. Main thread.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import type { Config } from './config.ts';
import { TLS_CA_FILES_MAX, TLS_FILE_BYTES_MAX } from './limits.ts';

/** Files are their whole PEM text. What is empty was not given. */
export type TlsMaterial = {
  readonly certificate: string;
  readonly key: string;
  readonly keyPassword: string;
  readonly authorities: readonly string[];
  readonly dhParameters: string;
  readonly clientCertificates: Config['tlsAuthClients'];
  readonly protocols: ReadonlySet<TlsProtocol>;
  readonly ciphers: string;
  readonly ciphersuites: string;
  readonly prefersServerCiphers: boolean;
  /** For how long a session may be gone on with; 0: not at all. */
  readonly sessionSeconds: number;
  /** What encrypts the tickets of sessions: the same for all threads, and other keys at each reading of the files. */
  readonly ticketKeys: Uint8Array;
};

/** As the runtime and OpenSSL call them. */
export type TlsProtocol = (typeof PROTOCOLS)[number];

/** Either what was read, or why it was not, in one line for the operator. */
export type TlsRead = { readonly material: TlsMaterial } | { readonly problem: string };

const PROTOCOLS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
const DEFAULT_PROTOCOLS: readonly TlsProtocol[] = ['TLSv1.2', 'TLSv1.3'];
const CERTIFICATE_MARK = '-----BEGIN CERTIFICATE-----';

/** Reads all files that TLS needs by `config`; `ticketKeys` are 48 fresh random bytes. What they hold is not checked here. */
export function readTlsMaterial(config: Config, ticketKeys: Uint8Array): TlsRead {
  try {
    return { material: gatherMaterial(config, ticketKeys) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** The versions that `text` (tls-protocols) names; undefined where one is none. */
export function parseTlsProtocols(text: string): ReadonlySet<TlsProtocol> | undefined {
  const words = text.split(' ').filter((word) => word !== '');
  if (words.length === 0) return new Set(DEFAULT_PROTOCOLS);
  const protocols = new Set<TlsProtocol>();
  for (const word of words) {
    const protocol = PROTOCOLS.find((known) => known.toLowerCase() === word.toLowerCase());
    if (protocol === undefined) return undefined;
    protocols.add(protocol);
  }
  return protocols;
}

function gatherMaterial(config: Config, ticketKeys: Uint8Array): TlsMaterial {
  const { tlsCertFile, tlsKeyFile, tlsCaCertFile, tlsCaCertDir, tlsDhParamsFile, tlsAuthClients } = config;
  if (tlsCertFile === '') throw new Error('No tls-cert-file configured!');
  if (tlsKeyFile === '') throw new Error('No tls-key-file configured!');
  if (tlsAuthClients !== 'no' && tlsCaCertFile === '' && tlsCaCertDir === '') {
    throw new Error(
      'Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-auth-clients is enabled!',
    );
  }
  const protocols = parseTlsProtocols(config.tlsProtocols);
  if (protocols === undefined) {
    throw new Error(
      "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.",
    );
  }
  return {
    certificate: readPem('tls-cert-file', tlsCertFile),
    key: readPem('tls-key-file', tlsKeyFile),
    keyPassword: config.tlsKeyFilePass,
    authorities: readAuthorities(tlsCaCertFile, tlsCaCertDir),
    dhParameters: tlsDhParamsFile === '' ? '' : readPem('tls-dh-params-file', tlsDhParamsFile),
    clientCertificates: tlsAuthClients,
    protocols,
    ciphers: config.tlsCiphers,
    ciphersuites: config.tlsCiphersuites,
    prefersServerCiphers: config.tlsPreferServerCiphers,
    sessionSeconds: config.tlsSessionCaching ? config.tlsSessionCacheTimeout : 0,
    ticketKeys,
  };
}

function readAuthorities(file: string, folder: string): string[] {
  const authorities = file === '' ? [] : [readPem('tls-ca-cert-file', file)];
  if (folder === '') return authorities;
  const names = listFolder(folder);
  if (names.length > TLS_CA_FILES_MAX) {
    throw new Error(`tls-ca-cert-dir: more than ${TLS_CA_FILES_MAX} files in '${folder}'`);
  }
  for (const name of names) {
    const path = join(folder, name);
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) continue;
    const text = readPem('tls-ca-cert-dir', path);
    if (text.includes(CERTIFICATE_MARK)) authorities.push(text);
  }
  return authorities;
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw new Error(`tls-ca-cert-dir: cannot read '${folder}': ${systemErrorText(error)}`);
  }
}

/** A device or a pipe would never end. */
function readPem(directive: string, path: string): string {
  try {
    const found = statSync(path);
    if (!found.isFile()) throw new Error('no regular file');
    if (found.size > TLS_FILE_BYTES_MAX) throw new Error('the file is too large');
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${directive}: cannot read '${path}': ${systemErrorText(error)}`);
  }
}

function systemErrorText(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  return errno === undefined ? message : getSystemErrorMessage(errno);
}
