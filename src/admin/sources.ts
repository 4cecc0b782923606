/**
 * What the routes of the HTTP app are made from: functions that answer for the server, asked anew for every request.
 *
 * Main thread; server.ts gives them.
 */
import type { RequestListener, Server, ServerOptions } from 'node:http';
import type { FastifyBaseLogger } from 'fastify';
import type { AclAccess } from '../commands/acl-access.ts';
import type { InfoSources } from '../commands/info-sources.ts';
import type { MissRatioReading } from '../metrics/miss-ratio.ts';
import type { Reading } from '../metrics/reading.ts';
import type { CommandRunner } from './command-runner.ts';
import type { LiveSources } from './live-sources.ts';

/** Whether traffic should come here, and the checks that decided it. */
export type Readiness = { ready: boolean; checks: readonly ReadinessCheck[] };

/** `reason` is what is wrong if it is not well, `detail` how it stands if it is. */
export type ReadinessCheck = { name: string; ok: boolean; reason?: string; detail?: string };

/** What guards against others than the owner while no password is set: asked per request, as the password is. */
type Exposure = {
  /** Whether only this machine may come (`protected-mode`). */
  isProtected: () => boolean;
  /** The names under which browsers may come besides this machine's own (`http-hosts`). */
  hosts: () => readonly string[];
  /** The machine's. */
  hostname: string;
};

/** `access` is looked at per request, so that changes of users act at once. */
export type AdminSources = {
  reading: () => Reading;
  readiness: () => Readiness;
  access: AclAccess;
  /** Where there is an engine behind the app. */
  live?: LiveSources;
  /** What /metrics tells under the names of Redis; undefined where `metrics-redis-compat` says no. */
  redisInfo?: () => InfoSources | undefined;
  /** Undefined before anything was sampled. */
  missRatio?: () => MissRatioReading | undefined;
  /** Executes commands, where there is an engine behind the app. */
  commands?: CommandRunner;
  /** Who may come from where; without it, whoever reaches the port. */
  exposure?: Exposure;
  logger?: FastifyBaseLogger;
  /** Makes the server of the app; without it, Node's of plain HTTP. */
  createServer?: CreateServer;
};

/** A server of HTTPS is as good as one of HTTP. */
export type CreateServer = (options: ServerOptions, handler: RequestListener) => Server;
