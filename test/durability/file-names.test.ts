/** Names of files are made and read in the same way. */
import { describe, expect, it } from 'vitest';
import {
  parseSegmentName,
  parseShardFolder,
  parseSnapshotName,
  parseStreamFolder,
  segmentPath,
  shardFolder,
  snapshotPath,
  streamFolder,
} from '../../src/durability/file-names.ts';

describe('the names of files', () => {
  it('are folders per stream and shard, with padded numbers', () => {
    expect(segmentPath(0, 42)).toBe('worker-000/wal-000000000042.log');
    expect(snapshotPath(3, 7)).toBe('shard-003/snapshot-000000000007.snap');
  });

  it('come back as the numbers that they were made of', () => {
    for (const number of [0, 7, 255, 1023, 123_456, 2 ** 45]) {
      expect(parseStreamFolder(streamFolder(number))).toBe(number);
      expect(parseShardFolder(shardFolder(number))).toBe(number);
      expect(parseSegmentName(segmentPath(1, number).split('/')[1])).toBe(number);
      expect(parseSnapshotName(snapshotPath(1, number).split('/')[1])).toBe(number);
    }
  });

  it('are told from others', () => {
    const others = ['', 'worker-1', 'worker-0000x', 'wal-1.log', 'wal-000000000001.log.damaged-1', '.tmp'];
    for (const name of [...others, 'snapshot-000000000001.snap.tmp', 'distcache.manifest']) {
      for (const parse of [parseStreamFolder, parseShardFolder, parseSegmentName, parseSnapshotName]) {
        expect(parse(name)).toBeUndefined();
      }
    }
  });
});
