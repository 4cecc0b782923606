/** Collections in snapshot files: small ones as they lie, large ones in pieces, loaded anywhere, and whatever a damaged file says of them. */
import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, it } from 'vitest';
import { crc32 } from '../../src/base/checksum.ts';
import { collectionBytes } from '../../src/collections/sequence.ts';
import { LOAD_GATHERED_BYTES_MAX } from '../../src/config/limits-collections.ts';
import { snapshotPath } from '../../src/durability/file-names.ts';
import { inspectFile } from '../../src/durability/inspect-command.ts';
import { verifySnapshot } from '../../src/durability/snapshot-reader.ts';
import { clockOf, expiresAt } from '../../src/shard/entry.ts';
import { LSN, NONE, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../../src/shard/layout.ts';
import { gathering } from '../../src/shard/load-large.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import { formatShard } from '../../src/shard/shard.ts';
import { changeCollection, everything } from '../support/operations.ts';
import { add, allOf, expectCounts, fill, groups, inSmallSlices } from '../support/saved-collections.ts';
import { expectWhole, find, START_MS, set } from '../support/shard.ts';
import { createSimulatedDisk } from '../support/simulated-disk.ts';
import { createDeck, load, loadAll, saveAll, shardFor } from '../support/snapshots.ts';

afterEach(() => {
  gathering.bytesMax = LOAD_GATHERED_BYTES_MAX;
});

const LARGE = { limitBytes: 64 * 2 ** 20 };

describe('collections', () => {
  it('that are small are saved and loaded as they lie, among strings, whatever the number of shards', () => {
    const deck = createDeck(2);
    for (let i = 0; i < 50; i += 1) {
      fill(deck, 1 + (i % 5), `${i} `);
      set(shardFor(deck, `string ${i}`), `string ${i}`, 'value');
    }
    const disk = createSimulatedDisk();
    saveAll(disk, deck);
    for (const count of [2, 1, 3]) {
      const other = createDeck(count);
      loadAll(disk, other, 2);
      expect(allOf(other)).toEqual(allOf(deck));
      for (const shard of other.shards) expectCounts(shard);
    }
  });

  it('that are large are saved in pieces, and loaded whatever the number of shards', () => {
    inSmallSlices(() => {
      const deck = createDeck(2);
      for (let i = 0; i < 10; i += 1) {
        fill(deck, 100 + i, `${i} `);
        set(shardFor(deck, `string ${i}`), `string ${i}`, 'value');
      }
      const disk = createSimulatedDisk();
      saveAll(disk, deck);
      for (const count of [2, 1, 3]) {
        const other = createDeck(count);
        const outcomes = loadAll(disk, other, 2);
        expect(outcomes.reduce((sum, one) => sum + (one.ok ? one.entries : 0), 0)).toBe(50);
        expect(allOf(other)).toEqual(allOf(deck));
        for (const shard of other.shards) expectCounts(shard);
      }
    });
  });

  it('that are larger than a section, or have an element that is, are saved and loaded', () => {
    const deck = createDeck(1, LARGE);
    const [shard] = deck.shards;
    const texts = Array.from({ length: 1200 }, (_, i) => `${i}`.padEnd(600, '.'));
    const scored = texts.flatMap((text, i) => [`${i % 7}`, text]);
    for (const type of [TYPE_LIST, TYPE_SET, TYPE_HASH])
      changeCollection(shard, `${type}`, type, [add(texts)]);
    changeCollection(shard, 'scored', TYPE_ZSET, [add(scored)]);
    const long = 'long '.repeat(240_000);
    changeCollection(shard, 'list of one', TYPE_LIST, [add([long, 'short', long])]);
    changeCollection(shard, 'hash of one', TYPE_HASH, [add(['field', long, 'other', 'value'])]);
    const disk = createSimulatedDisk();
    saveAll(disk, deck);
    const other = createDeck(1, LARGE);
    loadAll(disk, other, 1);
    expect(allOf(other)).toEqual(allOf(deck));
  });

  it('that are larger than what is gathered of one are loaded, too', () => {
    inSmallSlices(() => {
      const deck = createDeck(1);
      fill(deck, 120, '');
      const disk = createSimulatedDisk();
      saveAll(disk, deck);
      for (const bytesMax of [0, 100, 700]) {
        gathering.bytesMax = bytesMax;
        const other = createDeck(1);
        loadAll(disk, other, 1);
        expect(allOf(other)).toEqual(allOf(deck));
        expectCounts(other.shards[0]);
      }
    });
  });

  it('take hardly more memory when they are loaded than when they came in order', () => {
    const deck = createDeck(1, LARGE);
    const adds = Array.from({ length: 30_000 }, (_, i) => add([`${i}`, `member ${i}`]));
    changeCollection(deck.shards[0], 'scored', TYPE_ZSET, adds);
    const disk = createSimulatedDisk();
    saveAll(disk, deck);
    const other = createDeck(1, LARGE);
    loadAll(disk, other, 1);
    const [before, after] = [deck, other].map(({ shards: [shard] }) =>
      collectionBytes(shard, find(shard, 'scored')),
    );
    expect(after / before).toBeLessThan(1.05);
  });

  it('are loaded under keys of one hash and long keys', () => {
    inSmallSlices(() => {
      const deck = createDeck(1);
      for (let i = 0; i < 300; i += 1)
        changeCollection(deck.shards[0], `${'long '.repeat(i)}key`, TYPE_SET, [add(groups(TYPE_SET, 0, 20))]);
      const disk = createSimulatedDisk();
      saveAll(disk, deck);
      const other = createDeck(1);
      loadAll(disk, other, 1);
      expect(allOf(other)).toEqual(allOf(deck));
    });
  });

  it('are shown by inspect', () => {
    inSmallSlices(() => {
      const deck = createDeck(1);
      changeCollection(deck.shards[0], 'h', TYPE_HASH, [add(groups(TYPE_HASH, 0, 20))]);
      changeCollection(deck.shards[0], 'z', TYPE_ZSET, [add(['1.5', 'm'])]);
      changeCollection(deck.shards[0], 'timed', TYPE_HASH, [add(['a', '1 until 5000', 'b', '2'])]);
      const disk = createSimulatedDisk();
      saveAll(disk, deck);
      const lines: string[] = [];
      expect(inspectFile(disk, snapshotPath(0, 1), (line) => void lines.push(line), Infinity)).toBe(0);
      expect(lines).toContain('  LSN 2 db 0 "z" zset "m":1.5');
      expect(lines).toContain('  LSN 1 db 0 "h" large hash of 20, in pieces');
      expect(lines).toContain('  LSN 3 db 0 "timed" hash "a"=1 until 5000 "b"=2');
      expect(lines.filter((line) => line.includes('piece ADD "member')).length).toBeGreaterThan(2);
      expect(lines).toContain('  LSN 1 db 0 end');
    });
  });
});

describe('a load', () => {
  it('reads files of before, which have strings only', () => {
    const deck = createDeck(1);
    set(deck.shards[0], 'key', 'value');
    const disk = createSimulatedDisk();
    saveAll(disk, deck);
    const outcomes = [0, 1, 2, 3].map((version) => {
      const bytes = Buffer.from(disk.contents(snapshotPath(0, 1)));
      bytes.writeUInt32LE(version, 12);
      bytes.writeUInt32LE(crc32(bytes.subarray(12, 4096)), 8);
      const other = createSimulatedDisk();
      other.place(snapshotPath(0, 1), bytes);
      return load(other, createDeck(1)).ok;
    });
    expect(outcomes).toEqual([false, true, true, false]);
  });

  it('of what is there already, as new, changes nothing', () => {
    inSmallSlices(() => {
      const deck = createDeck(1);
      fill(deck, 60);
      fill(deck, 2, 'small ');
      const disk = createSimulatedDisk();
      saveAll(disk, deck);
      const other = createDeck(1);
      for (let times = 0; times < 2; times += 1) loadAll(disk, other, 1);
      expect(allOf(other)).toEqual(allOf(deck));
      expectCounts(other.shards[0]);
    });
  });

  it('with less memory evicts collections whole, and goes on with those that fit', () => {
    const texts = Array.from({ length: 1000 }, (_, i) => `${i}`.padEnd(100, '.'));
    const deck = createDeck(1);
    for (let i = 0; i < 20; i += 1) changeCollection(deck.shards[0], `set ${i}`, TYPE_SET, [add(texts)]);
    const disk = createSimulatedDisk();
    saveAll(disk, deck);
    const whole = everything(deck.shards[0]);
    const other = createDeck(1, { limitBytes: 2 ** 20 });
    expect(load(disk, other)).toMatchObject({ ok: true });
    expectWhole(other.shards[0]);
    expectCounts(other.shards[0]);
    const loaded = everything(other.shards[0]);
    expect(loaded.size).toBeGreaterThan(3);
    expect(loaded.size).toBeLessThan(15);
    for (const [key, text] of loaded) expect(text).toBe(whole.get(key));
  });

  it('without an eviction policy says that there is no room, and leaves the shard whole', () => {
    const deck = createDeck(1);
    fill(deck, 5000);
    const disk = createSimulatedDisk();
    saveAll(disk, deck);
    for (const limitBytes of [2 ** 17, 2 ** 18]) {
      const other = createDeck(1, { limitBytes, policy: NO_EVICTION });
      const outcome = load(disk, other);
      expect(outcome.ok ? '' : outcome.text).toContain('does not fit');
      expectWhole(other.shards[0]);
    }
  });

  it('keeps the deadline of a large collection, and when it was used', () => {
    inSmallSlices(() => {
      const deck = createDeck(1);
      const [shard] = deck.shards;
      const nowMs = START_MS - 1_000_000;
      changeCollection(shard, 's', TYPE_SET, [add(groups(TYPE_SET, 0, 100))], {
        expiresAtMs: START_MS + 5000,
        nowMs,
      });
      const before = clockOf(shard.entries, find(shard, 's'));
      const disk = createSimulatedDisk();
      saveAll(disk, deck);
      const other = createDeck(1);
      loadAll(disk, other, 1);
      const [own] = other.shards;
      expect(expiresAt(own.entries, find(own, 's'))).toBe(START_MS + 5000);
      expect(clockOf(own.entries, find(own, 's'))).toBe(before);
      expect(find(own, 's', { nowMs: START_MS + 6000 })).toBe(NONE);
    });
  });
});

describe('damage', () => {
  const PAGE = 4096;
  const spare = createDeck(1, { limitBytes: 2 ** 18 });

  /** One section with a small list and a string, and one with a large hash. */
  function wholeFile(): Buffer {
    return inSmallSlices(() => {
      const deck = createDeck(1);
      changeCollection(deck.shards[0], 'large', TYPE_HASH, [add(groups(TYPE_HASH, 0, 12))]);
      changeCollection(deck.shards[0], 'small', TYPE_LIST, [add(['one', 'two'])]);
      set(deck.shards[0], 'string', 'value');
      const disk = createSimulatedDisk();
      saveAll(disk, deck);
      return disk.contents(snapshotPath(0, 1));
    });
  }

  function sectionsOf(bytes: Buffer): { start: number; payloadEnd: number; end: number }[] {
    const sections = [];
    for (let start = PAGE; start < bytes.length - PAGE; ) {
      const payloadEnd = start + 64 + bytes.readUInt32LE(start + 8);
      const end = Math.ceil(payloadEnd / PAGE) * PAGE;
      sections.push({ start, payloadEnd, end });
      start = end;
    }
    return sections;
  }

  /** What is said of the file when all checksums have been made right again. */
  function verdictOn(bytes: Buffer): string {
    const footer = bytes.length - PAGE;
    let chain = 0;
    for (const { start, end } of sectionsOf(bytes)) {
      bytes.writeUInt32LE(crc32(bytes.subarray(start + 64, end)), start + 12);
      bytes.writeUInt32LE(crc32(bytes.subarray(start + 8, start + 64)), start + 4);
      chain = crc32(bytes.subarray(start + 4, start + 8), chain);
    }
    bytes.writeUInt32LE(chain, footer + 16);
    bytes.writeUInt32LE(crc32(bytes.subarray(footer + 12)), footer + 8);
    const disk = createSimulatedDisk();
    disk.place(snapshotPath(0, 1), bytes);
    const verdict = verifySnapshot(disk, snapshotPath(0, 1));
    const [shard] = spare.shards;
    formatShard(shard, START_MS);
    shard.numbers[LSN] = 0;
    // What is taken for good can be loaded, and leaves the shard whole.
    expect(load(disk, spare).ok).toBe(verdict.ok);
    expectWhole(shard);
    return verdict.ok ? 'ok' : verdict.text.replace(/^[^:]*: /, '').replace(/ \(.*/, '');
  }

  function changed(text: string, offset: number, value: number): string {
    const bytes = wholeFile();
    const at = bytes.lastIndexOf(Buffer.from(text)) + offset;
    bytes[at] = value;
    return verdictOn(bytes);
  }

  it('of a collection is found, though the checksums are right', () => {
    const strange = 'there is no entry where one should be';
    expect(verdictOn(wholeFile())).toBe('ok');
    // Of the small one: flags, count, the first element.
    expect(changed('small', 5, 8)).toBe(strange);
    expect(changed('small', 6, 3)).toBe(strange);
    expect(changed('small', 8, 0xff)).toBe(strange);
    // Of the large one: a flag, then its pieces have nothing to follow.
    expect(changed('large', 5, 0)).toBe(strange);
  });

  it('of the last piece is found: without it the collection has no end', () => {
    const bytes = wholeFile();
    const end = Buffer.from([1, 0, 0, 0, 2, 0, 0, 0]);
    const at = bytes.lastIndexOf(end.subarray(0, 5));
    expect(at).toBeGreaterThan(PAGE);
    bytes[at + 4] = 1;
    expect(verdictOn(bytes)).toBe('it ends within a collection');
    bytes[at + 4] = 4;
    expect(verdictOn(bytes)).toBe('there is no entry where one should be');
  });

  it('in any byte behind right checksums leaves a shard that is whole', () => {
    const whole = wholeFile();
    for (const { start, payloadEnd } of sectionsOf(whole)) {
      for (let at = start + 64; at < payloadEnd; at += 1) {
        const bytes = Buffer.from(whole);
        bytes[at] ^= 1 << (at % 8);
        verdictOn(bytes);
      }
    }
  });
});
