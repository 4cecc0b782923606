/** Very many keys that fall due at the same moment while something else is measured. */
import { ask, requestText, sendMany } from './client.ts';

/** What is learnt of one server from one time to the next. */
export type MassExpiry = {
  readonly port: number;
  readonly keys: number;
  /** From when what is measured begins until the keys fall due. */
  readonly leadMs: number;
  /** How long it is thought to take to write them. */
  loadMs: number;
  /** When those that were written last fall due. */
  dueMs: number;
};

const VALUE = 'x'.repeat(64);
/** Before anything is known: so many keys in a millisecond. */
const LOADED_BY_MS = 50;
/** More than the last time, so that the keys are all there before they fall due. */
const LOAD_MS_FACTOR = 1.5;
const LEAD_MS = 250;
const ATTEMPTS_MAX = 5;
const GONE_MS_MAX = 120_000;
const POLL_MS = 50;

export function createMassExpiry(port: number, keys: number, leadMs = LEAD_MS): MassExpiry {
  return { port, keys, leadMs, loadMs: keys / LOADED_BY_MS, dueMs: 0 };
}

/**
 * Runs `use`, which must leave the number of the other keys as it is, so that the keys fall due shortly after it began. Tells
 * which share of them was gone when it ended.
 */
export async function withMassExpiry<Result>(
  expiry: MassExpiry,
  use: () => Promise<Result>,
): Promise<{ result: Result; shareGone: number }> {
  const { port, keys, leadMs } = expiry;
  const heldBefore = await keysHeld(port);
  await loadKeysInTime(expiry, heldBefore);
  await new Promise((resolve) => setTimeout(resolve, expiry.dueMs - leadMs - Date.now()));
  const result = await use();
  const shareGone = 1 - ((await keysHeld(port)) - heldBefore) / keys;
  await untilGone(port, heldBefore);
  return { result, shareGone };
}

/** Writes the keys; again where that took so long that they fell due, with what was learnt. */
async function loadKeysInTime(expiry: MassExpiry, heldBefore: number): Promise<void> {
  const { port, keys, leadMs } = expiry;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const startedMs = Date.now();
    const dueMs = Math.ceil(startedMs + LOAD_MS_FACTOR * expiry.loadMs + 2 * leadMs);
    await sendMany(port, keys, (target, at, index) => {
      const words = ['SET', `expiring:${index}`, VALUE, 'PXAT', String(dueMs)];
      return at + target.write(requestText(words), at, 'latin1');
    });
    const endedMs = Date.now();
    expiry.loadMs = endedMs - startedMs;
    expiry.dueMs = dueMs;
    if (endedMs <= dueMs - leadMs) return;
    await untilGone(port, heldBefore);
  }
  throw new Error(`${keys} keys are not written before they fall due: ask for fewer`);
}

async function untilGone(port: number, heldBefore: number): Promise<void> {
  const deadlineMs = performance.now() + GONE_MS_MAX;
  while ((await keysHeld(port)) > heldBefore) {
    if (performance.now() > deadlineMs) throw new Error('keys that are due stay');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function keysHeld(port: number): Promise<number> {
  return Number(await ask(port, 'DBSIZE'));
}
