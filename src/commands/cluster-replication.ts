/**
 * What nodes say to one another about replicas, as subcommands of CLUSTER that only connections of nodes may use.
 *
 * Runs on the thread of the connection. FEED turns it into a stream of frames (cluster/replication-frames.ts); FEED-ACK and FEED-ANEW
 * come back by it and have no reply.
 */
import { Buffer } from 'node:buffer';
import { CLUSTER_GIVE_MS_MAX } from '../config/limits-cluster.ts';
import {
  type ReplyWriter,
  writeArray,
  writeBulk,
  writeError,
  writeNull,
  writeOk,
} from '../resp/reply-writer.ts';
import { argumentText } from './arguments.ts';
import { type Call, deferReply, type Handler } from './call.ts';
import { TOPIC_CLUSTER_GIVE } from './cluster-topics.ts';
import type { Replication } from './cluster-view.ts';
import { replyFromMain } from './main-reply.ts';

export const clusterReplicationHandlers: Readonly<Record<string, Handler>> = {
  'cluster|feed': feed,
  'cluster|feed-ack': acknowledge,
  'cluster|feed-anew': copyAnew,
  'cluster|give': give,
  'cluster|replica-progress': progress,
};

function feed(call: Call): void {
  const replication = replicationFor(call);
  if (replication === undefined) return;
  const problem = replication.feed(call.session, argumentText(call, 2), argumentCopy(call, 3));
  if (problem === undefined) writeOk(call.reply);
  else writeError(call.reply, problem);
}

function acknowledge(call: Call): void {
  replicationFor(call)?.acknowledge(call.session, argumentCopy(call, 2));
}

function copyAnew(call: Call): void {
  replicationFor(call)?.copyAnew(call.session, argumentCopy(call, 2));
}

/** Answers which slots this node has whole of another's, as bits, and up to which LSN of each of its shards, as u64s; nil for nothing. */
function progress(call: Call): void {
  const replication = replicationFor(call);
  if (replication === undefined) return;
  const deferred = deferReply(call);
  replication.progress(argumentText(call, 2)).then((known) => {
    deferred.resume((reply) => {
      if (known === undefined) {
        writeNull(reply);
        return;
      }
      writeArray(reply, 2);
      writeBulk(reply, known.slotBits, 0, known.slotBits.length);
      writeBulk(reply, known.lsns, 0, known.lsns.length);
    });
  });
}

/** Asks this node for its slots that the node has whole replicas of. */
function give(call: Call): void {
  if (replicationFor(call) === undefined) return;
  const write = (reply: ReplyWriter, error: string) =>
    error === '' ? writeOk(reply) : writeError(reply, error);
  replyFromMain(call, TOPIC_CLUSTER_GIVE, argumentText(call, 2), write, CLUSTER_GIVE_MS_MAX);
}

/** Answers where there is none. */
function replicationFor({ engine, session, reply }: Call): Replication | undefined {
  const replication = engine.cluster?.replication;
  if (session.isPeer && replication !== undefined) return replication;
  writeError(reply, 'ERR only the nodes of a cluster may say that to one another');
  return undefined;
}

function argumentCopy({ input, spans }: Call, index: number): Buffer {
  return Buffer.from(input.subarray(spans[2 * index], spans[2 * index + 1]));
}
