/** Times one case of the in-process benchmark: warm-up, several runs, their spread. */
import { type Spread, spreadOf } from './statistics.ts';

/** A named workload, which never changes its meaning. `adds`: what ours does that the plain thing would not. */
export type Case = {
  readonly name: string;
  readonly data: string;
  readonly adds: string;
  readonly create: () => Workload;
};

/** `before` runs ahead of every run and is not timed; `run` resolves to how many operations it did. */
export type Workload = {
  readonly before?: () => void;
  readonly run: () => number;
  readonly close?: () => Promise<void>;
};

export type Runs = { readonly warmUps: number; readonly runs: number };

const MS_PER_SECOND = 1000;

/** Operations per second. */
export async function measureCase(testCase: Case, { warmUps, runs }: Runs): Promise<Spread> {
  const { before, run, close } = testCase.create();
  const speeds: number[] = [];
  for (let index = -warmUps; index < runs; index += 1) {
    before?.();
    const startedMs = performance.now();
    const operations = run();
    const tookMs = performance.now() - startedMs;
    if (index >= 0) speeds.push((operations / tookMs) * MS_PER_SECOND);
  }
  await close?.();
  return spreadOf(speeds);
}
