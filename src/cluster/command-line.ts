/**
 * `distcache cluster status | leave | forget | failover`: what operators ask of a running cluster, over RESP.
 *
 * Main thread of a process of its own; no server is started. Exit codes: 0 for done (status: every slot is served), 1 for not done,
 * 64 for a command line that makes no sense, 69 for a node that cannot be asked.
 */
import { Buffer } from 'node:buffer';
import { parseArgs } from 'node:util';
import { pauseFor } from '../base/pause.ts';
import { CLUSTER_TOOL_LOOK_MS } from '../config/limits-cluster.ts';
import type { ToolTerminal } from '../durability/check-command.ts';
import { createTerminal } from '../durability/command-line.ts';
import type { ClusterNodeReading, ClusterReading } from '../metrics/cluster-reading.ts';
import { type OperatorLink, type OperatorLogin, openOperatorLink } from './operator-link.ts';
import { shortId, slotsText } from './planning.ts';
import { describeCluster, isClusterServing, isClusterSettled, type NodeReadings } from './status-text.ts';

const EXIT_DONE = 0;
const EXIT_NOT_DONE = 1;
/** sysexits.h: the command line makes no sense; a service cannot be had. */
const EXIT_USAGE = 64;
const EXIT_UNAVAILABLE = 69;

const USAGE = `Usage: distcache cluster COMMAND [options], to any node of the cluster:
  status [--wait SECONDS]   Shows nodes, slots and replicas; --wait: until every slot is in its place and every replica whole.
  leave                     Gives all slots of the node to others, and says how far that is; then it can be stopped.
  forget NODE [--yes]       Gives up a node that is gone for good, with what only it had. NODE: an id or its beginning.
  failover [--force]        Has the owners of what the node holds replicas of hand it over; the coordinator may move it back.
Options: --host HOST (127.0.0.1)  --port PORT (6379)  --user NAME  --password-file FILE (or $REDISCLI_AUTH)
         --tls  --cacert FILE  --cert FILE  --key FILE`;

const OPTIONS = {
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '6379' },
  user: { type: 'string', default: '' },
  'password-file': { type: 'string' },
  tls: { type: 'boolean', default: false },
  cacert: { type: 'string', default: '' },
  cert: { type: 'string', default: '' },
  key: { type: 'string', default: '' },
  wait: { type: 'string' },
  yes: { type: 'boolean', default: false },
  force: { type: 'boolean', default: false },
} as const;

const MS_PER_SECOND = 1000;
const PORT_PATTERN = /^\d{1,5}$/;
const SECONDS_PATTERN = /^\d{1,6}$/;

