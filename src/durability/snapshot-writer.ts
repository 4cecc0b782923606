/**
 * Writes the snapshot file of one shard while the shard serves on: aside, synced, then given its name.
 *
 * Runs on a thread of the job pool. The shard is walked in slices (shard/walk.ts), which take its lock; sections are
 * sealed and written without it. Whatever goes wrong with the disk is a returned text, and no half file stays behind.
 */
import { Buffer } from 'node:buffer';
import { dirname } from 'node:path';
import { DATABASES_MAX, SNAPSHOT_SECTION_BYTES, SNAPSHOT_STARTS_MAX } from '../config/limits.ts';
import { clearImageMemory, createImageMemory, type ImageMemory } from '../shard/image-memory.ts';
import { DATABASES, POLICY } from '../shard/layout.ts';
import { isLfu } from '../shard/policy.ts';
import type { Shard } from '../shard/shard.ts';
import {
  type ShardWalk,
  startWalk,
  WALK_END,
  WALK_FULL,
  WALK_LARGE,
  WALK_MORE,
  WALK_VOID,
  walkSlice,
} from '../shard/walk.ts';
import {
  CLOCKS_SECONDS,
  CLOCKS_USES,
  chainSection,
  encodeSnapshotFooter,
  encodeSnapshotHeader,
  SECTION_HEADER_BYTES,
  SNAPSHOT_PAGE_BYTES,
  SNAPSHOT_VERSION,
  type SnapshotHeader,
  sealSection,
  sectionBytes,
} from './snapshot-format.ts';
import type { Storage } from './storage-types.ts';

/** What stands in the header besides what the shard itself knows. */
export type SnapshotPlan = {
  /** The file's name, folder included; a file of that name is replaced at the very end. */
  readonly path: string;
  readonly shards: number;
  /** `ringOf` the slot table. */
  readonly ring: number;
  readonly epoch: number;
  readonly set: number;
  readonly createdMs: number;
};

export type SnapshotWatch = {
  /** Called between slices, without any lock; false calls the whole thing off. */
  readonly pause: () => boolean;
  /** Called with the sums so far after each section. */
  readonly progress: (entries: number, bytes: number) => void;
};

export type SnapshotOutcome =
  | {
      readonly ok: true;
      readonly startLsn: number;
      readonly endLsn: number;
      readonly entries: number;
      readonly bytes: number;
    }
  | { readonly ok: false; readonly text: string };

type Writing = {
  readonly storage: Storage;
  readonly fd: number;
  readonly header: SnapshotHeader;
  readonly walk: ShardWalk;
  readonly watch: SnapshotWatch;
  readonly memory: ImageMemory;
  readonly databaseEntries: number[];
  /** In the sections so far. */
  entries: number;
  sections: number;
  chain: number;
  position: number;
};

/** A large image grows while memory for it is found: so much more than it needed when it was met. */
const LARGE_MARGIN = 1 / 8;
const CALLED_OFF = 'the snapshot was called off';
const TOO_MANY_STARTS = `databases were flushed or swapped ${SNAPSHOT_STARTS_MAX} times while the snapshot was written`;

/** Writes the snapshot of `shard`. O(entries); blocks the thread but for `pause`. Disk trouble is returned, bugs throw. */
export function writeSnapshot(
  storage: Storage,
  shard: Shard,
  plan: SnapshotPlan,
  watch: SnapshotWatch,
): SnapshotOutcome {
  const aside = `${plan.path}.tmp`;
  const folder = dirname(plan.path);
  try {
    storage.makeFolder(folder);
    if (storage.exists(aside)) storage.remove(aside);
    const outcome = writeAside(storage, shard, plan, watch, aside);
    if (!outcome.ok) {
      storage.remove(aside);
      return outcome;
    }
    storage.rename(aside, plan.path);
    storage.syncFolder(folder);
    return outcome;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    removeQuietly(storage, aside);
    return { ok: false, text: `${plan.path}: ${error.message}` };
  }
}

function writeAside(
  storage: Storage,
  shard: Shard,
  plan: SnapshotPlan,
  watch: SnapshotWatch,
  aside: string,
): SnapshotOutcome {
  const fd = storage.createFile(aside);
  try {
    const memory = createImageMemory(
      Buffer.from(new ArrayBuffer(SNAPSHOT_SECTION_BYTES)),
      SECTION_HEADER_BYTES,
    );
    for (let starts = 0; starts < SNAPSHOT_STARTS_MAX; starts += 1) {
      storage.truncate(fd, 0);
      const outcome = writeOnce(createWriting(storage, fd, shard, plan, watch, memory));
      if (outcome !== WALK_VOID) return outcome;
    }
    return { ok: false, text: TOO_MANY_STARTS };
  } finally {
    storage.close(fd);
  }
}

