/** The manifest: whole, damaged, and written while the process dies or the power goes. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/base/checksum.ts';
import { StartError } from '../../src/base/errors.ts';
import {
  MANIFEST_NAME,
  MANIFEST_VERSION,
  type Manifest,
  readManifest,
  type SnapshotSet,
  writeManifest,
} from '../../src/durability/manifest.ts';
import { createRandom } from '../support/seeded-random.ts';
import { createSimulatedDisk, DiskStopped, type SimulatedDisk } from '../support/simulated-disk.ts';

const SNAPSHOT: SnapshotSet = {
  set: 7,
  epoch: 2,
  shards: 2,
  startedAtMs: 1_700_000_000_000,
  finishedAtMs: 1_700_000_000_250,
  files: [
    { shard: 0, startLsn: 10, endLsn: 12, entries: 5, bytes: 12_288 },
    { shard: 1, startLsn: 0, endLsn: 0, entries: 0, bytes: 8192 },
  ],
  cut: [
    { stream: 0, sequence: 41 },
    { stream: 1, sequence: 9 },
  ],
  firstBlock: 900,
  verified: false,
};

const OLD: Manifest = {
  version: MANIFEST_VERSION,
  epoch: 3,
  shards: 2,
  databases: 16,
  streams: [
    {
      stream: 0,
      segments: [
        { sequence: 41, epoch: 2, firstBlock: 880 },
        { sequence: 42, epoch: 3, firstBlock: 1000 },
      ],
    },
    { stream: 1, segments: [{ sequence: 9, epoch: 3, firstBlock: 1000 }] },
  ],
  snapshot: SNAPSHOT,
  previous: null,
  blockBase: 1000,
};

const NEW: Manifest = {
  ...OLD,
  epoch: 4,
  previous: { ...SNAPSHOT, set: 6, verified: true },
  blockBase: 2000,
};

function diskWith(manifest: Manifest): SimulatedDisk {
  const disk = createSimulatedDisk();
  writeManifest(disk, MANIFEST_NAME, manifest);
  return disk;
}

/** A file with a right checksum, whatever stands in it. */
function sealed(value: unknown): Buffer {
  const json = `${typeof value === 'string' ? value : JSON.stringify(value)}\n`;
  return Buffer.from(`${json}crc32 ${crc32(Buffer.from(json)).toString(16).padStart(8, '0')}\n`);
}

function readSealed(value: unknown): Manifest | undefined {
  const disk = createSimulatedDisk();
  disk.place(MANIFEST_NAME, sealed(value));
  return readManifest(disk, MANIFEST_NAME);
}

describe('a manifest', () => {
  it('that is not there is undefined', () => {
    expect(readManifest(createSimulatedDisk(), MANIFEST_NAME)).toBeUndefined();
  });

  it('is read as it was written, and replaced', () => {
    const disk = diskWith(OLD);
    expect(readManifest(disk, MANIFEST_NAME)).toEqual(OLD);
    writeManifest(disk, MANIFEST_NAME, NEW);
    expect(readManifest(disk, MANIFEST_NAME)).toEqual(NEW);
    expect(disk.list('.')).toEqual([MANIFEST_NAME]);
  });

  it('ends with the checksum of what stands before it', () => {
    const text = diskWith(OLD).contents(MANIFEST_NAME).toString();
    expect(text).toMatch(/\}\ncrc32 [0-9a-f]{8}\n$/);
  });

  it('cut off at any byte is a StartError that names the file', () => {
    const whole = diskWith(OLD).contents(MANIFEST_NAME);
    const disk = createSimulatedDisk();
    for (let bytes = 0; bytes < whole.length; bytes += 1) {
      disk.place(MANIFEST_NAME, whole.subarray(0, bytes));
      expect(() => readManifest(disk, MANIFEST_NAME)).toThrow(StartError);
    }
    expect(() => readManifest(disk, MANIFEST_NAME)).toThrow(
      "the manifest 'distcache.manifest' cannot be used: its last line is no checksum",
    );
  });

  it('with any bit flipped, or any byte replaced, is a StartError', () => {
    const whole = diskWith(OLD).contents(MANIFEST_NAME);
    const disk = createSimulatedDisk();
    for (let at = 0; at < whole.length; at += 1) {
      for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
        const changed = Buffer.from(whole);
        changed[at] ^= mask;
        disk.place(MANIFEST_NAME, changed);
        expect(() => readManifest(disk, MANIFEST_NAME)).toThrow(StartError);
      }
    }
  });

  it('with something behind its end is a StartError', () => {
    const disk = diskWith(OLD);
    disk.place(MANIFEST_NAME, Buffer.concat([disk.contents(MANIFEST_NAME), Buffer.from('\n')]));
    expect(() => readManifest(disk, MANIFEST_NAME)).toThrow(StartError);
  });

  it('larger than any could be is not even read', () => {
    const disk = createSimulatedDisk();
    disk.truncate(disk.createFile(MANIFEST_NAME), 17 * 2 ** 20);
    expect(() => readManifest(disk, MANIFEST_NAME)).toThrow('it is larger than');
  });

  it('that the disk does not give is a system error, no damage', () => {
    const disk = diskWith(OLD);
    disk.failNext('read', 'EIO');
    expect(() => readManifest(disk, MANIFEST_NAME)).toThrow(/^EIO/);
  });
});

