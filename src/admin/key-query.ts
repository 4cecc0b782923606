/**
 * The query of a key's URL: the database, and for a PUT the time to live. Pure; main thread.
 */

/** `ttlMs` 0: for ever. */
export type KeyQuery = { readonly database: number; readonly ttlMs: number };

/** Some nine thousand years: deadlines are numbers of 48 bits. */
export const TTL_SECONDS_MAX = 250_000_000_000;
export const TTL_MS_MAX = 250_000_000_000_000;

const MS_PER_SECOND = 1000;
const DIGITS_PATTERN = /^\d{1,15}$/;
const PLAIN: KeyQuery = { database: 0, ttlMs: 0 };

/** What the query says; a text says what is wrong with it. Unknown names are refused: a misspelt `ttl` must not store for ever. */
export function readKeyQuery(url: string, isPut: boolean, databases: number): KeyQuery | string {
  const start = url.indexOf('?');
  if (start < 0) return PLAIN;
  const bounds: Readonly<Record<string, readonly [min: number, max: number]>> = {
    db: [0, databases - 1],
    ...(isPut ? { ttl: [1, TTL_SECONDS_MAX], pttl: [1, TTL_MS_MAX] } : {}),
  };
  const numbers: Record<string, number> = {};
  for (const [name, text] of new URLSearchParams(url.slice(start))) {
    if (!Object.hasOwn(bounds, name))
      return `there is no parameter '${name}' here: ${Object.keys(bounds).join(', ')}`;
    if (Object.hasOwn(numbers, name)) return `${name} stands there twice`;
    const [min, max] = bounds[name];
    const value = DIGITS_PATTERN.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) return `${name} is to be a whole number from ${min} to ${max}`;
    numbers[name] = value;
  }
  const { db = 0, ttl, pttl } = numbers;
  if (ttl !== undefined && pttl !== undefined) return 'either ttl (seconds) or pttl (milliseconds), not both';
  return { database: db, ttlMs: pttl ?? (ttl ?? 0) * MS_PER_SECOND };
}
