/**
 * Entity tags (RFC 9110, 8.8.3) of keys: strong ones, made from the entry's change number, and what a request asks of them.
 *
 * Pure; main thread. A shard numbers its changes, so the number and the shard name one state of one key. A process that was started
 * again may number anew after changes that were lost: a part of the run's id stands before.
 */

const RUN_ID_CHARACTERS = 8;
const RADIX = 36;
/** One tag of a list. Commas and blanks may stand within the quotes, so a list is not split at them. */
const TAG_PATTERN = /(W\/)?("[^"]*")/g;

/** The tag of an entry that change `lsn` of shard `shard` has made or changed last. */
export function entityTag(runId: string, shard: number, lsn: number): string {
  return `"${runId.slice(0, RUN_ID_CHARACTERS)}-${shard.toString(RADIX)}-${lsn.toString(RADIX)}"`;
}

/**
 * Whether `current` (undefined: the key does not exist) is what an `If-Match` asks for. Strong comparison: weak tags never
 * match.
 */
export function matchesIfMatch(header: string, current: string | undefined): boolean {
  if (current === undefined) return false;
  if (header.trim() === '*') return true;
  return tagsOf(header).some(({ isWeak, tag }) => !isWeak && tag === current);
}

/** Whether an `If-None-Match` forbids to go on with `current`. Weak comparison. */
export function matchesIfNoneMatch(header: string, current: string | undefined): boolean {
  if (current === undefined) return false;
  if (header.trim() === '*') return true;
  return tagsOf(header).some(({ tag }) => tag === current);
}

function tagsOf(header: string): { isWeak: boolean; tag: string }[] {
  return [...header.matchAll(TAG_PATTERN)].map(([, weak, tag]) => ({ isWeak: weak !== undefined, tag }));
}
