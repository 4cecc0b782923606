/** Snapshots in the background, one after the other, while something else is measured. */
import type { Socket } from 'node:net';
import { askOver, openClient } from './client.ts';
import { infoNumber } from './server-text.ts';

/** From when BGSAVE was asked for until INFO tells that it is done, on the clock of `performance.now`. */
type Span = { readonly startedMs: number; readonly endedMs: number };

const POLL_MS = 25;
const SAVE_MS_MAX = 120_000;

/**
 * Runs `use` within snapshots: the first begins before it, and another follows each until it is done. `shareOfTime`: which
 * share of the time of `use` lies within them. Throws when a snapshot fails.
 */
export async function withBackgroundSaves<Result>(
  port: number,
  use: () => Promise<Result>,
): Promise<{ result: Result; spans: Span[]; shareOfTime: number }> {
  const socket = await openClient(port);
  try {
    const startedMs = performance.now();
    await askOver(socket, 'BGSAVE');
    const fromMs = performance.now();
    let toMs = Infinity;
    const used = use().finally(() => {
      toMs = performance.now();
    });
    const [result, spans] = await Promise.all([used, saveUntil(socket, startedMs, () => toMs < Infinity)]);
    return { result, spans, shareOfTime: shareWithin(spans, fromMs, toMs) };
  } finally {
    socket.destroy();
  }
}

/** Which share of the time from `fromMs` to `toMs` lies within spans, which follow each other. */
export function shareWithin(spans: readonly Span[], fromMs: number, toMs: number): number {
  const within = spans.reduce((sum, { startedMs, endedMs }) => {
    return sum + Math.max(0, Math.min(endedMs, toMs) - Math.max(startedMs, fromMs));
  }, 0);
  return within / (toMs - fromMs);
}

/** Waits for the snapshot that was asked for then, and takes others until nobody wants more. */
async function saveUntil(socket: Socket, firstMs: number, isDone: () => boolean): Promise<Span[]> {
  const spans = [await untilSaved(socket, firstMs)];
  while (!isDone()) {
    const startedMs = performance.now();
    await askOver(socket, 'BGSAVE');
    spans.push(await untilSaved(socket, startedMs));
  }
  return spans;
}

async function untilSaved(socket: Socket, startedMs: number): Promise<Span> {
  for (;;) {
    const info = await askOver(socket, 'INFO', 'persistence');
    if (infoNumber(info, 'rdb_bgsave_in_progress') === 0) {
      if (!info.includes('rdb_last_bgsave_status:ok')) throw new Error('a BGSAVE failed');
      return { startedMs, endedMs: performance.now() };
    }
    if (performance.now() - startedMs > SAVE_MS_MAX) throw new Error('a BGSAVE does not end');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
