/**
 * A walk over the keys of one database in all shards, in hash order, a slice at a time: what KEYS and SCAN are made of.
 *
 * Runs on the thread of the connection. Each slice holds one shard's lock and visits some hundred entries; a long walk
 * ends its turn after some thousand and goes on in the next, so that other clients get theirs. Names that were found
 * are kept as RESP bulk strings in chunks which never move. Every key that is there from start to end is visited:
 * places are ranges of hashes (visitGroup of shard/table), which other threads' changes between slices do not upset.
 */
import type { Buffer } from 'node:buffer';
import { globMatch } from '../base/glob.ts';
import {
  WALK_CHUNK_BYTES,
  WALK_SLICE_BYTES,
  WALK_SLICE_ENTRIES,
  WALK_TURN_ENTRIES,
} from '../config/limits.ts';
import { LIMIT_CUTS } from '../metrics/names.ts';
import {
  createReplyWriter,
  ensureRoom,
  type ReplyWriter,
  writeBulk,
  writeRaw,
} from '../resp/reply-writer.ts';
import { entryBytes, keyLength, keyOffset, typeOf } from '../shard/entry.ts';
import { isDrainDue } from '../shard/journal.ts';
import { isExpired, scanBucket } from '../shard/keyspace.ts';
import type { Shard } from '../shard/shard.ts';
import { slotOfEntry } from '../shard/slot-keys.ts';
import { type Call, deferReply } from './call.ts';
import { type Changes, noteTouched } from './changes.ts';
import { ALL_KEYS, countKeysInSlot, rolesSeen } from './keys-seen.ts';
import { areLocksKept, enterShard, leaveShard } from './shard-locks.ts';

/** Positions in a shard end here. */
export const POSITIONS_END = 2 ** 32;

/** What a bulk string needs besides its bytes: `$`, a length, two line ends. */
const BULK_FRAME_BYTES_MAX = 24;

/** A visit of an empty group costs about as much as one of an entry. */
const GROUP_COST = 1;

export const ANY_TYPE = -1;
const ANY_SLOT = -1;

export type Walk = {
  readonly shards: readonly Shard[];
  readonly changes: Changes;
  readonly database: number;
  /** Undefined for all keys. */
  readonly pattern: Buffer | undefined;
  /** A type of entries, or ANY_TYPE. */
  readonly type: number;
  /** The roles of the slots whose keys are taken, or ALL_KEYS (keys-seen.ts). */
  readonly roles: number;
  /** The slot whose keys are taken, or ANY_SLOT. */
  readonly slot: number;
  /** Not more than so many are taken. */
  readonly keysMax: number;
  shardIndex: number;
  position: number;
  /** The walk ends when this many entries were visited, whether they were taken or not, or this many groups. */
  entriesLeft: number;
  groupsLeft: number;
  keysTaken: number;
  bytesTaken: number;
  readonly chunks: ReplyWriter[];
};

/** What `visitEntry` works on: one visitor for all walks, so that none needs a closure of its own. */
const visit: { walk: Walk | undefined; shard: Shard | undefined; nowMs: number; entries: number } = {
  walk: undefined,
  shard: undefined,
  nowMs: 0,
  entries: 0,
};

/** A chunk between walks: most fit in one. */
let spareChunk: ReplyWriter | undefined;

/** A walk over all keys of the client's database, from the start to the end. */
export function createWalk(call: Call, pattern: Buffer | undefined, type: number): Walk {
  return {
    shards: call.engine.shards,
    changes: call.engine.changes,
    database: call.session.database,
    pattern,
    type,
    roles: rolesSeen(call),
    slot: ANY_SLOT,
    keysMax: Infinity,
    shardIndex: 0,
    position: 0,
    entriesLeft: Infinity,
    groupsLeft: Infinity,
    keysTaken: 0,
    bytesTaken: 0,
    chunks: [],
  };
}

/** A walk over keys of one slot that this node has, whoever owns it: through all keys of the slot's shard, until enough are found. */
export function createSlotWalk(call: Call, slot: number, keysMax: number): Walk {
  const { engine } = call;
  return {
    ...createWalk(call, undefined, ANY_TYPE),
    shards: [engine.shards[engine.slotShard[slot]]],
    roles: ALL_KEYS,
    slot,
    keysMax: Math.min(keysMax, countKeysInSlot(engine, slot)),
  };
}

/**
 * Walks to the end and then has `finish` write the reply: at once after a short walk, in a later turn after a long one. Within
 * a transaction always at once: nothing of it is seen from outside before all is done.
 */
