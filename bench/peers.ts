/**
 * `npm run bench`: this server beside redis-server (and valkey-server, where installed), driven by redis-benchmark with GET
 * and SET of 64-byte values over 100,000 preloaded keys from 50 connections. The servers run one after the other, round
 * by round (A B A B), all without persistence and else at their defaults; one more row set has our server with
 * `--workers 1`.
 */
import {
  COMMANDS,
  comparisonCells,
  comparisonColumns,
  type Load,
  roundsText,
  runTrials,
} from './support/comparison.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { markdownTable } from './support/markdown.ts';
import { type Options, parseNumberList, runBenchmark, writeJson } from './support/options.ts';
import { ourPeer, type Peer, redisPeer, valkeyPeers } from './support/peers.ts';

/** `workers` and `requests` 0: the server's default, and as many as take some seconds at each depth. */
const DEFAULTS = {
  workers: 0,
  rounds: 3,
  requests: 0,
  clients: 50,
  pipeline: '1,16,64',
  'generator-threads': 1,
  quick: false,
  json: '',
};

const REQUESTS_BY_SECONDS = 250_000;
const REQUESTS_MAX = 4_000_000;
const QUICK_REQUESTS = 20_000;
const WARM_UP_REQUESTS = 100_000;

type PeersOptions = Options<typeof DEFAULTS>;

await runBenchmark(DEFAULTS, main);

async function main(options: PeersOptions): Promise<void> {
  const { rounds, clients, quick, 'generator-threads': threads } = options;
  const peers = peersOf(options);
  const loads = loadsOf(options);
  const rows = await runTrials(
    peers.map((peer) => ({ peer, loads })),
    { rounds, clients, threads, warmUpRequests: quick ? QUICK_REQUESTS : WARM_UP_REQUESTS },
  );
  const machine = describeMachine(
    peers.map(({ version }) => version).filter((version, index, all) => all.indexOf(version) === index),
  );
  const cells = rows.map((row) => comparisonCells(row, rows));
  process.stdout.write(`${machineText(machine)}${markdownTable(comparisonColumns('command'), cells)}`);
  process.stdout.write(roundsText(rounds));
  writeJson(options.json, {
    machine,
    options,
    rows: rows.map(({ group, ...row }) => ({ command: group, ...row })),
  });
}

/** redis-server first: it is what the others are compared with. */
function peersOf({ workers }: PeersOptions): Peer[] {
  const ours =
    workers === 0 ? ourPeer() : ourPeer(['--workers', String(workers)], `distcache --workers ${workers}`);
  const single = workers === 1 ? [] : [ourPeer(['--workers', '1'], 'distcache --workers 1')];
  return [redisPeer(), ours, ...single, ...valkeyPeers()];
}

function loadsOf({ pipeline, requests, quick }: PeersOptions): Load[] {
  return parseNumberList('pipeline', pipeline).flatMap((depth) => {
    const byDepth = Math.min(REQUESTS_MAX, REQUESTS_BY_SECONDS * depth);
    const count = requests || (quick ? QUICK_REQUESTS : byDepth);
    return (['GET', 'SET'] as const).map((group) => ({
      group,
      command: COMMANDS[group],
      pipeline: depth,
      requests: count,
    }));
  });
}
