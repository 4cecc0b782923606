/**
 * The servers that are compared, started as processes on a spare local port, without persistence unless their flags ask
 * for it, and stopped by their process id.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { VERSION } from '../../src/base/version.ts';
import { ask, openClient } from './client.ts';
import { MissingProgram } from './options.ts';
import { ourProgram } from './our-program.ts';

/** What a server speaks: RESP, or memcached's text protocol. */
export type Protocol = 'resp' | 'memcached';

/** A server that can be started. `flags` come behind what every run of it has. */
export type Peer = {
  readonly name: string;
  readonly protocol: Protocol;
  readonly version: string;
  readonly program: string;
  readonly flags: readonly string[];
};

export type RunningPeer = {
  readonly port: number;
  /** Of our own server: 0 unless asked for. */
  readonly httpPort: number;
  readonly pid: number;
  readonly stop: () => Promise<void>;
};

/** `http`: whether our own server gets a port for HTTP. `parent`: where its folder is made, the temporary folder by default. */
type StartOptions = { readonly http?: boolean; readonly parent?: string | undefined };

const START_MS_MAX = 30_000;
const START_RETRY_MS = 20;
const STOP_MS_MAX = 5_000;
const OUTPUT_CHARACTERS_KEPT = 2_000;

/** A flag that comes again takes the place of the earlier one, in all of these servers. */
const WITHOUT_PERSISTENCE = ['--appendonly', 'no', '--save', ''];
/** No UDP; more connections, and larger values than the megabyte that is the default. */
const MEMCACHED_FLAGS = ['-l', '127.0.0.1', '-U', '0', '-c', '4096', '-I', '8m', '-m', '4096'];
/** What is compared where it is installed. */
const OPTIONAL_PROGRAMS = ['valkey-server', 'memcached'];

/** This server at its defaults but for `flags`. */
export function ourPeer(flags: readonly string[] = [], name = 'distcache'): Peer {
  const { file, isSources } = ourProgram();
  return {
    name,
    protocol: 'resp',
    version: `distcache ${VERSION}${isSources ? ' from the sources' : ''}`,
    program: process.execPath,
    flags: [file, ...WITHOUT_PERSISTENCE, ...flags],
  };
}

/** redis-server at its defaults but for `flags`. Throws a MissingProgram where it is not installed. */
export function redisPeer(flags: readonly string[] = []): Peer {
  return foreignPeer('redis-server', requireProgram('redis-server'), flags);
}

/** valkey-server, where it is installed. */
export function valkeyPeers(flags: readonly string[] = []): Peer[] {
  const program = findProgram('valkey-server');
  return program === undefined ? [] : [foreignPeer('valkey-server', program, flags)];
}

/** memcached, where it is installed, with 4 GiB unless `flags` say `-m`. */
export function memcachedPeers(flags: readonly string[] = []): Peer[] {
  const program = findProgram('memcached');
  if (program === undefined) return [];
  const version = execFileSync(program, ['--version'], { encoding: 'utf8' }).trim();
  // It does not run as root unless it is told to.
  const asUser = ['-u', userInfo().username];
  const all = [...MEMCACHED_FLAGS, ...asUser, ...flags];
  return [{ name: 'memcached', protocol: 'memcached', version, program, flags: all }];
}

/** Those that would be compared and are not installed. */
export function missingPeers(): string[] {
  return OPTIONAL_PROGRAMS.filter((name) => findProgram(name) === undefined);
}

/** The path of a program. Throws a MissingProgram where it is not on the PATH. */
export function requireProgram(name: string): string {
  const program = findProgram(name);
  if (program === undefined) throw new MissingProgram(name);
  return program;
}

/** Starts a server and resolves once it answers. Throws with what it printed when it does not. */
async function startPeer(
  peer: Peer,
  { http = false, parent = tmpdir() }: StartOptions,
): Promise<RunningPeer> {
  const port = await freePort();
  const httpPort = http ? await freePort() : 0;
  const folder = mkdtempSync(join(parent, 'distcache-bench-'));
  const place = placeFlags(peer, port, httpPort, folder);
  const child = spawn(peer.program, [...peer.flags, ...place], { stdio: ['ignore', 'pipe', 'pipe'] });
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_KEPT);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const stop = async (): Promise<void> => {
    await stopChild(child);
    process.off('exit', killWithUs);
    rmSync(folder, { recursive: true, force: true });
  };
  if (await answers(child, peer, port)) return { port, httpPort, pid: child.pid ?? 0, stop };
  await stop();
  throw new Error(`${peer.name} did not start:\n${output}`);
}

/** Starts a server, uses it, and stops it whatever comes. */
export async function withPeer<Result>(
  peer: Peer,
  use: (running: RunningPeer) => Promise<Result>,
  options: StartOptions = {},
): Promise<Result> {
  const running = await startPeer(peer, options);
  try {
    return await use(running);
  } finally {
    await running.stop();
  }
}

function placeFlags(peer: Peer, port: number, httpPort: number, folder: string): string[] {
  if (peer.protocol === 'memcached') return ['-p', String(port)];
  const isOurs = peer.program === process.execPath;
  const http = isOurs ? ['--http-port', String(httpPort)] : [];
  return ['--port', String(port), '--dir', folder, ...http];
}

/** The text of /metrics of our own server. */
export async function fetchMetrics({ httpPort }: RunningPeer): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`);
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
  return response.text();
}

function foreignPeer(name: string, program: string, flags: readonly string[]): Peer {
  const told = execFileSync(program, ['--version'], { encoding: 'utf8' });
  const version = /v=(\S+)/.exec(told)?.[1] ?? told.trim();
  const all = [...WITHOUT_PERSISTENCE, ...flags];
  return { name, protocol: 'resp', version: `${name} ${version}`, program, flags: all };
}

function findProgram(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not in this folder: the next one may have it.
    }
  }
  return undefined;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function answers(child: ChildProcess, { protocol }: Peer, port: number): Promise<boolean> {
  const deadlineMs = performance.now() + START_MS_MAX;
  while (child.exitCode === null && child.signalCode === null && performance.now() < deadlineMs) {
    const isUp = protocol === 'resp' ? answersPing(port) : acceptsConnection(port);
    if (await isUp.catch(() => false)) return true;
    await new Promise((resolve) => setTimeout(resolve, START_RETRY_MS));
  }
  return false;
}

async function answersPing(port: number): Promise<boolean> {
  return (await ask(port, 'PING')) === 'PONG';
}

/** memcached has nothing to load: it serves as soon as it listens. */
async function acceptsConnection(port: number): Promise<boolean> {
  const socket = await openClient(port);
  socket.destroy();
  return true;
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const forced = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
  clearTimeout(forced);
}
