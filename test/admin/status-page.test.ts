/** Tests of the status page. */
import { expect, test } from 'vitest';
import { statusPage } from '../../src/admin/status-page.ts';
import { KEYSPACE_HITS, KEYSPACE_MISSES } from '../../src/metrics/names.ts';
import { takeReading } from '../../src/metrics/reading.ts';
import { sampleSources } from '../support/sample-reading.ts';

test('the status page shows the numbers of the reading and links to the other pages', () => {
  const sources = sampleSources();
  sources.counters[1][KEYSPACE_HITS] = 2;
  sources.counters[2][KEYSPACE_MISSES] = 1;
  const page = statusPage(takeReading(sources));
  expect(page).toContain('<td>30, 9 of them with a deadline</td>');
  expect(page).toContain('<td>3000 of 3000000 bytes</td>');
  expect(page).toContain('<td>66.7 % of look-ups</td>');
  for (const path of ['/metrics', '/livez', '/readyz?verbose', '/healthz'])
    expect(page).toContain(`href="${path}"`);
});

test('the status page has no script, no style and nothing that it did not escape', () => {
  const sources = sampleSources();
  const page = statusPage(takeReading({ ...sources, server: { ...sources.server, version: `<b>"'&` } }));
  expect(page).toContain('<td>&#60;b&#62;&#34;&#39;&#38;</td>');
  expect(page).not.toMatch(/<script|<style|style=|javascript:|\son\w+=/i);
});

test('the status page says so when no key was ever looked up', () => {
  expect(statusPage(takeReading(sampleSources()))).toContain('no look-ups yet');
});
