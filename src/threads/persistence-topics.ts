/**
 * What clients may ask of main about the data on disk: SAVE, BGSAVE, BGREWRITEAOF, DEBUG RELOAD and LOADAOF.
 *
 * Main thread. Texts are redis-server's.
 */
import {
  type MainVerdict,
  type ReloadRequest,
  type SnapshotRequest,
  TOPIC_RELOAD,
  TOPIC_SNAPSHOT,
} from '../commands/persistence-topics.ts';
import { REWRITE_RUNNING } from '../metrics/persistence.ts';
import { handleTopic } from './bus.ts';
import type { Persistence } from './persistence.ts';
import { reloadData } from './reload.ts';
import { backgroundShare, scheduleSnapshot, takeSnapshot } from './snapshots.ts';

export function servePersistence(persistence: Persistence): void {
  const { bus } = persistence;
  handleTopic<SnapshotRequest>(bus, TOPIC_SNAPSHOT, (request) => answerSnapshot(persistence, request));
  handleTopic<ReloadRequest>(bus, TOPIC_RELOAD, async ({ kind, saves }): Promise<MainVerdict> => {
    const end = await reloadData(persistence, kind === 'loadaof', saves);
    return end.ok
      ? { ok: true, text: 'OK' }
      : { ok: false, error: `ERR Error trying to load the data set: ${oneLine(end.text)}` };
  });
}

async function answerSnapshot(
  persistence: Persistence,
  { kind, isScheduled }: SnapshotRequest,
): Promise<MainVerdict> {
  const { snapshot, numbers } = persistence;
  const isRewriting = numbers[REWRITE_RUNNING] === 1;
  if (kind === 'save') {
    if (snapshot !== undefined) return { ok: false, error: 'ERR Background save already in progress' };
    const end = await takeSnapshot(persistence, 'save', 1);
    return end.ok ? { ok: true, text: 'OK' } : { ok: false, error: `ERR ${oneLine(end.text)}` };
  }
  if (kind === 'rewrite') {
    if (isRewriting)
      return { ok: false, error: 'ERR Background append only file rewriting already in progress' };
    if (snapshot !== undefined) {
      scheduleSnapshot(persistence);
      return { ok: true, text: 'Background append only file rewriting scheduled' };
    }
    void takeSnapshot(persistence, 'rewrite', backgroundShare(persistence));
    return { ok: true, text: 'Background append only file rewriting started' };
  }
  if (snapshot === undefined) {
    void takeSnapshot(persistence, 'save', backgroundShare(persistence));
    return { ok: true, text: 'Background saving started' };
  }
  if (!isRewriting) return { ok: false, error: 'ERR Background save already in progress' };
  if (!isScheduled) return { ok: false, error: REWRITE_IN_THE_WAY };
  scheduleSnapshot(persistence);
  return { ok: true, text: 'Background saving scheduled' };
}

const REWRITE_IN_THE_WAY =
  "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a " +
  'BGSAVE whenever possible.';

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, '; ');
}
