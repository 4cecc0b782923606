/**
 * The numbers that clients are called by in CLIENT LIST ID and CLIENT KILL ID.
 *
 * Pure; runs on the thread of the command.
 */
import { parseInt64 } from '../base/decimal.ts';
import { integerOf } from './arguments.ts';
import type { Call } from './call.ts';

/** Argument `index` as an id, NaN when it is no int64. One beyond the safe integers is no client's, but valid. */
export function clientIdOf(call: Call, index: number): number {
  const id = integerOf(call, index);
  if (!Number.isNaN(id)) return id;
  return Number(parseInt64(call.input, call.spans[2 * index], call.spans[2 * index + 1]) ?? NaN);
}
