/** Loading images: by runs and one by one, with doubles in one run and over several, into full and into used shards. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { keyCount } from '../../src/shard/databases.ts';
import { lsnOf } from '../../src/shard/entry.ts';
import { createImageMemory } from '../../src/shard/image-memory.ts';
import { scanBucket } from '../../src/shard/keyspace.ts';
import { LSN, NONE } from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import {
  canStage,
  createStaging,
  IMAGE_KNOWN,
  IMAGE_PLACED,
  type Images,
  indexStaged,
  putImage,
  raiseLsn,
  stageImages,
} from '../../src/shard/load.ts';
import { orderByClock } from '../../src/shard/recency-order.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { groupCount } from '../../src/shard/table.ts';
import { startWalk, WALK_MORE, walkSlice } from '../../src/shard/walk.ts';
import { createTestShard, expectWhole, find, keyText, START_MS, set, valueText } from '../support/shard.ts';

const DAY_MS = 24 * 3600 * 1000;

/** The images of database 0. */
function imagesOf(shard: Shard): Images {
  const memory = createImageMemory(Buffer.from(new ArrayBuffer(2 ** 20)), 0);
  const walk = startWalk(shard);
  let status = WALK_MORE;
  while (status === WALK_MORE) status = walkSlice(walk, memory);
  const { bytes, words, start, used: end } = memory;
  return { bytes, words, start, end, records: memory.records, database: 0, hasUseClocks: false };
}

function joined(one: Images, other: Images): Images {
  const bytes = Buffer.from(new ArrayBuffer(one.end + other.end));
  one.bytes.copy(bytes, 0, 0, one.end);
  other.bytes.copy(bytes, one.end, 0, other.end);
  const words = new Int32Array(bytes.buffer);
  return { ...one, bytes, words, end: bytes.length, records: one.records + other.records };
}

function contents(shard: Shard): Map<string, string> {
  const found = new Map<string, string>();
  let position = 0;
  do {
    position = scanBucket(shard, 0, position, (ref) => {
      if (found.has(keyText(shard, ref))) expect.fail(`${keyText(shard, ref)} is there twice`);
      found.set(keyText(shard, ref), `${valueText(shard, ref)} ${lsnOf(shard.entries, ref)}`);
    });
  } while (position < 2 ** 32);
  return found;
}

function finish(shard: Shard, lsn: number): void {
  raiseLsn(shard, lsn);
  orderByClock(shard, START_MS);
  expectWhole(shard);
}

/** A shard of before and after its every second key was changed. */
function versions(keys: number): { before: Images; after: Images; latest: Map<string, string>; lsn: number } {
  const shard = createTestShard();
  const put = (i: number, value: string) =>
    set(shard, `key:${i}`, value, { expiresAtMs: i % 3 === 0 ? START_MS + DAY_MS : 0 });
  for (let i = 0; i < keys; i += 1) put(i, 'before');
  const before = imagesOf(shard);
  for (let i = 0; i < keys; i += 2) put(i, 'changed since');
  return { before, after: imagesOf(shard), latest: contents(shard), lsn: shard.numbers[LSN] };
}

describe('two versions of keys', () => {
  const KEYS = 3000;

  it.each(['before, after', 'after, before'])('in one run leave the newer: %s', (order) => {
    const { before, after, latest, lsn } = versions(KEYS);
    const images = order === 'before, after' ? joined(before, after) : joined(after, before);
    const shard = createTestShard({ hashKey: [1, 2] });
    const staging = createStaging(shard, [KEYS], START_MS);
    expect(stageImages(staging, images)).toBe(true);
    expect(indexStaged(staging)).toBe(true);
    finish(shard, lsn);
    expect(contents(shard)).toEqual(latest);
  });

  it.each(['before, after', 'after, before'])('in two runs leave the newer: %s', (order) => {
    const { before, after, latest, lsn } = versions(KEYS);
    const shard = createTestShard({ hashKey: [1, 2] });
    // A table made for a few keys has to grow.
    const staging = createStaging(shard, [10], START_MS);
    for (const images of order === 'before, after' ? [before, after] : [after, before]) {
      expect(stageImages(staging, images)).toBe(true);
      expect(indexStaged(staging)).toBe(true);
    }
    finish(shard, lsn);
    expect(contents(shard)).toEqual(latest);
  });

  it('one by one leave the newer', () => {
    const { before, after, latest, lsn } = versions(KEYS);
    const shard = createTestShard({ hashKey: [1, 2] });
    raiseLsn(shard, lsn);
    const putAll = (images: Images) => {
      let placed = 0;
      for (let at = images.start / 4; at < images.end / 4; at += (images.words[at] >>> 2) * 2) {
        const result = putImage(shard, images, at, START_MS);
        expect([IMAGE_PLACED, IMAGE_KNOWN]).toContain(result);
        if (result === IMAGE_PLACED) placed += 1;
        if (result === IMAGE_PLACED && placed % 500 === 0) expectWhole(shard);
      }
      return placed;
    };
    expect([putAll(before), putAll(after), putAll(before)]).toEqual([KEYS, KEYS / 2, 0]);
    finish(shard, lsn);
    expect(contents(shard)).toEqual(latest);
  });
});

describe('a run', () => {
  it('is laid into the holes of a used shard as well as behind it', () => {
    const { after, latest, lsn } = versions(400);
    for (let seed = 1; seed <= 30; seed += 1) {
      const shard = createTestShard({ seed });
      for (let i = 0; i < 3000; i += 1) set(shard, `other:${i}`, 'x'.repeat((i * seed) % 50));
      for (let i = 0; i < 3000; i += 1) {
        const ref = find(shard, `other:${i}`);
        if (Math.floor(i / 600) % 2 === seed % 2) removeEntry(shard, ref);
      }
      const staging = createStaging(shard, [0], START_MS);
      expect(stageImages(staging, after)).toBe(true);
      expect(indexStaged(staging)).toBe(true);
      finish(shard, lsn);
      const found = contents(shard);
      for (const [key, value] of latest) expect(found.get(key)).toBe(value);
    }
  });

  it('makes a table of the expected size at once, which grows and shrinks as any other', () => {
    const { after, lsn } = versions(2000);
    const shard = createTestShard();
    const staging = createStaging(shard, [48_000], START_MS);
    stageImages(staging, after);
    indexStaged(staging);
    finish(shard, lsn);
    expect(groupCount(shard, 0)).toBe(2000);
    for (let i = 0; i < 2000; i += 1) {
      const ref = find(shard, `key:${i}`);
      expect(ref).not.toBe(NONE);
      removeEntry(shard, ref);
      if (i % 250 === 0) expectWhole(shard);
    }
    expect(keyCount(shard, 0)).toBe(0);
    expectWhole(shard);
  });

  it('that does not fit beside what is there changes nothing', () => {
    const { after } = versions(3000);
    for (const options of [{ limitBytes: 150_000 }, { keysMax: 100 }]) {
      const shard = createTestShard(options);
      set(shard, 'key', 'value');
      expect(stageImages(createStaging(shard, [0], START_MS), after)).toBe(false);
      expectWhole(shard);
    }
  });

  it('waits for the index with others of its database only', () => {
    const { after } = versions(10);
    const staging = createStaging(createTestShard(), [0, 0], START_MS);
    expect(canStage(staging, after)).toBe(true);
    stageImages(staging, after);
    expect(canStage(staging, after)).toBe(true);
    expect(canStage(staging, { ...after, database: 1 })).toBe(false);
    expect(canStage(staging, { ...after, records: 2 ** 21 })).toBe(false);
  });
});
