/**
 * The settings of TLS as the runtime takes them, and whether it takes them.
 *
 * Pure but for OpenSSL; main thread and workers.
 */
import { Buffer } from 'node:buffer';
import { constants } from 'node:crypto';
import { createSecureContext, DEFAULT_CIPHERS, type TLSSocket, type TlsOptions } from 'node:tls';
import type { TlsMaterial, TlsProtocol } from '../config/tls-files.ts';

/** The least that OpenSSL knows of; what is not wanted is switched off one by one. */
const PROTOCOL_MIN = 'TLSv1';
const PROTOCOL_MAX = 'TLSv1.3';

const PROTOCOL_OFF: readonly (readonly [TlsProtocol, number])[] = [
  ['TLSv1', constants.SSL_OP_NO_TLSv1],
  ['TLSv1.1', constants.SSL_OP_NO_TLSv1_1],
  ['TLSv1.2', constants.SSL_OP_NO_TLSv1_2],
  ['TLSv1.3', constants.SSL_OP_NO_TLSv1_3],
];

/** How the names of the suites of TLSv1.3 begin, and of no other ciphers. */
const SUITE_PREFIX = 'TLS_';
const SUITES_DEFAULT = DEFAULT_CIPHERS.split(':').filter((name) => name.startsWith(SUITE_PREFIX));
const CIPHERS_DEFAULT = DEFAULT_CIPHERS.split(':').filter((name) => !name.startsWith(SUITE_PREFIX));

const DH_MARK = '-----BEGIN DH PARAMETERS-----';

/** Sessions of this server are good at this server only. */
const SESSION_CONTEXT = 'distcache';

/** What a server is made with. A session whose ticket is encrypted with other keys begins anew. */
export function tlsOptionsOf(material: TlsMaterial): TlsOptions {
  const { keyPassword, authorities, dhParameters, clientCertificates, sessionSeconds } = material;
  return {
    cert: material.certificate,
    key: material.key,
    ...(keyPassword === '' ? {} : { passphrase: keyPassword }),
    // Never those of the system, who let in half the world.
    ca: [...authorities],
    ...(dhParameters === '' ? {} : { dhparam: dhParameters }),
    ciphers: cipherText(material),
    minVersion: PROTOCOL_MIN,
    maxVersion: PROTOCOL_MAX,
    secureOptions: switchesOf(material),
    honorCipherOrder: material.prefersServerCiphers,
    requestCert: clientCertificates !== 'no',
    // Who may come without one is told from who shows a wrong one by `mayEnter`.
    rejectUnauthorized: clientCertificates === 'yes',
    sessionIdContext: SESSION_CONTEXT,
    ...(sessionSeconds === 0 ? {} : { sessionTimeout: sessionSeconds }),
    ticketKeys: Buffer.from(material.ticketKeys),
  };
}

/** Whether a client that was asked for a certificate and has said hello may come in: without one, or with a right one. */
export function mayEnter(socket: TLSSocket, { clientCertificates }: TlsMaterial): boolean {
  if (clientCertificates === 'no' || socket.authorized) return true;
  return clientCertificates === 'optional' && socket.getPeerX509Certificate() === undefined;
}

/** Why OpenSSL does not take it, in one line for the operator; undefined where it does. */
export function tlsProblemOf(material: TlsMaterial): string | undefined {
  const unknown = unknownSuite(material.ciphersuites);
  if (unknown !== undefined) return `Failed to configure ciphersuites: ${unknown}`;
  // The runtime says nothing of such as are none.
  if (!material.dhParameters.includes(DH_MARK) && material.dhParameters !== '') {
    return 'tls-dh-params-file holds no DH parameters';
  }
  try {
    createSecureContext(tlsOptionsOf(material));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What OpenSSL would take for a cipher of older versions. */
function unknownSuite(text: string): string | undefined {
  return suitesOf(text).find((name) => !name.startsWith(SUITE_PREFIX));
}

function suitesOf(text: string): string[] {
  return text.split(':').filter((name) => name !== '');
}

function cipherText({ ciphers, ciphersuites }: TlsMaterial): string {
  const suites = ciphersuites === '' ? SUITES_DEFAULT : suitesOf(ciphersuites);
  return [...suites, ...(ciphers === '' ? CIPHERS_DEFAULT : [ciphers])].join(':');
}

/** A renegotiation costs the server ten times what it costs the client. */
function switchesOf({ protocols, sessionSeconds }: TlsMaterial): number {
  let switches = constants.SSL_OP_NO_RENEGOTIATION;
  if (sessionSeconds === 0) switches |= constants.SSL_OP_NO_TICKET;
  for (const [protocol, off] of PROTOCOL_OFF) if (!protocols.has(protocol)) switches |= off;
  return switches;
}
