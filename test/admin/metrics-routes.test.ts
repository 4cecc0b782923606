/** Tests of the routes of the numbers: formats, both sets of names from one reading, and the JSON document. */
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { createAdminApp } from '../../src/admin/app.ts';
import type { AdminSources } from '../../src/admin/sources.ts';
import { gatherInfo } from '../../src/commands/info-sources.ts';
import { takeReading } from '../../src/metrics/reading.ts';
import { accessWith } from '../support/access.ts';
import { createHarness } from '../support/harness.ts';
import { parseOpenMetrics, parsePrometheusText } from '../support/prometheus-parser.ts';
import { sampleMissRatio, sampleSources } from '../support/sample-reading.ts';

const OPEN_METRICS = { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' };

const apps: FastifyInstance[] = [];

function appOf(sources: Partial<AdminSources> = {}): FastifyInstance {
  const app = createAdminApp({
    reading: () => takeReading(sampleSources()),
    readiness: () => ({ ready: true, checks: [] }),
    access: accessWith(),
    ...sources,
  });
  apps.push(app);
  return app;
}

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

describe('/metrics', () => {
  test('is Prometheus text for those who say nothing', async () => {
    const { headers, body } = await appOf().inject('/metrics');
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(headers.vary).toBe('accept');
    expect(parsePrometheusText(body).has('distcache_build_info')).toBe(true);
  });

  test('is OpenMetrics for those who prefer it, with the same families', async () => {
    const app = appOf({ missRatio: sampleMissRatio });
    const { headers, body } = await app.inject({ url: '/metrics', headers: OPEN_METRICS });
    expect(headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    const text = parsePrometheusText((await app.inject('/metrics')).body);
    expect([...parseOpenMetrics(body).keys()]).toEqual(
      [...text.values()].map(({ name, type }) => (type === 'counter' ? name.replace(/_total$/, '') : name)),
    );
  });

  test('has the names of Redis where that is wanted, from the same reading', async () => {
    const { engine, run } = createHarness();
    run('SET', 'key', 'value');
    let isWanted = false;
    const app = appOf({ redisInfo: () => (isWanted ? gatherInfo(engine) : undefined) });
    expect((await app.inject('/metrics')).body).not.toContain('redis_');
    isWanted = true;
    const page = parsePrometheusText((await app.inject('/metrics')).body);
    const keys = (name: string) => page.get(name)?.samples.reduce((sum, { value }) => sum + value, 0);
    expect([keys('redis_db_keys'), keys('distcache_database_keys')]).toEqual([1, 1]);
    parseOpenMetrics((await app.inject({ url: '/metrics', headers: OPEN_METRICS })).body);
  });

  test('has the predictions of the hit ratio where there are any', async () => {
    expect((await appOf().inject('/metrics')).body).not.toContain('predicted');
    const page = parsePrometheusText((await appOf({ missRatio: sampleMissRatio }).inject('/metrics')).body);
    expect(page.has('distcache_predicted_hit_ratio')).toBe(true);
  });
});

describe('/metrics.json', () => {
  test('is the reading, and the predictions of the hit ratio', async () => {
    const response = await appOf({ missRatio: sampleMissRatio }).inject('/metrics.json');
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(response.json()).toEqual({ ...takeReading(sampleSources()), missRatio: sampleMissRatio() });
  });

  test('has null where nothing is known of the hit ratio yet', async () => {
    expect((await appOf().inject('/metrics.json')).json().missRatio).toBeNull();
  });

  test('needs the password, as /metrics does', async () => {
    const app = appOf({ access: accessWith('secret') });
    expect((await app.inject('/metrics.json')).statusCode).toBe(401);
  });
});
