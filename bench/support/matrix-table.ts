/** The results of `npm run bench` as a table for each set, and as rows of a result file. Pure. */
import { type Column, markdownTable, spreadText } from './markdown.ts';
import type { Generator, Measurement } from './matrix-run.ts';
import { type Contest, readPercentOf, SETTING_HEADINGS, type SetName } from './matrix-sets.ts';
import type { ResultRow } from './result.ts';
import { ratioText } from './statistics.ts';

/** What a contest measured, and with which generator. */
export type Measured = {
  readonly contest: Contest;
  readonly generator: Generator;
  readonly measurements: readonly Measurement[];
};

const BASE_SERVER = 'redis-server';

/** A heading and a table of all contests of a set. */
export function setText(set: SetName, all: readonly Measured[]): string {
  const own = all.filter(({ contest }) => contest.set === set);
  const generators = [...new Set(own.map(({ generator }) => generator))].map((generator) =>
    generator === 'own' ? "the suite's own generator" : generator,
  );
  const cells = own.flatMap(({ contest, measurements }) =>
    measurements.map((measured) => matrixCells(contest, measured, measurements)),
  );
  return `## ${set}\n\nBy ${generators.join(' and ')}.\n\n${markdownTable(matrixColumns(set), cells)}\n`;
}

export function matrixColumns(set: SetName): Column[] {
  return [
    { heading: 'command', align: 'left' },
    { heading: SETTING_HEADINGS[set], align: 'right' },
    { heading: 'server', align: 'left' },
    { heading: 'thousand/s', align: 'right' },
    { heading: 'p50 ms', align: 'right' },
    { heading: 'p99 ms', align: 'right' },
    { heading: 'CPU us/op', align: 'right' },
    { heading: 'throughput to redis-server', align: 'left' },
    { heading: 'CPU to redis-server', align: 'left' },
    { heading: 'generator: CPU us/op', align: 'right' },
    { heading: 'busy', align: 'right' },
  ];
}

/** `all`: of the same contest, among which redis-server under the same load is. */
export function matrixCells(contest: Contest, row: Measurement, all: readonly Measurement[]): string[] {
  const base = all.find(({ load, server }) => load === row.load && server === BASE_SERVER);
  const isBase = base === undefined || base === row;
  const { command, setting, pipeline } = row.load;
  return [
    command,
    contest.set === 'values' ? `${setting}, P=${pipeline}` : setting,
    row.server,
    spreadText(row.requestsPerSecond, 1000, row.requestsPerSecond.median < 100_000 ? 1 : 0),
    row.p50Ms.median.toFixed(3),
    row.p99Ms.median.toFixed(3),
    spreadText(row.cpuUs, 1, 2),
    isBase ? '1' : ratioText(row.requestsPerSecond, base.requestsPerSecond),
    isBase ? '1' : ratioText(row.cpuUs, base.cpuUs),
    row.generatorCpuUs.median.toFixed(2),
    `${Math.round(100 * row.generatorBusyShare.median)} %`,
  ];
}

/** Flat, every set with the same fields. */
export function matrixRows({ contest, generator, measurements }: Measured): ResultRow[] {
  const { set, valueBytes, persistence } = contest;
  return measurements.map(({ load, server, ...measured }) => {
    const { command, setting, pipeline, connections, skew } = load;
    return {
      ...{ set, server, command, setting, pipeline, connections, valueBytes, skew },
      ...{ readPercent: readPercentOf(load), persistence, generator },
      ...measured,
    };
  });
}
