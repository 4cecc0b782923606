/**
 * The numbers of the log board as a reading, for INFO and /metrics, and their reset.
 *
 * Any thread reads; each number is whole, together they may be of moments a little apart.
 */
import { readHistogram } from '../metrics/histogram.ts';
import type { LogReading } from '../metrics/log-reading.ts';
import {
  LOG_BLOCKS_WRITTEN,
  LOG_BYTES_UNSYNCED,
  LOG_BYTES_WRITTEN,
  LOG_SYNC_MS_LAST,
  LOG_SYNC_MS_MAX,
  LOG_SYNCS,
  LOG_SYNCS_DELAYED,
  LOG_WRITES_FAILED,
  type LogBoard,
  logNumbersOf,
} from './log-board.ts';

export function readLog({ numbers, syncs, streams }: LogBoard): LogReading {
  return Array.from({ length: streams }, (_, stream) => {
    const at = logNumbersOf(stream);
    return {
      bytesWritten: numbers[at + LOG_BYTES_WRITTEN],
      blocksWritten: numbers[at + LOG_BLOCKS_WRITTEN],
      syncs: numbers[at + LOG_SYNCS],
      syncsDelayed: numbers[at + LOG_SYNCS_DELAYED],
      syncMsLast: numbers[at + LOG_SYNC_MS_LAST],
      syncMsMax: numbers[at + LOG_SYNC_MS_MAX],
      syncNs: readHistogram(syncs[stream]),
      unsyncedBytes: numbers[at + LOG_BYTES_UNSYNCED],
      writesFailed: numbers[at + LOG_WRITES_FAILED],
    };
  });
}

/**
 * Zeroes what CONFIG RESETSTAT does: how many syncs there were, and how long they took. What the log's own policies go by
 * stays. Only the worker of the stream may call it.
 */
export function resetLogTotals({ numbers, syncs }: LogBoard, stream: number): void {
  const at = logNumbersOf(stream);
  for (const total of [LOG_SYNCS, LOG_SYNCS_DELAYED, LOG_SYNC_MS_MAX]) numbers[at + total] = 0;
  syncs[stream].fill(0);
}
