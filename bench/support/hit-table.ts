/** Hit ratios as rows of results and as tables: a line for each cache, a column for each workload. Pure. */
import type { Contender } from './cache-contenders.ts';
import { type Column, mebibytes } from './markdown.ts';
import type { ResultRow } from './result.ts';
import { type Spread, spreadOf } from './statistics.ts';

/** What one cache did with one seed's reads. */
export type HitRun = {
  readonly hitRatio: number;
  readonly keys: number;
  /** What its memory in RAM grew by. */
  readonly residentBytes: number;
  readonly refusedWrites: number;
};

/** Fields `seed0`, `seed1`, ... hold the hit ratios one by one, for comparisons under the same reads. */
const SEED_FIELD = 'seed';
const BASE_SERVER = 'redis-server';
const PERCENT = 100;

export function hitRowOf(
  set: string,
  workload: string,
  { name, server, policy }: Pick<Contender, 'name' | 'server' | 'policy'>,
  limitBytes: number,
  runs: readonly HitRun[],
): ResultRow {
  const ratios = runs.map(({ hitRatio }) => hitRatio);
  return {
    set,
    server,
    cache: name,
    policy,
    workload,
    limitBytes: Math.round(limitBytes),
    hitRatio: spreadOf(ratios),
    keys: spreadOf(runs.map(({ keys }) => keys)),
    residentBytes: spreadOf(runs.map(({ residentBytes }) => residentBytes)),
    refusedWrites: runs.reduce((sum, { refusedWrites }) => sum + refusedWrites, 0),
    ...Object.fromEntries(ratios.map((ratio, index) => [`${SEED_FIELD}${index}`, ratio])),
  };
}

export function hitColumns(workloads: readonly string[]): Column[] {
  return [
    { heading: 'cache', align: 'left' },
    ...workloads.map((workload): Column => ({ heading: workload, align: 'right' })),
    { heading: 'RAM grown by', align: 'right' },
  ];
}

/** Percent with the spread, and the RAM from the first to the last workload's least and largest. */
export function hitTableRows(rows: readonly ResultRow[], workloads: readonly string[]): string[][] {
  return cachesOf(rows).map((cache) => {
    const own = rows.filter((row) => row.cache === cache);
    const grown = own.flatMap(({ residentBytes }) => [
      (residentBytes as Spread).min,
      (residentBytes as Spread).max,
    ]);
    const [least, largest] = [Math.min(...grown), Math.max(...grown)].map(mebibytes);
    const cells = workloads.map((workload) => {
      const row = own.find((candidate) => candidate.workload === workload);
      return row === undefined ? '-' : ratioCell(row);
    });
    return [cache, ...cells, `${least} to ${largest}`];
  });
}

export function bestColumns(workloads: readonly string[]): Column[] {
  return [
    { heading: 'cache', align: 'left' },
    ...workloads.map((workload): Column => ({ heading: workload, align: 'right' })),
  ];
}

/** Each cache but redis-server's, seed by seed against whichever of redis-server's has the best median on the workload. */
export function bestRows(rows: readonly ResultRow[], workloads: readonly string[]): string[][] {
  const others = cachesOf(rows.filter(({ server }) => server !== BASE_SERVER));
  return others.map((cache) => [
    cache,
    ...workloads.map((workload) => {
      const ofWorkload = rows.filter((row) => row.workload === workload);
      const best = bestOf(ofWorkload.filter(({ server }) => server === BASE_SERVER));
      const own = ofWorkload.find((row) => row.cache === cache);
      return best === undefined || own === undefined ? '-' : pointsCell(seedRatios(own), seedRatios(best));
    }),
  ]);
}

function cachesOf(rows: readonly ResultRow[]): string[] {
  return [...new Set(rows.map(({ cache }) => String(cache)))];
}

function bestOf(rows: readonly ResultRow[]): ResultRow | undefined {
  return rows.toSorted((a, b) => (b.hitRatio as Spread).median - (a.hitRatio as Spread).median)[0];
}

function seedRatios(row: ResultRow): number[] {
  return Object.keys(row)
    .filter((field) => /^seed\d+$/.test(field))
    .map((field) => Number(row[field]));
}

function ratioCell(row: ResultRow): string {
  const { median, min, max } = row.hitRatio as Spread;
  const [middle, low, high] = [median, min, max].map((ratio) => (PERCENT * ratio).toFixed(2));
  const refused = Number(row.refusedWrites) > 0 ? `, ${row.refusedWrites} writes refused` : '';
  return `${low === high ? middle : `${middle} (${low}-${high})`}${refused}`;
}

function pointsCell(own: readonly number[], base: readonly number[]): string {
  const { median, min, max } = spreadOf(own.map((ratio, index) => PERCENT * (ratio - base[index])));
  const [middle, low, high] = [median, min, max].map(
    (points) => `${points < 0 ? '' : '+'}${points.toFixed(2)}`,
  );
  const note = min <= 0 && max >= 0 ? ', not distinguishable' : '';
  return `${low === high ? middle : `${middle} (${low} to ${high})`}${note}`;
}
