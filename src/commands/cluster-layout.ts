/**
 * Who has which slots, as CLUSTER SLOTS, SHARDS and NODES tell clients, which ask again whenever something has moved.
 *
 * Runs on the thread of the connection. Slots lie scattered over the nodes, so a reply may have ten thousand ranges and megabytes: each
 * is made once for a state of the table (some ms), and then copied.
 */
import { Buffer } from 'node:buffer';
import {
  createReplyWriter,
  insertArray,
  type ReplyWriter,
  writeArray,
  writeBulkText,
  writeInteger,
  writeMap,
  writeRaw,
  writeVerbatim,
} from '../resp/reply-writer.ts';
import { NO_NODE, REPLICAS_MAX, TABLE_VERSION } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import type { Call, Handler } from './call.ts';
import { describeNode, knownNodes, portFor, rangesByOwner } from './cluster-nodes.ts';
import type { ClusterNode, ClusterView } from './cluster-view.ts';

type Layout = 'slots' | 'shards' | 'nodes';

/** A reply as it was for a version of the table and those nodes. */
type Made = { readonly version: number; readonly nodes: ClusterView['nodes']; readonly bytes: Buffer };

type MakeLayout = (reply: ReplyWriter, cluster: ClusterView, isEncrypted: boolean) => void;

const REPLY_BYTES_START = 16 * 1024;
const NODE_BYTES_START = 256;

/** The latest of each kind, protocol and port. One map for each thread. */
const made = new Map<string, Made>();

const MAKERS: Readonly<Record<Layout, MakeLayout>> = {
  slots: writeSlots,
  shards: writeShards,
  nodes: writeNodes,
};

export const layoutHandlers: Readonly<Record<string, Handler>> = {
  'cluster|slots': (call) => replyLayout(call, 'slots'),
  'cluster|shards': (call) => replyLayout(call, 'shards'),
  'cluster|nodes': (call) => replyLayout(call, 'nodes'),
};

function replyLayout({ engine, session, reply }: Call, layout: Layout): void {
  const { cluster } = engine;
  if (cluster === undefined) return;
  const { isEncrypted } = session;
  const name = `${layout} ${reply.protocol} ${isEncrypted}`;
  const version = cluster.table.words[TABLE_VERSION];
  let latest = made.get(name);
  if (latest?.version !== version || latest.nodes !== cluster.nodes) {
    const writer = createReplyWriter(REPLY_BYTES_START);
    writer.protocol = reply.protocol;
    MAKERS[layout](writer, cluster, isEncrypted);
    const bytes = Buffer.from(writer.bytes.subarray(0, writer.length));
    latest = { version, nodes: cluster.nodes, bytes };
    made.set(name, latest);
  }
  writeRaw(reply, latest.bytes);
}

/** Ranges of slots whose owner and replicas are the same: first, last, the owner, the replicas. */
function writeSlots(reply: ReplyWriter, cluster: ClusterView, isEncrypted: boolean): void {
  const parts = new Map(
    knownNodes(cluster).map((node) => [node.index, slotsPart(node, isEncrypted, reply.protocol)]),
  );
  let count = 0;
  visitRuns(cluster, (first, last, group) => {
    writeArray(reply, 2 + group.length);
    writeInteger(reply, first);
    writeInteger(reply, last);
    for (const node of group) writeRaw(reply, parts.get(node.index) ?? Buffer.alloc(0));
    count += 1;
  });
  insertArray(reply, 0, count);
}

/** Where a node is, its id, and what else is known of its network: nothing. */
function slotsPart(node: ClusterNode, isEncrypted: boolean, protocol: 2 | 3): Buffer {
  const writer = createReplyWriter(NODE_BYTES_START);
  writer.protocol = protocol;
  writeArray(writer, 4);
  writeBulkText(writer, node.host);
  writeInteger(writer, portFor(node, isEncrypted));
  writeBulkText(writer, node.id);
  writeMap(writer, 0);
  return writer.bytes.subarray(0, writer.length);
}

/** A "shard" of redis-server is all slots with the same owner and the same replicas. */
function writeShards(reply: ReplyWriter, cluster: ClusterView): void {
  const shards = new Map<string, { readonly group: readonly ClusterNode[]; readonly ends: number[] }>();
  visitRuns(cluster, (first, last, group) => {
    const name = group.map(({ index }) => index).join(' ');
    const shard = shards.get(name) ?? { group, ends: [] };
    shard.ends.push(first, last);
    shards.set(name, shard);
  });
  writeArray(reply, shards.size);
  for (const { group, ends } of shards.values()) {
    writeMap(reply, 2);
    writeBulkText(reply, 'slots');
    writeArray(reply, ends.length);
    for (const end of ends) writeInteger(reply, end);
    writeBulkText(reply, 'nodes');
    writeArray(reply, group.length);
    for (const [rank, node] of group.entries()) writeShardNode(reply, node, rank);
  }
}

function writeShardNode(reply: ReplyWriter, node: ClusterNode, rank: number): void {
  const fields: [string, string | number][] = [['id', node.id]];
  if (node.port > 0) fields.push(['port', node.port]);
  if (node.tlsPort > 0) fields.push(['tls-port', node.tlsPort]);
  fields.push(['ip', node.host], ['endpoint', node.host], ['role', rank === 0 ? 'master' : 'replica']);
  fields.push(['replication-offset', 0], ['health', node.isAlive ? 'online' : 'fail']);
  writeMap(reply, fields.length);
  for (const [name, value] of fields) {
    writeBulkText(reply, name);
    if (typeof value === 'number') writeInteger(reply, value);
    else writeBulkText(reply, value);
  }
}

function writeNodes(reply: ReplyWriter, cluster: ClusterView, isEncrypted: boolean): void {
  const ranges = rangesByOwner(cluster);
  const lines = knownNodes(cluster).map(
    (node) => `${describeNode(cluster, node, ranges.get(node.index) ?? [], isEncrypted)}\n`,
  );
  writeVerbatim(reply, 'txt', lines.join(''));
}

/** Calls back for each run of slots with the same owner and the same live replicas, the owner first, in ascending order. */
function visitRuns(
  cluster: ClusterView,
  visit: (first: number, last: number, group: readonly ClusterNode[]) => void,
): void {
  for (let first = 0; first < SLOT_COUNT; ) {
    let last = first;
    while (last + 1 < SLOT_COUNT && areAlike(cluster, first, last + 1)) last += 1;
    const group = groupOf(cluster, first);
    if (group.length > 0) visit(first, last, group);
    first = last + 1;
  }
}

function areAlike({ table }: ClusterView, slot: number, other: number): boolean {
  const { owners, replicas } = table;
  if (owners[slot] !== owners[other]) return false;
  for (let rank = 0; rank < REPLICAS_MAX; rank += 1) {
    if (replicas[rank][slot] !== replicas[rank][other]) return false;
  }
  return true;
}

function groupOf({ table, nodes }: ClusterView, slot: number): ClusterNode[] {
  const owner = nodes[table.owners[slot]];
  if (owner === undefined || table.owners[slot] === NO_NODE) return [];
  const group = [owner];
  for (const replicas of table.replicas) {
    const replica = nodes[replicas[slot]];
    if (replica?.isAlive) group.push(replica);
  }
  return group;
}
