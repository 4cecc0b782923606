/** LCS: its three kinds of answer, its options, and what becomes of large values. */
import { afterEach, describe, expect, it } from 'vitest';
import { TOPIC_JOB_SUBSEQUENCE } from '../../src/commands/strings-lcs.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let harness: Harness;
afterEach(() => harness.expectWhole());

function withSample(): void {
  harness = createHarness();
  harness.run('MSET', 'a', 'ohmytext', 'b', 'mynewtext');
}

const piece = (first: [number, number], second: [number, number]) =>
  [first, second].map(([start, end]) => `*2\r\n:${start}\r\n:${end}\r\n`).join('');

describe('LCS', () => {
  it('answers the text, or its length', () => {
    withSample();
    expect(harness.run('LCS', 'a', 'b')).toBe('$6\r\nmytext\r\n');
    expect(harness.run('LCS', 'a', 'b', 'len')).toBe(':6\r\n');
    expect(harness.run('LCS', 'a', 'none')).toBe('$0\r\n\r\n');
    expect(harness.run('LCS', 'none', 'b', 'LEN')).toBe(':0\r\n');
  });

  it('answers the pieces of both, the last first, as a map in RESP3', () => {
    withSample();
    const pieces = `*2\r\n*2\r\n${piece([4, 7], [5, 8])}*2\r\n${piece([2, 3], [0, 1])}`;
    const expected = `$7\r\nmatches\r\n${pieces}$3\r\nlen\r\n:6\r\n`;
    expect(harness.run('LCS', 'a', 'b', 'IDX')).toBe(`*4\r\n${expected}`);
    harness.session.protocol = 3;
    expect(harness.run('LCS', 'a', 'b', 'IDX')).toBe(`%2\r\n${expected}`);
  });

  it('leaves out short pieces and tells their lengths when asked to', () => {
    withSample();
    const long = `*3\r\n${piece([4, 7], [5, 8])}:4\r\n`;
    expect(harness.run('LCS', 'a', 'b', 'IDX', 'MINMATCHLEN', '4', 'WITHMATCHLEN')).toBe(
      `*4\r\n$7\r\nmatches\r\n*1\r\n${long}$3\r\nlen\r\n:6\r\n`,
    );
    expect(harness.run('LCS', 'a', 'b', 'IDX', 'MINMATCHLEN', '5')).toContain('matches\r\n*0\r\n');
    expect(harness.run('LCS', 'a', 'none', 'IDX')).toContain('matches\r\n*0\r\n$3\r\nlen\r\n:0\r\n');
    expect(harness.run('LCS', 'a', 'b', 'IDX', 'MINMATCHLEN', '-5')).toContain('matches\r\n*2\r\n');
  });

  it('ends a piece where either text goes on without the other', () => {
    withSample();
    harness.run('MSET', 'a', 'ab', 'b', 'a-b');
    const pieces = (ends: string) => `*4\r\n$7\r\nmatches\r\n*2\r\n${ends}$3\r\nlen\r\n:2\r\n`;
    expect(harness.run('LCS', 'a', 'b', 'IDX')).toBe(
      pieces(`*2\r\n${piece([1, 1], [2, 2])}*2\r\n${piece([0, 0], [0, 0])}`),
    );
    expect(harness.run('LCS', 'b', 'a', 'IDX')).toBe(
      pieces(`*2\r\n${piece([2, 2], [1, 1])}*2\r\n${piece([0, 0], [0, 0])}`),
    );
  });

  it('refuses wrong options', () => {
    withSample();
    expect(harness.run('LCS', 'a', 'b', 'NOPE')).toBe('-ERR syntax error\r\n');
    expect(harness.run('LCS', 'a', 'b', 'MINMATCHLEN')).toBe('-ERR syntax error\r\n');
    expect(harness.run('LCS', 'a', 'b', 'MINMATCHLEN', 'x')).toBe(
      '-ERR value is not an integer or out of range\r\n',
    );
    expect(harness.run('LCS', 'a', 'b', 'LEN', 'IDX')).toBe(
      '-ERR If you want both the length and indexes, please just use IDX.\r\n',
    );
  });

  it('refuses what would take redis-server more memory than proto-max-bulk-len', () => {
    harness = createHarness({ flags: ['--proto-max-bulk-len', '1mb'] });
    harness.run('MSET', 'a', 'x'.repeat(511), 'b', 'x'.repeat(511));
    expect(harness.run('LCS', 'a', 'b', 'LEN')).toBe(':511\r\n');
    harness.run('APPEND', 'a', 'x');
    expect(harness.run('LCS', 'a', 'b', 'LEN')).toBe(
      '-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n',
    );
  });

  it('finds its second key also when that has just expired in the shard of the first', () => {
    harness = createHarness({ shards: 1 });
    harness.run('SET', 'b', 'x', 'PX', '1');
    harness.run('SET', 'a', 'x');
    harness.nowMs += 2;
    expect(harness.run('LCS', 'a', 'b', 'LEN')).toBe(':0\r\n');
    expect(harness.run('LCS', 'a', 'a', 'LEN')).toBe(':1\r\n');
  });

  it('answers later about large values, as they were when it was asked', async () => {
    harness = createHarness();
    const text = 'abcdefghij'.repeat(300);
    harness.run('MSET', 'a', text, 'b', `${text}!`);
    expect(harness.run('LCS', 'a', 'b')).toBe('');
    harness.run('MSET', 'a', 'changed', 'b', 'changed');
    await expect.poll(() => harness.deferredReplies, { interval: 1 }).toHaveLength(1);
    expect(harness.deferredReplies).toEqual([`$3000\r\n${text}\r\n`]);
  });

  it('answers why a large one was not found', async () => {
    harness = createHarness();
    harness.run('MSET', 'a', 'x'.repeat(8000), 'b', 'y'.repeat(9000));
    harness.engine.bus.handle(TOPIC_JOB_SUBSEQUENCE, () => ({ ok: false, reason: 'no room' }));
    expect(harness.run('LCS', 'a', 'b', 'LEN')).toBe('');
    await expect.poll(() => harness.deferredReplies, { interval: 1 }).toEqual(['-ERR LCS: no room\r\n']);
    harness.engine.bus.handle(TOPIC_JOB_SUBSEQUENCE, () => {
      throw new Error('too late');
    });
    expect(harness.run('LCS', 'a', 'b', 'LEN')).toBe('');
    await expect
      .poll(() => harness.deferredReplies[1], { interval: 1 })
      .toBe('-ERR LCS: no answer in time; the log has the reason\r\n');
    expect(harness.log).toEqual(["'job-subsequence' was not answered: Error: too late"]);
  });
});
