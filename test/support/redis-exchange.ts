/**
 * A conversation with an oracle server in raw bytes, for tests.
 */
import { connect } from 'node:net';

/** Sends `input`, closes the sending side, and resolves with all that came back until the server closed too. */
export function exchangeBytes(port: number, input: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(input));
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    // The server may refuse the rest of a malformed input by a reset: what it said before counts.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.on('close', () => resolve(Buffer.concat(received)));
  });
}
