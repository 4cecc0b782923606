/**
 * Where the lines of the log end: pino on the main thread, as JSON or for eyes, to standard output or a file.
 *
 * Main thread only: workers load none of this.
 */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import { build as prettyStream } from 'pino-pretty';
import { StartError } from '../base/errors.ts';
import { type LogLevel, type LogSink, SEVERITY } from './log.ts';

/** Where main writes: `file` is a path or empty for standard output; `pretty` is for eyes, otherwise JSON lines. */
export type LogTarget = { readonly file: string; readonly pretty: boolean };

const STANDARD_OUTPUT = 1;

/** Main's sink. Lines are written before it returns. Throws a StartError where the file cannot be opened. */
export function openLogSink(target: LogTarget): LogSink {
  const stream = openStream(target);
  const logger = createPino(stream);
  return ({ level, text, fields, err }, fromThread) => {
    logger[level]({ thread: fromThread, ...fields, ...(err === undefined ? {} : { err }) }, text);
  };
}

function createPino(stream: DestinationStream): Logger<LogLevel> {
  return pino(
    {
      customLevels: SEVERITY,
      useOnlyCustomLevels: true,
      level: 'debug',
      timestamp: stdTimeFunctions.isoTime,
      base: { pid: process.pid },
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (err) => err },
    },
    stream,
  );
}

function openStream({ file, pretty }: LogTarget): DestinationStream {
  const stream = openDestination(file);
  // A reader that went away must not end a server.
  stream.on('error', () => undefined);
  if (!pretty) return stream;
  const colors = { debug: 'gray', verbose: 'blue', notice: 'green', warning: 'yellow', error: 'red' };
  return prettyStream({
    destination: stream,
    colorize: file === '' && process.stdout.isTTY === true,
    customLevels: SEVERITY,
    customColors: colors,
    useOnlyCustomProps: true,
    translateTime: 'SYS:yyyy-mm-dd HH:MM:ss.l',
    ignore: 'pid',
    singleLine: true,
    sync: true,
  });
}

function openDestination(file: string): ReturnType<typeof destination> {
  if (file === '') return destination({ dest: STANDARD_OUTPUT, sync: true });
  try {
    return destination({ dest: file, append: true, sync: true });
  } catch (error) {
    throw new StartError(`cannot open the log file '${file}': ${(error as Error).message}`, 1);
  }
}
