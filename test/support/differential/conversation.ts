/** A connection over which many commands go at once, whose raw replies come back one by one. */
import { connect, type Socket } from 'node:net';
import { requestBytes } from '../request-bytes.ts';
import type { Command } from './grammar.ts';

export type Conversation = {
  /** The raw reply of each, in order, one character per byte. Rejects when the connection closes before. */
  ask(commands: readonly Command[]): Promise<string[]>;
  close(): void;
};

/** Bytes received, and how far they are taken apart. */
type Inbox = { bytes: Buffer; end: number; at: number; replyStart: number; itemsLeft: number };

const INBOX_BYTES = 1024 * 1024;
const REPLY_MS_MAX = 20_000;
const SHOWN_CHARACTERS = 500;
const CR = 13;
const MINUS = 45;
const NINE = 57;
const ZERO = 48;
const [BULK, VERBATIM, ARRAY, SET, PUSH, MAP] = Buffer.from('$=*~>%');

export function openConversation(port: number): Promise<Conversation> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => resolve(createConversation(socket)));
  });
}

function createConversation(socket: Socket): Conversation {
  const inbox: Inbox = { bytes: Buffer.allocUnsafe(INBOX_BYTES), end: 0, at: 0, replyStart: 0, itemsLeft: 1 };
  let take = (_reply: string) => {};
  let fail = (_error: Error) => {};
  socket.on('data', (chunk: Buffer) => {
    store(inbox, chunk);
    for (let reply = nextReply(inbox); reply !== undefined; reply = nextReply(inbox)) take(reply);
  });
  socket.on('error', (error) => fail(error));
  socket.on('close', () => fail(new Error('the connection was closed')));
  return {
    ask: (commands) =>
      new Promise((resolve, reject) => {
        if (commands.length === 0) {
          resolve([]);
          return;
        }
        const replies: string[] = [];
        const late = setTimeout(() => reject(new Error(silence(commands, replies))), REPLY_MS_MAX);
        const settle = () => clearTimeout(late);
        fail = (error) => {
          settle();
          reject(error);
        };
        take = (reply) => {
          late.refresh();
          replies.push(reply);
          if (replies.length < commands.length) return;
          settle();
          resolve(replies);
        };
        socket.write(Buffer.concat(commands.map((command) => requestBytes(...command))));
      }),
    close: () => socket.destroy(),
  };
}

function silence(commands: readonly Command[], replies: readonly string[]): string {
  const words = commands[replies.length].map((argument) => argument.toString('latin1')).join(' ');
  return `no reply to '${words.slice(0, SHOWN_CHARACTERS)}' in ${REPLY_MS_MAX} ms`;
}

function store(inbox: Inbox, chunk: Buffer): void {
  if (inbox.end + chunk.length > inbox.bytes.length) {
    const have = inbox.end - inbox.replyStart;
    const bytes = Buffer.allocUnsafe(Math.max(INBOX_BYTES, 2 * (have + chunk.length)));
    inbox.bytes.copy(bytes, 0, inbox.replyStart, inbox.end);
    inbox.bytes = bytes;
    inbox.at -= inbox.replyStart;
    inbox.end = have;
    inbox.replyStart = 0;
  }
  inbox.end += chunk.copy(inbox.bytes, inbox.end);
}

function nextReply(inbox: Inbox): string | undefined {
  while (inbox.itemsLeft > 0) {
    if (!skipItem(inbox)) return undefined;
  }
  const reply = inbox.bytes.toString('latin1', inbox.replyStart, inbox.at);
  inbox.replyStart = inbox.at;
  inbox.itemsLeft = 1;
  return reply;
}

/** Steps over one line and its bulk; false while they are not all there. */
function skipItem(inbox: Inbox): boolean {
  const { bytes, at, end } = inbox;
  const lineEnd = bytes.indexOf(CR, at);
  if (lineEnd < 0 || lineEnd + 2 > end) return false;
  const kind = bytes[at];
  const count = countAt(bytes, at + 1);
  if (kind === BULK || kind === VERBATIM) {
    const itemEnd = count < 0 ? lineEnd + 2 : lineEnd + 2 + count + 2;
    if (itemEnd > end) return false;
    inbox.at = itemEnd;
  } else {
    inbox.at = lineEnd + 2;
    if (kind === MAP) inbox.itemsLeft += 2 * count;
    else if (kind === ARRAY || kind === SET || kind === PUSH) inbox.itemsLeft += Math.max(0, count);
  }
  inbox.itemsLeft -= 1;
  return true;
}

function countAt(bytes: Buffer, start: number): number {
  if (bytes[start] === MINUS) return -1;
  let count = 0;
  for (let at = start; bytes[at] >= ZERO && bytes[at] <= NINE; at += 1) count = 10 * count + bytes[at] - ZERO;
  return count;
}
