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
import {
  REPLICATION_LOOK_BYTES,
  REPLICATION_PIECES_BYTES,
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
import { isJournalBroken, pendingBytes } from '../shard/journal.ts';
import { LSN } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import type { Shard } from '../shard/shard.ts';
import { visitSlots } from '../shard/slots.ts';
import { POSITIONS } from '../shard/table.ts';
import { addEntry, addNextPiece, type LargeCopy, type RecordSlice } from './copied-entries.ts';

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
  copy: Copy | undefined;
  /** How much the next look takes: a record that is longer than usual needs more. */
  lookBytes: number;
  sliceEntries: number;
};

/** Slots on their way, a byte each; how far the walk over their entries is; and large collections of which the replica has a part. */
type Copy = { readonly slots: Uint8Array; position: number; readonly large: LargeCopy[] };

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
  /** With a slice: its records, the LSN at which it stands, and whether it is the last. */
  readonly slice: RecordSlice;
  sliceLsn: number;
  isCopied: boolean;
};

const look: Look = {
  records: Buffer.alloc(0),
  ringBytes: 0,
  recordsEnd: 0,
  isAtEnd: true,
  isLost: false,
  behindBytes: 0,
  slice: { bytes: Buffer.alloc(0), length: 0, count: 0 },
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
  lane.copy = { slots, position: 0, large: [] };
  lane.sliceEntries = REPLICATION_SLICE_ENTRIES_MIN;
}

/** Takes the next records, and the next slice of a copy. Some 10 us of the lock, 50 with a slice. */
export function lookAt(lane: Lane): Look {
  const { shard, backlog } = lane;
  look.recordsEnd = 0;
  look.slice.length = 0;
  look.slice.count = 0;
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
  const isMuch = look.slice.bytes.length > 4 * REPLICATION_SLICE_BYTES;
  if (isMuch || look.slice.bytes.length === 0)
    look.slice.bytes = Buffer.allocUnsafeSlow(2 * REPLICATION_SLICE_BYTES);
  shard.journal.records.copy(look.records, look.ringBytes, 0, pending);
  look.recordsEnd = look.ringBytes + pending;
  look.sliceLsn = shard.numbers[LSN];
  if (copy.large.length > 0) takePieces(shard, copy);
  else takeEntries(lane, copy);
  look.isCopied = copy.position >= POSITIONS && copy.large.length === 0;
}

/** The next entries. Large collections among them are begun, and the walk goes on when the replica has all of them. */
function takeEntries(lane: Lane, copy: Copy): void {
  slicing.shard = lane.shard;
  slicing.large = copy.large;
  copy.position = visitSlots(lane.shard, copy.slots, copy.position, lane.sliceEntries, visitEntry);
  slicing.shard = undefined;
  adaptSlices(lane);
}

/** Slices of a few hundred kilobytes, whatever the values are. */
function adaptSlices(lane: Lane): void {
  const entries = look.slice.length > REPLICATION_SLICE_BYTES ? lane.sliceEntries / 2 : lane.sliceEntries * 2;
  lane.sliceEntries = Math.min(
    REPLICATION_SLICE_ENTRIES_MAX,
    Math.max(REPLICATION_SLICE_ENTRIES_MIN, entries),
  );
}

/** What `visitEntry` works on: one for all lanes of a thread. */
const slicing: { shard: Shard | undefined; large: LargeCopy[] } = { shard: undefined, large: [] };

function visitEntry(ref: number, slot: number): void {
  if (slicing.shard !== undefined) addEntry(slicing.shard, ref, slot, look.slice, slicing.large);
}

/**
 * The next pieces of large collections: less than of strings, since a replica takes some 50 times as long for the same bytes. What is of
 * slots that are copied no more goes by.
 */
function takePieces(shard: Shard, { slots, large }: Copy): void {
  let bytesLeft = REPLICATION_PIECES_BYTES;
  while (large.length > 0 && bytesLeft > 0) {
    const [first] = large;
    const { isGrowing } = first;
    const hasMore = slots[first.slot] !== 0 && addNextPiece(shard, first, look.slice, bytesLeft);
    if (!hasMore) large.shift();
    bytesLeft = isGrowing ? 0 : REPLICATION_PIECES_BYTES - look.slice.length;
  }
}

/** Room for so many bytes of records; what is there stays. A turn later it is as small as usual again. */
function reserveRecords(bytes: number): void {
  const isMuch = look.records.length > 4 * REPLICATION_LOOK_BYTES && bytes <= REPLICATION_LOOK_BYTES;
  if (look.records.length >= bytes && !isMuch) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes, REPLICATION_LOOK_BYTES));
  look.records.copy(larger, 0, 0, Math.min(look.ringBytes, larger.length));
  look.records = larger;
}
