/**
 * What clients of a cluster asked for and were told: the evidence by which a run with faults is judged.
 *
 * Each key is a list of numbers that one client appends to, 1, 2, 3 and so on, through any node; anyone reads it. So whatever was lost
 * stays visible, whatever came after it. A client whose append may or may not have happened lets that key be and takes a new one.
 */

/** `refused`: it is certain that nothing was done. `unknown`: it may have been done, or be done later. */
export type Ending = 'acknowledged' | 'refused' | 'unknown';

/** Times are milliseconds of the one clock of the process that watches. */
export type Append = {
  readonly key: string;
  readonly number: number;
  readonly startMs: number;
  /** When the reply was there, or the client gave up. */
  readonly endMs: number;
  readonly ending: Ending;
  /** When WAIT had told that a replica has it; Infinity where it was not asked or did not. */
  readonly safeMs: number;
  /** The node that executed it, where the client knows: without forwarding it is the one that answered. */
  readonly servedBy: string | undefined;
};

export type Reading = {
  readonly key: string;
  readonly numbers: readonly number[];
  readonly startMs: number;
  readonly endMs: number;
  readonly servedBy: string | undefined;
};

/** A key's slot has another owner. */
export type OwnerChange = {
  /** When it was heard of: never before it was so. */
  readonly atMs: number;
  readonly epoch: number;
  readonly from: string;
  readonly to: string;
  /** Whether the former owner had no say: what replicas had not got is lost. */
  readonly isFailover: boolean;
};

export type History = {
  readonly appends: readonly Append[];
  readonly readings: readonly Reading[];
  readonly changesOf: (key: string) => readonly OwnerChange[];
};

const DIGITS = 6;

/** What is appended for a number: six digits and a blank. */
export function numberText(number: number): string {
  return `${String(number).padStart(DIGITS, '0')} `;
}

/** The numbers of a value, undefined where it is no such list. */
export function numbersOf(value: string): number[] | undefined {
  const width = DIGITS + 1;
  if (value.length % width !== 0) return undefined;
  const numbers = Array.from({ length: value.length / width }, (_, i) =>
    Number(value.slice(i * width, (i + 1) * width)),
  );
  return numbers.every((number) => Number.isInteger(number) && number > 0) ? numbers : undefined;
}
