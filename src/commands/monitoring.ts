/**
 * What one thread knows of the clients that watch all commands (MONITOR), and the lines that wait to be told to them.
 *
 * One record per thread, never shared; monitor.ts is what uses it.
 */
import { createReplyWriter, type ReplyWriter } from '../resp/reply-writer.ts';
import type { Session } from './session.ts';

export type Monitoring = {
  /** Whether there is any such client, of any thread: all that a command looks at while there is none. */
  isWatched: boolean;
  /** Those that this thread serves. */
  readonly own: Set<Session>;
  /** The other threads that serve some. */
  readonly watchers: Map<number, Watcher>;
  /** Commands of this thread that nobody has been told of yet, as lines. */
  readonly lines: ReplyWriter;
  isSendDue: boolean;
  /** What the monotonic clock lacks to the wall clock, finer than the latter's tick. */
  wallAheadMs: number;
};

type Watcher = {
  /** Bytes that were sent to the thread and that it has not taken in yet. */
  unseenBytes: number;
  /** It is so far behind that it gets no more. */
  isLost: boolean;
};

const LINES_BYTES_START = 1024;

export function createMonitoring(): Monitoring {
  return {
    isWatched: false,
    own: new Set(),
    watchers: new Map(),
    lines: createReplyWriter(LINES_BYTES_START),
    isSendDue: false,
    wallAheadMs: 0,
  };
}
