/** Tests of the table of metrics: the practice of Prometheus for names, types and units. */
import { expect, test } from 'vitest';
import { METRIC_GROUPS } from '../../src/admin/metric-groups.ts';
import { COMMAND_CALLS, COUNTER_METRICS } from '../../src/metrics/names.ts';

const metrics = METRIC_GROUPS.flatMap((group) => group.metrics);

test('every metric has a name, a field and an index of its own', () => {
  expect(new Set(metrics.map((metric) => metric.name)).size).toBe(metrics.length);
  expect(new Set(COUNTER_METRICS.map((metric) => metric.field)).size).toBe(COUNTER_METRICS.length);
  expect(new Set(COUNTER_METRICS.map((metric) => metric.index)).size).toBe(COUNTER_METRICS.length);
  for (const metric of COUNTER_METRICS) expect(metric.index).toBeLessThan(COMMAND_CALLS);
});

test.each(metrics)('$name follows the naming practice', ({ name, type, unit, help }) => {
  expect(name).toMatch(/^distcache_[a-z]+(_[a-z]+)*$/);
  expect(name.endsWith('_total')).toBe(type === 'counter');
  expect(/_(bytes|seconds|ratio)(_total)?$/.exec(name)?.[1] ?? '').toBe(unit);
  expect(help).toMatch(/^[A-Z].*\.$/);
});
