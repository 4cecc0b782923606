/** The decision of a recovery: what of a log is good, what is torn, and what is refused. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/base/checksum.ts';
import { segmentPath } from '../../src/durability/file-names.ts';
import { SEGMENT_HEADER_BYTES } from '../../src/durability/log-format.ts';
import type { SnapshotSet } from '../../src/durability/manifest.ts';
import { applyCuts } from '../../src/durability/recovery-scan.ts';
import { placeLog, recoverPlaced, replayedRecords, SAME_BOOT, scanPlaced } from '../support/built-log.ts';
import {
  addBlock,
  beginEpoch,
  builtFiles,
  createLogBuilder,
  del,
  type LogBuilder,
  put,
  rotate,
} from '../support/log-builder.ts';

const OTHER_BOOT = 'another run of the machine';
const BOOTS = [
  ['the machine kept its power', SAME_BOOT],
  ['the machine may have lost its power', OTHER_BOOT],
] as const;

/** Two streams, three shards, two segments in stream 0, a block over two shards; block 2 of stream 1 was synced. */
function smallLog(bootId = SAME_BOOT): LogBuilder {
  const builder = createLogBuilder({ streams: 2, shards: 3, bootId });
  addBlock(builder, 0, [{ shard: 0, records: [put('a', '1')] }]);
  addBlock(builder, 1, [{ shard: 1, records: [put('b', '2'), put('c', '3')] }]);
  addBlock(builder, 1, [{ shard: 1, records: [del('b')] }], 2);
  rotate(builder, 0);
  addBlock(builder, 0, [
    { shard: 0, records: [put('a', '4')] },
    { shard: 2, records: [put('d', '5')] },
  ]);
  addBlock(builder, 1, [{ shard: 2, records: [del('d')] }], 3);
  addBlock(builder, 0, [{ shard: 0, records: [put('e', '6')] }], 1);
  return builder;
}

/** The records of the small log, by the block that holds them. */
const SMALL_LOG = [
  ['1/0/1 1 0 a=1'],
  ['1/1/1 1 0 b=2', '1/1/2 1 0 c=3'],
  ['1/1/3 2 0 b='],
  ['1/0/2 1 0 a=4', '1/2/1 1 0 d=5'],
  ['1/2/2 2 0 d='],
  ['1/0/3 1 0 e=6'],
];
const PREFIXES = Array.from({ length: SMALL_LOG.length + 1 }, (_, blocks) =>
  SMALL_LOG.slice(0, blocks).flat(),
);

/** Asserts that a damaged small log is refused or recovered to a prefix; which, in how many blocks. */
function outcome(
  builder: LogBuilder,
  path: string,
  bytes: Buffer | undefined,
  bootId: string,
): number | 'refused' {
  const world = placeLog(builder, new Map([[path, bytes]]));
  const records = recoverPlaced(world, { bootId });
  if (records === undefined) return 'refused';
  const blocks = PREFIXES.findIndex((prefix) => JSON.stringify(prefix) === JSON.stringify(records));
  expect(blocks, `${path} of ${bytes?.length} bytes: ${records.join(', ')}`).toBeGreaterThanOrEqual(0);
  // What was recovered is whole now.
  expect(scanPlaced(world, { bootId })).toMatchObject({ refusals: [], plan: { cuts: [], blocks } });
  return blocks;
}

