/** What strace tells of system calls. */
import { expect, test } from 'vitest';
import { parseStraceSummary } from '../../bench/support/strace.ts';

const SUMMARY = [
  'strace: Process 4242 attached with 12 threads',
  'strace: Process 4242 detached',
  '% time     seconds  usecs/call     calls    errors syscall',
  '------ ----------- ----------- --------- --------- ----------------',
  ' 61.33    0.017462           8      2126           pwrite64',
  ' 38.67    0.011009           5      2150        12 write',
  '  0.00    0.000000           0         3           fdatasync',
  '------ ----------- ----------- --------- --------- ----------------',
  '100.00    0.028471           6      4279        12 total',
  '',
].join('\n');

test('calls are read by their names, with and without errors, and the sum is none of them', () => {
  expect([...parseStraceSummary(SUMMARY)]).toEqual([
    ['pwrite64', 2126],
    ['write', 2150],
    ['fdatasync', 3],
  ]);
});

test('a process that made none of the calls has none', () => {
  expect(parseStraceSummary('strace: Process 1 attached\nstrace: Process 1 detached\n').size).toBe(0);
});
