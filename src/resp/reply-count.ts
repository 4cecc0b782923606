/**
 * How many replies a stretch of RESP holds, for the one case in which replies that were written are not to leave.
 *
 * Pure; any thread. The bytes are our own, so they are taken to be whole and well-formed.
 */
const LINE_FEED = 10;
const MINUS = 45;
const ZERO = 48;

/** The replies in `bytes[start, end)`; an array with all that is in it is one. O(bytes). */
export function countReplies(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at = endOfReply(bytes, at)) count += 1;
  return count;
}

function endOfReply(bytes: Uint8Array, start: number): number {
  let at = start;
  for (let left = 1; left > 0; left -= 1) {
    const lineEnd = bytes.indexOf(LINE_FEED, at) + 1;
    const type = String.fromCharCode(bytes[at]);
    const length = lengthIn(bytes, at + 1);
    at = lineEnd;
    if (type === '$' || type === '=' || type === '!') at += length < 0 ? 0 : length + 2;
    else if (type === '*' || type === '~' || type === '>') left += Math.max(0, length);
    else if (type === '%') left += 2 * length;
  }
  return at;
}

/** The decimal that begins at `at`, as far as it goes. */
function lengthIn(bytes: Uint8Array, at: number): number {
  if (bytes[at] === MINUS) return -1;
  let length = 0;
  for (let i = at; bytes[i] >= ZERO && bytes[i] <= ZERO + 9; i += 1) length = length * 10 + bytes[i] - ZERO;
  return length;
}
