/**
 * PUBLISH to the subscribers of all nodes: each node is sent the message, and answers how many of its clients got it.
 *
 * On the worker of the connection, which has published to this node's clients already. A node that cannot be reached is left out, and so
 * are its subscribers: nobody is promised that a message arrives.
 */
import { Buffer } from 'node:buffer';
import { parseSafeInteger } from '../base/decimal.ts';
import type { Call } from '../commands/call.ts';
import { createReplyWriter, writeInteger } from '../resp/reply-writer.ts';
import { OWN_INDEX } from '../routing/node-table.ts';
import { type Errand, errorOf, runErrand } from './errand.ts';
import { beginRequest, endRequest, writeCommand } from './forward-request.ts';
import { openOutlet, type ReplyOutlet } from './outlet.ts';
import type { PeerLinks } from './peer-links.ts';

const REPLY_BYTES = 32;
const LINE_END_BYTES = 2;

/** Publishes on all other nodes that are alive, and then answers how many clients got it, `receivers` of them here. */
export function publishElsewhere(links: PeerLinks, call: Call, receivers: number): void {
  const { nodes, table } = links.cluster;
  const own = table.words[OWN_INDEX];
  const others = nodes.flatMap((node) => (node?.isAlive && node.index !== own ? [node.index] : []));
  if (others.length === 0) {
    writeInteger(call.reply, receivers);
    return;
  }
  const writer = beginRequest();
  writeCommand(writer, call);
  const request = endRequest(writer);
  const outlet = openOutlet(call);
  let total = receivers;
  let left = others.length;
  const take = (count: number): void => {
    total += count;
    left -= 1;
    if (left === 0) answer(outlet, total);
  };
  const errand: Errand = {
    ...{ protocol: outlet.protocol, request, prefaces: 0, isWrite: true, mayFollow: false },
    onReply: (bytes, start, end) => {
      const isError = errorOf(bytes, start, end) !== undefined;
      take(isError ? 0 : parseSafeInteger(bytes, start + 1, end - LINE_END_BYTES));
    },
    onFailure: () => take(0),
  };
  for (const node of others) runErrand(links, errand, node, false);
}

function answer(outlet: ReplyOutlet, total: number): void {
  const reply = createReplyWriter(REPLY_BYTES);
  writeInteger(reply, total);
  outlet.add(Buffer.from(reply.bytes.subarray(0, reply.length)));
  outlet.end();
}
