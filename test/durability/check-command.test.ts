/** `distcache check`: what it finds, what a repair shows, asks, keeps aside and does. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { type CheckOptions, runCheck } from '../../src/durability/check-command.ts';
import { acquireDirectoryLock, releaseDirectoryLock } from '../../src/durability/directory-lock.ts';
import { segmentPath, snapshotPath } from '../../src/durability/file-names.ts';
import {
  MANIFEST_NAME,
  type Manifest,
  readManifest,
  type SnapshotSet,
  writeManifest,
} from '../../src/durability/manifest.ts';
import { scanLog } from '../../src/durability/recovery-scan.ts';
import { placeLog, replayedRecords, SAME_BOOT } from '../support/built-log.ts';
import { buildSnapshot } from '../support/built-snapshot.ts';
import {
  addBlock,
  beginEpoch,
  builtFiles,
  createLogBuilder,
  type LogBuilder,
  put,
  rotate,
} from '../support/log-builder.ts';
import { createSimulatedDisk, type SimulatedDisk } from '../support/simulated-disk.ts';

type Ran = { code: number; lines: string[]; questions: number };

async function check(disk: SimulatedDisk, options: Partial<CheckOptions> = {}, answer = false): Promise<Ran> {
  const lines: string[] = [];
  let questions = 0;
  const terminal = {
    print: (line: string) => void lines.push(line),
    confirm: async () => {
      questions += 1;
      return answer;
    },
  };
  const code = await runCheck(disk, terminal, { folder: 'DIR', isRepair: false, isSure: false, ...options });
  return { code, lines, questions };
}

/** Two streams, two shards; stream 0 has two segments. */
function builderOf(): LogBuilder {
  const builder = createLogBuilder({ streams: 2, shards: 2, bootId: SAME_BOOT });
  addBlock(builder, 0, [{ shard: 0, records: [put('a', '1')] }]);
  addBlock(builder, 1, [{ shard: 1, records: [put('b', '2')] }]);
  rotate(builder, 0);
  addBlock(builder, 0, [{ shard: 0, records: [put('a', '3'), put('c', '4')] }]);
  addBlock(builder, 1, [{ shard: 1, records: [put('b', '5')] }]);
  addBlock(builder, 1, [{ shard: 1, records: [put('d', '6'), put('d', '7')] }]);
  return builder;
}

function place(
  builder: LogBuilder,
  changes: ReadonlyMap<string, Buffer | undefined> = new Map(),
  more: Partial<Manifest> = {},
) {
  const { disk, manifest } = placeLog(builder, changes);
  writeManifest(disk, MANIFEST_NAME, { ...manifest, ...more });
  return disk;
}

function flipped(builder: LogBuilder, path: string, at: number): Map<string, Buffer> {
  const bytes = Buffer.from(builtFiles(builder).get(path) ?? []);
  bytes[at] ^= 1;
  return new Map([[path, bytes]]);
}

/** What a start would recover now. */
function recovered(disk: SimulatedDisk): string[] {
  const manifest = readManifest(disk, MANIFEST_NAME);
  if (manifest === undefined) throw new Error('no manifest');
  const result = scanLog({
    storage: disk,
    manifest,
    base: manifest.snapshot,
    bootId: SAME_BOOT,
    folder: 'DIR',
  });
  expect(result.refusals).toEqual([]);
  return replayedRecords({ disk, manifest }, result);
}

describe('a folder that is good', () => {
  it('is said to be, with what is in it', async () => {
    const { code, lines } = await check(place(builderOf()));
    expect(lines).toEqual([
      'distcache.manifest: epoch 1, 2 shards, 2 streams of 3 segments',
      'log: 5 blocks, 7 records, 608 bytes, up to block 5',
      'DIR is good',
    ]);
    expect(code).toBe(0);
  });

  it('may have a torn end, which is told and left alone', async () => {
    const builder = builderOf();
    const path = segmentPath(1, 1);
    const torn = builtFiles(builder).get(path)?.subarray(0, -1);
    const disk = place(builder, new Map([[path, torn]]));
    const { code, lines } = await check(disk, { isRepair: true });
    expect(code).toBe(0);
    expect(lines).toContain(
      'torn end, which the next start cuts: worker-001/wal-000000000001.log: 135 bytes cut at offset 4320: torn at offset 4320 (payload cut)',
    );
    expect(disk.contents(path)).toEqual(torn);
  });

  it('may be empty', async () => {
    expect(await check(createSimulatedDisk())).toMatchObject({
      code: 0,
      lines: ['DIR holds no data: there is no distcache.manifest'],
    });
  });
});

