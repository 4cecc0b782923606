/**
 * The commands of durability: SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE, WAITAOF, and what DEBUG has of them.
 *
 * Runs on the thread of the connection, under no lock. Snapshots are main's: it is asked over the bus, and decides.
 */
import { SNAPSHOT_REPLY_MS_MAX, TIMER_MS_MAX } from '../config/limits.ts';
import { SNAPSHOT_LAST_MS } from '../metrics/persistence.ts';
import { type ReplyWriter, writeArray, writeError, writeInteger, writeSimple } from '../resp/reply-writer.ts';
import { integerOf, isWord, NOT_AN_INTEGER, replySyntaxError } from './arguments.ts';
import { type Call, deferUntimed, type Handler } from './call.ts';
import { replyFromMain } from './main-reply.ts';
import {
  type MainVerdict,
  type ReloadRequest,
  type SnapshotRequest,
  TOPIC_RELOAD,
  TOPIC_SNAPSHOT,
} from './persistence-topics.ts';

const MS_PER_SECOND = 1000;

const NOT_LOGGED = 'ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.';

const RELOAD_WORDS = ['MERGE', 'NOFLUSH', 'NOSAVE'];

export const persistenceHandlers: Readonly<Record<string, Handler>> = {
  save: (call) => askForSnapshot(call, { kind: 'save', isScheduled: false }),
  bgsave: backgroundSave,
  bgrewriteaof: (call) => askForSnapshot(call, { kind: 'rewrite', isScheduled: false }),
  lastsave: lastSave,
  waitaof: waitForLog,
};

function backgroundSave(call: Call): void {
  const isScheduled = call.count === 2 && isWord(call, 1, 'SCHEDULE');
  if (call.count > 1 && !isScheduled) replySyntaxError(call);
  else askForSnapshot(call, { kind: 'bgsave', isScheduled });
}

function askForSnapshot(call: Call, request: SnapshotRequest): void {
  replyFromMain(call, TOPIC_SNAPSHOT, request, writeVerdict, SNAPSHOT_REPLY_MS_MAX);
}

/** When the data set was last whole in a snapshot; the start, before there was one. */
function lastSave({ reply, engine }: Call): void {
  writeInteger(reply, Math.floor(engine.persistence[SNAPSHOT_LAST_MS] / MS_PER_SECOND));
}

/** DEBUG RELOAD [NOSAVE] [MERGE]. The keys that are there always go first, so there is nothing to merge with. */
export function debugReload(call: Call): void {
  const words = new Set<string>();
  for (let index = 2; index < call.count; index += 1) {
    const word = RELOAD_WORDS.find((known) => isWord(call, index, known));
    if (word === undefined) {
      writeError(call.reply, 'ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.');
      return;
    }
    words.add(word);
  }
  if (words.has('NOFLUSH')) writeError(call.reply, 'ERR DEBUG RELOAD NOFLUSH is not supported');
  else askForReload(call, { kind: 'reload', saves: !words.has('NOSAVE') });
}

/** DEBUG LOADAOF. */
export function debugLoadLog(call: Call): void {
  askForReload(call, { kind: 'loadaof', saves: false });
}

function askForReload(call: Call, request: ReloadRequest): void {
  replyFromMain(call, TOPIC_RELOAD, request, writeVerdict, SNAPSHOT_REPLY_MS_MAX);
}

function writeVerdict(reply: ReplyWriter, verdict: MainVerdict): void {
  if (verdict.ok) writeSimple(reply, verdict.text);
  else writeError(reply, verdict.error);
}

/**
 * Answers how many logs have on disk what this client has changed: the own one, and those of replicas, of which there are
 * none. At once, or when there are as many as asked for, or after the timeout.
 */
function waitForLog(call: Call): void {
  const { reply, engine } = call;
  const local = integerOf(call, 1);
  const replicas = integerOf(call, 2);
  const timeoutMs = integerOf(call, 3);
  const refusal = waitRefusal(local, replicas, timeoutMs, engine.whenSynced !== undefined);
  if (refusal !== undefined) {
    writeError(reply, refusal);
    return;
  }
  let isSynced = false;
  let resume: (() => void) | undefined;
  engine.whenSynced?.(() => {
    isSynced = engine.whenSynced !== undefined;
    if (replicas === 0 || !isSynced) resume?.();
  });
  if (replicas === 0 && (isSynced || local === 0)) writeLogCounts(reply, isSynced);
  else {
    resume = resumeOnce(call, timeoutMs, (late) => {
      if (local > 0 && engine.whenSynced === undefined) writeError(late, NOT_LOGGED);
      else writeLogCounts(late, isSynced);
    });
  }
}

/** What is wrong with the arguments, in the words and order of redis-server 7.2. */
function waitRefusal(
  local: number,
  replicas: number,
  timeoutMs: number,
  isLogged: boolean,
): string | undefined {
  if (Number.isNaN(local)) return NOT_AN_INTEGER;
  if (local < 0 || local > 1) return 'ERR value is out of range, value must between 0 and 1';
  if (Number.isNaN(replicas) || replicas < 0) return 'ERR value is out of range, must be positive';
  if (Number.isNaN(timeoutMs)) return 'ERR timeout is not an integer or out of range';
  if (timeoutMs < 0) return 'ERR timeout is negative';
  return local > 0 && !isLogged ? NOT_LOGGED : undefined;
}

/** Holds the reply back until it is called or the timeout is over, whichever is first; 0 is no timeout. */
function resumeOnce(call: Call, timeoutMs: number, write: (reply: ReplyWriter) => void): () => void {
  const deferred = deferUntimed(call);
  let isOver = false;
  const resume = () => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    deferred.resume(write);
  };
  const timer = timeoutMs === 0 ? undefined : setTimeout(resume, Math.min(timeoutMs, TIMER_MS_MAX));
  return resume;
}

function writeLogCounts(reply: ReplyWriter, isSynced: boolean): void {
  writeArray(reply, 2);
  writeInteger(reply, isSynced ? 1 : 0);
  writeInteger(reply, 0);
}
