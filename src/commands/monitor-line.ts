/**
 * One command as a line of MONITOR: when, for which database, by whom, and its arguments in quotes.
 *
 * Pure; runs on the thread of the command. Source: Redis 7.0, `replicationFeedMonitors` and `sdscatrepr`.
 */
import { Buffer } from 'node:buffer';
import { MONITOR_LINE_BYTES_MAX } from '../config/limits.ts';
import { ensureRoom, type ReplyWriter, writeRaw } from '../resp/reply-writer.ts';
import type { Call } from './call.ts';
import { isSecretArgument, REDACTED } from './redaction.ts';
import type { Session } from './session.ts';

const MICROSECONDS_PER_SECOND = 1e6;
const FRACTION_DIGITS = 6;

const SPACE = 32;
const QUOTE = 34;
const BACKSLASH = 92;
const FIRST_PRINTABLE = 32;
const LAST_PRINTABLE = 126;
const LOWER_X = 120;
const HEX_DIGITS = Buffer.from('0123456789abcdef');

/** The letters behind a backslash of the bytes that have one: bell, backspace, tab, line feed, carriage return. */
const LETTERS: Readonly<Record<number, number>> = { 7: 97, 8: 98, 9: 116, 10: 110, 13: 114 };

const ESCAPED_BYTES_MAX = 4;
const PIECE_BYTES = 16 * 1024;
/** A blank and two quotes. */
const FRAME_BYTES = 3;
const LINE_END = Buffer.from('\r\n');
const UTF8_BYTES_MAX = 4;

/**
 * Appends the line of the command that was executed, `microseconds` after the epoch. Secrets are not shown. Of what makes
 * a line longer than MONITOR_LINE_BYTES_MAX, only the length is told.
 */
export function writeMonitorLine(lines: ReplyWriter, call: Call, microseconds: number): void {
  const { input, spans, count, session } = call;
  const start = lines.length;
  writeText(lines, `+${timeText(microseconds)} [${session.database} ${addressOf(session)}]`);
  for (let index = 0; index < count; index += 1) {
    if (lines.length - start >= MONITOR_LINE_BYTES_MAX) {
      writeText(lines, ` ... (${count - index} more arguments)`);
      break;
    }
    if (isSecretArgument(call, index)) writeText(lines, ` "${REDACTED}"`);
    // A request of HTTP, which calls no command by its name.
    else if (index === 0 && spans[1] === spans[0]) writeText(lines, ` "${call.command.spec.name}"`);
    else writeQuoted(lines, input, spans[2 * index], spans[2 * index + 1], start + MONITOR_LINE_BYTES_MAX);
  }
  writeRaw(lines, LINE_END);
}

/** As redis-server: the path of a unix socket without a number of a port. */
function addressOf({ address, isUnixSocket }: Session): string {
  return isUnixSocket ? `unix:${address.slice(0, address.lastIndexOf(':'))}` : address;
}

function timeText(microseconds: number): string {
  const fraction = microseconds % MICROSECONDS_PER_SECOND;
  const seconds = (microseconds - fraction) / MICROSECONDS_PER_SECOND;
  return `${seconds}.${String(fraction).padStart(FRACTION_DIGITS, '0')}`;
}

/** A blank and the argument `bytes[start, end)` in quotes, cut where the writer would pass `lengthMax`. */
function writeQuoted(lines: ReplyWriter, bytes: Buffer, start: number, end: number, lengthMax: number): void {
  ensureRoom(lines, FRAME_BYTES);
  lines.bytes[lines.length] = SPACE;
  lines.bytes[lines.length + 1] = QUOTE;
  lines.length += 2;
  let at = start;
  while (at < end && lines.length < lengthMax) {
    const pieceEnd = Math.min(end, at + PIECE_BYTES);
    escapePiece(lines, bytes, at, pieceEnd);
    at = pieceEnd;
  }
  if (at < end) writeText(lines, `... (${end - at} more bytes)`);
  ensureRoom(lines, 1);
  lines.bytes[lines.length] = QUOTE;
  lines.length += 1;
}

function escapePiece(lines: ReplyWriter, bytes: Buffer, start: number, end: number): void {
  ensureRoom(lines, ESCAPED_BYTES_MAX * (end - start));
  const target = lines.bytes;
  let to = lines.length;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at];
    const isPlain = byte >= FIRST_PRINTABLE && byte <= LAST_PRINTABLE;
    if (isPlain && byte !== QUOTE && byte !== BACKSLASH) {
      target[to] = byte;
      to += 1;
      continue;
    }
    target[to] = BACKSLASH;
    const letter = isPlain ? byte : LETTERS[byte];
    if (letter === undefined) {
      target[to + 1] = LOWER_X;
      target[to + 2] = HEX_DIGITS[byte >> 4];
      target[to + 3] = HEX_DIGITS[byte & 15];
      to += ESCAPED_BYTES_MAX;
    } else {
      target[to + 1] = letter;
      to += 2;
    }
  }
  lines.length = to;
}

/** In UTF-8, for the path of a unix socket may be any text. */
function writeText(lines: ReplyWriter, text: string): void {
  ensureRoom(lines, UTF8_BYTES_MAX * text.length);
  lines.length += lines.bytes.write(text, lines.length, 'utf8');
}
