/**
 * The miss-ratio curve of the running server, and CACHE.MRC, which tells of it.
 *
 * Main holds the curve and feeds it ten times a second with what all threads have sampled; the command runs on the thread of
 * the connection and asks main.
 */
import { MISS_RATIO_KEYS_MAX } from '../config/limits.ts';
import {
  type AccessRing,
  DATABASE_EMPTIED,
  drainAccesses,
  droppedAccesses,
  openAccessControl,
  openAllAccessRings,
  THRESHOLD,
} from '../metrics/access-ring.ts';
import { openAllCounters, sumCounter } from '../metrics/counters.ts';
import {
  type Access,
  changeThreshold,
  createAccess,
  createMissRatio,
  forgetKeys,
  type MissRatio,
  type MissRatioReading,
  noteAccess,
  noteReads,
  POINTS,
  readMissRatio,
  resetMissRatio,
  type SizePrediction,
  tendMissRatio,
} from '../metrics/miss-ratio.ts';
import { COMMANDS, KEYSPACE_HITS, KEYSPACE_MISSES } from '../metrics/names.ts';
import { adaptThreshold, createSamplingRate, type SamplingRate } from '../metrics/sampling-rate.ts';
import {
  type ReplyWriter,
  writeArray,
  writeBulkText,
  writeDouble,
  writeInteger,
  writeMap,
  writeNull,
} from '../resp/reply-writer.ts';
import { usedCells } from '../shard/arena.ts';
import { CELL_BYTES, KEYS_LIVE } from '../shard/layout.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import type { Engine } from './engine.ts';
import { replyHelp } from './help.ts';
import { replyFromMain } from './main-reply.ts';

/** To main, no payload: it answers with a MissRatioReading. */
const TOPIC_MISS_RATIO = 'miss-ratio';

/** Before anything is known, an index takes about this much for each key. */
const INDEX_BYTES_PER_KEY = 8;

const HELP = [
  '(no subcommand)',
  '    Return the hit ratio that half and double the memory would have, and the',
  '    miss ratio by bytes of memory, from a sample of the keys.',
];

/** Main's: the curve, where its accesses come from, and what was counted when it last looked. */
export type MissRatioWatch = {
  readonly engine: Engine;
  readonly ratio: MissRatio;
  readonly rate: SamplingRate;
  readonly control: Int32Array;
  readonly rings: readonly AccessRing[];
  readonly counters: readonly Float64Array[];
  readonly access: Access;
  isOn: boolean;
  hits: number;
  misses: number;
  commands: number;
  dropped: number;
};

export const missRatioHandlers: Readonly<Record<string, Handler>> = {
  'cache.mrc': missRatioCommand,
};

/** Begins to follow the sampled keys, and to answer CACHE.MRC. Main, once; `tickMissRatio` is to be called from then on. */
export function watchMissRatio(engine: Engine, accesses: SharedArrayBuffer): MissRatioWatch {
  const nowMs = engine.wallMs();
  const counters = openAllCounters(engine.allCounters);
  const watch: MissRatioWatch = {
    engine,
    ratio: createMissRatio(MISS_RATIO_KEYS_MAX, engine.config.maxmemory, nowMs),
    rate: createSamplingRate(nowMs),
    control: openAccessControl(accesses),
    rings: openAllAccessRings(accesses),
    counters,
    access: createAccess(),
    isOn: false,
    hits: sumCounter(counters, KEYSPACE_HITS),
    misses: sumCounter(counters, KEYSPACE_MISSES),
    commands: sumCounter(counters, COMMANDS),
    dropped: 0,
  };
  engine.bus.handle(TOPIC_MISS_RATIO, () => missRatioReading(watch));
  return watch;
}

/** Takes in what was sampled. Main, every ACCESS_TICK_MS; some 0.4 us for each access. */
export function tickMissRatio(watch: MissRatioWatch): void {
  const { engine, ratio, access, control } = watch;
  const nowMs = engine.wallMs();
  const isOn = engine.config.missRatioSampling;
  if (isOn !== watch.isOn) switchSampling(watch, isOn, nowMs);
  ratio.limitBytes = engine.config.maxmemory;
  ratio.overheadBytes = indexBytesPerKey(engine);
  const taken = drainAccesses(watch.rings, access, () => {
    if (!isOn) return;
    if (access.reference === DATABASE_EMPTIED) forgetKeys(ratio, access.database);
    else noteAccess(ratio, access);
  });
  const accesses = taken + newlyDropped(watch);
  const commands = newCommands(watch);
  countReads(watch, isOn);
  if (!isOn) return;
  tendMissRatio(ratio, nowMs);
  const { stack, threshold } = ratio;
  const load = { accesses, commands, keys: stack.count, keysMax: stack.capacity };
  const adapted = adaptThreshold(watch.rate, threshold, load, nowMs);
  if (adapted !== threshold) changeThreshold(ratio, adapted);
  control[THRESHOLD] = ratio.threshold;
}

