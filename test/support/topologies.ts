/** Nodes of a topology for tests, told apart by their index alone. */
import type { TopologyNode } from '../../src/cluster/topology.ts';

/** A node whose id, host and ports follow from its index. */
export function topologyNode(index: number, change: Partial<TopologyNode> = {}): TopologyNode {
  return {
    id: nodeId(index),
    index,
    weight: 100,
    host: `10.0.0.${index}`,
    port: 6379,
    tlsPort: 0,
    httpPort: 8080,
    isLeaving: false,
    ...change,
  };
}

/** An id that looks as chance would make it, so that the order of ids is not that of the indices. */
export function nodeId(index: number): string {
  const digits = (Math.imul(index + 1, 0x9e3779b9) >>> 0).toString(16).padStart(8, '0');
  return digits.repeat(5);
}
