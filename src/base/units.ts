/**
 * Sizes of memory as redis.conf writes them: `1k` is 1000 bytes, `1kb` is 1024, and so on for m and g; upper and
 * lower case are the same. Pure; any thread.
 */

const UNIT_BYTES: Record<string, bigint> = {
  '': 1n,
  b: 1n,
  k: 1000n,
  kb: 1024n,
  m: 1000n * 1000n,
  mb: 1024n * 1024n,
  g: 1000n * 1000n * 1000n,
  gb: 1024n * 1024n * 1024n,
};

const UINT64_MAX = 2n ** 64n - 1n;
const MEMORY_PATTERN = /^(\d+)([a-z]*)$/;

/** The bytes that `text` means, exact up to 2^64-1 and capped there; undefined where it is no size of memory. */
export function parseMemoryExact(text: string): bigint | undefined {
  const match = MEMORY_PATTERN.exec(text.toLowerCase());
  if (match === null) return undefined;
  const unitBytes = Object.hasOwn(UNIT_BYTES, match[2]) ? UNIT_BYTES[match[2]] : undefined;
  if (unitBytes === undefined) return undefined;
  const bytes = BigInt(match[1]) * unitBytes;
  return bytes > UINT64_MAX ? UINT64_MAX : bytes;
}

/** As parseMemoryExact, as a number (exact up to 2^53); NaN where the text is no size of memory. */
export function parseMemory(text: string): number {
  const bytes = parseMemoryExact(text);
  return bytes === undefined ? Number.NaN : Number(bytes);
}

/** The shortest redis.conf form without loss: 1073741824 is `1gb`, 1536 is `1536` (not a whole number of kb). */
export function formatMemory(bytes: number): string {
  for (const unit of ['gb', 'mb', 'kb']) {
    const unitBytes = Number(UNIT_BYTES[unit]);
    if (bytes >= unitBytes && bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`;
  }
  return `${bytes}`;
}
