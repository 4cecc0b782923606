/**
 * `distcache inspect FILE [--limit N]`: shows a log segment or a snapshot to humans, and of a damaged one where and why it
 * cannot be read, and what can be read behind that.
 *
 * Main thread of a process of its own. Reads the file alone and changes nothing.
 */
import type { Buffer } from 'node:buffer';
import { areOpsSane } from '../collections/ops.ts';
import { quoteBytes } from '../config/arguments.ts';
import { INSPECT_VALUE_BYTES_MAX, LOG_READ_BYTES } from '../config/limits.ts';
import {
  imageCells,
  imageDatabase,
  imageExpiresAt,
  imageKeyBytes,
  imageKeyStart,
  imageLsn,
  imageType,
  imageValueBytes,
  TYPE_PIECE,
} from '../shard/image.ts';
import { CELL_BYTES, NONE, TYPE_STRING, WORDS_PER_CELL } from '../shard/layout.ts';
import {
  decodeRecord,
  EFFECT_CHANGE,
  EFFECT_DELETE,
  EFFECT_EXPIRE,
  EFFECT_FLUSH,
  EFFECT_PUT,
  EFFECT_SPLICE,
  EFFECT_SWAP,
  RECORD_CREATES,
  RECORD_RAW,
  RECORD_TYPE_MASK,
  RECORD_TYPE_SHIFT,
  type RecordView,
} from '../shard/record.ts';
import { typeName } from '../shard/type-names.ts';
import { collectionText, opsText, pieceText } from './collection-text.ts';
import type { SegmentHeader } from './log-format.ts';
import {
  behindTrouble,
  closeSegmentReader,
  openSegmentReader,
  readBlock,
  readChunk,
  type SegmentReader,
  seekBlock,
} from './log-reader.ts';
import {
  closeSnapshot,
  isDamage,
  nextSection,
  openSnapshot,
  type SnapshotReader,
} from './snapshot-reader.ts';
import type { Storage } from './storage-types.ts';

const EXIT_READ = 0;
const EXIT_UNREADABLE = 1;
const WORD_BYTES = CELL_BYTES / WORDS_PER_CELL;
/** The last moment that a Date can tell. */
const DATE_MS_MAX = 8.64e15;

const EFFECT_NAMES: Readonly<Record<number, string>> = {
  [EFFECT_PUT]: 'PUT',
  [EFFECT_DELETE]: 'DELETE',
  [EFFECT_EXPIRE]: 'EXPIRE',
  [EFFECT_SPLICE]: 'SPLICE',
  [EFFECT_FLUSH]: 'FLUSH',
  [EFFECT_SWAP]: 'SWAP',
  [EFFECT_CHANGE]: 'CHANGE',
};

/** Where the lines go, and how many records or entries are still to be shown. */
type Output = { readonly print: (line: string) => void; left: number };

/**
 * Prints the file at `path`, at most `limit` records or entries of it. Answers 0 when it could be read to its end, else 1. Throws
 * system errors, e.g. ENOENT.
 */
export function inspectFile(
  storage: Storage,
  path: string,
  print: (line: string) => void,
  limit: number,
): number {
  const output = { print, left: limit };
  const segment = openSegmentReader(storage, path, LOG_READ_BYTES, 0);
  if (segment === 'short header' || segment === 'bad magic') {
    return inspectSnapshot(storage, path, output, segment);
  }
  if (typeof segment === 'string') {
    print(`${path} is a log segment with a ${segment}, at offset 0`);
    return EXIT_UNREADABLE;
  }
  try {
    print(segmentLine(segment.header));
    return inspectBlocks(segment, output);
  } finally {
    closeSegmentReader(segment);
  }
}