function createWriting(
  storage: Storage,
  fd: number,
  shard: Shard,
  plan: SnapshotPlan,
  watch: SnapshotWatch,
  memory: ImageMemory,
): Writing {
  const { shards, ring, epoch, set, createdMs } = plan;
  const walk = startWalk(shard);
  const header: SnapshotHeader = {
    version: SNAPSHOT_VERSION,
    shard: shard.index,
    shards,
    databases: shard.control[DATABASES],
    clocks: isLfu(shard.control[POLICY]) ? CLOCKS_USES : CLOCKS_SECONDS,
    epoch,
    set,
    startLsn: walk.startLsn,
    createdMs,
    ring,
  };
  clearImageMemory(memory);
  return {
    storage,
    fd,
    header,
    walk,
    watch,
    memory,
    databaseEntries: Array.from({ length: DATABASES_MAX }, () => 0),
    entries: 0,
    sections: 0,
    chain: 0,
    position: 0,
  };
}

/** The whole file, from the first page to the last, and its sync; WALK_VOID when it must be begun again. */
function writeOnce(writing: Writing): SnapshotOutcome | typeof WALK_VOID {
  const { storage, fd, memory, walk, watch } = writing;
  encodeSnapshotHeader(memory.bytes, writing.header);
  writePage(writing);
  for (;;) {
    const database = walk.database;
    const status = walkSlice(walk, memory);
    if (status === WALK_VOID) return WALK_VOID;
    if (status === WALK_LARGE) {
      if (!writeLarge(writing)) return WALK_VOID;
    } else if (status !== WALK_MORE) {
      if (status === WALK_FULL || memory.used > memory.start) writeSection(writing, memory, database);
      if (status === WALK_END) break;
    }
    if (!watch.pause()) return { ok: false, text: CALLED_OFF };
  }
  const { startLsn, asOfLsn: endLsn } = walk;
  const { entries } = writing;
  const bytes = writing.position + SNAPSHOT_PAGE_BYTES;
  const { epoch, set } = writing.header;
  const { sections, chain, databaseEntries } = writing;
  encodeSnapshotFooter(memory.bytes, {
    sections,
    chain,
    entries,
    bytes,
    endLsn,
    epoch,
    set,
    databaseEntries,
  });
  writePage(writing);
  storage.sync(fd);
  return { ok: true, startLsn, endLsn, entries, bytes };
}

function writePage(writing: Writing): void {
  const { storage, fd, memory, position } = writing;
  storage.write(fd, memory.bytes, 0, SNAPSHOT_PAGE_BYTES, position);
  writing.position += SNAPSHOT_PAGE_BYTES;
}

/** An entry that no section of the usual size holds has a section of its own; false when the walk was made worthless. */
function writeLarge(writing: Writing): boolean {
  const { walk } = writing;
  const { database } = walk;
  let status = WALK_LARGE;
  while (status === WALK_LARGE) {
    const wanted = SECTION_HEADER_BYTES + Math.ceil(walk.neededBytes * (1 + LARGE_MARGIN));
    const bytes = Buffer.from(new ArrayBuffer(sectionBytes(wanted)));
    const memory = createImageMemory(bytes, SECTION_HEADER_BYTES);
    status = walkSlice(walk, memory);
    if (memory.used > memory.start) writeSection(writing, memory, database);
  }
  return status !== WALK_VOID;
}

/** Seals and writes what has come together. Its room, header and all, is a whole number of pages. */
function writeSection(writing: Writing, memory: ImageMemory, database: number): void {
  const { storage, fd, header, walk, watch } = writing;
  const payloadBytes = memory.used - memory.start;
  sealSection(memory.bytes, header, {
    payloadBytes,
    records: memory.records,
    database,
    section: writing.sections,
    asOfLsn: walk.asOfLsn,
  });
  const bytes = sectionBytes(payloadBytes);
  storage.write(fd, memory.bytes, 0, bytes, writing.position);
  writing.chain = chainSection(writing.chain, memory.bytes);
  writing.databaseEntries[database] += memory.entries;
  writing.entries += memory.entries;
  writing.sections += 1;
  writing.position += bytes;
  clearImageMemory(memory);
  watch.progress(writing.entries, writing.position);
}

function removeQuietly(storage: Storage, path: string): void {
  try {
    if (storage.exists(path)) storage.remove(path);
  } catch (error) {
    // The disk that failed may fail again; a start removes what the manifest does not list.
    if (!isSystemError(error)) throw error;
  }
}

/** Node gives the kernel's errors a code; what has none is a bug. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'errno' in error;
}
