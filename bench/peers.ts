/**
 * `npm run bench`: throughput and processor time per operation, this server beside redis-server, and beside valkey-server and
 * memcached where they are installed. Sets of loads (`--sets`, bench/support/matrix-sets.ts), each of which changes one thing
 * around a base point; every server of a row gets its load from the same generator.
 */
import { availableParallelism, tmpdir } from 'node:os';
import { diskFolder, diskText } from './support/disk.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Generator, type MatrixSettings, runContest } from './support/matrix-run.ts';
import { type Contest, contestsOf, OWN_GENERATOR_SETS, SET_NAMES } from './support/matrix-sets.ts';
import { type Measured, matrixRows, setText } from './support/matrix-table.ts';
import { BadFlag, type Options, parseNameList, runBenchmark } from './support/options.ts';
import { memcachedPeers, missingPeers, ourPeer, type Peer, redisPeer, valkeyPeers } from './support/peers.ts';
import { writeResult } from './support/result.ts';

/** `seconds`: of each measured run. `workers`: of our server outside the set of that name, 0 its default. */
const DEFAULTS = {
  sets: 'pipeline,mix,commands',
  rounds: 3,
  seconds: 2,
  keys: 100_000,
  workers: 0,
  generator: 'own',
  'generator-threads': 1,
  dir: '',
  quick: false,
  json: '',
};

const WARM_UP_SECONDS = 0.5;
/** One round of very little, to see that everything works. */
const QUICK = { rounds: 1, seconds: 0.1, warmUpSeconds: 0.02, keys: 5_000 };
const GENERATORS: readonly Generator[] = ['own', 'redis-benchmark'];

type PeersOptions = Options<typeof DEFAULTS>;

await runBenchmark(DEFAULTS, main);

async function main(options: PeersOptions): Promise<void> {
  const sets = parseNameList('sets', options.sets === 'all' ? '' : options.sets, SET_NAMES);
  const generator = GENERATORS.find((known) => known === options.generator);
  if (generator === undefined)
    throw new BadFlag(`--generator ${options.generator}: ${GENERATORS.join(' or ')}`);
  const all: Measured[] = [];
  const versions = new Set<string>();
  for (const contest of sets.flatMap((set) => contestsOf(set, availableParallelism()))) {
    const settings = settingsOf(
      options,
      contest,
      OWN_GENERATOR_SETS.includes(contest.set) ? 'own' : generator,
    );
    const servers = serversOf(contest, settings.generator, options.workers);
    const measurements = await runContest(contest, servers, settings);
    for (const { version } of servers) versions.add(version);
    all.push({ contest, generator: settings.generator, measurements });
  }
  const machine = describeMachine([...versions]);
  process.stdout.write(`${machineText(machine)}${missingText()}`);
  if (sets.includes('persistence')) process.stdout.write(diskText(diskFolder(options.dir)));
  for (const set of sets) process.stdout.write(setText(set, all));
  process.stdout.write(notesText(options));
  writeResult(options.json, { name: 'bench', machine, options, rows: all.flatMap(matrixRows) });
}

function settingsOf(options: PeersOptions, { persistence }: Contest, generator: Generator): MatrixSettings {
  const { rounds, seconds, keys, 'generator-threads': generatorThreads } = options;
  const size = options.quick ? QUICK : { rounds, seconds, keys, warmUpSeconds: WARM_UP_SECONDS };
  const parent = persistence === 'none' ? tmpdir() : diskFolder(options.dir).path;
  return { ...size, generator, generatorThreads, parent };
}

/** redis-server first: it is what the others are compared with. */
function serversOf({ workers, persistence, set }: Contest, generator: Generator, ourWorkers: number): Peer[] {
  const flags = persistence === 'none' ? [] : logFlags(persistence);
  const counts = set === 'workers' ? workers : [ourWorkers];
  const ours = counts.map((count) => ourPeerWith(count, flags));
  const hasMemcached = generator === 'own' && set !== 'workers' && set !== 'persistence';
  return [redisPeer(flags), ...ours, ...valkeyPeers(flags), ...(hasMemcached ? memcachedPeers() : [])];
}

function ourPeerWith(workers: number, flags: readonly string[]): Peer {
  if (workers === 0) return ourPeer(flags);
  return ourPeer([...flags, '--workers', String(workers)], `distcache --workers ${workers}`);
}

function logFlags(appendfsync: string): string[] {
  return ['--appendonly', 'yes', '--appendfsync', appendfsync, '--auto-aof-rewrite-percentage', '0'];
}

function missingText(): string {
  const missing = missingPeers();
  return missing.length === 0 ? '' : `Not installed, so not compared: ${missing.join(', ')}.\n\n`;
}

function notesText({ rounds, seconds, quick }: PeersOptions): string {
  const told = quick ? QUICK : { rounds, seconds };
  return [
    `Median (least-largest) of ${told.rounds} rounds of ${told.seconds} s; "not distinguishable" where the spreads overlap.`,
    'CPU us/op is the processor time of all threads of the server. "busy" is how much of the time of its threads the generator',
    'works: near 100 % it is the generator that is measured. memcached runs at its default of four threads.\n',
  ].join('\n');
}
