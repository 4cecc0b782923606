/**
 * PFDEBUG: a HyperLogLog from within.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Source of the rules: Redis 7.0 `hyperloglog.c`.
 */
import type { Buffer } from 'node:buffer';
import { makeDense } from '../collections/hyperloglog.ts';
import {
  DENSE,
  denseRegister,
  ENCODING_AT,
  HEADER_BYTES,
  isValueRun,
  REGISTERS,
  runBytes,
  runRegisters,
  runValue,
  SPARSE,
} from '../collections/hyperloglog-layout.ts';
import { writeArray, writeBulkText, writeError, writeInteger, writeSimple } from '../resp/reply-writer.ts';
import { NONE } from '../shard/layout.ts';
import { isWord, printedText } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { CORRUPTED, loadSketch, sketch, storeSketch } from './hyperloglog.ts';
import { writeEntry } from './lookup.ts';

const KEY = 2;

export const hyperLogLogDebugHandlers: Readonly<Record<string, Handler>> = { pfdebug };

function pfdebug(call: Call): void {
  const { shard, reply } = call;
  const ref = writeEntry(call, shard, KEY);
  if (ref === NONE) {
    writeError(reply, 'ERR The specified key does not exist');
    return;
  }
  if (!loadSketch(call, shard, ref)) return;
  const isSparse = sketch.bytes[ENCODING_AT] === SPARSE;
  if (isWord(call, 1, 'GETREG')) {
    if (densify(call, ref)) replyRegisters(call);
  } else if (isWord(call, 1, 'DECODE')) {
    if (isSparse) writeBulkText(reply, runsText(sketch.bytes, sketch.length));
    else writeError(reply, 'ERR HLL encoding is not sparse');
  } else if (isWord(call, 1, 'ENCODING')) {
    writeSimple(reply, sketch.bytes[ENCODING_AT] === DENSE ? 'dense' : 'sparse');
  } else if (isWord(call, 1, 'TODENSE')) {
    if (densify(call, ref)) writeInteger(reply, isSparse ? 1 : 0);
  } else {
    writeError(reply, `ERR Unknown PFDEBUG subcommand '${printedText(call, 1)}'`);
  }
}

/** Gives the string the dense form; answers and returns false when that cannot be. */
function densify(call: Call, ref: number): boolean {
  if (makeDense(sketch)) return storeSketch(call, call.shard, KEY, ref);
  writeError(call.reply, CORRUPTED);
  return false;
}

function replyRegisters({ reply }: Call): void {
  writeArray(reply, REGISTERS);
  for (let index = 0; index < REGISTERS; index += 1)
    writeInteger(reply, denseRegister(sketch.bytes, 0, index));
}

/** `z` and `Z` for zeros in one byte and in two, `v` with its value. */
function runsText(bytes: Buffer, length: number): string {
  const texts: string[] = [];
  for (let at = HEADER_BYTES; at < length; at += runBytes(bytes[at])) {
    const registers = runRegisters(bytes, at, length);
    if (isValueRun(bytes[at])) texts.push(`v:${runValue(bytes[at])},${registers}`);
    else texts.push(`${runBytes(bytes[at]) === 1 ? 'z' : 'Z'}:${registers}`);
  }
  return texts.join(' ');
}
