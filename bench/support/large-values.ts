/** Values of a megabyte that pass through a server at a steady pace while something else is measured. */
import type { Socket } from 'node:net';
import { openClient, requestText } from './client.ts';
import { createReplyQueue, expectReply, type ReplyQueue, takeReplies } from './replies.ts';

const VALUE_BYTES = 2 ** 20;
const VALUE_KEYS = 16;
/** One is set, and one read, so often at most. */
const EVERY_MS = 20;
const MS_PER_SECOND = 1000;
const SET = 0;
const GET = 1;
const SHAPES = [
  { first: '+'.charCodeAt(0), bytes: '+OK\r\n'.length },
  { first: '$'.charCodeAt(0), bytes: `$${VALUE_BYTES}\r\n\r\n`.length + VALUE_BYTES },
];

/** Runs `use` meanwhile. Tells how many values went in or out per second. */
export async function withLargeValues<Result>(
  port: number,
  use: () => Promise<Result>,
): Promise<{ result: Result; valuesPerSecond: number }> {
  const socket = await openClient(port);
  try {
    let isDone = false;
    const startedMs = performance.now();
    const used = use().finally(() => {
      isDone = true;
    });
    const [result, values] = await Promise.all([used, passValues(socket, () => isDone)]);
    return { result, valuesPerSecond: (values * MS_PER_SECOND) / (performance.now() - startedMs) };
  } finally {
    socket.destroy();
  }
}

async function passValues(socket: Socket, isDone: () => boolean): Promise<number> {
  const queue = createReplyQueue(SHAPES, 2);
  const value = 'x'.repeat(VALUE_BYTES);
  const requests = Array.from({ length: VALUE_KEYS }, (_, key) =>
    [requestText(['SET', `large:${key}`, value]), requestText(['GET', `large:${key}`])].map((text) =>
      Buffer.from(text, 'latin1'),
    ),
  );
  let values = 0;
  for (let turn = 0; !isDone(); turn += 1) {
    const startedMs = performance.now();
    const [set, get] = requests[turn % VALUE_KEYS];
    await exchange(socket, queue, set, SET);
    await exchange(socket, queue, get, GET);
    values += 2;
    const restMs = EVERY_MS - (performance.now() - startedMs);
    if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
  }
  return values;
}

/** Sends one request and waits for its reply. */
function exchange(socket: Socket, queue: ReplyQueue, request: Buffer, shape: number): Promise<void> {
  expectReply(queue, shape);
  socket.write(request);
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      socket.off('data', onData).off('close', onClose);
      outcome();
    };
    const onClose = (): void => settle(() => reject(new Error('the server closed the connection')));
    const onData = (bytes: Buffer): void => {
      try {
        if (takeReplies(queue, bytes, bytes.length) > 0) settle(resolve);
      } catch (error) {
        settle(() => reject(error));
      }
    };
    socket.on('data', onData).on('close', onClose);
  });
}
