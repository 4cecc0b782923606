/**
 * `npm run bench:latency`: how long requests take at fixed rates, here and in redis-server: an open loop, every latency counted
 * from when its request was due. At shares of each server's own peak and at half of redis-server's, plain, while values of a
 * megabyte pass, while very many keys fall due at once, during BGSAVE, and while the index grows.
 */
import { diskFolder, diskText } from './support/disk.ts';
import {
  type LatencySettings,
  measurePeak,
  measureRound,
  SCENARIOS,
  type Scenario,
  SET_ONE_IN,
  type ServerRound,
  VALUE_BYTES,
} from './support/latency-run.ts';
import { latencyRows, ratesOf, type ServerLatencies, scenarioText } from './support/latency-table.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { PRECEDENCES, type Precedence, precedenceText } from './support/open-loop-process.ts';
import {
  BadFlag,
  type Options,
  parseNameList,
  parseNumberList,
  runBenchmark,
  tellProgress,
} from './support/options.ts';
import { ourPeer, type Peer, redisPeer } from './support/peers.ts';
import { writeResult } from './support/result.ts';

/**
 * `keys`: a little below a power of two, so that an index that doubles does so while it grows. `seconds`: of each run. `client`:
 * its precedence over the servers for the processor (`Precedence`). `scenarios`: all where none is named.
 */
const DEFAULTS = {
  scenarios: '',
  percents: '10,50,80',
  rounds: 3,
  seconds: 6,
  keys: 2 ** 20 - 1024,
  expiring: 300_000,
  connections: 50,
  client: 'fifo',
  dir: '',
  quick: false,
  json: '',
};

const WARM_UP_SECONDS = 2;
/** One round of very little, to see that everything works. */
const QUICK = { seconds: 0.5, warmUpSeconds: 0.1, keys: 16_000, expiring: 2_000 };

type LatencyOptions = Options<typeof DEFAULTS>;
type Contestant = { peer: Peer; latencies: Omit<ServerLatencies, 'runs'>; rounds: ServerRound[] };

await runBenchmark(DEFAULTS, main);

async function main(options: LatencyOptions): Promise<void> {
  const folder = diskFolder(options.dir);
  const settings = settingsOf(options, folder.path);
  const percents = parseNumberList('percents', options.percents);
  const rounds = options.quick ? 1 : options.rounds;
  const contestants = await withPeaks([redisPeer(), ourPeer()], percents, settings);
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
      tellProgress(`round ${round + 1} of ${rounds}: ${contestant.peer.name}`);
      const measured = await measureRound(contestant.peer, contestant.latencies.rates, settings);
      contestant.rounds.push(measured);
    }
  }
  const servers = contestants.map((contestant) => ({
    ...contestant.latencies,
    runs: contestant.rounds.flatMap(({ runs }) => runs),
  }));
  const { precedence } = contestants[0].rounds[0];
  const machine = describeMachine(contestants.map(({ peer }) => peer.version));
  process.stdout.write(`${machineText(machine)}${diskText(folder)}`);
  process.stdout.write(`${servers.map(peakLine).join('')}\n`);
  for (const scenario of settings.scenarios) process.stdout.write(scenarioText(scenario, servers));
  process.stdout.write(conditionsText(settings, rounds, precedence));
  const rowsOf = (scenario: Scenario) =>
    servers.flatMap((server) => latencyRows(scenario, server, precedence));
  writeResult(options.json, {
    ...{ name: 'bench:latency', machine, options },
    rows: settings.scenarios.flatMap(rowsOf),
  });
}

function settingsOf(options: LatencyOptions, parent: string): LatencySettings {
  const { seconds, keys, expiring, connections } = options;
  const scenarios = parseNameList('scenarios', options.scenarios, SCENARIOS);
  const precedence = PRECEDENCES.find((known) => known === options.client);
  if (precedence === undefined)
    throw new BadFlag(`--client ${options.client}: one of ${PRECEDENCES.join(', ')}`);
  const size = options.quick ? QUICK : { seconds, keys, expiring, warmUpSeconds: WARM_UP_SECONDS };
  return { ...size, connections, parent, scenarios, precedence };
}

/** redis-server first: half of its peak is a rate of the others too. */
async function withPeaks(
  peers: readonly Peer[],
  percents: readonly number[],
  settings: LatencySettings,
): Promise<Contestant[]> {
  const peaks: number[] = [];
  for (const peer of peers) peaks.push(await measurePeak(peer, settings));
  return peers.map((peer, index) => ({
    peer,
    latencies: {
      server: peer.name,
      peakPerSecond: peaks[index],
      rates: ratesOf(percents, peaks[index], peaks[0], index === 0),
    },
    rounds: [],
  }));
}

function peakLine({ server, peakPerSecond }: ServerLatencies): string {
  return `- peak of ${server}: ${(peakPerSecond / 1000).toFixed(1)} thousand/s\n`;
}

function conditionsText(
  { keys, expiring, connections, seconds }: LatencySettings,
  rounds: number,
  precedence: Precedence,
): string {
  return [
    `Medians (least-largest) of ${rounds} rounds of ${seconds} s, max over all; "not distinguishable" where the spreads overlap.`,
    `GET and SET ${SET_ONE_IN - 1} to 1 (while the index grows 1 to 1, every SET a new key) over ${keys} keys with values of`,
    `${VALUE_BYTES} bytes, ${connections} connections; ${expiring} keys fall due at once. The peak is what the suite's closed-loop`,
    'generator gets with one request at a time on each connection. At the rate that all have in common, p99.9 is compared with',
    `redis-server's at half of its peak. ${precedenceText(precedence)};`,
    'how late it sent is within the latencies.\n',
  ].join('\n');
}