describe('a log that is whole', () => {
  it('is replayed in the order of its blocks over all streams and segments', () => {
    expect(recoverPlaced(placeLog(smallLog()))).toEqual(SMALL_LOG.flat());
  });

  it('says what comes next', () => {
    const { refusals, plan } = scanPlaced(placeLog(smallLog()));
    expect(refusals).toEqual([]);
    expect(plan).toMatchObject({ firstBlock: 1, lastBlock: 6, nextBlock: 7, nextEpoch: 2, largestLsn: 3 });
    expect(plan).toMatchObject({ blocks: 6, records: 8, cuts: [], droppedBlocks: 0 });
  });

  it('goes on over an epoch with another number of shards', () => {
    const builder = smallLog();
    beginEpoch(builder);
    addBlock(builder, 1, [{ shard: 1, records: [put('f', '7')] }]);
    expect(recoverPlaced(placeLog(builder))).toEqual([...SMALL_LOG.flat(), '2/1/4 1 0 f=7']);
    expect(scanPlaced(placeLog(builder)).plan).toMatchObject({ nextEpoch: 3, nextBlock: 8, largestLsn: 4 });
  });

  it('is read where its version is one of those that are known, and refused where it is another', () => {
    const builder = smallLog();
    const path = segmentPath(1, 1);
    const outcomes = [0, 1, 2, 3].map((version) => {
      const bytes = Buffer.from(builtFiles(builder).get(path) ?? Buffer.alloc(0));
      bytes.writeUInt32LE(version, 12);
      bytes.writeUInt32LE(crc32(bytes.subarray(12, SEGMENT_HEADER_BYTES)), 8);
      return scanPlaced(placeLog(builder, new Map([[path, bytes]]))).refusals.join();
    });
    expect(outcomes.slice(1, 3)).toEqual(['', '']);
    expect(outcomes[0]).toContain("the header's format version is 0, not 2");
    expect(outcomes[3]).toContain("the header's format version is 3, not 2");
  });

  it('is handed over only for the shards that are wanted', () => {
    const world = placeLog(smallLog());
    const records = replayedRecords(world, scanPlaced(world), (shard) => shard === 2);
    expect(records).toEqual(['1/2/1 1 0 d=5', '1/2/2 2 0 d=']);
  });
});

describe('a log that was cut anywhere', () => {
  for (const [situation, bootId] of BOOTS) {
    it(`is recovered to a prefix or refused, where ${situation}`, () => {
      const builder = smallLog();
      for (const [path, bytes] of builtFiles(builder)) {
        const outcomes = new Set<number | 'refused'>();
        for (let length = 0; length < bytes.length; length += 1) {
          // Within the header all is the same: every byte of it would take long.
          if (length > 128 && length < SEGMENT_HEADER_BYTES - 8) continue;
          const found = outcome(builder, path, bytes.subarray(0, length), bootId);
          if (length < SEGMENT_HEADER_BYTES) expect(found).toBe('refused');
          outcomes.add(found);
        }
        expect(outcomes.size).toBeGreaterThan(1);
      }
    });
  }

  it('loses nothing that was synced before the power went', () => {
    const builder = smallLog();
    const path = segmentPath(1, 1);
    const bytes = builtFiles(builder).get(path) ?? Buffer.alloc(0);
    // The last block of stream 1 says that block 3 is on disk; only the last one itself may be torn.
    for (let length = SEGMENT_HEADER_BYTES; length < bytes.length; length += 1) {
      const changed = Buffer.concat([bytes.subarray(0, length), Buffer.alloc(bytes.length - length, 0xee)]);
      const found = outcome(builder, path, changed, OTHER_BOOT);
      expect(found === 'refused' || found < 5).toBe(true);
    }
  });
});

describe('a log with one changed byte', () => {
  for (const [situation, bootId] of BOOTS) {
    it(`is recovered to a prefix or refused, where ${situation}`, () => {
      const builder = smallLog();
      for (const [path, bytes] of builtFiles(builder)) {
        for (let at = 0; at < bytes.length; at += 1) {
          if (at > 128 && at < SEGMENT_HEADER_BYTES - 8) continue;
          const changed = Buffer.from(bytes);
          changed[at] ^= 1 << (at % 8);
          const found = outcome(builder, path, changed, bootId);
          if (at < SEGMENT_HEADER_BYTES) expect(found).toBe('refused');
          else expect(found === 'refused' || found < SMALL_LOG.length).toBe(true);
        }
      }
    });
  }

  it('is refused for every byte of the header page', () => {
    const builder = smallLog();
    const path = segmentPath(0, 2);
    const bytes = builtFiles(builder).get(path) ?? Buffer.alloc(0);
    for (let at = 0; at < SEGMENT_HEADER_BYTES; at += 61) {
      const changed = Buffer.from(bytes);
      changed[at] ^= 0x10;
      expect(outcome(builder, path, changed, SAME_BOOT)).toBe('refused');
    }
  });
});

