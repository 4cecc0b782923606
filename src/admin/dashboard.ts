/**
 * The page at `/` and what it is made of, under `/assets`: files as they lie in the folder dashboard, and the chart library
 * from its package. The page gets its numbers from the routes under /v1.
 *
 * Main thread. The page may load from this server and from nowhere else, and runs no script or style that stands in it.
 * Browsers keep the files, and ask each time whether theirs is still the right one (ETag).
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fastifyStatic } from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { PLACES } from '../base/places.ts';

const CHARTS_FOLDER = dirname(fileURLToPath(import.meta.resolve('uplot')));

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** By the name under /assets: where the package has the file. */
const CHART_FILES = { 'uplot.js': 'uPlot.iife.min.js', 'uplot.css': 'uPlot.min.css' };

export function routeDashboard(app: FastifyInstance): void {
  void app.register(fastifyStatic, {
    root: PLACES.dashboard,
    prefix: '/assets/',
    index: false,
    cacheControl: false,
    setHeaders: (reply) => void reply.header('cache-control', 'no-cache'),
  });
  // Pages are for people, not for the description of the interface.
  const schema = { hide: true };
  const config = { contentSecurityPolicy: CONTENT_SECURITY_POLICY };
  app.get('/', { config, schema }, (_, reply) => reply.sendFile('index.html'));
  for (const [name, file] of Object.entries(CHART_FILES)) {
    app.get(`/assets/${name}`, { schema }, (_, reply) => reply.sendFile(file, CHARTS_FOLDER));
  }
}
