/**
 * A reply of a command (RESP3, as the reply writer writes it) as a JSON value. Pure; main thread.
 *
 *   `_` null · `:` and `,` number, or its text where JSON has none (inf, nan, beyond 2^53) · `#` boolean · `+` and `=` string
 *   `$` string where the bytes are UTF-8, else `{ "base64": ... }` · `-` and `!` `{ "error": ... }`
 *   `*`, `~` and `>` array · `%` object, or an array of pairs where a key is no string
 */
import { type Buffer, isUtf8 } from 'node:buffer';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** What is read: `at` moves on. With `isBase64` all bulk strings come as base64. */
type Source = { readonly bytes: Buffer; readonly isBase64: boolean; at: number };

const LINE_END_BYTES = 2;
/** `txt:` before a verbatim string. */
const FORMAT_BYTES = 4;

/** The first reply of `bytes`, which is whole. O(its bytes). */
export function replyJson(bytes: Buffer, isBase64: boolean): Json {
  return readValue({ bytes, isBase64, at: 0 });
}

/** Bytes as JSON: a string where they are UTF-8. */
function bytesJson(bytes: Buffer, isBase64: boolean): Json {
  return isBase64 || !isUtf8(bytes) ? { base64: bytes.toString('base64') } : bytes.toString('utf8');
}

function readValue(source: Source): Json {
  const type = String.fromCharCode(source.bytes[source.at]);
  const line = readLine(source);
  switch (type) {
    case '+':
      return line;
    case '-':
      return { error: line };
    case ':':
    case ',':
      return numberJson(line);
    case '#':
      return line === 't';
    case '$':
      return line === '-1' ? null : bytesJson(readBlob(source, Number(line)), source.isBase64);
    case '=':
      return readBlob(source, Number(line)).toString('utf8', FORMAT_BYTES);
    case '!':
      return { error: readBlob(source, Number(line)).toString('utf8') };
    case '%':
      return readMap(source, Number(line));
    case '*':
    case '~':
    case '>':
      return line === '-1' ? null : Array.from({ length: Number(line) }, () => readValue(source));
    default:
      return null;
  }
}

function readLine(source: Source): string {
  const end = source.bytes.indexOf('\r', source.at);
  const line = source.bytes.toString('utf8', source.at + 1, end);
  source.at = end + LINE_END_BYTES;
  return line;
}

function readBlob(source: Source, length: number): Buffer {
  const blob = source.bytes.subarray(source.at, source.at + length);
  source.at += length + LINE_END_BYTES;
  return blob;
}

function readMap(source: Source, count: number): Json {
  const pairs: [Json, Json][] = [];
  // In this order: the key comes first.
  for (let index = 0; index < count; index += 1) pairs.push([readValue(source), readValue(source)]);
  return pairs.every(([key]) => typeof key === 'string') ? Object.fromEntries(pairs) : pairs;
}

function numberJson(text: string): Json {
  const value = Number(text);
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? value : text;
}
