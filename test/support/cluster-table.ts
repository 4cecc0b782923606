/**
 * A cluster without one: node tables that are filled by hand, for tests of what a node does by its table.
 */
import { type ClusterNode, type ClusterView, createClusterView } from '../../src/commands/cluster-view.ts';
import {
  createNodeTableBuffer,
  IS_COVERED,
  LEASE_ENDS_MS,
  NO_NODE,
  OWN_INDEX,
  ROLE_IMPORTING,
  ROLE_OWNER,
  ROLE_REPLICA,
  TABLE_VERSION,
  TOPOLOGY_EPOCH,
} from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';

export type ClusterTableOptions = {
  /** How many nodes there are; 3 by default. Node i is `nodeId(i)` at 127.0.0.1:7000 + i, TLS 7100 + i. */
  nodes?: number;
  /** Which of them this one is; 0 by default. */
  own?: number;
  /** The owner of a slot, by default the slot modulo the nodes; NO_NODE for none. */
  ownerOf?: (slot: number) => number;
  /** Who holds a replica of rank 0, by default nobody. */
  replicaOf?: (slot: number) => number;
  targetOf?: (slot: number) => number;
  /** The clock of the lease, and until when there is one. */
  sharedMs?: () => number;
  leaseEndsMs?: number;
};

/** The id of a node in these tests. */
export function nodeId(index: number): string {
  return String.fromCharCode(97 + index).repeat(40);
}

export function clusterNode(index: number): ClusterNode {
  return {
    id: nodeId(index),
    index,
    host: '127.0.0.1',
    port: 7000 + index,
    tlsPort: 7100 + index,
    httpPort: 8000 + index,
    weight: 100,
    isAlive: true,
  };
}

/** A view of a cluster in which all is well and every replica is whole. */
export function clusterTable({
  nodes = 3,
  own = 0,
  ownerOf = (slot) => slot % nodes,
  replicaOf = () => NO_NODE,
  targetOf = () => NO_NODE,
  sharedMs = () => 0,
  leaseEndsMs = Number.MAX_VALUE,
}: ClusterTableOptions = {}): ClusterView {
  const view = createClusterView(createNodeTableBuffer(), sharedMs);
  const { table } = view;
  view.nodes = Array.from({ length: nodes }, (_, index) => clusterNode(index));
  table.words[OWN_INDEX] = own;
  table.words[IS_COVERED] = 1;
  table.numbers[TOPOLOGY_EPOCH] = 1;
  table.numbers[LEASE_ENDS_MS] = leaseEndsMs;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    setSlot(view, slot, ownerOf(slot), replicaOf(slot), targetOf(slot));
    if (table.owners[slot] === NO_NODE) table.words[IS_COVERED] = 0;
  }
  return view;
}

/** Gives a slot to these nodes, as a new topology would. */
export function setSlot(
  { table }: ClusterView,
  slot: number,
  owner: number,
  replica: number = NO_NODE,
  target: number = NO_NODE,
): void {
  const own = table.words[OWN_INDEX];
  table.owners[slot] = owner;
  table.replicas[0][slot] = replica;
  table.targets[slot] = target;
  table.roles[slot] =
    (is(owner, own) ? ROLE_OWNER : 0) |
    (is(replica, own) ? ROLE_REPLICA : 0) |
    (is(target, own) && owner !== own ? ROLE_IMPORTING : 0);
  table.syncedFrom[slot] = is(replica, own) ? owner : NO_NODE;
  table.words[TABLE_VERSION] += 1;
}

function is(node: number, own: number): boolean {
  return node === own && own !== NO_NODE;
}
