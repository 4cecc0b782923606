/**
 * Keys and arguments as people read them. The server tells bytes that are no text in base64, or a character for each byte. Pure.
 */

const CUT = '…';
const BYTE_MAX = 0xff;

/**
 * @param {{ key: string, base64?: boolean, keyBytes?: number }} shown `key` may be the beginning of one of `keyBytes`
 */
export function keyText({ key, base64 = false, keyBytes = 0 }) {
  const text = base64 ? `base64:${key}` : key;
  return keyBytes > shownBytes(key, base64) ? `${text}${CUT}` : text;
}

/**
 * A text of one character per byte as the UTF-8 that its bytes are, or as it is where they are none.
 * @param {string} text
 */
export function bytesText(text) {
  const codes = Array.from(text, (character) => character.charCodeAt(0));
  if (codes.some((code) => code > BYTE_MAX)) return text;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(codes));
  } catch {
    return text;
  }
}

/**
 * @param {string} key
 * @param {boolean} base64
 */
function shownBytes(key, base64) {
  if (!base64) return new TextEncoder().encode(key).length;
  return Math.floor((key.replace(/=+$/, '').length * 3) / 4);
}
