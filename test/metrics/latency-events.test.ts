/** Tests of the latency spikes that a thread remembers, and of those of several threads together. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LATENCY_SAMPLES_MAX } from '../../src/config/limits.ts';
import { addSpike, forgetSpikes, type LatencyEvents, mergeSpikes } from '../../src/metrics/latency-events.ts';

const spikesOf = (events: LatencyEvents, event: string) =>
  events.get(event)?.samples.map(({ atSeconds, latencyMs }) => [atSeconds, latencyMs]);

describe('the spikes of one thread', () => {
  it('are the worst of each second, and the worst ever', () => {
    const events: LatencyEvents = new Map();
    for (const [nowMs, latencyMs] of [
      [5_000, 3],
      [5_400, 9],
      [5_999, 4],
      [6_000, 1],
      [9_000, 2],
    ]) {
      addSpike(events, 'command', nowMs, latencyMs);
    }
    expect(spikesOf(events, 'command')).toEqual([
      [5, 9],
      [6, 1],
      [9, 2],
    ]);
    expect(events.get('command')?.maxMs).toBe(9);
    expect(events.get('fast-command')).toBeUndefined();
  });

  it('are those of the last 160 seconds that had one; the worst ever stays', () => {
    const events: LatencyEvents = new Map();
    for (let second = 0; second < 200; second += 1)
      addSpike(events, 'aof-write', second * 1000, 500 - second);
    const samples = events.get('aof-write')?.samples ?? [];
    expect(samples).toHaveLength(LATENCY_SAMPLES_MAX);
    expect(samples.at(0)).toEqual({ atSeconds: 40, latencyMs: 460 });
    expect(samples.at(-1)).toEqual({ atSeconds: 199, latencyMs: 301 });
    expect(events.get('aof-write')?.maxMs).toBe(500);
  });

  it('are forgotten by name in any case, or all at once', () => {
    const events: LatencyEvents = new Map();
    for (const event of ['command', 'fast-command', 'aof-write'] as const) addSpike(events, event, 0, 1);
    expect(forgetSpikes(events, ['COMMAND', 'Command', 'nothing'])).toEqual(['command']);
    expect([...events.keys()]).toEqual(['fast-command', 'aof-write']);
    expect(forgetSpikes(events, [])).toEqual([]);
    expect(forgetSpikes(events, undefined)).toEqual(['fast-command', 'aof-write']);
    expect(events.size).toBe(0);
  });
});

describe('the spikes of several threads', () => {
  it('are what one thread that had seen them all would remember', () => {
    const spike = fc.record({
      thread: fc.nat(2),
      event: fc.constantFrom('command', 'expire-cycle'),
      stepMs: fc.constantFrom(0, 1, 500, 1000, 3000),
      latencyMs: fc.integer({ min: 1, max: 99 }),
    });
    fc.assert(
      fc.property(fc.array(spike, { maxLength: 400 }), (spikes) => {
        const threads: LatencyEvents[] = [new Map(), new Map(), new Map()];
        const one: LatencyEvents = new Map();
        let nowMs = 0;
        for (const { thread, event, stepMs, latencyMs } of spikes) {
          nowMs += stepMs;
          addSpike(threads[thread], event as 'command', nowMs, latencyMs);
          addSpike(one, event as 'command', nowMs, latencyMs);
        }
        const merged = mergeSpikes(threads);
        expect([...merged.keys()]).toEqual([...one.keys()].sort());
        for (const event of one.keys()) expect(merged.get(event)).toEqual(one.get(event));
      }),
    );
  });

  it('are those of the last 160 seconds in which any thread had one', () => {
    const threads: LatencyEvents[] = [new Map(), new Map()];
    for (let second = 0; second < 300; second += 1) {
      addSpike(threads[second % 2], 'command', second * 1000, 1 + second);
    }
    const samples = mergeSpikes(threads).get('command')?.samples;
    expect(samples).toHaveLength(LATENCY_SAMPLES_MAX);
    expect(samples?.at(0)).toEqual({ atSeconds: 140, latencyMs: 141 });
  });

  it('are copies: later spikes of a thread do not show in them', () => {
    const events: LatencyEvents = new Map();
    addSpike(events, 'command', 0, 1);
    const merged = mergeSpikes([events]);
    addSpike(events, 'command', 0, 7);
    expect(spikesOf(merged, 'command')).toEqual([[0, 1]]);
  });
});
