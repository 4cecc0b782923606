/**
 * How long the page waits before it tries to reach the server again: longer with each failure, never long. Pure.
 */

const DELAYS_SECONDS = [1, 2, 4, 8, 15];

/**
 * The wait before the next attempt, in whole seconds, after so many failures in a row.
 * @param {number} failures from 1
 */
export function retryDelaySeconds(failures) {
  return DELAYS_SECONDS[Math.min(Math.max(failures, 1), DELAYS_SECONDS.length) - 1];
}
