/** Tests of the report of LATENCY DOCTOR. */
import { expect, it } from 'vitest';
import { latencyReport } from '../../src/commands/latency-doctor.ts';
import type { LatencyEvents } from '../../src/metrics/latency-events.ts';

const SETTINGS = { latencyMonitorThreshold: 10, slowlogLogSlowerThan: 10_000, appendfsync: 'everysec' };
const NOW_MS = 1_000_000;

function eventsOf(...names: string[]): LatencyEvents {
  return new Map(names.map((name) => [name, { samples: [{ atSeconds: 990, latencyMs: 12 }], maxMs: 40 }]));
}

const report = (events: LatencyEvents, settings: Partial<typeof SETTINGS> = {}) =>
  latencyReport(events, { ...SETTINGS, ...settings }, NOW_MS);

it('says that the monitor is off only where nothing was seen either', () => {
  expect(report(new Map(), { latencyMonitorThreshold: 0 })).toMatch(/^I'm sorry, Dave.*disabled/);
  expect(report(new Map())).toMatch(/^Dave, no latency spike was observed/);
  expect(report(eventsOf('command'), { latencyMonitorThreshold: 0 })).toMatch(/^Dave, I have observed/);
});

it('tells of each event how often, how long, how steady and how bad', () => {
  const samples = [
    { atSeconds: 900, latencyMs: 10 },
    { atSeconds: 950, latencyMs: 20 },
    { atSeconds: 960, latencyMs: 45 },
  ];
  const text = report(
    new Map([
      ['command', { samples, maxMs: 300 }],
      ['fast-command', { samples: [{ atSeconds: 1000, latencyMs: 11 }], maxMs: 11 }],
    ]),
  );
  expect(text.split('\n').slice(2, 5)).toEqual([
    '1. command: 3 latency spikes (average 25ms, mean deviation 13ms, period 33.33 sec). Worst all time event 300ms.',
    '2. fast-command: 1 latency spikes (average 11ms, mean deviation 0ms, period 1.00 sec). Worst all time event 11ms.',
    '',
  ]);
});

it('advises to have the slow log show what the monitor sees', () => {
  const tuning = /Slow Log configuration only logs.*'CONFIG SET slowlog-log-slower-than 10000'/;
  expect(report(eventsOf('command'))).not.toMatch(tuning);
  expect(report(eventsOf('command'), { slowlogLogSlowerThan: 10_001 })).toMatch(tuning);
  expect(report(eventsOf('command'), { slowlogLogSlowerThan: -1 })).toMatch(
    /enable the Slow Log using the command 'CONFIG SET slowlog-log-slower-than 10000'/,
  );
  expect(report(eventsOf('expire-cycle'), { slowlogLogSlowerThan: -1 })).not.toContain(
    'slowlog-log-slower-than',
  );
});

it('has advice for every event, each piece once', () => {
  const all = [
    'aof-fsync-always',
    'aof-write',
    'aof-write-active-child',
    'aof-write-alone',
    'aof-write-pending-fsync',
    'command',
    'eviction-cycle',
    'expire-cycle',
    'fast-command',
  ];
  for (const event of all) expect(report(eventsOf(event)), event).toMatch(/advices for you:\n\n- .{40}/);
  const advice = report(eventsOf(...all))
    .split('\n\n')
    .at(-1)
    ?.split(/^- /m)
    .slice(1);
  expect(advice?.length).toBeGreaterThan(7);
  expect(new Set(advice).size).toBe(advice?.length);
});

it('advises to sync less often only where every write is synced', () => {
  expect(report(eventsOf('aof-fsync-always'), { appendfsync: 'always' })).toContain("policy to 'everysec'");
  expect(report(eventsOf('aof-fsync-always'))).not.toContain("policy to 'everysec'");
});
