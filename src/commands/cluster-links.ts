/**
 * CLUSTER LINKS: the connections between this node and the others, over which commands are passed on and changes are sent.
 *
 * Runs on the thread of the connection; each thread answers for its own. Shape as in redis-server 7.0.15, where a node has two links
 * with each other; here it has as many as its workers have needed so far.
 */
import { type ReplyWriter, writeArray, writeBulkText, writeInteger, writeMap } from '../resp/reply-writer.ts';
import { type Call, deferReply } from './call.ts';
import type { LinkFigures } from './cluster-view.ts';
import type { Engine } from './engine.ts';

const TOPIC_LINKS = 'cluster-links';
const FIELDS = 6;

/** Answers the other threads from now on. */
export function installClusterLinks(engine: Engine): void {
  engine.bus.handle(TOPIC_LINKS, () => ownLinks(engine));
}

/** A thread that does not answer is left out. */
export function listLinks(call: Call): void {
  const deferred = deferReply(call);
  void call.engine.bus.requestAll(TOPIC_LINKS, null).then((answers) => {
    const links = (answers as (LinkFigures[] | undefined)[]).flatMap((own) => own ?? []);
    deferred.resume((reply) => writeLinks(reply, links));
  });
}

/** Those that this thread has opened, and those that others have opened to it. */
function ownLinks({ cluster, sessions }: Engine): LinkFigures[] {
  const links = cluster?.forwarder?.links() ?? [];
  for (const { peerId, createdAtMs, connection } of sessions.values()) {
    if (peerId === '') continue;
    const usedBytes = connection.outputBytes();
    links.push({ direction: 'from', nodeId: peerId, createdAtMs, allocatedBytes: usedBytes, usedBytes });
  }
  return links;
}

function writeLinks(reply: ReplyWriter, links: readonly LinkFigures[]): void {
  writeArray(reply, links.length);
  for (const { direction, nodeId, createdAtMs, allocatedBytes, usedBytes } of links) {
    writeMap(reply, FIELDS);
    writeBulkText(reply, 'direction');
    writeBulkText(reply, direction);
    writeBulkText(reply, 'node');
    writeBulkText(reply, nodeId);
    writeBulkText(reply, 'create-time');
    writeInteger(reply, createdAtMs);
    writeBulkText(reply, 'events');
    // What waits to be sent is watched for as well.
    writeBulkText(reply, usedBytes > 0 ? 'rw' : 'r');
    writeBulkText(reply, 'send-buffer-allocated');
    writeInteger(reply, allocatedBytes);
    writeBulkText(reply, 'send-buffer-used');
    writeInteger(reply, usedBytes);
  }
}