describe('a folder that cannot be checked', () => {
  it('is one that a server has', async () => {
    const disk = place(builderOf());
    const lock = acquireDirectoryLock(disk, '.');
    await expect(check(disk)).rejects.toThrow('is in use by process');
    releaseDirectoryLock(disk, lock);
    expect(await check(disk)).toMatchObject({ code: 0 });
  });

  it('is one whose manifest is missing or damaged', async () => {
    const disk = place(builderOf());
    const manifest = disk.contents(MANIFEST_NAME);
    disk.remove(MANIFEST_NAME);
    await expect(check(disk)).rejects.toThrow(
      'DIR: distcache.manifest is missing, and worker-000, worker-001',
    );
    manifest[10] ^= 1;
    disk.place(MANIFEST_NAME, manifest);
    await expect(check(disk)).rejects.toThrow("the manifest 'distcache.manifest' cannot be used");
  });
});

describe('a damaged log', () => {
  const path = segmentPath(1, 1);
  const damage = () => place(builderOf(), flipped(builderOf(), path, 4096 + 70));

  it('is told, with the command that repairs it, and left alone', async () => {
    const disk = damage();
    const before = disk.contents(path);
    const { code, lines } = await check(disk);
    expect(code).toBe(1);
    expect(lines.slice(1)).toEqual([
      `damaged: ${path}: bad payload checksum, and 2 good blocks behind it, at offset 4096; 'distcache check DIR --repair' shows what can be kept`,
      'DIR is damaged',
      `'distcache check DIR --repair' shows what can be kept, and asks`,
    ]);
    expect(disk.contents(path)).toEqual(before);
  });

  it('is left alone when the answer is no, after what would go was shown', async () => {
    const disk = damage();
    const before = disk.contents(path);
    const { code, lines, questions } = await check(disk, { isRepair: true });
    expect({ code, questions }).toEqual({ code: 1, questions: 1 });
    expect(lines.slice(3)).toEqual([
      'worker-000/wal-000000000002.log: 136 bytes would go, from offset 4096 on',
      'worker-001/wal-000000000001.log: 360 bytes would go, from offset 4096 on',
      '3 readable blocks would go, from block 3 on:',
      '  shard 0: 2 records from LSN 2 on, of 2 keys',
      '  shard 1: 3 records from LSN 2 on, of 2 keys',
      'kept: 1 blocks with 1 records behind no snapshot, up to block 1',
      'nothing was changed',
    ]);
    expect(disk.contents(path)).toEqual(before);
  });

  it('is cut when the answer is yes, and what was there is kept aside', async () => {
    const disk = damage();
    const before = disk.contents(path);
    const { code, lines } = await check(disk, { isRepair: true }, true);
    expect(lines.slice(-3)).toEqual([
      'kept aside: worker-000/wal-000000000002.log.damaged-1',
      'kept aside: worker-001/wal-000000000001.log.damaged-1',
      'DIR is good',
    ]);
    expect(code).toBe(0);
    expect(disk.contents(`${path}.damaged-1`)).toEqual(before);
    expect(recovered(disk)).toEqual(['1/0/1 1 0 a=1']);
    expect(await check(disk)).toMatchObject({ code: 0 });
  });

  it('is repaired without a question where --yes stands', async () => {
    const disk = damage();
    expect(await check(disk, { isRepair: true, isSure: true })).toMatchObject({ code: 0, questions: 0 });
    expect(recovered(disk)).toEqual(['1/0/1 1 0 a=1']);
  });

  it('is repaired in an epoch that an earlier recovery had whole', async () => {
    const builder = builderOf();
    beginEpoch(builder);
    addBlock(builder, 0, [{ shard: 0, records: [put('late', '8')] }]);
    const disk = place(builder, flipped(builder, path, 4096 + 70));
    expect(await check(disk, { isRepair: true, isSure: true })).toMatchObject({ code: 0 });
    expect(recovered(disk)).toEqual(['1/0/1 1 0 a=1']);
  });

  it('is repaired around a segment that is missing or has no header', async () => {
    const lost = segmentPath(0, 2);
    for (const bytes of [undefined, Buffer.alloc(5000, 1)]) {
      const disk = place(builderOf(), new Map([[lost, bytes]]));
      const { code } = await check(disk, { isRepair: true, isSure: true });
      expect(code).toBe(0);
      expect(recovered(disk)).toEqual(['1/0/1 1 0 a=1', '1/1/1 1 0 b=2']);
      expect(disk.exists(lost)).toBe(false);
      expect(disk.exists(`${lost}.damaged-1`)).toBe(bytes !== undefined);
    }
  });
});

