/**
 * The server of HTTPS: Node's own, with the certificates of TLS as they are at each handshake.
 *
 * Main thread. What clients must show is the same as for RESP: over both they reach the same keys.
 */
import type { RequestListener, ServerOptions } from 'node:http';
import { createServer, type Server } from 'node:https';
import { assert } from '../base/assert.ts';
import { TLS_HANDSHAKE_MS_MAX } from '../config/limits.ts';
import type { TlsMaterial } from '../config/tls-files.ts';
import { mayEnter, tlsOptionsOf } from './tls-context.ts';
import type { TlsKeeper } from './tls-keeper.ts';

/** Not listening. It follows the keeper until it is closed. */
export function createHttpsServer(
  { issue, followers }: TlsKeeper,
  options: ServerOptions,
  handler: RequestListener,
): Server {
  assert(issue !== undefined, 'the files of TLS were read at the start');
  let { material } = issue;
  const tls = { ...tlsOptionsOf(material), handshakeTimeout: TLS_HANDSHAKE_MS_MAX };
  const server = createServer({ ...options, ...tls }, handler);
  // Before the server's own listener, which begins to read requests.
  server.prependListener('secureConnection', (socket) => {
    if (!mayEnter(socket, material)) socket.destroy();
  });
  const follow = (renewed: TlsMaterial) => {
    material = renewed;
    const renewedOptions = tlsOptionsOf(renewed);
    const { requestCert, rejectUnauthorized } = renewedOptions;
    server.setSecureContext(renewedOptions);
    // Properties of a server of TLS that its types do not know.
    Object.assign(server, { requestCert, rejectUnauthorized });
  };
  followers.add(follow);
  server.once('close', () => followers.delete(follow));
  return server;
}
