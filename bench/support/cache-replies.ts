/** Reads what a cache answers to reads and writes in a pipeline, RESP2 or memcached's text, cut anywhere. Pure. */
import type { Protocol } from './peers.ts';

export const REPLY_MISS = 0;
export const REPLY_HIT = 1;
/** A write that found no memory. */
export const REPLY_FULL = 2;

/** Where the scan stands: within a line, or within a value and the line end behind it. */
export type ReplyScanner = {
  readonly protocol: Protocol;
  line: string;
  valueBytesLeft: number;
  /** memcached's value came, its END not yet. */
  isFound: boolean;
};

const LINE_FEED = 10;
const LINE_END_BYTES = 2;

export function createReplyScanner(protocol: Protocol): ReplyScanner {
  return { protocol, line: '', valueBytesLeft: 0, isFound: false };
}

/** Adds what every reply that ends within the chunk was to `found`; a write that was done is a hit. Throws on other errors. */
export function scanReplies(scanner: ReplyScanner, chunk: Buffer, found: number[]): void {
  let at = 0;
  while (at < chunk.length) {
    if (scanner.valueBytesLeft > 0) {
      const skipped = Math.min(scanner.valueBytesLeft, chunk.length - at);
      scanner.valueBytesLeft -= skipped;
      at += skipped;
      if (scanner.valueBytesLeft === 0 && scanner.protocol === 'resp') found.push(REPLY_HIT);
      continue;
    }
    const lineFeed = chunk.indexOf(LINE_FEED, at);
    const end = lineFeed < 0 ? chunk.length : lineFeed + 1;
    scanner.line += chunk.toString('latin1', at, end);
    at = end;
    if (lineFeed < 0) return;
    const line = scanner.line.trimEnd();
    scanner.line = '';
    if (scanner.protocol === 'resp') takeRespLine(scanner, line, found);
    else takeMemcachedLine(scanner, line, found);
  }
}

function takeRespLine(scanner: ReplyScanner, line: string, found: number[]): void {
  if (line === '$-1' || line === '_') found.push(REPLY_MISS);
  else if (line.startsWith('$')) scanner.valueBytesLeft = Number(line.slice(1)) + LINE_END_BYTES;
  else if (line.startsWith('+')) found.push(REPLY_HIT);
  else if (line.startsWith('-OOM')) found.push(REPLY_FULL);
  else throw new Error(`an unexpected reply: ${line.slice(0, 100)}`);
}

function takeMemcachedLine(scanner: ReplyScanner, line: string, found: number[]): void {
  if (line.startsWith('VALUE ')) {
    scanner.valueBytesLeft = Number(line.split(' ')[3]) + LINE_END_BYTES;
    scanner.isFound = true;
  } else if (line === 'END') {
    found.push(scanner.isFound ? REPLY_HIT : REPLY_MISS);
    scanner.isFound = false;
  } else if (line === 'STORED') found.push(REPLY_HIT);
  else if (line.startsWith('SERVER_ERROR out of memory')) found.push(REPLY_FULL);
  else throw new Error(`an unexpected reply: ${line.slice(0, 100)}`);
}
