/**
 * Reads a snapshot file section by section, believing nothing: every kind of damage is named, with the byte where it lies.
 *
 * Any thread but a worker's. Memory is bounded by the largest section: 1 MiB, or one entry that is larger than that.
 */
import { Buffer } from 'node:buffer';
import { isTreeValue } from '../collections/large-image.ts';
import { isSanePiece, PIECE_MORE } from '../collections/piece.ts';
import { isSaneCollection } from '../collections/sane.ts';
import { DATABASES_MAX, SNAPSHOT_SECTION_BYTES } from '../config/limits.ts';
import {
  imageCells,
  imageDatabase,
  imageKeyBytes,
  imageKeyStart,
  imageLsn,
  imageType,
  imageValueBytes,
  TYPE_PIECE,
} from '../shard/image.ts';
import { NONE, TYPE_STRING, WORDS_PER_CELL } from '../shard/layout.ts';
import {
  chainSection,
  decodeSectionHeader,
  decodeSnapshotFooter,
  decodeSnapshotHeader,
  SECTION_HEADER_BYTES,
  type SectionHeader,
  SNAPSHOT_PAGE_BYTES,
  type SnapshotFooter,
  type SnapshotHeader,
  sectionBytes,
  sectionMatches,
} from './snapshot-format.ts';
import type { Storage } from './storage-types.ts';

/** One line that names the file, what is wrong, and the byte; the byte once more for programs. */
export type SnapshotDamage = { readonly ok: false; readonly text: string; readonly offset: number };

export type VerifyOutcome =
  | { readonly ok: true; readonly entries: number; readonly bytes: number; readonly header: SnapshotHeader }
  | SnapshotDamage;

/** An open snapshot and its section at hand, whose images, pieces included, lie in `words` (and `bytes`) from `start` to `end`, in bytes. */
export type SnapshotReader = {
  readonly storage: Storage;
  readonly path: string;
  readonly fd: number;
  readonly header: SnapshotHeader;
  readonly footer: SnapshotFooter;
  readonly section: SectionHeader;
  readonly start: number;
  end: number;
  bytes: Buffer;
  words: Int32Array;
  /** Where the next section begins; its number; and what was read before it. */
  position: number;
  sections: number;
  chain: number;
  entries: number;
  /** Whether the section at hand has large collections, or pieces of one; and the type of the one that is to go on, NONE for none. */
  hasLarge: boolean;
  largeType: number;
};

const WORD_BYTES = 4;

/** Opens a snapshot and reads its first and last page. Who gets a reader closes it. */
export function openSnapshot(storage: Storage, path: string): SnapshotReader | SnapshotDamage {
  return catchTrouble(path, () => {
    const fd = storage.openRead(path);
    try {
      const opened = readEnds(storage, path, fd);
      if ('text' in opened) storage.close(fd);
      return opened;
    } catch (error) {
      storage.close(fd);
      throw error;
    }
  });
}

export function closeSnapshot(reader: SnapshotReader): void {
  reader.storage.close(reader.fd);
}

/**
 * Reads the next section and checks all of it, its images too. True when it is there, false behind the last one, which
 * has then been found to be the last that was written.
 */
export function nextSection(reader: SnapshotReader): boolean | SnapshotDamage {
  return catchTrouble(reader.path, () => {
    const { footer } = reader;
    if (reader.position === footer.bytes - SNAPSHOT_PAGE_BYTES) return checkEnd(reader);
    return readSection(reader);
  });
}

/** Reads a whole file and checks everything in it. */
export function verifySnapshot(storage: Storage, path: string): VerifyOutcome {
  const reader = openSnapshot(storage, path);
  if (isDamage(reader)) return reader;
  try {
    for (;;) {
      const found = nextSection(reader);
      if (typeof found === 'object') return found;
      if (!found)
        return { ok: true, entries: reader.entries, bytes: reader.footer.bytes, header: reader.header };
    }
  } finally {
    closeSnapshot(reader);
  }
}

export function isDamage(value: object): value is SnapshotDamage {
  return 'ok' in value && value.ok === false;
}

/** What a caller found wrong with the section at hand, in the same form. */
export function damageAt(path: string, reason: string, offset: number): SnapshotDamage {
  return { ok: false, text: `${path}: ${reason} (byte ${offset})`, offset };
}

function readEnds(storage: Storage, path: string, fd: number): SnapshotReader | SnapshotDamage {
  const size = storage.size(fd);
  if (size < 2 * SNAPSHOT_PAGE_BYTES) return damageAt(path, 'it is shorter than an empty snapshot', size);
  const bytes = Buffer.from(new ArrayBuffer(Math.min(SNAPSHOT_SECTION_BYTES, pagesFor(size))));
  storage.read(fd, bytes, 0, SNAPSHOT_PAGE_BYTES, 0);
  const header = decodeSnapshotHeader(bytes);
  if (typeof header === 'string') return damageAt(path, header, 0);
  const footerAt = size - SNAPSHOT_PAGE_BYTES;
  storage.read(fd, bytes, 0, SNAPSHOT_PAGE_BYTES, footerAt);
  const footer = decodeSnapshotFooter(bytes, header);
  if (typeof footer === 'string') return damageAt(path, footer, footerAt);
  if (footer.bytes !== size)
    return damageAt(path, `it has ${size} bytes, ${footer.bytes} were written`, footerAt);
  return {
    storage,
    path,
    fd,
    header,
    footer,
    section: { payloadBytes: 0, records: 0, database: 0, section: 0, asOfLsn: 0 },
    start: SECTION_HEADER_BYTES,
    end: SECTION_HEADER_BYTES,
    bytes,
    words: wordsOf(bytes),
    position: SNAPSHOT_PAGE_BYTES,
    sections: 0,
    chain: 0,
    entries: 0,
    hasLarge: false,
    largeType: NONE,
  };
}

