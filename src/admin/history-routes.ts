/**
 * The route of the last fifteen minutes. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import { HISTORY_SAMPLE_MS } from '../config/limits.ts';
import { readHistory } from './history.ts';
import { arraySchema, INTEGER, objectSchema } from './json-schema.ts';
import { SAMPLE_SCHEMA } from './live-schema.ts';
import type { AdminSources } from './sources.ts';

export function routeHistory(app: FastifyInstance, { live }: AdminSources): void {
  if (live === undefined) return;
  const schema = {
    summary: 'The last fifteen minutes, a sample for each second, the oldest first',
    tags: ['live'],
    response: { 200: objectSchema({ intervalMs: INTEGER, samples: arraySchema(SAMPLE_SCHEMA) }) },
  };
  app.get('/v1/history', { schema, config: { command: 'info' } }, (_, reply) => {
    const samples = readHistory(live.history, live.now());
    // As a text, since writing so many numbers by the schema takes several times as long.
    const text = JSON.stringify({ intervalMs: HISTORY_SAMPLE_MS, samples });
    return reply.type('application/json; charset=utf-8').send(text);
  });
}
