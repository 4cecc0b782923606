/**
 * The nine eviction policies as numbers in shared memory, and what each is about: redis-server's eight, and S3-FIFO.
 *
 * Pure; runs on every thread.
 */

/** Names by number, as `maxmemory-policy` spells them. */
export const POLICY_NAMES = [
  'noeviction',
  'allkeys-lru',
  'volatile-lru',
  'allkeys-lfu',
  'volatile-lfu',
  'allkeys-random',
  'volatile-random',
  'volatile-ttl',
  'allkeys-s3fifo',
] as const;

export const NO_EVICTION = 0;
export const ALL_LRU = 1;
export const VOLATILE_LRU = 2;
export const ALL_LFU = 3;
export const VOLATILE_LFU = 4;
export const ALL_RANDOM = 5;
const VOLATILE_RANDOM = 6;
export const VOLATILE_TTL = 7;
export const ALL_S3FIFO = 8;

/** One bit for each policy of a kind: asking costs a shift. */
const VOLATILE_POLICIES =
  (1 << VOLATILE_LRU) | (1 << VOLATILE_LFU) | (1 << VOLATILE_RANDOM) | (1 << VOLATILE_TTL);
const LFU_POLICIES = (1 << ALL_LFU) | (1 << VOLATILE_LFU);

/** Whether the policy evicts only entries that expire. */
export function isVolatile(policy: number): boolean {
  return ((VOLATILE_POLICIES >>> policy) & 1) !== 0;
}

/** Whether entries carry a use counter instead of a time. */
export function isLfu(policy: number): boolean {
  return ((LFU_POLICIES >>> policy) & 1) !== 0;
}

/** The number of a policy's name, or -1. */
export function policyNumber(name: string): number {
  return (POLICY_NAMES as readonly string[]).indexOf(name);
}
