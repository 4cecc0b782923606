/**
 * The description of the routes in OpenAPI 3.1, made from their schemas: /docs for people, /docs/json for tools. Main thread.
 */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { VERSION } from '../base/version.ts';

/** In a route's schema, a description of the body that is told in place of `body`, which Fastify would check. */
export const TOLD_BODY = 'x-told-body';

/** What Swagger UI needs: its own files, pictures in them, the one style sheet that it makes itself, and to ask this server. */
const DOCS_CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'DistCache',
    version: VERSION,
    description:
      'Health, numbers and keys of a running server. With `requirepass` set, everything but health wants the password: as a bearer token, or as HTTP Basic with the user `default`. Other users send `name:password` as either; pages want a user that may run the command they stand for.',
  },
  tags: [
    { name: 'keys', description: 'Keys and commands, executed in place on shared memory.' },
    { name: 'health', description: 'For whoever supervises the process.' },
    { name: 'metrics', description: 'The numbers.' },
    { name: 'live', description: 'What the dashboard shows, and does.' },
  ],
  components: {
    securitySchemes: {
      bearer: { type: 'http' as const, scheme: 'bearer' },
      basic: { type: 'http' as const, scheme: 'basic' },
    },
  },
  security: [{ bearer: [] }, { basic: [] }] as Record<string, string[]>[],
};

/** To be registered before the routes, which it watches. */
export function describeRoutes(app: FastifyInstance): void {
  void app.register(swagger, {
    openapi: DOCUMENT,
    transform: ({ schema, url }) => ({ schema: toldSchema(schema), url }),
  });
}

/** The pages at /docs, served from this process. */
export function routeDocs(app: FastifyInstance): void {
  void app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_CONTENT_SECURITY_POLICY,
    uiConfig: { deepLinking: true, displayRequestDuration: true },
    theme: { title: 'DistCache API' },
  });
}

function toldSchema(schema: FastifySchema = {}): FastifySchema {
  const { [TOLD_BODY]: body, ...told } = schema as FastifySchema & { [TOLD_BODY]?: unknown };
  return body === undefined ? told : { ...told, body };
}
