/**
 * The topology: which nodes there are, and for each slot who owns it, who has replicas of it and who is about to own it. One
 * document in etcd (docs/formats/topology.md), whose revision is the epoch; every change replaces the whole of it.
 *
 * Owns no state; main thread, and the tools. A topology is never changed in place: who wants another one makes it (topology-draft.ts).
 */
import { Buffer } from 'node:buffer';
import { constants, deflateSync, inflateSync } from 'node:zlib';
import { assert } from '../base/assert.ts';
import { PORT_MAX } from '../config/directive.ts';
import { CLUSTER_WEIGHT_MAX } from '../config/limits-cluster.ts';
import { NO_NODE, NODES_MAX, REPLICAS_MAX } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';

/** A node that the topology names, alive or not. Its index is its name in the tables for as long as it is here. */
export type TopologyNode = {
  /** 40 hexadecimal digits. */
  readonly id: string;
  /** 0 to 254. */
  readonly index: number;
  /** Its share of the slots, relative to the others'. */
  readonly weight: number;
  readonly host: string;
  /** 0: does not listen there. */
  readonly port: number;
  readonly tlsPort: number;
  readonly httpPort: number;
  /** Whether its slots are to go to others. */
  readonly isLeaving: boolean;
};

/** The tables have 16384 bytes, indices of nodes or NO_NODE. */
export type Topology = {
  /** The revision of etcd at which it was written, 0 for one that was not. It grows with each change. */
  readonly epoch: number;
  /** In no order. */
  readonly nodes: readonly TopologyNode[];
  readonly owners: Uint8Array;
  /** REPLICAS_MAX of them, by rank; who holds a replica, or is to. */
  readonly replicas: readonly Uint8Array[];
  /** Who is to become the owner. */
  readonly targets: Uint8Array;
};

/** What decoding finds: a topology, or in words what is wrong with the text. */
export type DecodedTopology =
  | { readonly topology: Topology; readonly damage?: undefined }
  | { readonly topology?: undefined; readonly damage: string };

const TOPOLOGY_VERSION = 1;
const NODE_ID_PATTERN = /^[0-9a-f]{40}$/;
const BASE64_PATTERN = /^[A-Za-z0-9+/]*={0,2}$/;

/** Without nodes, and no slot assigned. */
export function createTopology(): Topology {
  const emptyTable = () => new Uint8Array(SLOT_COUNT).fill(NO_NODE);
  return {
    epoch: 0,
    nodes: [],
    owners: emptyTable(),
    replicas: Array.from({ length: REPLICAS_MAX }, emptyTable),
    targets: emptyTable(),
  };
}

/** The text of the document, without the epoch: some 15 KiB. About 1.5 ms. A topology that could not be decoded is a bug. */
export function encodeTopology(topology: Topology): string {
  const damage = topologyDamage(topology);
  assert(damage === undefined, `a topology that is written can be read: ${damage}`);
  return JSON.stringify({
    version: TOPOLOGY_VERSION,
    nodes: topology.nodes,
    owners: encodeTable(topology.owners),
    replicas: topology.replicas.map(encodeTable),
    targets: encodeTable(topology.targets),
  });
}

/** The topology in the text that was written at the revision `epoch`. About 1 ms. */
export function decodeTopology(text: string, epoch: number): DecodedTopology {
  const document = parseObject(text);
  if (document === undefined) return { damage: 'it is no JSON object' };
  if (document.version !== TOPOLOGY_VERSION) {
    return {
      damage: `its version is ${JSON.stringify(document.version)}, and this server knows ${TOPOLOGY_VERSION}`,
    };
  }
  if (!Array.isArray(document.nodes)) return { damage: 'nodes is no list' };
  const misshapen = document.nodes.findIndex((node) => !isTopologyNode(node));
  if (misshapen >= 0) return { damage: `nodes[${misshapen}] is no node` };
  const { replicas } = document;
  if (!Array.isArray(replicas) || replicas.length !== REPLICAS_MAX)
    return { damage: `replicas is no list of ${REPLICAS_MAX} tables` };
  const texts = [document.owners, ...replicas, document.targets];
  const tables = texts.map(decodeTable);
  const unread = tables.indexOf(undefined);
  if (unread >= 0) return { damage: `${tableName(unread)} is no table of ${SLOT_COUNT} slots` };
  const [owners, ...others] = tables as Uint8Array[];
  const topology: Topology = {
    epoch,
    nodes: document.nodes as TopologyNode[],
    owners,
    replicas: others.slice(0, REPLICAS_MAX),
    targets: others[REPLICAS_MAX],
  };
  const damage = topologyDamage(topology);
  return damage === undefined ? { topology } : { damage };
}

