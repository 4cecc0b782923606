/** Tests of LATENCY HISTOGRAM: its bounds, its selection, both protocols. */
import { describe, expect, it } from 'vitest';
import { findByName } from '../../src/commands/registry.ts';
import { FIRST_COMMAND_HISTOGRAM, recordLatency } from '../../src/metrics/latencies.ts';
import { COMMAND_CALLS } from '../../src/metrics/names.ts';
import { createHarness, type Harness } from '../support/harness.ts';

/** As if a command had been called once for each of these durations. */
function call({ engine }: Harness, name: string, ...durationsUs: number[]): void {
  const id = findByName(name)?.id ?? -1;
  engine.counters[COMMAND_CALLS + id] += durationsUs.length;
  for (const us of durationsUs) {
    recordLatency(engine.timing.latencies, FIRST_COMMAND_HISTOGRAM + id, us * 1000, 1);
  }
}

const lines = (reply: string) => reply.split('\r\n').filter((line) => !line.startsWith('$') && line !== '');

describe('LATENCY HISTOGRAM', () => {
  it('tells calls up to each power of two at which there are more', () => {
    const harness = createHarness();
    call(harness, 'get', 0.3, 1, 1.1, 2, 5, 9, 30, 60, 130, 260, 520, 1040, 5000, 700_000, 3_000_000);
    expect(lines(harness.run('LATENCY', 'HISTOGRAM', 'get'))).toEqual([
      ...['*2', 'get', '*4', 'calls', ':15', 'histogram_usec', '*24'],
      ...[':1', ':2', ':2', ':4', ':8', ':5', ':16', ':6', ':33', ':7', ':66', ':8', ':132', ':9'],
      ...[':264', ':10', ':528', ':11', ':1056', ':12', ':8454', ':13', ':1073741', ':15'],
    ]);
  });

  it('has maps in RESP3', () => {
    const harness = createHarness();
    harness.run('HELLO', '3');
    call(harness, 'set', 1);
    expect(harness.run('LATENCY', 'HISTOGRAM', 'SET')).toBe(
      '%1\r\n$3\r\nset\r\n%2\r\n$5\r\ncalls\r\n:1\r\n$14\r\nhistogram_usec\r\n%1\r\n:1\r\n:1\r\n',
    );
  });

  it('tells of all commands that were called, of those that are named, or of the subcommands of a container', () => {
    const harness = createHarness();
    for (const name of ['get', 'config|get', 'config|set']) call(harness, name, 1);
    const names = (...args: string[]) =>
      lines(harness.run('LATENCY', 'HISTOGRAM', ...args)).filter(
        (line) => /^[a-z|]{3,}$/.test(line) && line !== 'calls',
      );
    expect(names('config|get', 'get', 'GET', 'set', 'nosuch')).toEqual(['config|get', 'get', 'get']);
    expect(names('Config').sort()).toEqual(['config|get', 'config|set']);
    expect(names().sort()).toEqual(['config|get', 'config|set', 'get', 'latency|histogram']);
    expect(harness.run('LATENCY', 'HISTOGRAM', 'nosuch', 'set')).toBe('*0\r\n');
  });
});
