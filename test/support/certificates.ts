/**
 * Certificates for tests, made by openssl in a temporary folder: an authority with a server's and a client's, another authority
 * with its own of both, and files that are none.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const KEY_PASSWORD = 'of the key';

export type Certificates = {
  /** The path of a file, e.g. `server.crt`, `client.key`, `other-server.crt`, `locked.key` (encrypted), `bad.crt`. */
  readonly path: (name: string) => string;
  readonly read: (name: string) => string;
  readonly folder: string;
  readonly remove: () => void;
};

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const NAMES = 'subjectAltName=IP:127.0.0.1,DNS:localhost';

export function createCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'distcache-test-tls-'));
  const path = (name: string) => join(folder, name);
  for (const prefix of ['', 'other-']) {
    const authority = `${prefix}ca`;
    const subject = ['-days', '2', '-subj', `/CN=${authority}`];
    openssl('req', '-x509', ...CURVE, ...keyAndCertificate(path(authority)), ...subject);
    for (const name of [`${prefix}server`, `${prefix}client`]) issue(path(name), path(authority), name);
  }
  openssl(
    'pkcs8',
    '-topk8',
    '-in',
    path('server.key'),
    '-passout',
    `pass:${KEY_PASSWORD}`,
    '-out',
    path('locked.key'),
  );
  writeFileSync(path('bad.crt'), 'no certificate\n');
  return {
    path,
    folder,
    read: (name) => readFileSync(path(name), 'utf8'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function issue(path: string, authority: string, name: string): void {
  const signed = ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`, '-days', '2'];
  const subject = ['-subj', `/CN=${name}`, '-addext', NAMES];
  openssl('req', '-x509', ...CURVE, ...keyAndCertificate(path), ...signed, ...subject);
}

function keyAndCertificate(path: string): string[] {
  return ['-keyout', `${path}.key`, '-out', `${path}.crt`];
}

function openssl(...words: string[]): void {
  const { status, stderr } = spawnSync('openssl', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${words[0]}: ${stderr}`);
}
