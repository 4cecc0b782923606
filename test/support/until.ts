/** Waits for a condition of other processes, which nothing tells us of: asks again and again. */

const AGAIN_MS = 25;

export type UntilOptions = {
  /** What did not come true, for the error. */
  readonly what: () => string;
  readonly msMax: number;
};

/** Rejects when it has not come true in time. */
export async function until(isTrue: () => Promise<boolean> | boolean, options: UntilOptions): Promise<void> {
  const deadline = Date.now() + options.msMax;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`${options.what()} (after ${options.msMax} ms)`);
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}
