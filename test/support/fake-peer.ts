/**
 * A node that is none: it takes requests on a real port and answers what a test says, when it says so.
 */
import { Buffer } from 'node:buffer';
import net, { type AddressInfo, type Socket } from 'node:net';
import { createRequest, parseRequest, rebaseRequest, resetRequest } from '../../src/resp/request-parser.ts';

export type FakePeer = {
  readonly port: number;
  /** Every request but those of the login, in order, its words joined by blanks. */
  readonly requests: string[];
  /** Reads that brought requests, the logins' left out: what came in one write lies in one, unless it is large. */
  reads: number;
  readonly connections: Set<Socket>;
  /** How many there have been. */
  accepted: number;
  /** The reply to a request; undefined for none, as from a node that hangs. */
  answer: (words: string[], socket: Socket) => string | undefined;
  /** The reply to AUTH, HELLO and CLUSTER PEER. */
  login: (words: string[]) => string | undefined;
  readonly close: () => Promise<void>;
};

const BOUNDS = { bulkBytesMax: 2 ** 30, argumentsMax: 2 ** 20, authenticated: true };
const LOGIN = new Set(['AUTH', 'HELLO', 'CLUSTER']);

/** Begins to listen on a port of its own, or the one that is named. */
export function startFakePeer(port = 0): Promise<FakePeer> {
  const server = net.createServer((socket) => serve(peer, socket));
  const connections = new Set<Socket>();
  const peer: FakePeer = {
    port: 0,
    requests: [],
    reads: 0,
    connections,
    accepted: 0,
    answer: () => '+OK\r\n',
    login: () => '+OK\r\n',
    close: () =>
      new Promise((resolve) => {
        for (const socket of connections) socket.destroy();
        server.close(() => resolve());
      }),
  };
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () =>
      resolve(Object.assign(peer, { port: (server.address() as AddressInfo).port })),
    );
  });
}

function serve(peer: FakePeer, socket: Socket): void {
  peer.accepted += 1;
  peer.connections.add(socket);
  socket.on('close', () => peer.connections.delete(socket));
  socket.on('error', () => undefined);
  const request = createRequest();
  let pending = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    pending = Buffer.concat([pending, bytes]);
    let at = 0;
    let isCounted = false;
    for (;;) {
      const next = parseRequest(request, pending, at, pending.length, BOUNDS);
      if (next < 0) break;
      at = next;
      const words = Array.from({ length: request.count }, (_, index) =>
        pending.toString('latin1', request.spans[2 * index], request.spans[2 * index + 1]),
      );
      resetRequest(request);
      const isLogin = LOGIN.has(words[0]);
      if (!isLogin) {
        peer.requests.push(words.join(' '));
        if (!isCounted) peer.reads += 1;
        isCounted = true;
      }
      const reply = isLogin ? peer.login(words) : peer.answer(words, socket);
      if (reply !== undefined) socket.write(reply, 'latin1');
    }
    pending = pending.subarray(at);
    rebaseRequest(request, -at);
  });
}
