/**
 * One worker of a cluster whose other nodes are fakes on real ports: the real turns, the real links, and answers as a test wants them.
 */
import { Buffer } from 'node:buffer';
import { sharedMs } from '../../src/base/clock.ts';
import { startForwarding } from '../../src/cluster/forward.ts';
import type { ClusterView } from '../../src/commands/cluster-view.ts';
import { createPeerBoardBuffer, openPeerBoard } from '../../src/resilience/peer-board.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { clusterNode, clusterTable } from './cluster-table.ts';
import { type FakePeer, startFakePeer } from './fake-peer.ts';
import { requestBytes } from './request-bytes.ts';
import { createServingWorld, type ServingWorld, type WorldClient } from './serving-world.ts';

export type ForwardWorld = ServingWorld & {
  readonly cluster: ClusterView;
  /** By node; this one, node 0, among them: it calls itself for its part of a command. */
  readonly peers: readonly FakePeer[];
  readonly close: () => Promise<void>;
};

/** Three nodes, of which this one is the first; slot s is node s modulo 3's. */
export async function createForwardWorld(
  flags: readonly string[] = [],
  draw = () => 0,
): Promise<ForwardWorld> {
  const nodes = 3;
  const peers = await Promise.all(Array.from({ length: nodes }, () => startFakePeer()));
  const cluster = clusterTable({ nodes, sharedMs });
  cluster.nodes = peers.map(({ port }, index) => ({ ...clusterNode(index), port }));
  const world = createServingWorld({ appendfsync: 'no', flags, cluster });
  const { engine } = world.harness;
  startForwarding(engine, cluster, openPeerBoard(createPeerBoardBuffer(), engine.config), draw);
  const close = async (): Promise<void> => {
    await Promise.all(peers.map((peer) => peer.close()));
  };
  return Object.assign(world, { cluster, peers, close });
}

/** A key of a node that begins with a text. */
export function keyOfNode(node: number, start = 'key', nodes = 3): string {
  let key = start;
  while (slotOf(key) % nodes !== node) key += '.';
  return key;
}

export function slotOf(key: string): number {
  return slotOfKey(Buffer.from(key), 0, key.length);
}

export function sendAll(client: WorldClient, ...commands: string[][]): void {
  client.sendBytes(...commands.map((words) => requestBytes(...words)));
}

/** Waits until something holds, some milliseconds at a time; a second at the most. */
export async function until(holds: () => boolean): Promise<void> {
  for (let round = 0; round < 500 && !holds(); round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  if (!holds()) throw new Error('it does not come to hold');
}

export const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
