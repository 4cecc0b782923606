/** What TLS is made of, from files: what is read, and what is said of what cannot be. */
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { currentSurroundings } from '../../src/config/file.ts';
import { TLS_FILE_BYTES_MAX } from '../../src/config/limits.ts';
import { loadConfig } from '../../src/config/load.ts';
import { parseTlsProtocols, readTlsMaterial, type TlsRead } from '../../src/config/tls-files.ts';
import { type Certificates, createCertificates } from '../support/certificates.ts';
import { describeWithTools } from '../support/tools.ts';

const TICKET_KEYS = new Uint8Array(48);

let certificates: Certificates;

/** Reads by the flags of a server's certificate, and these. */
function read(...flags: string[]): TlsRead {
  const { path } = certificates;
  const own = ['--tls-cert-file', path('server.crt'), '--tls-key-file', path('server.key')];
  const loaded = loadConfig([...own, ...flags], {}, currentSurroundings());
  if (loaded.kind !== 'run') throw new Error('the flags ask for help');
  return readTlsMaterial(loaded.config, TICKET_KEYS);
}

function problemOf(...flags: string[]): string {
  const result = read(...flags);
  return 'problem' in result ? result.problem : '';
}

describeWithTools('the files of TLS', ['openssl'], () => {
  beforeAll(() => {
    certificates = createCertificates();
  });
  afterAll(() => certificates.remove());

  it('are read whole, with the settings beside them', () => {
    const result = read(
      '--tls-auth-clients',
      'no',
      '--tls-session-cache-timeout',
      '7',
      '--tls-prefer-server-ciphers',
      'yes',
    );
    expect(result).toMatchObject({
      material: {
        certificate: certificates.read('server.crt'),
        key: certificates.read('server.key'),
        authorities: [],
        clientCertificates: 'no',
        sessionSeconds: 7,
        prefersServerCiphers: true,
        ticketKeys: TICKET_KEYS,
      },
    });
    expect(read('--tls-auth-clients', 'no', '--tls-session-caching', 'no')).toMatchObject({
      material: { sessionSeconds: 0 },
    });
  });

  it('of a folder of authorities are all that hold certificates', () => {
    const folder = join(certificates.folder, 'authorities');
    mkdirSync(join(folder, 'folder.pem'), { recursive: true });
    writeFileSync(join(folder, 'a.pem'), certificates.read('ca.crt'));
    writeFileSync(join(folder, '0123abcd.0'), certificates.read('other-ca.crt'));
    writeFileSync(join(folder, 'README'), 'no certificate');
    symlinkSync(join(folder, 'nowhere'), join(folder, 'broken'));
    expect(read('--tls-ca-cert-dir', folder)).toMatchObject({
      material: { authorities: [certificates.read('other-ca.crt'), certificates.read('ca.crt')] },
    });
  });

  it('must be named, and those of authorities too where clients are asked', () => {
    expect(problemOf('--tls-cert-file', '')).toBe('No tls-cert-file configured!');
    expect(problemOf('--tls-key-file', '')).toBe('No tls-key-file configured!');
    for (const value of ['yes', 'optional']) {
      expect(problemOf('--tls-auth-clients', value)).toContain('tls-ca-cert-file or tls-ca-cert-dir must be');
    }
    expect(problemOf('--tls-auth-clients', 'no')).toBe('');
  });

  it('that cannot be read are told by name, with the reason', () => {
    const absent = certificates.path('absent');
    expect(problemOf('--tls-auth-clients', 'no', '--tls-cert-file', absent)).toBe(
      `tls-cert-file: cannot read '${absent}': no such file or directory`,
    );
    expect(problemOf('--tls-ca-cert-dir', absent)).toContain(`tls-ca-cert-dir: cannot read '${absent}'`);
    expect(problemOf('--tls-auth-clients', 'no', '--tls-dh-params-file', '/dev/zero')).toContain(
      'no regular file',
    );
    const large = certificates.path('large.crt');
    writeFileSync(large, '');
    truncateSync(large, TLS_FILE_BYTES_MAX + 1);
    expect(problemOf('--tls-ca-cert-file', large)).toContain('the file is too large');
  });

  it('are no use with protocols that there are not', () => {
    expect(problemOf('--tls-auth-clients', 'no', '--tls-protocols', 'SSLv3')).toMatch(
      /^Invalid tls-protocols specified/,
    );
  });
});

describe('tls-protocols', () => {
  it.each([
    ['', ['TLSv1.2', 'TLSv1.3']],
    ['TLSv1.3', ['TLSv1.3']],
    ['tlsv1.2  TLSV1', ['TLSv1.2', 'TLSv1']],
    ['TLSv1.1 TLSv1.1', ['TLSv1.1']],
  ])("'%s' is %j", (text, expected) => {
    expect([...(parseTlsProtocols(text) ?? [])]).toEqual(expected);
  });

  it.each(['SSLv3', 'TLSv1.2,TLSv1.3', 'TLSv1.4'])("'%s' is none", (text) => {
    expect(parseTlsProtocols(text)).toBeUndefined();
  });
});
