/**
 * How a large collection stands in a snapshot: an image in the place of its entry's (large-image.ts), and pieces behind it, in order.
 *
 * Pure; any thread. The images have the LSN of the entry when its copy was begun; those of pieces have no key. The value of a piece:
 *
 *   0      1
 *  ┌──────┬─────────────────┐
 *  │ KIND │ operations ...  │   as in a record of the log (change.ts)
 *  └──────┴─────────────────┘
 *
 * A load begins with an empty collection and does the operations of each PIECE_MORE; the log behind the LSN brings it to what it was.
 * A list is copied from the head to the tail, and OP_FILL stands for elements that had gone before the copy came to them: the
 * log takes them away. Without a log the operations of PIECE_END do. PIECE_GONE takes the collection back: the key went meanwhile, or
 * its copy could not go on, and an image of what the key is now may follow.
 */
import type { Buffer } from 'node:buffer';
import { OP_HEADER_BYTES } from './change.ts';
import { areOpsSane } from './ops.ts';

export const PIECE_MORE = 1;
export const PIECE_END = 2;
export const PIECE_GONE = 3;

/** Where the operations begin. */
export const PIECE_OPS = 1;

const OP_ARGUMENT = 1;
const OP_BYTES = 5;

/** Where the payload of the operation at `at` begins. */
export function opPayload(at: number): number {
  return at + OP_HEADER_BYTES;
}

export function opArgument(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + OP_ARGUMENT);
}

/** Where the payload of the operation at `at` ends, and the next operation begins. */
export function opPayloadEnd(bytes: Buffer, at: number): number {
  return opPayload(at) + bytes.readUInt32LE(at + OP_BYTES);
}

/** Writes the head of the operation at `at`, whose payload of so many bytes is behind it. */
export function writeOpHead(
  bytes: Buffer,
  at: number,
  code: number,
  argument: number,
  payloadBytes: number,
): void {
  bytes[at] = code;
  bytes.writeUInt32LE(argument, at + OP_ARGUMENT);
  bytes.writeUInt32LE(payloadBytes, at + OP_BYTES);
}

/** Whether `bytes[start, end)` can be the value of a piece of a collection of this type. */
export function isSanePiece(type: number, bytes: Buffer, start: number, end: number): boolean {
  if (end === start) return false;
  const kind = bytes[start];
  if (kind === PIECE_GONE) return end === start + PIECE_OPS;
  return (kind === PIECE_MORE || kind === PIECE_END) && areOpsSane(type, bytes, start + PIECE_OPS, end);
}
