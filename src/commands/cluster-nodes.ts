/**
 * The nodes as CLUSTER NODES and REPLICAS describe them, and the slots of each in ranges.
 *
 * Any thread. O(slots) each time: whoever is asked often keeps what comes out (cluster-layout.ts).
 */
import { NO_NODE, OWN_INDEX, TOPOLOGY_EPOCH } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import type { ClusterNode, ClusterView } from './cluster-view.ts';

/** redis-server's cluster bus, which there is none of here: tools expect a number, and the distance to the port to be this. */
const BUS_PORT_OFFSET = 10_000;

/** Neighbouring slots with one owner, both ends included. */
export type SlotRange = { readonly first: number; readonly last: number };

/** Those that are in the topology. */
export function knownNodes({ nodes }: ClusterView): ClusterNode[] {
  return nodes.filter((node) => node !== undefined);
}

export function findNode(cluster: ClusterView, id: string): ClusterNode | undefined {
  return knownNodes(cluster).find((node) => node.id === id);
}

/** The slots of each owner, by its index. */
export function rangesByOwner({ table }: ClusterView): ReadonlyMap<number, SlotRange[]> {
  const ranges = new Map<number, SlotRange[]>();
  const { owners } = table;
  for (let first = 0; first < SLOT_COUNT; ) {
    const owner = owners[first];
    let last = first;
    while (last + 1 < SLOT_COUNT && owners[last + 1] === owner) last += 1;
    if (owner !== NO_NODE) {
      const others = ranges.get(owner);
      if (others === undefined) ranges.set(owner, [{ first, last }]);
      else others.push({ first, last });
    }
    first = last + 1;
  }
  return ranges;
}

/** The port for clients that come by TLS, or not; the other where there is only that. */
export function portFor({ port, tlsPort }: ClusterNode, isEncrypted: boolean): number {
  return isEncrypted ? tlsPort || port : port || tlsPort;
}

/**
 * One line without its end, as in redis-server. Every node is a `master`: it owns slots and has replicas of others at the same time. Its
 * epoch is the topology's.
 */
export function describeNode(
  { table }: ClusterView,
  node: ClusterNode,
  ranges: readonly SlotRange[],
  isEncrypted: boolean,
): string {
  const port = portFor(node, isEncrypted);
  const isOwn = node.index === table.words[OWN_INDEX];
  const flags = `${isOwn ? 'myself,' : ''}master${node.isAlive ? '' : ',fail'}`;
  const link = node.isAlive ? 'connected' : 'disconnected';
  let line = `${node.id} ${node.host}:${port}@${port + BUS_PORT_OFFSET} ${flags} - 0 0 ${table.numbers[TOPOLOGY_EPOCH]} ${link}`;
  for (const { first, last } of ranges) line += first === last ? ` ${first}` : ` ${first}-${last}`;
  return line;
}