describe('damage with good blocks behind it', () => {
  const path = segmentPath(1, 1);

  function damaged(builder: LogBuilder): Buffer {
    const bytes = Buffer.from(builtFiles(builder).get(path) ?? []);
    bytes[SEGMENT_HEADER_BYTES + 70] ^= 1;
    return bytes;
  }

  it('is refused where the machine kept its power, naming file, offset and the command', () => {
    const builder = smallLog();
    const { refusals } = scanPlaced(placeLog(builder, new Map([[path, damaged(builder)]])));
    expect(refusals).toEqual([
      `worker-001/wal-000000000001.log: bad payload checksum, and 2 good blocks behind it, at offset 4096; 'distcache check DIR --repair' shows what can be kept`,
    ]);
  });

  it('is refused after a loss of power where a later block says that it was on disk', () => {
    const builder = smallLog();
    expect(outcome(builder, path, damaged(builder), OTHER_BOOT)).toBe('refused');
  });

  it('is torn after a loss of power where nothing says that it was on disk', () => {
    const builder = createLogBuilder({ streams: 2, shards: 3, bootId: SAME_BOOT });
    addBlock(builder, 0, [{ shard: 0, records: [put('a', '1')] }]);
    addBlock(builder, 1, [{ shard: 1, records: [put('b', '2'), put('c', '3')] }]);
    addBlock(builder, 1, [{ shard: 1, records: [del('b')] }]);
    addBlock(builder, 0, [{ shard: 0, records: [put('a', '4')] }]);
    const world = placeLog(builder, new Map([[path, damaged(builder)]]));
    const result = scanPlaced(world, { bootId: OTHER_BOOT });
    expect(result.refusals).toEqual([]);
    expect(result.plan).toMatchObject({ lastBlock: 1, nextBlock: 2, droppedBlocks: 2, droppedRecords: 2 });
    expect(result.plan.cuts.map(({ text }) => text)).toEqual([
      'worker-000/wal-000000000001.log: 112 bytes cut at offset 4208: the stream from block 4 on (1 block, 1 record) follows block 2, which is missing',
      'worker-001/wal-000000000001.log: 248 bytes cut at offset 4096: torn at offset 4096 (bad payload checksum); the stream from block 3 on (1 block, 1 record) follows block 2, which is missing',
    ]);
  });

  it('is torn where only blocks from before the snapshot are said to have been on disk', () => {
    const builder = createLogBuilder({ streams: 1, shards: 1, bootId: SAME_BOOT });
    addBlock(builder, 0, [{ shard: 0, records: [put('a', '1')] }]);
    addBlock(builder, 0, [{ shard: 0, records: [put('b', '2')] }]);
    rotate(builder, 0);
    addBlock(builder, 0, [{ shard: 0, records: [put('c', '3')] }], 1);
    addBlock(builder, 0, [{ shard: 0, records: [put('d', '4')] }], 2);
    const second = segmentPath(0, 2);
    const bytes = Buffer.from(builtFiles(builder).get(second) ?? []);
    bytes[SEGMENT_HEADER_BYTES] ^= 1;
    const world = placeLog(builder, new Map([[second, bytes]]));
    const base: SnapshotSet = {
      ...{ set: 1, epoch: 1, shards: 1, startedAtMs: 1, finishedAtMs: 2, verified: true, firstBlock: 3 },
      files: [{ shard: 0, startLsn: 2, endLsn: 2, entries: 2, bytes: 1 }],
      cut: [{ stream: 0, sequence: 2 }],
    };
    const result = scanPlaced(world, { bootId: OTHER_BOOT, base });
    expect(result).toMatchObject({ refusals: [], plan: { lastBlock: 2, nextBlock: 3, droppedBlocks: 1 } });
    // Without the snapshot its blocks are read, and the same words mean as little.
    expect(scanPlaced(world, { bootId: OTHER_BOOT }).refusals).toEqual([]);
  });
});

describe('a torn end', () => {
  it('may be followed by a segment that was prepared and has no block yet', () => {
    for (const [, bootId] of BOOTS) {
      const builder = smallLog();
      rotate(builder, 0);
      const path = segmentPath(0, 2);
      const torn = builtFiles(builder).get(path)?.subarray(0, -1);
      expect(outcome(builder, path, torn, bootId)).toBe(5);
    }
  });

  it('is none where the stream goes on in the next segment and the machine kept its power', () => {
    const builder = smallLog();
    const path = segmentPath(0, 1);
    const torn = builtFiles(builder).get(path)?.subarray(0, -1);
    expect(outcome(builder, path, torn, SAME_BOOT)).toBe('refused');
  });

  it('is none in an epoch that was recovered before', () => {
    for (const [, bootId] of BOOTS) {
      const builder = smallLog();
      beginEpoch(builder);
      const path = segmentPath(0, 2);
      const torn = builtFiles(builder).get(path)?.subarray(0, -1);
      expect(outcome(builder, path, torn, bootId)).toBe('refused');
    }
  });
});

