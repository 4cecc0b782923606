/**
 * `npm run bench:start`: how long a server takes from exec to its first answer, empty and with a million keys, from a snapshot
 * (redis-server: an RDB file) and from a log alone (an AOF that was never rewritten); here and in redis-server,
 * valkey-server and memcached, where installed, taking turns. The files are in the page cache.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { diskFolder, diskText } from './support/disk.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable, mebibytes, spreadText } from './support/markdown.ts';
import { type Options, parseNameList, runBenchmark, tellProgress } from './support/options.ts';
import { memcachedPeers, ourPeer, type Peer, redisPeer, valkeyPeers } from './support/peers.ts';
import { type ResultRow, writeResult } from './support/result.ts';
import { missingText } from './support/rounds.ts';
import { bytesBelow, measureStart, prepareFolder, type Started } from './support/start-time.ts';
import { ratioText, type Spread, spreadOf } from './support/statistics.ts';

const DEFAULTS = { keys: 1_000_000, rounds: 7, sets: '', dir: '', quick: false, json: '' };

type StartOptions = Options<typeof DEFAULTS>;

const STATES = ['empty', 'snapshot', 'log'] as const;
type State = (typeof STATES)[number];

/** One server with what it starts from, and its starts. */
type Lane = {
  readonly peer: Peer;
  readonly state: State;
  readonly folder: string;
  readonly starts: Started[];
};

const QUICK = { keys: 20_000, rounds: 2 };
/** Neither rewrites its log by itself, so that it stays a log of single writes. */
const LOG_FLAGS = ['--appendonly', 'yes', '--auto-aof-rewrite-percentage', '0'];

const COLUMNS: readonly Column[] = [
  { heading: 'from', align: 'left' },
  { heading: 'server', align: 'left' },
  { heading: 'keys', align: 'right' },
  { heading: 'files', align: 'right' },
  { heading: 'first answer after ms', align: 'right' },
  { heading: 'CPU ms until then', align: 'right' },
  { heading: 'to redis-server', align: 'left' },
];

await runBenchmark(DEFAULTS, main);

async function main(given: StartOptions): Promise<void> {
  const options = given.quick ? { ...given, ...QUICK } : given;
  const disk = diskFolder(options.dir);
  const parent = mkdtempSync(join(disk.path, 'distcache-start-'));
  try {
    const lanes = parseNameList('sets', options.sets, STATES).flatMap((state) => lanesOf(state, parent));
    for (const lane of lanes) await prepare(lane, options.keys);
    // A round that does not count brings the files and the programs into the page cache.
    for (const lane of lanes) await start(lane, options.keys);
    for (let round = 0; round < options.rounds; round += 1) {
      tellProgress(`round ${round + 1} of ${options.rounds}`);
      for (const lane of lanes) lane.starts.push(await start(lane, options.keys));
    }
    const rows = lanes.map(rowOf);
    const machine = describeMachine([...new Set(lanes.map(({ peer }) => peer.version))]);
    process.stdout.write(`# Start\n\n${machineText(machine)}${missingText()}${diskText(disk)}`);
    process.stdout.write(
      markdownTable(
        COLUMNS,
        rows.map((row) => cellsOf(row, rows)),
      ),
    );
    process.stdout.write(
      `\nMedian (least-largest) of ${options.rounds} starts; "not distinguishable" where the spreads overlap.\n`,
    );
    writeResult(options.json, { name: 'bench:start', machine, options, rows });
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

/** redis-server first: it is what the others are compared with. memcached keeps nothing. */
function lanesOf(state: State, parent: string): Lane[] {
  const flags = state === 'log' ? LOG_FLAGS : [];
  const peers = [
    redisPeer(flags),
    ourPeer(flags),
    ...valkeyPeers(flags),
    ...(state === 'empty' ? memcachedPeers() : []),
  ];
  return peers.map((peer) => {
    const folder = join(parent, `${state}-${peer.name}`);
    mkdirSync(folder);
    return { peer, state, folder, starts: [] };
  });
}

async function prepare({ peer, state, folder }: Lane, keys: number): Promise<void> {
  if (state === 'empty') return;
  tellProgress(`${peer.name}: a ${state} of ${keys} keys is made`);
  await prepareFolder(peer, folder, keys, state === 'snapshot');
}

async function start({ peer, state, folder }: Lane, keys: number): Promise<Started> {
  const started = await measureStart(peer, folder);
  const wanted = state === 'empty' ? 0 : keys;
  if (started.keys !== wanted)
    throw new Error(`${peer.name} has ${started.keys} of ${wanted} keys after a start from its ${state}`);
  return started;
}

function rowOf({ peer, state, folder, starts }: Lane): ResultRow {
  return {
    set: 'start',
    server: peer.name,
    from: state,
    keys: starts[0].keys,
    fileBytes: bytesBelow(folder),
    firstReplyMs: spreadOf(starts.map(({ firstReplyMs }) => firstReplyMs)),
    cpuMs: spreadOf(starts.map(({ cpuMs }) => cpuMs)),
  };
}

function cellsOf(row: ResultRow, rows: readonly ResultRow[]): string[] {
  const base = rows.find(({ server, from }) => server === 'redis-server' && from === row.from);
  const first = row.firstReplyMs as Spread;
  return [
    String(row.from),
    row.server,
    String(row.keys),
    mebibytes(Number(row.fileBytes)),
    spreadText(first, 1, 0),
    spreadText(row.cpuMs as Spread, 1, 0),
    base === undefined || base === row ? '1' : ratioText(first, base.firstReplyMs as Spread),
  ];
}
