/**
 * The pictures that `npm run bench:report` makes: which rows of which benchmark go into each, and as what. Pure data but for
 * the small functions that take a row apart.
 */
import type { ResultRow } from './result.ts';
import type { Spread } from './statistics.ts';
import type { Figure } from './svg.ts';

/** One bar or mark. */
export type Point = {
  readonly panel: string;
  readonly category: string;
  readonly series: string;
  readonly value: Spread;
};

/** A picture that can be made of the rows of one benchmark, and its table. `name` is that of its file and of its block. */
export type FigureSpec = Omit<Figure, 'panels'> & {
  readonly name: string;
  /** The name of the result, which is that of the npm script. */
  readonly bench: string;
  /** The table in the README: ratios to redis-server, or the values. */
  readonly table: 'ratios' | 'values';
  readonly digits: number;
  /** What a row adds; nothing where it is none of the picture's. */
  readonly pointsOf: (row: ResultRow) => readonly Point[];
};

const PERCENT = 100;
const KIB = 1024;
const MIB = 1024 * 1024;
const PER_SECOND = 'requests a second; more is better';
const CPU = 'microseconds of processor time per request, all threads of the server; less is better';

/** What the sets of `npm run bench` change, as pictures. */
const THROUGHPUT: readonly FigureSpec[] = [
  matrix('pipeline', 'Throughput by pipeline depth', 'requests in a pipeline', 'lines', 'linear'),
  matrix('connections', 'Throughput by connections', 'connections', 'lines', 'linear'),
  matrix('values', 'Throughput by size of values', 'bytes of a value', 'lines', 'log'),
  matrix('mix', 'Throughput by mix', 'reads:writes', 'bars', 'linear'),
  matrix('keys', 'Throughput by how keys are drawn', 'keys', 'bars', 'linear'),
  matrix('workers', 'Throughput by workers', 'requests in a pipeline', 'bars', 'linear'),
  matrix('persistence', 'Throughput with a log', 'appendfsync', 'bars', 'linear'),
  {
    ...matrix('commands', 'Throughput of other commands', 'command', 'bars', 'linear'),
    axis: 'own',
    pointsOf: (row) =>
      row.set === 'commands'
        ? [point(`P=${row.setting}`, String(row.command), row.server, row.requestsPerSecond)]
        : [],
  },
  {
    ...matrix('pipeline', 'Processor time by pipeline depth', 'requests in a pipeline', 'lines', 'linear'),
    ...{ name: 'cpu-pipeline', valueLabel: CPU, digits: 2 },
    description: 'Processor time of the server per request by the number of requests in a pipeline.',
    pointsOf: (row) =>
      row.set === 'pipeline' ? [point(String(row.command), String(row.setting), row.server, row.cpuUs)] : [],
  },
];

const PERCENTILES = [
  ['p50', 'p50Ms'],
  ['p99', 'p99Ms'],
  ['p99.9', 'p999Ms'],
  ['p99.99', 'p9999Ms'],
  ['max', 'maxMs'],
] as const;

const LATENCY: readonly FigureSpec[] = [
  {
    ...{
      name: 'latency',
      bench: 'bench:latency',
      table: 'ratios',
      digits: 3,
      marks: 'lines',
      scale: 'log',
      axis: 'shared',
    },
    title: "Latency at half of redis-server's peak",
    valueLabel: 'milliseconds from when a request was due; less is better',
    categoryLabel: 'percentile',
    description: "Percentiles of latency of all servers at the same rate, half of redis-server's peak.",
    pointsOf: (row) =>
      isCommonRate(row)
        ? PERCENTILES.map(([category, field]) => point(row.set, category, row.server, row[field]))
        : [],
  },
  {
    ...{
      name: 'latency-rates',
      bench: 'bench:latency',
      table: 'ratios',
      digits: 3,
      marks: 'lines',
      scale: 'log',
      axis: 'shared',
    },
    title: 'Latency by load: p99.9',
    valueLabel: 'milliseconds from when a request was due; less is better',
    categoryLabel: "rate, as a share of the server's own peak",
    description: 'The 99.9th percentile of latency at shares of the peak of each server.',
    pointsOf: (row) =>
      /^\d+ %$/.test(String(row.rate)) ? [point(row.set, String(row.rate), row.server, row.p999Ms)] : [],
  },
];

