/**
 * Assertions that stay on in production. A failed one is a bug of ours, never a user's mistake.
 *
 * Owns no state; runs on every thread.
 */

/** Throws when `condition` is false. The message says what should have held. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
