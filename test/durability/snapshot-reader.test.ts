/** Damaged snapshots: every truncation, every flipped byte, and each kind of damage by its name. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/base/checksum.ts';
import { snapshotPath } from '../../src/durability/file-names.ts';
import { verifySnapshot } from '../../src/durability/snapshot-reader.ts';
import { writeSnapshot } from '../../src/durability/snapshot-writer.ts';
import type { Storage } from '../../src/durability/storage-types.ts';
import { createSimulatedDisk } from '../support/simulated-disk.ts';
import { append, createDeck, load, planFor, put, save } from '../support/snapshots.ts';

const PAGE = 4096;
const PATH = snapshotPath(0, 1);

/** Two sections, some forms of entries. */
function smallSnapshot(set = 1): Buffer {
  const deck = createDeck(1);
  put(deck, 'user:1', 'Ada', { expiresAtMs: 1_800_000_000_000 });
  append(deck, 'user:2', put(deck, 'user:2', 'Grace'), 5, ' Hopper');
  put(deck, 'user:3', '', { database: 2 });
  const disk = createSimulatedDisk();
  save(disk, deck);
  if (set !== 1) {
    const plan = { ...planFor(deck, 0), set };
    writeSnapshot(disk, deck.shards[0], plan, { pause: () => true, progress: () => undefined });
  }
  return disk.contents(PATH);
}

/** A disk with one file, without the simulation's copies: the exhaustive tests read it some 30,000 times. */
function verdictOn(bytes: Buffer): ReturnType<typeof verifySnapshot> {
  const storage: Storage = {
    ...createSimulatedDisk(),
    openRead: () => 1,
    close: () => undefined,
    size: () => bytes.length,
    read: (_, target, start, end, position) => bytes.copy(target, start, position, position + end - start),
  };
  return verifySnapshot(storage, PATH);
}

function changed(at: number, value: number | string, original = smallSnapshot()): Buffer {
  const bytes = Buffer.from(original);
  if (typeof value === 'string') bytes.write(value, at, 'latin1');
  else bytes.writeUInt32LE(value, at);
  return bytes;
}

/** Makes the checksum of a page right again. */
function resealPage(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(at + 12, at + PAGE)), at + 8);
  return bytes;
}

/** Makes the checksums of the section at `at` (one page) right again. */
function resealSection(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(at + 64, at + PAGE)), at + 12);
  bytes.writeUInt32LE(crc32(bytes.subarray(at + 8, at + 64)), at + 4);
  return bytes;
}

describe('a snapshot', () => {
  const whole = smallSnapshot();

  it('is found whole', () => {
    expect(whole.length).toBe(4 * PAGE);
    expect(verdictOn(whole)).toMatchObject({
      ok: true,
      entries: 3,
      bytes: whole.length,
      header: { shard: 0, shards: 1, databases: 4, epoch: 3, set: 1 },
    });
  });

  it('cut at any byte is refused', () => {
    for (let length = 0; length < whole.length; length += 1)
      expect(verdictOn(whole.subarray(0, length)).ok).toBe(false);
  });

  it('with any one byte changed is refused', () => {
    const bytes = Buffer.from(whole);
    for (let at = 0; at < whole.length; at += 1) {
      bytes[at] ^= 1 << (at & 7);
      expect(verdictOn(bytes).ok).toBe(false);
      bytes[at] = whole[at];
    }
  });

  it('with bytes behind its end, or in pages that are another’s, is refused', () => {
    expect(verdictOn(Buffer.concat([whole, Buffer.alloc(PAGE)])).ok).toBe(false);
    expect(verdictOn(Buffer.concat([whole, Buffer.from('x')])).ok).toBe(false);
    const other = createDeck(1);
    put(other, 'a', 'b');
    for (let page = 0; page < 4; page += 1) {
      const mixed = Buffer.from(whole);
      smallSnapshot(2).copy(mixed, page * PAGE, page * PAGE, (page + 1) * PAGE);
      expect([true, false]).toContain(verdictOn(mixed).ok);
    }
  });

  it('that is refused leaves the shard that it was to be loaded into whole', () => {
    const bytes = changed(2 * PAGE + 100, 1, whole);
    const disk = createSimulatedDisk();
    disk.place(PATH, bytes);
    expect(load(disk, createDeck(1))).toMatchObject({ ok: false, offset: 2 * PAGE });
  });
});

describe('damage', () => {
  const whole = smallSnapshot();
  const end = 3 * PAGE;
  const cases: [string, Buffer, string, number][] = [
    ['an empty file', Buffer.alloc(0), 'it is shorter than an empty snapshot', 0],
    ['no magic', changed(0, 'x'), 'it does not begin as a snapshot does', 0],
    ['a bad first page', changed(20, 9), 'the checksum of its first page is wrong', 0],
    [
      'another version',
      resealPage(changed(12, 3), 0),
      'it has format version 3, this server reads versions up to 2',
      0,
    ],
    ['no end', whole.subarray(0, end), 'it does not end as a snapshot does', 2 * PAGE],
    ['a bad last page', changed(end + 30, 1), 'the checksum of its last page is wrong', end],
    [
      'a last page of another set',
      resealPage(changed(end + 56, 2), end),
      'its last page belongs to another snapshot',
      end,
    ],
    [
      'a missing page',
      Buffer.concat([whole.subarray(0, PAGE), whole.subarray(2 * PAGE)]),
      'it has 12288 bytes, 16384 were written',
      2 * PAGE,
    ],
    ['a section that is none', changed(PAGE, 'x'), 'no section begins here', PAGE],
    ['a bad section header', changed(PAGE + 16, 9), "the checksum of a section's header is wrong", PAGE],
    [
      'a section of another shard',
      resealSection(changed(PAGE + 28, 7), PAGE),
      'a section belongs to another snapshot',
      PAGE,
    ],
    [
      'sections in another order',
      Buffer.concat([
        whole.subarray(0, PAGE),
        whole.subarray(2 * PAGE, end),
        whole.subarray(PAGE, 2 * PAGE),
        whole.subarray(end),
      ]),
      'section 1 stands in the place of 0',
      PAGE,
    ],
    ['a bad payload', changed(PAGE + 80, 9), 'the checksum of a section is wrong', PAGE],
    [
      'a section beyond the end',
      resealSection(changed(PAGE + 8, 9_000_000), PAGE),
      'a section is longer than the file',
      PAGE,
    ],
    [
      'no entry',
      resealSection(changed(PAGE + 64, 1), PAGE),
      'there is no entry where one should be',
      PAGE + 64,
    ],
    [
      'a wrong count',
      resealSection(changed(PAGE + 16, 1), PAGE),
      'a section has 2 entries, 1 were written',
      PAGE,
    ],
    [
      'another section in the place of one',
      resealSection(changed(PAGE + 64 + 12, 1), PAGE),
      'its sections are not those that its last page names',
      end,
    ],
    ['a wrong sum', resealPage(changed(end + 24, 9), end), 'it has 3 entries, 9 were written', end],
  ];

  it.each(cases)('is named: %s', (_, bytes, text, offset) => {
    expect(verdictOn(bytes)).toEqual({ ok: false, text: `${PATH}: ${text} (byte ${offset})`, offset });
  });

  it('of the disk is named too', () => {
    const disk = createSimulatedDisk();
    disk.place(PATH, whole);
    disk.failNext('read', 'EIO');
    expect(verifySnapshot(disk, PATH)).toMatchObject({ ok: false, text: expect.stringContaining('EIO') });
  });
});
