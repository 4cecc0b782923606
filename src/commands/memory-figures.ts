/**
 * What INFO memory and MEMORY STATS tell of a reading: redis-server's figures from ours.
 *
 * Pure; any thread. Used memory is the shards' blocks, which is what counts against maxmemory. The arenas hold them and
 * the holes between them; the process holds the arenas and the runtime.
 */
import type { Reading } from '../metrics/reading.ts';
import { NARROW_KEY_AT } from '../shard/layout.ts';

export type MemoryFigures = {
  readonly usedBytes: number;
  readonly peakBytes: number;
  readonly peakPercent: number;
  /** The index and the entries' headers; the dataset is the rest of the used memory. */
  readonly overheadBytes: number;
  readonly datasetBytes: number;
  readonly datasetPercent: number;
  readonly bytesPerKey: number;
  readonly arenaBytes: number;
  /** Arenas to used memory, resident memory to arenas and to used memory; 0 where there is nothing to divide by. */
  readonly arenaRatio: number;
  readonly processRatio: number;
  readonly processBytes: number;
  readonly residentBytes: number;
  readonly residentRatio: number;
};

/** `peakSampledBytes` is the most that any tick has seen; now may be more. */
export function memoryOf({ keyspace, process }: Reading, peakSampledBytes: number): MemoryFigures {
  const { usedBytes, indexBytes, arenaBytes, keys, doomed } = keyspace;
  const { residentBytes } = process;
  const peakBytes = Math.max(peakSampledBytes, usedBytes);
  const overheadBytes = Math.min(usedBytes, indexBytes + (keys + doomed) * NARROW_KEY_AT);
  const datasetBytes = usedBytes - overheadBytes;
  return {
    usedBytes,
    peakBytes,
    peakPercent: 100 * ratio(usedBytes, peakBytes),
    overheadBytes,
    datasetBytes,
    datasetPercent: 100 * ratio(datasetBytes, usedBytes),
    bytesPerKey: keys === 0 ? 0 : Math.floor(usedBytes / keys),
    arenaBytes,
    arenaRatio: ratio(arenaBytes, usedBytes),
    processRatio: ratio(residentBytes, arenaBytes),
    processBytes: residentBytes - arenaBytes,
    residentBytes,
    residentRatio: ratio(residentBytes, usedBytes),
  };
}

/** Bytes for people, as redis-server writes them: `919.14K`, `1.50G`, `12B`. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let value = bytes;
  let unit = -1;
  while (value >= 1024 && unit < HUMAN_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(2)}${HUMAN_UNITS[unit]}`;
}

const HUMAN_UNITS = ['K', 'M', 'G', 'T', 'P'];

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
