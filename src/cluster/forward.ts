/**
 * Commands that other nodes execute for this node's clients: the `Forwarder` of commands/cluster-view.ts.
 *
 * On every worker of a node of a cluster. A command goes out as it came, and its reply comes back as the owner wrote it, in the
 * client's protocol; the client's next commands run meanwhile, here or on other nodes, and the replies keep their order
 * (net/reply-places.ts). Main has no forwarder: its clients are told where to go.
 */
import { Buffer } from 'node:buffer';
import type { Call, Command } from '../commands/call.ts';
import type { ClusterView, Forwarder } from '../commands/cluster-view.ts';
import type { Engine } from '../commands/engine.ts';
import { loadQueued, recycle, type Transaction } from '../commands/transaction-queue.ts';
import type { PeerBoard } from '../resilience/peer-board.ts';
import { type Errand, runErrand } from './errand.ts';
import { publishElsewhere } from './forward-publish.ts';
import { beginRequest, endRequest, writeCommand, writeWords } from './forward-request.ts';
import { failOutlet, openOutlet, type ReplyOutlet } from './outlet.ts';
import { createPeerLinks, describeLinks, type PeerLinks, reaches } from './peer-links.ts';
import { countReplicasElsewhere } from './replicas-elsewhere.ts';
import { canScatter, scatter } from './scatter.ts';

/** Has this thread pass commands on from now on. `random` is chance, from 0 to below 1. */
export function startForwarding(
  engine: Engine,
  cluster: ClusterView,
  board: PeerBoard,
  random: () => number,
): void {
  const links = createPeerLinks(engine, cluster, board, random);
  cluster.forwarder = createForwarder(links);
}

function createForwarder(links: PeerLinks): Forwarder {
  return {
    forward: (call, command, node, isAsking) => forward(links, call, command, node, isAsking),
    canScatter,
    scatter: (call, command) => scatter(links, call, command),
    transaction: (call, transaction, node) => forwardTransaction(links, call, transaction, node),
    publish: (call, receivers) => publishElsewhere(links, call, receivers),
    countReplicas: (node, protocol, slots, lsns, done) =>
      countReplicasElsewhere(links, node, protocol, slots, lsns, done),
    reaches: (node) => reaches(links, node),
    links: () => describeLinks(links),
  };
}

function forward(links: PeerLinks, call: Call, command: Command, node: number, isAsking: boolean): void {
  const writer = beginRequest();
  writeCommand(writer, call);
  const request = endRequest(writer);
  const outlet = openOutlet(call);
  runErrand(links, errandOf(outlet, request, 0, command.isWrite), node, isAsking);
}

/** The commands go contiguously: no other client's come between them on the link. */
function forwardTransaction(links: PeerLinks, call: Call, transaction: Transaction, node: number): void {
  const { input, spans, count } = call;
  const { isWrite } = transaction;
  const commandCount = transaction.commands.length;
  const writer = beginRequest();
  writeWords(writer, 'MULTI');
  for (let index = 0; index < commandCount; index += 1) {
    loadQueued(call, transaction, index);
    writeCommand(writer, call);
  }
  writeWords(writer, 'EXEC');
  const request = endRequest(writer);
  recycle(transaction);
  call.input = input;
  call.spans = spans;
  call.count = count;
  const outlet = openOutlet(call);
  runErrand(links, errandOf(outlet, request, commandCount + 1, isWrite), node, false);
}

/** A reply that goes to the client as it comes. */
function errandOf(outlet: ReplyOutlet, request: Buffer, prefaces: number, isWrite: boolean): Errand {
  return {
    ...{ protocol: outlet.protocol, request, prefaces, isWrite, mayFollow: true },
    onReply: (bytes, start, end, isWhole) => {
      outlet.hasBegun = true;
      outlet.add(Buffer.from(bytes.subarray(start, end)));
      if (isWhole) outlet.end();
    },
    onFailure: (text) => failOutlet(outlet, text),
  };
}
