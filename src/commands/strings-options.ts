/**
 * The options behind SET's and GETEX's arguments: which words go together, and the moment at which they let a key expire.
 *
 * Runs on the thread of the command. What was read last stands in one record per thread, so that nothing is allocated.
 * Source: Redis 7.0 `t_string.c`, `parseExtendedStringArgumentsOrReply` and `getExpireMillisecondsOrReply`.
 */
import { parseInt64 } from '../base/decimal.ts';
import { writeError } from '../resp/reply-writer.ts';
import { integerOf, isWord, NOT_AN_INTEGER, replySyntaxError } from './arguments.ts';
import type { Call } from './call.ts';

/** One bit for each word. */
export const OPTION_NX = 1;
export const OPTION_XX = 2;
export const OPTION_GET = 4;
export const OPTION_KEEPTTL = 8;
export const OPTION_PERSIST = 16;
const OPTION_EX = 32;
const OPTION_PX = 64;
const OPTION_EXAT = 128;
const OPTION_PXAT = 256;

/** The words that carry a time, and those of them that name a moment instead of a span. */
const TIMES = OPTION_EX | OPTION_PX | OPTION_EXAT | OPTION_PXAT;
export const OPTION_MOMENTS = OPTION_EXAT | OPTION_PXAT;
const SECONDS = OPTION_EX | OPTION_EXAT;

export const SET_WORDS = OPTION_NX | OPTION_XX | OPTION_GET | OPTION_KEEPTTL | TIMES;
export const GETEX_WORDS = OPTION_PERSIST | TIMES;

const MS_PER_SECOND = 1000;
const INT64_MAX = 2n ** 63n - 1n;

type OptionWord = { readonly word: string; readonly flag: number; readonly excludes: number };

/** The same word may come again; its last time counts. In the order of how often they are used. */
const WORDS: readonly OptionWord[] = [
  { word: 'EX', flag: OPTION_EX, excludes: OPTION_KEEPTTL | OPTION_PERSIST | (TIMES & ~OPTION_EX) },
  { word: 'PX', flag: OPTION_PX, excludes: OPTION_KEEPTTL | OPTION_PERSIST | (TIMES & ~OPTION_PX) },
  { word: 'NX', flag: OPTION_NX, excludes: OPTION_XX },
  { word: 'XX', flag: OPTION_XX, excludes: OPTION_NX },
  { word: 'GET', flag: OPTION_GET, excludes: 0 },
  { word: 'EXAT', flag: OPTION_EXAT, excludes: OPTION_KEEPTTL | OPTION_PERSIST | (TIMES & ~OPTION_EXAT) },
  { word: 'PXAT', flag: OPTION_PXAT, excludes: OPTION_KEEPTTL | OPTION_PERSIST | (TIMES & ~OPTION_PXAT) },
  { word: 'KEEPTTL', flag: OPTION_KEEPTTL, excludes: OPTION_PERSIST | TIMES },
  { word: 'PERSIST', flag: OPTION_PERSIST, excludes: OPTION_KEEPTTL | TIMES },
];

/** `flags`: the bits of the words. `timeIndex`: the argument that holds the time, 0 without one. */
export const stringOptions = { flags: 0, timeIndex: 0 };

/**
 * Reads all arguments from `first` on into `stringOptions`. `allowed` are the bits of the command's words. Answers
 * with a syntax error and returns false for anything else, or words that exclude each other.
 */
export function readStringOptions(call: Call, first: number, allowed: number): boolean {
  stringOptions.flags = 0;
  stringOptions.timeIndex = 0;
  for (let index = first; index < call.count; index += 1) {
    const option = wordAt(call, index);
    if (
      option === undefined ||
      (option.flag & allowed) === 0 ||
      (option.excludes & stringOptions.flags) !== 0
    ) {
      replySyntaxError(call);
      return false;
    }
    stringOptions.flags |= option.flag;
    if ((option.flag & TIMES) === 0) continue;
    index += 1;
    if (index === call.count) {
      replySyntaxError(call);
      return false;
    }
    stringOptions.timeIndex = index;
  }
  return true;
}

/**
 * The moment (ms since the epoch, above 0) that the options in `stringOptions` name; 0 when they name none; NaN when the
 * time is no integer or out of range, and then that is answered.
 */
export function readOptionDeadline(call: Call): number {
  const { flags, timeIndex } = stringOptions;
  if (timeIndex === 0) return 0;
  const unitMs = (flags & SECONDS) !== 0 ? MS_PER_SECOND : 1;
  return readDeadlineArgument(call, timeIndex, unitMs, (flags & OPTION_MOMENTS) !== 0 ? 0 : call.nowMs);
}

/** The moment that argument `index` names, counted in `unitMs` from `baseMs`; NaN as above. Huge ones are rounded. */
export function readDeadlineArgument(call: Call, index: number, unitMs: number, baseMs: number): number {
  const value = integerOf(call, index);
  if (value > 0) return value * unitMs + baseMs;
  if (Number.isNaN(value)) return readHugeDeadline(call, index, unitMs, baseMs);
  return refuseDeadline(call);
}

/** An int64 beyond the safe integers: it may be milliseconds, and overflows with the rest. */
function readHugeDeadline(call: Call, index: number, unitMs: number, baseMs: number): number {
  const value = parseInt64(call.input, call.spans[2 * index], call.spans[2 * index + 1]);
  if (value === undefined) {
    writeError(call.reply, NOT_AN_INTEGER);
    return Number.NaN;
  }
  const deadlineMs = value * BigInt(unitMs) + BigInt(baseMs);
  return value <= 0n || deadlineMs > INT64_MAX ? refuseDeadline(call) : Number(deadlineMs);
}

function refuseDeadline(call: Call): number {
  writeError(call.reply, `ERR invalid expire time in '${call.command.spec.name}' command`);
  return Number.NaN;
}

function wordAt(call: Call, index: number): OptionWord | undefined {
  for (let at = 0; at < WORDS.length; at += 1) {
    if (isWord(call, index, WORDS[at].word)) return WORDS[at];
  }
  return undefined;
}
