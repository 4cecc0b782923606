/**
 * What the commands of durability ask of main, which takes and loads the snapshots: the topics and what travels with them.
 *
 * Types and names only; any thread.
 */

/** To main, with a SnapshotRequest; main answers with a MainVerdict. */
export const TOPIC_SNAPSHOT = 'snapshot';
/** To main, with a ReloadRequest; main answers with a MainVerdict once the data set is loaded again. */
export const TOPIC_RELOAD = 'reload';
/** To main, with a ShutdownRequest; main answers `true` when it begins to stop, or does not answer. */
export const TOPIC_SHUTDOWN = 'shutdown';

/** `save` is answered when the snapshot is whole, the others when one has begun or is scheduled. */
export type SnapshotRequest = {
  readonly kind: 'save' | 'bgsave' | 'rewrite';
  /** Whether it may wait until what is in its way has ended. */
  readonly isScheduled: boolean;
};

/** The data set from the disk: from a snapshot, or from snapshot and log. `saves`: after one was taken. */
export type ReloadRequest = { readonly kind: 'reload' | 'loadaof'; readonly saves: boolean };

/** `saves` is undefined where nothing was said; `isForced` stops even if the snapshot fails. */
export type ShutdownRequest = { readonly saves: boolean | undefined; readonly isForced: boolean };

/** The status to answer, or the whole error line without its '-'. */
export type MainVerdict =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly error: string };
