/** Writing snapshots: while the shard changes, while databases are flushed and swapped, on disks that fail and at every crash. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/base/checksum.ts';
import { snapshotPath } from '../../src/durability/file-names.ts';
import { verifySnapshot } from '../../src/durability/snapshot-reader.ts';
import { writeSnapshot } from '../../src/durability/snapshot-writer.ts';
import { flushDatabase, swapDatabases } from '../../src/shard/databases.ts';
import { lsnOf, writeLsn } from '../../src/shard/entry.ts';
import { LSN, NONE } from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { createRandom, type Random } from '../support/seeded-random.ts';
import { expectWhole, find } from '../support/shard.ts';
import { createSimulatedDisk, DiskStopped, type SimulatedDisk } from '../support/simulated-disk.ts';
import { contentsOf, createDeck, type Deck, loadAll, planFor, put, save } from '../support/snapshots.ts';

const PATH = snapshotPath(0, 1);
const OLD = Buffer.from('the snapshot of before');

/** A change as its record has it: the value that the key has from that LSN on, or none. */
type Change = { readonly lsn: number; readonly name: string; readonly value: string | undefined };

/** Values by name, long ones by their checksum. */
function valuesOf({ shards }: Deck): Map<string, string> {
  const values = new Map<string, string>();
  for (const [name, text] of contentsOf(shards)) {
    const value = text.slice(0, text.indexOf(' until '));
    values.set(name, value.length < 100 ? value : `${value.length}: ${crc32(Buffer.from(value))}`);
  }
  return values;
}

/** One random SET or DEL, with its record. */
function change(deck: Deck, keys: number, random: Random, valueBytesMax: number): Change {
  const [shard] = deck.shards;
  const database = random(2);
  const key = `key:${random(keys)}`;
  const name = `${database}/${key}`;
  if (random(3) === 0) {
    const ref = find(shard, key, { database });
    if (ref !== NONE) removeEntry(shard, ref);
    return { lsn: shard.numbers[LSN], name, value: undefined };
  }
  const value = `${shard.numbers[LSN]}`.padEnd(random(valueBytesMax), 'v');
  const ref = put(deck, key, value, { database });
  return { lsn: lsnOf(shard.entries, ref), name, value };
}

/** Replay as the contract has it: records up to the start are in the file, and so are those no newer than the entry. */
function replay(deck: Deck, changes: readonly Change[], startLsn: number): void {
  const [shard] = deck.shards;
  for (const { lsn, name, value } of changes) {
    const database = Number(name[0]);
    const key = name.slice(2);
    const ref = find(shard, key, { database });
    if (lsn <= startLsn || (ref !== NONE && lsnOf(shard.entries, ref) >= lsn)) continue;
    if (value !== undefined) writeLsn(shard.entries, put(deck, key, value, { database }), lsn);
    else if (ref !== NONE) removeEntry(shard, ref);
    shard.numbers[LSN] = Math.max(shard.numbers[LSN], lsn);
  }
}

function snapshotUnderChange(seed: number, keys: number, perPause: number, valueBytesMax: number): number {
  const random = createRandom(seed);
  // So much that nothing is evicted: the model has no records of that.
  const limitBytes = 256 * 2 ** 20;
  const deck = createDeck(1, { limitBytes });
  const changes: Change[] = [];
  for (let i = 0; i < keys * 2; i += 1) change(deck, keys, random, valueBytesMax);
  const disk = createSimulatedDisk();
  let pauses = 0;
  const outcome = save(disk, deck, 0, () => {
    pauses += 1;
    // What comes shrinks the table in one half of the time and grows it in the other.
    const range = pauses % 100 < 50 ? keys * 4 : keys;
    for (let i = 0; i < random(perPause); i += 1) changes.push(change(deck, range, random, valueBytesMax));
  });
  expect(outcome.ok).toBe(true);
  const other = createDeck(1, { limitBytes });
  loadAll(disk, other, 1);
  if (outcome.ok) replay(other, changes, outcome.startLsn);
  expectWhole(other.shards[0]);
  expect(valuesOf(other)).toEqual(valuesOf(deck));
  return pauses;
}

