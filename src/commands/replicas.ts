/**
 * The other nodes that this one feeds with its changes, for INFO and ROLE.
 *
 * Any thread. Read from the table of nodes, which the threads that feed them write.
 */
import { acknowledgedLsn } from '../routing/replication-board.ts';
import { LSN } from '../shard/layout.ts';
import type { ClusterNode } from './cluster-view.ts';
import type { Engine } from './engine.ts';

type AttachedReplica = {
  readonly node: ClusterNode;
  /** The changes that it has got, of all shards. */
  readonly offset: number;
  /** Seconds since it was last heard of, whole ones. */
  readonly lagSeconds: number;
};

/** The changes of this node so far, of all shards; 0 on a node that is alone, which counts them for nobody. */
export type AttachedReplicas = { readonly offset: number; readonly replicas: readonly AttachedReplica[] };

const MS_PER_SECOND = 1000;
const NOBODY: AttachedReplicas = { offset: 0, replicas: [] };

export function attachedReplicas({ cluster, shards }: Engine): AttachedReplicas {
  if (cluster === undefined) return NOBODY;
  const { table, nodes, board, sharedMs } = cluster;
  const nowMs = sharedMs();
  const replicas: AttachedReplica[] = [];
  for (const node of nodes) {
    if (node === undefined || table.heardOfMs[node.index] === 0) continue;
    const lagMs = Math.max(0, nowMs - table.heardOfMs[node.index]);
    let offset = 0;
    for (const { index } of shards) {
      offset += board === undefined ? 0 : acknowledgedLsn(board, node.index, index);
    }
    replicas.push({ node, offset, lagSeconds: Math.floor(lagMs / MS_PER_SECOND) });
  }
  let offset = 0;
  for (const { numbers } of shards) offset += numbers[LSN];
  return { offset, replicas };
}
