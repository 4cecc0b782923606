/**
 * MEMORY DOCTOR, STATS and HELP. (MEMORY USAGE looks at one key: keys-object.ts.)
 *
 * Runs on the thread of the connection, without locks: the numbers are those of a reading. What the clients' buffers hold
 * each thread knows of its own clients and tells over the bus.
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
  writeVerbatim,
} from '../resp/reply-writer.ts';
import { type Call, deferReply, type Handler } from './call.ts';
import type { Engine } from './engine.ts';
import { readEngine } from './engine-reading.ts';
import { replyHelp } from './help.ts';
import { memoryReport } from './memory-doctor.ts';
import { memoryOf } from './memory-figures.ts';

/** To all: how many clients they serve, and the bytes in their buffers. */
const TOPIC_CLIENT_BUFFERS = 'client-buffers';

type ClientBuffers = { readonly clients: number; readonly bytes: number };

const MEMORY_HELP = [
  'DOCTOR',
  '    Return memory problems reports.',
  'STATS',
  '    Return information about the memory usage of the server.',
  'USAGE <key> [SAMPLES <count>]',
  '    Return memory in bytes used by <key> and its value. Nested values are',
  '    sampled up to <count> times (default: 5, 0 means sample all).',
];

export const memoryHandlers: Readonly<Record<string, Handler>> = {
  'memory|doctor': memoryDoctor,
  'memory|stats': memoryStats,
  'memory|help': (call) => replyHelp(call, MEMORY_HELP),
};

/** Lets this thread tell of its clients' buffers. Once, at its start. */
export function installMemoryTopics({ bus, sessions }: Engine): void {
  bus.handle(TOPIC_CLIENT_BUFFERS, (): ClientBuffers => {
    let bytes = 0;
    for (const { connection } of sessions.values()) {
      bytes += connection.queryBufferBytes() + connection.queryBufferFreeBytes() + connection.outputBytes();
    }
    return { clients: sessions.size, bytes };
  });
}

/** Has `write` append the reply once all threads have told of their clients' buffers. */
function replyWithBuffers(call: Call, write: (reply: ReplyWriter, buffers: ClientBuffers) => void): void {
  const deferred = deferReply(call);
  call.engine.bus.requestAll(TOPIC_CLIENT_BUFFERS, null).then((answers) => {
    const threads = answers as ClientBuffers[];
    const clients = threads.reduce((sum, thread) => sum + thread.clients, 0);
    const bytes = threads.reduce((sum, thread) => sum + thread.bytes, 0);
    deferred.resume((reply) => write(reply, { clients, bytes }));
  });
}

function memoryDoctor(call: Call): void {
  const { engine } = call;
  const { config, workerCount, allCounters } = engine;
  replyWithBuffers(call, (reply, { clients, bytes: clientBufferBytes }) => {
    const reading = readEngine(engine);
    const report = memoryReport({
      memory: memoryOf(reading, peakUsedBytes(openRates(allCounters))),
      limitBytes: reading.keyspace.limitBytes,
      policy: config.maxmemoryPolicy,
      threads: 1 + workerCount,
      evictedIdleSeconds: idleOfEvicted(reading),
      ...{ clients, clientBufferBytes },
    });
    writeVerbatim(reply, 'txt', report);
  });
}

/** For how long what was evicted last had not been used, in the mean over the shards that evict. */
function idleOfEvicted({ shards }: Reading): number | undefined {
  const evicting = shards.filter(({ evictedKeys }) => evictedKeys > 0);
  if (evicting.length === 0) return undefined;
  const sum = evicting.reduce((seconds, { evictedIdleSecondsLast }) => seconds + evictedIdleSecondsLast, 0);
  return sum / evicting.length;
}

function memoryStats(call: Call): void {
  const { engine } = call;
  replyWithBuffers(call, (reply, { bytes }) => writeStatistics(reply, engine, bytes));
}

/** The fields of redis-server in its order; what there is none of here is 0. */
function writeStatistics(reply: ReplyWriter, engine: Engine, clientBufferBytes: number): void {
  const reading = readEngine(engine);
  const memory = memoryOf(reading, peakUsedBytes(openRates(engine.allCounters)));
  const databases = [...reading.databases.entries()].filter(([, { keys }]) => keys > 0);
  const before: [string, number][] = [
    ['peak.allocated', memory.peakBytes],
    ['total.allocated', memory.usedBytes],
    ['startup.allocated', 0],
    ['replication.backlog', 0],
    ['clients.slaves', 0],
    ['clients.normal', clientBufferBytes],
    ['cluster.links', 0],
    ['aof.buffer', reading.keyspace.pendingLogBytes],
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
