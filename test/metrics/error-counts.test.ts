/** Tests of the counting of error replies by their prefix. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { createCountersBuffer, openCounters } from '../../src/metrics/counters.ts';
import { countErrorReply, readErrors } from '../../src/metrics/error-counts.ts';
import { ERROR_PREFIXES } from '../../src/metrics/error-prefixes.ts';
import { ERROR_REPLIES } from '../../src/metrics/names.ts';

/** The prefix under which a reply that stands between others counts. */
function prefixOf(reply: string): string {
  const counters = openCounters(createCountersBuffer(1), 0);
  const bytes = Buffer.from(`+OK\r\n${reply}-OOM next\r\n`, 'latin1');
  countErrorReply(counters, bytes, 5, 5 + reply.length);
  const errors = readErrors([counters]);
  expect(errors).toHaveLength(1);
  expect(errors[0].count).toBe(1);
  expect(counters[ERROR_REPLIES]).toBe(1);
  return errors[0].prefix;
}

describe('an error reply', () => {
  it('counts under its first word, for every word of the table', () => {
    for (const prefix of ERROR_PREFIXES) expect(prefixOf(`-${prefix} because\r\n`)).toBe(prefix);
  });

  it('counts as another where the word is not known', () => {
    expect(prefixOf('-SURPRISE here\r\n')).toBe('other');
    expect(prefixOf('-err here\r\n')).toBe('other');
    expect(prefixOf('- here\r\n')).toBe('other');
  });

  it('counts as ERR where no space ends a word, as with redis-server', () => {
    expect(prefixOf('-WRONGTYPE\r\n')).toBe('ERR');
    expect(prefixOf(`-${'X'.repeat(40)} here\r\n`)).toBe('ERR');
  });
});
