/**
 * CLIENT PAUSE and UNPAUSE: clients whose commands wait instead of being executed.
 *
 * Runs on the thread of the connection. The pause itself is in memory that all threads share (resilience/pause.ts); each thread
 * keeps those of its clients that wait, and lets them go on when a time has passed or another thread says so.
 */
import { parseInt64 } from '../base/decimal.ts';
import { INT64_MAX } from '../config/directive.ts';
import { GATE_PAUSES_ALL, gateReasons } from '../resilience/gate.ts';
import { beginPause, endPause, isPaused } from '../resilience/pause.ts';
import { writeError, writeOk } from '../resp/reply-writer.ts';
import { isWord } from './arguments.ts';
import type { Call, Command, Handler } from './call.ts';
import type { Engine } from './engine.ts';
import { replyUnknownSubcommand } from './help.ts';

/** To all threads, no payload: the pause is over. */
export const TOPIC_UNPAUSED = 'client-unpaused';

const NOT_A_TIMEOUT = 'ERR timeout is not an integer or out of range';
const TRY_AGAIN =
  'TRYAGAIN clients are paused (CLIENT PAUSE), and a command that comes this way cannot wait for the end';

export const pauseHandlers: Readonly<Record<string, Handler>> = {
  'client|pause': pause,
  'client|unpause': unpause,
};

/** Whether the command does not run now, because clients are paused: it waits, or is refused where nobody can wait. */
export function isPutOffByPause(call: Call, command: Command): boolean {
  const { engine, session, nowMs } = call;
  if (!isPaused(engine.gate, nowMs) || !isMeant(call, command)) return false;
  session.lastCommand = command.spec.name;
  if (session.connection.postpone === undefined) {
    writeError(call.reply, TRY_AGAIN);
  } else {
    session.isPostponed = true;
    session.connection.postpone();
  }
  return true;
}

/** A pause of writes lets everything pass that nobody else hears of. Who wants to leave may. */
function isMeant({ engine, session }: Call, { mayReplicate, spec }: Command): boolean {
  if (spec.name === 'quit') return false;
  if ((gateReasons(engine.gate) & GATE_PAUSES_ALL) !== 0 || mayReplicate) return true;
  if (spec.name !== 'exec' || session.transaction === undefined) return false;
  return session.transaction.commands.some((queued) => queued.mayReplicate);
}

function pause(call: Call): void {
  const { count, input, spans, reply, engine, nowMs } = call;
  if (count > 4) {
    replyUnknownSubcommand(call);
    return;
  }
  const includesReads = count === 3 || isWord(call, 3, 'ALL');
  if (!includesReads && !isWord(call, 3, 'WRITE')) {
    writeError(reply, 'ERR CLIENT PAUSE mode must be WRITE or ALL');
    return;
  }
  const timeoutMs = parseInt64(input, spans[4], spans[5]);
  if (timeoutMs === undefined) {
    writeError(reply, NOT_A_TIMEOUT);
  } else if (timeoutMs < 0n) {
    writeError(reply, 'ERR timeout is negative');
  } else {
    // What a date cannot hold is past for redis-server, and so is no time at all.
    const isTime = timeoutMs > 0n && timeoutMs <= INT64_MAX - BigInt(nowMs);
    if (isTime) beginPause(engine.gate, nowMs + Number(timeoutMs), includesReads);
    writeOk(reply);
  }
}

function unpause({ engine, reply }: Call): void {
  endPauseEverywhere(engine);
  writeOk(reply);
}

function endPauseEverywhere({ gate, bus }: Engine): void {
  endPause(gate);
  // This thread's clients as well, but not in the middle of a command of one of them.
  void bus.requestAll(TOPIC_UNPAUSED, null);
}
