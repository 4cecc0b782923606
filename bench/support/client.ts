/**
 * A client that is just enough for benchmarks: one question at a time, and many requests in a pipeline whose replies are
 * one line each.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const CHUNK_BYTES = 64 * 1024;
/** A request that `fill` writes is shorter than this. */
const REQUEST_BYTES_MAX = 4 * 1024;
const UNANSWERED_MAX = 8192;
const BATCH_REQUESTS = 500;
const LINE_FEED = 10;
const MINUS = 45;

/** Writes one request for `index` at `at` and returns where it ends. */
export type FillRequest = (target: Buffer, at: number, index: number) => number;

/** Connects to a local port. */
export async function openClient(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  // A reset is told by 'close' too.
  socket.on('error', () => undefined);
  return socket;
}

/** Asks one thing over a connection of its own; the reply is a line or a bulk string, without its RESP clothes. */
export async function ask(port: number, ...words: string[]): Promise<string> {
  const socket = await openClient(port);
  try {
    return await askOver(socket, ...words);
  } finally {
    socket.destroy();
  }
}

/** As `ask`, over a connection that has nothing else under way. Throws error replies. */
export async function askOver(socket: Socket, ...words: string[]): Promise<string> {
  socket.write(requestText(words));
  let text = '';
  while (replyOf(text) === undefined) {
    text += (await nextData(socket)).toString('latin1');
  }
  const reply = replyOf(text) ?? '';
  if (text.startsWith('-')) throw new Error(`${words[0]}: ${reply}`);
  return reply;
}

/** Sends `count` requests in a pipeline and resolves once all are answered. Throws the first error reply. */
export async function sendMany(port: number, count: number, fill: FillRequest): Promise<void> {
  const socket = await openClient(port);
  try {
    await pump(socket, count, fill);
  } finally {
    socket.destroy();
  }
}

/** Sends requests in a pipeline, each answered by one line, and resolves to how many of the lines begin so. */
export async function countReplies(
  port: number,
  requests: readonly string[],
  beginning: string,
): Promise<number> {
  const socket = await openClient(port);
  let counted = 0;
  try {
    for (let from = 0; from < requests.length; from += BATCH_REQUESTS) {
      const batch = requests.slice(from, from + BATCH_REQUESTS);
      socket.write(batch.join(''), 'latin1');
      const lines = await nextLines(socket, batch.length);
      counted += lines.filter((line) => line.startsWith(beginning)).length;
    }
    return counted;
  } finally {
    socket.destroy();
  }
}

/** A request as bytes. */
export function requestText(words: readonly string[]): string {
  const bulks = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${bulks.join('')}`;
}

/** The whole reply without its RESP clothes, undefined while bytes are missing. A null is an empty text. */
export function replyOf(text: string): string | undefined {
  const lineEnd = text.indexOf('\r\n');
  if (lineEnd < 0) return undefined;
  const line = text.slice(1, lineEnd);
  if (!text.startsWith('$')) return line;
  if (line === '-1') return '';
  const start = lineEnd + 2;
  const end = start + Number(line);
  return text.length < end + 2 ? undefined : text.slice(start, end);
}

async function pump(socket: Socket, count: number, fill: FillRequest): Promise<void> {
  const answers = countAnswers(socket);
  let sent = 0;
  while (sent < count) {
    // The socket may still hold the chunk, so every chunk is a buffer of its own.
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let length = 0;
    while (sent < count && length < CHUNK_BYTES - REQUEST_BYTES_MAX) {
      length = fill(chunk, length, sent);
      sent += 1;
    }
    socket.write(chunk.subarray(0, length));
    await answers.reach(sent - UNANSWERED_MAX);
  }
  await answers.reach(count);
}

/** Counts the lines that come; `reach` resolves once there are so many. */
function countAnswers(socket: Socket): { reach: (count: number) => Promise<void> } {
  let answered = 0;
  let atLineStart = true;
  let failure: Error | undefined;
  socket.on('data', (chunk: Buffer) => {
    for (let i = 0; i < chunk.length; i += 1) {
      if (atLineStart && chunk[i] === MINUS)
        failure ??= new Error(chunk.toString('latin1', i, i + 200).split('\r\n')[0]);
      atLineStart = chunk[i] === LINE_FEED;
      if (atLineStart) answered += 1;
    }
  });
  const reach = async (count: number): Promise<void> => {
    while (answered < count && failure === undefined) await nextData(socket);
    if (failure !== undefined) throw failure;
  };
  return { reach };
}

/** The next `count` lines, when they are all that comes. */
async function nextLines(socket: Socket, count: number): Promise<string[]> {
  let text = '';
  let lines: string[] = [];
  // A text that ends with a line has one empty piece behind it.
  while (lines.length <= count) {
    text += (await nextData(socket)).toString('latin1');
    lines = text.split('\r\n');
  }
  return lines.slice(0, count);
}

/** The next bytes that come; rejects when the connection ends instead. */
function nextData(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.off('data', onData).off('close', onClose);
    };
    const onData = (chunk: Buffer): void => {
      settle();
      resolve(chunk);
    };
    const onClose = (): void => {
      settle();
      reject(new Error('the server closed the connection'));
    };
    socket.on('data', onData).on('close', onClose);
  });
}
