/**
 * CLUSTER and its subcommands: what clients and tools of Redis Cluster ask, and what operators ask of this node.
 *
 * Runs on the thread of the connection, under no lock. Who has which slots is etcd's to say, so what would change it here by hand is
 * refused, and the refusal says what to do instead. Source of the replies: Redis 7.0 `cluster.c`, `clusterCommand`.
 */
import { parseInt64 } from '../base/decimal.ts';
import {
  type ReplyWriter,
  writeArray,
  writeBulkText,
  writeError,
  writeInteger,
  writeOk,
} from '../resp/reply-writer.ts';
import { OWN_INDEX, REPLICAS_MAX } from '../routing/node-table.ts';
import { SLOT_COUNT, slotOfKey } from '../routing/slot.ts';
import { argumentText, integerOf, isWord, NOT_AN_INTEGER, replySyntaxError } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { replyClusterInfo } from './cluster-info.ts';
import { layoutHandlers } from './cluster-layout.ts';
import { listLinks } from './cluster-links.ts';
import { describeNode, findNode, knownNodes, rangesByOwner } from './cluster-nodes.ts';
import { replyClusterStatus } from './cluster-status.ts';
import { TOPIC_CLUSTER_FAILOVER, TOPIC_CLUSTER_FORGET, TOPIC_CLUSTER_LEAVE } from './cluster-topics.ts';
import type { ClusterNode, ClusterView } from './cluster-view.ts';
import { replyHelp, replyUnknownSubcommand } from './help.ts';
import { listKeysInSlot } from './keys-scan.ts';
import { countKeysInSlot } from './keys-seen.ts';
import { replyFromMain } from './main-reply.ts';
import { GUARD_ACL } from './session.ts';

/** A subcommand of a node that is in a cluster. */
type ClusterHandler = (call: Call, cluster: ClusterView) => void;

const DISABLED = 'ERR This instance has cluster support disabled';

const BY_COORDINATOR =
  'the coordinator gives slots to nodes (cluster-weight says how many, CLUSTER LEAVE takes all from this node)';
const BY_ETCD = 'etcd keeps it';

/** What is not done by hand in this cluster, and how it is done. */
const DECIDED_ELSEWHERE: Readonly<Record<string, string>> = {
  addslots: BY_COORDINATOR,
  addslotsrange: BY_COORDINATOR,
  bumpepoch: BY_ETCD,
  delslots: BY_COORDINATOR,
  delslotsrange: BY_COORDINATOR,
  flushslots: BY_COORDINATOR,
  meet: 'a node joins by its own configuration (cluster-etcd and cluster-name)',
  replicate: 'the coordinator places replicas (cluster-replicas says how many)',
  reset: 'CLUSTER LEAVE takes all slots from this node',
  saveconfig: BY_ETCD,
  'set-config-epoch': BY_ETCD,
  setslot: BY_COORDINATOR,
};

/** As redis-server's, without what is refused. */
const HELP = [
  'COUNT-FAILURE-REPORTS <node-id>',
  '    Return number of failure reports for <node-id>.',
  'COUNTKEYSINSLOT <slot>',
  '    Return the number of keys in <slot>.',
  'FAILOVER [FORCE|TAKEOVER]',
  '    Promote current replica node to being a master.',
  'FORGET <node-id>',
  '    Remove a node from the cluster.',
  'GETKEYSINSLOT <slot> <count>',
  '    Return key names stored by current node in a slot.',
  'INFO',
  '    Return information about the cluster.',
  'KEYSLOT <key>',
  '    Return the hash slot for <key>.',
  'LEAVE',
  '    Give all slots of current node to others, so that it can be stopped.',
  'MYID',
  '    Return the node id.',
  'NODES',
  '    Return cluster configuration seen by node. Output format:',
  '    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...',
  'REPLICAS <node-id>',
  '    Return <node-id> replicas.',
  'SLOTS',
  '    Return information about slots range mappings. Each range is made of:',
  '    start, end, master and replicas IP addresses, ports and ids',
  'SHARDS',
  '    Return information about slot range mappings and the nodes associated with them.',
  'STATUS',
  '    Return all that this node knows of its cluster, as JSON.',
  'LINKS',
  '    Return information about all network links between this node and its peers.',
  '    Output format is an array where each array element is a map containing attributes of a link',
];

const inCluster: Readonly<Record<string, ClusterHandler>> = {
  'cluster|count-failure-reports': countFailureReports,
  'cluster|countkeysinslot': countKeys,
  'cluster|failover': failOver,
  'cluster|forget': forget,
  'cluster|getkeysinslot': getKeys,
  'cluster|help': (call) => replyHelp(call, HELP),
  'cluster|info': replyClusterInfo,
  'cluster|leave': (call) => replyFromMain(call, TOPIC_CLUSTER_LEAVE, null, writeOutcome),
  'cluster|links': listLinks,
  'cluster|myid': ({ reply }, { table, nodes }) =>
    writeBulkText(reply, nodes[table.words[OWN_INDEX]]?.id ?? ''),
  'cluster|peer': becomePeer,
  'cluster|replicas': listReplicas,
  'cluster|slaves': listReplicas,
  'cluster|status': replyClusterStatus,
  ...Object.fromEntries(
    Object.entries(DECIDED_ELSEWHERE).map(([name, how]) => [
      `cluster|${name}`,
      ({ reply }: Call) =>
        writeError(reply, `ERR CLUSTER ${name.toUpperCase()} is not done by hand here: ${how}`),
    ]),
  ),
};

