/**
 * The HTTP side of the server: metrics for Prometheus, health for whoever supervises the process, and a status page.
 * Fastify on the main thread; it owns no numbers, it asks for a reading per request.
 *
 * Health is open to everybody; every other page, and the answer that a page does not exist, needs the password when one
 * is set. Errors are problem details (RFC 9457).
 */
import { STATUS_CODES } from 'node:http';
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  fastify,
  LogController,
} from 'fastify';
import { StartError } from '../base/errors.ts';
import { ADMIN_CONNECTIONS_MAX, ADMIN_REQUEST_MS_MAX } from '../config/limits.ts';
import type { Reading } from '../metrics/reading.ts';
import { ACCESS_CHALLENGE, accessAllowed } from './access.ts';
import { PROMETHEUS_CONTENT_TYPE, prometheusText } from './prometheus.ts';
import { statusPage } from './status-page.ts';

/** Whether traffic should come here, and the checks that decided it. */
export type Readiness = { ready: boolean; checks: readonly ReadinessCheck[] };

type ReadinessCheck = { name: string; ok: boolean; reason?: string };

/** What the pages are made from. `password` is asked per request, so that CONFIG SET requirepass works; '' is none. */
export type AdminSources = {
  reading: () => Reading;
  readiness: () => Readiness;
  password: () => string;
  logger?: FastifyBaseLogger;
};

const START_FAILED = 1;
const OPEN_PATHS: ReadonlySet<string> = new Set(['/livez', '/readyz', '/healthz']);
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** The app with all its routes, not listening. Closing it cuts its connections, so that a slow client cannot hold a stop. */
export function createAdminApp(sources: AdminSources): FastifyInstance {
  const app = fastify({
    ...(sources.logger ? { loggerInstance: sources.logger } : {}),
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, _, reply) => {
      sendProblem(reply.headers(SECURITY_HEADERS), error.statusCode ?? 400, error.message);
    },
    forceCloseConnections: true,
    requestTimeout: ADMIN_REQUEST_MS_MAX,
  });
  app.server.maxConnections = ADMIN_CONNECTIONS_MAX;
  guardRequests(app, sources.password);
  answerErrors(app);
  routeHealth(app, sources);
  app.get('/metrics', (_, reply) =>
    reply.type(PROMETHEUS_CONTENT_TYPE).send(prometheusText(sources.reading())),
  );
  app.get('/', (_, reply) => reply.type('text/html; charset=utf-8').send(statusPage(sources.reading())));
  return app;
}

/**
 * Listens, and resolves to the port (the one the kernel chose for port 0).
 * Rejects with a StartError of one line when the address cannot be had.
 */
export async function listenAdmin(app: FastifyInstance, host: string, port: number): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw new StartError(`cannot serve HTTP on ${host}:${port}: ${listenTrouble(error)}`, START_FAILED);
  }
  const [address] = app.addresses();
  return typeof address === 'object' ? address.port : port;
}

function guardRequests(app: FastifyInstance, password: () => string): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    if (OPEN_PATHS.has(request.routeOptions.url ?? '')) return;
    if (accessAllowed(request.headers.authorization, password())) return;
    reply.header('www-authenticate', ACCESS_CHALLENGE);
    return sendProblem(reply, 401, 'the password of requirepass is needed');
  });
}

function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, 404, `no ${request.method} ${request.url} here`),
  );
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return sendProblem(reply, status, error.message);
    request.log.error(error);
    return sendProblem(reply, 500, 'the log of the server has the reason');
  });
}

function routeHealth(app: FastifyInstance, { readiness, password }: AdminSources): void {
  app.get('/livez', (_, reply) => reply.type('text/plain; charset=utf-8').send('ok\n'));
  for (const path of ['/readyz', '/healthz']) {
    app.get<{ Querystring: { verbose?: string } }>(path, (request, reply) => {
      const state = readiness();
      const verbose = request.query.verbose !== undefined;
      const withReasons = accessAllowed(request.headers.authorization, password());
      reply.code(state.ready ? 200 : 503).type('text/plain; charset=utf-8');
      return reply.send(
        `${verbose ? checkLines(state, withReasons) : ''}${state.ready ? 'ok' : 'not ready'}\n`,
      );
    });
  }
}

/** One line per check. Reasons may name files and peers, so they are for those who may see the other pages. */
function checkLines({ checks }: Readiness, withReasons: boolean): string {
  const lines = checks.map(({ name, ok, reason }) => {
    if (ok) return `[+] ${name}: ok\n`;
    return `[-] ${name}: ${withReasons ? (reason ?? 'failed') : 'failed (the reason needs the password)'}\n`;
  });
  return lines.join('');
}

function sendProblem(reply: FastifyReply, status: number, detail: string): FastifyReply {
  const problem = { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail };
  return reply.code(status).type('application/problem+json; charset=utf-8').send(JSON.stringify(problem));
}

function listenTrouble(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return 'the port is in use';
  if (code === 'EACCES') return 'this user may not use the port';
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return 'this machine does not have the address';
  return message;
}