describe('a snapshot written while the shard changes', () => {
  it('is the shard, together with the changes since it began', () => {
    for (let seed = 1; seed <= 6; seed += 1) snapshotUnderChange(seed, 2000, 400, 30);
  });

  it('is so when groups have more bytes than a slice, and entries more than a section', () => {
    for (let seed = 1; seed <= 2; seed += 1)
      expect(snapshotUnderChange(seed, 30, 5, seed === 1 ? 1_300_000 : 40_000)).toBeGreaterThan(3);
  });

  it('begins again when a database was flushed or swapped', () => {
    for (const upset of [flushDatabase, (shard: Shard) => swapDatabases(shard, 0, 1)]) {
      const deck = createDeck(1);
      for (let i = 0; i < 3000; i += 1) put(deck, `key:${i}`, '', { database: i % 2 });
      const disk = createSimulatedDisk();
      let pauses = 0;
      const outcome = save(disk, deck, 0, () => {
        pauses += 1;
        if (pauses === 5) upset(deck.shards[0], 0);
        put(deck, `late:${pauses}`, '');
      });
      expect(outcome).toMatchObject({ ok: true });
      if (outcome.ok) expect(outcome.startLsn).toBeGreaterThanOrEqual(3005);
      expect(verifySnapshot(disk, PATH)).toMatchObject({ ok: true });
    }
  });

  it('gives up when that happens again and again', () => {
    const deck = createDeck(1);
    const outcome = save(createSimulatedDisk(), deck, 0, () => {
      put(deck, 'key', '');
      flushDatabase(deck.shards[0], 0);
    });
    expect(outcome).toEqual({
      ok: false,
      text: 'databases were flushed or swapped 64 times while the snapshot was written',
    });
  });

  it('can be called off, and leaves nothing', () => {
    const deck = createDeck(1);
    const disk = createSimulatedDisk();
    expect(save(disk, deck, 0, () => false)).toEqual({ ok: false, text: 'the snapshot was called off' });
    expect(disk.list('shard-000')).toEqual([]);
  });

  it('leaves out what a flush has taken, and tells its progress', () => {
    const deck = createDeck(1);
    for (let i = 0; i < 500; i += 1) put(deck, `key:${i}`, '');
    flushDatabase(deck.shards[0], 0);
    put(deck, 'after', '');
    const sums: number[][] = [];
    const watch = { pause: () => true, progress: (...sum: number[]) => void sums.push(sum) };
    const outcome = writeSnapshot(createSimulatedDisk(), deck.shards[0], planFor(deck, 0), watch);
    expect(outcome).toMatchObject({ ok: true, entries: 1, bytes: 3 * 4096 });
    expect(sums).toEqual([[1, 2 * 4096]]);
  });
});

describe('a disk that fails', () => {
  it.each([
    ['makeFolder', 'EACCES'],
    ['createFile', 'EMFILE'],
    ['truncate', 'EIO'],
    ['write', 'ENOSPC'],
    ['sync', 'EIO'],
    ['rename', 'EIO'],
  ] as const)('at %s leaves no half file behind, and its error is told', (operation, code) => {
    const deck = createDeck(1);
    put(deck, 'key', 'value');
    const disk = createSimulatedDisk();
    disk.failNext(operation, code);
    const outcome = save(disk, deck);
    expect(outcome).toMatchObject({ ok: false, text: expect.stringMatching(`^${PATH}: ${code}`) });
    expect(disk.list('shard-000')).toEqual([]);
    expect(save(disk, deck)).toMatchObject({ ok: true });
  });

  it('that is full leaves the old file as it was', () => {
    const deck = createDeck(1);
    for (let i = 0; i < 5000; i += 1) put(deck, `key:${i}`, '');
    const disk = createSimulatedDisk();
    disk.place(PATH, OLD);
    disk.setFreeBytes(100_000);
    expect(save(disk, deck)).toMatchObject({ ok: false, text: expect.stringContaining('ENOSPC') });
    expect(disk.contents(PATH)).toEqual(OLD);
  });
});

describe('a crash', () => {
  const deck = createDeck(1);
  for (let i = 0; i < 3000; i += 1) put(deck, `key:${i}`, 'x'.repeat(i % 900));

  function expectOldOrNew(disk: SimulatedDisk): boolean {
    const isOld = disk.contents(PATH).equals(OLD);
    if (!isOld) {
      const other = createDeck(1);
      expect(loadAll(disk, other, 1)).toMatchObject([{ ok: true, entries: 3000 }]);
    }
    return isOld;
  }

  it('at any operation leaves the old file or the new one, whole', () => {
    let isDone = false;
    let old = 0;
    for (let operations = 0; !isDone; operations += 1) {
      const disk = createSimulatedDisk(operations + 1);
      disk.place(PATH, OLD);
      disk.stopAt(operations);
      try {
        expect(save(disk, deck)).toMatchObject({ ok: true });
        isDone = true;
      } catch (error) {
        if (!(error instanceof DiskStopped)) throw error;
      }
      if (expectOldOrNew(disk.kill())) old += 1;
      for (let seed = 1; seed <= 4; seed += 1) {
        const after = disk.crash(createRandom(operations * 10 + seed));
        const isOld = expectOldOrNew(after);
        if (isDone) expect(isOld).toBe(false);
        expect(save(after, deck)).toMatchObject({ ok: true });
      }
    }
    expect(old).toBeGreaterThan(5);
  });
});

describe('what another snapshot left aside', () => {
  it('does not matter', () => {
    const deck = createDeck(1);
    put(deck, 'key', 'value');
    const disk = createSimulatedDisk();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20_000 }), (bytes) => {
        disk.place(`${PATH}.tmp`, bytes);
        expect(save(disk, deck)).toMatchObject({ ok: true });
        expect(verifySnapshot(disk, PATH)).toMatchObject({ ok: true, entries: 1 });
        expect(disk.list('shard-000')).toHaveLength(1);
      }),
      { numRuns: 10 },
    );
  });
});
