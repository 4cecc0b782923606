/**
 * Which program the benchmarks start as this server: what a user's start of this checkout runs, or with `--sources`, which every
 * benchmark takes, the sources as they are.
 */
import { fileURLToPath } from 'node:url';

export type OurProgram = { readonly file: string; readonly isSources: boolean };

const LAUNCHER = fileURLToPath(new URL('../../bin/distcache.mjs', import.meta.url));
const SOURCES = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

let isSources = false;

/** Takes `--sources` out of the flags of a benchmark, and has its servers run them from now on if it is there. */
export function takeSourcesFlag(args: readonly string[]): string[] {
  isSources = args.includes('--sources');
  return args.filter((arg) => arg !== '--sources');
}

export function ourProgram(): OurProgram {
  return { file: isSources ? SOURCES : LAUNCHER, isSources };
}
