/**
 * The keyed hash of keys: HalfSipHash-1-3, so that nobody who does not know the process's secret can aim keys at one group.
 *
 * Pure; runs on every thread. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), and the 32-bit
 * variant of its reference code. One compression round for every four bytes, three to finish: about 25 ns for 16 bytes.
 */

/** 32 bits (as a signed integer) for `bytes[start, end)` under the two key words. */
export function hashKey(bytes: Uint8Array, start: number, end: number, key0: number, key1: number): number {
  let v0 = key0 | 0;
  let v1 = key1 | 0;
  let v2 = (0x6c796765 ^ key0) | 0;
  let v3 = (0x74656462 ^ key1) | 0;
  const wordsEnd = end - ((end - start) & 3);
  let at = start;
  for (; at < wordsEnd; at += 4) {
    const m = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    v3 ^= m;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= m;
  }
  let last = (end - start) << 24;
  if (at < end) last |= bytes[at];
  if (at + 1 < end) last |= bytes[at + 1] << 8;
  if (at + 2 < end) last |= bytes[at + 2] << 16;
  return finishHash(v0, v1, v2, v3 ^ last, last);
}

/**
 * The same for a key of `length` bytes that begins in the upper half of `words[start]`, as it does in a narrow entry. A
 * third faster: it loads words, and bytes are loaded one by one.
 */
export function hashHalves(
  words: Int32Array,
  start: number,
  length: number,
  key0: number,
  key1: number,
): number {
  let v0 = key0 | 0;
  let v1 = key1 | 0;
  let v2 = (0x6c796765 ^ key0) | 0;
  let v3 = (0x74656462 ^ key1) | 0;
  const wordsEnd = start + (length >>> 2);
  let at = start;
  for (; at < wordsEnd; at += 1) {
    const m = (words[at] >>> 16) | (words[at + 1] << 16);
    v3 ^= m;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= m;
  }
  let last = length << 24;
  const rest = length & 3;
  if (rest > 0) last |= words[at] >>> 16;
  if (rest === 1) last &= ~0xff00;
  if (rest === 3) last |= (words[at + 1] & 0xff) << 16;
  return finishHash(v0, v1, v2, v3 ^ last, last);
}

/** The round of the last word, then `v2 ^= 0xff` and the three finishing rounds, as one loop of four. */
function finishHash(from0: number, from1: number, from2: number, from3: number, last: number): number {
  let v0 = from0;
  let v1 = from1;
  let v2 = from2;
  let v3 = from3;
  for (let round = 0; round < 4; round += 1) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if (round === 0) {
      v0 ^= last;
      v2 ^= 0xff;
    }
  }
  return v1 ^ v3;
}
