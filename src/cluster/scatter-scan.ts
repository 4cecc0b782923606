/**
 * SCAN over all nodes: one after the other, each with its own cursor.
 *
 * On the worker of the connection; nothing is kept between two calls, and any node goes on where another has begun. A cursor of
 * the cluster is, in bits,
 *
 *   53 ..                              16 15         8 7          0
 *  ┌─────────────────────────────────────┬────────────┬────────────┐
 *  │ cursor of the node                  │ epoch mark │ node       │
 *  └─────────────────────────────────────┴────────────┴────────────┘
 *
 * and 0 both before the start and behind the end. The mark is never 0. Keys may move to a node that was scanned already: where the
 * topology has changed since the cursor was given, the scan begins anew, so that a key which is there from the start to the end
 * is returned, as promised, if also more than once.
 */
import { Buffer } from 'node:buffer';
import type { Call } from '../commands/call.ts';
import { createReplyWriter, writeArray, writeBulk, writeBulkText } from '../resp/reply-writer.ts';
import { TOPOLOGY_EPOCH } from '../routing/node-table.ts';
import { type Errand, errorOf, runErrand } from './errand.ts';
import { beginRequest, endRequest } from './forward-request.ts';
import { lineEndOf, numberOf } from './gather.ts';
import { failOutlet, openOutlet, type ReplyOutlet } from './outlet.ts';
import type { PeerLinks } from './peer-links.ts';

const NODES = 256n;
const MARKS = 256n;
const MARKS_USED = 255;
const CURSOR_MAX = 2n ** 64n;
const DECIMAL = /^\d{1,20}$/;
const HEAD_BYTES = 64;
const CURSOR_INDEX = 1;

/** Which node is to go on, and where. */
type Place = { readonly node: number; readonly cursor: bigint };

/** Executes SCAN on one of `owners`, which are ascending and not none. */
export function scanNodes(links: PeerLinks, call: Call, owners: readonly number[]): void {
  const mark = (links.cluster.table.numbers[TOPOLOGY_EPOCH] % MARKS_USED) + 1;
  const { input, spans } = call;
  const text = input.toString('latin1', spans[2 * CURSOR_INDEX], spans[2 * CURSOR_INDEX + 1]);
  const place = placeOf(text, mark, owners);
  if (place === undefined) {
    failOutlet(openOutlet(call, true), 'ERR invalid cursor');
    return;
  }
  const request = requestOf(call, place.cursor);
  const outlet = openOutlet(call, true);
  const pieces: Buffer[] = [];
  const errand: Errand = {
    ...{ protocol: outlet.protocol, request, prefaces: 0, isWrite: false, mayFollow: false },
    onReply: (bytes, start, end, isWhole) => {
      pieces.push(Buffer.from(bytes.subarray(start, end)));
      if (isWhole) answer(outlet, Buffer.concat(pieces), mark, place.node, owners);
    },
    onFailure: (error) => failOutlet(outlet, error),
  };
  runErrand(links, errand, place.node, false);
}

/** Undefined for what is no cursor. */
function placeOf(text: string, mark: number, owners: readonly number[]): Place | undefined {
  const start = { node: owners[0], cursor: 0n };
  const whole = DECIMAL.test(text) ? BigInt(text) : undefined;
  if (whole === undefined || whole >= CURSOR_MAX) return undefined;
  if (whole === 0n || (whole / NODES) % MARKS !== BigInt(mark)) return start;
  const node = Number(whole % NODES);
  return owners.includes(node) ? { node, cursor: whole / (NODES * MARKS) } : start;
}

function cursorText(mark: number, { node, cursor }: Place): string {
  return String((cursor * MARKS + BigInt(mark)) * NODES + BigInt(node));
}

function requestOf({ input, spans, count }: Call, cursor: bigint): Buffer {
  const writer = beginRequest();
  writeArray(writer, count);
  for (let index = 0; index < count; index += 1) {
    if (index === CURSOR_INDEX) writeBulkText(writer, String(cursor));
    else writeBulk(writer, input, spans[2 * index], spans[2 * index + 1]);
  }
  return endRequest(writer);
}

/** Passes on what the node has found, with a cursor of the cluster in the place of its own. */
function answer(
  outlet: ReplyOutlet,
  reply: Buffer,
  mark: number,
  node: number,
  owners: readonly number[],
): void {
  if (errorOf(reply, 0, reply.length) !== undefined) {
    outlet.add(reply);
    outlet.end();
    return;
  }
  const bulkAt = lineEndOf(reply);
  const cursorAt = bulkAt + lineEndOf(reply.subarray(bulkAt));
  const cursorEnd = cursorAt + numberOf(reply.subarray(bulkAt));
  const cursor = BigInt(reply.toString('latin1', cursorAt, cursorEnd));
  const next = owners.find((other) => other > node);
  const head = createReplyWriter(HEAD_BYTES);
  writeArray(head, 2);
  if (cursor !== 0n) writeBulkText(head, cursorText(mark, { node, cursor }));
  else writeBulkText(head, next === undefined ? '0' : cursorText(mark, { node: next, cursor: 0n }));
  outlet.add(head.bytes.subarray(0, head.length));
  const rest = reply.subarray(cursorAt + lineEndOf(reply.subarray(cursorAt)));
  outlet.add(rest);
  outlet.end();
}
