/**
 * RANDOMKEY over all nodes: each is asked how many keys it has, and one, drawn with that weight, for a key.
 *
 * On the worker of the connection.
 */
import { Buffer } from 'node:buffer';
import type { Call } from '../commands/call.ts';
import { createReplyWriter, writeNull } from '../resp/reply-writer.ts';
import { type Errand, errorOf, runErrand } from './errand.ts';
import { numberOf } from './gather.ts';
import { failOutlet, openOutlet, type ReplyOutlet } from './outlet.ts';
import { requestOf } from './peer-dial.ts';
import type { PeerLinks } from './peer-links.ts';

const COUNT_KEYS = requestOf(['DBSIZE']);
const DRAW_KEY = requestOf(['RANDOMKEY']);
const NULL_BYTES = 8;

type Draw = {
  readonly links: PeerLinks;
  readonly outlet: ReplyOutlet;
  readonly weights: { readonly node: number; readonly keys: number }[];
  error: string | undefined;
  left: number;
};

/** Answers with a key of one of `owners`. */
export function drawKey(links: PeerLinks, call: Call, owners: readonly number[]): void {
  const draw: Draw = {
    links,
    outlet: openOutlet(call, true),
    weights: [],
    error: undefined,
    left: owners.length,
  };
  for (const node of owners) {
    askFor(draw, node, COUNT_KEYS, (reply, error) => {
      if (reply !== undefined) draw.weights.push({ node, keys: numberOf(reply) });
      draw.error ??= error;
      draw.left -= 1;
      if (draw.left === 0) drawNode(draw);
    });
  }
}

function drawNode(draw: Draw): void {
  const { outlet, weights, error, links } = draw;
  const total = weights.reduce((sum, { keys }) => sum + keys, 0);
  if (error !== undefined) {
    failOutlet(outlet, error);
    return;
  }
  let left = Math.floor(links.random() * total);
  const drawn = weights.find(({ keys }) => {
    left -= keys;
    return left < 0;
  });
  if (drawn === undefined) {
    const none = createReplyWriter(NULL_BYTES);
    none.protocol = outlet.protocol;
    writeNull(none);
    endWith(outlet, none.bytes.subarray(0, none.length));
    return;
  }
  askFor(draw, drawn.node, DRAW_KEY, (reply, failure) => {
    if (reply === undefined) failOutlet(outlet, failure ?? '');
    else endWith(outlet, reply);
  });
}

function askFor(
  { links, outlet }: Draw,
  node: number,
  request: Buffer,
  onAnswer: (reply: Buffer | undefined, error: string | undefined) => void,
): void {
  const pieces: Buffer[] = [];
  const errand: Errand = {
    ...{ protocol: outlet.protocol, request, prefaces: 0, isWrite: false, mayFollow: false },
    onReply: (bytes, start, end, isWhole) => {
      pieces.push(Buffer.from(bytes.subarray(start, end)));
      if (!isWhole) return;
      const reply = Buffer.concat(pieces);
      const error = errorOf(reply, 0, reply.length);
      onAnswer(error === undefined ? reply : undefined, error);
    },
    onFailure: (error) => onAnswer(undefined, error),
  };
  runErrand(links, errand, node, false);
}

function endWith(outlet: ReplyOutlet, bytes: Buffer): void {
  outlet.add(bytes);
  outlet.end();
}
