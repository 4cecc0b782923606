/**
 * DEBUG: what operators and tests look at or break on purpose; allowed by enable-debug-command only.
 *
 * Runs on the thread of the connection, under no lock.
 */
import { Buffer } from 'node:buffer';
import { endThread } from '../base/platform.ts';
import { TIMER_MS_MAX } from '../config/limits.ts';
import { readShard } from '../metrics/shard-reading.ts';
import { writeError, writeOk, writeVerbatim } from '../resp/reply-writer.ts';
import { putString } from '../shard/keyspace.ts';
import { NONE, WRITING } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { argumentText } from './arguments.ts';
import { type Call, deferReply, type Handler, shardOfKey } from './call.ts';
import { replyHelp, replyUnknownSubcommand } from './help.ts';
import { debugObject } from './keys-object.ts';
import { isLocalClient } from './locality.ts';
import { debugLoadLog, debugReload } from './persistence.ts';
import { TOPIC_ACTIVE_EXPIRY } from './server-topics.ts';

type Subcommand = { readonly countMin: number; readonly countMax: number; readonly run: Handler };

const REFUSAL =
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a ' +
  'local connection, otherwise you need to set this option in the configuration file, and then restart the server.';

const EXIT_CODE_DEBUG = 1;

const HALF_WRITTEN_KEY = Buffer.from('distcache:half-written');

const DEBUG_HELP = [
  'JMAP',
  '    Return a map of the memory of each shard.',
  'LOG <message>',
  '    Write <message> to the server log.',
  'LOADAOF',
  '    Flush the AOF buffers on disk and reload the AOF in memory.',
  'OBJECT <key>',
  '    Show low level info about `key` and associated value.',
  'RELOAD [option ...]',
  '    Save a snapshot and load it again. Valid <option> values:',
  '    * MERGE: accepted; the keys in memory always go first.',
  '    * NOSAVE: the database will be loaded from the newest snapshot.',
  'SET-ACTIVE-EXPIRE <0|1>',
  '    Setting it to 0 disables expiring keys in background when they are not',
  '    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the',
  '    default.',
  'SLEEP <seconds>',
  '    Answer this client after <seconds>. Decimals allowed.',
  'THROW [<key>]',
  '    Fail as a bug in a command would; with <key>, after setting it.',
  'WORKER-DIE-HOLDING-LOCK',
  '    End the thread that serves this client in the middle of a write.',
  'WORKER-EXIT',
  '    End the thread that serves this client.',
  'WORKER-THROW',
  '    Fail in the thread that serves this client, where nothing catches it.',
];

const SUBCOMMANDS: ReadonlyMap<string, Subcommand> = new Map([
  ['HELP', { countMin: 2, countMax: 2, run: (call: Call) => replyHelp(call, DEBUG_HELP) }],
  ['JMAP', { countMin: 2, countMax: 2, run: debugMap }],
  ['LOADAOF', { countMin: 2, countMax: Infinity, run: debugLoadLog }],
  ['LOG', { countMin: 3, countMax: 3, run: debugLog }],
  ['OBJECT', { countMin: 3, countMax: 3, run: debugObject }],
  ['RELOAD', { countMin: 2, countMax: Infinity, run: debugReload }],
  ['SET-ACTIVE-EXPIRE', { countMin: 3, countMax: 3, run: debugActiveExpiry }],
  ['SLEEP', { countMin: 3, countMax: 3, run: debugSleep }],
  ['THROW', { countMin: 2, countMax: 3, run: debugThrow }],
  ['WORKER-DIE-HOLDING-LOCK', { countMin: 2, countMax: 2, run: debugDieHoldingLock }],
  ['WORKER-EXIT', { countMin: 2, countMax: 2, run: () => endThread(EXIT_CODE_DEBUG) }],
  ['WORKER-THROW', { countMin: 2, countMax: 2, run: debugWorkerThrow }],
]);

const UNKNOWN: Subcommand = { countMin: 0, countMax: Infinity, run: replyUnknownSubcommand };

export const debugHandlers: Readonly<Record<string, Handler>> = { debug };

function debug(call: Call): void {
  const { enableDebugCommand } = call.engine.config;
  const allowed =
    enableDebugCommand === 'yes' || (enableDebugCommand === 'local' && isLocalClient(call.session));
  if (!allowed) {
    writeError(call.reply, REFUSAL);
    return;
  }
  const subcommand = SUBCOMMANDS.get(argumentText(call, 1).toUpperCase());
  const { countMin, countMax, run } = subcommand ?? UNKNOWN;
  if (call.count < countMin || call.count > countMax) replyUnknownSubcommand(call);
  else run(call);
}

function debugMap({ engine, reply }: Call): void {
  const lines = engine.shards.map((shard) => {
    const { index, keys, usedBytes, limitBytes, indexBytes, arenaBytes, freeBlocksBytes } = readShard(shard);
    return (
      `shard=${index} keys=${keys} used=${usedBytes} limit=${limitBytes} index=${indexBytes} ` +
      `arena=${arenaBytes} free=${freeBlocksBytes}\n`
    );
  });
  writeVerbatim(reply, 'txt', lines.join(''));
}

function debugLog(call: Call): void {
  call.engine.log.warning(`DEBUG LOG: ${argumentText(call, 2)}`);
  writeOk(call.reply);
}

/** On all threads, since each expires the keys of its own shards. Text that is no number is 0, as C's atoi has it. */
function debugActiveExpiry(call: Call): void {
  const isActive = (Number.parseInt(argumentText(call, 2), 10) || 0) !== 0;
  const deferred = deferReply(call);
  call.engine.bus.requestAll(TOPIC_ACTIVE_EXPIRY, isActive).then(() => deferred.resume(writeOk));
}

/** Only this client sleeps: redis-server stops for all of them. Text that is no number is 0, as C's strtod has it. */
function debugSleep(call: Call): void {
  const seconds = Number.parseFloat(argumentText(call, 2)) || 0;
  const delayMs = Math.min(TIMER_MS_MAX, Math.max(0, seconds * 1000));
  const deferred = deferReply(call);
  setTimeout(() => deferred.resume(writeOk), delayMs);
}

function debugThrow(call: Call): void {
  if (call.count === 2) throw new Error('DEBUG THROW before a change');
  const { input, spans, nowMs, session } = call;
  const shard = shardOfKey(call, 2);
  acquireShard(shard);
  try {
    putString(shard, session.database, input, spans[4], spans[5], input, spans[4], spans[5], 0, nowMs);
    throw new Error('DEBUG THROW after a change');
  } finally {
    releaseShard(shard);
  }
}

/** What a death in the middle of a SET leaves: the lock held, the entry linked, its value not yet all there. */
function debugDieHoldingLock({ engine, session, nowMs }: Call): void {
  const [shard] = engine.shards;
  const key = HALF_WRITTEN_KEY;
  acquireShard(shard);
  const ref = putString(shard, session.database, key, 0, key.length, key, 0, key.length, 0, nowMs);
  if (ref !== NONE) shard.control[WRITING] = ref;
  endThread(EXIT_CODE_DEBUG);
}

function debugWorkerThrow({ engine, reply }: Call): void {
  engine.later(() => {
    throw new Error('DEBUG WORKER-THROW');
  });
  writeOk(reply);
}
