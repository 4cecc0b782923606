/** The shortest part of a program that still shows a difference, as far as it can be found in bounded time. */
import type { Program, Unit } from './program.ts';
import { type Difference, type Pair, runProgram } from './run.ts';

/** Keys stand among the first words of a command. */
const PLACES_OF_KEYS = 5;

export type Shortened = { readonly program: Program; readonly difference: Difference };

/**
 * Leaves out ever smaller pieces while what is left still differs; ends after `msMax`. A difference that does not come again leaves the
 * program as it was.
 */
export async function shorten(
  pair: Pair,
  program: Program,
  difference: Difference,
  msMax: number,
): Promise<Shortened> {
  const endMs = performance.now() + msMax;
  let best: Shortened = {
    program: { ...program, units: program.units.slice(0, difference.unit + 1) },
    difference,
  };
  const few = await tryUnits(pair, best.program, unitsAbout(best));
  if (few !== undefined) best = few;
  for (let size = best.program.units.length >> 1; size >= 1; size >>= 1) {
    for (let start = 0; start < best.program.units.length; ) {
      if (performance.now() > endMs) return best;
      const shorter = await tryWithout(pair, best.program, start, size);
      if (shorter === undefined) start += size;
      else best = shorter;
    }
  }
  return best;
}

/** Those with an argument of the command that showed the difference, which the keys are among. */
function unitsAbout({ program: { units }, difference: { command } }: Shortened): readonly Unit[] {
  const words = new Set(command.slice(1).map(String));
  return units.filter((unit) =>
    unit.some((other) => other.slice(1, PLACES_OF_KEYS).some((word) => words.has(String(word)))),
  );
}

function tryWithout(
  pair: Pair,
  program: Program,
  start: number,
  size: number,
): Promise<Shortened | undefined> {
  return tryUnits(pair, program, [...program.units.slice(0, start), ...program.units.slice(start + size)]);
}

async function tryUnits(
  pair: Pair,
  program: Program,
  units: readonly Unit[],
): Promise<Shortened | undefined> {
  const difference = await runProgram(pair, { ...program, units });
  if (difference === undefined) return undefined;
  return { program: { ...program, units: units.slice(0, difference.unit + 1) }, difference };
}
