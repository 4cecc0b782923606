/**
 * Places in collections, and counts, as arguments spell them.
 *
 * Runs on the thread of the command. Nothing here allocates but for numbers beyond the safe integers.
 */
import { parseInt64 } from '../base/decimal.ts';
import { writeError } from '../resp/reply-writer.ts';
import { integerOf, isWord, NOT_AN_INTEGER, replySyntaxError } from './arguments.ts';
import type { Call } from './call.ts';

/** Argument `index` as a place, rounded beyond the safe integers; NaN after answering that it is no integer. */
export function readPlace(call: Call, index: number): number {
  const exact = integerOf(call, index);
  if (!Number.isNaN(exact)) return exact;
  const { input, spans, reply } = call;
  const far = parseInt64(input, spans[2 * index], spans[2 * index + 1]);
  if (far === undefined) writeError(reply, NOT_AN_INTEGER);
  return far === undefined ? Number.NaN : Number(far);
}

/** Argument `index` as a number from `least` on; NaN after answering with `refusal` what is less or no integer. */
export function readAtLeast(call: Call, index: number, least: number, refusal: string): number {
  const exact = integerOf(call, index);
  if (exact >= least) return exact;
  const { input, spans, reply } = call;
  const far = Number.isNaN(exact) ? parseInt64(input, spans[2 * index], spans[2 * index + 1]) : undefined;
  if (far !== undefined && far > 0n) return Number(far);
  writeError(reply, refusal);
  return Number.NaN;
}

export const LEFT = 1;
export const RIGHT = 2;

/** LEFT or RIGHT, as argument `index` says; 0 after answering that it says neither. */
export function readSide(call: Call, index: number): number {
  if (isWord(call, index, 'LEFT')) return LEFT;
  if (isWord(call, index, 'RIGHT')) return RIGHT;
  replySyntaxError(call);
  return 0;
}
