/**
 * A small client for tests of the process: inline commands out, whole replies in, one waiting promise for each.
 */
import { connect, type NetConnectOpts, type Socket } from 'node:net';

export type RespClient = {
  readonly socket: Socket;
  /** Sends one inline command and resolves to its reply's raw text. Rejects when the connection closes before. */
  ask(command: string): Promise<string>;
  /** The next reply, without asking. */
  reply(): Promise<string>;
  readonly closed: Promise<void>;
};

type Waiter = { resolve: (reply: string) => void; reject: (error: Error) => void };

/** Resolves when connected. Knows simple strings, errors, integers and bulk strings. */
export function connectClient(options: NetConnectOpts): Promise<RespClient> {
  const socket = connect(options);
  const waiters: Waiter[] = [];
  const replies: string[] = [];
  let text = '';
  const deliver = () => {
    for (let end = replyEnd(text); end > 0; end = replyEnd(text)) {
      replies.push(text.slice(0, end));
      text = text.slice(end);
    }
    while (waiters.length > 0 && replies.length > 0) waiters.shift()?.resolve(replies.shift() ?? '');
  };
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    deliver();
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      for (const waiter of waiters.splice(0)) waiter.reject(new Error('the connection was closed'));
      resolve();
    });
  });
  const reply = () =>
    new Promise<string>((resolve, reject) => {
      if (socket.destroyed && replies.length === 0) reject(new Error('the connection is closed'));
      waiters.push({ resolve, reject });
      deliver();
    });
  const client: RespClient = {
    socket,
    reply,
    closed,
    ask: (command) => {
      socket.write(`${command}\r\n`);
      return reply();
    },
  };
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(client));
    socket.once('error', reject);
  });
}

/** Where the first whole reply of `text` ends, 0 while there is none. */
function replyEnd(text: string): number {
  const lineEnd = text.indexOf('\r\n') + 2;
  if (lineEnd < 2) return 0;
  if (text[0] !== '$') return lineEnd;
  const bytes = Number(text.slice(1, lineEnd - 2));
  if (bytes < 0) return lineEnd;
  return text.length >= lineEnd + bytes + 2 ? lineEnd + bytes + 2 : 0;
}
