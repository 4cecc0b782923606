/**
 * One row of the command tables as COMMAND DOCS answers it.
 *
 * Pure; runs on the thread of the command. Source: Redis 7.0 `server.c`, `addReplyCommandDocs`.
 */
import {
  type ReplyWriter,
  writeArray,
  writeBulkText,
  writeInteger,
  writeMap,
  writeSet,
} from '../resp/reply-writer.ts';
import { writeWordSet } from './command-details.ts';
import type { ArgumentSpec, CommandSpec } from './spec.ts';

/** A field of the answer with what writes its value; undefined for one that the row does not have. */
type Field = readonly [name: string, write: (() => void) | undefined];

/** Writes the name and then the map of its documentation, subcommands in it. */
function writeCommandDocs(reply: ReplyWriter, spec: CommandSpec): void {
  writeBulkText(reply, spec.name);
  const { docFlags, history, subcommands } = spec;
  writeFields(reply, [
    ['summary', textWriter(reply, spec.summary)],
    ['since', textWriter(reply, spec.since)],
    ['group', textWriter(reply, spec.group)],
    ['complexity', textWriter(reply, spec.complexity)],
    ['doc_flags', docFlags && (() => writeWordSet(reply, docFlags))],
    ['deprecated_since', textWriter(reply, spec.deprecatedSince)],
    ['replaced_by', textWriter(reply, spec.replacedBy)],
    ['history', history && (() => writeHistory(reply, history))],
    ['arguments', argumentsWriter(reply, spec.arguments)],
    ['subcommands', subcommands && (() => writeAllDocs(reply, subcommands))],
  ]);
}

/** Writes the map of several commands' documentation by their names. */
export function writeAllDocs(reply: ReplyWriter, specs: readonly CommandSpec[]): void {
  writeMap(reply, specs.length);
  for (const spec of specs) writeCommandDocs(reply, spec);
}

function writeArgument(reply: ReplyWriter, argument: ArgumentSpec): void {
  const { keySpecIndex, flags } = argument;
  writeFields(reply, [
    ['name', textWriter(reply, argument.name)],
    ['type', textWriter(reply, argument.type)],
    ['display_text', textWriter(reply, argument.displayText)],
    ['key_spec_index', keySpecIndex === undefined ? undefined : () => writeInteger(reply, keySpecIndex)],
    ['token', textWriter(reply, argument.token)],
    ['summary', textWriter(reply, argument.summary)],
    ['since', textWriter(reply, argument.since)],
    ['deprecated_since', textWriter(reply, argument.deprecatedSince)],
    ['flags', flags && (() => writeWordSet(reply, flags))],
    ['arguments', argumentsWriter(reply, argument.arguments)],
  ]);
}

function writeHistory(reply: ReplyWriter, history: NonNullable<CommandSpec['history']>): void {
  writeSet(reply, history.length);
  for (const [since, change] of history) {
    writeArray(reply, 2);
    writeBulkText(reply, since);
    writeBulkText(reply, change);
  }
}

function writeFields(reply: ReplyWriter, fields: readonly Field[]): void {
  writeMap(reply, fields.filter(([, write]) => write !== undefined).length);
  for (const [name, write] of fields) {
    if (write === undefined) continue;
    writeBulkText(reply, name);
    write();
  }
}

function textWriter(reply: ReplyWriter, text: string | undefined): (() => void) | undefined {
  return text === undefined ? undefined : () => writeBulkText(reply, text);
}

function argumentsWriter(
  reply: ReplyWriter,
  specs: readonly ArgumentSpec[] | undefined,
): (() => void) | undefined {
  if (specs === undefined) return undefined;
  return () => {
    writeArray(reply, specs.length);
    for (const spec of specs) writeArgument(reply, spec);
  };
}
