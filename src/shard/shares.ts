/**
 * How what the whole process may have is shared out to the shards.
 *
 * Pure; any thread. Start-up and CONFIG SET use the same shares.
 */

/** A shard's key limit is a 32-bit word; no arena holds as many keys as that. */
const KEYS_MAX_MAX = 2 ** 31 - 1;

/** The share of part `index` of `parts`: whole numbers that differ by at most 1 and add up to `total`, larger ones first. */
export function shareOf(total: number, parts: number, index: number): number {
  const share = Math.floor(total / parts);
  return index < total - share * parts ? share + 1 : share;
}

/** The key limit of shard `index` for `maxkeys`: 0 for none, and never less than one key, since each key has its shard. */
export function keysMaxOf(maxkeys: number, shards: number, index: number): number {
  if (maxkeys === 0) return 0;
  return Math.min(KEYS_MAX_MAX, Math.max(1, shareOf(maxkeys, shards, index)));
}
