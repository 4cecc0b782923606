/**
 * The commands that look through a database: KEYS, SCAN, RANDOMKEY, DBSIZE.
 *
 * Runs on the thread of the connection. The dispatcher holds no lock for these commands; they take one shard's at a
 * time, except DBSIZE, which counts at one moment. A cursor of SCAN is a shard and a position in that shard's hash
 * order, `shard * 2^32 + position`, and 0 both before the start and behind the end.
 */
import { Buffer } from 'node:buffer';
import { parseInt64 } from '../base/decimal.ts';
import { HOUSEKEEPING_SLICE_ENTRIES, RANDOM_KEY_ROUNDS_MAX, WALK_SLICE_ENTRIES } from '../config/limits.ts';
import {
  type ReplyWriter,
  writeArray,
  writeBulk,
  writeBulkText,
  writeError,
  writeInteger,
  writeNull,
} from '../resp/reply-writer.ts';
import { keyCount, tableFor } from '../shard/databases.ts';
import { entryBytes, keyLength, keyOffset } from '../shard/entry.ts';
import { expireDue } from '../shard/housekeeping.ts';
import { isDrainDue } from '../shard/journal.ts';
import { isExpired, randomEntry } from '../shard/keyspace.ts';
import { NONE } from '../shard/layout.ts';
import { expireEntry } from '../shard/lifecycle.ts';
import { randomUint32 } from '../shard/recency.ts';
import type { Shard } from '../shard/shard.ts';
import { slotOfEntry } from '../shard/slot-keys.ts';
import { hashOfEntry, POSITIONS, visitGroup } from '../shard/table.ts';
import { TYPE_NAMES } from '../shard/type-names.ts';
import { argumentText, integerOf, isWord, NOT_AN_INTEGER, replySyntaxError } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { noteTouched } from './changes.ts';
import type { Engine } from './engine.ts';
import { ALL_KEYS, countSeen, rolesSeen, shardOfSeen } from './keys-seen.ts';
import {
  ANY_TYPE,
  createSlotWalk,
  createWalk,
  POSITIONS_END,
  runWalk,
  type Walk,
  writeTaken,
} from './keys-walk.ts';
import { enterAllShards, enterShard, leaveAllShards, leaveShard } from './shard-locks.ts';

const COUNT_DEFAULT = 10;

/** Empty groups are visited too; as in redis-server, ten for each key that was asked for are enough. */
const GROUPS_PER_COUNT = 10;

/** No entry has this type: what a name of TYPE means that names none. */
const UNKNOWN_TYPE = 0;

const STAR = 42;
const UINT32 = 2 ** 32;
const UINT64 = 2n ** 64n;

export const scanHandlers: Readonly<Record<string, Handler>> = {
  keys: listKeys,
  scan,
  randomkey: randomKey,
  dbsize: countAllKeys,
};

function listKeys(call: Call): void {
  runWalk(call, createWalk(call, patternOf(call, 1), ANY_TYPE), writeKeys);
}

/** Answers with the names of up to `keysMax` keys that this node has in a slot, whoever owns it: for CLUSTER GETKEYSINSLOT. */
export function listKeysInSlot(call: Call, slot: number, keysMax: number): void {
  runWalk(call, createSlotWalk(call, slot, keysMax), writeKeys);
}

function writeKeys(reply: ReplyWriter, walk: Walk): void {
  writeArray(reply, walk.keysTaken);
  writeTaken(reply, walk);
}

function scan(call: Call): void {
  const cursor = readCursor(call, 1);
  if (Number.isNaN(cursor)) return;
  let pattern: Buffer | undefined;
  let type = ANY_TYPE;
  let count = COUNT_DEFAULT;
  for (let index = 2; index < call.count; index += 2) {
    if (index + 1 < call.count && isWord(call, index, 'COUNT')) {
      count = readCount(call, index + 1);
      if (Number.isNaN(count)) return;
    } else if (index + 1 < call.count && isWord(call, index, 'MATCH')) {
      pattern = patternOf(call, index + 1);
    } else if (index + 1 < call.count && isWord(call, index, 'TYPE')) {
      type = typeNamedAt(call, index + 1);
    } else {
      replySyntaxError(call);
      return;
    }
  }
  const walk = createWalk(call, pattern, type);
  walk.shardIndex = Math.floor(cursor / POSITIONS_END);
  walk.position = cursor - walk.shardIndex * POSITIONS_END;
  walk.entriesLeft = count;
  walk.groupsLeft = count * GROUPS_PER_COUNT;
  runWalk(call, walk, writeScan);
}

function typeNamedAt(call: Call, index: number): number {
  return TYPE_NAMES.find(({ name }) => isWord(call, index, name.toUpperCase()))?.type ?? UNKNOWN_TYPE;
}

function writeScan(reply: ReplyWriter, walk: Walk): void {
  const isEnd = walk.shardIndex >= walk.shards.length;
  writeArray(reply, 2);
  writeBulkText(reply, isEnd ? '0' : String(walk.shardIndex * POSITIONS_END + walk.position));
  writeKeys(reply, walk);
}

