/**
 * Reading a command's arguments: texts, words, numbers, with redis-server's error when they are wrong.
 *
 * Pure; runs on the thread of the command. Nothing here allocates but `argumentText`.
 */
import { equalsWord, spanText } from '../base/bytes.ts';
import { parseSafeInteger } from '../base/decimal.ts';
import { writeError } from '../resp/reply-writer.ts';
import type { Call } from './call.ts';

export const SYNTAX_ERROR = 'ERR syntax error';
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
export const NOT_A_FLOAT = 'ERR value is not a valid float';
export const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';
export const NO_SUCH_KEY = 'ERR no such key';
export const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";

/** Argument `index` as text, one character per byte. */
export function argumentText(call: Call, index: number): string {
  return spanText(call.input, call.spans[2 * index], call.spans[2 * index + 1]);
}

/** Argument `index` as C prints a string, in errors that quote it: up to a NUL. */
export function printedText(call: Call, index: number): string {
  const text = argumentText(call, index);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** Whether argument `index` is this word (given in upper case), in whatever case. */
export function isWord(call: Call, index: number, upperCaseWord: string): boolean {
  return equalsWord(call.input, call.spans[2 * index], call.spans[2 * index + 1], upperCaseWord);
}

/** The length of argument `index` in bytes. */
export function argumentBytes(call: Call, index: number): number {
  return call.spans[2 * index + 1] - call.spans[2 * index];
}

/** Argument `index` as an integer; NaN when it is none or no safe one. Writes nothing. */
export function integerOf(call: Call, index: number): number {
  return parseSafeInteger(call.input, call.spans[2 * index], call.spans[2 * index + 1]);
}

export function replySyntaxError(call: Call): void {
  writeError(call.reply, SYNTAX_ERROR);
}
