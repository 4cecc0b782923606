/**
 * A pause that can be ended early. Owns no state; any thread.
 */

/**
 * Resolves after so many milliseconds, or when `signal` is aborted. Keeps the process alive meanwhile. Others have their turn in any
 * case: who pauses while it waits for something does not keep that from happening.
 */
export function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      setImmediate(resolve);
      return;
    }
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