/** How the curve stands now. Main only. */
export function missRatioReading({ ratio, isOn }: MissRatioWatch): MissRatioReading {
  const reading = readMissRatio(ratio);
  return isOn ? reading : { ...reading, rate: 0 };
}

/** Nothing that was known before holds after a pause. */
function switchSampling(watch: MissRatioWatch, isOn: boolean, nowMs: number): void {
  watch.isOn = isOn;
  resetMissRatio(watch.ratio);
  watch.ratio.threshold = POINTS;
  Object.assign(watch.rate, createSamplingRate(nowMs));
  watch.control[THRESHOLD] = isOn ? POINTS : 0;
}

/** Accesses that found no place in their rings since the last tick. */
function newlyDropped(watch: MissRatioWatch): number {
  const dropped = watch.rings.reduce((sum, ring) => sum + droppedAccesses(ring), 0);
  const newly = Math.max(0, dropped - watch.dropped);
  watch.dropped = dropped;
  return newly;
}

function newCommands(watch: MissRatioWatch): number {
  const commands = sumCounter(watch.counters, COMMANDS);
  const newly = Math.max(0, commands - watch.commands);
  watch.commands = commands;
  return newly;
}

/** A count that fell was reset (CONFIG RESETSTAT) and says nothing this time. */
function countReads(watch: MissRatioWatch, isOn: boolean): void {
  const hits = sumCounter(watch.counters, KEYSPACE_HITS);
  const misses = sumCounter(watch.counters, KEYSPACE_MISSES);
  const newHits = Math.max(0, hits - watch.hits);
  const newMisses = Math.max(0, misses - watch.misses);
  watch.hits = hits;
  watch.misses = misses;
  if (isOn) noteReads(watch.ratio, newHits, newMisses);
}

/** Memory is charged for the index as well as for the entries. */
function indexBytesPerKey({ shards }: Engine): number {
  let cells = 0;
  let keys = 0;
  for (const { groups, control } of shards) {
    cells += usedCells(groups);
    keys += control[KEYS_LIVE];
  }
  return keys === 0 ? INDEX_BYTES_PER_KEY : Math.round((cells * CELL_BYTES) / keys);
}

function missRatioCommand(call: Call): void {
  if (call.count === 2 && isWord(call, 1, 'HELP')) replyHelp(call, HELP);
  else if (call.count !== 1) replySyntaxError(call);
  else replyFromMain<MissRatioReading>(call, TOPIC_MISS_RATIO, undefined, writeReading);
}

function writeReading(reply: ReplyWriter, reading: MissRatioReading): void {
  writeMap(reply, 9);
  writeCount(reply, 'sampled-keys', reading.sampledKeys);
  writeRatio(reply, 'rate', reading.rate);
  writeCount(reply, 'references', reading.references);
  writeCount(reply, 'sampled-references', reading.sampledReferences);
  writeRatio(reply, 'hit-ratio', reading.hitRatio);
  writePrediction(reply, 'half', reading.half);
  writePrediction(reply, 'now', reading.now);
  writePrediction(reply, 'double', reading.double);
  writeBulkText(reply, 'curve');
  writeArray(reply, reading.curve.length);
  for (const { bytes, keys, missRatio } of reading.curve) {
    writeMap(reply, 3);
    writeCount(reply, 'bytes', bytes);
    writeCount(reply, 'keys', keys);
    writeRatio(reply, 'miss-ratio', missRatio);
  }
}

function writePrediction(
  reply: ReplyWriter,
  name: string,
  { bytes, hitRatio, missRatio }: SizePrediction,
): void {
  writeBulkText(reply, name);
  writeMap(reply, 3);
  writeCount(reply, 'bytes', bytes);
  writeRatio(reply, 'hit-ratio', hitRatio);
  writeRatio(reply, 'miss-ratio', missRatio);
}

function writeCount(reply: ReplyWriter, name: string, count: number): void {
  writeBulkText(reply, name);
  writeInteger(reply, count);
}

function writeRatio(reply: ReplyWriter, name: string, ratio: number | null): void {
  writeBulkText(reply, name);
  if (ratio === null) writeNull(reply);
  else writeDouble(reply, ratio);
}
