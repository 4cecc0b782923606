/** Entity tags and the conditions on them. */
import { describe, expect, test } from 'vitest';
import { entityTag, matchesIfMatch, matchesIfNoneMatch } from '../../src/admin/entity-tag.ts';

const RUN = 'c0ffee0123456789';
const TAG = entityTag(RUN, 3, 36);

test('a tag names the run, the shard and the change', () => {
  expect(TAG).toBe('"c0ffee01-3-10"');
  const others = [entityTag(RUN, 3, 37), entityTag(RUN, 4, 36), entityTag('d0ffee0123456789', 3, 36)];
  for (const other of others) expect(other).not.toBe(TAG);
  expect(entityTag(RUN, 3, 2 ** 48 - 1)).toMatch(/^"[0-9a-z-]+"$/);
});

describe('conditions', () => {
  test.each([
    [TAG, true, true],
    [`"x", ${TAG} ,"y"`, true, true],
    [` ${TAG} `, true, true],
    ['*', true, true],
    [' * ', true, true],
    [`W/${TAG}`, false, true],
    ['"other"', false, false],
    ['"a,b"', false, false],
    [TAG.replaceAll('"', ''), false, false],
    ['', false, false],
  ])('%s: If-Match %s, If-None-Match %s', (header, ifMatch, ifNoneMatch) => {
    expect(matchesIfMatch(header, TAG)).toBe(ifMatch);
    expect(matchesIfNoneMatch(header, TAG)).toBe(ifNoneMatch);
  });

  test('nothing matches what is not there', () => {
    for (const header of ['*', TAG, '']) {
      expect(matchesIfMatch(header, undefined)).toBe(false);
      expect(matchesIfNoneMatch(header, undefined)).toBe(false);
    }
  });

  test('a long list takes no longer than it is', () => {
    const list = `${'"'.repeat(20_000)},${'W/'.repeat(20_000)}`;
    expect(matchesIfMatch(list, TAG)).toBe(false);
  });
});
