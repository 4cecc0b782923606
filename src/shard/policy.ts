/**
 * The eight eviction policies as numbers in shared memory, and what each is about.
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
] as const;

export const NO_EVICTION = 0;
export const ALL_LRU = 1;
export const VOLATILE_LRU = 2;
export const ALL_LFU = 3;
export const VOLATILE_LFU = 4;
export const ALL_RANDOM = 5;
const VOLATILE_RANDOM = 6;
export const VOLATILE_TTL = 7;

/** Whether the policy evicts only entries that expire. */
export function isVolatile(policy: number): boolean {
  return (
    policy === VOLATILE_LRU ||
    policy === VOLATILE_LFU ||
    policy === VOLATILE_RANDOM ||
    policy === VOLATILE_TTL
  );
}

/** Whether entries carry a use counter instead of a time. */
export function isLfu(policy: number): boolean {
  return policy === ALL_LFU || policy === VOLATILE_LFU;
}

/** The number of a policy's name, or -1. */
export function policyNumber(name: string): number {
  return (POLICY_NAMES as readonly string[]).indexOf(name);
}
