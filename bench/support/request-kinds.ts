/**
 * The requests that servers are measured with, as bytes in which only the keys change, and what their replies look like, in
 * RESP and in memcached's text protocol (protocol.txt in its sources). Pure.
 */
import { requestText } from './client.ts';
import type { Protocol } from './peers.ts';
import type { ReplyShape } from './replies.ts';

/** MGET and MSET take ten keys. */
export type CommandName = 'GET' | 'SET' | 'INCR' | 'MGET' | 'MSET';

/** `keyOffsets`: where in the bytes the digits of its keys begin. */
export type RequestKind = {
  readonly bytes: Buffer;
  readonly keyOffsets: readonly number[];
  readonly reply: ReplyShape;
};

/** What stands for the digits of a key: redis-benchmark puts a random number of as many there. */
const KEY_MARK = '__rand_int__';
const KEY_DIGITS = KEY_MARK.length;
const MARKED_KEY = `key:${KEY_MARK}`;
/** INCR has keys of its own, so that no other command meets a number. */
const MARKED_COUNTER = `counter:${KEY_MARK}`;
const MANY_KEYS = 10;

const DIGIT_ZERO = 48;

/** The words of a command, with marks for the digits of its keys. */
export function commandWords(command: CommandName, valueBytes: number): string[] {
  const value = 'x'.repeat(valueBytes);
  switch (command) {
    case 'GET':
      return ['GET', MARKED_KEY];
    case 'SET':
      return ['SET', MARKED_KEY, value];
    case 'INCR':
      return ['INCR', MARKED_COUNTER];
    case 'MGET':
      return ['MGET', ...Array.from({ length: MANY_KEYS }, () => MARKED_KEY)];
    case 'MSET':
      return ['MSET', ...Array.from({ length: MANY_KEYS }, () => [MARKED_KEY, value]).flat()];
  }
}

/** The key with that number: 16 bytes. */
export function benchmarkKey(index: number): string {
  return MARKED_KEY.replace(KEY_MARK, String(index).padStart(KEY_DIGITS, '0'));
}

/** Whether a protocol has the command; memcached's has no way to set many keys, or to count from nothing. */
export function knowsCommand(protocol: Protocol, command: CommandName): boolean {
  return protocol === 'resp' || command === 'GET' || command === 'SET' || command === 'MGET';
}

/** Throws where the protocol does not have the command. */
export function requestKind(protocol: Protocol, command: CommandName, valueBytes: number): RequestKind {
  if (!knowsCommand(protocol, command)) throw new Error(`${protocol} has no ${command}`);
  const isResp = protocol === 'resp';
  const text = isResp
    ? requestText(commandWords(command, valueBytes))
    : memcachedRequest(command, valueBytes);
  const reply = isResp ? respReply(command, valueBytes) : memcachedReply(command, valueBytes);
  return {
    bytes: Buffer.from(text.replaceAll(KEY_MARK, '0'.repeat(KEY_DIGITS)), 'latin1'),
    keyOffsets: [...text.matchAll(new RegExp(KEY_MARK, 'g'))].map(({ index }) => index),
    reply,
  };
}

/** Writes the number of a key over its digits, which end at `end`; all of them, since another key's may stand there. */
export function writeKeyDigits(target: Uint8Array, start: number, index: number): void {
  let left = index;
  for (let at = start + KEY_DIGITS - 1; at >= start; at -= 1) {
    const rest = (left / 10) | 0;
    target[at] = DIGIT_ZERO + left - rest * 10;
    left = rest;
  }
}

function memcachedRequest(command: CommandName, valueBytes: number): string {
  if (command === 'SET') return `set ${MARKED_KEY} 0 0 ${valueBytes}\r\n${'x'.repeat(valueBytes)}\r\n`;
  const keys = Array.from({ length: command === 'MGET' ? MANY_KEYS : 1 }, () => MARKED_KEY);
  return `get ${keys.join(' ')}\r\n`;
}

/** The shape of the reply to a command whose keys are all there. */
function respReply(command: CommandName, valueBytes: number): ReplyShape {
  const bulkBytes = `$${valueBytes}\r\n\r\n`.length + valueBytes;
  switch (command) {
    case 'GET':
      return shapeOf('$', bulkBytes);
    case 'MGET':
      return shapeOf('*', `*${MANY_KEYS}\r\n`.length + MANY_KEYS * bulkBytes);
    case 'INCR':
      return shapeOf(':', 0);
    default:
      return shapeOf('+', '+OK\r\n'.length);
  }
}

function memcachedReply(command: CommandName, valueBytes: number): ReplyShape {
  if (command === 'SET') return shapeOf('S', 'STORED\r\n'.length);
  const keys = command === 'MGET' ? MANY_KEYS : 1;
  const itemBytes = `VALUE ${benchmarkKey(0)} 0 ${valueBytes}\r\n\r\n`.length + valueBytes;
  return shapeOf('V', keys * itemBytes + 'END\r\n'.length);
}

function shapeOf(first: string, bytes: number): ReplyShape {
  return { first: first.charCodeAt(0), bytes };
}
