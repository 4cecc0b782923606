/**
 * A connection of an operator's tool to a node: logs in, asks one command after the other, each within a bound.
 *
 * Main thread of a process of its own.
 */
import { Buffer } from 'node:buffer';
import { connect, type Socket } from 'node:net';
import tls from 'node:tls';
import { CLUSTER_TOOL_MS_MAX } from '../config/limits-cluster.ts';
import { createReplyFrames, FRAME_MALFORMED, FRAME_UNFINISHED, readFrame } from '../resp/reply-frames.ts';
import { decodeReply, isFault, type ReplyValue } from '../resp/reply-value.ts';
import { requestOf } from './peer-dial.ts';

/** As whom, and how, a tool speaks to the nodes. */
export type OperatorLogin = {
  /** '' for the default user. */
  readonly user: string;
  /** '' for none. */
  readonly password: string;
  /** PEM texts, '' for none; undefined: TLS is not spoken. */
  readonly tls:
    | { readonly authority: string; readonly certificate: string; readonly key: string }
    | undefined;
};

export type OperatorLink = {
  /** Rejects with an Error that says why there is no reply, or which error the node answered. */
  readonly ask: (...words: string[]) => Promise<ReplyValue>;
  readonly close: () => void;
};

type Waiter = { readonly resolve: (reply: ReplyValue) => void; readonly reject: (error: Error) => void };

/** Rejects where the node cannot be reached or does not let the operator in. */
export async function openOperatorLink(
  host: string,
  port: number,
  login: OperatorLogin,
): Promise<OperatorLink> {
  const socket = login.tls === undefined ? connect({ host, port }) : dialEncrypted(host, port, login.tls);
  const link = speak(socket, `${host}:${port}`);
  const { user, password } = login;
  try {
    if (password !== '') await link.ask('AUTH', ...(user === '' ? [] : [user]), password);
  } catch (error) {
    link.close();
    throw error;
  }
  return link;
}

/** As redis-cli: the authority is checked, the name is not. */
function dialEncrypted(host: string, port: number, files: NonNullable<OperatorLogin['tls']>): Socket {
  return tls.connect({
    ...{ host, port },
    ...(files.authority === '' ? {} : { ca: files.authority }),
    ...(files.certificate === '' ? {} : { cert: files.certificate, key: files.key }),
    checkServerIdentity: () => undefined,
  });
}

function speak(socket: Socket, name: string): OperatorLink {
  const waiters: Waiter[] = [];
  const fail = (reason: string) => {
    socket.destroy();
    for (const { reject } of waiters.splice(0)) reject(new Error(`${name} ${reason}`));
  };
  const take = (reply: ReplyValue) => {
    const waiter = waiters.shift();
    if (isFault(reply)) waiter?.reject(new Error(`${name} answered: ${reply.fault}`));
    else waiter?.resolve(reply);
  };
  socket.on('error', (error: NodeJS.ErrnoException) =>
    fail(`cannot be reached: ${error.code ?? error.message}`),
  );
  socket.on('close', () => fail('has closed the connection'));
  socket.on(
    'data',
    frameReader(take, () => fail('does not speak RESP')),
  );
  return {
    close: () => socket.destroy(),
    ask: (...words) => {
      const timer = setTimeout(
        () => fail(`has not answered within ${CLUSTER_TOOL_MS_MAX} ms`),
        CLUSTER_TOOL_MS_MAX,
      );
      return new Promise<ReplyValue>((resolve, reject) => {
        waiters.push({ resolve, reject });
        if (socket.destroyed) fail('has closed the connection');
        else socket.write(requestOf(words));
      }).finally(() => clearTimeout(timer));
    },
  };
}

/** Cuts what comes into replies. */
function frameReader(onReply: (reply: ReplyValue) => void, onMalformed: () => void): (bytes: Buffer) => void {
  const frames = createReplyFrames();
  let pieces: Buffer[] = [];
  return (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      const end = readFrame(frames, bytes, at, bytes.length);
      if (end === FRAME_MALFORMED) return onMalformed();
      pieces.push(bytes.subarray(at, end === FRAME_UNFINISHED ? bytes.length : end));
      if (end === FRAME_UNFINISHED) return;
      at = end;
      const reply = decodeReply(Buffer.concat(pieces));
      pieces = [];
      onReply(reply);
    }
  };
}
