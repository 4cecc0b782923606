/**
 * `npm run bench:log-writes`: how many writes the log takes in a turn, with few workers (and shards) and with many, under
 * SET of 64-byte values from 50 connections with `appendonly yes`: by the server's own counters, and by strace beside them,
 * while the server is slow for being watched. The log is written with pwrite64; sockets and wake-ups take write.
 */
import { COMMANDS, loadKeys } from './support/comparison.ts';
import { diskFolder, diskText } from './support/disk.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable } from './support/markdown.ts';
import { type Options, parseNumberList, runBenchmark, tellProgress, writeJson } from './support/options.ts';
import { fetchMetrics, ourPeer, type RunningPeer, requireProgram, withPeer } from './support/peers.ts';
import { runRedisBenchmark } from './support/redis-benchmark.ts';
import { sampleSum, samplesOf } from './support/server-text.ts';
import { countSystemCalls, type SystemCalls } from './support/strace.ts';

/** `requests`: at depth 1; one more at each depth for each more in the pipeline. `traced`: of them one in so many is traced. */
const DEFAULTS = {
  workers: '2,16',
  pipeline: '1,16',
  requests: 150_000,
  traced: 5,
  clients: 50,
  dir: '',
  json: '',
};

const KEYS = 100_000;
const WARM_UP_SHARE = 0.2;

const TURNS = 'distcache_turns_total';
const BLOCKS = 'distcache_log_blocks_total';
const OF_EACH_SHARD = 'distcache_shard_lock_hold_max_seconds';
const CALLS = ['write', 'writev', 'pwrite64', 'pwritev', 'fdatasync'] as const;
/** Those that may write the log, and those that write sockets and wake threads. */
const FILE_WRITES = ['pwrite64', 'pwritev'];
const OTHER_WRITES = ['write', 'writev'];

const COLUMNS: readonly Column[] = [
  { heading: 'workers', align: 'right' },
  { heading: 'shards', align: 'right' },
  { heading: 'P', align: 'right' },
  { heading: 'SETs', align: 'right' },
  { heading: 'turns', align: 'right' },
  { heading: 'SETs per turn', align: 'right' },
  { heading: 'log writes', align: 'right' },
  { heading: 'log writes per turn', align: 'right' },
  { heading: 'strace: turns', align: 'right' },
  { heading: 'pwrite64', align: 'right' },
  { heading: 'pwrite64 per turn', align: 'right' },
  { heading: 'write per turn (sockets, wake-ups)', align: 'right' },
  { heading: 'fdatasync', align: 'right' },
];

/** What the server counted while so many SETs were answered. */
type Counted = { requests: number; turns: number; blocks: number };
type Load = { program: string; pipeline: number; requests: number; clients: number };
type Result = {
  workers: number;
  shards: number;
  pipeline: number;
  plain: Counted;
  traced: Counted & { fileWrites: number; otherWrites: number; syncs: number };
};

await runBenchmark(DEFAULTS, main);

async function main(options: Options<typeof DEFAULTS>): Promise<void> {
  requireProgram('strace');
  const program = requireProgram('redis-benchmark');
  const folder = diskFolder(options.dir);
  const peers = parseNumberList('workers', options.workers).map((workers) => ({
    workers,
    peer: ourPeer(['--appendonly', 'yes', '--workers', String(workers)]),
  }));
  const results: Result[] = [];
  for (const { workers, peer } of peers) {
    const measureAll = async (running: RunningPeer): Promise<void> => {
      await loadKeys(running.port, KEYS);
      for (const pipeline of parseNumberList('pipeline', options.pipeline)) {
        tellProgress(`--workers ${workers}, P=${pipeline}`);
        const load = { program, pipeline, requests: options.requests * pipeline, clients: options.clients };
        results.push({ workers, pipeline, ...(await measure(running, load, options.traced)) });
      }
    };
    await withPeer(peer, measureAll, { http: true, parent: folder.path });
  }
  const machine = describeMachine([peers[0].peer.version]);
  process.stdout.write(`${machineText(machine)}${diskText(folder)}`);
  process.stdout.write(markdownTable(COLUMNS, results.map(cellsOf)));
  writeJson(options.json, {
    machine,
    fileSystem: folder.fileSystem,
    options: { ...options, dir: '' },
    results,
  });
}

async function measure(running: RunningPeer, load: Load, oneIn: number) {
  await runLoad(running, { ...load, requests: Math.ceil(load.requests * WARM_UP_SHARE) });
  const plain = await countLoad(running, load);
  let traced: Counted = plain;
  const calls = await countSystemCalls(running.pid, CALLS, async () => {
    traced = await countLoad(running, { ...load, requests: Math.ceil(load.requests / oneIn) });
  });
  const shards = samplesOf(await fetchMetrics(running), OF_EACH_SHARD).length;
  return {
    shards,
    plain,
    traced: {
      ...traced,
      fileWrites: callsOf(calls, FILE_WRITES),
      otherWrites: callsOf(calls, OTHER_WRITES),
      syncs: callsOf(calls, ['fdatasync']),
    },
  };
}

async function countLoad(running: RunningPeer, load: Load): Promise<Counted> {
  const before = await fetchMetrics(running);
  await runLoad(running, load);
  const after = await fetchMetrics(running);
  const grown = (name: string): number => sampleSum(after, name) - sampleSum(before, name);
  return { requests: load.requests, turns: grown(TURNS), blocks: grown(BLOCKS) };
}

async function runLoad({ port }: RunningPeer, load: Load): Promise<void> {
  await runRedisBenchmark({ ...load, port, keys: KEYS, threads: 1, command: COMMANDS.SET });
}

function callsOf(calls: SystemCalls, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (calls.get(name) ?? 0), 0);
}

function cellsOf({ workers, shards, pipeline, plain, traced }: Result): string[] {
  return [
    String(workers),
    String(shards),
    String(pipeline),
    String(plain.requests),
    String(plain.turns),
    (plain.requests / plain.turns).toFixed(1),
    String(plain.blocks),
    (plain.blocks / plain.turns).toFixed(3),
    String(traced.turns),
    String(traced.fileWrites),
    (traced.fileWrites / traced.turns).toFixed(3),
    (traced.otherWrites / traced.turns).toFixed(2),
    String(traced.syncs),
  ];
}