/** The world around the tool. */
export type ToolSurroundings = {
  readonly terminal: ToolTerminal;
  readonly printError: (line: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The text of a file; throws where it cannot be read. */
  readonly readFile: (path: string) => string;
};

type Tool = {
  readonly login: OperatorLogin;
  readonly link: OperatorLink;
  readonly terminal: ToolTerminal;
  readonly values: ReturnType<typeof readArguments>['values'];
  /** What stands behind the command. */
  readonly rest: readonly string[];
};

/** What each command does: answers the exit code, and rejects where a node cannot be asked. */
const COMMANDS: Readonly<Record<string, (tool: Tool) => Promise<number>>> = {
  status: showStatus,
  leave,
  forget,
  failover,
};

/** The surroundings of a process. */
export function processSurroundings(readFile: ToolSurroundings['readFile']): ToolSurroundings {
  return {
    terminal: createTerminal(),
    printError: (line) => void process.stderr.write(`${line}\n`),
    environment: process.env,
    readFile,
  };
}

/** Runs what stands behind `distcache cluster`, and answers the exit code. */
export async function runClusterTool(argv: readonly string[], around: ToolSurroundings): Promise<number> {
  const parsed = parseOrNothing(argv);
  const command = parsed === undefined ? undefined : COMMANDS[parsed.positionals[0] ?? ''];
  if (parsed === undefined || command === undefined) {
    around.printError(USAGE);
    return EXIT_USAGE;
  }
  const { values, positionals } = parsed;
  try {
    const login = readLogin(values, around);
    const link = await openOperatorLink(values.host, Number(values.port), login);
    try {
      return await command({ login, link, values, terminal: around.terminal, rest: positionals.slice(1) });
    } finally {
      link.close();
    }
  } catch (error) {
    around.printError(`distcache: ${(error as Error).message}`);
    return EXIT_UNAVAILABLE;
  }
}

function readArguments(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
}

/** Undefined for what makes no sense. */
function parseOrNothing(argv: readonly string[]): ReturnType<typeof readArguments> | undefined {
  try {
    const parsed = readArguments(argv);
    const { values, positionals } = parsed;
    const [command, ...rest] = positionals;
    const restMax = command === 'forget' ? 1 : 0;
    const isSensible =
      PORT_PATTERN.test(values.port) &&
      (values.wait === undefined || SECONDS_PATTERN.test(values.wait)) &&
      rest.length === restMax;
    return isSensible ? parsed : undefined;
  } catch {
    // Which option is wrong stands in no message that is better than the usage.
    return undefined;
  }
}

function readLogin(values: Tool['values'], { environment, readFile }: ToolSurroundings): OperatorLogin {
  const file = values['password-file'];
  const password = file === undefined ? (environment.REDISCLI_AUTH ?? '') : readFile(file).trimEnd();
  const read = (path: string) => (path === '' ? '' : readFile(path));
  const { user, cacert, cert, key } = values;
  const files = { authority: read(cacert), certificate: read(cert), key: read(key) };
  return { user, password, tls: values.tls ? files : undefined };
}

async function showStatus(tool: Tool): Promise<number> {
  const { terminal, values } = tool;
  const looks = Math.ceil((Number(values.wait ?? 0) * MS_PER_SECOND) / CLUSTER_TOOL_LOOK_MS);
  for (let look = 0; ; look += 1) {
    const reading = await readNode(tool.link);
    const readings = await readAll(tool, reading);
    const isGood = values.wait === undefined ? isClusterServing : isClusterSettled;
    const isDone = isGood(reading, readings);
    if (isDone || look >= looks) {
      for (const line of describeCluster(reading, readings)) terminal.print(line);
      return isDone ? EXIT_DONE : EXIT_NOT_DONE;
    }
    await pause();
  }
}

async function leave({ link, terminal }: Tool): Promise<number> {
  await link.ask('CLUSTER', 'LEAVE');
  for (let told = ''; ; ) {
    const own = (await readNode(link)).nodes.find(({ isOwn }) => isOwn);
    if (own === undefined || own.slots + own.replicas + own.coming === 0) break;
    const line = `${slotsText(own.slots)} to give away, ${own.replicas} to stop copying`;
    if (line !== told) terminal.print(line);
    told = line;
    await pause();
  }
  terminal.print('the node has no slots any more: it can be stopped');
  return EXIT_DONE;
}

async function forget({ link, terminal, values, rest }: Tool): Promise<number> {
  const { nodes } = await readNode(link);
  const found = nodes.filter(({ id }) => id.startsWith(rest[0]));
  if (found.length !== 1 || found[0].isAlive) {
    terminal.print(whyNotForgotten(rest[0], found));
    return EXIT_NOT_DONE;
  }
  const [{ id, slots }] = found;
  terminal.print(
    `node ${id} is gone; ${slotsText(slots)} of it, of which nobody else has a whole copy, go to others:`,
  );
  terminal.print('what is left of them there may be old or in part, and the rest is lost');
  if (!values.yes && !(await terminal.confirm(`Forget node ${shortId(id)}?`))) {
    terminal.print('nothing was changed');
    return EXIT_NOT_DONE;
  }
  await link.ask('CLUSTER', 'FORGET', id);
  terminal.print(`node ${shortId(id)} is forgotten`);
  return EXIT_DONE;
}

function whyNotForgotten(name: string, found: readonly ClusterNodeReading[]): string {
  if (found.length === 0) return `no node's id begins with '${name}'`;
  if (found.length > 1) return `the ids of ${found.length} nodes begin with '${name}'`;
  return `node ${shortId(found[0].id)} is alive: 'distcache cluster leave' takes its slots from it`;
}

async function failover({ link, terminal, values }: Tool): Promise<number> {
  await link.ask('CLUSTER', 'FAILOVER', ...(values.force ? ['FORCE'] : []));
  terminal.print('the node owns now what it had whole replicas of');
  return EXIT_DONE;
}

/** What every node that is alive says of itself. */
async function readAll({ login }: Tool, reading: ClusterReading): Promise<NodeReadings> {
  const readings = new Map<string, ClusterReading | undefined>();
  await Promise.all(
    reading.nodes.map(async (node) => {
      if (node.isOwn) readings.set(node.id, reading);
      else if (node.isAlive) readings.set(node.id, await readOther(node, login));
    }),
  );
  return readings;
}

async function readOther(
  node: ClusterNodeReading,
  login: OperatorLogin,
): Promise<ClusterReading | undefined> {
  const port = login.tls === undefined ? node.port : node.tlsPort;
  try {
    const link = await openOperatorLink(node.host, port, login);
    try {
      return await readNode(link);
    } finally {
      link.close();
    }
  } catch {
    // It is shown as silent.
    return undefined;
  }
}

async function readNode(link: OperatorLink): Promise<ClusterReading> {
  const reply = await link.ask('CLUSTER', 'STATUS');
  if (!Buffer.isBuffer(reply)) throw new Error('the node does not say how its cluster stands');
  return JSON.parse(reply.toString()) as ClusterReading;
}

function pause(): Promise<void> {
  return pauseFor(CLUSTER_TOOL_LOOK_MS, new AbortController().signal);
}
