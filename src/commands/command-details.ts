/**
 * One row of the command tables as COMMAND INFO answers it.
 *
 * Pure; runs on the thread of the command. Source: Redis 7.0 `server.c`, `addReplyCommandInfo`.
 */
import {
  type ReplyWriter,
  writeArray,
  writeBulkText,
  writeInteger,
  writeMap,
  writeSet,
  writeSimple,
} from '../resp/reply-writer.ts';
import type { CommandSpec, KeySpec } from './spec.ts';

const DETAILS = 10;

/** Writes name, arity, flags, legacy key positions, categories, tips, key specifications and subcommands. */
export function writeCommandDetails(reply: ReplyWriter, spec: CommandSpec): void {
  writeArray(reply, DETAILS);
  writeBulkText(reply, spec.name);
  writeInteger(reply, spec.arity);
  writeWordSet(reply, spec.flags);
  writeInteger(reply, spec.firstKey);
  writeInteger(reply, spec.lastKey);
  writeInteger(reply, spec.keyStep);
  writeSet(reply, spec.categories.length);
  for (const category of spec.categories) writeSimple(reply, `@${category}`);
  writeSet(reply, spec.tips.length);
  for (const tip of spec.tips) writeBulkText(reply, tip);
  writeSet(reply, spec.keys.length);
  for (const key of spec.keys) writeKeySpec(reply, key);
  writeSubcommands(reply, spec.subcommands ?? []);
}

/** A set of status replies, as Redis writes flags. */
export function writeWordSet(reply: ReplyWriter, words: readonly string[]): void {
  writeSet(reply, words.length);
  for (const word of words) writeSimple(reply, word);
}

/** An array when there are any, an empty set when not: so it is in Redis. */
function writeSubcommands(reply: ReplyWriter, specs: readonly CommandSpec[]): void {
  if (specs.length === 0) {
    writeSet(reply, 0);
    return;
  }
  writeArray(reply, specs.length);
  for (const spec of specs) writeCommandDetails(reply, spec);
}

function writeKeySpec(reply: ReplyWriter, key: KeySpec): void {
  writeMap(reply, key.notes === undefined ? 3 : 4);
  if (key.notes !== undefined) {
    writeBulkText(reply, 'notes');
    writeBulkText(reply, key.notes);
  }
  writeBulkText(reply, 'flags');
  writeWordSet(reply, key.flags);
  writeBulkText(reply, 'begin_search');
  writeBeginSearch(reply, key.begin);
  writeBulkText(reply, 'find_keys');
  writeFindKeys(reply, key.find);
}

function writeBeginSearch(reply: ReplyWriter, begin: KeySpec['begin']): void {
  if (begin === 'unknown') writeSearch(reply, 'unknown', []);
  else if ('index' in begin) writeSearch(reply, 'index', [['index', begin.index]]);
  else {
    const { keyword, startFrom } = begin;
    writeSearch(reply, 'keyword', [
      ['keyword', keyword],
      ['startfrom', startFrom],
    ]);
  }
}

function writeFindKeys(reply: ReplyWriter, find: KeySpec['find']): void {
  if (find === 'unknown') writeSearch(reply, 'unknown', []);
  else if ('limit' in find) {
    const { lastKey, step, limit } = find;
    writeSearch(reply, 'range', [
      ['lastkey', lastKey],
      ['keystep', step],
      ['limit', limit],
    ]);
  } else {
    const { keyNumberIndex, firstKey, step } = find;
    writeSearch(reply, 'keynum', [
      ['keynumidx', keyNumberIndex],
      ['firstkey', firstKey],
      ['keystep', step],
    ]);
  }
}

/** One of the two steps of a key specification: its type and what that type needs. */
function writeSearch(
  reply: ReplyWriter,
  type: string,
  fields: readonly (readonly [name: string, value: string | number])[],
): void {
  writeMap(reply, 2);
  writeBulkText(reply, 'type');
  writeBulkText(reply, type);
  writeBulkText(reply, 'spec');
  writeMap(reply, fields.length);
  for (const [name, value] of fields) {
    writeBulkText(reply, name);
    if (typeof value === 'number') writeInteger(reply, value);
    else writeBulkText(reply, value);
  }
}
