/**
 * One shard of the owner on its way to one replica: the place in the shard's backlog up to which it was told, and the copy of slots
 * that is under way.
 *
 * Runs on the worker that feeds the replica. The shard's lock is held for copies of memory only: so many bytes of records and, while
 * slots are copied, so many entries. What is copied of entries stands at one LSN, and everything up to that very LSN is told before
 * it, also what is still pending in the journal: so the stream is consistent at any byte, and nothing has to be remembered of any key.
 * Records that come by in the backlog afterwards and are told already are passed over.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { copyBytes, writeUint64 } from '../base/bytes.ts';
import {
  REPLICATION_LOOK_BYTES,
  REPLICATION_SLICE_BYTES,
  REPLICATION_SLICE_ENTRIES_MAX,
  REPLICATION_SLICE_ENTRIES_MIN,
} from '../config/limits-cluster.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import {
  type Backlog,
  bytesBehind,
  canReadFrom,
  copyRecords,
  endOfBacklog,
  historyOf,
} from '../shard/backlog.ts';
import {
  entryBytes,
  expiresAt,
  isRaw,
  keyLength,
  keyOffset,
  valueLength,
  valueOffset,
} from '../shard/entry.ts';
import { isJournalBroken, pendingBytes } from '../shard/journal.ts';
import { LSN } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import {
  EFFECT_PUT,
  RECORD_EXPIRES,
  RECORD_FLAGS_SHIFT,
  RECORD_HEADER_BYTES,
  RECORD_NUMBER_BYTES,
  RECORD_RAW,
  recordBytes,
} from '../shard/record.ts';
import type { Shard } from '../shard/shard.ts';
import { visitSlots } from '../shard/slots.ts';
import { POSITIONS } from '../shard/table.ts';

export type Lane = {
  readonly shard: Shard;
  readonly backlog: Backlog;
  /** Where in the backlog the next look begins, and the LSN of the record there. */
  position: number;
  lsn: number;
  history: number;
  /** Up to which LSN the replica was told everything, and up to which it knows that. */
  toldLsn: number;
  announcedLsn: number;
  /** The slots that are being copied, a byte each, and how far their entries are. */
  copy: { readonly slots: Uint8Array; position: number } | undefined;
  /** How much the next look takes: a record that is longer than usual needs more. */
  lookBytes: number;
  sliceEntries: number;
};

/** What a look has found; one for all of a thread, good until the next. */
export type Look = {
  /** Records from the lane's place on: `records[0, ringBytes)` of the backlog, then up to `recordsEnd` what is pending. */
  records: Buffer;
  ringBytes: number;
  recordsEnd: number;
  /** There is no more in the backlog than was taken. */
  isAtEnd: boolean;
  /** The records that the lane's place led to are gone. */
  isLost: boolean;
  /** Bytes of the backlog behind what was taken. */
  behindBytes: number;
  /** With a slice: its records, how many, the LSN at which it stands, and whether it is the last. */
  slice: Buffer;
  sliceBytes: number;
  sliceCount: number;
  sliceLsn: number;
  isCopied: boolean;
};

const WORD_BYTES = 4;

const look: Look = {
  records: Buffer.alloc(0),
  ringBytes: 0,
  recordsEnd: 0,
  isAtEnd: true,
  isLost: false,
  behindBytes: 0,
  slice: Buffer.alloc(0),
  sliceBytes: 0,
  sliceCount: 0,
  sliceLsn: 0,
  isCopied: false,
};

/** A lane that begins at what the shard has now. */
export function createLane(shard: Shard): Lane {
  const { backlog } = shard;
  assert(backlog !== undefined, 'a node of a cluster keeps what replicas have not got');
  const lane: Lane = {
    ...{ shard, backlog, position: 0, lsn: 0, history: 0, toldLsn: 0, announcedLsn: -1, copy: undefined },
    lookBytes: REPLICATION_LOOK_BYTES,
    sliceEntries: REPLICATION_SLICE_ENTRIES_MIN,
  };
  acquireShard(shard);
  try {
    moveToEnd(lane);
  } finally {
    releaseShard(shard);
  }
  return lane;
}

/** The lane begins anew at the end of its backlog; what it was at is over. Under the shard's lock. */
function moveToEnd(lane: Lane): void {
  const { position, lsn } = endOfBacklog(lane.backlog);
  lane.position = position;
  lane.lsn = lsn;
  lane.toldLsn = lsn - 1;
  lane.announcedLsn = -1;
  lane.history = historyOf(lane.backlog);
  lane.copy = undefined;
}

/** Whether there is nothing to be told of it. Without the lock it is a hint: who writes more wakes whoever feeds. */
export function hasNothing({ backlog, position, history, toldLsn, announcedLsn, copy }: Lane): boolean {
  if (copy !== undefined || toldLsn !== announcedLsn) return false;
  return bytesBehind(backlog, position) === 0 && historyOf(backlog) === history;
}

/** Begins the copy of slots, a byte each. */
export function beginCopy(lane: Lane, slots: Uint8Array): void {
  assert(slots.length === SLOT_COUNT && lane.copy === undefined, 'one copy of a shard at a time');
  lane.copy = { slots, position: 0 };
  lane.sliceEntries = REPLICATION_SLICE_ENTRIES_MIN;
}

