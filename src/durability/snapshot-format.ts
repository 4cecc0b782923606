/**
 * Where everything of a snapshot file lies: the drawings of its first page, of a section and of its last page, and the
 * names of every offset. The entries within a section are drawn in shard/layout.ts.
 *
 * Owns no state; any thread. Numbers are little-endian; a u64 is two u32 (low, high) and below 2^53. All is aligned to pages:
 *
 *   ┌────────┬───────────────────────────┬───────────────────────────┬─ ··· ─┬────────┐
 *   │ header │ section 0: header, entries│ section 1: header, entries│       │ footer │
 *   └────────┴───────────────────────────┴───────────────────────────┴─ ··· ─┴────────┘
 */
import type { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { readUint64, spanText, writeUint64 } from '../base/bytes.ts';
import { crc32 } from '../base/checksum.ts';
import { DATABASES_MAX } from '../config/limits.ts';

export const SNAPSHOT_PAGE_BYTES = 4096;
/** What is written: 2 since there are collections. Files of version 1 have strings only, and are read as well. */
export const SNAPSHOT_VERSION = 2;
const SNAPSHOT_VERSION_OLDEST = 1;

/**
 * The first page; what is not drawn is zero:
 *
 *   0            8      12        16      20       24          28       32      40      48          56        64     68
 *  ┌────────────┬──────┬─────────┬───────┬────────┬───────────┬────────┬───────┬───────┬───────────┬─────────┬──────┬──
 *  │ magic      │ CRC  │ version │ shard │ shards │ databases │ clocks │ epoch │ set   │ start LSN │ created │ ring │ 0
 *  │ DCSNAP 0 1 │ u32  │ u32     │ u32   │ u32    │ u32       │ u32    │ u64   │ u64   │ u64       │ ms u64  │ u32  │
 *  └────────────┴──────┴─────────┴───────┴────────┴───────────┴────────┴───────┴───────┴───────────┴─────────┴──────┴──
 *
 * The CRC covers everything behind it, up to the end of the page. `clocks` says what the entries' clocks mean, `ring` is
 * the CRC of the slot table (16384 u16) by which the shard had its keys.
 */
const HEADER_MAGIC = 'DCSNAP\0\u0001';
const PAGE_CRC_AT = 8;
const PAGE_CRC_FROM = 12;
const VERSION_AT = 12;
const SHARD_AT = 16;
const SHARDS_AT = 20;
const DATABASES_AT = 24;
const CLOCKS_AT = 28;
const EPOCH_AT = 32;
const SET_AT = 40;
const START_LSN_AT = 48;
const CREATED_AT = 56;
const RING_AT = 64;

/** What the 24-bit clocks of the entries are: seconds of the last use (for S3-FIFO with hits in the lowest bits), or minutes and a use counter. */
export const CLOCKS_SECONDS = 0;
export const CLOCKS_USES = 1;

export type SnapshotHeader = {
  readonly version: number;
  readonly shard: number;
  readonly shards: number;
  readonly databases: number;
  readonly clocks: number;
  readonly epoch: number;
  readonly set: number;
  /** The shard's LSN when its walk began: what the log has up to it is in the file. */
  readonly startLsn: number;
  readonly createdMs: number;
  readonly ring: number;
};

/**
 * A section's header; the entries follow it without a gap, then zeros up to the end of the page:
 *
 *   0      4      8               12            16        20         24        28      32      40      48      56 .. 64
 *  ┌──────┬──────┬───────────────┬─────────────┬─────────┬──────────┬─────────┬───────┬───────┬───────┬───────┬─────────┐
 *  │ DCSE │ CRC  │ payload bytes │ payload CRC │ records │ database │ section │ shard │ as of │ epoch │ set   │ reserved│
 *  │      │ u32  │ u32           │ u32         │ u32     │ u32      │ u32     │ u32   │LSN u64│ u64   │ u64   │ 0       │
 *  └──────┴──────┴───────────────┴─────────────┴─────────┴──────────┴─────────┴───────┴───────┴───────┴───────┴─────────┘
 *
 * The first CRC covers the header behind it; the payload's covers the entries and the zeros. Sections are numbered from 0. RECORDS
 * are entries and pieces (collections/piece.ts).
 */
export const SECTION_HEADER_BYTES = 64;
/** 'DCSE', read as a little-endian number. */
const SECTION_MAGIC = 0x45534344;
const SECTION_CRC_AT = 4;
const SECTION_PAYLOAD_BYTES_AT = 8;
const SECTION_PAYLOAD_CRC_AT = 12;
const SECTION_RECORDS_AT = 16;
const SECTION_DATABASE_AT = 20;
const SECTION_NUMBER_AT = 24;
const SECTION_SHARD_AT = 28;
const SECTION_AS_OF_AT = 32;
const SECTION_EPOCH_AT = 40;
const SECTION_SET_AT = 48;

/** Mutable: one is kept and filled again for each section. */
export type SectionHeader = {
  payloadBytes: number;
  records: number;
  database: number;
  section: number;
  /** The shard's LSN when the last of the entries was copied: none of them is newer. */
  asOfLsn: number;
};

/**
 * The last page; what is not drawn is zero:
 *
 *   0             8      12          16             20         24        32           40        48      56      64 ..
 *  ┌─────────────┬──────┬───────────┬──────────────┬──────────┬─────────┬────────────┬─────────┬───────┬───────┬────────────────────────┐
 *  │ magic       │ CRC  │ sections  │ CRC of CRCs  │ reserved │ entries │ file bytes │ end LSN │ epoch │ set   │ entries by database    │
 *  │ DCSNEND 1   │ u32  │ u32       │ u32          │ 0        │ u64     │ u64        │ u64     │ u64   │ u64   │ u64 each               │
 *  └─────────────┴──────┴───────────┴──────────────┴──────────┴─────────┴────────────┴─────────┴───────┴───────┴────────────────────────┘
 *
 * The CRC of CRCs runs over the header CRCs of all sections, in order, four bytes each.
 */
const FOOTER_MAGIC = 'DCSNEND\u0001';
const FOOTER_SECTIONS_AT = 12;
const FOOTER_CHAIN_AT = 16;
const FOOTER_ENTRIES_AT = 24;
const FOOTER_BYTES_AT = 32;
const FOOTER_END_LSN_AT = 40;
const FOOTER_EPOCH_AT = 48;
const FOOTER_SET_AT = 56;
const FOOTER_DATABASES_AT = 64;
const U64_BYTES = 8;

export type SnapshotFooter = {
  readonly sections: number;
  /** The checksum over the sections' header checksums; see `chainSection`. */
  readonly chain: number;
  /** Without the pieces. */
  readonly entries: number;
  /** Of the whole file, this page included. */
  readonly bytes: number;
  readonly endLsn: number;
  readonly epoch: number;
  readonly set: number;
  /** Entries of each database: DATABASES_MAX numbers. What was met twice counts twice. */
  readonly databaseEntries: readonly number[];
};

assert(HEADER_MAGIC.length === PAGE_CRC_AT && FOOTER_MAGIC.length === PAGE_CRC_AT, 'a magic ends at the CRC');
assert(SECTION_HEADER_BYTES % 8 === 0, 'the entries of a section begin aligned');
assert(FOOTER_DATABASES_AT + DATABASES_MAX * U64_BYTES <= SNAPSHOT_PAGE_BYTES, 'the footer is one page');

/** Bytes of a section in the file: header, entries, zeros. */
export function sectionBytes(payloadBytes: number): number {
  return Math.ceil((SECTION_HEADER_BYTES + payloadBytes) / SNAPSHOT_PAGE_BYTES) * SNAPSHOT_PAGE_BYTES;
}

/** Writes the first page to `page`, all of it. */
export function encodeSnapshotHeader(page: Buffer, header: SnapshotHeader): void {
  page.fill(0, 0, SNAPSHOT_PAGE_BYTES);
  page.write(HEADER_MAGIC, 0, 'latin1');
  page.writeUInt32LE(header.version, VERSION_AT);
  page.writeUInt32LE(header.shard, SHARD_AT);
  page.writeUInt32LE(header.shards, SHARDS_AT);
  page.writeUInt32LE(header.databases, DATABASES_AT);
  page.writeUInt32LE(header.clocks, CLOCKS_AT);
  writeUint64(page, EPOCH_AT, header.epoch);
  writeUint64(page, SET_AT, header.set);
  writeUint64(page, START_LSN_AT, header.startLsn);
  writeUint64(page, CREATED_AT, header.createdMs);
  page.writeUInt32LE(header.ring, RING_AT);
  page.writeUInt32LE(pageChecksum(page), PAGE_CRC_AT);
}

/** What the first page says, or why it is none. A version that is not ours is one of the reasons. */
export function decodeSnapshotHeader(page: Buffer): SnapshotHeader | string {
  if (spanText(page, 0, PAGE_CRC_AT) !== HEADER_MAGIC) return 'it does not begin as a snapshot does';
  if (page.readUInt32LE(PAGE_CRC_AT) !== pageChecksum(page)) return 'the checksum of its first page is wrong';
  const version = page.readUInt32LE(VERSION_AT);
  if (version < SNAPSHOT_VERSION_OLDEST || version > SNAPSHOT_VERSION)
    return `it has format version ${version}, this server reads versions up to ${SNAPSHOT_VERSION}`;
  return {
    version,
    shard: page.readUInt32LE(SHARD_AT),
    shards: page.readUInt32LE(SHARDS_AT),
    databases: page.readUInt32LE(DATABASES_AT),
    clocks: page.readUInt32LE(CLOCKS_AT),
    epoch: readUint64(page, EPOCH_AT),
    set: readUint64(page, SET_AT),
    startLsn: readUint64(page, START_LSN_AT),
    createdMs: readUint64(page, CREATED_AT),
    ring: page.readUInt32LE(RING_AT),
  };
}

/**
 * Writes the header of the section whose entries stand in `bytes` behind SECTION_HEADER_BYTES, clears the rest of its last
 * page, and takes both checksums. `bytes` has room for `sectionBytes`.
 */
export function sealSection(bytes: Buffer, snapshot: SnapshotHeader, section: SectionHeader): void {
  const end = sectionBytes(section.payloadBytes);
  bytes.fill(0, SECTION_HEADER_BYTES + section.payloadBytes, end);
  bytes.writeUInt32LE(SECTION_MAGIC, 0);
  bytes.writeUInt32LE(section.payloadBytes, SECTION_PAYLOAD_BYTES_AT);
  bytes.writeUInt32LE(crc32(bytes.subarray(SECTION_HEADER_BYTES, end)), SECTION_PAYLOAD_CRC_AT);
  bytes.writeUInt32LE(section.records, SECTION_RECORDS_AT);
  bytes.writeUInt32LE(section.database, SECTION_DATABASE_AT);
  bytes.writeUInt32LE(section.section, SECTION_NUMBER_AT);
  bytes.writeUInt32LE(snapshot.shard, SECTION_SHARD_AT);
  writeUint64(bytes, SECTION_AS_OF_AT, section.asOfLsn);
  writeUint64(bytes, SECTION_EPOCH_AT, snapshot.epoch);
  writeUint64(bytes, SECTION_SET_AT, snapshot.set);
  bytes.fill(0, SECTION_SET_AT + U64_BYTES, SECTION_HEADER_BYTES);
  bytes.writeUInt32LE(sectionChecksum(bytes), SECTION_CRC_AT);
}

/** Reads a section's header into `section`; the reason where it is none of this snapshot. Says nothing about the entries. */
export function decodeSectionHeader(
  bytes: Buffer,
  snapshot: SnapshotHeader,
  section: SectionHeader,
): string | undefined {
  if (bytes.readUInt32LE(0) !== SECTION_MAGIC) return 'no section begins here';
  if (bytes.readUInt32LE(SECTION_CRC_AT) !== sectionChecksum(bytes))
    return "the checksum of a section's header is wrong";
  const isOfSnapshot =
    bytes.readUInt32LE(SECTION_SHARD_AT) === snapshot.shard &&
    readUint64(bytes, SECTION_EPOCH_AT) === snapshot.epoch &&
    readUint64(bytes, SECTION_SET_AT) === snapshot.set;
  if (!isOfSnapshot) return 'a section belongs to another snapshot';
  section.payloadBytes = bytes.readUInt32LE(SECTION_PAYLOAD_BYTES_AT);
  section.records = bytes.readUInt32LE(SECTION_RECORDS_AT);
  section.database = bytes.readUInt32LE(SECTION_DATABASE_AT);
  section.section = bytes.readUInt32LE(SECTION_NUMBER_AT);
  section.asOfLsn = readUint64(bytes, SECTION_AS_OF_AT);
  return undefined;
}

/** Whether the entries, and the zeros behind them, are those that the section's header was written for. */
export function sectionMatches(bytes: Buffer, payloadBytes: number): boolean {
  const rest = bytes.subarray(SECTION_HEADER_BYTES, sectionBytes(payloadBytes));
  return bytes.readUInt32LE(SECTION_PAYLOAD_CRC_AT) === crc32(rest);
}

/** The checksum over the sections so far and this one, whose header stands at the start of `bytes`; 0 before the first. */
export function chainSection(chain: number, bytes: Buffer): number {
  return crc32(bytes.subarray(SECTION_CRC_AT, SECTION_PAYLOAD_BYTES_AT), chain);
}

/** Writes the last page to `page`, all of it. */
export function encodeSnapshotFooter(page: Buffer, footer: SnapshotFooter): void {
  page.fill(0, 0, SNAPSHOT_PAGE_BYTES);
  page.write(FOOTER_MAGIC, 0, 'latin1');
  page.writeUInt32LE(footer.sections, FOOTER_SECTIONS_AT);
  page.writeUInt32LE(footer.chain, FOOTER_CHAIN_AT);
  writeUint64(page, FOOTER_ENTRIES_AT, footer.entries);
  writeUint64(page, FOOTER_BYTES_AT, footer.bytes);
  writeUint64(page, FOOTER_END_LSN_AT, footer.endLsn);
  writeUint64(page, FOOTER_EPOCH_AT, footer.epoch);
  writeUint64(page, FOOTER_SET_AT, footer.set);
  for (const [database, entries] of footer.databaseEntries.entries())
    writeUint64(page, FOOTER_DATABASES_AT + database * U64_BYTES, entries);
  page.writeUInt32LE(pageChecksum(page), PAGE_CRC_AT);
}

/** What the last page of the snapshot with this header says, or why it is none. */
export function decodeSnapshotFooter(page: Buffer, header: SnapshotHeader): SnapshotFooter | string {
  if (spanText(page, 0, PAGE_CRC_AT) !== FOOTER_MAGIC) return 'it does not end as a snapshot does';
  if (page.readUInt32LE(PAGE_CRC_AT) !== pageChecksum(page)) return 'the checksum of its last page is wrong';
  const epoch = readUint64(page, FOOTER_EPOCH_AT);
  const set = readUint64(page, FOOTER_SET_AT);
  if (epoch !== header.epoch || set !== header.set) return 'its last page belongs to another snapshot';
  return {
    sections: page.readUInt32LE(FOOTER_SECTIONS_AT),
    chain: page.readUInt32LE(FOOTER_CHAIN_AT),
    entries: readUint64(page, FOOTER_ENTRIES_AT),
    bytes: readUint64(page, FOOTER_BYTES_AT),
    endLsn: readUint64(page, FOOTER_END_LSN_AT),
    epoch,
    set,
    databaseEntries: Array.from({ length: DATABASES_MAX }, (_, database) =>
      readUint64(page, FOOTER_DATABASES_AT + database * U64_BYTES),
    ),
  };
}

function pageChecksum(page: Buffer): number {
  return crc32(page.subarray(PAGE_CRC_FROM, SNAPSHOT_PAGE_BYTES));
}

function sectionChecksum(bytes: Buffer): number {
  return crc32(bytes.subarray(SECTION_PAYLOAD_BYTES_AT, SECTION_HEADER_BYTES));
}
