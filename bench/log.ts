/**
 * `npm run bench:log`: what the log costs: SET of 64-byte values over 100,000 keys from 50 connections, this server and
 * redis-server, both with `appendonly yes`, the same `appendfsync`, no save points and no automatic rewrites; and this
 * server without the log in the same rounds. The servers run one after the other, round by round (A B A B).
 */
import {
  COMMANDS,
  comparisonCells,
  comparisonColumns,
  type Load,
  roundsText,
  runTrials,
  type Trial,
} from './support/comparison.ts';
import { diskFolder, diskText } from './support/disk.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { markdownTable } from './support/markdown.ts';
import { type Options, parseNumberList, runBenchmark, writeJson } from './support/options.ts';
import { ourPeer, redisPeer } from './support/peers.ts';

/** `requests` 0: as many as take some seconds. The depths are those of `everysec` and of `always`. */
const DEFAULTS = {
  rounds: 3,
  requests: 0,
  clients: 50,
  everysec: '1,16,64',
  always: '1,16',
  dir: '',
  quick: false,
  json: '',
};

const POLICIES = ['everysec', 'always'] as const;
type Policy = (typeof POLICIES)[number];

/** By the depth of the pipeline. */
const REQUESTS_BY_SECONDS: Record<Policy, number> = { everysec: 200_000, always: 60_000 };
const REQUESTS_MAX = 2_500_000;
const QUICK_REQUESTS = 10_000;
const WARM_UP_REQUESTS = 100_000;

type LogOptions = Options<typeof DEFAULTS>;

await runBenchmark(DEFAULTS, main);

async function main(options: LogOptions): Promise<void> {
  const { rounds, clients, quick } = options;
  const folder = diskFolder(options.dir);
  const rows = await runTrials(trialsOf(options), {
    rounds,
    clients,
    threads: 1,
    warmUpRequests: quick ? QUICK_REQUESTS : WARM_UP_REQUESTS,
    parent: folder.path,
  });
  const machine = describeMachine([redisPeer(), ourPeer()].map(({ version }) => version));
  const cells = rows.map((row) => comparisonCells(row, rows));
  process.stdout.write(`${machineText(machine)}${diskText(folder)}`);
  process.stdout.write(markdownTable(comparisonColumns('appendfsync'), cells));
  process.stdout.write(roundsText(rounds));
  writeJson(options.json, {
    machine,
    fileSystem: folder.fileSystem,
    options: { ...options, dir: '' },
    rows: rows.map(({ group, ...row }) => ({ appendfsync: group, ...row })),
  });
}

/** redis-server first: it is what the others are compared with. Without the log there is no policy, so once is enough. */
function trialsOf(options: LogOptions): Trial[] {
  return POLICIES.flatMap((policy) => {
    const loads = loadsOf(policy, options);
    const flags = flagsOf(policy);
    const withLog = [redisPeer(flags), ourPeer(flags)].map((peer) => ({ peer, loads }));
    const without = { peer: ourPeer([], 'distcache --appendonly no'), loads };
    return policy === 'everysec' ? [...withLog, without] : withLog;
  });
}

function flagsOf(policy: Policy): string[] {
  return ['--appendonly', 'yes', '--appendfsync', policy, '--auto-aof-rewrite-percentage', '0'];
}

function loadsOf(policy: Policy, options: LogOptions): Load[] {
  return parseNumberList(policy, options[policy]).map((pipeline) => {
    const byDepth = Math.min(REQUESTS_MAX, REQUESTS_BY_SECONDS[policy] * pipeline);
    const requests = options.requests || (options.quick ? QUICK_REQUESTS : byDepth);
    return { group: policy, command: COMMANDS.SET, pipeline, requests };
  });
}