describe('a damaged snapshot', () => {
  const entries = [['k', 'v']] as const;

  function setOf(
    disk: SimulatedDisk,
    set: number,
    lsn: number,
    firstBlock: number,
    sequence: number,
  ): SnapshotSet {
    const files = [0, 1].map((shard) => {
      const bytes = buildSnapshot({ shard, shards: 2, set, epoch: 1, lsn, entries });
      disk.makeFolder(`shard-00${shard}`);
      disk.place(snapshotPath(shard, set), bytes);
      return { shard, startLsn: lsn, endLsn: lsn, entries: 1, bytes: bytes.length };
    });
    const cut = [
      { stream: 0, sequence },
      { stream: 1, sequence: 1 },
    ];
    const times = { startedAtMs: 1, finishedAtMs: 2 };
    return { set, epoch: 1, shards: 2, ...times, files, cut, firstBlock, verified: true };
  }

  function placeBoth(): SimulatedDisk {
    const builder = builderOf();
    const { disk, manifest } = placeLog(builder);
    const previous = setOf(disk, 1, 1, 1, 1);
    const snapshot = setOf(disk, 2, 1, 3, 2);
    writeManifest(disk, MANIFEST_NAME, { ...manifest, snapshot, previous });
    return disk;
  }

  function damageFile(disk: SimulatedDisk, path: string): void {
    const bytes = disk.contents(path);
    bytes[4096 + 80] ^= 1;
    disk.place(path, bytes);
  }

  it('is not there when all is good', async () => {
    const { code, lines } = await check(placeBoth());
    expect(lines.slice(1, 4)).toEqual([
      'snapshot set 2: 2 files, 2 entries, 24576 bytes',
      'the one before it, set 1: 2 files, 2 entries, 24576 bytes',
      'log: 3 blocks, 5 records, 384 bytes, up to block 5',
    ]);
    expect(code).toBe(0);
  });

  it('is replaced by the one before it and a longer piece of the log', async () => {
    const disk = placeBoth();
    damageFile(disk, snapshotPath(1, 2));
    const { code, lines } = await check(disk, { isRepair: true }, true);
    expect(lines.join('\n')).toContain('damaged: shard-001/snapshot-000000000002.snap: ');
    expect(lines).toContain('snapshot set 2 is left out: set 1 and the log behind it are used');
    expect(lines.at(-1)).toBe('DIR is good');
    expect(code).toBe(0);
    expect(disk.exists('shard-001/snapshot-000000000002.snap.damaged-1')).toBe(true);
    expect(readManifest(disk, MANIFEST_NAME)).toMatchObject({ snapshot: { set: 1 }, previous: null });
    expect(recovered(disk)).toHaveLength(7);
  });

  it('is forgotten when it is the older one', async () => {
    const disk = placeBoth();
    damageFile(disk, snapshotPath(0, 1));
    expect(await check(disk)).toMatchObject({ code: 1 });
    expect(await check(disk, { isRepair: true }, true)).toMatchObject({ code: 0 });
    expect(readManifest(disk, MANIFEST_NAME)).toMatchObject({ snapshot: { set: 2 }, previous: null });
  });

  it('cannot be repaired when there is no other', async () => {
    const disk = placeBoth();
    damageFile(disk, snapshotPath(0, 1));
    damageFile(disk, snapshotPath(0, 2));
    const { code, lines } = await check(disk, { isRepair: true }, true);
    expect(code).toBe(1);
    expect(lines.at(-1)).toBe(
      'no snapshot is whole: there is nothing to begin a repair with. Nothing was changed',
    );
  });

  it('is one that is missing, or is not what the manifest says', async () => {
    const disk = placeBoth();
    disk.remove(snapshotPath(0, 2));
    disk.place(snapshotPath(1, 2), disk.contents(snapshotPath(1, 1)));
    const { lines } = await check(disk);
    expect(lines).toContain(
      'damaged: shard-000/snapshot-000000000002.snap: the snapshot is missing, at offset 0',
    );
    expect(lines).toContain(
      'damaged: shard-001/snapshot-000000000002.snap: its set is 1, not 2, at offset 0',
    );
  });
});
