/**
 * What the log's streams tell of themselves, one record for each: the numbers of the log board in the form of a reading.
 *
 * Types only; any thread.
 */

import type { HistogramReading } from './histogram.ts';

/** A stream is what one worker writes. The counts since the start of the process. */
type LogStreamReading = {
  readonly bytesWritten: number;
  /** Each is one write(2), of what one turn has changed. */
  readonly blocksWritten: number;
  readonly syncs: number;
  /** Syncs that took so long that the log waited for them. */
  readonly syncsDelayed: number;
  readonly syncMsLast: number;
  readonly syncMsMax: number;
  /** How long the syncs took. */
  readonly syncNs: HistogramReading;
  /** Bytes that were written and may not be on the disk yet. */
  readonly unsyncedBytes: number;
  readonly writesFailed: number;
};

/** By stream. */
export type LogReading = readonly LogStreamReading[];
