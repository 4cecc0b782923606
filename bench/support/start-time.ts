/** Starts servers on folders that stay, and tells how long it takes until they answer. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ask, openClient } from './client.ts';
import { loadKeys } from './comparison.ts';
import { freePort, type Peer } from './peers.ts';
import { type Ping, pingOf } from './ping.ts';
import { cpuSecondsOf } from './proc.ts';

/** From exec to the first answer to a ping: a server that loads says so, and that does not count. */
export type Started = { readonly firstReplyMs: number; readonly cpuMs: number; readonly keys: number };

const POLL_MS = 1;
const START_MS_MAX = 300_000;
const STOP_MS_MAX = 30_000;
const SECONDS_TO_MS = 1000;
const OUTPUT_CHARACTERS_KEPT = 2_000;

/** Fills the folder: so many keys, then a snapshot if one is wanted. The flags of `peer` say whether there is a log. */
export async function prepareFolder(
  peer: Peer,
  folder: string,
  keys: number,
  hasSnapshot: boolean,
): Promise<void> {
  await withStarted(peer, folder, async ({ port }) => {
    await loadKeys(port, keys);
    if (hasSnapshot) await ask(port, 'SAVE');
  });
}

/** One start on a folder, and a stop. */
export async function measureStart(peer: Peer, folder: string): Promise<Started> {
  return withStarted(peer, folder, async ({ port, pid, firstReplyMs }) => {
    const cpuMs = cpuSecondsOf(pid) * SECONDS_TO_MS;
    const keys = peer.protocol === 'memcached' ? 0 : Number(await ask(port, 'DBSIZE'));
    return { firstReplyMs, cpuMs, keys };
  });
}

/** The bytes of all files below a folder. */
export function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

async function withStarted<Result>(
  peer: Peer,
  folder: string,
  use: (started: { port: number; pid: number; firstReplyMs: number }) => Promise<Result>,
): Promise<Result> {
  const port = await freePort();
  const place = await placeFlags(peer, port, folder);
  const startedMs = performance.now();
  const child = spawn(peer.program, [...peer.flags, ...place], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const output = keepOutput(child);
  try {
    if (!(await firstReply(child, port, pingOf(peer.protocol))))
      throw new Error(`${peer.name} did not start:\n${output()}`);
    return await use({ port, pid: child.pid ?? 0, firstReplyMs: performance.now() - startedMs });
  } finally {
    await stop(child);
    process.off('exit', killWithUs);
  }
}

/** Ours serves HTTP too, as it does by default. */
async function placeFlags({ protocol, program }: Peer, port: number, folder: string): Promise<string[]> {
  if (protocol === 'memcached') return ['-p', String(port)];
  const http = program === process.execPath ? ['--http-port', String(await freePort())] : [];
  return ['--port', String(port), '--dir', folder, ...http];
}

/** Resolves to whether it answered before it ended. */
async function firstReply(child: ChildProcess, port: number, ping: Ping): Promise<boolean> {
  const deadlineMs = performance.now() + START_MS_MAX;
  while (child.exitCode === null && child.signalCode === null && performance.now() < deadlineMs) {
    const socket = await openClient(port).catch(() => undefined);
    const isUp = socket !== undefined && (await asksUntilServed(socket, ping, deadlineMs));
    socket?.destroy();
    if (isUp) return true;
    await setTimeout(POLL_MS);
  }
  return false;
}

/** Asks again and again over one connection; false when that ends first. */
async function asksUntilServed(
  socket: Socket,
  { request, reply }: Ping,
  deadlineMs: number,
): Promise<boolean> {
  const closed = once(socket, 'close').then(() => '');
  while (performance.now() < deadlineMs) {
    socket.write(request);
    const answered = once(socket, 'data').then(([chunk]) => (chunk as Buffer).toString('latin1'));
    const text = await Promise.race([answered, closed]);
    if (text === '') return false;
    if (text.startsWith(reply)) return true;
    await setTimeout(POLL_MS);
  }
  return false;
}

function keepOutput({ stdout, stderr }: ChildProcess): () => string {
  let output = '';
  for (const stream of [stdout, stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_KEPT);
    });
  }
  return () => output;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const isGone = await Promise.race([
    exited.then(() => true),
    setTimeout(STOP_MS_MAX, false, { ref: false }),
  ]);
  if (isGone) return;
  child.kill('SIGKILL');
  await exited;
}