function readSection(reader: SnapshotReader): true | SnapshotDamage {
  const { storage, fd, path, position, section, footer } = reader;
  const left = footer.bytes - SNAPSHOT_PAGE_BYTES - position;
  const first = Math.min(left, SNAPSHOT_SECTION_BYTES);
  if (reader.bytes.length > SNAPSHOT_SECTION_BYTES) makeRoom(reader, SNAPSHOT_SECTION_BYTES, 0);
  if (storage.read(fd, reader.bytes, 0, first, position) < first)
    return damageAt(path, 'it ends early', position);
  const trouble = decodeSectionHeader(reader.bytes, reader.header, section);
  if (trouble !== undefined) return damageAt(path, trouble, position);
  if (section.section !== reader.sections)
    return damageAt(path, `section ${section.section} stands in the place of ${reader.sections}`, position);
  const whole = sectionBytes(section.payloadBytes);
  if (whole > left) return damageAt(path, 'a section is longer than the file', position);
  if (whole > first) {
    makeRoom(reader, whole, first);
    if (storage.read(fd, reader.bytes, first, whole, position + first) < whole - first)
      return damageAt(path, 'it ends early', position);
  }
  if (!sectionMatches(reader.bytes, section.payloadBytes))
    return damageAt(path, 'the checksum of a section is wrong', position);
  reader.end = SECTION_HEADER_BYTES + section.payloadBytes;
  const bad = checkImages(reader);
  if (bad !== undefined) return bad;
  reader.chain = chainSection(reader.chain, reader.bytes);
  reader.sections += 1;
  reader.position += whole;
  return true;
}

function pagesFor(bytes: number): number {
  return Math.ceil(bytes / SNAPSHOT_PAGE_BYTES) * SNAPSHOT_PAGE_BYTES;
}

/** Other memory for sections, with the first `kept` bytes of the one at hand. */
function makeRoom(reader: SnapshotReader, bytes: number, kept: number): void {
  const larger = Buffer.from(new ArrayBuffer(bytes));
  reader.bytes.copy(larger, 0, 0, kept);
  reader.bytes = larger;
  reader.words = wordsOf(larger);
}

function checkImages(reader: SnapshotReader): SnapshotDamage | undefined {
  const { words, path, position, section } = reader;
  const end = reader.end / WORD_BYTES;
  let at = reader.start / WORD_BYTES;
  let records = 0;
  reader.hasLarge = false;
  for (; at < end; records += 1) {
    const cells = imageCells(words, at, end);
    const isSane =
      cells > 0 &&
      imageDatabase(words, at) === section.database &&
      imageLsn(words, at) <= section.asOfLsn &&
      isSaneValue(reader, at);
    if (!isSane) return damageAt(path, 'there is no entry where one should be', position + at * WORD_BYTES);
    at += cells * WORDS_PER_CELL;
  }
  if (records !== section.records || section.database >= DATABASES_MAX)
    return damageAt(path, `a section has ${records} entries, ${section.records} were written`, position);
  return undefined;
}

/** Whether the value is one of its type, and a piece one of what came before. Counts the entries. */
function isSaneValue(reader: SnapshotReader, at: number): boolean {
  const { words, bytes } = reader;
  const type = imageType(words, at);
  const start = imageKeyStart(words, at) + imageKeyBytes(words, at);
  const end = start + imageValueBytes(words, at);
  if (type === TYPE_PIECE) {
    const isSane = reader.largeType !== NONE && isSanePiece(reader.largeType, bytes, start, end);
    reader.hasLarge = true;
    if (isSane && bytes[start] !== PIECE_MORE) reader.largeType = NONE;
    return isSane;
  }
  reader.entries += 1;
  if (reader.largeType !== NONE) return false;
  if (type === TYPE_STRING) return true;
  if (!isSaneCollection(type, bytes, start, end)) return false;
  if (isTreeValue(bytes, start)) {
    reader.hasLarge = true;
    reader.largeType = type;
  }
  return true;
}

function checkEnd(reader: SnapshotReader): false | SnapshotDamage {
  const { footer, path, position } = reader;
  if (reader.sections !== footer.sections || reader.chain !== footer.chain)
    return damageAt(path, 'its sections are not those that its last page names', position);
  if (reader.largeType !== NONE) return damageAt(path, 'it ends within a collection', position);
  if (reader.entries !== footer.entries)
    return damageAt(path, `it has ${reader.entries} entries, ${footer.entries} were written`, position);
  return false;
}

/** A file that cannot be read is as good as a damaged one: the reason is the kernel's. */
function catchTrouble<Result>(path: string, read: () => Result): Result | SnapshotDamage {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && 'errno' in error)
      return { ok: false, text: `${path}: ${error.message}`, offset: 0 };
    throw error;
  }
}

function wordsOf(bytes: Buffer): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / WORD_BYTES);
}
