/**
 * `npm run bench:storm`: what many connections do to a server, here and in redis-server, valkey-server and memcached, where
 * installed, one after the other in each round. `connects`: short connections, one after the other from several processes.
 * `idle`: ten thousand that do nothing. `slow`: a hundred that ask for much and read nothing.
 */
import { execFileSync } from 'node:child_process';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable } from './support/markdown.ts';
import { BadFlag, type Options, parseNameList, runBenchmark } from './support/options.ts';
import { memcachedPeers, ourPeer, type Peer, redisPeer, valkeyPeers } from './support/peers.ts';
import { type ResultRow, writeResult } from './support/result.ts';
import { inRounds, missingText } from './support/rounds.ts';
import { CONNECTS_COLUMNS, connectsCells, connectsRow, measureConnects } from './support/storm-connects.ts';
import { IDLE_COLUMNS, idleCells, idleRow, measureIdle } from './support/storm-idle.ts';
import { measureSlow, SLOW_COLUMNS, slowCells, slowRow } from './support/storm-slow.ts';

/** `seconds`: of each run of the storm, and of the client that is watched. `concurrent`: connections under way in each process. */
const DEFAULTS = {
  rounds: 3,
  seconds: 4,
  processes: 3,
  concurrent: 16,
  connections: 10_000,
  readers: 100,
  'asked-mib': 20,
  sets: '',
  quick: false,
  json: '',
};

type StormOptions = Options<typeof DEFAULTS>;

const SETS = ['connects', 'idle', 'slow'] as const;
/** File descriptors that a process has besides its connections. */
const DESCRIPTORS_BESIDES = 200;
const CLIENTS_BESIDES = 100;
const QUICK = { rounds: 1, seconds: 1, connections: 500, readers: 10, 'asked-mib': 10 };

await runBenchmark(DEFAULTS, main);

async function main(given: StormOptions): Promise<void> {
  const options = given.quick ? { ...given, ...QUICK } : given;
  const sets = parseNameList('sets', options.sets, SETS);
  expectDescriptors(options.connections);
  const peers = peersOf(options.connections + CLIENTS_BESIDES);
  const machine = describeMachine(peers.map(({ version }) => version));
  process.stdout.write(`# Connections\n\n${machineText(machine)}${missingText()}`);
  const rows: ResultRow[] = [];
  if (sets.includes('connects')) rows.push(...(await reportConnects(peers, options)));
  if (sets.includes('idle')) rows.push(...(await reportIdle(peers, options)));
  if (sets.includes('slow')) rows.push(...(await reportSlow(peers, options)));
  process.stdout.write(
    `Median (least-largest) of ${options.rounds} rounds; "not distinguishable" where the spreads overlap. The other client asks 500 times a second.\n`,
  );
  writeResult(options.json, { name: 'bench:storm', machine, options, rows });
}

/** redis-server first: it is what the others are compared with. */
function peersOf(clientsMax: number): Peer[] {
  // Connections come from other addresses of the loopback network too.
  const flags = ['--maxclients', String(clientsMax), '--protected-mode', 'no'];
  return [
    redisPeer(flags),
    ourPeer(flags),
    ...valkeyPeers(flags),
    ...memcachedPeers(['-c', String(clientsMax)]),
  ];
}

async function reportConnects(peers: readonly Peer[], options: StormOptions): Promise<ResultRow[]> {
  const { processes, concurrent } = options;
  const measure = (peer: Peer) => measureConnects(peer, options);
  const runs = await inRounds(peers, options.rounds, 'short connections', measure);
  const rows = peers.map(({ name }, index) => connectsRow(name, options, runs[index]));
  const heading = `Short connections\n\nConnect, ping, close: ${processes} processes with ${concurrent} under way in each.`;
  writeTable(
    heading,
    CONNECTS_COLUMNS,
    rows.map((row) => connectsCells(row, rows)),
  );
  return rows;
}

async function reportIdle(peers: readonly Peer[], options: StormOptions): Promise<ResultRow[]> {
  const { connections, seconds, rounds } = options;
  const measure = (peer: Peer) => measureIdle(peer, connections, seconds);
  const runs = await inRounds(peers, rounds, `${connections} idle connections`, measure);
  const rows = peers.map(({ name }, index) => idleRow(name, connections, runs[index]));
  writeTable('Idle connections', IDLE_COLUMNS, rows.map(idleCells));
  return rows;
}

async function reportSlow(peers: readonly Peer[], options: StormOptions): Promise<ResultRow[]> {
  const { readers, seconds, rounds, 'asked-mib': askedMib } = options;
  const settings = { readers, seconds, askedMib };
  const measure = (peer: Peer) => measureSlow(peer, settings);
  const runs = await inRounds(peers, rounds, `${readers} readers that do not read`, measure);
  const rows = peers.map(({ name }, index) => slowRow(name, settings, runs[index]));
  writeTable('Readers that do not read', SLOW_COLUMNS, rows.map(slowCells));
  return rows;
}

function writeTable(
  heading: string,
  columns: readonly Column[],
  cells: readonly (readonly string[])[],
): void {
  process.stdout.write(`## ${heading}\n\n${markdownTable(columns, cells)}\n`);
}

/** Both this process and the server hold an end of each. */
function expectDescriptors(connections: number): void {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  if (limit === 'unlimited' || Number(limit) >= connections + DESCRIPTORS_BESIDES) return;
  throw new BadFlag(`--connections ${connections}: a process may have ${limit} files open here (ulimit -n)`);
}
