/** Tests of the report of MEMORY DOCTOR. */
import { expect, it } from 'vitest';
import { type MemoryFacts, memoryReport } from '../../src/commands/memory-doctor.ts';
import type { MemoryFigures } from '../../src/commands/memory-figures.ts';

const MIB = 1024 * 1024;

/** 100 MiB in use of 200, well packed, with two threads. */
const HEALTHY: MemoryFacts = {
  memory: {
    usedBytes: 100 * MIB,
    peakBytes: 110 * MIB,
    peakPercent: 90,
    overheadBytes: 0,
    datasetBytes: 0,
    datasetPercent: 0,
    bytesPerKey: 100,
    arenaBytes: 110 * MIB,
    arenaRatio: 1.1,
    processRatio: 2,
    processBytes: 110 * MIB,
    residentBytes: 220 * MIB,
    residentRatio: 2.2,
  },
  limitBytes: 200 * MIB,
  policy: 'allkeys-lru',
  threads: 2,
  evictedIdleSeconds: undefined,
  clients: 2,
  clientBufferBytes: 400 * 1024,
};

function found(facts: Partial<MemoryFacts>, memory: Partial<MemoryFigures> = {}): string[] {
  const report = memoryReport({ ...HEALTHY, ...facts, memory: { ...HEALTHY.memory, ...memory } });
  return [...report.matchAll(/^ \* ([^:]*):/gm)].map(([, title]) => title);
}

it('finds nothing in a healthy instance', () => {
  expect(memoryReport(HEALTHY)).toMatch(/^Hi Sam, I can't find any memory issue/);
});

it('says nothing of an instance with less than 5 MiB', () => {
  const memory = { ...HEALTHY.memory, usedBytes: 5 * MIB - 1 };
  expect(memoryReport({ ...HEALTHY, memory, clientBufferBytes: 1e9 })).toMatch(
    /^Hi Sam, this instance is empty or is using very little memory/,
  );
});

it('finds a peak of more than half as much again', () => {
  expect(found({}, { peakBytes: 150 * MIB })).toEqual([]);
  expect(found({}, { peakBytes: 151 * MIB })).toEqual(['Peak memory']);
});

it('finds fragmented arenas, unless little is lost', () => {
  expect(found({}, { arenaRatio: 1.41, arenaBytes: 141 * MIB })).toEqual(['High fragmentation']);
  expect(found({}, { arenaRatio: 1.39, arenaBytes: 139 * MIB })).toEqual([]);
  expect(found({}, { arenaRatio: 1.5, usedBytes: 10 * MIB, arenaBytes: 15 * MIB, peakBytes: 0 })).toEqual([]);
});

it('finds a process that takes more than its threads need', () => {
  expect(found({}, { processBytes: 281 * MIB })).toEqual(['High process RSS overhead']);
  expect(found({ threads: 3 }, { processBytes: 281 * MIB })).toEqual([]);
  expect(found({}, { processBytes: 281 * MIB, processRatio: 1.1 })).toEqual([]);
});

it('finds a full memory where nothing is evicted', () => {
  expect(found({ policy: 'noeviction', limitBytes: 105 * MIB })).toEqual(['Memory is full']);
  expect(found({ policy: 'noeviction' })).toEqual([]);
  expect(found({ limitBytes: 105 * MIB })).toEqual([]);
});

it('finds keys that are evicted while they are in use', () => {
  expect(found({ evictedIdleSeconds: 59, limitBytes: 105 * MIB })).toEqual(['Eviction pressure']);
  expect(found({ evictedIdleSeconds: 60, limitBytes: 105 * MIB })).toEqual([]);
  expect(found({ evictedIdleSeconds: 1 })).toEqual([]);
});

it('finds big buffers of clients', () => {
  expect(found({ clientBufferBytes: 400 * 1024 + 1 })).toEqual(['Big client buffers']);
  expect(found({ clients: 0, clientBufferBytes: 0 })).toEqual([]);
});

it('tells of all that it found, and ends kindly', () => {
  const report = memoryReport({
    ...HEALTHY,
    memory: { ...HEALTHY.memory, peakBytes: 200 * MIB },
    clientBufferBytes: 1e9,
  });
  expect(report).toMatch(
    /^Sam, I detected a few issues in this Redis instance memory implants:\n\n \* Peak.*\n\n \* Big.*\n\nI'm here to keep you safe/,
  );
});
