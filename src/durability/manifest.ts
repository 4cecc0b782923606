/**
 * The manifest: which segments and snapshots in `dir` make up the current state. Everything else there is a leftover.
 *
 * Owns no state; any one thread at a time. The file is JSON for humans, and a last line `crc32 xxxxxxxx` over all that
 * stands before it. It is written aside, synced, renamed into place, and its folder synced: a crash at any moment leaves
 * the old one or the new one.
 */
import { Buffer } from 'node:buffer';
import { posix } from 'node:path';
import { assert } from '../base/assert.ts';
import { crc32 } from '../base/checksum.ts';
import { StartError } from '../base/errors.ts';
import { DATABASES_MAX, MANIFEST_BYTES_MAX, SHARDS_MAX } from '../config/limits.ts';
import type { Storage } from './storage-types.ts';

/** Numbers are whole and at least 0; times are milliseconds since the epoch. */
export type Manifest = {
  readonly version: number;
  readonly epoch: number;
  readonly shards: number;
  readonly databases: number;
  readonly streams: readonly ManifestStream[];
  readonly snapshot: SnapshotSet | null;
  /** The set before it, kept until the newer one has been read back whole. */
  readonly previous: SnapshotSet | null;
  /** The first block number of this epoch. */
  readonly blockBase: number;
};

/** Segments of one stream, oldest first, their sequence numbers without a gap. */
export type ManifestStream = { readonly stream: number; readonly segments: readonly ManifestSegment[] };
export type ManifestSegment = {
  readonly sequence: number;
  readonly epoch: number;
  readonly firstBlock: number;
};

/** One snapshot of every shard, and where in the log recovery goes on from it. */
export type SnapshotSet = {
  readonly set: number;
  readonly epoch: number;
  readonly shards: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly files: readonly SnapshotFile[];
  /** The first segment of each stream that is still needed. */
  readonly cut: readonly SnapshotCut[];
  readonly firstBlock: number;
  readonly verified: boolean;
};
type SnapshotFile = {
  readonly shard: number;
  readonly startLsn: number;
  readonly endLsn: number;
  readonly entries: number;
  readonly bytes: number;
};
type SnapshotCut = { readonly stream: number; readonly sequence: number };

export const MANIFEST_NAME = 'distcache.manifest';
export const MANIFEST_VERSION = 1;

const ASIDE = '.tmp';
const CHECKSUM_LINE = /^crc32 ([0-9a-f]{8})\n$/;
const CHECKSUM_LINE_BYTES = 'crc32 00000000\n'.length;
const HEX_DIGITS = 8;

/**
 * The manifest at `path`; undefined where there is none. Throws a StartError that names the file and what is wrong with
 * it, and a system error where the disk fails.
 */
export function readManifest(storage: Storage, path: string): Manifest | undefined {
  if (!storage.exists(path)) return undefined;
  const bytes = readWhole(storage, path);
  const checksumAt = Math.max(0, bytes.length - CHECKSUM_LINE_BYTES);
  const written = CHECKSUM_LINE.exec(bytes.toString('latin1', checksumAt));
  if (written === null)
    throw damaged(path, 'its last line is no checksum: it was cut off, or changed by hand');
  const found = checksumText(bytes.subarray(0, checksumAt));
  if (written[1] !== found)
    throw damaged(path, `its checksum is ${found}, not ${written[1]} as its last line says`);
  const problem: Complaint = (field, rule) => damaged(path, `${field} must be ${rule}`);
  return parseManifest(parseJson(path, bytes.toString('utf8', 0, checksumAt)), problem);
}

/**
 * Replaces the manifest at `path`, or makes it. Returns when it is on the disk. Throws system errors: a start then finds
 * the old one or the new one, so what either lists must stay until a later call succeeds.
 */
