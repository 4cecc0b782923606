/**
 * Texts that a client gives itself: its name, its library's name and version.
 *
 * Pure; runs on the thread of the command.
 */
import { CLIENT_TEXT_BYTES_MAX } from '../config/limits.ts';
import { writeError } from '../resp/reply-writer.ts';
import { argumentBytes } from './arguments.ts';
import type { Call } from './call.ts';

const FIRST_PRINTABLE = 33;
const LAST_PRINTABLE = 126;

const TOO_LONG = `ERR a client's name, and what it says of its library, have at most ${CLIENT_TEXT_BYTES_MAX} bytes`;

/** Whether argument `index` is empty or printable ASCII without spaces; such a text keeps CLIENT LIST readable. */
export function isPlainText(call: Call, index: number): boolean {
  for (let at = call.spans[2 * index]; at < call.spans[2 * index + 1]; at += 1) {
    const byte = call.input[at];
    if (byte < FIRST_PRINTABLE || byte > LAST_PRINTABLE) return false;
  }
  return true;
}

/** Whether argument `index` is longer than what a client may say of itself; answers if so. */
export function isTooLongText(call: Call, index: number): boolean {
  if (argumentBytes(call, index) <= CLIENT_TEXT_BYTES_MAX) return false;
  writeError(call.reply, TOO_LONG);
  return true;
}

/** Whether argument `index` may be a client's name; answers with Redis's error if not. */
export function isClientName(call: Call, index: number): boolean {
  if (isTooLongText(call, index)) return false;
  if (isPlainText(call, index)) return true;
  writeError(call.reply, 'ERR Client names cannot contain spaces, newlines or special characters.');
  return false;
}
