/**
 * Lists that are waited for: BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH.
 *
 * Runs on the thread of the command, under the locks of its keys' shards; a command that finds nothing waits (blocking.ts) and is executed
 * again. Source of the rules: Redis 7.0 `t_list.c`.
 */
import { writeNull, writeNullArray } from '../resp/reply-writer.ts';
import { TYPE_LIST } from '../shard/layout.ts';
import { blockCall, readTimeout } from './blocking.ts';
import type { Call, Handler } from './call.ts';
import { LEFT, RIGHT, readAtLeast, readSide } from './collection-places.ts';
import { moveElement, popFirst, popOneOfFirst, readPopCount, readPopSide } from './lists-ends.ts';

export const blockingListHandlers: Readonly<Record<string, Handler>> = {
  blpop: (call) => waitToPop(call, LEFT),
  brpop: (call) => waitToPop(call, RIGHT),
  blmpop,
  blmove,
  brpoplpush: (call) => waitToMove(call, RIGHT, LEFT, 3),
};

function waitToPop(call: Call, side: number): void {
  const timeoutMs = readTimeout(call, call.count - 1);
  if (Number.isNaN(timeoutMs)) return;
  const keys = call.count - 2;
  if (popOneOfFirst(call, 1, keys, side)) return;
  blockCall(call, timeoutMs, 1, keys, TYPE_LIST, writeNullArray);
}

function blmpop(call: Call): void {
  const keys = readAtLeast(call, 2, 1, 'ERR numkeys should be greater than 0');
  if (Number.isNaN(keys)) return;
  const side = readPopSide(call, 3 + keys);
  if (side === 0) return;
  const count = readPopCount(call, 4 + keys);
  if (Number.isNaN(count)) return;
  const timeoutMs = readTimeout(call, 1);
  if (Number.isNaN(timeoutMs) || popFirst(call, 3, keys, side, count)) return;
  blockCall(call, timeoutMs, 3, keys, TYPE_LIST, writeNullArray);
}

function blmove(call: Call): void {
  const from = readSide(call, 3);
  if (from === 0) return;
  const to = readSide(call, 4);
  if (to !== 0) waitToMove(call, from, to, 5);
}

function waitToMove(call: Call, from: number, to: number, timeoutIndex: number): void {
  const timeoutMs = readTimeout(call, timeoutIndex);
  if (Number.isNaN(timeoutMs) || moveElement(call, from, to)) return;
  blockCall(call, timeoutMs, 1, 1, TYPE_LIST, writeNull);
}