function inspectBlocks(reader: SegmentReader, output: Output): number {
  let code = EXIT_READ;
  let found = readBlock(reader);
  while (output.left > 0) {
    for (; found && output.left > 0; found = readBlock(reader)) {
      if (!inspectBlock(reader, output)) code = EXIT_UNREADABLE;
    }
    if (found || reader.trouble === undefined) break;
    code = EXIT_UNREADABLE;
    const { trouble, troubleAt, end } = reader;
    output.print(`${troubleAt}: ${trouble}; the file ends at offset ${end}`);
    found = seekBlock(reader, behindTrouble(reader));
    output.print(
      found
        ? `${reader.at}: good again, ${reader.at - troubleAt} bytes behind that`
        : 'no good block behind that',
    );
    if (!found) return code;
  }
  output.print(output.left > 0 ? `${reader.next}: end of the file` : 'there may be more (--limit)');
  return code;
}

/** One block, its records; false where its inside is malformed. */
function inspectBlock(reader: SegmentReader, output: Output): boolean {
  const { block } = reader;
  output.print(
    `${reader.at}: block ${block.block}, ${reader.next - reader.at} bytes, chunks ${block.chunks}, ` +
      `synced up to block ${block.syncedBlock}, ${timeText(block.wallMs)}`,
  );
  while (output.left > 0 && readChunk(reader)) {
    const { chunk, bytes, record, recordsEnd } = reader;
    let lsn = chunk.firstLsn;
    for (let at = reader.recordsStart; at < recordsEnd && output.left > 0; lsn += 1) {
      at = decodeRecord(bytes, at, recordsEnd, record);
      if (at < 0 || !hasSaneValue(record, bytes)) {
        output.print(`  record malformed: shard ${chunk.shard}, LSN ${lsn}`);
        return false;
      }
      output.left -= 1;
      output.print(`  shard ${chunk.shard} LSN ${lsn} ${recordText(record, bytes)}`);
    }
  }
  if (reader.trouble !== undefined) output.print(`  ${reader.trouble}, at offset ${reader.troubleAt}`);
  return reader.trouble === undefined;
}

function segmentLine(header: SegmentHeader): string {
  const { version, stream, sequence, epoch, shards, databases, firstBlock, createdMs, bootId } = header;
  return (
    `log segment, version ${version}: stream ${stream}, sequence ${sequence}, epoch ${epoch}, ${shards} shards, ` +
    `${databases} databases, from block ${firstBlock} on, made ${timeText(createdMs)}, boot id ${bootId || 'unknown'}`
  );
}

/** The operations of a change are not looked at when a record is decoded. */
function hasSaneValue(view: RecordView, bytes: Buffer): boolean {
  return (
    view.effect !== EFFECT_CHANGE || areOpsSane(changedType(view), bytes, view.valueStart, view.valueEnd)
  );
}

function changedType({ flags }: RecordView): number {
  return (flags >>> RECORD_TYPE_SHIFT) & RECORD_TYPE_MASK;
}

function recordText(view: RecordView, bytes: Buffer): string {
  const parts = [`db ${view.database}`, EFFECT_NAMES[view.effect]];
  const isOfKey = view.effect < EFFECT_FLUSH || view.effect === EFFECT_CHANGE;
  if (view.keyEnd > view.keyStart || isOfKey) {
    parts.push(quoteBytes(bytes.subarray(view.keyStart, view.keyEnd)));
  }
  if (view.effect === EFFECT_PUT || view.effect === EFFECT_SPLICE) {
    parts.push(valueText(bytes, view.valueStart, view.valueEnd));
  }
  if (view.effect === EFFECT_CHANGE) parts.push(changeText(view, bytes));
  if (view.effect === EFFECT_SPLICE) parts.push(`at ${view.extra} of ${view.length}`);
  if (view.effect === EFFECT_SWAP) parts.push(`with db ${view.extra}`);
  if ((view.flags & RECORD_RAW) !== 0) parts.push('raw');
  if (view.expiresAtMs > 0) parts.push(`expires ${timeText(view.expiresAtMs)}`);
  else if (view.effect === EFFECT_EXPIRE) parts.push('never expires');
  return parts.join(' ');
}

