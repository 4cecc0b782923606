/** Tests of the disk of a log, as the latency monitor watches it. */
import { beforeEach, expect, it } from 'vitest';
import type { Storage } from '../../src/durability/storage-types.ts';
import { SNAPSHOT_RUNNING } from '../../src/metrics/persistence.ts';
import { watchDisk } from '../../src/threads/log-latency.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { createSimulatedDisk } from '../support/simulated-disk.ts';

const BYTES = Buffer.from('0123456789');

let harness: Harness;
let disk: Storage;
let fd: number;
let monotonicMs: number;
let writeMs: number;
let syncsDone: ((error?: Error) => void)[];
beforeEach(() => {
  harness = createHarness();
  harness.engine.config.latencyMonitorThreshold = 3;
  monotonicMs = 0;
  writeMs = 0;
  syncsDone = [];
  Object.assign(harness.shards[0].clock, { monotonicMs: () => monotonicMs });
  const simulated = createSimulatedDisk();
  disk = watchDisk(
    {
      ...simulated,
      write: (...args) => {
        monotonicMs += writeMs;
        simulated.write(...args);
      },
      syncLater: (_, done) => void syncsDone.push(done),
    },
    harness.engine,
  );
  fd = disk.createFile('segment');
});

const spikes = () => [...harness.engine.latencyEvents].map(([event, { maxMs }]) => [event, maxMs]);

function write(ms: number): void {
  writeMs = ms;
  disk.write(fd, BYTES, 2, 5, 0);
}

it('writes what it is told where it is told', () => {
  write(0);
  const read = Buffer.alloc(3);
  expect(disk.read(fd, read, 0, 3, 0)).toBe(3);
  expect(read.toString()).toBe('234');
});

it('tells of slow writes, by what went on meanwhile', () => {
  write(2);
  expect(spikes()).toEqual([]);
  write(3);
  expect(spikes()).toEqual([
    ['aof-write', 3],
    ['aof-write-alone', 3],
  ]);
  harness.engine.persistence[SNAPSHOT_RUNNING] = 1;
  write(4);
  expect(harness.engine.latencyEvents.get('aof-write-active-child')?.maxMs).toBe(4);
  disk.syncLater(fd, () => undefined);
  write(5);
  expect(harness.engine.latencyEvents.get('aof-write-pending-fsync')?.maxMs).toBe(5);
  syncsDone[0]();
  write(6);
  expect(spikes()).toEqual([
    ['aof-write', 6],
    ['aof-write-alone', 3],
    ['aof-write-active-child', 6],
    ['aof-write-pending-fsync', 5],
  ]);
});

it('tells of slow syncs only where replies wait for them', () => {
  const results: unknown[] = [];
  const failure = new Error('EIO');
  for (const policy of ['everysec', 'always'] as const) {
    harness.engine.config.appendfsync = policy;
    disk.syncLater(fd, (error) => void results.push(error));
    monotonicMs += 8;
    syncsDone.at(-1)?.(failure);
    expect(spikes()).toEqual(policy === 'always' ? [['aof-fsync-always', 8]] : []);
  }
  expect(results).toEqual([failure, failure]);
});

it('tells of nothing while the monitor is off', () => {
  harness.engine.config.latencyMonitorThreshold = 0;
  write(1000);
  disk.syncLater(fd, () => undefined);
  monotonicMs += 1000;
  syncsDone[0]();
  expect(spikes()).toEqual([]);
});
