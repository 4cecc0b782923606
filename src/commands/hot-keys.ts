/**
 * CACHE.HOTKEYS, and the hot keys of all threads together.
 *
 * Each thread counts a sample of its own clients' uses (metrics/hot-keys.ts); whoever asks gets them over the bus and adds up.
 */
import { Buffer } from 'node:buffer';
import { HOT_KEYS_TOLD_MAX } from '../config/limits.ts';
import { type HotKeyCount, type HotKeyCounts, readHotKeyCounts } from '../metrics/hot-keys.ts';
import {
  type ReplyWriter,
  writeArray,
  writeBulk,
  writeBulkText,
  writeDouble,
  writeError,
  writeInteger,
  writeMap,
} from '../resp/reply-writer.ts';
import { integerOf, isWord, NOT_AN_INTEGER, replySyntaxError } from './arguments.ts';
import { type Call, deferReply, type Handler } from './call.ts';
import type { Engine } from './engine.ts';
import { replyHelp } from './help.ts';

/** To all, no payload: each thread answers with its HotKeyCounts. */
const TOPIC_HOT_KEYS = 'hot-keys';

const COUNT_DEFAULT = 16;

/** What stands behind a key that was cut. */
const CUT_MARK = '...';

/**
 * One hot key, by what was seen of it lately. `key` has one character per byte and is cut at HOT_KEY_BYTES_MAX; `keyBytes` is its
 * whole length. `share` is that of all uses of keys, 0 to 1, and `error` how much more it may be for want of counters; what
 * chance there is in sampling comes on top.
 */
export type HotKey = {
  database: number;
  key: string;
  keyBytes: number;
  readsPerSecond: number;
  writesPerSecond: number;
  share: number;
  error: number;
};

const HELP = ['[COUNT <count>]', '    Return the keys that are used most, with reads and writes per second.'];

export const hotKeyHandlers: Readonly<Record<string, Handler>> = {
  'cache.hotkeys': hotKeysCommand,
};

/** Makes this thread tell its hot keys. Once, at its start. */
export function installHotKeys(engine: Engine): void {
  engine.bus.handle(TOPIC_HOT_KEYS, () => readHotKeyCounts(engine.sampling.hotKeys, engine.wallMs()));
}

/**
 * The `count` (at most HOT_KEYS_TOLD_MAX) keys that are used most, over all threads; none that cannot be told from the many
 * that are used now and then. Reads are uses by commands that do not write.
 */
export async function readHotKeys(engine: Engine, count: number): Promise<HotKey[]> {
  const answers = (await engine.bus.requestAll(TOPIC_HOT_KEYS, undefined)) as HotKeyCounts[];
  return mergeHotKeys(answers).slice(0, Math.min(count, HOT_KEYS_TOLD_MAX));
}

/** The keys of several threads as one list, the most used first. A thread without a counter for a key may have missed some uses. */
function mergeHotKeys(threads: readonly HotKeyCounts[]): HotKey[] {
  const accesses = threads.reduce((sum, { accessesPerSecond }) => sum + accessesPerSecond, 0);
  if (accesses === 0) return [];
  const missing = threads.reduce((sum, { missingPerSecond }) => sum + missingPerSecond, 0);
  const merged = new Map<string, HotKey>();
  for (const { keys, missingPerSecond } of threads) {
    for (const count of keys) addCount(merged, count, missing, missingPerSecond);
  }
  for (const hotKey of merged.values()) {
    hotKey.share = (hotKey.readsPerSecond + hotKey.writesPerSecond) / accesses;
    hotKey.error = Math.max(0, hotKey.error / accesses);
  }
  return [...merged.values()].filter(({ share, error }) => share >= error).sort((a, b) => b.share - a.share);
}

/** Until all are added, `error` is per second. */
function addCount(
  merged: Map<string, HotKey>,
  count: HotKeyCount,
  missing: number,
  missingPerSecond: number,
): void {
  const { database, key, keyBytes } = count;
  const name = `${database} ${keyBytes} ${key}`;
  let hotKey = merged.get(name);
  if (hotKey === undefined) {
    hotKey = { database, key, keyBytes, readsPerSecond: 0, writesPerSecond: 0, share: 0, error: missing };
    merged.set(name, hotKey);
  }
  hotKey.readsPerSecond += count.readsPerSecond;
  hotKey.writesPerSecond += count.writesPerSecond;
  hotKey.error += count.errorPerSecond - missingPerSecond;
}

function hotKeysCommand(call: Call): void {
  if (call.count === 2 && isWord(call, 1, 'HELP')) {
    replyHelp(call, HELP);
    return;
  }
  const count = readCount(call);
  if (Number.isNaN(count)) return;
  const deferred = deferReply(call);
  void readHotKeys(call.engine, count).then((keys) => deferred.resume((reply) => writeHotKeys(reply, keys)));
}

/** NaN after an error. */
function readCount(call: Call): number {
  if (call.count === 1) return COUNT_DEFAULT;
  if (call.count !== 3 || !isWord(call, 1, 'COUNT')) {
    replySyntaxError(call);
    return NaN;
  }
  const count = integerOf(call, 2);
  if (Number.isNaN(count)) writeError(call.reply, NOT_AN_INTEGER);
  else if (count < 1) writeError(call.reply, 'ERR COUNT must be > 0');
  else return count;
  return NaN;
}

function writeHotKeys(reply: ReplyWriter, keys: readonly HotKey[]): void {
  writeArray(reply, keys.length);
  for (const { key, keyBytes, database, readsPerSecond, writesPerSecond, share, error } of keys) {
    const name = Buffer.from(keyBytes > key.length ? key + CUT_MARK : key, 'latin1');
    writeMap(reply, 6);
    writeBulkText(reply, 'key');
    writeBulk(reply, name, 0, name.length);
    writeBulkText(reply, 'database');
    writeInteger(reply, database);
    writeField(reply, 'reads-per-second', readsPerSecond);
    writeField(reply, 'writes-per-second', writesPerSecond);
    writeField(reply, 'share', share);
    writeField(reply, 'error', error);
  }
}

function writeField(reply: ReplyWriter, name: string, value: number): void {
  writeBulkText(reply, name);
  writeDouble(reply, value);
}
