/** The results of `npm run bench:latency`: which rates there are, a table for each scenario, and rows of a result file. Pure. */
import type { LatencyRun, Rate, Scenario } from './latency-run.ts';
import { type Column, markdownTable, percentText, spreadText } from './markdown.ts';
import type { OpenLoopReport } from './open-loop.ts';
import type { Precedence } from './open-loop-process.ts';
import type { ResultRow } from './result.ts';
import { ratioText, type Spread, spreadOf } from './statistics.ts';

/** What one server was given, and all that it was measured at. */
export type ServerLatencies = {
  readonly server: string;
  readonly peakPerSecond: number;
  readonly rates: readonly Rate[];
  readonly runs: readonly LatencyRun[];
};

/** A rate that is the same for every server: half of the peak of redis-server. */
const COMMON_PERCENT = 50;
const COMMON_RATE = `${COMMON_PERCENT} % of redis-server's`;
const PER_SECOND_IN_THOUSAND = 1000;

const FIELDS = ['p50Ms', 'p99Ms', 'p999Ms', 'p9999Ms', 'maxMs', 'lateP50Ms', 'lateP999Ms'] as const;

/** What the extent of a scenario is called in its table and in the result file. */
const EXTENTS: Readonly<Record<Scenario, { heading: string; field: string } | undefined>> = {
  plain: undefined,
  'large values': { heading: 'values of 1 MiB/s', field: 'largeValuesPerSecond' },
  expiry: { heading: 'gone by the end', field: 'shareGone' },
  bgsave: { heading: 'time within snapshots', field: 'shareWithin' },
  growth: { heading: 'keys added', field: 'keysAdded' },
};

/** Shares of the server's own peak, and the rate that all have in common; for redis-server itself that is one of its own. */
export function ratesOf(
  percents: readonly number[],
  ownPeak: number,
  basePeak: number,
  isBase: boolean,
): Rate[] {
  const rateOf = (name: string, peak: number, percent: number): Rate => ({
    name,
    perSecond: Math.round((peak * percent) / 100),
  });
  const wanted = isBase && !percents.includes(COMMON_PERCENT) ? [...percents, COMMON_PERCENT] : percents;
  const own = wanted.map((percent) => rateOf(`${percent} %`, ownPeak, percent));
  return isBase ? own : [...own, rateOf(COMMON_RATE, basePeak, COMMON_PERCENT)];
}

/** A heading and a table of one scenario: rate by rate, the servers one below the other, redis-server first. */
export function scenarioText(scenario: Scenario, servers: readonly ServerLatencies[]): string {
  const extent = EXTENTS[scenario];
  const names = [...new Set(servers.flatMap(({ rates }) => rates.map(({ name }) => name)))];
  const cells = names.flatMap((name) =>
    servers.flatMap((server) => {
      const reports = reportsOf(server, scenario, name);
      return reports.length === 0 ? [] : [latencyCells(scenario, name, server, servers)];
    }),
  );
  const columns = extent === undefined ? COLUMNS : [...COLUMNS, right(extent.heading)];
  return `## ${scenario}\n\n${markdownTable(columns, cells)}\n`;
}

const COLUMNS: readonly Column[] = [
  { heading: 'of its peak', align: 'left' },
  { heading: 'server', align: 'left' },
  right('thousand/s'),
  right('p50 ms'),
  right('p99 ms'),
  right('p99.9 ms'),
  right('p99.99 ms'),
  right('max ms'),
  { heading: 'p99.9 to redis-server', align: 'left' },
  right('client late: p50 ms'),
  right('p99.9 ms'),
];

/** Flat: `rate` names the rate, `ratePerSecond` is it; `requests` of each run. */
export function latencyRows(
  scenario: Scenario,
  server: ServerLatencies,
  precedence: Precedence,
): ResultRow[] {
  const { rates, peakPerSecond } = server;
  return rates.flatMap(({ name, perSecond }) => {
    const runs = runsOf(server, scenario, name);
    if (runs.length === 0) return [];
    const reports = runs.map(({ report }) => report);
    const extent = EXTENTS[scenario];
    return {
      ...{
        set: scenario,
        server: server.server,
        rate: name,
        ratePerSecond: perSecond,
        peakPerSecond,
        precedence,
      },
      requests: reports[0].requests,
      ...Object.fromEntries(FIELDS.map((field) => [field, spreadIn(reports, field)])),
      ...(extent === undefined ? {} : { [extent.field]: spreadOf(runs.map((run) => run.extent)) }),
    };
  });
}

function latencyCells(
  scenario: Scenario,
  rate: string,
  server: ServerLatencies,
  [base]: readonly ServerLatencies[],
): string[] {
  const runs = runsOf(server, scenario, rate);
  const reports = runs.map(({ report }) => report);
  const p999 = spreadIn(reports, 'p999Ms');
  const baseReports = reportsOf(base, scenario, rate === COMMON_RATE ? `${COMMON_PERCENT} %` : rate);
  const ratio =
    server === base || baseReports.length === 0 ? '1' : ratioText(p999, spreadIn(baseReports, 'p999Ms'));
  const cells = [
    rate,
    server.server,
    (runs[0].rate.perSecond / PER_SECOND_IN_THOUSAND).toFixed(1),
    ...(['p50Ms', 'p99Ms', 'p999Ms', 'p9999Ms'] as const).map((field) =>
      spreadText(spreadIn(reports, field), 1, 3),
    ),
    spreadIn(reports, 'maxMs').max.toFixed(1),
    ratio,
    ...(['lateP50Ms', 'lateP999Ms'] as const).map((field) => spreadIn(reports, field).median.toFixed(3)),
  ];
  return EXTENTS[scenario] === undefined ? cells : [...cells, extentText(scenario, runs)];
}

function extentText(scenario: Scenario, runs: readonly LatencyRun[]): string {
  const { median } = spreadOf(runs.map(({ extent }) => extent));
  return scenario === 'expiry' || scenario === 'bgsave' ? percentText(median) : median.toFixed(0);
}

function runsOf({ runs }: ServerLatencies, scenario: Scenario, rate: string): LatencyRun[] {
  return runs.filter((run) => run.scenario === scenario && run.rate.name === rate);
}

function reportsOf(server: ServerLatencies, scenario: Scenario, rate: string): OpenLoopReport[] {
  return runsOf(server, scenario, rate).map(({ report }) => report);
}

function spreadIn(reports: readonly OpenLoopReport[], field: (typeof FIELDS)[number]): Spread {
  return spreadOf(reports.map((report) => report[field]));
}

function right(heading: string): Column {
  return { heading, align: 'right' };
}
