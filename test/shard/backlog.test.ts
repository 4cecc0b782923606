/** The backlog: what was kept last is read as it was written, and what is gone is known to be. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BACKLOG_BYTES_MIN } from '../../src/config/limits-cluster.ts';
import {
  type Backlog,
  backlogBytes,
  bytesBehind,
  canReadFrom,
  copyRecords,
  createBacklogBuffer,
  endOfBacklog,
  findPlace,
  historyOf,
  keepRecords,
  openBacklog,
  voidBacklog,
} from '../../src/shard/backlog.ts';

const LOOK_BYTES = 4096;

function createTestBacklog(): Backlog {
  return openBacklog(createBacklogBuffer(BACKLOG_BYTES_MIN));
}

/** Records of these sizes, each filled with its LSN: one drain. */
function drain(backlog: Backlog, firstLsn: number, sizes: readonly number[]): void {
  const bytes = Buffer.concat(sizes.map((size, index) => Buffer.alloc(size, (firstLsn + index) % 256)));
  keepRecords(backlog, bytes, 0, bytes.length, firstLsn, sizes.length);
}

function readAll(backlog: Backlog, position: number): Buffer {
  const pieces: Buffer[] = [];
  let at = position;
  while (bytesBehind(backlog, at) > 0) {
    const piece = Buffer.alloc(LOOK_BYTES);
    const bytes = copyRecords(backlog, at, piece, 0, LOOK_BYTES);
    pieces.push(piece.subarray(0, bytes));
    at += bytes;
  }
  return Buffer.concat(pieces);
}

describe('a backlog', () => {
  it('begins empty, at the first LSN', () => {
    const backlog = createTestBacklog();
    expect(endOfBacklog(backlog)).toEqual({ position: 0, lsn: 1 });
    expect(findPlace(backlog, 1)).toEqual({ position: 0, lsn: 1 });
    expect(findPlace(backlog, 2)).toBeUndefined();
    expect(backlogBytes(backlog)).toBe(BACKLOG_BYTES_MIN);
  });

  it('is as large as it is asked to be, in whole pages, whatever its index takes', () => {
    for (const bytes of [1, BACKLOG_BYTES_MIN, 100_000, 2 ** 20, 4 * 2 ** 20 + 5]) {
      const ring = backlogBytes(openBacklog(createBacklogBuffer(bytes)));
      expect(ring).toBe(Math.max(BACKLOG_BYTES_MIN, Math.floor(bytes / 4096) * 4096));
    }
  });

  it('gives back the records of every LSN that it has, over every seam of the ring', () => {
    const backlog = createTestBacklog();
    for (let lsn = 1; lsn < 400; lsn += 1) {
      drain(backlog, lsn, [8 * (1 + (lsn % 97) * 8)]);
      const { position } = endOfBacklog(backlog);
      for (let back = 0; back < 5 && lsn - back >= 1; back += 1) {
        const place = findPlace(backlog, lsn - back);
        expect(place !== undefined && place.lsn <= lsn - back && place.position <= position).toBe(true);
        if (place !== undefined) expect(readAll(backlog, place.position).at(-1)).toBe(lsn % 256);
      }
    }
  });

  it('knows what has gone by', () => {
    const backlog = createTestBacklog();
    drain(backlog, 1, [BACKLOG_BYTES_MIN / 2]);
    drain(backlog, 2, [BACKLOG_BYTES_MIN / 2]);
    expect(canReadFrom(backlog, 0)).toBe(true);
    expect(findPlace(backlog, 1)).toEqual({ position: 0, lsn: 1 });
    drain(backlog, 3, [8]);
    expect(canReadFrom(backlog, 0)).toBe(false);
    expect(findPlace(backlog, 1)).toBeUndefined();
    expect(findPlace(backlog, 2)).toEqual({ position: BACKLOG_BYTES_MIN / 2, lsn: 2 });
  });

  it('lets a drain that is larger than itself go by, and goes on behind it', () => {
    const backlog = createTestBacklog();
    drain(backlog, 1, [80]);
    drain(backlog, 2, [BACKLOG_BYTES_MIN + 8]);
    expect(canReadFrom(backlog, 0)).toBe(false);
    expect(findPlace(backlog, 2)).toBeUndefined();
    const end = endOfBacklog(backlog);
    expect(end).toEqual({ position: 88 + BACKLOG_BYTES_MIN, lsn: 3 });
    expect(canReadFrom(backlog, end.position)).toBe(true);
    drain(backlog, 3, [16]);
    expect(findPlace(backlog, 3)).toEqual(end);
  });

  it('begins a new history where records are missing, or the log says so', () => {
    const backlog = createTestBacklog();
    drain(backlog, 1, [80]);
    expect(historyOf(backlog)).toBe(0);
    drain(backlog, 5, [80]);
    expect(historyOf(backlog)).toBe(1);
    expect(findPlace(backlog, 1)).toBeUndefined();
    expect(findPlace(backlog, 5)).toEqual({ position: 80, lsn: 5 });
    voidBacklog(backlog, 6);
    expect(historyOf(backlog)).toBe(2);
    expect(findPlace(backlog, 5)).toBeUndefined();
    expect(findPlace(backlog, 6)).toEqual({ position: 160, lsn: 6 });
  });

  it('agrees with a list of all records, whatever the drains', () => {
    const size = fc.integer({ min: 1, max: 2500 }).map((cells) => 8 * cells);
    const step = fc.record({
      sizes: fc.array(size, { minLength: 1, maxLength: 6 }),
      skips: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(3) }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const backlog = createTestBacklog();
        const all: { lsn: number; position: number; size: number }[] = [];
        let lsn = 1;
        let historyStart = 1;
        for (const { sizes, skips } of steps) {
          lsn += skips;
          if (skips > 0) historyStart = lsn;
          let { position } = endOfBacklog(backlog);
          drain(backlog, lsn, sizes);
          for (const each of sizes) {
            all.push({ lsn, position, size: each });
            position += each;
            lsn += 1;
          }
        }
        const end = endOfBacklog(backlog);
        expect(end.lsn).toBe(lsn);
        for (const record of all) {
          const place = findPlace(backlog, record.lsn);
          const isThere = record.lsn >= historyStart && record.position >= end.position - BACKLOG_BYTES_MIN;
          if (!isThere) expect(place).toBeUndefined();
          if (place === undefined) continue;
          const wanted = all.filter((other) => other.lsn >= place.lsn);
          const bytes = Buffer.concat(wanted.map((other) => Buffer.alloc(other.size, other.lsn % 256)));
          expect(wanted[0].position).toBe(place.position);
          expect(readAll(backlog, place.position).equals(bytes)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});
