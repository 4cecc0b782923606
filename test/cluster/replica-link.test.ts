/** The connection of a replica to an owner: how long it waits for one that does not answer. */
import { Buffer } from 'node:buffer';
import net from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { closeLink, createLink, type ReplicaLink, tickLink } from '../../src/cluster/replica-link.ts';
import { clusterNode, clusterTable } from '../support/cluster-table.ts';
import { createHarness } from '../support/harness.ts';
import { until } from '../support/until.ts';

const OWNER = 1;

let nowMs: number;
let owner: net.Server;
let callers: net.Socket[];
let link: ReplicaLink;

beforeEach(async () => {
  nowMs = 1_000;
  callers = [];
  owner = net.createServer((socket) => {
    socket.on('error', () => undefined);
    callers.push(socket);
  });
  await new Promise<void>((resolve) => void owner.listen(0, '127.0.0.1', resolve));
  const { port } = owner.address() as net.AddressInfo;
  const flags = ['--cluster-node-timeout', '3000', '--repl-timeout', '60'];
  const cluster = clusterTable({ sharedMs: () => nowMs });
  const { engine } = createHarness({ shards: 1, cluster, flags });
  const around = { engine, cluster, readBuffer: Buffer.alloc(4096) };
  link = createLink(around, { ...clusterNode(OWNER), port });
});

afterEach(() => {
  closeLink(link);
  for (const caller of callers) caller.destroy();
  owner.close();
});

function tickAt(ms: number): boolean {
  nowMs = ms;
  tickLink(link);
  return link.socket !== undefined;
}

it('calls again when it gets no answer for the time that a node may be silent', async () => {
  expect(tickAt(1_000)).toBe(true);
  await until(() => callers.length === 1, { what: () => 'no call', msMax: 5_000 });
  expect(tickAt(4_000)).toBe(true);
  expect(tickAt(4_001)).toBe(false);
  expect(tickAt(4_500)).toBe(true);
  await until(() => callers.length === 2, { what: () => `${callers.length} calls`, msMax: 5_000 });
});

it('waits longer for an owner that it has heard of', async () => {
  tickAt(1_000);
  await until(() => callers.length === 1, { what: () => 'no call', msMax: 5_000 });
  callers[0].write('+OK\r\n+OK\r\n');
  await until(() => link.repliesLeft === 0, { what: () => 'no answer', msMax: 5_000 });
  expect(tickAt(61_000)).toBe(true);
  expect(tickAt(61_001)).toBe(false);
});
