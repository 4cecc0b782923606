/**
 * Collections in words, for `distcache inspect`: what an image holds, and what the operations of a change or a piece say.
 *
 * Pure; any thread. Takes bytes that were found to be sane (collections/sane.ts, collections/ops.ts).
 */
import type { Buffer } from 'node:buffer';
import {
  OP_ADD,
  OP_DEADLINE,
  OP_FILL,
  OP_FORM,
  OP_INSERT_AT,
  OP_LENGTH,
  OP_POP_HEAD,
  OP_POP_TAIL,
  OP_PUSH_HEAD,
  OP_REMOVE,
  OP_REMOVE_AT,
  OP_SET_AT,
} from '../collections/change.ts';
import { groupDeadline } from '../collections/deadlines.ts';
import {
  deadlineAt,
  elementEnd,
  encodingEnd,
  groupEnd,
  groupKey,
  integerAt,
  isIntegerElement,
  textStart,
} from '../collections/elements.ts';
import { PACKED_GROUPS } from '../collections/form.ts';
import { isTreeValue, largeImageCount } from '../collections/large-image.ts';
import {
  opArgument,
  opPayload,
  opPayloadEnd,
  PIECE_END,
  PIECE_GONE,
  PIECE_OPS,
} from '../collections/piece.ts';
import { quoteBytes } from '../config/arguments.ts';
import { INSPECT_ELEMENTS_MAX, INSPECT_VALUE_BYTES_MAX } from '../config/limits.ts';
import { TYPE_HASH, TYPE_ZSET } from '../shard/layout.ts';
import { typeName } from '../shard/type-names.ts';

type Operation = {
  readonly name: string;
  /** What stands in its payload, if anything, and whether its argument means something. */
  readonly holds?: 'groups' | 'elements' | 'count' | 'deadlines';
  readonly hasArgument: boolean;
};

const OPERATIONS: Readonly<Record<number, Operation>> = {
  [OP_FORM]: { name: 'FORM', hasArgument: true },
  [OP_ADD]: { name: 'ADD', holds: 'groups', hasArgument: false },
  [OP_REMOVE]: { name: 'REMOVE', holds: 'elements', hasArgument: false },
  [OP_PUSH_HEAD]: { name: 'PUSH_HEAD', holds: 'elements', hasArgument: false },
  [OP_POP_HEAD]: { name: 'POP_HEAD', hasArgument: true },
  [OP_POP_TAIL]: { name: 'POP_TAIL', hasArgument: true },
  [OP_SET_AT]: { name: 'SET_AT', holds: 'elements', hasArgument: true },
  [OP_INSERT_AT]: { name: 'INSERT_AT', holds: 'elements', hasArgument: true },
  [OP_REMOVE_AT]: { name: 'REMOVE_AT', holds: 'count', hasArgument: true },
  [OP_FILL]: { name: 'FILL', hasArgument: true },
  [OP_LENGTH]: { name: 'LENGTH', hasArgument: true },
  [OP_DEADLINE]: { name: 'DEADLINE', holds: 'deadlines', hasArgument: false },
};

/** The collection whose image has the value `bytes[start, end)`. */
export function collectionText(type: number, bytes: Buffer, start: number, end: number): string {
  if (isTreeValue(bytes, start))
    return `large ${typeName(type)} of ${largeImageCount(bytes, start)}, in pieces`;
  return `${typeName(type)} ${groupsText(type, bytes, start + PACKED_GROUPS, end)}`.trimEnd();
}

/** A piece of a large collection of this type. */
export function pieceText(type: number, bytes: Buffer, start: number, end: number): string {
  const kind = bytes[start];
  if (kind === PIECE_GONE) return 'gone';
  const text = opsText(type, bytes, start + PIECE_OPS, end);
  return kind === PIECE_END ? `end ${text}`.trimEnd() : `piece ${text}`.trimEnd();
}

/** The operations `bytes[start, end)`, one behind the other. */
export function opsText(type: number, bytes: Buffer, start: number, end: number): string {
  const texts: string[] = [];
  for (let at = start; at < end; at = opPayloadEnd(bytes, at)) {
    if (texts.length === INSPECT_ELEMENTS_MAX) return `${texts.join(', ')}, ... (${end - start} bytes)`;
    texts.push(opText(type, bytes, at));
  }
  return texts.join(', ');
}

function opText(type: number, bytes: Buffer, at: number): string {
  const { name, holds, hasArgument } = OPERATIONS[bytes[at]];
  const start = opPayload(at);
  const end = opPayloadEnd(bytes, at);
  const parts = [name];
  if (hasArgument) parts.push(`${opArgument(bytes, at)}`);
  if (holds === 'groups') parts.push(groupsText(type, bytes, start, end));
  if (holds === 'elements') parts.push(elementsText(bytes, start, end));
  if (holds === 'deadlines') parts.push(deadlinesText(bytes, start, end));
  if (holds === 'count') parts.push(`count ${bytes.readUInt32LE(start)}`);
  return parts.join(' ');
}

function groupsText(type: number, bytes: Buffer, start: number, end: number): string {
  return listText(
    start,
    end,
    (at) => groupEnd(type, bytes, at),
    (at) => groupText(type, bytes, at, end),
  );
}

function deadlinesText(bytes: Buffer, start: number, end: number): string {
  return listText(
    start,
    end,
    (at) => elementEnd(bytes, elementEnd(bytes, at)),
    (at) => {
      const deadlineMs = deadlineAt(bytes, elementEnd(bytes, at));
      const field = elementText(bytes, at);
      return deadlineMs === 0 ? `${field} for ever` : `${field} until ${deadlineMs}`;
    },
  );
}

function elementsText(bytes: Buffer, start: number, end: number): string {
  return listText(
    start,
    end,
    (at) => elementEnd(bytes, at),
    (at) => elementText(bytes, at),
  );
}

function listText(
  start: number,
  end: number,
  next: (at: number) => number,
  text: (at: number) => string,
): string {
  const texts: string[] = [];
  // The bytes behind the last group may look like a part of it.
  for (let at = start; at < end; at = Math.min(end, next(at))) {
    if (texts.length === INSPECT_ELEMENTS_MAX) return `${texts.join(' ')} ... (${end - start} bytes)`;
    texts.push(text(at));
  }
  return texts.join(' ');
}

function groupText(type: number, bytes: Buffer, at: number, end: number): string {
  const key = groupKey(type, at);
  const own = elementText(bytes, key);
  if (type === TYPE_ZSET) return `${own}:${bytes.readDoubleLE(at)}`;
  if (type !== TYPE_HASH) return own;
  const pair = `${own}=${elementText(bytes, elementEnd(bytes, key))}`;
  const deadlineMs = groupDeadline(bytes, at, end);
  return deadlineMs === 0 ? pair : `${pair} until ${deadlineMs}`;
}

function elementText(bytes: Buffer, at: number): string {
  if (isIntegerElement(bytes, at)) return `${integerAt(bytes, at)}`;
  const start = textStart(bytes, at);
  const end = encodingEnd(bytes, at);
  const shown = Math.min(end, start + INSPECT_VALUE_BYTES_MAX);
  const text = quoteBytes(bytes.subarray(start, shown));
  return shown === end ? text : `${text}... (${end - start} bytes)`;
}
