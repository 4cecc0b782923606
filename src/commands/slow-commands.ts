/**
 * What happens to a command that took long: it goes to the slow log and to the latency monitor of its thread.
 *
 * Runs on the thread of the command, only for commands that passed a threshold and for those that are answered later.
 */
import { spanText } from '../base/bytes.ts';
import { SLOW_LOG_ARGUMENT_BYTES_MAX, SLOW_LOG_ARGUMENTS_MAX } from '../config/limits.ts';
import { pushSlow } from '../metrics/slow-log.ts';
import type { Call, Command } from './call.ts';
import type { Engine } from './engine.ts';
import { noteLatency } from './latency-monitor.ts';
import { isSecretArgument, REDACTED } from './redaction.ts';
import type { Deferred, Session } from './session.ts';

const NS_PER_US = 1000;
const US_PER_MS = 1000;

/** Stands behind the arguments of a command whose own time nobody knows. */
const STRETCH_MARK = '... (mean of commands timed together)';

/**
 * Notes a command that was executed (not one that was refused) and took `durationNs`, while `call` still holds its arguments.
 * To be called where that is no less than `engine.slowThresholdNs`, and before the next command. A command that is answered
 * later is left out: it is noted when its reply comes, with all the time until then.
 *
 * `isAlone` says whether it was timed by itself. Where it is false, `durationNs` is the mean over the stretch of fast commands
 * that was timed as a whole, and `call` holds the last of them. Which of them was slow is not known, so that the last one is
 * logged, with the mean and a mark behind its arguments that says so; a stretch whose mean is below the threshold is not logged,
 * though one of its commands may have been above.
 */
export function noteTimed(call: Call, durationNs: number, isAlone: boolean): void {
  if (call.isDeferred) return;
  const { engine, command, session } = call;
  const durationUs = Math.floor(durationNs / NS_PER_US);
  noteCommandLatency(engine, command, durationUs);
  if (!isLogged(engine, durationUs) || isNeverLogged(command)) return;
  const shown = loggedArguments(call);
  if (!isAlone) shown.push(STRETCH_MARK);
  logSlow(engine, session, shown, durationUs);
}

/**
 * The same for a command whose reply comes later: notes it when `deferred` is resumed. What other commands did meanwhile on
 * this thread counts too: the client has waited for it.
 */
export function timeDeferred(call: Call, deferred: Deferred): Deferred {
  const { engine, command, session } = call;
  const { config, shards } = engine;
  if (config.slowlogLogSlowerThan < 0 && config.latencyMonitorThreshold === 0) return deferred;
  const { clock } = shards[0];
  const startedMs = clock.monotonicMs();
  const shown = loggedArguments(call);
  return {
    resume: (write) => {
      const durationUs = Math.floor((clock.monotonicMs() - startedMs) * US_PER_MS);
      noteCommandLatency(engine, command, durationUs);
      if (isLogged(engine, durationUs) && !isNeverLogged(command))
        logSlow(engine, session, shown, durationUs);
      deferred.resume(write);
    },
  };
}

function noteCommandLatency(engine: Engine, { spec }: Command, durationUs: number): void {
  const event = spec.flags.includes('fast') ? 'fast-command' : 'command';
  noteLatency(engine, event, durationUs / US_PER_MS);
}

function isLogged({ config }: Engine, durationUs: number): boolean {
  return config.slowlogLogSlowerThan >= 0 && durationUs >= config.slowlogLogSlowerThan;
}

/** EXEC, whose commands are logged themselves. */
function isNeverLogged({ spec }: Command): boolean {
  return spec.flags.includes('skip_slowlog');
}

function logSlow(engine: Engine, session: Session, shown: readonly string[], durationUs: number): void {
  const { address: client, name: clientName } = session;
  const entry = { atMs: engine.wallMs(), durationUs, arguments: shown, client, clientName };
  pushSlow(engine.slowLog, entry, engine.config.slowlogMaxLen);
}

/** As redis-server shows them: the first 31 of more than 32, the first 128 bytes of longer ones, and how much that leaves out. */
function loggedArguments(call: Call): string[] {
  const { count } = call;
  const shownCount = count > SLOW_LOG_ARGUMENTS_MAX ? SLOW_LOG_ARGUMENTS_MAX - 1 : count;
  const shown: string[] = [];
  for (let index = 0; index < shownCount; index += 1) {
    shown.push(isSecretArgument(call, index) ? REDACTED : loggedArgument(call, index));
  }
  if (shownCount < count) shown.push(`... (${count - shownCount} more arguments)`);
  return shown;
}

function loggedArgument({ input, spans }: Call, index: number): string {
  const start = spans[2 * index];
  const end = spans[2 * index + 1];
  const moreBytes = end - start - SLOW_LOG_ARGUMENT_BYTES_MAX;
  if (moreBytes <= 0) return spanText(input, start, end);
  return `${spanText(input, start, end - moreBytes)}... (${moreBytes} more bytes)`;
}
