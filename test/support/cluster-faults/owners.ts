/**
 * Watches who owns which slot, by what etcd says, from its start on: every topology, with the time at which it was heard of.
 */
import { Buffer } from 'node:buffer';
import { getPrefix } from '../../../src/cluster/etcd.ts';
import { createEtcd } from '../../../src/cluster/etcd-gateway.ts';
import { type EtcdEvent, watchPrefix } from '../../../src/cluster/etcd-watch.ts';
import { clusterKeys } from '../../../src/cluster/membership.ts';
import { decodeTopology, nodeAt, type Topology } from '../../../src/cluster/topology.ts';
import { NO_NODE } from '../../../src/routing/node-table.ts';
import { slotOfKey } from '../../../src/routing/slot.ts';
import type { OwnerChange } from './history.ts';

export type Owners = {
  /** The changes of owner of a key's slot, oldest first. */
  changesOf(key: string): OwnerChange[];
  /** The port of the owner of a key's slot at present. */
  portOf(key: string): number | undefined;
  /** The port of the node that coordinates at present. */
  coordinatorPort(): number | undefined;
  readonly epoch: () => number;
  /** Whether slots are on their way to other owners. */
  readonly isMoving: () => boolean;
  /** Why the watch cannot be trusted; undefined while it can. */
  readonly problem: () => string | undefined;
  stop(): void;
};

type Heard = { readonly atMs: number; readonly topology: Topology };

/** Resolves when the first topology is known. `nowMs` is the clock of the history. */
export async function watchOwners(
  urls: readonly string[],
  clusterName: string,
  nowMs: () => number,
): Promise<Owners> {
  const etcd = createEtcd({ urls });
  const keys = clusterKeys(clusterName);
  const heard: Heard[] = [];
  const ports = new Map<string, number>();
  let coordinator = '';
  let problem: string | undefined;
  const take = ({ key, value, modRevision }: Pick<EtcdEvent, 'key' | 'value' | 'modRevision'>) => {
    if (key === keys.coordinator) coordinator = value;
    if (key !== keys.topology || value === '') return;
    const { topology, damage } = decodeTopology(value, modRevision);
    if (topology === undefined) problem = `epoch ${modRevision}: ${damage}`;
    else heard.push({ atMs: nowMs(), topology });
    for (const { id, port } of topology?.nodes ?? []) ports.set(id, port);
  };
  const { values, revision } = await getPrefix(etcd, keys.prefix);
  values.forEach(take);
  const stop = watchPrefix(etcd, keys.prefix, revision + 1, {
    onEvents: (events) => events.forEach(take),
    onLost: () => {
      problem = 'etcd has compacted what was not heard of yet';
    },
  });
  const latest = () => heard.at(-1)?.topology;
  return {
    changesOf: (key) => changesOfSlot(heard, slotOf(key)),
    portOf: (key) => ports.get(ownerId(latest(), slotOf(key))),
    coordinatorPort: () => ports.get(coordinator),
    epoch: () => latest()?.epoch ?? 0,
    isMoving: () => latest()?.targets.some((target) => target !== NO_NODE) ?? false,
    problem: () => problem,
    stop,
  };
}

function changesOfSlot(heard: readonly Heard[], slot: number): OwnerChange[] {
  const changes: OwnerChange[] = [];
  heard.forEach(({ atMs, topology }, i) => {
    const before = heard[i - 1]?.topology;
    if (before === undefined) return;
    const [from, to] = [ownerId(before, slot), ownerId(topology, slot)];
    if (from === to) return;
    const target = nodeAt(before, before.targets[slot])?.id;
    changes.push({ atMs, epoch: topology.epoch, from, to, isFailover: target !== to });
  });
  return changes;
}

function ownerId(topology: Topology | undefined, slot: number): string {
  const index = topology?.owners[slot] ?? NO_NODE;
  return topology === undefined ? '' : (nodeAt(topology, index)?.id ?? '');
}

function slotOf(key: string): number {
  const bytes = Buffer.from(key);
  return slotOfKey(bytes, 0, bytes.length);
}