const MEMORY: readonly FigureSpec[] = [
  {
    ...{
      name: 'memory',
      bench: 'bench:memory',
      table: 'ratios',
      digits: 1,
      marks: 'bars',
      scale: 'linear',
      axis: 'own',
    },
    title: 'Memory per key',
    valueLabel: "bytes per key all told, by the server's own account; less is better",
    categoryLabel: 'key',
    description: 'What a key costs with its value, by their lengths, with a TTL and without.',
    pointsOf: (row) => {
      if (row.set !== 'cost') return [];
      const key = `${row.keyBytes} bytes${row.ttl === 'with TTL' ? ', TTL' : ''}`;
      return [point(`values of ${row.valueBytes} bytes`, key, row.server, row.usedPerKeyBytes)];
    },
  },
  {
    ...{
      name: 'memory-churn',
      bench: 'bench:memory',
      table: 'values',
      digits: 1,
      marks: 'bars',
      scale: 'linear',
      axis: 'own',
    },
    title: 'What sizes that change leave usable',
    valueLabel: 'percent of the limit that hold keys and values of the phase; more is better',
    categoryLabel: 'values, one size after the other under random deletes',
    description: 'The share of the memory limit that holds what was written last, after sizes have changed.',
    pointsOf: (row) =>
      row.set === 'churn'
        ? [point('', `${row.valueBytes} bytes`, row.server, row.payloadShare, PERCENT)]
        : [],
  },
  {
    ...{
      name: 'memory-fragmentation',
      bench: 'bench:memory',
      table: 'values',
      digits: 2,
      marks: 'bars',
      scale: 'linear',
      axis: 'own',
    },
    title: 'RAM kept as keys come and go',
    valueLabel: 'bytes in RAM for each byte of keys and values; less is better',
    categoryLabel: 'one step after the other',
    description:
      'How much RAM is taken for each byte of keys and values after deletes and writes of other sizes.',
    pointsOf: (row) =>
      row.set === 'fragmentation' ? [point('', String(row.step), row.server, row.residentToPayload)] : [],
  },
];

const HITS: readonly FigureSpec[] = [
  hits('hits', 'limit', 'Hit ratio under equal limits'),
  hits('hits-resident', 'resident', 'Hit ratio in equal RAM'),
];

const CONNECTIONS: readonly FigureSpec[] = [
  {
    ...{
      name: 'storm',
      bench: 'bench:storm',
      table: 'values',
      digits: 1,
      marks: 'bars',
      scale: 'linear',
      axis: 'own',
    },
    title: 'Connections',
    valueLabel: 'more is better in the first, less in the others',
    categoryLabel: '',
    description: 'Short connections a second, the RAM of an idle connection, and what slow readers do.',
    pointsOf: stormPoints,
  },
];

const START: readonly FigureSpec[] = [
  {
    ...{
      name: 'start',
      bench: 'bench:start',
      table: 'values',
      digits: 0,
      marks: 'bars',
      scale: 'linear',
      axis: 'own',
    },
    title: 'From exec to the first answer',
    valueLabel: 'milliseconds; less is better',
    categoryLabel: 'what it starts from',
    description: 'How long a server takes until it answers, empty and with keys on disk.',
    pointsOf: (row) =>
      row.set === 'start' ? [point('', String(row.from), row.server, row.firstReplyMs)] : [],
  },
];

export const FIGURES: readonly FigureSpec[] = [
  ...THROUGHPUT,
  ...LATENCY,
  ...MEMORY,
  ...HITS,
  ...CONNECTIONS,
  ...START,
];

function matrix(
  set: string,
  title: string,
  categoryLabel: string,
  marks: Figure['marks'],
  scale: Figure['scale'],
): FigureSpec {
  return {
    ...{ name: `throughput-${set}`, bench: 'bench', table: 'ratios', digits: 0 },
    ...{ title, categoryLabel, marks, scale, axis: 'shared', valueLabel: PER_SECOND },
    description: `${title}, each server under the same load.`,
    pointsOf: (row) =>
      row.set === set
        ? [point(String(row.command), String(row.setting), row.server, row.requestsPerSecond)]
        : [],
  };
}

function hits(name: string, set: string, title: string): FigureSpec {
  return {
    ...{
      name,
      bench: 'bench:hits',
      table: 'values',
      digits: 1,
      marks: 'bars',
      scale: 'linear',
      axis: 'own',
      title,
    },
    valueLabel: 'percent of reads that hit; more is better',
    categoryLabel: 'workload',
    description: `${title}: the same reads, a write after each miss.`,
    pointsOf: (row) =>
      row.set === set ? [point('', String(row.workload), String(row.cache), row.hitRatio, PERCENT)] : [],
  };
}

function stormPoints(row: ResultRow): Point[] {
  const { set, server } = row;
  if (set === 'connects') return [point('short connections a second', '', server, row.connectsPerSecond)];
  if (set === 'idle') {
    const title = `${row.connections} idle connections: KiB of RAM each`;
    return [point(title, '', server, row.residentEachBytes, 1 / KIB)];
  }
  if (set !== 'slow') return [];
  return [
    point('slow readers: MiB of RAM at most', '', server, row.peakBytes, 1 / MIB),
    point('slow readers: p99 ms of another client', '', server, row.duringP99Ms),
  ];
}

/** For redis-server itself that is a share of its own peak. */
function isCommonRate({ rate, server }: ResultRow): boolean {
  return rate === "50 % of redis-server's" || (server === 'redis-server' && rate === '50 %');
}

function point(
  panel: string,
  category: string,
  series: string,
  value: ResultRow[string] | undefined,
  factor = 1,
): Point {
  if (typeof value !== 'object') throw new Error(`a row of ${series} has no spread for ${category}`);
  const { median, min, max } = value;
  return {
    panel,
    category,
    series,
    value: { median: factor * median, min: factor * min, max: factor * max },
  };
}