describe('the shape of a manifest', () => {
  const bad: readonly [string, unknown][] = [
    ['the manifest must be an object', null],
    ['the manifest must be an object', []],
    ['version must be 1', { ...OLD, version: 2 }],
    ['version must be 1', {}],
    ['epoch must be a whole number', { ...OLD, epoch: 1.5 }],
    ['epoch must be a whole number', { ...OLD, epoch: -1 }],
    ['epoch must be a whole number', { ...OLD, epoch: '3' }],
    ['blockBase must be a whole number', { ...OLD, blockBase: 2 ** 53 }],
    ['shards must be a whole number from 1 to', { ...OLD, shards: 0 }],
    ['databases must be a whole number from 1 to 64', { ...OLD, databases: 65 }],
    ['streams must be a list', { ...OLD, streams: {} }],
    ['streams[0] must be an object', { ...OLD, streams: [1] }],
    ['streams[0].segments must be a list', { ...OLD, streams: [{ stream: 0 }] }],
    ['streams[0].stream must be a whole number', { ...OLD, streams: [{ segments: [] }] }],
    ['streams[1].stream must be larger than the one before it', withStreams([0, [1]], [0, [1]])],
    ['streams[0].segments[1].sequence must be larger than', withStreams([0, [2, 2]])],
    ['streams[0].segments[1].sequence must be 3, with no gap before it', withStreams([0, [2, 4]])],
    ['snapshot must be an object', { ...OLD, snapshot: undefined }],
    ['previous must be an object', { ...OLD, previous: 3 }],
    ['snapshot.set must be a whole number', withSnapshot({ set: null })],
    ['snapshot.verified must be true or false', withSnapshot({ verified: 1 })],
    ['snapshot.files must be one for each of its 3 shards', withSnapshot({ shards: 3 })],
    [
      'snapshot.files must be one for each of its 1 shards',
      withSnapshot({ shards: 1, files: [SNAPSHOT.files[1]] }),
    ],
    [
      'snapshot.files[0].endLsn must be a whole number from 10',
      withSnapshot({ shards: 1, files: [{ ...SNAPSHOT.files[0], endLsn: 9 }] }),
    ],
    ['snapshot.cut[0].sequence must be a whole number', withSnapshot({ cut: [{ stream: 0 }] })],
  ];

  it.each(bad)('%s', (problem, value) => {
    expect(() => readSealed(value)).toThrow(StartError);
    expect(() => readSealed(value)).toThrow(problem);
  });

  it('misses no field: each one left out is named', () => {
    const paths = fieldPaths(NEW);
    expect(paths.length).toBeGreaterThan(40);
    for (const path of paths) {
      const name = path.replace(/\.(\d+)/g, '[$1]');
      expect(() => readSealed(without(NEW, path.split('.'))), name).toThrow(`cannot be used: ${name} `);
    }
  });

  it('that is no JSON at all is told', () => {
    expect(() => readSealed('{"version":')).toThrow('it is no JSON');
  });

  it('is checked before it is written, too', () => {
    const disk = diskWith(OLD);
    expect(() => writeManifest(disk, MANIFEST_NAME, { ...NEW, epoch: -1 })).toThrow(
      'epoch is a whole number',
    );
    expect(readManifest(disk, MANIFEST_NAME)).toEqual(OLD);
  });
});