/** Argument `index` as C's strtoul reads it, up to a NUL; NaN after answering that it is no cursor. One from nowhere means the end. */
export function readCursor(call: Call, index: number): number {
  const cursor = integerOf(call, index);
  if (cursor >= 0) return cursor;
  const text = argumentText(call, index).replace(/\0.*/s, '');
  const magnitude = /^[+-]?\d+$/.test(text) ? BigInt(text.replace(/^[+-]/, '')) : undefined;
  if (text !== '' && (magnitude === undefined || magnitude >= UINT64)) {
    writeError(call.reply, 'ERR invalid cursor');
    return Number.NaN;
  }
  return Number(text.startsWith('-') ? BigInt.asUintN(64, -(magnitude ?? 0n)) : (magnitude ?? 0n));
}

/** A COUNT; NaN after answering that it is none. Infinity for those beyond the safe integers. */
export function readCount(call: Call, index: number): number {
  const { input, spans } = call;
  const count = integerOf(call, index);
  if (count >= 1) return count;
  const far = parseInt64(input, spans[2 * index], spans[2 * index + 1]);
  if (far !== undefined && far > 0n) return Infinity;
  if (far === undefined) writeError(call.reply, NOT_AN_INTEGER);
  else replySyntaxError(call);
  return Number.NaN;
}

/** A copy of the pattern, which may outlive the command; undefined for `*`, which unlike other patterns matches ''. */
export function patternOf(call: Call, index: number): Buffer | undefined {
  const { input, spans } = call;
  const start = spans[2 * index];
  const end = spans[2 * index + 1];
  return end - start === 1 && input[start] === STAR ? undefined : Buffer.from(input.subarray(start, end));
}

/** Expired keys that come up are removed, so that with each round a living one is likelier. */
function randomKey(call: Call): void {
  const roles = rolesSeen(call);
  for (let round = 0; round < RANDOM_KEY_ROUNDS_MAX; round += 1) {
    const shard = drawShard(call.engine, call.session.database, roles);
    if (shard === undefined) break;
    if (writeRandomKey(call, shard, roles)) return;
  }
  writeNull(call.reply);
}

function writeRandomKey(call: Call, shard: Shard, roles: number): boolean {
  const { nowMs } = call;
  enterShard(shard);
  try {
    const { database } = call.session;
    const ref = roles === ALL_KEYS ? randomEntry(shard, database, nowMs) : randomSeen(shard, database, roles);
    if (ref === NONE) return false;
    if (isExpired(shard, ref, nowMs)) {
      if (shard.isPaused()) return false;
      expireEntry(shard, ref, hashOfEntry(shard, ref));
      expireDue(shard, nowMs, HOUSEKEEPING_SLICE_ENTRIES);
      return false;
    }
    const start = keyOffset(shard.entries, ref);
    writeBulk(call.reply, entryBytes(shard.entries, ref), start, start + keyLength(shard.entries, ref));
    return true;
  } finally {
    if (isDrainDue(shard)) noteTouched(call.engine.changes, shard);
    leaveShard(shard);
  }
}

/**
 * A key of slots of these roles at random: one of the first group that has any, from a random place on. NONE where that is too far, which
 * is likely only where one key in ten thousand is of such slots.
 */
function randomSeen(shard: Shard, database: number, roles: number): number {
  drawing.shard = shard;
  drawing.roles = roles;
  drawing.found = 0;
  drawing.ref = NONE;
  let position = randomUint32(shard);
  for (let visited = 0; visited < WALK_SLICE_ENTRIES && drawing.found === 0; visited += 1 + drawing.visited) {
    drawing.visited = 0;
    position = visitGroup(shard, tableFor(shard, database), position, drawOne);
    if (position >= POSITIONS) position = 0;
  }
  drawing.shard = undefined;
  return drawing.ref;
}

/** What `drawOne` works on: one for all draws of a thread. */
const drawing: { shard: Shard | undefined; roles: number; visited: number; found: number; ref: number } = {
  shard: undefined,
  roles: ALL_KEYS,
  visited: 0,
  found: 0,
  ref: NONE,
};

/** Each of those that are found takes the place of the one before with a chance of one in as many. */
function drawOne(ref: number): void {
  const { shard, roles } = drawing;
  drawing.visited += 1;
  if (shard?.roles === undefined || (shard.roles[slotOfEntry(shard, ref)] & roles) === 0) return;
  drawing.found += 1;
  if (randomUint32(shard) % drawing.found === 0) drawing.ref = ref;
}

/** A shard drawn with the weight of its keys, undefined when none has any. The counts may be a moment old. */
function drawShard(engine: Engine, database: number, roles: number): Shard | undefined {
  const { shards } = engine;
  const total = countSeen(engine, database, roles);
  let left = Math.floor((drawUint32(shards[0]) / UINT32) * total);
  if (roles !== ALL_KEYS) return shardOfSeen(engine, roles, left);
  for (const shard of shards) {
    left -= keyCount(shard, database);
    if (left < 0) return shard;
  }
  return undefined;
}

function drawUint32(shard: Shard): number {
  enterShard(shard);
  try {
    return randomUint32(shard);
  } finally {
    leaveShard(shard);
  }
}

/** Expired keys that nobody has asked for yet are counted, as in redis-server. */
function countAllKeys(call: Call): void {
  const { shards, changes } = call.engine;
  let count = 0;
  enterAllShards(shards);
  try {
    count = countSeen(call.engine, call.session.database, rolesSeen(call));
    for (const shard of shards) if (isDrainDue(shard)) noteTouched(changes, shard);
  } finally {
    leaveAllShards(shards);
  }
  writeInteger(call.reply, count);
}
