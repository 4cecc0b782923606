/** The closing line of a test run. */
import { describe, expect, it } from 'vitest';
import { createTestTally, type Tally, tallyLines } from '../scripts/test-tally.ts';

const CLEAN: Tally = { passed: 3, failed: 0, broken: 0, skipped: [], interrupted: false };

describe('the tally of a test run', () => {
  it('is one line when nothing was skipped', () => {
    expect(tallyLines(CLEAN, false)).toEqual(['3 passed, 0 failed']);
  });

  it('names what was skipped before its last line', () => {
    const lines = tallyLines({ ...CLEAN, skipped: ['a.test.ts > needs redis-server'] }, false);
    expect(lines).toEqual(['skipped: a.test.ts > needs redis-server', '1 skipped', '3 passed, 0 failed']);
  });

  it('counts the skipped as failed where nothing may be skipped', () => {
    const lines = tallyLines({ ...CLEAN, skipped: ['a.test.ts > needs redis-server'] }, true);
    expect(lines.at(-1)).toBe('3 passed, 1 failed');
  });

  it('counts errors outside any test as failed', () => {
    expect(tallyLines({ ...CLEAN, failed: 1, broken: 2 }, false)).toEqual(['3 passed, 3 failed']);
  });

  it('never calls an interrupted run clean', () => {
    expect(tallyLines({ ...CLEAN, interrupted: true }, false).at(-1)).toBe('3 passed, 1 failed');
  });

  it('reports when the run ends', () => {
    expect(createTestTally(false).onTestRunEnd).toBeTypeOf('function');
  });
});