describe('a block with good checksums that cannot be right', () => {
  it('is refused even at the end, wherever the machine was', () => {
    for (const record of [{ effect: 77 }, { effect: 1, database: 63 }, { effect: 2, value: 'none' }]) {
      for (const [, bootId] of BOOTS) {
        const builder = smallLog();
        addBlock(builder, 0, [{ shard: 0, records: [put('good', ''), record] }]);
        const { refusals, plan } = scanPlaced(placeLog(builder), { bootId });
        expect(refusals).toHaveLength(1);
        expect(refusals[0]).toContain('worker-000/wal-000000000002.log: record malformed, at offset 4480');
        expect(plan.nextBlock).toBe(7);
      }
    }
  });

  it('is refused when its number is there twice', () => {
    const builder = smallLog();
    builder.nextBlock = 6;
    addBlock(builder, 1, [{ shard: 1, records: [put('x', 'y')] }]);
    expect(scanPlaced(placeLog(builder)).refusals[0]).toContain('block 6 is there twice');
  });
});

describe('segments that do not belong', () => {
  it('are refused when one is missing', () => {
    for (const [path] of builtFiles(smallLog())) {
      for (const [, bootId] of BOOTS) expect(outcome(smallLog(), path, undefined, bootId)).toBe('refused');
    }
  });

  it('are refused when two files were swapped', () => {
    const files = [...builtFiles(smallLog())];
    for (const [path] of files) {
      for (const [other, bytes] of files) {
        if (other !== path) expect(outcome(smallLog(), path, bytes, SAME_BOOT)).toBe('refused');
      }
    }
  });

  it('are refused with the header in words when they come from another log', () => {
    const shape = { streams: 2, shards: 3, bootId: SAME_BOOT };
    const cases: [problem: string, other: LogBuilder, path?: string][] = [
      ['stream is 0, not 1', createLogBuilder(shape), segmentPath(0, 1)],
      ['sequence number is 2, not 1', rotated(shape), segmentPath(1, 2)],
      ['number of shards is 4, not 3', createLogBuilder({ ...shape, shards: 4 })],
      ['number of databases is 2, not 16', createLogBuilder({ ...shape, databases: 2 })],
    ];
    for (const [problem, other, path = segmentPath(1, 1)] of cases) {
      const bytes = builtFiles(other).get(path);
      const world = placeLog(smallLog(), new Map([[segmentPath(1, 1), bytes]]));
      expect(scanPlaced(world).refusals[0]).toContain(
        `${segmentPath(1, 1)}: the header's ${problem}, at offset 0`,
      );
    }
  });
});

function rotated(shape: Parameters<typeof createLogBuilder>[0]): LogBuilder {
  const builder = createLogBuilder(shape);
  rotate(builder, 1);
  return builder;
}

describe('blocks of an older file behind the end of a segment', () => {
  it('are torn after a loss of power, and else damage', () => {
    const older = createLogBuilder({ streams: 2, shards: 3, bootId: 'older' });
    addBlock(older, 0, [{ shard: 0, records: [put('old', '1')] }]);
    const stale = builtFiles(older).get(segmentPath(0, 1))?.subarray(SEGMENT_HEADER_BYTES) ?? Buffer.alloc(0);
    const builder = smallLog();
    const path = segmentPath(0, 2);
    const bytes = Buffer.concat([builtFiles(builder).get(path) ?? Buffer.alloc(0), stale]);
    expect(outcome(builder, path, bytes, OTHER_BOOT)).toBe(SMALL_LOG.length);
    expect(outcome(builder, path, bytes, SAME_BOOT)).toBe('refused');
  });
});