/** Takes the next records, and the next slice of a copy. Some 10 us of the lock, 50 with a slice. */
export function lookAt(lane: Lane): Look {
  const { shard, backlog } = lane;
  look.recordsEnd = 0;
  look.sliceBytes = 0;
  look.sliceCount = 0;
  look.isCopied = false;
  acquireShard(shard);
  try {
    look.isLost = lane.history !== historyOf(backlog) || !canReadFrom(backlog, lane.position);
    if (look.isLost) moveToEnd(lane);
    const bytes = Math.min(lane.lookBytes, bytesBehind(backlog, lane.position));
    reserveRecords(bytes);
    look.ringBytes = copyRecords(backlog, lane.position, look.records, 0, bytes);
    look.recordsEnd = look.ringBytes;
    look.behindBytes = bytesBehind(backlog, lane.position) - look.ringBytes;
    look.isAtEnd = look.behindBytes === 0;
    // What a broken journal lacks makes the lane begin anew soon.
    if (look.isAtEnd && lane.copy !== undefined && !isJournalBroken(shard)) takeSlice(lane);
  } finally {
    releaseShard(shard);
  }
  return look;
}

/** The pending records, and then entries as they are with all of them done. Under the shard's lock. */
function takeSlice(lane: Lane): void {
  const { shard, copy } = lane;
  if (copy === undefined) return;
  const pending = pendingBytes(shard);
  reserveRecords(look.ringBytes + pending);
  if (look.slice.length > 4 * REPLICATION_SLICE_BYTES) look.slice = Buffer.alloc(0);
  shard.journal.records.copy(look.records, look.ringBytes, 0, pending);
  look.recordsEnd = look.ringBytes + pending;
  look.sliceLsn = shard.numbers[LSN];
  slicing.shard = shard;
  copy.position = visitSlots(shard, copy.slots, copy.position, lane.sliceEntries, addEntry);
  slicing.shard = undefined;
  look.isCopied = copy.position >= POSITIONS;
  adaptSlices(lane);
}

/** Slices of a few hundred kilobytes, whatever the values are. */
function adaptSlices(lane: Lane): void {
  const entries = look.sliceBytes > REPLICATION_SLICE_BYTES ? lane.sliceEntries / 2 : lane.sliceEntries * 2;
  lane.sliceEntries = Math.min(
    REPLICATION_SLICE_ENTRIES_MAX,
    Math.max(REPLICATION_SLICE_ENTRIES_MIN, entries),
  );
}

/** The shard that `addEntry` works on. */
const slicing: { shard: Shard | undefined } = { shard: undefined };

/** Adds an entry to the slice, as the record that puts it. */
function addEntry(ref: number): void {
  if (slicing.shard === undefined) return;
  const { entries } = slicing.shard;
  const keyBytes = keyLength(entries, ref);
  const valueBytes = valueLength(entries, ref);
  const expiresAtMs = expiresAt(entries, ref);
  const headBytes = RECORD_HEADER_BYTES + (expiresAtMs === 0 ? 0 : RECORD_NUMBER_BYTES);
  const bytes = recordBytes(headBytes + keyBytes + valueBytes);
  const at = look.sliceBytes;
  reserveSlice(at + bytes);
  const target = look.slice;
  const flags = (expiresAtMs === 0 ? 0 : RECORD_EXPIRES) | (isRaw(entries, ref) ? RECORD_RAW : 0);
  target.writeUInt32LE(EFFECT_PUT | (flags << RECORD_FLAGS_SHIFT), at);
  target.writeUInt32LE(keyBytes, at + WORD_BYTES);
  target.writeUInt32LE(valueBytes, at + 2 * WORD_BYTES);
  target.writeUInt32LE(0, at + 3 * WORD_BYTES);
  if (expiresAtMs !== 0) writeUint64(target, at + RECORD_HEADER_BYTES, expiresAtMs);
  const source = entryBytes(entries, ref);
  const key = keyOffset(entries, ref);
  const value = valueOffset(entries, ref);
  copyBytes(source, key, key + keyBytes, target, at + headBytes);
  copyBytes(source, value, value + valueBytes, target, at + headBytes + keyBytes);
  target.fill(0, at + headBytes + keyBytes + valueBytes, at + bytes);
  look.sliceBytes = at + bytes;
  look.sliceCount += 1;
}

/** Room for so many bytes of records; what is there stays. A turn later it is as small as usual again. */
function reserveRecords(bytes: number): void {
  const isMuch = look.records.length > 4 * REPLICATION_LOOK_BYTES && bytes <= REPLICATION_LOOK_BYTES;
  if (look.records.length >= bytes && !isMuch) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes, REPLICATION_LOOK_BYTES));
  look.records.copy(larger, 0, 0, Math.min(look.ringBytes, larger.length));
  look.records = larger;
}

function reserveSlice(bytes: number): void {
  if (look.slice.length >= bytes) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * look.slice.length, REPLICATION_SLICE_BYTES));
  look.slice.copy(larger, 0, 0, look.sliceBytes);
  look.slice = larger;
}
