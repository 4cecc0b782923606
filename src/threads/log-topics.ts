/**
 * What main and the workers say to each other about the log: topics and payloads. Types and names only; any thread.
 */
import type { LogTrouble } from '../durability/log-stream.ts';

/** Main to a worker, with a MadeSegment: from now on its changes are written there. Answered when that holds. */
export const TOPIC_LOG_OPEN = 'log-open';
/** Main to a worker: nothing is logged any more. */
export const TOPIC_LOG_CLOSE = 'log-close';
/** Main to a worker, with a MadeSegment: go on in it at once. Reply: whether it could. */
export const TOPIC_LOG_ROTATE = 'log-rotate';
/** Main to a worker, with a MadeSegment: go on in it when the one in use is full. */
export const TOPIC_LOG_OFFER = 'log-offer';
/** Worker to main: its segment grows full. */
export const TOPIC_LOG_WANTS_SEGMENT = 'log-wants-segment';
/** Worker to main, with a LogTroubleReport: something could not be written. */
export const TOPIC_LOG_TROUBLE = 'log-trouble';
/** Main to all workers: the log is in trouble, so replies that wait for it wait no longer. */
export const TOPIC_LOG_GIVE_UP = 'log-give-up';
/** Main to a worker: try again what could not be written. Reply: whether nothing is held back any more. */
export const TOPIC_LOG_RETRY = 'log-retry';
/** Main to a worker, with a MadeSegment: the log begins anew there (log-writer, resetAfterRebase). */
export const TOPIC_LOG_RESET = 'log-reset';
/** Main to a worker: write everything that is pending. Reply: true once the stream is on the disk, false where it cannot be. */
export const TOPIC_LOG_SEAL = 'log-seal';
/** Worker to worker: commits may have come further. */
export const TOPIC_LOG_PROGRESS = 'log-progress';
/** Main to a worker, with a SettleRequest: write what main has changed. Reply: a SettleReply, once it is safe or cannot be. */
export const TOPIC_LOG_SETTLE = 'log-settle';

export type LogTroubleReport = { readonly kind: LogTrouble; readonly text: string; readonly errno: number };

/** Shards with pending records; `isWrite` where main's replies tell of changes, and not only show what others have changed. */
export type SettleRequest = { readonly shards: readonly number[]; readonly isWrite: boolean };

/** Whether the changes are as safe as the policy promises; else the number (negative) of the disk's error, or 0. */
export type SettleReply = { readonly isSafe: boolean; readonly errno: number };