describe('the chain of LSNs', () => {
  it('refuses a gap in the records of a shard', () => {
    const builder = smallLog();
    builder.lsns[1] += 1;
    addBlock(builder, 0, [{ shard: 1, records: [put('x', 'y')] }]);
    expect(scanPlaced(placeLog(builder)).refusals[0]).toContain(
      'LSN 4 of shard 1 comes next, and 5 stands here',
    );
  });

  it('refuses records that come twice', () => {
    const builder = smallLog();
    builder.lsns[1] -= 1;
    addBlock(builder, 0, [{ shard: 1, records: [put('x', 'y')] }]);
    expect(scanPlaced(placeLog(builder)).refusals[0]).toContain(
      'LSN 4 of shard 1 comes next, and 3 stands here',
    );
  });

  it('refuses a log that begins too far behind its snapshot', () => {
    const builder = createLogBuilder({ streams: 1, shards: 1, bootId: SAME_BOOT });
    builder.lsns[0] = 12;
    addBlock(builder, 0, [{ shard: 0, records: [put('x', 'y')] }]);
    const base = snapshotAt(10);
    expect(scanPlaced(placeLog(builder), { base }).refusals[0]).toContain(
      'LSN 11 of shard 0 comes next, and 12 stands here',
    );
    expect(scanPlaced(placeLog(builder), { base: snapshotAt(11) }).refusals).toEqual([]);
    expect(scanPlaced(placeLog(builder), { base: snapshotAt(20) }).plan.largestLsn).toBe(20);
  });

  it('counts what was logged while the snapshot may have been taken, and not what a later epoch has', () => {
    const builder = createLogBuilder({ streams: 1, shards: 1, bootId: SAME_BOOT });
    addBlock(builder, 0, [{ shard: 0, records: [put('x', 'y'), put('x', 'z')] }]);
    beginEpoch(builder);
    addBlock(builder, 0, [{ shard: 0, records: [del('x')] }]);
    const log = placeLog(builder);
    const base = snapshotAt(1);
    expect(scanPlaced(log, { base }).plan).toMatchObject({ records: 3, recordsOfSet: 2 });
    expect(scanPlaced(log, { base: { ...base, firstBlock: 2 } }).plan).toMatchObject({ recordsOfSet: 0 });
    expect(scanPlaced(log).plan).toMatchObject({ recordsOfSet: 0 });
  });

  function snapshotAt(startLsn: number): SnapshotSet {
    const files = [{ shard: 0, startLsn, endLsn: startLsn, entries: 0, bytes: 0 }];
    const times = { startedAtMs: 0, finishedAtMs: 0 };
    return { set: 1, epoch: 1, shards: 1, ...times, files, cut: [], firstBlock: 1, verified: true };
  }
});

describe('blocks that were there before', () => {
  it('refuses a log of a later epoch whose earlier part has become shorter', () => {
    const builder = smallLog();
    beginEpoch(builder);
    const path = segmentPath(0, 2);
    const bytes = builtFiles(builder).get(path) ?? Buffer.alloc(0);
    for (let length = SEGMENT_HEADER_BYTES; length < bytes.length; length += 8) {
      for (const [, bootId] of BOOTS) {
        const world = placeLog(builder, new Map([[path, bytes.subarray(0, length)]]));
        expect(scanPlaced(world, { bootId }).refusals).toHaveLength(1);
      }
    }
  });
});

describe('zeros at the end of a segment', () => {
  it('are cut, however many there are', () => {
    for (const zeros of [1, 7, 8, 63, 64, 65, 4096]) {
      for (const [, bootId] of BOOTS) {
        const builder = smallLog();
        const path = segmentPath(0, 2);
        const bytes = Buffer.concat([builtFiles(builder).get(path) ?? Buffer.alloc(0), Buffer.alloc(zeros)]);
        expect(outcome(builder, path, bytes, bootId)).toBe(SMALL_LOG.length);
      }
    }
  });
});

describe('cutting', () => {
  it('syncs every segment, so that the next epoch builds on what is on disk', () => {
    const world = placeLog(smallLog());
    const synced: number[] = [];
    const opened = new Map<number, string>();
    const storage = {
      ...world.disk,
      openWrite: (path: string) => {
        const fd = world.disk.openWrite(path);
        opened.set(fd, path);
        return fd;
      },
      sync: (fd: number) => {
        synced.push(fd);
        world.disk.sync(fd);
      },
    };
    applyCuts(storage, scanPlaced(world).plan);
    expect(synced.map((fd) => opened.get(fd))).toEqual([
      segmentPath(0, 1),
      segmentPath(0, 2),
      segmentPath(1, 1),
    ]);
  });
});
