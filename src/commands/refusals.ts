/**
 * What a known command is refused for before it runs, in redis-server's words and order.
 *
 * Runs on the thread of the connection. An ordinary client in an ordinary moment costs two loads and a branch here; what memory
 * lacks is found later, under the lock (execute.ts).
 */
import { systemErrorText } from '../base/platform.ts';
import { GATE_LOADING, GATE_LOG, GATE_REFUSES, gateErrno, gateReasons } from '../resilience/gate.ts';
import { writeError } from '../resp/reply-writer.ts';
import { isOpenToAll } from './acl-access.ts';
import { isRefusedToUser } from './acl-refusal.ts';
import type { Call, Command } from './call.ts';
import { isElsewhere } from './cluster-routing.ts';
import { isRefusedToMonitor } from './monitor.ts';
import { isPutOffByPause } from './pause.ts';
import { isRefusedToSubscriber } from './pubsub.ts';
import {
  GUARD_ACL,
  GUARD_LOGIN,
  GUARD_MONITOR,
  GUARD_QUEUE,
  GUARD_SUBSCRIBER,
  GUARD_TRACKING,
} from './session.ts';
import { trackCommand } from './tracking-reads.ts';
import { isRefusedInMulti, isWriting, needsLoaded, queueCommand } from './transaction-queue.ts';

const SNAPSHOT_MISCONF =
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may " +
  'modify the data set are disabled, because this instance is configured to report errors during writes if RDB ' +
  'snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.';

/** Whether the command may run; answers if not. */
export function mayRun(call: Call, command: Command): boolean {
  const { count, engine, session } = call;
  const { arity } = command;
  if (arity > 0 ? count !== arity : count < -arity) {
    writeError(call.reply, `ERR wrong number of arguments for '${command.spec.name}' command`);
    return false;
  }
  const reasons = gateReasons(engine.gate);
  if ((session.guards | reasons) !== 0) return mayRunGuarded(call, command, session.guards, reasons);
  return engine.cluster === undefined || !isElsewhere(call, command, engine.cluster);
}

/** As `mayRun` where the client or the moment is no ordinary one. */
function mayRunGuarded(call: Call, command: Command, guards: number, reasons: number): boolean {
  if ((guards & GUARD_LOGIN) !== 0 && isRefusedToStranger(call, command)) return false;
  if ((guards & GUARD_QUEUE) !== 0 && isRefusedInMulti(call, command)) return false;
  if ((guards & GUARD_ACL) !== 0 && isRefusedToUser(call, command)) return false;
  if ((guards & GUARD_SUBSCRIBER) !== 0 && isRefusedToSubscriber(call, command)) return false;
  const { cluster } = call.engine;
  if (cluster !== undefined && isElsewhere(call, command, cluster)) return false;
  if ((reasons & GATE_REFUSES) !== 0 && !mayPass(call, command, reasons)) return false;
  if ((guards & GUARD_MONITOR) !== 0 && isRefusedToMonitor(call, command)) return false;
  if (reasons !== 0 && isPutOffByPause(call, command)) return false;
  if ((guards & GUARD_QUEUE) !== 0 && queueCommand(call, command)) return false;
  if ((guards & GUARD_TRACKING) !== 0) trackCommand(call, command);
  return true;
}

/** As `mayRun` for a command that nobody named (execute.ts): only who asks, and the moment, count. */
export function mayRunRow(call: Call, command: Command, reasons: number): boolean {
  if ((call.session.guards & GUARD_ACL) !== 0 && isRefusedToUser(call, command)) return false;
  const { cluster } = call.engine;
  if (cluster !== undefined && isElsewhere(call, command, cluster)) return false;
  if ((reasons & GATE_REFUSES) !== 0 && !mayPass(call, command, reasons)) return false;
  return reasons === 0 || !isPutOffByPause(call, command);
}

/** Who came before a password was set, or while there was one that is not there any more, needs none. */
function isRefusedToStranger({ reply, engine }: Call, command: Command): boolean {
  if (command.needsNoAuth || isOpenToAll(engine.access)) return false;
  writeError(reply, 'NOAUTH Authentication required.');
  return true;
}

/** Whether the command may run though the gate is not open; answers if not. */
function mayPass(call: Call, command: Command, reasons: number): boolean {
  const { reply, engine } = call;
  if ((reasons & GATE_LOADING) !== 0) {
    if (!needsLoaded(call, command)) return true;
    writeError(reply, 'LOADING Redis is loading the dataset in memory');
    return false;
  }
  // PING is how clients find out that something is wrong.
  if (!isWriting(call, command) && command.spec.name !== 'ping') return true;
  if ((reasons & GATE_LOG) !== 0) {
    const errno = gateErrno(engine.gate);
    const cause = errno === 0 ? 'the log is being begun anew' : systemErrorText(errno);
    writeError(reply, `MISCONF Errors writing to the AOF file: ${cause}`);
  } else {
    writeError(reply, SNAPSHOT_MISCONF);
  }
  return false;
}
