/**
 * The buffers in which replies leave: which sockets still read from one, and what becomes of it when none does.
 *
 * Lives on the worker. A reply that the kernel does not take at once stays where it was written, so that nothing is copied; the
 * buffer is lent then, and comes back when the last socket has sent or lost its part. A few are kept for the next turns. The memory
 * of others is given back at once: left to the collector it would stay for as long as nothing else makes that run, a gigabyte of it.
 */
import { Buffer } from 'node:buffer';
import {
  OUTPUT_BUFFER_BYTES,
  OUTPUT_BUFFER_KEPT_BYTES_MAX,
  OUTPUT_SPARES_BYTES_MAX,
} from '../config/limits.ts';
import type { Serving } from './serving.ts';

export type LentBuffer = {
  readonly bytes: Buffer;
  /** Who still reads from it: sockets, and the writer until the turn ends. */
  holders: number;
};

/** The spare buffers of a worker, and their bytes together. */
export type SpareOutput = { readonly buffers: Buffer[]; bytes: number };

/** Lends the writer's buffer of this turn to one more socket. What is never brought back is left to the collector. */
export function lendBuffer(serving: Serving): LentBuffer {
  serving.lent ??= { bytes: serving.reply.bytes, holders: 1 };
  serving.lent.holders += 1;
  return serving.lent;
}

/** A socket has sent its part, or is closed: it reads from the buffer no more. */
export function returnBuffer(serving: Serving, lent: LentBuffer): void {
  lent.holders -= 1;
  if (lent.holders === 0) retire(serving, lent.bytes);
}

/** Gives the writer, which is empty, another buffer if its own is lent, or too large to be kept. */
export function renewBuffer(serving: Serving): void {
  const { reply, lent, spareOutput } = serving;
  const { bytes } = reply;
  if (lent === undefined && bytes.length <= OUTPUT_BUFFER_KEPT_BYTES_MAX) return;
  const spare = spareOutput.buffers.pop();
  if (spare !== undefined) spareOutput.bytes -= spare.length;
  reply.bytes = spare ?? Buffer.allocUnsafeSlow(OUTPUT_BUFFER_BYTES);
  serving.lent = undefined;
  if (lent === undefined) retire(serving, bytes);
  else returnBuffer(serving, lent);
}

/** Gives the memory of a buffer back which nobody reads any more; not that of one which lies in a larger one. */
export function discardBuffer({ buffer, length }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}

function retire({ spareOutput }: Serving, bytes: Buffer): void {
  const spareBytes = spareOutput.bytes + bytes.length;
  if (bytes.length > OUTPUT_BUFFER_KEPT_BYTES_MAX || spareBytes > OUTPUT_SPARES_BYTES_MAX) {
    discardBuffer(bytes);
    return;
  }
  spareOutput.buffers.push(bytes);
  spareOutput.bytes = spareBytes;
}
