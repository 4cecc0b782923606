/**
 * Lines of a configuration file as arguments, and arguments as text for such a line: the quoting of redis-server
 * (sdssplitargs and sdscatrepr). Pure; any thread.
 */
import { Buffer } from 'node:buffer';

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };
const BLANK_PATTERN = /[\s\0]/;
const HEX_ESCAPE_PATTERN = /^\\x[0-9a-f]{2}/i;
const HEX_ESCAPE_CHARACTERS = 4;

/** One argument that was read, and where the reading goes on. */
type Read = { argument: string; next: number };

/** The arguments of a line; undefined where quotes do not close, or close in the middle of a word. */
export function splitArguments(line: string): string[] | undefined {
  // Escapes such as \xc3 stand for bytes, so the line is read as bytes and becomes text again argument by argument.
  const bytes = textToBytes(line);
  const found: string[] = [];
  let at = 0;
  for (;;) {
    while (at < bytes.length && BLANK_PATTERN.test(bytes[at])) at++;
    if (at >= bytes.length) return found;
    const read = readArgument(bytes, at);
    if (read === undefined) return undefined;
    found.push(bytesToText(read.argument));
    at = read.next;
  }
}

/** The argument in double quotes, every byte that is not printable ASCII escaped. */
export function quoteArgument(text: string): string {
  return quoteBytes(Buffer.from(text, 'utf8'));
}

/** Bytes in double quotes, as redis-cli shows them. */
export function quoteBytes(bytes: Uint8Array): string {
  let quoted = '"';
  for (const byte of bytes) quoted += quotedByte(byte);
  return `${quoted}"`;
}

/** A text of one character per byte, as UTF-8; and the other way round. */
export function bytesToText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

export function textToBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function readArgument(bytes: string, start: number): Read | undefined {
  let argument = '';
  let at = start;
  while (at < bytes.length && !BLANK_PATTERN.test(bytes[at])) {
    const character = bytes[at];
    if (character !== '"' && character !== "'") {
      argument += character;
      at++;
      continue;
    }
    const quoted = character === '"' ? readDoubleQuoted(bytes, at + 1) : readSingleQuoted(bytes, at + 1);
    if (quoted === undefined) return undefined;
    // A closing quote ends the argument.
    if (quoted.next < bytes.length && !BLANK_PATTERN.test(bytes[quoted.next])) return undefined;
    return { argument: argument + quoted.argument, next: quoted.next };
  }
  return { argument, next: at };
}

function readDoubleQuoted(bytes: string, start: number): Read | undefined {
  let argument = '';
  let at = start;
  while (at < bytes.length && bytes[at] !== '"') {
    if (HEX_ESCAPE_PATTERN.test(bytes.slice(at, at + HEX_ESCAPE_CHARACTERS))) {
      argument += String.fromCharCode(Number.parseInt(bytes.slice(at + 2, at + HEX_ESCAPE_CHARACTERS), 16));
      at += HEX_ESCAPE_CHARACTERS;
    } else if (bytes[at] === '\\' && at + 1 < bytes.length) {
      argument += ESCAPES[bytes[at + 1]] ?? bytes[at + 1];
      at += 2;
    } else {
      argument += bytes[at];
      at++;
    }
  }
  return at < bytes.length ? { argument, next: at + 1 } : undefined;
}

function readSingleQuoted(bytes: string, start: number): Read | undefined {
  let argument = '';
  let at = start;
  while (at < bytes.length && bytes[at] !== "'") {
    if (bytes[at] === '\\' && bytes[at + 1] === "'") at++;
    argument += bytes[at];
    at++;
  }
  return at < bytes.length ? { argument, next: at + 1 } : undefined;
}

function quotedByte(byte: number): string {
  const character = String.fromCharCode(byte);
  if (character === '"' || character === '\\') return `\\${character}`;
  for (const letter of Object.keys(ESCAPES)) if (ESCAPES[letter] === character) return `\\${letter}`;
  const printable = byte >= 0x20 && byte < 0x7f;
  return printable ? character : `\\x${byte.toString(16).padStart(2, '0')}`;
}
