/**
 * How many replicas another node's slots have, for WAIT of a client whose changes went there: asked over the same link, so that the
 * question comes behind the changes.
 *
 * On the workers of a node of a cluster.
 */
import { Buffer } from 'node:buffer';
import type { ReplicaCount } from '../commands/cluster-view.ts';
import { decodeReply } from '../resp/reply-value.ts';
import { createReplyWriter, writeArray, writeBulk, writeBulkText } from '../resp/reply-writer.ts';
import { runErrand } from './errand.ts';
import type { PeerLinks } from './peer-links.ts';

const REQUEST_BYTES_START = 256;

/**
 * Asks `node` how many replicas have what its shards had at `lsns` (its own list, as it told it before; empty: what they have now) of
 * these slots, or of all of its own where there are none. `done` hears undefined where that could not be had.
 */
export function countReplicasElsewhere(
  links: PeerLinks,
  node: number,
  protocol: 2 | 3,
  slots: readonly number[],
  lsns: Buffer,
  done: (count: ReplicaCount | undefined) => void,
): void {
  const pieces: Buffer[] = [];
  runErrand(
    links,
    {
      ...{ protocol, request: requestFor(slots, lsns), prefaces: 0, isWrite: false, mayFollow: false },
      onReply: (bytes, start, end, isWhole) => {
        pieces.push(Buffer.from(bytes.subarray(start, end)));
        if (isWhole) done(countOf(Buffer.concat(pieces)));
      },
      onFailure: () => done(undefined),
    },
    node,
    false,
  );
}

function requestFor(slots: readonly number[], lsns: Buffer): Buffer {
  const writer = createReplyWriter(REQUEST_BYTES_START);
  writeArray(writer, 3 + slots.length);
  writeBulkText(writer, 'CLUSTER');
  writeBulkText(writer, 'WAIT-SLOTS');
  writeBulk(writer, lsns, 0, lsns.length);
  for (const slot of slots) writeBulkText(writer, `${slot}`);
  return Buffer.from(writer.bytes.subarray(0, writer.length));
}

function countOf(reply: Buffer): ReplicaCount | undefined {
  const value = decodeReply(reply);
  if (!Array.isArray(value)) return undefined;
  const [count, lsns] = value as readonly unknown[];
  return typeof count === 'number' && Buffer.isBuffer(lsns) ? { count, lsns } : undefined;
}
