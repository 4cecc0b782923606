/**
 * The commands on whole databases: empty and exchange them; and what else needs all shards at one moment.
 *
 * Runs on the thread of the connection. The dispatcher holds no lock for these commands: they take the locks of all
 * shards in ascending order themselves, so that the change is one for everybody.
 */
import { parseInt64 } from '../base/decimal.ts';
import { writeError, writeOk } from '../resp/reply-writer.ts';
import { flushDatabase, swapDatabases } from '../shard/databases.ts';
import { isDrainDue, markGrouped } from '../shard/journal.ts';
import { EVENT_FLUSHED, noteDatabase, WATCHES_CHANGES } from '../shard/key-events.ts';
import { integerOf, isWord, NOT_AN_INTEGER, replySyntaxError } from './arguments.ts';
import { tellAnyBirth } from './born-keys.ts';
import type { Call, Handler } from './call.ts';
import { noteTouched } from './changes.ts';
import type { Engine } from './engine.ts';
import { flushOwnSlots } from './flush-slots.ts';
import { noteEmptied } from './key-sampling.ts';
import { enterAllShards, leaveAllShards } from './shard-locks.ts';

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
const DATABASE_OUT_OF_RANGE = 'ERR DB index is out of range';
const NOT_AN_INT32 = `ERR value is out of range, value must between ${INT32_MIN} and ${INT32_MAX}`;

export const databaseHandlers: Readonly<Record<string, Handler>> = {
  flushdb: flushOne,
  flushall: flushAll,
  swapdb: swap,
};

/** Gives the locks of all shards back after a change of all of them: their records get into the log together. */
function releaseChangedShards({ shards, changes }: Engine): void {
  changes.writes += 1;
  for (const shard of shards) {
    if (!isDrainDue(shard)) continue;
    markGrouped(shard);
    noteTouched(changes, shard);
  }
  leaveAllShards(shards);
}

/** Argument `index` as the number of a database; NaN after answering that it is none. */
export function readDatabaseIndex(call: Call, index: number): number {
  const value = integerOf(call, index);
  if (!(value >= INT32_MIN && value <= INT32_MAX)) {
    const { input, spans } = call;
    const isInteger = parseInt64(input, spans[2 * index], spans[2 * index + 1]) !== undefined;
    writeError(call.reply, isInteger ? NOT_AN_INT32 : NOT_AN_INTEGER);
    return Number.NaN;
  }
  return checkDatabase(call, value);
}

function flushOne(call: Call): void {
  if (refusesFlushOptions(call)) return;
  if (call.engine.cluster !== undefined) {
    flushOwn(call);
    return;
  }
  const { shards } = call.engine;
  const { database } = call.session;
  enterAllShards(shards);
  try {
    for (const shard of shards) flushDatabase(shard, database);
  } finally {
    releaseChangedShards(call.engine);
  }
  noteEmptied(call.engine, database, call.nowMs);
  noteFlushed(call.engine, database);
  writeOk(call.reply);
}

function flushAll(call: Call): void {
  if (refusesFlushOptions(call)) return;
  if (call.engine.cluster !== undefined) {
    flushOwn(call);
    return;
  }
  const { shards, config } = call.engine;
  enterAllShards(shards);
  try {
    for (const shard of shards) {
      for (let database = 0; database < config.databases; database += 1) flushDatabase(shard, database);
    }
  } finally {
    releaseChangedShards(call.engine);
  }
  for (let database = 0; database < config.databases; database += 1) {
    noteEmptied(call.engine, database, call.nowMs);
  }
  noteFlushed(call.engine, 0);
  writeOk(call.reply);
}

/** A cluster has database 0 alone. */
function flushOwn(call: Call): void {
  const { engine, nowMs } = call;
  flushOwnSlots(call, () => {
    noteEmptied(engine, 0, nowMs);
    noteFlushed(engine, 0);
  });
}

/** Has those told that track keys; even of a database that was empty already, as in redis-server. */
function noteFlushed({ keyEvents }: Engine, database: number): void {
  if ((keyEvents.watches & WATCHES_CHANGES) !== 0) noteDatabase(keyEvents, EVENT_FLUSHED, database, 0);
}

/** SYNC and ASYNC mean the same: the keys are gone at once, their memory comes back behind the scenes. */
function refusesFlushOptions(call: Call): boolean {
  if (call.count === 1) return false;
  if (call.count === 2 && (isWord(call, 1, 'SYNC') || isWord(call, 1, 'ASYNC'))) return false;
  replySyntaxError(call);
  return true;
}

function swap(call: Call): void {
  if (call.engine.cluster !== undefined) {
    writeError(call.reply, 'ERR SWAPDB is not allowed in cluster mode');
    return;
  }
  const one = readSwapped(call, 1, 'ERR invalid first DB index');
  if (Number.isNaN(one)) return;
  const other = readSwapped(call, 2, 'ERR invalid second DB index');
  if (Number.isNaN(other)) return;
  if (Number.isNaN(checkDatabase(call, one)) || Number.isNaN(checkDatabase(call, other))) return;
  const { shards } = call.engine;
  enterAllShards(shards);
  try {
    for (const shard of shards) swapDatabases(shard, one, other);
  } finally {
    releaseChangedShards(call.engine);
  }
  // Their keys are others now, which is as much as nothing known.
  noteEmptied(call.engine, one, call.nowMs);
  noteEmptied(call.engine, other, call.nowMs);
  tellAnyBirth(call.engine);
  writeOk(call.reply);
}

function readSwapped(call: Call, index: number, errorText: string): number {
  const value = integerOf(call, index);
  if (value >= INT32_MIN && value <= INT32_MAX) return value;
  writeError(call.reply, errorText);
  return Number.NaN;
}

function checkDatabase(call: Call, database: number): number {
  if (database >= 0 && database < call.engine.config.databases) return database;
  writeError(call.reply, DATABASE_OUT_OF_RANGE);
  return Number.NaN;
}
