/** How a node calls another where TLS is spoken: who is let in, and who is believed. */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { dialPeer, loginRequest } from '../../src/cluster/peer-dial.ts';
import type { Config } from '../../src/config/config.ts';
import { currentSurroundings } from '../../src/config/file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { type Certificates, createCertificates } from '../support/certificates.ts';
import { clusterNode, nodeId } from '../support/cluster-table.ts';
import { describeWithTools } from '../support/tools.ts';

let certificates: Certificates;
let server: Server | undefined;

function configWith(...flags: string[]): Config {
  const loaded = loadConfig(flags, {}, currentSurroundings());
  if (loaded.kind !== 'run') throw new Error('the flags ask for help');
  return loaded.config;
}

/** A TLS port of another node that echoes; which certificates it shows and asks for. */
async function listen(name: string, authority: string): Promise<number> {
  const { read } = certificates;
  const options = { cert: read(`${name}.crt`), key: read(`${name}.key`), ca: read(`${authority}.crt`) };
  server = createServer({ ...options, requestCert: true, rejectUnauthorized: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function call(tlsPort: number): Promise<string> {
  const { path } = certificates;
  const config = configWith(
    ...['--tls-cert-file', path('server.crt'), '--tls-key-file', path('server.key')],
    ...['--tls-ca-cert-file', path('ca.crt')],
  );
  return new Promise((resolve, reject) => {
    const node = { ...clusterNode(1), tlsPort };
    const socket = dialPeer(node, config, true, Buffer.alloc(16), (length, bytes) => {
      socket.destroy();
      resolve(bytes.toString('latin1', 0, length));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
    socket.write('hello');
  });
}

describeWithTools('TLS to another node', ['openssl'], () => {
  beforeAll(() => {
    certificates = createCertificates();
  });
  afterAll(() => certificates.remove());
  afterEach(() => void server?.close());

  it('shows this node`s certificate, and takes one of the same authority, whatever name it has', async () => {
    expect(await call(await listen('server', 'ca'))).toBe('hello');
  });

  it('does not believe a node with a certificate of another authority', async () => {
    await expect(call(await listen('other-server', 'ca'))).rejects.toThrow();
  });

  it('cannot be done without certificates: that is said before anything is sent', () => {
    const dial = () => dialPeer(clusterNode(1), configWith(), true, Buffer.alloc(16), () => undefined);
    expect(dial).toThrow('No tls-cert-file configured!');
  });
});

it.each([
  [[], 2, ['CLUSTER PEER']],
  [['--masterauth', 'secret'], 2, ['AUTH secret', 'CLUSTER PEER']],
  [['--masterauth', 'secret', '--masteruser', 'node'], 3, ['AUTH node secret', 'HELLO 3', 'CLUSTER PEER']],
])('with %j in RESP%i the login is %j', (flags, protocol, expected) => {
  const { bytes, replies } = loginRequest(configWith(...flags), nodeId(0), protocol as 2 | 3);
  const words = bytes
    .toString('latin1')
    .split('\r\n')
    .filter((line) => line !== '' && !/^[*$]/.test(line))
    .join(' ');
  expect(replies).toBe(expected.length);
  expect(words).toBe(`${expected.join(' ')} ${nodeId(0)} distcache`);
});
