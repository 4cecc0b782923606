/**
 * Who waits for what: replies that may leave only once the log is far enough, in every stream.
 *
 * Runs on the worker of the stream. A commit notes, for each stream, the block that it needs; it is settled when all have been
 * reached. Under `always` reached means synced, and one sync serves all commits that wait for it; else it means written,
 * which only takes waiting for while a stream has trouble. A commit that lacks nothing of its own stream asks the others to be
 * told of their progress.
 */
import { awaitsOthers, hasReached, lastDrained, setAwaitsOthers } from './log-board.ts';
import { type Commit, isAlways, type LogWriter } from './log-stream.ts';

/**
 * Calls `done` once all changes that this worker has executed are as safe as the policy promises, or with `isSynced` on the
 * disk whatever the policy. After the turn's records were drained (log-writer, logTurn). At once if nothing is lacking. Never
 * fails: while the disk does, it waits.
 */
export function commitLater(writer: LogWriter, done: () => void, isSynced = isAlways(writer)): void {
  const { needs, commits, isBehind } = writer;
  if (!isBehind) {
    noteNeeds(writer, needs);
    if (isReached(writer, needs, isSynced)) {
      done();
      return;
    }
  }
  const last = commits.at(-1);
  if (last !== undefined && last.isSynced === isSynced && last.isBehind === isBehind) {
    if (isBehind || last.needs.every((word, stream) => word === needs[stream])) {
      last.waiting.push(done);
      return;
    }
  }
  commits.push({ needs: needs.slice(), isSynced, isBehind, waiting: [done] });
  settleCommits(writer);
}

/** Whether everything that has left the journals until the end of the last turn is on the disk. */
export function isAllSynced(writer: LogWriter): boolean {
  noteNeeds(writer, writer.needs);
  return isReached(writer, writer.needs, true);
}

/** Lets go what has been reached; after every progress of this stream, and when another one tells of its own. */
export function settleCommits(writer: LogWriter): void {
  if (writer.commits.length === 0) return;
  const settled = takeSettled(writer);
  watchOthers(writer);
  // What was reached between the two looks is told by nobody.
  const rest = takeSettled(writer);
  for (const { waiting } of [...settled, ...rest]) {
    for (const done of waiting) done();
  }
}

/** The records of commits that were behind have left the journals by now: what they need is known. */
export function catchUpCommits(writer: LogWriter): void {
  for (const commit of writer.commits) {
    if (!commit.isBehind) continue;
    noteNeeds(writer, commit.needs);
    commit.isBehind = false;
  }
}

/** Whether a commit waits for a sync. */
export function isSyncAwaited(writer: LogWriter): boolean {
  return writer.commits.some(({ isSynced }) => isSynced);
}

/** Whether another stream has a commit that waits for others, of which this one may be. */
export function isAwaitedElsewhere({ board, stream }: LogWriter): boolean {
  for (let other = 0; other < board.streams; other += 1) {
    if (other !== stream && awaitsOthers(board, other)) return true;
  }
  return false;
}

/** Tells the streams that wait for others. */
export function tellOthers(writer: LogWriter): void {
  const { board, stream, hooks } = writer;
  for (let other = 0; other < board.streams; other += 1) {
    if (other !== stream && awaitsOthers(board, other)) hooks.tellProgress(other);
  }
}

function takeSettled(writer: LogWriter): Commit[] {
  const settled: Commit[] = [];
  const rest: Commit[] = [];
  for (const commit of writer.commits) {
    const isSettled = !commit.isBehind && isReached(writer, commit.needs, commit.isSynced);
    (isSettled ? settled : rest).push(commit);
  }
  writer.commits = rest;
  return settled;
}

/** Others need not tell while this stream itself is not there yet: it looks again when it is. */
function watchOthers(writer: LogWriter): void {
  const { board, stream } = writer;
  const awaits = writer.commits.some(
    ({ needs, isSynced, isBehind }) => !isBehind && hasReached(board, stream, needs[stream], isSynced),
  );
  if (awaits !== awaitsOthers(board, stream)) setAwaitsOthers(board, stream, awaits);
}

function noteNeeds(writer: LogWriter, needs: Int32Array): void {
  const { board, turnBlock } = writer;
  for (let stream = 0; stream < board.streams; stream += 1) {
    needs[stream] = lastDrained(board, stream, turnBlock);
  }
}

function isReached(writer: LogWriter, needs: Int32Array, isSynced: boolean): boolean {
  const { board } = writer;
  for (let stream = 0; stream < board.streams; stream += 1) {
    if (!hasReached(board, stream, needs[stream], isSynced)) return false;
  }
  return true;
}
