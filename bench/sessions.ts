/**
 * `npm run bench:sessions`: what sessions cost beside redis-server, one kind of them after the other. `--only exec` measures the kinds that
 * are named. The servers run one after the other, round by round (A B A B), without persistence and else at their defaults.
 *
 *   tls    GET and SET over TLS at P=1 and P=16, by redis-benchmark, 50 connections that show no certificates
 *   exec   transactions of five commands (two SETs, three GETs of 64-byte values over 100,000 keys), 50 connections
 *   publish  one publisher, 1, 100 and 1000 subscribers, 64-byte messages, one and 16 at a time; the next when all have the last
 */
import { type ExecRow, measureExec } from './support/exec-load.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable, spreadText } from './support/markdown.ts';
import { type Options, parseNameList, runBenchmark, writeJson } from './support/options.ts';
import { ourPeer, redisPeer } from './support/peers.ts';
import { measurePublish, type PublishRow } from './support/publish-load.ts';
import { ratioText } from './support/statistics.ts';
import { measureTls, type TlsRow } from './support/tls-load.ts';

const DEFAULTS = { only: '', rounds: 3, seconds: 4, clients: 50, pipeline: 16, quick: false, json: '' };
const QUICK_SECONDS = 0.5;
const SUBSCRIBERS = [1, 100, 1000];
const PUBLISH_PIPELINES = [1, 16];

/** Of each connection, and command that it has on its way. */
const TLS_REQUESTS = 4_000;
const TLS_QUICK_REQUESTS = 400;
const TLS_PIPELINES = [1, 16];

type SessionsOptions = Options<typeof DEFAULTS>;

/** The rows of one kind, as cells and as numbers. */
type Section = {
  readonly columns: readonly Column[];
  readonly cells: readonly string[][];
  readonly rows: readonly object[];
};

const SECTIONS = { exec: execSection, publish: publishSection, tls: tlsSection } as const satisfies Record<
  string,
  (options: SessionsOptions) => Promise<Section>
>;

await runBenchmark(DEFAULTS, main);

async function main(options: SessionsOptions): Promise<void> {
  const names = parseNameList('only', options.only, Object.keys(SECTIONS) as (keyof typeof SECTIONS)[]);
  const machine = describeMachine([redisPeer(), ourPeer()].map(({ version }) => version));
  process.stdout.write(machineText(machine));
  const results: Record<string, readonly object[]> = {};
  for (const name of names) {
    const { columns, cells, rows } = await SECTIONS[name](options);
    process.stdout.write(`\n${markdownTable(columns, cells)}`);
    results[name] = rows;
  }
  process.stdout.write(`\nMedian (least-largest) of ${options.rounds} rounds.\n`);
  writeJson(options.json, { machine, options, ...results });
}

async function execSection({ clients, pipeline, rounds, seconds, quick }: SessionsOptions): Promise<Section> {
  const load = { connections: clients, pipeline, rounds, seconds: quick ? QUICK_SECONDS : seconds };
  const rows = await measureExec([redisPeer(), ourPeer()], load);
  const columns: Column[] = [
    { heading: 'EXEC of 5', align: 'left' },
    { heading: 'P', align: 'right' },
    { heading: 'thousand transactions/s', align: 'right' },
    { heading: 'p50 ms', align: 'right' },
    { heading: 'p99 ms', align: 'right' },
    { heading: 'CPU us each', align: 'right' },
    { heading: 'to redis-server', align: 'left' },
  ];
  const [base] = rows;
  return { columns, rows, cells: rows.map((row) => execCells(row, base, pipeline)) };
}

function execCells(row: ExecRow, base: ExecRow, pipeline: number): string[] {
  return [
    row.server,
    String(pipeline),
    spreadText(row.perSecond, 1000, 1),
    row.p50Ms.median.toFixed(2),
    row.p99Ms.median.toFixed(2),
    spreadText(row.cpuUs, 1, 2),
    row === base ? '1' : ratioText(row.perSecond, base.perSecond),
  ];
}

async function tlsSection({ clients, rounds, quick }: SessionsOptions): Promise<Section> {
  const requests = quick ? TLS_QUICK_REQUESTS : TLS_REQUESTS;
  const rows = await measureTls({ connections: clients, pipelines: TLS_PIPELINES, requests, rounds });
  const columns: Column[] = [
    { heading: 'over TLS', align: 'left' },
    { heading: 'command', align: 'left' },
    { heading: 'P', align: 'right' },
    { heading: 'thousand/s', align: 'right' },
    { heading: 'p50 ms', align: 'right' },
    { heading: 'p99 ms', align: 'right' },
    { heading: 'CPU us each', align: 'right' },
    { heading: 'to redis-server', align: 'left' },
  ];
  // They come in pairs, redis-server's first.
  return { columns, rows, cells: rows.map((row, index) => tlsCells(row, rows[index - (index % 2)])) };
}

function tlsCells(row: TlsRow, base: TlsRow): string[] {
  return [
    row.server,
    row.command,
    String(row.pipeline),
    spreadText(row.perSecond, 1000, 1),
    row.p50Ms.median.toFixed(2),
    row.p99Ms.median.toFixed(2),
    spreadText(row.cpuUs, 1, 2),
    row === base ? '1' : ratioText(row.perSecond, base.perSecond),
  ];
}

async function publishSection({ rounds, seconds, quick }: SessionsOptions): Promise<Section> {
  const cells: string[][] = [];
  const results: object[] = [];
  for (const subscribers of SUBSCRIBERS) {
    for (const pipeline of PUBLISH_PIPELINES) {
      const load = { subscribers, pipeline, rounds, seconds: quick ? QUICK_SECONDS : seconds };
      const rows = await measurePublish([redisPeer(), ourPeer()], load);
      for (const row of rows) {
        cells.push([String(subscribers), ...publishCells(row, rows[0], pipeline)]);
        results.push({ subscribers, pipeline, ...row });
      }
    }
  }
  const columns: Column[] = [
    { heading: 'PUBLISH to', align: 'right' },
    { heading: 'server', align: 'left' },
    { heading: 'P', align: 'right' },
    { heading: 'thousand publishes/s', align: 'right' },
    { heading: 'p50 ms until all have it', align: 'right' },
    { heading: 'p99 ms', align: 'right' },
    { heading: 'CPU us a message', align: 'right' },
    { heading: 'to redis-server', align: 'left' },
  ];
  return { columns, cells, rows: results };
}

function publishCells(row: PublishRow, base: PublishRow, pipeline: number): string[] {
  return [
    row.server,
    String(pipeline),
    spreadText(row.perSecond, 1000, 2),
    row.p50Ms.median.toFixed(2),
    row.p99Ms.median.toFixed(2),
    spreadText(row.cpuUs, 1, 2),
    row === base ? '1' : ratioText(row.perSecond, base.perSecond),
  ];
}
