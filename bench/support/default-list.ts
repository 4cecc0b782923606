/** redis-benchmark's own list of tests, whole, against servers in turns. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ask } from './client.ts';
import type { Column } from './markdown.ts';
import { spreadText } from './markdown.ts';
import { type Peer, requireProgram, withPeer } from './peers.ts';
import { inRounds } from './rounds.ts';
import { ratioText, type Spread, spreadOf } from './statistics.ts';

export type ListSettings = {
  readonly rounds: number;
  readonly requests: number;
  readonly pipeline: number;
  readonly clients: number;
};

/** Requests per second of one test by the servers, in their order. */
export type ListRow = {
  readonly test: string;
  readonly pipeline: number;
  readonly perSecond: readonly Spread[];
};

const RUN_MS_MAX = 60 * 60_000;
/** Of each test, so that a server's code is compiled. */
const WARM_UP_REQUESTS = 20_000;
const BUFFER_BYTES_MAX = 16 * 1024 * 1024;

const execute = promisify(execFile);

/** Each server is started afresh in each round, and has run the list with fewer requests before. */
export async function measureDefaultList(peers: readonly Peer[], settings: ListSettings): Promise<ListRow[]> {
  const program = requireProgram('redis-benchmark');
  const { rounds, pipeline } = settings;
  const about = `redis-benchmark's list, ${pipeline} in the pipeline`;
  const runs = await inRounds(peers, rounds, about, (peer) =>
    withPeer(peer, async ({ port }) => {
      await runList(program, port, { ...settings, requests: Math.min(WARM_UP_REQUESTS, settings.requests) });
      await ask(port, 'FLUSHALL');
      return runList(program, port, settings);
    }),
  );
  return [...runs[0][0].keys()].map((test) => ({
    test,
    pipeline,
    perSecond: runs.map((ofPeer) => spreadOf(ofPeer.map((run) => run.get(test) ?? Number.NaN))),
  }));
}

/** The first server is what the others are compared with. */
export function listColumns(servers: readonly string[]): Column[] {
  return [
    { heading: 'test', align: 'left' },
    { heading: 'P', align: 'right' },
    ...servers.map((name) => ({ heading: `${name}, thousand/s`, align: 'right' }) as const),
    ...servers.slice(1).map((name) => ({ heading: `${name} to ${servers[0]}`, align: 'left' }) as const),
  ];
}

export function listCells({ test, pipeline, perSecond }: ListRow): string[] {
  return [
    test,
    String(pipeline),
    ...perSecond.map((spread) => spreadText(spread, 1000, 1)),
    ...perSecond.slice(1).map((spread) => ratioText(spread, perSecond[0])),
  ];
}

async function runList(
  program: string,
  port: number,
  { requests, pipeline, clients }: ListSettings,
): Promise<Map<string, number>> {
  const numbers = { '-p': port, '-n': requests, '-P': pipeline, '-c': clients };
  const flags = Object.entries(numbers).flatMap(([flag, value]) => [flag, String(value)]);
  const limits = { timeout: RUN_MS_MAX, maxBuffer: BUFFER_BYTES_MAX };
  const { stdout } = await execute(program, [...flags, '--csv'], limits);
  return parseListCsv(stdout);
}

/** Requests per second by the names of the tests. Throws where there are none. */
export function parseListCsv(text: string): Map<string, number> {
  const results = new Map<string, number>();
  for (const [, test, perSecond] of text.matchAll(/^"([^"]+)","([0-9.]+)"/gm))
    results.set(test, Number(perSecond));
  if (results.size === 0) throw new Error(`redis-benchmark told nothing: ${text.trim().slice(0, 500)}`);
  return results;
}
