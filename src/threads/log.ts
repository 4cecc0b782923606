/**
 * The log: leveled lines of one text each. Main writes them (log-sink.ts); workers send theirs to main over the bus.
 *
 * A `Log` is what everybody writes to, on any thread; a sink is where its lines go. Whether a line is below `loglevel`
 * is decided by the thread that writes it, from its own copy of the configuration, so CONFIG SET acts at once.
 */
import type { Config } from '../config/config.ts';
import { MAIN_THREAD_ID } from './boot.ts';
import { type Bus, handleTopic, publishTo } from './bus.ts';

/** Redis' four levels, and errors: bugs and broken promises, which no `loglevel` hides. */
export const SEVERITY = { debug: 20, verbose: 25, notice: 30, warning: 40, error: 50 } as const;

export type LogLevel = keyof typeof SEVERITY;

export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Plain data, so that it travels between threads. */
export type LogLine = {
  readonly level: LogLevel;
  readonly text: string;
  readonly fields?: LogFields;
  readonly err?: { readonly type: string; readonly message: string; readonly stack: string };
};

export type LogSink = (line: LogLine, fromThread: number) => void;

export type Log = {
  debug(text: string, fields?: LogFields): void;
  verbose(text: string, fields?: LogFields): void;
  notice(text: string, fields?: LogFields): void;
  warning(text: string, fields?: LogFields): void;
  /** `error` is whatever was thrown. */
  error(text: string, error: unknown): void;
};

const TOPIC = 'log';

/** A log whose lines go to `sink` unless they are below `config.loglevel` at that moment. */
export function createLog(config: Config, threadId: number, sink: LogSink): Log {
  const write = (level: LogLevel, text: string, fields?: LogFields) => {
    if (SEVERITY[level] >= SEVERITY[config.loglevel]) sink({ level, text, fields }, threadId);
  };
  return {
    debug: (text, fields) => write('debug', text, fields),
    verbose: (text, fields) => write('verbose', text, fields),
    notice: (text, fields) => write('notice', text, fields),
    warning: (text, fields) => write('warning', text, fields),
    error: (text, error) => sink({ level: 'error', text, err: describeError(error) }, threadId),
  };
}

/** Lets the lines that workers send go where main's own go. */
export function receiveLog(bus: Bus, sink: LogSink): void {
  handleTopic<LogLine>(bus, TOPIC, (line, fromThread) => sink(line, fromThread));
}

/** A worker's sink. `busOf` because the bus itself reports its trouble to the log: neither can come first. */
export function sinkToMain(busOf: () => Bus): LogSink {
  return (line) => publishTo(busOf(), MAIN_THREAD_ID, TOPIC, line);
}

function describeError(error: unknown): { type: string; message: string; stack: string } {
  if (error instanceof Error) return { type: error.name, message: error.message, stack: error.stack ?? '' };
  return { type: typeof error, message: String(error), stack: '' };
}
