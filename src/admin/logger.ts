/**
 * The server's log in the shape in which Fastify writes to one. Fastify's own information (it listens on ...) is told at
 * the level `verbose`. Main thread.
 */
import type { FastifyBaseLogger } from 'fastify';
import type { Log } from '../threads/log.ts';

/** Fastify passes a text, an error, or a record with the error as `err`, with or without a text behind. */
export function adminLogger(log: Log): FastifyBaseLogger {
  const fail = (subject: unknown, text?: unknown) => {
    const error = (subject as { err?: unknown } | null)?.err ?? subject;
    log.error(typeof text === 'string' ? text : 'an HTTP request failed', error);
  };
  const logger = {
    level: 'info',
    fatal: fail,
    error: fail,
    warn: (subject: unknown, text?: unknown) => log.warning(textOf(subject, text)),
    info: (subject: unknown, text?: unknown) => log.verbose(textOf(subject, text)),
    debug: (subject: unknown, text?: unknown) => log.debug(textOf(subject, text)),
    trace: () => undefined,
    silent: () => undefined,
    child: () => logger,
  };
  return logger as FastifyBaseLogger;
}

function textOf(subject: unknown, text: unknown): string {
  if (typeof text === 'string') return text;
  return typeof subject === 'string' ? subject : 'HTTP';
}