describe('writing a manifest', () => {
  const operations = (() => {
    const disk = diskWith(OLD);
    const before = disk.operationCount();
    writeManifest(disk, MANIFEST_NAME, NEW);
    return disk.operationCount() - before;
  })();

  /** The disk of a process that was stopped after so many operations of the second write. */
  function stoppedDisk(after: number, seed: number): SimulatedDisk {
    const disk = createSimulatedDisk(seed);
    writeManifest(disk, MANIFEST_NAME, OLD);
    disk.stopAt(disk.operationCount() + after);
    if (after < operations) expect(() => writeManifest(disk, MANIFEST_NAME, NEW)).toThrow(DiskStopped);
    else writeManifest(disk, MANIFEST_NAME, NEW);
    return disk;
  }

  it('and dying at any operation, by death or power cut, leaves the old one or the new one', () => {
    expect(operations).toBe(5);
    const found = new Set<string>();
    for (let after = 0; after <= operations; after += 1) {
      for (let seed = 1; seed <= 60; seed += 1) {
        const disk = stoppedDisk(after, seed);
        for (const next of [
          disk.kill(),
          disk.crash(createRandom(seed)),
          disk.kill().crash(createRandom(seed)),
        ]) {
          const manifest = readManifest(next, MANIFEST_NAME);
          expect([OLD, NEW]).toContainEqual(manifest);
          if (after === operations) expect(manifest).toEqual(NEW);
          found.add(`${after}: ${manifest?.epoch}`);
          // The next process writes over whatever was left aside.
          writeManifest(next, MANIFEST_NAME, NEW);
          expect(readManifest(next.crash(createRandom(seed)), MANIFEST_NAME)).toEqual(NEW);
        }
      }
    }
    expect([...found].sort()).toEqual(['0: 3', '1: 3', '2: 3', '3: 3', '4: 3', '4: 4', '5: 4']);
  });

  it('that fails at any operation leaves the old one or the new one, and works when the disk does', () => {
    for (const operation of ['createFile', 'write', 'sync', 'rename', 'syncFolder'] as const) {
      for (let seed = 1; seed <= 30; seed += 1) {
        const disk = createSimulatedDisk(seed);
        writeManifest(disk, MANIFEST_NAME, OLD);
        disk.failNext(operation, 'EIO');
        expect(() => writeManifest(disk, MANIFEST_NAME, NEW), operation).toThrow(/^EIO/);
        expect([OLD, NEW]).toContainEqual(readManifest(disk.crash(createRandom(seed)), MANIFEST_NAME));
        writeManifest(disk, MANIFEST_NAME, NEW);
        expect(readManifest(disk.crash(createRandom(seed)), MANIFEST_NAME)).toEqual(NEW);
      }
    }
  });

  it('on a full disk is a system error', () => {
    const disk = diskWith(OLD);
    disk.setFreeBytes(10);
    expect(() => writeManifest(disk, MANIFEST_NAME, NEW)).toThrow(/^ENOSPC/);
    expect(readManifest(disk, MANIFEST_NAME)).toEqual(OLD);
  });

  it('makes the first one of a folder, or none', () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      for (let after = 0; after <= 5; after += 1) {
        const disk = createSimulatedDisk(seed);
        disk.stopAt(after);
        if (after < 5) expect(() => writeManifest(disk, MANIFEST_NAME, NEW)).toThrow(DiskStopped);
        else writeManifest(disk, MANIFEST_NAME, NEW);
        const found = readManifest(disk.crash(createRandom(seed)), MANIFEST_NAME);
        if (after === 5) expect(found).toEqual(NEW);
        else expect([undefined, NEW]).toContainEqual(found);
      }
    }
  });
});

function withStreams(...streams: [stream: number, sequences: number[]][]): unknown {
  const segments = (sequences: number[]) =>
    sequences.map((sequence) => ({ sequence, epoch: 3, firstBlock: 0 }));
  return {
    ...OLD,
    streams: streams.map(([stream, sequences]) => ({ stream, segments: segments(sequences) })),
  };
}

function withSnapshot(change: object): unknown {
  return { ...OLD, snapshot: { ...SNAPSHOT, ...change } };
}

/** Every field of a value, as `streams.0.segments`; items of lists are no fields. */
function fieldPaths(value: unknown, at = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const path = at === '' ? name : `${at}.${name}`;
    return [...(Array.isArray(value) ? [] : [path]), ...fieldPaths(inner, path)];
  });
}

function without(value: unknown, [name, ...rest]: string[]): unknown {
  if (Array.isArray(value))
    return value.map((item, index) => (String(index) === name ? without(item, rest) : item));
  const { [name]: inner, ...others } = value as Record<string, unknown>;
  return rest.length === 0 ? others : { ...others, [name]: without(inner, rest) };
}
