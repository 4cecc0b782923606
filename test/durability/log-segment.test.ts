/** A new segment: on the disk with its name before anything is written to it, and no file where that failed. */
import { describe, expect, it } from 'vitest';
import { LOG_VERSION } from '../../src/durability/log-format.ts';
import { readSegmentHeader } from '../../src/durability/log-reader.ts';
import { joinSegment, openSegment } from '../../src/durability/log-segment.ts';
import { createRandom } from '../support/seeded-random.ts';
import { createSimulatedDisk } from '../support/simulated-disk.ts';

const OPTIONS = {
  stream: 3,
  sequence: 42,
  epoch: 7,
  shards: 5,
  databases: 16,
  firstBlock: 99,
  createdMs: 1_234,
};
const PATH = 'worker-003/wal-000000000042.log';

describe('a new segment', () => {
  it('survives a power cut with its name and its header', () => {
    const disk = createSimulatedDisk();
    const { fd, ...segment } = openSegment(disk, OPTIONS);
    disk.close(fd);
    expect(joinSegment(disk, 3, 42, 7)).toMatchObject(segment);
    expect(segment).toEqual({
      path: PATH,
      stream: 3,
      sequence: 42,
      epoch: 7,
      bytes: 4096,
    });
    for (let seed = 1; seed < 50; seed += 1) {
      const after = disk.crash(createRandom(seed));
      expect(readSegmentHeader(after, PATH)).toEqual({
        ...OPTIONS,
        version: LOG_VERSION,
        bootId: disk.bootId(),
      });
    }
  });

  it.each(['write', 'sync', 'syncFolder'] as const)('leaves no file when %s fails', (operation) => {
    const disk = createSimulatedDisk();
    openSegment(disk, OPTIONS);
    disk.failNext(operation, 'ENOSPC');
    expect(() => openSegment(disk, { ...OPTIONS, sequence: 43 })).toThrow('ENOSPC');
    expect(disk.list('worker-003')).toEqual(['wal-000000000042.log']);
    openSegment(disk, { ...OPTIONS, sequence: 43 });
    expect(readSegmentHeader(disk, 'worker-003/wal-000000000043.log')).toMatchObject({ sequence: 43 });
  });

  it('never replaces one that is there', () => {
    const disk = createSimulatedDisk();
    openSegment(disk, OPTIONS);
    expect(() => openSegment(disk, OPTIONS)).toThrow('EEXIST');
    expect(disk.contents(PATH)).toHaveLength(4096);
  });
});
