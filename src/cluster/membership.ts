/**
 * Who is in the cluster, as etcd has it: the registered nodes, the coordinator and the topology, each a key under one prefix.
 *
 *   /distcache/<cluster-name>/nodes/<id>      a NodeRecord in JSON, under the node's lease
 *   /distcache/<cluster-name>/coordinator     the id of the coordinator, under its lease
 *   /distcache/<cluster-name>/topology        the topology document; its epoch is the revision of its last write
 *
 * `ClusterState` is this node's copy: read whole once, then kept by a watch. Main thread.
 */
import { commit, type EtcdCompare, type EtcdValue } from './etcd.ts';
import type { Etcd } from './etcd-gateway.ts';
import type { EtcdEvent } from './etcd-watch.ts';
import { decodeTopology, isTopologyNode, type Topology } from './topology.ts';

/** What a node says of itself. */
export type NodeRecord = {
  /** 40 hexadecimal digits. */
  readonly id: string;
  readonly host: string;
  /** 0: does not listen there. */
  readonly port: number;
  readonly tlsPort: number;
  readonly httpPort: number;
  readonly weight: number;
  /** Another one with each start of the process. */
  readonly runId: string;
  readonly startedAtMs: number;
  /** Whether it wants to be rid of its slots. */
  readonly isLeaving: boolean;
  /** Whether its process is about to end: what it gives away now it is not to get back. */
  readonly isStopping?: boolean;
};

/** A node whose lease is alive. */
export type Member = NodeRecord & {
  /** etcd's revision at which it was registered; another one each time. */
  readonly registeredAt: number;
};

export type ClusterKeys = {
  readonly prefix: string;
  readonly nodes: string;
  readonly coordinator: string;
  readonly topology: string;
};

export type ClusterState = {
  readonly ownId: string;
  readonly keys: ClusterKeys;
  /** Undefined: none has been written yet, or none was read. */
  topology: Topology | undefined;
  /** The nodes whose leases are alive, by id. Replaced as a whole. */
  members: ReadonlyMap<string, Member>;
  /** The id of the coordinator; '' while there is none. */
  coordinator: string;
  /** etcd's revision that this state is of, as far as it matters here; 0 before the first reading. */
  revision: number;
};

/** What came of a registration. `values` are all of the cluster's keys, right behind it. */
export type Registration =
  | { readonly ok: true; readonly values: readonly EtcdValue[]; readonly revision: number }
  /** Another process has the name, and its lease is alive; undefined where what stands there cannot be read. */
  | { readonly ok: false; readonly other: NodeRecord | undefined };

export type ClusterLog = {
  readonly notice: (text: string) => void;
  readonly warning: (text: string) => void;
};

export function clusterKeys(clusterName: string): ClusterKeys {
  const prefix = `/distcache/${clusterName}/`;
  return {
    prefix,
    nodes: `${prefix}nodes/`,
    coordinator: `${prefix}coordinator`,
    topology: `${prefix}topology`,
  };
}

export function createClusterState(ownId: string, keys: ClusterKeys): ClusterState {
  return { ownId, keys, topology: undefined, members: new Map(), coordinator: '', revision: 0 };
}

/**
 * Registers a node under its lease, and reads everything in the same transaction. Refused while another process is registered
 * under the same name; what an earlier lease of this very process left is replaced. Rejects with an EtcdError.
 */
export async function registerNode(
  etcd: Etcd,
  keys: ClusterKeys,
  record: NodeRecord,
  lease: string,
): Promise<Registration> {
  const key = keys.nodes + record.id;
  const value = JSON.stringify(record);
  let compare: EtcdCompare = { key, createRevision: 0 };
  for (;;) {
    const { succeeded, found, revision } = await commit(etcd, {
      compare: [compare],
      success: [{ put: key, value, lease }, { getPrefix: keys.prefix }],
      failure: [{ get: key }],
    });
    const values = found[0] ?? [];
    if (succeeded) return { ok: true, values, revision };
    const present = values[0];
    if (present === undefined) {
      compare = { key, createRevision: 0 };
      continue;
    }
    const other = parseNodeRecord(present.value);
    if (other?.runId !== record.runId) return { ok: false, other };
    compare = { key, modRevision: present.modRevision };
  }
}

/** Takes in all of the cluster's keys as they are at a revision, whatever was known before. */
export function takeValues(
  state: ClusterState,
  values: readonly EtcdValue[],
  revision: number,
  log: ClusterLog,
): void {
  const members = new Map<string, Member>();
  let coordinator = '';
  let topology: Topology | undefined;
  for (const { key, value, modRevision, createRevision } of values) {
    const record = recordAt(state, key, value, log);
    if (record !== undefined) members.set(record.id, { ...record, registeredAt: createRevision });
    if (key === state.keys.coordinator) coordinator = value;
    if (key === state.keys.topology) topology = readTopology(state, value, modRevision, log);
  }
  Object.assign(state, { members, coordinator, topology, revision });
}

/** Takes in changes of the cluster's keys, in order. */
export function takeEvents(state: ClusterState, events: readonly EtcdEvent[], log: ClusterLog): void {
  const { keys } = state;
  const members = new Map(state.members);
  for (const { key, value, modRevision, createRevision, isRemoved } of events) {
    if (key.startsWith(keys.nodes)) {
      const record = isRemoved ? undefined : recordAt(state, key, value, log);
      if (record === undefined) members.delete(key.slice(keys.nodes.length));
      else members.set(record.id, { ...record, registeredAt: createRevision });
    }
    if (key === keys.coordinator) state.coordinator = value;
    if (key === keys.topology) takeTopology(state, isRemoved ? undefined : value, modRevision, log);
    state.revision = modRevision;
  }
  state.members = members;
}

/** Takes in a topology, or that there is none. This node may know of a later one, which it has written itself. */
export function takeTopology(
  state: ClusterState,
  value: string | undefined,
  modRevision: number,
  log: ClusterLog,
): void {
  if (state.topology !== undefined && modRevision <= state.topology.epoch) return;
  if (value === undefined) log.warning('the topology has been removed from etcd');
  state.topology = value === undefined ? undefined : readTopology(state, value, modRevision, log);
}

/** A document that cannot be read leaves the one from before in force: nobody can have changed ownership by it. */
function readTopology(
  state: ClusterState,
  value: string,
  epoch: number,
  log: ClusterLog,
): Topology | undefined {
  const decoded = decodeTopology(value, epoch);
  if ('topology' in decoded) return decoded.topology;
  log.warning(`the topology of epoch ${epoch} in etcd cannot be read: ${decoded.damage}`);
  return state.topology;
}

function recordAt(
  { keys }: ClusterState,
  key: string,
  value: string,
  log: ClusterLog,
): NodeRecord | undefined {
  if (!key.startsWith(keys.nodes)) return undefined;
  const record = parseNodeRecord(value);
  if (record?.id === key.slice(keys.nodes.length)) return record;
  log.warning(`what etcd has at '${key}' describes no node`);
  return undefined;
}

/** Undefined for what describes no node. */
export function parseNodeRecord(text: string): NodeRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Record<string, unknown>;
  const isLeaving = fields.isLeaving === true;
  // What the topology cannot name is not taken in: a document with it is one that nobody can read.
  const isNode = isTopologyNode({ ...fields, index: 0, isLeaving });
  if (!isNode || typeof fields.runId !== 'string' || !Number.isSafeInteger(fields.startedAtMs))
    return undefined;
  return { ...(fields as unknown as NodeRecord), isLeaving };
}