function changeText(view: RecordView, bytes: Buffer): string {
  const type = changedType(view);
  const what = (view.flags & RECORD_CREATES) === 0 ? typeName(type) : `new ${typeName(type)}`;
  return `${what}: ${opsText(type, bytes, view.valueStart, view.valueEnd)}`;
}

/** A value, cut when it is long. */
function valueText(bytes: Uint8Array, start: number, end: number): string {
  const shown = Math.min(end, start + INSPECT_VALUE_BYTES_MAX);
  const text = quoteBytes(bytes.subarray(start, shown));
  return shown === end ? text : `${text}... (${end - start} bytes)`;
}

function timeText(ms: number): string {
  return ms <= DATE_MS_MAX ? new Date(ms).toISOString() : `${ms} ms`;
}

/** `trouble` is why the file is no log segment. */
function inspectSnapshot(storage: Storage, path: string, output: Output, trouble: string): number {
  const reader = openSnapshot(storage, path);
  if (isDamage(reader)) {
    output.print(`${path} is no log segment (${trouble}), and as a snapshot: ${reader.text}`);
    return EXIT_UNREADABLE;
  }
  try {
    return inspectSections(reader, output);
  } finally {
    closeSnapshot(reader);
  }
}

function inspectSections(reader: SnapshotReader, output: Output): number {
  const { header, footer } = reader;
  output.print(
    `snapshot, version ${header.version}: shard ${header.shard} of ${header.shards}, set ${header.set}, epoch ${header.epoch}, ` +
      `LSN ${header.startLsn} to ${footer.endLsn}, made ${timeText(header.createdMs)}`,
  );
  let largeType = NONE;
  for (;;) {
    const at = reader.position;
    const found = nextSection(reader);
    if (typeof found === 'object') {
      output.print(found.text);
      return EXIT_UNREADABLE;
    }
    if (!found || output.left <= 0) break;
    const { section, database, records, payloadBytes, asOfLsn } = { ...reader.section };
    output.print(
      `${at}: section ${section}, db ${database}, ${records} entries, ${payloadBytes} bytes, as of LSN ${asOfLsn}`,
    );
    largeType = inspectEntries(reader, output, largeType);
  }
  const what = `${footer.sections} sections, ${footer.entries} entries, ${footer.bytes} bytes`;
  output.print(
    output.left > 0 ? `${reader.position}: the last page: ${what}` : `there may be more (--limit): ${what}`,
  );
  return EXIT_READ;
}

/** `type` is that of the large collection which the section goes on with; returns the same for the next section. */
function inspectEntries(
  { words, bytes, start, end }: SnapshotReader,
  output: Output,
  largeType: number,
): number {
  const wordsEnd = end / WORD_BYTES;
  let type = largeType;
  for (let at = start / WORD_BYTES; at < wordsEnd && output.left > 0; ) {
    output.left -= 1;
    if (imageType(words, at) !== TYPE_PIECE) type = imageType(words, at);
    output.print(`  ${imageText(words, bytes, at, type)}`);
    at += imageCells(words, at, wordsEnd) * WORDS_PER_CELL;
  }
  return type;
}

function imageText(words: Int32Array, bytes: Buffer, at: number, type: number): string {
  const keyStart = imageKeyStart(words, at);
  const valueStart = keyStart + imageKeyBytes(words, at);
  const valueEnd = valueStart + imageValueBytes(words, at);
  const where = `LSN ${imageLsn(words, at)} db ${imageDatabase(words, at)}`;
  if (imageType(words, at) === TYPE_PIECE) return `${where} ${pieceText(type, bytes, valueStart, valueEnd)}`;
  const expiresAtMs = imageExpiresAt(words, at);
  const value =
    type === TYPE_STRING
      ? valueText(bytes, valueStart, valueEnd)
      : collectionText(type, bytes, valueStart, valueEnd);
  const expires = expiresAtMs > 0 ? ` expires ${timeText(expiresAtMs)}` : '';
  return `${where} ${quoteBytes(bytes.subarray(keyStart, valueStart))} ${value}${expires}`;
}