export const clusterHandlers: Readonly<Record<string, Handler>> = {
  'cluster|keyslot': ({ reply, input, spans }) => writeInteger(reply, slotOfKey(input, spans[4], spans[5])),
  ...Object.fromEntries(Object.entries(inCluster).map(([name, handler]) => [name, ifInCluster(handler)])),
  ...Object.fromEntries(
    Object.entries(layoutHandlers).map(([name, handler]) => [name, ifInCluster(handler)]),
  ),
  asking: ifInCluster(({ session, reply }) => {
    session.askedAt = session.commandsProcessed;
    writeOk(reply);
  }),
  readonly: ifInCluster(({ session, reply }) => {
    session.isReadOnly = true;
    writeOk(reply);
  }),
  readwrite: ifInCluster(({ session, reply }) => {
    session.isReadOnly = false;
    writeOk(reply);
  }),
};

function ifInCluster(handler: ClusterHandler): Handler {
  return (call) => {
    const { cluster } = call.engine;
    if (cluster === undefined) writeError(call.reply, DISABLED);
    else handler(call, cluster);
  };
}

/** Nodes are declared gone by the end of their leases, not by each other. */
function countFailureReports(call: Call, cluster: ClusterView): void {
  if (knownNode(call, cluster) !== undefined) writeInteger(call.reply, 0);
}

function countKeys(call: Call): void {
  const slot = readSlot(call, 'ERR Invalid slot');
  if (!Number.isNaN(slot)) writeInteger(call.reply, countKeysInSlot(call.engine, slot));
}

function getKeys(call: Call): void {
  const slot = readInteger(call, 2);
  if (Number.isNaN(slot)) return;
  const count = readInteger(call, 3);
  if (Number.isNaN(count)) return;
  if (!isSlot(slot) || count < 0) writeError(call.reply, 'ERR Invalid slot or number of keys');
  else listKeysInSlot(call, slot, count);
}

function readSlot(call: Call, outOfRange: string): number {
  const slot = readInteger(call, 2);
  if (Number.isNaN(slot) || isSlot(slot)) return slot;
  writeError(call.reply, outOfRange);
  return Number.NaN;
}

function isSlot(value: number): boolean {
  return value >= 0 && value < SLOT_COUNT;
}

/** An integer argument, one that no double holds exactly as the nearest; NaN after an error. */
function readInteger(call: Call, index: number): number {
  const value = integerOf(call, index);
  if (!Number.isNaN(value)) return value;
  const { input, spans, reply } = call;
  const large = parseInt64(input, spans[2 * index], spans[2 * index + 1]);
  if (large === undefined) writeError(reply, NOT_AN_INTEGER);
  return large === undefined ? Number.NaN : Number(large);
}

/** The node whose id is argument 2; undefined after an error. */
function knownNode(call: Call, cluster: ClusterView): ClusterNode | undefined {
  const id = argumentText(call, 2);
  const node = findNode(cluster, id);
  if (node === undefined) writeError(call.reply, `ERR Unknown node ${id}`);
  return node;
}

/** The nodes that have replicas of some slots of the node. */
function listReplicas(call: Call, cluster: ClusterView): void {
  const owner = knownNode(call, cluster);
  if (owner === undefined) return;
  const { owners, replicas } = cluster.table;
  const found = new Set<number>();
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (owners[slot] !== owner.index) continue;
    for (let rank = 0; rank < REPLICAS_MAX; rank += 1) found.add(replicas[rank][slot]);
  }
  const ranges = rangesByOwner(cluster);
  const nodes = knownNodes(cluster).filter(({ index }) => found.has(index));
  writeArray(call.reply, nodes.length);
  for (const node of nodes) {
    const line = describeNode(cluster, node, ranges.get(node.index) ?? [], call.session.isEncrypted);
    writeBulkText(call.reply, line);
  }
}

function failOver(call: Call): void {
  const isForced = isWord(call, 2, 'FORCE') || isWord(call, 2, 'TAKEOVER');
  if (call.count > 3) replyUnknownSubcommand(call);
  else if (call.count === 3 && !isForced) replySyntaxError(call);
  else replyFromMain(call, TOPIC_CLUSTER_FAILOVER, isForced, writeOutcome);
}

function forget(call: Call, cluster: ClusterView): void {
  const node = knownNode(call, cluster);
  if (node === undefined) return;
  if (node.index === cluster.table.words[OWN_INDEX])
    writeError(call.reply, "ERR I tried hard but I can't forget myself...");
  else replyFromMain(call, TOPIC_CLUSTER_FORGET, node.id, writeOutcome);
}

/** The error to answer, or '' for OK. */
function writeOutcome(reply: ReplyWriter, error: string): void {
  if (error === '') writeOk(reply);
  else writeError(reply, error);
}

/** Another node introduces itself: what it asks for is not passed on again, and it may use what is for nodes only. */
function becomePeer(call: Call): void {
  const { engine, session, reply } = call;
  const { clusterName } = engine.config;
  if ((session.guards & GUARD_ACL) !== 0) {
    writeError(reply, 'NOPERM only a user that may do everything can be another node (masteruser)');
  } else if (argumentText(call, 3) !== clusterName) {
    writeError(reply, `ERR this node is of the cluster '${clusterName}'`);
  } else {
    session.isPeer = true;
    session.peerId = argumentText(call, 2);
    writeOk(reply);
  }
}
