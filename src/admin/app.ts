/**
 * The HTTP side of the server: Fastify on the main thread. This file owns what all routes have in common: who may ask, the
 * headers of every answer, how errors look. The routes are one function per file; they own no numbers.
 *
 * A route that is open to everybody says `config: { isOpen: true }`, a page that needs more than nothing says
 * `config: { contentSecurityPolicy }`. Every other route, and the answer that a page does not exist, needs a user
 * when the default one has a password; one that says `config: { command }`, a user that may run that command. Errors are problem details (RFC 9457).
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type FastifyError, type FastifyInstance, fastify, LogController } from 'fastify';
import { StartError } from '../base/errors.ts';
import { defaultUser } from '../commands/acl-access.ts';
import { DEFAULT_USER, type User } from '../commands/acl-user.ts';
import {
  ADMIN_CONNECTIONS_MAX,
  ADMIN_REQUEST_MS_MAX,
  HTTP_HEADER_BYTES_MAX,
  HTTP_WAITING_REQUESTS_MAX,
} from '../config/limits.ts';
import { routeBigKeys } from './big-keys-routes.ts';
import { answerClientError } from './client-error.ts';
import { routeClients } from './clients-routes.ts';
import { routeCluster } from './cluster-routes.ts';
import { routeConfig } from './config-routes.ts';
import { routeDashboard } from './dashboard.ts';
import { admitRequest, pageRefusal, SECURITY_HEADERS } from './guard.ts';
import { routeHealth } from './health-routes.ts';
import { routeHistory } from './history-routes.ts';
import { isKeyRequest, type KeyDoor, serveKey } from './key-door.ts';
import { routedUrl } from './key-name.ts';
import { routeKeys } from './key-routes.ts';
import { routeLive } from './live.ts';
import { routeMetrics } from './metrics-routes.ts';
import { describeRoutes, routeDocs } from './openapi.ts';
import { routePipeline } from './pipeline-routes.ts';
import { sendProblem } from './problem.ts';
import { routeRing } from './ring-routes.ts';
import { routeHotKeys, routeMissRatio } from './sampling-routes.ts';
import { routeSlowLog } from './slow-log-routes.ts';
import type { AdminSources, CreateServer } from './sources.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route answers without the password. */
    isOpen?: boolean;
    /** The command that the page stands for, by its full name: only users that may run it see the page. */
    command?: string;
    /** What the page may load, in place of nothing. */
    contentSecurityPolicy?: string;
  }
  interface FastifyRequest {
    /** Who asks, by name; the default user where the route is open. */
    user: string;
  }
}

/** `node:net` is for the threads that serve RESP. */
type Socket = IncomingMessage['socket'];

const START_FAILED = 1;

/** The app with all its routes, not listening. Closing it cuts its connections, so that a slow client cannot hold a stop. */
export function createAdminApp(sources: AdminSources): FastifyInstance {
  const door = createKeyDoor(sources);
  const app = fastify({
    ...(sources.logger ? { loggerInstance: sources.logger } : {}),
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, _, reply) => {
      sendProblem(reply.headers(SECURITY_HEADERS), error.statusCode ?? 400, error.message);
    },
    forceCloseConnections: true,
    clientErrorHandler: answerClientError,
    rewriteUrl: ({ url = '' }) => routedUrl(url),
    serverFactory: (handler) => createAppServer(door, handler, sources.createServer ?? createServer),
    // What a route does not know is refused, not left out.
    ajv: { customOptions: { removeAdditional: false } },
  });
  app.server.maxConnections = ADMIN_CONNECTIONS_MAX;
  // JSON says that it is JSON: a form of another site's page cannot.
  app.removeContentTypeParser('text/plain');
  guardRequests(app, sources);
  answerErrors(app);
  describeRoutes(app);
  // In a scope of its own, which Fastify enters when the plugins that were registered before are there.
  void app.register(async (scope) => addRoutes(scope, sources, door));
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

function addRoutes(app: FastifyInstance, sources: AdminSources, door: KeyDoor | undefined): void {
  routeHealth(app, sources);
  routeMetrics(app, sources);
  routeDashboard(app);
  routeLive(app, sources);
  routeHistory(app, sources);
  routeSlowLog(app, sources);
  routeHotKeys(app, sources);
  routeMissRatio(app, sources);
  routeBigKeys(app, sources);
  routeClients(app, sources);
  routeConfig(app, sources);
  routeRing(app, sources);
  routeCluster(app, sources);
  if (door !== undefined) routeKeys(app, door);
  routePipeline(app, sources);
  routeDocs(app);
}

function guardRequests(app: FastifyInstance, sources: AdminSources): void {
  app.decorateRequest('user', DEFAULT_USER);
  app.addHook('onRequest', (request, reply, done) => {
    const { isOpen, command, contentSecurityPolicy } = request.routeOptions.config;
    reply.headers(SECURITY_HEADERS);
    if (contentSecurityPolicy !== undefined) reply.header('content-security-policy', contentSecurityPolicy);
    const admitted = isOpen ? defaultUser(sources.access) : admitRequest(sources, request.raw);
    const refusal = 'status' in admitted ? admitted : isOpen ? undefined : pageRefusal(admitted, command);
    if (refusal === undefined) {
      request.user = (admitted as User).name;
      done();
      return;
    }
    if (refusal.challenge !== '') reply.header('www-authenticate', refusal.challenge);
    sendProblem(reply, refusal.status, refusal.detail);
  });
}

/** Keys are answered at once, everything else by the app. */
function createAppServer(door: KeyDoor | undefined, handler: RequestListener, create: CreateServer): Server {
  const options = { maxHeaderSize: HTTP_HEADER_BYTES_MAX, requestTimeout: ADMIN_REQUEST_MS_MAX };
  const waiting = new WeakMap<Socket, number>();
  return create(options, (request, response) => {
    const answer = () => {
      if (door !== undefined && isKeyRequest(request)) serveKey(door, request, response);
      else handler(request, response);
    };
    // Behind others of its connection: those are done with first, since it may ask about what they change.
    if (response.socket === null) waitForTurn(waiting, request.socket, response, answer);
    else answer();
  });
}

/**
 * Node reads on while requests wait, since their answers are not there yet to be in its way: so who sends ever more of them
 * behind one that takes its time, or answers that are not read, is cut off.
 */
function waitForTurn(
  waiting: WeakMap<Socket, number>,
  socket: Socket,
  response: ServerResponse,
  answer: () => void,
): void {
  const count = (waiting.get(socket) ?? 0) + 1;
  waiting.set(socket, count);
  if (count > HTTP_WAITING_REQUESTS_MAX) {
    socket.destroy();
    return;
  }
  response.once('socket', () => {
    waiting.set(socket, (waiting.get(socket) ?? 0) - 1);
    answer();
  });
}

function createKeyDoor(sources: AdminSources): KeyDoor | undefined {
  const { commands, logger } = sources;
  if (commands === undefined) return undefined;
  return {
    commands,
    admit: (request) => admitRequest(sources, request),
    onBug: (error) => logger?.error(error),
  };
}

function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, 404, `no ${request.method} ${request.originalUrl} here`),
  );
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return sendProblem(reply, status, error.message);
    request.log.error(error);
    return sendProblem(reply, 500, 'the log of the server has the reason');
  });
}

function listenTrouble(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return 'the port is in use';
  if (code === 'EACCES') return 'this user may not use the port';
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return 'this machine does not have the address';
  return message;
}
