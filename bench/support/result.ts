/**
 * The one shape of `--json`: what every benchmark writes and `npm run bench:report` reads. Rows are flat, so that a table
 * or a plot takes any of their fields without knowing the benchmark. Pure but for the file.
 */
import type { Machine } from './machine.ts';
import { type Defaults, writeJson } from './options.ts';
import type { Spread } from './statistics.ts';

/** What stands in a field of a row: a name, a setting, one number, or what several rounds measured. */
type ResultValue = string | number | boolean | Spread;

/**
 * One thing that was measured. `set` is what kind of row it is (the rows of one set have the same fields and make one table
 * or plot), `server` who was measured; every other field is a setting or a measurement with its unit last in its name.
 */
export type ResultRow = Readonly<{ set: string; server: string } & { [field: string]: ResultValue }>;

/** `name` is that of the npm script, e.g. `bench:latency`. */
export type BenchResult = {
  readonly name: string;
  readonly machine: Machine;
  /** The flags that the run had. The paths among them are left out: they tell of the machine, not of the run. */
  readonly options: Defaults;
  readonly rows: readonly ResultRow[];
};

const PATH_OPTIONS = ['json', 'dir'];

/** Writes the result where `--json` says, if it does. */
export function writeResult(path: string, { name, machine, options, rows }: BenchResult): void {
  const kept = Object.entries(options).filter(([option]) => !PATH_OPTIONS.includes(option));
  writeJson(path, { name, machine, options: Object.fromEntries(kept), rows });
}