/** What contradicts itself in a topology, in words; undefined where nothing does. */
export function topologyDamage(topology: Topology): string | undefined {
  return damagedNodes(topology.nodes) ?? damagedTables(topology);
}

/** The node with this index or id; undefined where there is none. O(nodes). */
export function nodeAt({ nodes }: Topology, index: number): TopologyNode | undefined {
  return nodes.find((node) => node.index === index);
}

export function nodeOfId({ nodes }: Topology, id: string): TopologyNode | undefined {
  return nodes.find((node) => node.id === id);
}

/** How many slots a table gives to each index, NO_NODE included: 256 counts. */
export function countSlots(table: Uint8Array): Uint16Array {
  const counts = new Uint16Array(NO_NODE + 1);
  for (const index of table) counts[index] += 1;
  return counts;
}

function damagedNodes(nodes: readonly TopologyNode[]): string | undefined {
  const ids = new Set<string>();
  const indices = new Set<number>();
  for (const { id, index } of nodes) {
    if (ids.has(id)) return `node ${id} is there twice`;
    if (indices.has(index)) return `index ${index} is that of two nodes`;
    ids.add(id);
    indices.add(index);
  }
  return undefined;
}

function damagedTables(topology: Topology): string | undefined {
  const isKnown = new Uint8Array(NO_NODE + 1);
  isKnown[NO_NODE] = 1;
  for (const { index } of topology.nodes) isKnown[index] = 1;
  const tables = [topology.owners, ...topology.replicas, topology.targets];
  for (let i = 0; i < tables.length; i++) {
    if (tables[i].length !== SLOT_COUNT) return `${tableName(i)} is no table of ${SLOT_COUNT} slots`;
    const slot = tables[i].findIndex((index) => isKnown[index] === 0);
    if (slot >= 0)
      return `${tableName(i)} gives slot ${slot} to index ${tables[i][slot]}, which is no node's`;
  }
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const damage = damagedSlot(topology, slot);
    if (damage !== undefined) return `slot ${slot} has ${damage}`;
  }
  return undefined;
}

function damagedSlot({ owners, replicas, targets }: Topology, slot: number): string | undefined {
  const owner = owners[slot];
  if (owner !== NO_NODE && targets[slot] === owner) return 'its owner as its target';
  if (owner === NO_NODE && targets[slot] !== NO_NODE) return 'a target and no owner';
  for (let rank = 0; rank < REPLICAS_MAX; rank++) {
    const replica = replicas[rank][slot];
    if (replica === NO_NODE) continue;
    if (owner === NO_NODE) return 'a replica and no owner';
    if (replica === owner) return 'its owner among its replicas';
    for (let other = 0; other < rank; other++) {
      if (replicas[other][slot] === replica) return 'a replica twice';
    }
  }
  return undefined;
}

/** How the tables are called in complaints: owners, replicas by rank, targets. */
function tableName(at: number): string {
  if (at === 0) return 'owners';
  return at <= REPLICAS_MAX ? `replicas[${at - 1}]` : 'targets';
}

/** Runs and Huffman codes: neighbours have nothing in common but long runs of no node, so a search for repetitions costs ten times as much for nothing. */
function encodeTable(table: Uint8Array): string {
  return deflateSync(table, { strategy: constants.Z_RLE }).toString('base64');
}

function decodeTable(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string' || !BASE64_PATTERN.test(text)) return undefined;
  try {
    const bytes = inflateSync(Buffer.from(text, 'base64'), { maxOutputLength: SLOT_COUNT });
    return bytes.length === SLOT_COUNT ? new Uint8Array(bytes) : undefined;
  } catch {
    // Cut off, changed (there is an Adler-32 behind the data), or longer than a table.
    return undefined;
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a node is described as the document has it. */
export function isTopologyNode(value: unknown): value is TopologyNode {
  if (!isObject(value)) return false;
  const { id, index, weight, host, port, tlsPort, httpPort, isLeaving } = value;
  return (
    typeof id === 'string' &&
    NODE_ID_PATTERN.test(id) &&
    isWithin(index, 0, NODES_MAX - 1) &&
    isWithin(weight, 1, CLUSTER_WEIGHT_MAX) &&
    typeof host === 'string' &&
    [port, tlsPort, httpPort].every((number) => isWithin(number, 0, PORT_MAX)) &&
    typeof isLeaving === 'boolean'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWithin(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
