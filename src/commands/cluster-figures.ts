/**
 * What this node knows of its cluster as one record (metrics/cluster-reading.ts), from the table of the slots, the nodes, and what
 * their links say of them.
 *
 * Runs on any thread that has an engine; who coordinates is known on main alone. Off the hot path: some 200 us.
 */
import type { ByRole, ClusterNodeReading, ClusterReading } from '../metrics/cluster-reading.ts';
import { stateName } from '../resilience/circuit-breaker.ts';
import {
  PEER_COMMANDS_PER_SECOND,
  PEER_HEARD_MS,
  PEER_LATENCY_MS,
  type PeerBoard,
  peerNumber,
} from '../resilience/peer-board.ts';
import {
  IS_COVERED,
  isInSync,
  isSyncedTo,
  LEASE_ENDS_MS,
  NO_NODE,
  type NodeTable,
  OWN_INDEX,
  ROLE_HANDING_OVER,
  ROLE_IMPORTING,
  ROLE_OWNER,
  ROLE_REPLICA,
  TOPOLOGY_EPOCH,
} from '../routing/node-table.ts';
import {
  FEED_BEHIND_BYTES,
  FEED_CLIENT,
  FEED_COPIES,
  FEED_SENT_BYTES,
  FEED_TAKEN_BYTES,
  feedNumber,
  type ReplicationBoard,
} from '../routing/replication-board.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { isServing } from './cluster-info.ts';
import type { ClusterNode, ClusterView } from './cluster-view.ts';
import type { Engine } from './engine.ts';
import { countKeysInSlot } from './keys-seen.ts';

/** Slots by node, by what the node is to them; `fed` are this node's, `held` are of the node's. One number for each index. */
type Tallies = Record<
  'slots' | 'replicas' | 'coming' | 'fed' | 'fedWhole' | 'held' | 'heldWhole',
  Uint32Array
>;

/** Undefined on a node that is alone. */
export function readCluster(engine: Engine): ClusterReading | undefined {
  const { cluster, config } = engine;
  if (cluster === undefined) return undefined;
  const { table, sharedMs } = cluster;
  const own = table.words[OWN_INDEX];
  const reading: ClusterReading = {
    name: config.clusterName,
    ownId: cluster.nodes[own]?.id ?? '',
    coordinatorId: cluster.coordinatorId(),
    epoch: table.numbers[TOPOLOGY_EPOCH],
    isCovered: table.words[IS_COVERED] === 1,
    isServing: isServing(cluster, config.clusterRequireFullCoverage),
    leaseLeftMs: Math.max(0, table.numbers[LEASE_ENDS_MS] - sharedMs()),
    slots: noneByRole(),
    keys: noneByRole(),
    wholeReplicas: 0,
    handingOver: 0,
    coveredSlots: 0,
    movingSlots: 0,
    nodes: [],
  };
  const tallies = createTallies();
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    addSlot(reading, cluster, slot, countKeysInSlot(engine, slot));
    tallySlot(tallies, table, own, slot);
  }
  reading.nodes = cluster.nodes.flatMap((node) =>
    node === undefined ? [] : [readNode(cluster, tallies, node, own, reading.coordinatorId)],
  );
  return reading;
}

function noneByRole(): ByRole {
  return { own: 0, replica: 0, importing: 0, strange: 0 };
}

function addSlot(reading: ClusterReading, { table, nodes }: ClusterView, slot: number, keys: number): void {
  const role = table.roles[slot];
  const kind = kindOf(role);
  reading.slots[kind] += 1;
  reading.keys[kind] += keys;
  if (kind === 'replica' && isInSync(table, slot)) reading.wholeReplicas += 1;
  if ((role & ROLE_HANDING_OVER) !== 0) reading.handingOver += 1;
  if (nodes[table.owners[slot]]?.isAlive === true) reading.coveredSlots += 1;
  if (table.targets[slot] !== NO_NODE) reading.movingSlots += 1;
}

function kindOf(role: number): keyof ByRole {
  if ((role & ROLE_OWNER) !== 0) return 'own';
  if ((role & ROLE_REPLICA) !== 0) return 'replica';
  return (role & ROLE_IMPORTING) !== 0 ? 'importing' : 'strange';
}

function createTallies(): Tallies {
  const none = () => new Uint32Array(NO_NODE + 1);
  return {
    slots: none(),
    replicas: none(),
    coming: none(),
    fed: none(),
    fedWhole: none(),
    held: none(),
    heldWhole: none(),
  };
}

function tallySlot(tallies: Tallies, table: NodeTable, own: number, slot: number): void {
  const owner = table.owners[slot];
  tallies.slots[owner] += 1;
  tallies.coming[table.targets[slot]] += 1;
  for (const ranked of table.replicas) {
    const node = ranked[slot];
    if (node === NO_NODE) continue;
    tallies.replicas[node] += 1;
    if (owner === own) {
      tallies.fed[node] += 1;
      if (isSyncedTo(table, node, slot)) tallies.fedWhole[node] += 1;
    } else if (node === own) {
      tallies.held[owner] += 1;
      if (isInSync(table, slot)) tallies.heldWhole[owner] += 1;
    }
  }
}

function readNode(
  { table, peers, board, sharedMs }: ClusterView,
  tallies: Tallies,
  node: ClusterNode,
  own: number,
  coordinatorId: string,
): ClusterNodeReading {
  const { index } = node;
  const isOwn = index === own;
  const heardMs = table.heardOfMs[index];
  const pinged = isOwn || peers === undefined ? undefined : pingOf(peers, index);
  return {
    ...node,
    isOwn,
    isCoordinator: node.id === coordinatorId,
    slots: tallies.slots[index],
    replicas: tallies.replicas[index],
    coming: tallies.coming[index],
    fedSlots: tallies.fed[index],
    fedWhole: tallies.fedWhole[index],
    fedHeardAgoMs: heardMs === 0 ? null : Math.max(0, sharedMs() - heardMs),
    ...feedOf(board, index),
    heldSlots: tallies.held[index],
    heldWhole: tallies.heldWhole[index],
    circuit: isOwn || peers === undefined ? null : stateName(peers.breakers[index]),
    pingMs: pinged?.latencyMs ?? null,
    commandsPerSecond: pinged?.commandsPerSecond ?? null,
  };
}

function feedOf(
  board: ReplicationBoard | undefined,
  node: number,
): Pick<ClusterNodeReading, 'isFed' | 'fedBehindBytes' | 'fedInFlightBytes' | 'fedCopies'> {
  const numberOf = (which: number) => (board === undefined ? 0 : feedNumber(board, node, which));
  const isFed = numberOf(FEED_CLIENT) !== 0;
  return {
    isFed,
    fedBehindBytes: isFed ? numberOf(FEED_BEHIND_BYTES) : 0,
    fedInFlightBytes: isFed ? Math.max(0, numberOf(FEED_SENT_BYTES) - numberOf(FEED_TAKEN_BYTES)) : 0,
    fedCopies: numberOf(FEED_COPIES),
  };
}

function pingOf(
  peers: PeerBoard,
  node: number,
): { latencyMs: number; commandsPerSecond: number } | undefined {
  if (peerNumber(peers, node, PEER_HEARD_MS) === 0) return undefined;
  return {
    latencyMs: peerNumber(peers, node, PEER_LATENCY_MS),
    commandsPerSecond: peerNumber(peers, node, PEER_COMMANDS_PER_SECOND),
  };
}
