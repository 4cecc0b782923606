/**
 * The edge of every benchmark: flags in, exit codes out. 0 done, 1 failed, 64 a bad flag, 69 something that the machine
 * lacks (sysexits.h).
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { takeSourcesFlag } from './our-program.ts';

/** A flag that takes a number or a text, or none where its default is a boolean. */
export type Defaults = Readonly<Record<string, number | string | boolean>>;

export type Options<Known extends Defaults> = {
  [Name in keyof Known]: Known[Name] extends number ? number : Known[Name] extends string ? string : boolean;
};

/** A flag that is unknown or has a bad value. */
export class BadFlag extends Error {}

/** A program that the benchmark needs and that is not installed. */
export class MissingProgram extends Error {
  constructor(program: string) {
    super(
      `${program} is not on the PATH: install it (Debian: redis-server, redis-tools, strace) to run this benchmark`,
    );
  }
}

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;
const EXIT_UNAVAILABLE = 69;

/** Runs a benchmark as a program: trouble becomes one line on stderr and the exit code. */
export async function runBenchmark<Known extends Defaults>(
  defaults: Known,
  body: (options: Options<Known>) => Promise<void>,
): Promise<void> {
  // A signal alone would leave the servers behind: they are stopped when this process exits.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(EXIT_FAILED));
  try {
    if (process.platform !== 'linux') throw new MissingProgram('/proc (Linux)');
    await body(parseOptions(takeSourcesFlag(process.argv.slice(2)), defaults));
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

/** Flags over defaults; a number must be one, and positive. Throws BadFlag. */
export function parseOptions<Known extends Defaults>(
  args: readonly string[],
  defaults: Known,
): Options<Known> {
  const flags = Object.keys(defaults).map(
    (name) => [name, { type: typeof defaults[name] === 'boolean' ? 'boolean' : 'string' }] as const,
  );
  const values = parseFlags(args, Object.fromEntries(flags));
  const read = (name: string): number | string | boolean => {
    const value = values[name];
    if (value === undefined) return defaults[name];
    return typeof defaults[name] === 'number' ? positiveNumber(name, value) : value;
  };
  return Object.fromEntries(Object.keys(defaults).map((name) => [name, read(name)])) as Options<Known>;
}

/** A list of positive integers such as `1,16,64`. Throws BadFlag. */
export function parseNumberList(name: string, text: string): number[] {
  return text.split(',').map((item) => positiveNumber(name, item));
}

/** A list of some of the `known` names, such as `cost,churn`, each once; all of them for an empty text. Throws BadFlag. */
export function parseNameList<Name extends string>(
  flag: string,
  text: string,
  known: readonly Name[],
): Name[] {
  if (text === '') return [...known];
  const wanted = text.split(',').map((item) => item.trim());
  const stranger = wanted.find((item) => !known.some((name) => name === item));
  if (stranger !== undefined)
    throw new BadFlag(`--${flag} ${stranger}: one of ${known.join(', ')} is wanted`);
  return known.filter((name) => wanted.includes(name));
}

/** Writes the results where `--json` says, if it does. */
export function writeJson(path: string, results: unknown): void {
  if (path !== '') writeFileSync(path, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** What is under way, on stderr, so that stdout holds the results alone. */
export function tellProgress(text: string): void {
  process.stderr.write(`# ${text}\n`);
}

function parseFlags(args: readonly string[], options: Record<string, { type: 'boolean' | 'string' }>) {
  try {
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    throw new BadFlag((error as Error).message);
  }
}

function positiveNumber(name: string, value: string | boolean): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number <= 0)
    throw new BadFlag(`--${name} ${value}: a positive integer is wanted`);
  return number;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof BadFlag) return EXIT_USAGE;
  return error instanceof MissingProgram ? EXIT_UNAVAILABLE : EXIT_FAILED;
}
