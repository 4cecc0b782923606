/**
 * Keys in JSON: as text where their bytes are UTF-8, else in base64. Pure.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { FLAG, INTEGER, TEXT } from './json-schema.ts';

/** `keyBytes` is the length of the whole key. */
export type ShownKey = { readonly key: string; readonly base64: boolean; readonly keyBytes: number };

export const SHOWN_KEY_SCHEMA = {
  key: { ...TEXT, description: 'Its beginning, where it is very long.' },
  base64: { ...FLAG, description: 'Whether that is in base64, since it is no UTF-8.' },
  keyBytes: { ...INTEGER, description: 'The length of the whole key.' },
};

/** A character of UTF-8 that was cut in two has at most so many bytes left. */
const CUT_BYTES_MAX = 3;

/** `bytes` are the key, or its beginning. */
export function shownKey(bytes: Uint8Array, keyBytes: number): ShownKey {
  const cutBytesMax = keyBytes > bytes.length ? CUT_BYTES_MAX : 0;
  for (let cut = 0; cut <= cutBytesMax; cut += 1) {
    const whole = bytes.subarray(0, bytes.length - cut);
    if (isUtf8(whole)) return { key: Buffer.from(whole).toString('utf8'), base64: false, keyBytes };
  }
  return { key: Buffer.from(bytes).toString('base64'), base64: true, keyBytes };
}