export function writeManifest(storage: Storage, path: string, manifest: Manifest): void {
  const json = Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`);
  const bytes = Buffer.concat([json, Buffer.from(`crc32 ${checksumText(json)}\n`)]);
  assert(bytes.length <= MANIFEST_BYTES_MAX, 'a manifest that is written can be read');
  parseManifest(
    JSON.parse(json.toString()),
    (field, rule) => new Error(`assertion failed: ${field} is ${rule}`),
  );
  const aside = path + ASIDE;
  if (storage.exists(aside)) storage.remove(aside);
  const fd = storage.createFile(aside);
  try {
    storage.write(fd, bytes, 0, bytes.length, 0);
    storage.sync(fd);
  } finally {
    storage.close(fd);
  }
  storage.rename(aside, path);
  storage.syncFolder(posix.dirname(path));
}

function readWhole(storage: Storage, path: string): Buffer {
  const fd = storage.openRead(path);
  try {
    const bytes = storage.size(fd);
    if (bytes > MANIFEST_BYTES_MAX) throw damaged(path, `it is larger than ${MANIFEST_BYTES_MAX} bytes`);
    const target = Buffer.alloc(bytes);
    return target.subarray(0, storage.read(fd, target, 0, bytes, 0));
  } finally {
    storage.close(fd);
  }
}

function checksumText(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(HEX_DIGITS, '0');
}

function damaged(path: string, problem: string): StartError {
  return new StartError(`the manifest '${path}' cannot be used: ${problem}`, 1);
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged(path, `it is no JSON: ${(error as Error).message}`);
  }
}

// The shape. Each function takes a value, and where it stands for the complaint; what it does not know it leaves out.

type Complaint = (field: string, rule: string) => Error;
type Fields = { readonly [name: string]: unknown };

function parseManifest(value: unknown, complain: Complaint): Manifest {
  const fields = fieldsOf(value, 'the manifest', complain);
  const count = countOf(fields, '', complain);
  if (fields.version !== MANIFEST_VERSION) {
    throw complain('version', `${MANIFEST_VERSION}: it was written by another version of the server`);
  }
  return {
    version: MANIFEST_VERSION,
    epoch: count('epoch'),
    shards: count('shards', 1, SHARDS_MAX),
    databases: count('databases', 1, DATABASES_MAX),
    streams: parseList(fields.streams, 'streams', 'stream', parseStream, complain),
    snapshot: parseSnapshot(fields.snapshot, 'snapshot', complain),
    previous: parseSnapshot(fields.previous, 'previous', complain),
    blockBase: count('blockBase'),
  };
}

function parseStream(value: unknown, at: string, complain: Complaint): ManifestStream {
  const fields = fieldsOf(value, at, complain);
  const segmentsAt = `${at}.segments`;
  const segments = parseList(fields.segments, segmentsAt, 'sequence', parseSegment, complain);
  segments.forEach(({ sequence }, index) => {
    const due = segments[0].sequence + index;
    if (sequence !== due) throw complain(`${segmentsAt}[${index}].sequence`, `${due}, with no gap before it`);
  });
  return { stream: countOf(fields, at, complain)('stream'), segments };
}

function parseSegment(value: unknown, at: string, complain: Complaint): ManifestSegment {
  const count = countOf(fieldsOf(value, at, complain), at, complain);
  return { sequence: count('sequence'), epoch: count('epoch'), firstBlock: count('firstBlock') };
}

function parseSnapshot(value: unknown, at: string, complain: Complaint): SnapshotSet | null {
  if (value === null) return null;
  const fields = fieldsOf(value, at, complain);
  const count = countOf(fields, at, complain);
  const shards = count('shards', 1, SHARDS_MAX);
  const files = parseList(fields.files, `${at}.files`, 'shard', parseSnapshotFile, complain);
  if (files.length !== shards || files.at(-1)?.shard !== shards - 1) {
    throw complain(`${at}.files`, `one for each of its ${shards} shards`);
  }
  if (typeof fields.verified !== 'boolean') throw complain(`${at}.verified`, 'true or false');
  return {
    set: count('set'),
    epoch: count('epoch'),
    shards,
    startedAtMs: count('startedAtMs'),
    finishedAtMs: count('finishedAtMs'),
    files,
    cut: parseList(fields.cut, `${at}.cut`, 'stream', parseCut, complain),
    firstBlock: count('firstBlock'),
    verified: fields.verified,
  };
}

function parseSnapshotFile(value: unknown, at: string, complain: Complaint): SnapshotFile {
  const count = countOf(fieldsOf(value, at, complain), at, complain);
  const startLsn = count('startLsn');
  return {
    shard: count('shard'),
    startLsn,
    endLsn: count('endLsn', startLsn),
    entries: count('entries'),
    bytes: count('bytes'),
  };
}

function parseCut(value: unknown, at: string, complain: Complaint): SnapshotCut {
  const count = countOf(fieldsOf(value, at, complain), at, complain);
  return { stream: count('stream'), sequence: count('sequence') };
}

/** A list whose items ascend by the number of that name. */
function parseList<Name extends string, Item extends { readonly [name in Name]: number }>(
  value: unknown,
  at: string,
  order: Name,
  parse: (value: unknown, at: string, complain: Complaint) => Item,
  complain: Complaint,
): readonly Item[] {
  if (!Array.isArray(value)) throw complain(at, 'a list');
  const items = value.map((item, index) => parse(item, `${at}[${index}]`, complain));
  items.forEach((item, index) => {
    if (index > 0 && item[order] <= items[index - 1][order]) {
      throw complain(`${at}[${index}].${order}`, 'larger than the one before it');
    }
  });
  return items;
}

function fieldsOf(value: unknown, at: string, complain: Complaint): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw complain(at, 'an object');
  return value as Fields;
}

/** Reads whole numbers of an object by name. */
function countOf(
  fields: Fields,
  at: string,
  complain: Complaint,
): (name: string, least?: number, most?: number) => number {
  return (name, least = 0, most = Number.MAX_SAFE_INTEGER) => {
    const value = fields[name];
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    const field = at === '' ? name : `${at}.${name}`;
    throw complain(field, `a whole number from ${least} to ${most}`);
  };
}
