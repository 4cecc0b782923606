/**
 * Counts replies without reading the values in them: whoever sent the requests knows what each reply looks like, so only its
 * first bytes and its last are looked at. Pure; used in the processes of the load generators.
 */

/** What a reply begins with, and how many bytes it has; 0: it is a line, however long. */
export type ReplyShape = { readonly first: number; readonly bytes: number };

/** Replies that one connection waits for, oldest first, and how much of the oldest has come. */
export type ReplyQueue = {
  readonly shapes: readonly ReplyShape[];
  /** By the number of the request, modulo the length, which is a power of two: which of the shapes its reply has. */
  readonly expected: Uint8Array;
  sent: number;
  answered: number;
  seenBytes: number;
};

const MINUS = 45;
const LINE_FEED = 10;
/** How much of an unexpected reply is told. */
const SHOWN_BYTES = 80;

/** For at most `waitingMax` replies at a time, a power of two. */
export function createReplyQueue(shapes: readonly ReplyShape[], waitingMax: number): ReplyQueue {
  return { shapes, expected: new Uint8Array(waitingMax), sent: 0, answered: 0, seenBytes: 0 };
}

/** Notes a request that is sent now. Throws when too many are unanswered. */
export function expectReply(queue: ReplyQueue, shape: number): void {
  const { expected } = queue;
  if (queue.sent - queue.answered >= expected.length) throw new Error('the server does not keep up');
  expected[queue.sent & (expected.length - 1)] = shape;
  queue.sent += 1;
}

/**
 * Takes bytes that came, `bytes[0, length)`, cut anywhere. Returns how many replies they end. Throws on an error, on a miss,
 * and on a reply that nobody waits for. About 10 ns a reply, whatever its length.
 */
export function takeReplies(queue: ReplyQueue, bytes: Uint8Array, length: number): number {
  const { shapes, expected, answered } = queue;
  const mask = expected.length - 1;
  let at = 0;
  while (at < length) {
    if (queue.answered === queue.sent) throw unexpected(bytes, at, length);
    const { first, bytes: total } = shapes[expected[queue.answered & mask]];
    const seen = queue.seenBytes;
    if (seen === 0 && bytes[at] !== first) throw unexpected(bytes, at, length);
    if (seen <= 1 && at + 1 - seen < length && bytes[at + 1 - seen] === MINUS)
      throw unexpected(bytes, at, length);
    const end = total === 0 ? endOfLine(bytes, at, length) : at + total - seen;
    if (end > length) {
      queue.seenBytes = seen + length - at;
      break;
    }
    if (bytes[end - 1] !== LINE_FEED) throw unexpected(bytes, at, length);
    at = end;
    queue.seenBytes = 0;
    queue.answered += 1;
  }
  return queue.answered - answered;
}

/** Behind the line feed; more than `length` where there is none yet. */
function endOfLine(bytes: Uint8Array, start: number, length: number): number {
  let at = start;
  while (at < length && bytes[at] !== LINE_FEED) at += 1;
  return at + 1;
}

function unexpected(bytes: Uint8Array, at: number, length: number): Error {
  const shown = bytes.subarray(at, Math.min(length, at + SHOWN_BYTES));
  return new Error(`an unexpected reply: ${JSON.stringify(Buffer.from(shown).toString('latin1'))}`);
}
