/**
 * What the commands on fields that expire have in common: a time, and `FIELDS count field ...`.
 *
 * Runs on the thread of the command. Nothing here allocates but for numbers beyond the safe integers. Source of the rules: Redis 8.0
 * `t_hash.c`.
 */
import { parseInt64 } from '../base/decimal.ts';
import { writeError } from '../resp/reply-writer.ts';
import { integerOf, isWord, NOT_AN_INTEGER } from './arguments.ts';
import type { Call } from './call.ts';

export const MS_PER_SECOND = 1000;

/** The year 4199: field deadlines have 46 bits for redis-server. */
const DEADLINE_MS_MAX = 2 ** 46 - 1;

/** Argument `index`, so many units from `baseMs` on, as milliseconds since the epoch; NaN after answering what is wrong with it. */
export function readDeadlineMs(call: Call, index: number, unitMs: number, baseMs: number): number {
  const { input, spans, reply, command } = call;
  const exact = integerOf(call, index);
  const far = Number.isNaN(exact) ? parseInt64(input, spans[2 * index], spans[2 * index + 1]) : 0n;
  const value = Number.isNaN(exact) ? Number(far) : exact;
  const deadlineMs = value * unitMs + baseMs;
  if (far === undefined) writeError(reply, NOT_AN_INTEGER);
  else if (value < 0) writeError(reply, 'ERR invalid expire time, must be >= 0');
  else if (deadlineMs > DEADLINE_MS_MAX)
    writeError(reply, `ERR invalid expire time in '${command.spec.name}' command`);
  else return deadlineMs;
  return Number.NaN;
}

/**
 * The first field of `FIELDS count field ...`, which begins at argument `at` and is the command's rest; less than 0 after answering what is
 * wrong with it, for a count that is none with `refusal`.
 */
export function readFields(call: Call, at: number, refusal: string): number {
  const { count, reply } = call;
  const first = at + 2;
  if (at >= count || !isWord(call, at, 'FIELDS')) {
    writeError(reply, 'ERR Mandatory argument FIELDS is missing or not at the right position');
    return -1;
  }
  const fields = first <= count ? readNumber(call, at + 1) : 0;
  if (fields >= 1 && fields === count - first) return first;
  writeError(
    reply,
    fields >= 1 ? 'ERR The `numfields` parameter must match the number of arguments' : `ERR ${refusal}`,
  );
  return -1;
}

/** Argument `index` as an integer, rounded beyond the safe ones; NaN where it is none. */
export function readNumber(call: Call, index: number): number {
  const exact = integerOf(call, index);
  if (!Number.isNaN(exact)) return exact;
  const far = parseInt64(call.input, call.spans[2 * index], call.spans[2 * index + 1]);
  return far === undefined ? Number.NaN : Number(far);
}
