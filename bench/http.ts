/**
 * `npm run bench:http`: what the HTTP side of the server stands: requests a second and latency of /metrics and /livez, with
 * autocannon on the same machine. The server has no other load.
 */
import autocannon from 'autocannon';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable } from './support/markdown.ts';
import { type Options, runBenchmark, tellProgress, writeJson } from './support/options.ts';
import { ourPeer, withPeer } from './support/peers.ts';
import { quantileOf } from './support/statistics.ts';

const DEFAULTS = { seconds: 5, connections: 10, json: '' };

const PATHS = ['/metrics', '/livez'];
const WARM_UP_SECONDS = 1;

const COLUMNS: readonly Column[] = [
  { heading: 'path', align: 'left' },
  { heading: 'connections', align: 'right' },
  { heading: 'requests/s', align: 'right' },
  { heading: 'p50 ms', align: 'right' },
  { heading: 'p99 ms', align: 'right' },
  { heading: 'bytes per response', align: 'right' },
];

type Result = {
  path: string;
  connections: number;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  bytesEach: number;
};

await runBenchmark(DEFAULTS, main);

async function main({ seconds, connections, json }: Options<typeof DEFAULTS>): Promise<void> {
  const peer = ourPeer();
  const results = await withPeer(
    peer,
    async ({ httpPort }) => {
      const measured: Result[] = [];
      for (const path of PATHS) {
        tellProgress(`${path}: ${connections} connections, ${seconds} s`);
        const url = `http://127.0.0.1:${httpPort}${path}`;
        await load(url, connections, WARM_UP_SECONDS);
        measured.push({ path, connections, ...(await load(url, connections, seconds)) });
      }
      return measured;
    },
    { http: true },
  );
  const machine = describeMachine([peer.version]);
  process.stdout.write(`${machineText(machine)}${markdownTable(COLUMNS, results.map(cellsOf))}`);
  writeJson(json, { machine, options: { seconds, connections }, results });
}

/** Throws where a request fails or is not answered with success. */
async function load(
  url: string,
  connections: number,
  seconds: number,
): Promise<Omit<Result, 'path' | 'connections'>> {
  // Its own histogram has whole milliseconds only.
  const latenciesMs: number[] = [];
  let bytes = 0;
  const run = autocannon({ url, connections, duration: seconds });
  run.on('response', (_client, _status, responseBytes, latencyMs) => {
    latenciesMs.push(latencyMs);
    bytes += responseBytes;
  });
  const { errors, non2xx, duration } = await run;
  if (errors + non2xx > 0 || latenciesMs.length === 0)
    throw new Error(`${url}: ${errors} requests failed, ${non2xx} were refused, of ${latenciesMs.length}`);
  return {
    requestsPerSecond: latenciesMs.length / duration,
    p50Ms: quantileOf(latenciesMs, 0.5),
    p99Ms: quantileOf(latenciesMs, 0.99),
    bytesEach: bytes / latenciesMs.length,
  };
}

function cellsOf(result: Result): string[] {
  return [
    result.path,
    String(result.connections),
    result.requestsPerSecond.toFixed(0),
    result.p50Ms.toFixed(2),
    result.p99Ms.toFixed(2),
    result.bytesEach.toFixed(0),
  ];
}
