/** Tests of the dashboard for Grafana: it asks only for metrics that there are, in expressions that Prometheus takes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { METRIC_GROUPS } from '../src/admin/metric-groups.ts';
import { describeWithTools, runTool } from './support/tools.ts';

type Place = { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
type Panel = {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: Place;
  readonly datasource: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
};

const GRID_COLUMNS = 24;
const FILE = new URL('../docs/grafana/distcache.json', import.meta.url);

const dashboard = JSON.parse(readFileSync(FILE, 'utf8'));
const panels: readonly Panel[] = dashboard.panels;
const charts = panels.filter(({ type }) => type !== 'row');
const targets = charts.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })));

/** The names of the series that the tables bring about, with their labels. */
const labelsOfSeries = new Map(
  METRIC_GROUPS.flatMap(({ labels, metrics }) =>
    metrics.flatMap(({ name, type }) => {
      if (type === 'histogram') return ['_bucket', '_sum', '_count'].map((suffix) => [name + suffix, labels]);
      const suffixes = type === 'summary' ? ['', '_sum', '_count'] : [''];
      return suffixes.map((suffix) => [name + suffix, labels]);
    }),
  ) as [string, readonly string[]][],
);

function seriesOf(expr: string): string[] {
  return [...expr.matchAll(/\bdistcache_[a-z_]+/g)].map(([name]) => name);
}

describe('the dashboard for Grafana', () => {
  it.each(targets)('asks in "$title" for series that there are: $expr', ({ expr }) => {
    expect(seriesOf(expr).filter((name) => !labelsOfSeries.has(name))).toEqual([]);
    expect(expr).toContain('instance=~"$instance"');
  });

  it.each(targets.filter(({ expr }) => /\bby \(/.test(expr)))(
    'sums up "$title" by labels that there are',
    ({ expr }) => {
      for (const [, list] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
        for (const label of list.split(/, */).filter((name) => name !== 'le')) {
          for (const name of seriesOf(expr)) expect(labelsOfSeries.get(name), name).toContain(label);
          expect(targets.find((target) => target.expr === expr)?.legendFormat).toContain(`{{${label}}}`);
        }
      }
    },
  );

  it('shows most of what there is', () => {
    const shown = new Set(targets.flatMap(({ expr }) => seriesOf(expr)));
    const families = METRIC_GROUPS.flatMap(({ metrics }) => metrics);
    const seen = families.filter(({ name }) => shown.has(name) || shown.has(`${name}_bucket`));
    expect(seen.length / families.length).toBeGreaterThan(0.7);
  });

  it('lets one choose the source and the instances', () => {
    const variables = dashboard.templating.list.map(({ name, type }: Record<string, string>) => [name, type]);
    expect(variables).toEqual([
      ['datasource', 'datasource'],
      ['instance', 'query'],
    ]);
    for (const { datasource } of charts) expect(datasource.uid).toMatch(/^\$\{datasource\}$/);
  });

  it('has every panel in a place of its own', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(GRID_COLUMNS);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.has(`${x},${y}`), title).toBe(false);
          taken.add(`${x},${y}`);
        }
      }
    }
  });
});

describeWithTools('promtool', ['promtool'], () => {
  it('takes every expression', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'distcache-rules-'));
    const rules = targets.map(({ expr }, index) => ({
      record: `expression:${index}`,
      expr: expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '1m'),
    }));
    const path = join(folder, 'rules.yml');
    // JSON is YAML too.
    writeFileSync(path, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    const { code, stdout, stderr } = await runTool('promtool', ['check', 'rules', path]);
    rmSync(folder, { recursive: true });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`${rules.length} rules found`);
  });
});
