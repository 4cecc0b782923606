/**
 * The ACL log: who was refused what, or gave a wrong password.
 *
 * Each thread keeps the entries of its own clients, the latest first, like ones grouped as by redis-server; ACL LOG asks all
 * threads (topic 'acl-log') and puts theirs together. So that a client that is refused a million times costs one entry, and no
 * message. Source: Redis 7.0 `acl.c`, `addACLLogEntry`.
 */
import { asciiBytes } from '../base/bytes.ts';
import { ACL_LOG_ENTRIES_MAX, ACL_LOG_TEXT_BYTES_MAX } from '../config/limits.ts';
import { clientLine } from './client-list.ts';
import type { Engine } from './engine.ts';
import type { Session } from './session.ts';

const TOPIC_LOG = 'acl-log';
const TOPIC_LOG_RESET = 'acl-log-reset';

/** Like entries further apart than this are not grouped. */
const GROUPED_MS_MAX = 60_000;
/** Among so many of the latest a like one is looked for. */
const LOOKED_AT_MAX = 10;

type AclReason = 'command' | 'key' | 'channel' | 'auth';
export type AclContext = 'toplevel' | 'multi' | 'lua';

/** Texts are one character per byte, but for the client's line, which is text. */
export type AclLogEntry = {
  count: number;
  readonly reason: AclReason;
  readonly context: AclContext;
  /** The command, key or channel that was refused; for a wrong password the command that gave it. */
  readonly object: string;
  readonly user: string;
  /** When it happened last. */
  readonly atMs: number;
  readonly client: string;
};

/** Answers for the entries of this thread. */
export function installAclLog(engine: Engine): void {
  engine.bus.handle(TOPIC_LOG, () => engine.access.log);
  engine.bus.handle(TOPIC_LOG_RESET, () => {
    engine.access.log.length = 0;
  });
}

/** Notes what this thread has refused `session`. */
export function noteDenied(
  engine: Engine,
  session: Session,
  what: Pick<AclLogEntry, 'reason' | 'context' | 'object' | 'user'>,
): void {
  const atMs = engine.wallMs();
  const object = beginningOf(what.object);
  const user = beginningOf(what.user);
  const client = clientLine(session, atMs);
  pushEntry(engine.access.log, { ...what, object, user, count: 1, atMs, client }, lengthMaxOf(engine));
}

/** The entries of all threads, the latest first. A thread that does not answer is left out. */
export async function readAclLog(engine: Engine): Promise<AclLogEntry[]> {
  const logs = (await engine.bus.requestAll(TOPIC_LOG, null)) as AclLogEntry[][];
  // Sorting keeps the order of what happened at the same time.
  const entries = logs.flatMap((log) => log.toReversed()).sort((a, b) => a.atMs - b.atMs);
  const merged: AclLogEntry[] = [];
  for (const entry of entries) pushEntry(merged, { ...entry }, lengthMaxOf(engine));
  return merged;
}

export async function resetAclLog({ bus }: Engine): Promise<void> {
  await bus.requestAll(TOPIC_LOG_RESET, null);
}

/** Of a long text a copy: a slice would keep all of it alive. */
function beginningOf(text: string): string {
  if (text.length <= ACL_LOG_TEXT_BYTES_MAX) return text;
  return asciiBytes(text.slice(0, ACL_LOG_TEXT_BYTES_MAX)).toString('latin1');
}

function lengthMaxOf({ config }: Engine): number {
  return Math.min(config.acllogMaxLen, ACL_LOG_ENTRIES_MAX);
}

/** In front of the others, together with a like one if there is one among the latest. */
function pushEntry(log: AclLogEntry[], entry: AclLogEntry, lengthMax: number): void {
  for (let index = 0; index < Math.min(log.length, LOOKED_AT_MAX); index += 1) {
    if (!isLike(log[index], entry)) continue;
    entry.count += log[index].count;
    log.splice(index, 1);
    break;
  }
  log.unshift(entry);
  if (log.length > lengthMax) log.length = lengthMax;
}

function isLike(a: AclLogEntry, b: AclLogEntry): boolean {
  return (
    a.reason === b.reason &&
    a.context === b.context &&
    a.object === b.object &&
    a.user === b.user &&
    Math.abs(a.atMs - b.atMs) <= GROUPED_MS_MAX
  );
}
