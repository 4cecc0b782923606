/**
 * The routes of the numbers, for scrapers and scripts: a reading is taken per request. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import { CONTENT_TYPES, chooseDialect, createPage, type Dialect, finishPage } from './exposition.ts';
import { writeMissRatio, writeNativeMetrics } from './native-metrics.ts';
import { writeRedisMetrics } from './redis-metrics.ts';
import type { AdminSources } from './sources.ts';

const METRICS_SCHEMA = {
  tags: ['metrics'],
  summary: 'The numbers for Prometheus',
  description: 'In the text format of Prometheus, or in OpenMetrics where the request accepts that.',
};
const READING_SCHEMA = {
  tags: ['metrics'],
  summary: 'The numbers as JSON',
  description: 'The reading that /metrics is written from, and the miss-ratio curve.',
};

export function routeMetrics(app: FastifyInstance, sources: AdminSources): void {
  app.get('/metrics', { schema: METRICS_SCHEMA }, (request, reply) => {
    const dialect = chooseDialect(request.headers.accept);
    return reply.type(CONTENT_TYPES[dialect]).header('vary', 'accept').send(metricsPage(sources, dialect));
  });
  app.get('/metrics.json', { schema: READING_SCHEMA }, (_, reply) =>
    reply.send({ ...sources.reading(), missRatio: sources.missRatio?.() ?? null }),
  );
}

/** Both sets of names from one reading, so that they agree. */
function metricsPage({ reading, redisInfo, missRatio }: AdminSources, dialect: Dialect): string {
  const page = createPage(dialect);
  const redis = redisInfo?.();
  writeNativeMetrics(page, redis?.reading ?? reading());
  const curve = missRatio?.();
  if (curve !== undefined) writeMissRatio(page, curve);
  if (redis !== undefined) writeRedisMetrics(page, redis);
  return finishPage(page);
}
