/** What directives demand of each other, beyond what each allows by itself. Pure; any thread. */
import { formatMemory } from '../base/units.ts';
import { ARENA_BYTES_MAX, BIND_ADDRESSES_MAX, SHARD_MEMORY_BYTES_MIN } from './limits.ts';

/** What is wrong with a `maxmemory` of so many bytes at start, or undefined. */
export function checkMaxmemoryAtStart(bytes: number, workers: number): string | undefined {
  return checkMaxmemory(bytes, workers, workers * ARENA_BYTES_MAX, `8gb for each of ${workers} workers`);
}

/** At run time the shards cannot outgrow the memory that they reserved. */
export function checkMaxmemoryAtRunTime(
  bytes: number,
  workers: number,
  reservedBytes: number,
): string | undefined {
  return checkMaxmemory(bytes, workers, reservedBytes, 'what was reserved at start');
}

/** What is wrong with a node of a cluster whose changes are not logged, or undefined: its replicas are fed from the log's records. */
export function checkClusterLog(clusterEnabled: boolean, appendonly: boolean): string | undefined {
  return clusterEnabled && !appendonly ? 'a node of a cluster needs `appendonly yes`' : undefined;
}

/** redis-server holds at most sixteen addresses. */
export function checkAddresses(addresses: readonly string[]): string | undefined {
  return addresses.length > BIND_ADDRESSES_MAX ? 'Too many bind addresses specified.' : undefined;
}

function checkMaxmemory(bytes: number, workers: number, bytesMax: number, why: string): string | undefined {
  if (bytes === 0) return 'a cache needs a bound: 0 (no limit) is not offered, choose a size such as 1gb';
  const bytesMin = workers * SHARD_MEMORY_BYTES_MIN;
  if (bytes >= bytesMin && bytes <= bytesMax) return undefined;
  const range = `${formatMemory(bytesMin)} (1mb for each of ${workers} workers) and ${formatMemory(bytesMax)} (${why})`;
  return `argument must be between ${range}`;
}
