/** The drawing of a record: what is written is read again, and what is cut, damaged or made up is refused. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createRecordView,
  decodeRecord,
  EFFECT_DELETE,
  EFFECT_EXPIRE,
  EFFECT_FLUSH,
  EFFECT_PUT,
  EFFECT_SPLICE,
  EFFECT_SWAP,
  RECORD_EXPIRES,
  RECORD_RAW,
  recordBytes,
} from '../../src/shard/record.ts';

type Parts = {
  effect: number;
  database?: number;
  flags?: number;
  extra?: number;
  expiresAtMs?: number;
  length?: number;
  key?: string;
  value?: string;
};

/** A record by the drawing's own words. */
function draw({
  effect,
  database = 0,
  flags = 0,
  extra = 0,
  expiresAtMs,
  length,
  key = '',
  value = '',
}: Parts) {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(effect + database * 0x100 + flags * 0x1_0000, 0);
  header.writeUInt32LE(Buffer.byteLength(key), 4);
  header.writeUInt32LE(Buffer.byteLength(value), 8);
  header.writeUInt32LE(extra, 12);
  const numbers = [expiresAtMs, length].filter((number) => number !== undefined);
  const words = Buffer.from(BigUint64Array.from(numbers, BigInt).buffer);
  const body = Buffer.concat([header, words, Buffer.from(key), Buffer.from(value)]);
  return Buffer.concat([body, Buffer.alloc((8 - (body.length % 8)) % 8)]);
}

const DEADLINE_MS = 2 ** 40 + 12_345;
const good: Parts[] = [
  { effect: EFFECT_PUT, database: 3, key: 'key', value: 'value' },
  { effect: EFFECT_PUT, flags: RECORD_EXPIRES | RECORD_RAW, expiresAtMs: DEADLINE_MS, key: 'k', value: 'v' },
  { effect: EFFECT_DELETE, database: 63, key: 'a key of some length' },
  { effect: EFFECT_EXPIRE, flags: RECORD_EXPIRES, expiresAtMs: 2 ** 48 - 1, key: 'key' },
  { effect: EFFECT_EXPIRE, key: 'key' },
  { effect: EFFECT_SPLICE, extra: 5, length: 7, key: 'key', value: 'ab' },
  { effect: EFFECT_SPLICE, length: 0, key: '' },
  { effect: EFFECT_FLUSH, database: 15 },
  { effect: EFFECT_SWAP, database: 1, extra: 63 },
];

const bad: (Parts & { why: string })[] = [
  { why: 'effect 0', effect: 0, key: 'key' },
  { why: 'an effect that is not known', effect: 7, key: 'key' },
  { why: 'a database that cannot be', effect: EFFECT_PUT, database: 64, key: 'key' },
  { why: 'a flag that is not known', effect: EFFECT_PUT, flags: 4, key: 'key' },
  { why: 'no deadline where one is said to be', effect: EFFECT_PUT, flags: 1, expiresAtMs: 0, key: 'key' },
  {
    why: 'a deadline of more than 48 bits',
    effect: EFFECT_EXPIRE,
    flags: 1,
    expiresAtMs: 2 ** 48,
    key: 'key',
  },
  { why: 'an extra for a put', effect: EFFECT_PUT, extra: 1, key: 'key', value: 'v' },
  { why: 'a value to delete', effect: EFFECT_DELETE, key: 'key', value: 'v' },
  { why: 'a deadline to delete', effect: EFFECT_DELETE, flags: 1, expiresAtMs: 5, key: 'key' },
  { why: 'a raw deadline', effect: EFFECT_EXPIRE, flags: 2, key: 'key' },
  { why: 'an extra for a deadline', effect: EFFECT_EXPIRE, extra: 1, key: 'key' },
  { why: 'an extra to delete', effect: EFFECT_DELETE, extra: 1, key: 'key' },
  { why: 'a splice beyond its length', effect: EFFECT_SPLICE, extra: 6, length: 7, key: 'key', value: 'ab' },
  { why: 'a splice with flags', effect: EFFECT_SPLICE, flags: 2, length: 7, key: 'key', value: 'ab' },
  { why: 'a length that no value has', effect: EFFECT_SPLICE, length: 2 ** 32, key: 'key', value: 'ab' },
  { why: 'a key to flush', effect: EFFECT_FLUSH, key: 'key' },
  { why: 'an extra to flush', effect: EFFECT_FLUSH, extra: 1 },
  { why: 'a swap with what cannot be', effect: EFFECT_SWAP, extra: 64 },
];

describe('record', () => {
  it('is read as it was drawn, at any place of its chunk', () => {
    const view = createRecordView();
    for (const parts of good) {
      const record = draw(parts);
      for (const at of [0, 8, 800]) {
        const bytes = Buffer.concat([Buffer.alloc(at, 0xff), record, Buffer.alloc(24, 0xff)]);
        expect(decodeRecord(bytes, at, bytes.length, view)).toBe(at + record.length);
        const { effect, database, flags, extra, expiresAtMs, length } = view;
        const key = bytes.toString('utf8', view.keyStart, view.keyEnd);
        const value = bytes.toString('utf8', view.valueStart, view.valueEnd);
        const rest = { database: 0, flags: 0, extra: 0, expiresAtMs: 0, length: 0, key: '', value: '' };
        expect({ effect, database, flags, extra, expiresAtMs, length, key, value }).toEqual({
          ...rest,
          ...parts,
        });
      }
    }
  });

  it('is refused when it is cut anywhere', () => {
    const view = createRecordView();
    for (const parts of good) {
      const record = draw(parts);
      for (let end = 0; end < record.length; end += 1) {
        expect(decodeRecord(record, 0, end, view)).toBe(-1);
        expect(decodeRecord(record.subarray(0, end), 0, end, view)).toBe(-1);
      }
    }
  });

  it.each(bad)('is refused with $why', (parts) => {
    const record = draw(parts);
    expect(decodeRecord(record, 0, record.length, createRecordView())).toBe(-1);
  });

  it('of any bytes is refused, or lies within them', () => {
    const view = createRecordView();
    const small = fc.integer({ min: 0, max: 70 });
    const words = fc.array(fc.oneof(small, fc.nat(), fc.integer({ min: -(2 ** 31), max: -1 })), {
      minLength: 1,
      maxLength: 24,
    });
    fc.assert(
      fc.property(words, (numbers) => {
        const bytes = Buffer.from(Int32Array.from(numbers).buffer);
        const next = decodeRecord(bytes, 0, bytes.length, view);
        if (next === -1) return;
        expect(next % 8).toBe(0);
        expect(next).toBeLessThanOrEqual(bytes.length);
        expect(view.keyStart).toBeGreaterThanOrEqual(16);
        expect(view.keyEnd).toBeGreaterThanOrEqual(view.keyStart);
        expect(view.valueEnd).toBeGreaterThanOrEqual(view.valueStart);
        expect(view.valueEnd).toBeLessThanOrEqual(next);
      }),
      { numRuns: 5000 },
    );
  });

  it('takes the next multiple of 8', () => {
    for (const [bytes, expected] of [
      [0, 0],
      [1, 8],
      [8, 8],
      [9, 16],
      [2 ** 32 + 1, 2 ** 32 + 8],
    ])
      expect(recordBytes(bytes)).toBe(expected);
  });
});