export function runWalk(call: Call, walk: Walk, finish: (reply: ReplyWriter, walk: Walk) => void): void {
  const { engine, session } = call;
  let isOver = advanceWalk(walk, call.nowMs);
  while (!isOver && areLocksKept()) isOver = advanceWalk(walk, call.nowMs);
  if (isOver) {
    finish(call.reply, walk);
    return;
  }
  const deferred = deferReply(call);
  const { hardBytes } = engine.config.clientOutputBufferLimit.normal;
  const goOn = (): void => {
    if (session.closing) {
      deferred.resume(writeNothing);
    } else if (advanceWalk(walk, engine.wallMs())) {
      deferred.resume((reply) => finish(reply, walk));
    } else if (hardBytes > 0 && walk.bytesTaken > hardBytes) {
      engine.log.warning(`client ${session.id} closed: its reply passed client-output-buffer-limit`);
      engine.counters[LIMIT_CUTS] += 1;
      session.connection.destroy();
    } else {
      engine.later(goOn);
    }
  };
  engine.later(goOn);
}

function isWalkOver(walk: Walk): boolean {
  if (walk.keysTaken >= walk.keysMax) return true;
  return walk.shardIndex >= walk.shards.length || walk.entriesLeft <= 0 || walk.groupsLeft <= 0;
}

/** Appends the names that were taken, as bulk strings, and lets go of them. */
export function writeTaken(reply: ReplyWriter, walk: Walk): void {
  ensureRoom(reply, walk.bytesTaken);
  for (const chunk of walk.chunks) writeRaw(reply, chunk.bytes.subarray(0, chunk.length));
  const [first] = walk.chunks;
  if (first !== undefined && first.bytes.length === WALK_CHUNK_BYTES) spareChunk = first;
  walk.chunks.length = 0;
}

/** What a client is answered that is being closed. */
function writeNothing(): void {}

/** One turn's part of a walk; true when it is over. */
function advanceWalk(walk: Walk, nowMs: number): boolean {
  let left = WALK_TURN_ENTRIES;
  while (left > 0 && !isWalkOver(walk)) left -= walkSlice(walk, nowMs);
  return isWalkOver(walk);
}

/** Visits groups of one shard under its lock; returns the cost in entries. */
function walkSlice(walk: Walk, nowMs: number): number {
  const shard = walk.shards[walk.shardIndex];
  const bytesMax = walk.bytesTaken + WALK_SLICE_BYTES;
  let cost = 0;
  visit.walk = walk;
  visit.shard = shard;
  visit.nowMs = nowMs;
  enterShard(shard);
  try {
    do {
      visit.entries = 0;
      walk.position = scanBucket(shard, walk.database, walk.position, visitEntry);
      walk.entriesLeft -= visit.entries;
      walk.groupsLeft -= 1;
      cost += GROUP_COST + visit.entries;
    } while (
      walk.position < POSITIONS_END &&
      !isWalkOver(walk) &&
      cost < WALK_SLICE_ENTRIES &&
      walk.bytesTaken < bytesMax
    );
  } finally {
    // What others have left pending is shown, and so has to be in the log before the reply leaves.
    if (isDrainDue(shard)) noteTouched(walk.changes, shard);
    leaveShard(shard);
    visit.walk = undefined;
    visit.shard = undefined;
  }
  if (walk.position < POSITIONS_END) return cost;
  walk.shardIndex += 1;
  walk.position = 0;
  return cost;
}

function visitEntry(ref: number): void {
  const { walk, shard } = visit;
  if (walk === undefined || shard === undefined) return;
  visit.entries += 1;
  const { entries } = shard;
  const bytes = entryBytes(entries, ref);
  const start = keyOffset(entries, ref);
  const end = start + keyLength(entries, ref);
  const { pattern, type } = walk;
  if (pattern !== undefined && !globMatch(pattern, 0, pattern.length, bytes, start, end, false)) return;
  if (type !== ANY_TYPE && typeOf(entries, ref) !== type) return;
  if ((walk.roles !== ALL_KEYS || walk.slot !== ANY_SLOT) && !isInSlots(walk, shard, ref)) return;
  if (isExpired(shard, ref, visit.nowMs)) return;
  const chunk = chunkFor(walk, end - start + BULK_FRAME_BYTES_MAX);
  const before = chunk.length;
  writeBulk(chunk, bytes, start, end);
  walk.bytesTaken += chunk.length - before;
  walk.keysTaken += 1;
}

function isInSlots(walk: Walk, shard: Shard, ref: number): boolean {
  const slot = slotOfEntry(shard, ref);
  if (walk.slot !== ANY_SLOT) return slot === walk.slot && walk.keysTaken < walk.keysMax;
  return shard.roles !== undefined && (shard.roles[slot] & walk.roles) !== 0;
}

/** A chunk with room for `bytes`, so that nothing that was taken is ever moved under a lock. */
function chunkFor(walk: Walk, bytes: number): ReplyWriter {
  const last = walk.chunks.at(-1);
  if (last !== undefined && last.bytes.length - last.length >= bytes) return last;
  const chunk = bytes <= WALK_CHUNK_BYTES && spareChunk !== undefined ? spareChunk : createChunk(bytes);
  if (chunk === spareChunk) spareChunk = undefined;
  chunk.length = 0;
  walk.chunks.push(chunk);
  return chunk;
}

function createChunk(bytes: number): ReplyWriter {
  return createReplyWriter(Math.max(WALK_CHUNK_BYTES, bytes));
}
