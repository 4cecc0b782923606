/**
 * How far the nodes are that get this node's changes, in memory that all threads share: what WAIT, hand-overs and figures go by.
 *
 * Each node's part is written by the thread that feeds it (cluster/replication-feed.ts) and read by all; a reader may see a moment
 * earlier. In float64 numbers:
 *
 *   ┌─ node 0: FEED, SENT BYTES, ACKNOWLEDGED BYTES, COPIES, ... ─ by shard: the LSN that it has in its log ─┬─ node 1 ─┬ ...
 *
 * Then words (threads/wakes.ts), one for each worker: whether it feeds nodes, and wants to know of changes; and as many: whether clients
 * of it wait for replicas, and it wants to know of acknowledgements.
 */
import { assert } from '../base/assert.ts';
import { NODES_MAX } from './node-table.ts';

/** The id of the client that is fed, 0 for none. */
export const FEED_CLIENT = 0;
/** Bytes of frames that were sent to it, and that it has taken, since it came. */
export const FEED_SENT_BYTES = 1;
export const FEED_TAKEN_BYTES = 2;
/** Copies of the slots of a shard that were begun for the node since this process started. */
export const FEED_COPIES = 3;
/** Bytes of changes, of all its shards, that were not looked at for it yet. */
export const FEED_BEHIND_BYTES = 4;
const NODE_NUMBERS = 8;

export type ReplicationBoard = {
  readonly shards: number;
  readonly numbers: Float64Array;
  /** By worker; through threads/wakes.ts. */
  readonly changeWakes: Int32Array;
  readonly acknowledgementWakes: Int32Array;
};

export function createReplicationBuffer(shards: number, workers: number): SharedArrayBuffer {
  const numbers = NODES_MAX * (NODE_NUMBERS + shards) * Float64Array.BYTES_PER_ELEMENT;
  return new SharedArrayBuffer(numbers + 2 * workers * Int32Array.BYTES_PER_ELEMENT);
}

export function openReplicationBoard(buffer: SharedArrayBuffer, shards: number): ReplicationBoard {
  const count = NODES_MAX * (NODE_NUMBERS + shards);
  const numbers = new Float64Array(buffer, 0, count);
  assert(buffer.byteLength >= numbers.byteLength, 'the memory has so many shards');
  const words = new Int32Array(buffer, numbers.byteLength);
  const workers = words.length / 2;
  return {
    ...{ shards, numbers },
    changeWakes: words.subarray(0, workers),
    acknowledgementWakes: words.subarray(workers),
  };
}

/** One of FEED_* of a node. */
export function feedNumber({ numbers, shards }: ReplicationBoard, node: number, which: number): number {
  return numbers[node * (NODE_NUMBERS + shards) + which];
}

export function setFeedNumber(board: ReplicationBoard, node: number, which: number, value: number): void {
  board.numbers[node * (NODE_NUMBERS + board.shards) + which] = value;
}

/** Up to which change of a shard the node has in its log what it is to have of it. */
export function acknowledgedLsn({ numbers, shards }: ReplicationBoard, node: number, shard: number): number {
  return numbers[node * (NODE_NUMBERS + shards) + NODE_NUMBERS + shard];
}

export function setAcknowledgedLsn(board: ReplicationBoard, node: number, shard: number, lsn: number): void {
  board.numbers[node * (NODE_NUMBERS + board.shards) + NODE_NUMBERS + shard] = lsn;
}
