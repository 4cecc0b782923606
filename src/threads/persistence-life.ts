/**
 * The life of the data on disk within the life of the server: load, log, save points, and the last snapshot.
 *
 * Main thread.
 */
import { StartError } from '../base/errors.ts';
import { startLogBoard } from '../durability/log-board.ts';
import { GATE_LOADING, gateReasons, openGate } from '../resilience/gate.ts';
import { EVICTED_KEYS } from '../shard/layout.ts';
import { loadData } from './loading.ts';
import { disableLog, enableLog, startLogging, watchLog } from './logging.ts';
import { inTurn, type OpenedFolder, type Persistence } from './persistence.ts';
import { servePersistence } from './persistence-topics.ts';
import {
  backgroundShare,
  changesSinceSnapshot,
  noteLsns,
  takeSnapshot,
  watchSavePoints,
} from './snapshots.ts';

/**
 * How many shards this run has: as many as the data in the folder was written with as long as its log may tell of whole
 * databases, which only its own shards can follow; else as many as are wanted.
 */
export function shardCountOf({ state }: OpenedFolder, wanted: number): number {
  const { manifest } = state;
  if (manifest === undefined || manifest.shards === wanted) return wanted;
  return manifest.streams.length === 0 ? wanted : manifest.shards;
}

/** Loads, begins to log, and lets clients in. Throws a StartError where what is on the disk cannot be used. */
export async function startPersistence(persistence: Persistence): Promise<void> {
  const { gate, log, boot, state } = persistence;
  const isCutAnew = state.manifest !== undefined && state.manifest.shards !== boot.shardBuffers.length;
  try {
    await inTurn(persistence, () => loadAndLog(persistence));
  } catch (error) {
    if (error instanceof StartError || !(error instanceof Error && 'syscall' in error)) throw error;
    throw new StartError(`the folder '${persistence.config.dir}' (dir): ${error.message}`, 1);
  }
  if (isCutAnew) log.notice(`the data has ${boot.shardBuffers.length} shards from now on`);
  watchLog(persistence);
  watchSavePoints(persistence);
  servePersistence(persistence);
  openGate(gate, GATE_LOADING);
  // What had to go while it was loaded is in no log: with more memory it would be back after the next start.
  if (evictedKeys(persistence) > 0) void takeSnapshot(persistence, 'rewrite', backgroundShare(persistence));
}

function evictedKeys({ shards }: Persistence): number {
  return shards.reduce((sum, { numbers }) => sum + numbers[EVICTED_KEYS], 0);
}

async function loadAndLog(persistence: Persistence): Promise<void> {
  const end = await loadData(persistence);
  persistence.isLoaded = true;
  noteLsns(persistence);
  startLogBoard(persistence.board, end.nextBlock);
  if (persistence.config.appendonly) await startLogging(persistence, end);
}

/** Turns the log on or off as the configuration says now; the error for the client, or ''. */
export async function settleLogging(persistence: Persistence): Promise<string> {
  const { config, log, gate } = persistence;
  // While the data is loaded: the start heeds the configuration when it comes to that.
  if (config.appendonly === persistence.isLogging || (gateReasons(gate) & GATE_LOADING) !== 0) return '';
  try {
    await inTurn(persistence, async () => {
      // Another client may have come first.
      if (config.appendonly === persistence.isLogging) return;
      await (config.appendonly ? enableLog(persistence) : disableLog(persistence));
      log.notice(config.appendonly ? 'changes are logged from now on' : 'changes are not logged any more');
    });
    return '';
  } catch (error) {
    log.error('the log cannot be turned on', error);
    return 'ERR Unable to turn on AOF. Check server logs.';
  }
}

/** A snapshot that runs is called off: the log is about to end, and the stop takes its own, if it wants one. */
export function callOffSnapshot(persistence: Persistence): void {
  persistence.stopping = true;
}

/** The workers have ended, and with them the log. Takes the snapshot of the stop where one is wanted; a failure is logged. */
export async function stopPersistence(persistence: Persistence, saves: boolean | undefined): Promise<void> {
  const { config, log, timers, isLogging, wantsOtherShards } = persistence;
  for (const timer of timers) clearInterval(timer);
  callOffSnapshot(persistence);
  await persistence.queue;
  const isWanted = saves ?? (config.save.length > 0 || (isLogging && wantsOtherShards));
  const hasNews = changesSinceSnapshot(persistence) !== 0 || wantsOtherShards;
  if (!persistence.isLoaded || !isWanted || !hasNews) return;
  persistence.stopping = false;
  persistence.isLogging = false;
  const end = await takeSnapshot(persistence, 'save', Math.max(1, backgroundShare(persistence)));
  if (!end.ok) log.error('the last snapshot failed', new Error(end.text));
}
