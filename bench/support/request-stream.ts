/**
 * Which requests a load generator sends, one after the other: keys and kinds that were drawn beforehand with seeded chance,
 * written as batches of bytes. Owned by one thread of a generator.
 */
import { createChance, zipf } from './cache-workloads.ts';
import { expectReply, type ReplyQueue } from './replies.ts';
import { type RequestKind, writeKeyDigits } from './request-kinds.ts';

/** `skew`: 0 for keys that are all as likely, else the exponent of Zipf's law. */
export type KeyDraw = { readonly keys: number; readonly skew: number; readonly seed: number };

/** The requests come round and round through the draws. */
export type RequestStream = {
  readonly kinds: readonly RequestKind[];
  readonly keyDraws: Uint32Array;
  readonly kindDraws: Uint8Array;
  nextKey: number;
  nextKind: number;
};

/** A batch of one connection. Where all requests are of one kind they stand there already, but for their keys. */
export type Batch = { readonly bytes: Buffer; readonly isLaidOut: boolean };

/** So many keys by chance. O(log keys) each where they are skewed. */
export function drawKeys({ keys, skew, seed }: KeyDraw, count: number): Uint32Array {
  const chance = createChance(seed);
  const draw = skew === 0 ? () => Math.floor(chance() * keys) : zipf(keys, skew, chance);
  return Uint32Array.from({ length: count }, draw);
}

/** Every key once, in order. */
export function keysInOrder(keys: number): Uint32Array {
  return Uint32Array.from({ length: keys }, (_, index) => index);
}

/** So many numbers below `shares.length`, each with its share of them; the shares add up to 1. */
export function drawKinds(shares: readonly number[], seed: number, count: number): Uint8Array {
  const chance = createChance(seed);
  return Uint8Array.from({ length: count }, () => {
    let left = chance();
    const kind = shares.findIndex((share) => {
      left -= share;
      return left < 0;
    });
    return kind < 0 ? shares.length - 1 : kind;
  });
}

export function createRequestStream(
  kinds: readonly RequestKind[],
  keyDraws: Uint32Array,
  kindDraws: Uint8Array,
): RequestStream {
  return { kinds, keyDraws, kindDraws, nextKey: 0, nextKind: 0 };
}

/** For batches of at most `requestsMax`. */
export function createBatch({ kinds }: RequestStream, requestsMax: number): Batch {
  const requestBytesMax = Math.max(...kinds.map(({ bytes }) => bytes.length));
  const isLaidOut = kinds.length === 1;
  const bytes = Buffer.allocUnsafe(requestsMax * requestBytesMax);
  if (isLaidOut) bytes.fill(kinds[0].bytes);
  return { bytes, isLaidOut };
}

/** Writes the next `count` requests into a batch and notes the replies they will have. Returns how many bytes they are. */
export function writeBatch(stream: RequestStream, queue: ReplyQueue, batch: Batch, count: number): number {
  const { kinds, kindDraws } = stream;
  const { bytes, isLaidOut } = batch;
  let at = 0;
  for (let request = 0; request < count; request += 1) {
    const kind = isLaidOut ? 0 : kindDraws[stream.nextKind];
    stream.nextKind = stream.nextKind + 1 === kindDraws.length ? 0 : stream.nextKind + 1;
    const { bytes: template, keyOffsets } = kinds[kind];
    if (!isLaidOut) bytes.set(template, at);
    for (let key = 0; key < keyOffsets.length; key += 1) {
      writeKeyDigits(bytes, at + keyOffsets[key], takeKey(stream));
    }
    expectReply(queue, kind);
    at += template.length;
  }
  return at;
}

function takeKey(stream: RequestStream): number {
  const { keyDraws, nextKey } = stream;
  stream.nextKey = nextKey + 1 === keyDraws.length ? 0 : nextKey + 1;
  return keyDraws[nextKey];
}
