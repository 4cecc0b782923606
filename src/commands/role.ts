/**
 * ROLE, and REPLICAOF by its two names: whose replica this server is. It is nobody's, as a whole: in a cluster, slots have replicas.
 *
 * Runs on the thread of the connection, under no lock.
 */
import { writeArray, writeBulkText, writeError, writeInteger, writeOk } from '../resp/reply-writer.ts';
import { isWord } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { attachedReplicas } from './replicas.ts';

export const roleHandlers: Readonly<Record<string, Handler>> = {
  replicaof: followOther,
  role: tellRole,
  slaveof: followOther,
};

/** `master`, the changes of this node, and the nodes that it feeds: host, port, how many of them each has. */
function tellRole({ engine, reply }: Call): void {
  const { offset, replicas } = attachedReplicas(engine);
  writeArray(reply, 3);
  writeBulkText(reply, 'master');
  writeInteger(reply, offset);
  writeArray(reply, replicas.length);
  for (const { node, offset: acknowledged } of replicas) {
    writeArray(reply, 3);
    writeBulkText(reply, node.host);
    writeBulkText(reply, `${node.port || node.tlsPort}`);
    writeBulkText(reply, `${acknowledged}`);
  }
}

function followOther(call: Call): void {
  if (call.engine.cluster !== undefined) {
    writeError(call.reply, 'ERR REPLICAOF not allowed in cluster mode.');
  } else if (isWord(call, 1, 'NO') && isWord(call, 2, 'ONE')) {
    writeOk(call.reply);
  } else {
    writeError(
      call.reply,
      'ERR this server follows no other: replicas are part of a cluster (cluster-enabled, cluster-replicas)',
    );
  }
}
