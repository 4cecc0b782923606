/** The buffers of replies: nobody writes where a socket still reads, and what nobody reads any more is free at once. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import {
  OUTPUT_BUFFER_BYTES,
  OUTPUT_BUFFER_KEPT_BYTES_MAX,
  OUTPUT_SPARES_BYTES_MAX,
} from '../../src/config/limits.ts';
import { discardBuffer, lendBuffer, renewBuffer, returnBuffer } from '../../src/net/lent-buffers.ts';
import type { Serving } from '../../src/net/serving.ts';
import { createServingWorld } from '../support/serving-world.ts';

const createServing = (): Serving => createServingWorld({ appendfsync: 'no' }).serving;

const isFreed = ({ buffer }: Buffer) => (buffer as ArrayBuffer).detached;

describe('the buffer of a turn', () => {
  it('is kept where nobody needs it', () => {
    const serving = createServing();
    const { bytes } = serving.reply;
    renewBuffer(serving);
    expect(serving.reply.bytes).toBe(bytes);
  });

  it('that is lent is used again when the last socket has brought it back, and not before', () => {
    const serving = createServing();
    const { bytes } = serving.reply;
    const [first, second] = [lendBuffer(serving), lendBuffer(serving)];
    expect(second).toBe(first);
    renewBuffer(serving);
    const { bytes: next } = serving.reply;
    expect(next).not.toBe(bytes);
    returnBuffer(serving, first);
    expect(serving.spareOutput).toEqual({ buffers: [], bytes: 0 });
    returnBuffer(serving, second);
    expect(serving.spareOutput.buffers[0]).toBe(bytes);
    lendBuffer(serving);
    renewBuffer(serving);
    expect(serving.reply.bytes).toBe(bytes);
    expect(serving.spareOutput).toEqual({ buffers: [], bytes: 0 });
    expect(isFreed(next)).toBe(false);
  });

  it('may come back before the turn ends', () => {
    const serving = createServing();
    const { bytes } = serving.reply;
    returnBuffer(serving, lendBuffer(serving));
    expect(serving.spareOutput.buffers).toEqual([]);
    renewBuffer(serving);
    expect(serving.reply.bytes).not.toBe(bytes);
    expect(serving.spareOutput.buffers[0]).toBe(bytes);
  });

  it('is freed when it is too large to be kept, lent or not', () => {
    const serving = createServing();
    const large = Buffer.allocUnsafeSlow(OUTPUT_BUFFER_KEPT_BYTES_MAX + 1);
    serving.reply.bytes = large;
    renewBuffer(serving);
    expect(isFreed(large)).toBe(true);
    expect(serving.reply.bytes.length).toBe(OUTPUT_BUFFER_BYTES);

    const lentOne = Buffer.allocUnsafeSlow(OUTPUT_BUFFER_KEPT_BYTES_MAX + 1);
    serving.reply.bytes = lentOne;
    const lent = lendBuffer(serving);
    renewBuffer(serving);
    expect(isFreed(lentOne)).toBe(false);
    returnBuffer(serving, lent);
    expect(isFreed(lentOne)).toBe(true);
  });

  it('is freed when enough of them are kept', () => {
    const serving = createServing();
    const count = OUTPUT_SPARES_BYTES_MAX / OUTPUT_BUFFER_BYTES + 3;
    const lent = Array.from({ length: count }, () => {
      const one = lendBuffer(serving);
      renewBuffer(serving);
      return one;
    });
    for (const one of lent) returnBuffer(serving, one);
    expect(serving.spareOutput.bytes).toBe(OUTPUT_SPARES_BYTES_MAX);
    expect(lent.filter(({ bytes }) => isFreed(bytes))).toHaveLength(3);
  });
});

describe('what a socket has sent', () => {
  it('is freed, but not where it is a part of something', () => {
    const own = Buffer.allocUnsafeSlow(1000);
    const part = Buffer.allocUnsafeSlow(1000).subarray(10);
    discardBuffer(own);
    discardBuffer(part);
    expect([isFreed(own), isFreed(part)]).toEqual([true, false]);
  });
});
