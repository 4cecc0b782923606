/**
 * `npm run bench:http`: what the HTTP side of the server stands, with autocannon on the same machine: keys beside the usual
 * alternative (a Fastify route over ioredis to redis-server) under the same loads, in turns, and /metrics.
 */

import { type HttpLoad, type HttpRun, measureHttp, storeKeys } from './support/http-load.ts';
import { fastifyRedis, type HttpPeer, ourHttp } from './support/http-servers.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable, spreadText } from './support/markdown.ts';
import { type Options, runBenchmark, tellProgress, writeJson } from './support/options.ts';
import { ratioText, type Spread, spreadOf } from './support/statistics.ts';

const DEFAULTS = { seconds: 5, rounds: 5, connections: 50, json: '' };

/** The first load meets a server that still compiles and rehearses: shorter ones measured half of what it stands. */
const WARM_UP_SECONDS = 3;
const KEYS = 1000;
const VALUE = 'x'.repeat(64);
const THOUSAND = 1000;

const LOADS: readonly HttpLoad[] = [
  { name: 'GET /v1/keys/{key}', method: 'GET', paths: keyPaths() },
  { name: 'PUT /v1/keys/{key}', method: 'PUT', paths: keyPaths(), body: VALUE },
  { name: 'GET /metrics', method: 'GET', paths: ['/metrics'] },
];

const COLUMNS: readonly Column[] = [
  { heading: 'request', align: 'left' },
  { heading: 'server', align: 'left' },
  { heading: 'thousand/s', align: 'right' },
  { heading: 'p50 ms', align: 'right' },
  { heading: 'p99 ms', align: 'right' },
  { heading: 'CPU us/request', align: 'right' },
  { heading: 'throughput to the alternative', align: 'left' },
];

type Row = { load: string; server: string } & Record<keyof HttpRun, Spread>;

await runBenchmark(DEFAULTS, main);

async function main({ seconds, rounds, connections, json }: Options<typeof DEFAULTS>): Promise<void> {
  const ours = ourHttp();
  const peers = [ours, fastifyRedis()];
  const runs = new Map<string, HttpRun[]>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const peer of peers) {
      tellProgress(`round ${round} of ${rounds}: ${peer.name}`);
      for (const [load, run] of await measureAll(peer, peer === ours, seconds, connections)) {
        const cell = `${load}\n${peer.name}`;
        runs.set(cell, [...(runs.get(cell) ?? []), run]);
      }
    }
  }
  const rows = [...runs].map(([cell, measured]) => rowOf(cell, measured));
  const ordered = LOADS.flatMap(({ name }) => rows.filter(({ load }) => load === name));
  const machine = describeMachine(peers.map(({ version }) => version));
  const table = markdownTable(
    COLUMNS,
    ordered.map((row) => cellsOf(row, ordered, ours.name)),
  );
  process.stdout.write(
    `${machineText(machine)}${table}\nMedian (least-largest) of ${rounds} rounds of ${seconds} s; ${connections} connections, ${KEYS} keys, values of ${VALUE.length} bytes.\n`,
  );
  writeJson(json, { machine, options: { seconds, rounds, connections }, rows: ordered });
}

function measureAll(
  peer: HttpPeer,
  hasMetrics: boolean,
  seconds: number,
  connections: number,
): Promise<[string, HttpRun][]> {
  return peer.use(async (server) => {
    await storeKeys(server, LOADS[0].paths, VALUE);
    const measured: [string, HttpRun][] = [];
    for (const load of LOADS) {
      if (load.name === 'GET /metrics' && !hasMetrics) continue;
      await measureHttp(server, load, connections, WARM_UP_SECONDS);
      measured.push([load.name, await measureHttp(server, load, connections, seconds)]);
    }
    return measured;
  });
}

function keyPaths(): string[] {
  return Array.from({ length: KEYS }, (_, index) => `/v1/keys/key:${String(index).padStart(12, '0')}`);
}

function rowOf(cell: string, runs: readonly HttpRun[]): Row {
  const [load, server] = cell.split('\n');
  const spread = (field: keyof HttpRun): Spread => spreadOf(runs.map((run) => run[field]));
  return {
    ...{ load, server },
    requestsPerSecond: spread('requestsPerSecond'),
    p50Ms: spread('p50Ms'),
    p99Ms: spread('p99Ms'),
    cpuUs: spread('cpuUs'),
  };
}

function cellsOf(row: Row, rows: readonly Row[], ours: string): string[] {
  const other = rows.find(({ load, server }) => load === row.load && server !== ours);
  return [
    row.load,
    row.server,
    spreadText(row.requestsPerSecond, THOUSAND, 1),
    row.p50Ms.median.toFixed(2),
    row.p99Ms.median.toFixed(2),
    spreadText(row.cpuUs, 1, 1),
    row.server !== ours || other === undefined
      ? ''
      : ratioText(row.requestsPerSecond, other.requestsPerSecond),
  ];
}
