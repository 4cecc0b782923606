/**
 * The routes of the slow log of all threads. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import { readSlowLog, resetSlowLog } from '../commands/slow-log.ts';
import { ADMIN_ROWS_DEFAULT, ADMIN_ROWS_MAX } from '../config/limits.ts';
import { arraySchema, countSchema, INTEGER, objectSchema, TEXT } from './json-schema.ts';
import type { AdminSources } from './sources.ts';

export function routeSlowLog(app: FastifyInstance, { live }: AdminSources): void {
  if (live === undefined) return;
  const { engine } = live;
  const schema = {
    summary: 'The latest slow commands of all threads, the newest first',
    tags: ['live'],
    querystring: {
      type: 'object',
      properties: { count: countSchema(ADMIN_ROWS_MAX, ADMIN_ROWS_DEFAULT) },
    },
    response: {
      200: arraySchema(
        objectSchema({
          id: INTEGER,
          atMs: INTEGER,
          durationUs: INTEGER,
          arguments: arraySchema(TEXT, 'As far as SLOWLOG GET shows them.'),
          client: TEXT,
          clientName: TEXT,
        }),
      ),
    },
  };
  app.get<{ Querystring: { count: number } }>(
    '/v1/slowlog',
    { schema, config: { command: 'slowlog|get' } },
    ({ query }) => readSlowLog(engine, query.count),
  );
  const resetSchema = {
    summary: 'Forget the slow commands',
    tags: ['live'],
    response: { 204: { type: 'null', description: 'They are forgotten.' } },
  };
  app.post(
    '/v1/slowlog/reset',
    { schema: resetSchema, config: { command: 'slowlog|reset' } },
    async (_, reply) => {
      await resetSlowLog(engine);
      return reply.code(204).send();
    },
  );
}
