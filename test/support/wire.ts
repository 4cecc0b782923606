/**
 * A raw connection for tests of the real server: any bytes out, and in whole replies of any kind or exact counts of bytes.
 *
 * Fast enough for pipelines of a hundred thousand commands and for values of many megabytes.
 */
import { Buffer } from 'node:buffer';
import { connect, type Socket } from 'node:net';
import { requestBytes } from './request-bytes.ts';

/** Lines keep their first character (`+OK`, `:1`, `-ERR ...`, `_`); bulk strings are their bytes; maps are flat. */
type Reply = string | Buffer | null | readonly Reply[];

export type Wire = {
  readonly socket: Socket;
  /** Takes the next `count` bytes once they are there. Rejects when the connection closes before. */
  take(count: number): Promise<Buffer>;
  /** Takes the next line, without its end. */
  line(): Promise<string>;
  /** Takes the next reply. */
  reply(): Promise<Reply>;
  /** Sends one command and takes its reply, which must be the next. Bulk strings come as text. */
  ask(...command: (string | Buffer)[]): Promise<Reply>;
  /** Resolves, once the server has closed too, with all bytes not taken. */
  rest(): Promise<Buffer>;
  readonly closed: Promise<void>;
  close(): void;
};

type Inbox = { bytes: Buffer; start: number; end: number; isClosed: boolean; wake: () => void };

const INBOX_BYTES = 64 * 1024;
const LINE_END = '\r\n';
const CHILDREN_PER_ITEM: Readonly<Record<string, number>> = { '*': 1, '~': 1, '>': 1, '%': 2 };

/** Resolves when connected. */
export function openWire(port: number): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('connect', () => resolve(createWire(socket)));
    socket.once('error', reject);
  });
}

/** Around a socket that is connected, of TLS too. */
export function createWire(socket: Socket): Wire {
  const inbox: Inbox = {
    bytes: Buffer.allocUnsafeSlow(INBOX_BYTES),
    start: 0,
    end: 0,
    isClosed: false,
    wake: () => undefined,
  };
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    store(inbox, chunk);
    inbox.wake();
  });
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      inbox.isClosed = true;
      inbox.wake();
      resolve();
    });
  });
  const reply = () => readReply(inbox);
  return {
    socket,
    closed,
    reply,
    line: () => readLine(inbox),
    take: async (count) => {
      await until(inbox, () => inbox.end - inbox.start >= count);
      return taken(inbox, count);
    },
    ask: async (...command) => {
      socket.write(requestBytes(...command));
      return asText(await reply());
    },
    rest: async () => {
      await closed;
      return taken(inbox, inbox.end - inbox.start);
    },
    close: () => socket.destroy(),
  };
}

function store(inbox: Inbox, chunk: Buffer): void {
  if (inbox.end + chunk.length > inbox.bytes.length) {
    const have = inbox.end - inbox.start;
    const bytes = Buffer.allocUnsafeSlow(Math.max(INBOX_BYTES, 2 * (have + chunk.length)));
    inbox.bytes.copy(bytes, 0, inbox.start, inbox.end);
    inbox.bytes = bytes;
    inbox.start = 0;
    inbox.end = have;
  }
  chunk.copy(inbox.bytes, inbox.end);
  inbox.end += chunk.length;
}

async function until(inbox: Inbox, isThere: () => boolean): Promise<void> {
  while (!isThere()) {
    if (inbox.isClosed) throw new Error('the connection was closed');
    await new Promise<void>((resolve) => {
      inbox.wake = resolve;
    });
  }
}

function taken(inbox: Inbox, count: number): Buffer {
  const bytes = Buffer.from(inbox.bytes.subarray(inbox.start, inbox.start + count));
  inbox.start += count;
  return bytes;
}

async function readReply(inbox: Inbox): Promise<Reply> {
  const line = await readLine(inbox);
  const [kind] = line;
  if (kind === '_' || line === '$-1' || line === '*-1') return null;
  const count = Number(line.slice(1));
  if (kind === '$' || kind === '=') {
    await until(inbox, () => inbox.end - inbox.start >= count + 2);
    return taken(inbox, count + 2).subarray(0, count);
  }
  if (CHILDREN_PER_ITEM[kind] === undefined) return line;
  const items: Reply[] = [];
  for (let i = 0; i < count * CHILDREN_PER_ITEM[kind]; i += 1) items.push(await readReply(inbox));
  return items;
}

async function readLine(inbox: Inbox): Promise<string> {
  const lineEnd = () => inbox.bytes.subarray(0, inbox.end).indexOf(LINE_END, inbox.start);
  await until(inbox, () => lineEnd() >= 0);
  return taken(inbox, lineEnd() + LINE_END.length - inbox.start)
    .toString('latin1')
    .slice(0, -LINE_END.length);
}

function asText(reply: Reply): Reply {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? reply.map(asText) : reply;
}
