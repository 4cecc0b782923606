/** Processor time and memory as /proc tells them. */
import { describe, expect, test } from 'vitest';
import {
  cpuSecondsFromStat,
  cpuSecondsOf,
  reapedCpuSecondsFromStat,
  residentBytesOf,
  statusNumber,
} from '../../bench/support/proc.ts';

const REST =
  'S 1 2 3 0 -1 4194560 100 0 0 0 1234 66 300 21 20 0 12 0 99999 1000000 5000 18446744073709551615';

describe('/proc/PID/stat', () => {
  test('tells user and system time in ticks of 10 ms', () => {
    expect(cpuSecondsFromStat(`4242 (node) ${REST}`)).toBeCloseTo(13, 9);
  });

  test('tells the time of children that have ended', () => {
    expect(reapedCpuSecondsFromStat(`4242 (node) ${REST}`)).toBeCloseTo(3.21, 9);
  });

  test('may have a name with spaces and parentheses', () => {
    expect(cpuSecondsFromStat(`4242 (a) b (c)) ${REST}`)).toBeCloseTo(13, 9);
  });
});

describe('/proc/PID/status', () => {
  const status = 'Name:\tnode\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nnonvoluntary_ctxt_switches:\t17\n';

  test('has one number per line', () => {
    expect(statusNumber(status, 'VmRSS')).toBe(1024);
    expect(statusNumber(status, 'nonvoluntary_ctxt_switches')).toBe(17);
  });

  test('without the line is refused', () => {
    expect(() => statusNumber(status, 'RSS')).toThrow('RSS');
  });
});

describe.runIf(process.platform === 'linux')('this process', () => {
  test('has used about the processor time that Node tells, and some memory', () => {
    const before = process.cpuUsage();
    const seconds = cpuSecondsOf(process.pid);
    const after = process.cpuUsage();
    const tickSeconds = 0.02;
    expect(seconds).toBeGreaterThanOrEqual((before.user + before.system) / 1e6 - tickSeconds);
    expect(seconds).toBeLessThanOrEqual((after.user + after.system) / 1e6 + tickSeconds);
    expect(residentBytesOf(process.pid)).toBeGreaterThan(2 ** 20);
  });
});
