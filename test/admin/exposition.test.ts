/**
 * Tests of the text formats of metrics, read back by strict parsers; of the choice between them; and of those parsers, on
 * pages that are wrong.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chooseDialect,
  createBounds,
  createPage,
  type Dialect,
  finishPage,
  labelText,
  type Page,
  writeFamily,
  writeHistograms,
  writeNumber,
  writeSummaries,
} from '../../src/admin/exposition.ts';
import { createHistogram, readHistogram, recordValue } from '../../src/metrics/histogram.ts';
import type { Metric } from '../../src/metrics/names.ts';
import { parseOpenMetrics, parsePrometheusText } from '../support/prometheus-parser.ts';

const PROMETHEUS_2 =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,' +
  'text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
const PROMETHEUS_3_TEXT = 'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1';

const COUNTER: Metric = { name: 'a_read_bytes_total', type: 'counter', unit: 'bytes', help: 'Some "bytes".' };
const GAUGE: Metric = { name: 'a_share', type: 'gauge', unit: '', help: 'A share.' };
const HISTOGRAM: Metric = { name: 'a_wait_seconds', type: 'histogram', unit: 'seconds', help: 'Waits.' };
const SUMMARY: Metric = { name: 'a_hold_seconds', type: 'summary', unit: 'seconds', help: 'Holds.' };
const BOUNDS = createBounds(8, 16, 4, 1e9);

function histogramOf(...values: number[]) {
  const histogram = createHistogram();
  for (const value of values) recordValue(histogram, value);
  return readHistogram(histogram);
}

function written(dialect: Dialect, write: (page: Page) => void): string {
  const page = createPage(dialect);
  write(page);
  return finishPage(page);
}

function writeAll(page: Page): void {
  const labels = [labelText({ shard: '0' }), labelText({ shard: '1' })];
  writeFamily(page, COUNTER, [5, 7], labels, Number);
  writeNumber(page, GAUGE, 0.5);
  writeHistograms(page, HISTOGRAM, [histogramOf(100, 5000), histogramOf()], labels, BOUNDS);
  writeSummaries(page, SUMMARY, [histogramOf(1000, 2000)], [''], 1e-9);
}

describe('the choice of a format', () => {
  test.each([
    [PROMETHEUS_2, 'open-metrics'],
    [PROMETHEUS_3_TEXT, 'text'],
    ['application/openmetrics-text; version=1.0.0; charset=utf-8', 'open-metrics'],
    ['application/openmetrics-text', 'open-metrics'],
    ['APPLICATION/OpenMetrics-Text;VERSION=1.0.0', 'open-metrics'],
    ['application/openmetrics-text;version=2.0.0', 'text'],
    ['application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=1.0.0', 'open-metrics'],
    ['application/openmetrics-text;q=0', 'text'],
    ['application/openmetrics-text;q=0.2,text/plain;q=0.3', 'text'],
    ['application/openmetrics-text;q=0.3,text/plain;q=0.2', 'open-metrics'],
    ['text/plain,application/openmetrics-text', 'text'],
    ['application/openmetrics-text;q=x', 'text'],
    ['application/json', 'text'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'text'],
    ['', 'text'],
    [undefined, 'text'],
  ])('for %j is %s', (accept, dialect) => {
    expect(chooseDialect(accept)).toBe(dialect);
  });

  test('never fails', () => {
    fc.assert(fc.property(fc.string(), (accept) => ['text', 'open-metrics'].includes(chooseDialect(accept))));
  });
});

describe('the Prometheus text', () => {
  test('has HELP, TYPE and the samples of each family', () => {
    expect(written('text', writeAll)).toBe(`# HELP a_read_bytes_total Some "bytes".
# TYPE a_read_bytes_total counter
a_read_bytes_total{shard="0"} 5
a_read_bytes_total{shard="1"} 7
# HELP a_share A share.
# TYPE a_share gauge
a_share 0.5
# HELP a_wait_seconds Waits.
# TYPE a_wait_seconds histogram
a_wait_seconds_bucket{shard="0",le="2.56e-7"} 1
a_wait_seconds_bucket{shard="0",le="0.000004096"} 1
a_wait_seconds_bucket{shard="0",le="0.000065536"} 2
a_wait_seconds_bucket{shard="0",le="+Inf"} 2
a_wait_seconds_sum{shard="0"} 0.0000051
a_wait_seconds_count{shard="0"} 2
a_wait_seconds_bucket{shard="1",le="2.56e-7"} 0
a_wait_seconds_bucket{shard="1",le="0.000004096"} 0
a_wait_seconds_bucket{shard="1",le="0.000065536"} 0
a_wait_seconds_bucket{shard="1",le="+Inf"} 0
a_wait_seconds_sum{shard="1"} 0
a_wait_seconds_count{shard="1"} 0
# HELP a_hold_seconds Holds.
# TYPE a_hold_seconds summary
a_hold_seconds_sum 0.000003
a_hold_seconds_count 2
`);
    parsePrometheusText(written('text', writeAll));
  });

  test('has no family where there are no items', () => {
    const page = written('text', (page) => {
      writeFamily(page, COUNTER, [], [], Number);
      writeHistograms(page, HISTOGRAM, [], [], BOUNDS);
      writeSummaries(page, SUMMARY, [], [], 1);
    });
    expect(page).toBe('');
  });

  test.each([2 ** 53, 1e21, 1e-9, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN])(
    'has the number %d as scrapers read it',
    (number) => {
      const page = parsePrometheusText(written('text', (page) => writeNumber(page, GAUGE, number)));
      expect(page.get(GAUGE.name)?.samples).toEqual([{ name: GAUGE.name, labels: {}, value: number }]);
    },
  );

  test('has any text as a label and as help', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (label, help) => {
        const metric = { ...GAUGE, help: help.replaceAll('\r', '') };
        const write = (page: Page) => writeFamily(page, metric, [1], [labelText({ command: label })], Number);
        for (const page of [
          parsePrometheusText(written('text', write)),
          parseOpenMetrics(written('open-metrics', write)),
        ]) {
          expect(page.get(GAUGE.name)?.samples[0].labels).toEqual({ command: label });
          expect(page.get(GAUGE.name)?.help).toBe(metric.help);
        }
      }),
    );
  });
});

describe('OpenMetrics', () => {
  test("has a counter's family without its suffix, units, escaped quotes and an end", () => {
    const page = written('open-metrics', writeAll);
    expect(page).toMatch(/^# TYPE a_read_bytes counter\n# UNIT a_read_bytes bytes\n/);
    expect(page).toContain('# HELP a_read_bytes Some \\"bytes\\".\na_read_bytes_total{shard="0"} 5\n');
    expect(page).toContain('# TYPE a_share gauge\n# HELP a_share A share.\na_share 0.5\n');
    expect(page).toMatch(/\na_hold_seconds_count 2\n# EOF\n$/);
  });

  test('has the same samples as the Prometheus text', () => {
    const samplesOf = (families: ReturnType<typeof parseOpenMetrics>) =>
      [...families.values()].flatMap(({ samples }) => samples);
    expect(samplesOf(parseOpenMetrics(written('open-metrics', writeAll)))).toEqual(
      samplesOf(parsePrometheusText(written('text', writeAll))),
    );
  });

  test('of an empty page is its end', () => {
    expect(written('open-metrics', () => undefined)).toBe('# EOF\n');
  });
});

test('a bound that is whole has a fraction too', () => {
  expect([...createBounds(0, 4, 2, 1).shown]).toEqual([
    [1, '1.0'],
    [4, '4.0'],
    [16, '16.0'],
  ]);
});

describe('the strict parser of the Prometheus text', () => {
  const head = '# HELP a_total Some.\n# TYPE a_total counter\n';
  const histogram = '# HELP h Some.\n# TYPE h histogram\n';

  test.each([
    ['no last line feed', `${head}a_total 1`],
    ['an empty line', `${head}\na_total 1\n`],
    ['no TYPE', '# HELP a_total Some.\na_total 1\n'],
    ['no HELP', '# TYPE a_total counter\na_total 1\n'],
    ['an unknown type', '# HELP a_total Some.\n# TYPE a_total count\na_total 1\n'],
    ['no sample', head],
    ['a name with a dash', `${head}a-total 1\n`],
    ['a sample of another family', `${head}b_total 1\n`],
    ['a value that is no number', `${head}a_total one\n`],
    ['a value that only JavaScript writes', `${head}a_total Infinity\n`],
    ['the same series twice', `${head}a_total{x="1",y="2"} 1\na_total{y="2",x="1"} 2\n`],
    ['the same label twice', `${head}a_total{x="1",x="2"} 1\n`],
    ['a quote in a label', `${head}a_total{x="a"b"} 1\n`],
    ['a bad escape', `${head}a_total{x="a\\tb"} 1\n`],
    ['a comma too many', `${head}a_total{x="a",} 1\n`],
    ['no labels in braces', `${head}a_total{} 1\n`],
    ['a family in two pieces', `${head}a_total{x="1"} 1\n${head}a_total{x="2"} 1\n`],
    ['no infinite bucket', `${histogram}h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n`],
    ['buckets that fall', `${histogram}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`],
    ['a count that differs', `${histogram}h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n`],
    ['no sum', `${histogram}h_bucket{le="+Inf"} 1\nh_count 1\n`],
  ])('refuses %s', (_, page) => {
    expect(() => parsePrometheusText(page)).toThrow();
  });
});

describe('the strict parser of OpenMetrics', () => {
  const head = '# TYPE a counter\n# HELP a Some.\n';

  test.each([
    ['no end', `${head}a_total 1\n`],
    ['something behind the end', `${head}a_total 1\n# EOF\n\n`],
    ['an empty line', `${head}\na_total 1\n# EOF\n`],
    ['no TYPE', '# HELP a Some.\na_total 1\n# EOF\n'],
    ['a family that ends with _total', '# TYPE a_total counter\n# HELP a_total Some.\na_total 1\n# EOF\n'],
    ['a counter without _total', `${head}a 1\n# EOF\n`],
    ['a unit that the name does not have', '# TYPE a counter\n# UNIT a bytes\na_total 1\n# EOF\n'],
    ['a quote in a help text', '# TYPE a counter\n# HELP a "Some".\na_total 1\n# EOF\n'],
    ['a family in two pieces', `${head}a_total{x="1"} 1\n${head}a_total{x="2"} 1\n# EOF\n`],
    ['the same series twice', `${head}a_total 1\na_total 2\n# EOF\n`],
  ])('refuses %s', (_, page) => {
    expect(() => parseOpenMetrics(page)).toThrow();
  });
});
