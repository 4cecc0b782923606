/**
 * The numbers of the log board as a reading, for INFO and /metrics.
 *
 * Any thread; each number is whole, together they may be of moments a little apart.
 */
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

export function readLog({ numbers, streams }: LogBoard): LogReading {
  return Array.from({ length: streams }, (_, stream) => {
    const at = logNumbersOf(stream);
    return {
      bytesWritten: numbers[at + LOG_BYTES_WRITTEN],
      blocksWritten: numbers[at + LOG_BLOCKS_WRITTEN],
      syncs: numbers[at + LOG_SYNCS],
      syncsDelayed: numbers[at + LOG_SYNCS_DELAYED],
      syncMsLast: numbers[at + LOG_SYNC_MS_LAST],
      syncMsMax: numbers[at + LOG_SYNC_MS_MAX],
      unsyncedBytes: numbers[at + LOG_BYTES_UNSYNCED],
      writesFailed: numbers[at + LOG_WRITES_FAILED],
    };
  });
}
