/**
 * MEMORY STATS and HELP. (MEMORY USAGE looks at one key: keys-object.ts.)
 *
 * Runs on the thread of the connection, without locks: the numbers are those of a reading.
 */
import { openRates } from '../metrics/counters.ts';
import { peakUsedBytes } from '../metrics/rates.ts';
import type { Reading } from '../metrics/reading.ts';
import {
  type ReplyWriter,
  writeBulkText,
  writeDouble,
  writeInteger,
  writeMap,
} from '../resp/reply-writer.ts';
import type { Call, Handler } from './call.ts';
import { readEngine } from './engine-reading.ts';
import { replyHelp } from './help.ts';
import { memoryOf } from './memory-figures.ts';

const MEMORY_HELP = [
  'STATS',
  '    Return information about the memory usage of the server.',
  'USAGE <key> [SAMPLES <count>]',
  '    Return memory in bytes used by <key> and its value. Nested values are',
  '    sampled up to <count> times (default: 5, 0 means sample all).',
];

export const memoryHandlers: Readonly<Record<string, Handler>> = {
  'memory|stats': memoryStats,
  'memory|help': (call) => replyHelp(call, MEMORY_HELP),
};

/** The fields of redis-server in its order; what there is none of here is 0. */
function memoryStats({ reply, engine }: Call): void {
  const reading = readEngine(engine);
  const memory = memoryOf(reading, peakUsedBytes(openRates(engine.allCounters)));
  const databases = [...reading.databases.entries()].filter(([, { keys }]) => keys > 0);
  const before: [string, number][] = [
    ['peak.allocated', memory.peakBytes],
    ['total.allocated', memory.usedBytes],
    ['startup.allocated', 0],
    ['replication.backlog', 0],
    ['clients.slaves', 0],
    ['clients.normal', 0],
    ['cluster.links', 0],
    ['aof.buffer', 0],
    ['lua.caches', 0],
    ['functions.caches', 0],
  ];
  const totals: [string, number][] = [
    ['overhead.total', memory.overheadBytes],
    ['keys.count', reading.keyspace.keys],
    ['keys.bytes-per-key', memory.bytesPerKey],
    ['dataset.bytes', memory.datasetBytes],
  ];
  const arenas: [string, number][] = [
    ['allocator.allocated', memory.usedBytes],
    ['allocator.active', memory.arenaBytes],
    ['allocator.resident', memory.arenaBytes],
  ];
  writeMap(reply, before.length + databases.length + totals.length + arenas.length + 10);
  writeIntegers(reply, before);
  for (const [number, { keys }] of databases) writeDatabase(reply, number, keys, reading);
  writeIntegers(reply, totals);
  writeField(reply, 'dataset.percentage', memory.datasetPercent);
  writeField(reply, 'peak.percentage', memory.peakPercent);
  writeIntegers(reply, arenas);
  writeRatio(reply, 'allocator-fragmentation', memory.arenaRatio, memory.arenaBytes - memory.usedBytes);
  writeRatio(reply, 'allocator-rss', 1, 0);
  writeRatio(reply, 'rss-overhead', memory.processRatio, memory.processBytes);
  writeField(reply, 'fragmentation', memory.residentRatio);
  writeIntegers(reply, [['fragmentation.bytes', memory.residentBytes - memory.usedBytes]]);
}

/** The index of a database is told as its keys' share of the whole; deadlines lie in the entries themselves. */
function writeDatabase(reply: ReplyWriter, number: number, keys: number, { keyspace }: Reading): void {
  writeBulkText(reply, `db.${number}`);
  writeMap(reply, 3);
  writeIntegers(reply, [
    ['overhead.hashtable.main', Math.round((keyspace.indexBytes * keys) / Math.max(1, keyspace.keys))],
    ['overhead.hashtable.expires', 0],
    ['overhead.hashtable.slot-to-keys', 0],
  ]);
}

function writeIntegers(reply: ReplyWriter, fields: readonly (readonly [string, number])[]): void {
  for (const [name, value] of fields) {
    writeBulkText(reply, name);
    writeInteger(reply, value);
  }
}

function writeRatio(reply: ReplyWriter, name: string, ratio: number, bytes: number): void {
  writeField(reply, `${name}.ratio`, ratio);
  writeIntegers(reply, [[`${name}.bytes`, bytes]]);
}

function writeField(reply: ReplyWriter, name: string, value: number): void {
  writeBulkText(reply, name);
  writeDouble(reply, value);
}
