/**
 * How this node calls another: a connection to its RESP port, or its TLS port, and what it says first.
 *
 * Workers and main. Who the other is is known by its certificate's authority where TLS is spoken, as in redis-server, not by its
 * name; that it belongs to the cluster is for the other to check (CLUSTER PEER).
 */
import { Buffer } from 'node:buffer';
import net from 'node:net';
import tls from 'node:tls';
import type { ClusterNode } from '../commands/cluster-view.ts';
import type { Config } from '../config/config.ts';
import { readTlsMaterial } from '../config/tls-files.ts';
import { createReplyWriter, writeArray, writeBulkText } from '../resp/reply-writer.ts';

export type PeerAddress = Pick<ClusterNode, 'id' | 'host' | 'port' | 'tlsPort'>;

/** Called with `bytes[0, length)`, which are good until it returns. */
export type OnPeerBytes = (length: number, bytes: Buffer) => void;

const WORDS_BYTES_START = 256;

/** Nothing is ever gone on with. */
const NO_TICKET_KEYS = new Uint8Array(0);

/** `id (host:port)`, as messages name a node. */
export function peerName({ id, host, port, tlsPort }: PeerAddress): string {
  return `${id} (${host}:${port === 0 ? tlsPort : port})`;
}

/**
 * Begins to connect. What comes is read into `readBuffer`, which several sockets of a thread may share, where the runtime allows it.
 * Throws where TLS is asked for and its files cannot be read.
 */
export function dialPeer(
  node: PeerAddress,
  config: Config,
  usesTls: boolean,
  readBuffer: Buffer,
  onBytes: OnPeerBytes,
): net.Socket {
  if (usesTls) return dialEncrypted(node, config, onBytes);
  const callback = (length: number, bytes: Uint8Array) => {
    onBytes(length, bytes as Buffer);
    return true;
  };
  const { host, port } = node;
  return net.connect({ host, port, noDelay: true, onread: { buffer: readBuffer, callback } });
}

/** What is said first, and how many replies that has: none may be an error. */
export function loginRequest(
  { masteruser, masterauth, clusterName }: Config,
  ownId: string,
  protocol: 2 | 3,
): { readonly bytes: Buffer; readonly replies: number } {
  const requests: string[][] = [];
  if (masterauth !== '') requests.push(['AUTH', ...(masteruser === '' ? [] : [masteruser]), masterauth]);
  if (protocol === 3) requests.push(['HELLO', '3']);
  requests.push(['CLUSTER', 'PEER', ownId, clusterName]);
  return { bytes: requestOf(...requests), replies: requests.length };
}

/** Commands as a client sends them. */
export function requestOf(...requests: readonly (readonly string[])[]): Buffer {
  const writer = createReplyWriter(WORDS_BYTES_START);
  for (const words of requests) {
    writeArray(writer, words.length);
    for (const word of words) writeBulkText(writer, word);
  }
  return Buffer.from(writer.bytes.subarray(0, writer.length));
}

function dialEncrypted({ host, tlsPort }: PeerAddress, config: Config, onBytes: OnPeerBytes): net.Socket {
  const read = readTlsMaterial(config, NO_TICKET_KEYS);
  if ('problem' in read) throw new Error(read.problem);
  const { certificate, key, keyPassword, authorities } = read.material;
  const socket = tls.connect({
    host,
    port: tlsPort,
    cert: certificate,
    key,
    ...(keyPassword === '' ? {} : { passphrase: keyPassword }),
    ca: [...authorities],
    checkServerIdentity: () => undefined,
  });
  socket.setNoDelay(true);
  socket.on('data', (bytes: Buffer) => onBytes(bytes.length, bytes));
  return socket;
}
