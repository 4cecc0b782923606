/** Frames: a stream cut anywhere is read the same, and what makes no sense is said to. */
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  addBytes,
  createFrameReader,
  decodeAcknowledgement,
  decodeNumbers,
  decodePassedOver,
  decodeResume,
  encodeAcknowledgement,
  encodeFrame,
  encodeNumbers,
  encodePassedOver,
  encodeResume,
  encodeSlotBits,
  FRAME_COPY,
  FRAME_DAMAGED,
  FRAME_HEADER_BYTES,
  FRAME_INCOMPLETE,
  FRAME_PING,
  FRAME_RECORDS,
  FRAME_TAKEN,
  type FrameReader,
  hasSlotBit,
  SLOT_BITS_BYTES,
  takeFrame,
} from '../../src/cluster/replication-frames.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { pendingBytes, startJournaling } from '../../src/shard/journal.ts';
import { createTestShard, set } from '../support/shard.ts';

const STREAM = Buffer.concat([
  encodeFrame(FRAME_RECORDS, 3, 7, 2 ** 40 + 5, Buffer.from('sixteen bytes...')),
  encodeFrame(FRAME_PING, 0, 0, 0, Buffer.alloc(0)),
  encodeFrame(FRAME_COPY, 1, 2, 9, Buffer.from('five.')),
]);

function describeFrame(reader: FrameReader): string {
  const { kind, shard, count, lsn, bytes, payloadStart, payloadEnd } = reader;
  return `${kind} ${shard} ${count} ${lsn} ${bytes.toString('latin1', payloadStart, payloadEnd)}`;
}

function readPieces(...pieces: Buffer[]): string[] {
  const reader = createFrameReader();
  const frames: string[] = [];
  for (const piece of pieces) {
    addBytes(reader, piece);
    while (takeFrame(reader) === FRAME_TAKEN) frames.push(describeFrame(reader));
  }
  expect(reader.takenBytes).toBe(Buffer.concat(pieces).length);
  return frames;
}

describe('a stream of frames', () => {
  const whole = [`3 3 7 ${2 ** 40 + 5} sixteen bytes...`, '8 0 0 0 ', '4 1 2 9 five.\0\0\0'];

  it('is read the same, wherever it is cut', () => {
    expect(readPieces(STREAM)).toEqual(whole);
    for (let one = 0; one <= STREAM.length; one += 1) {
      for (let other = one; other <= STREAM.length; other += 7) {
        const pieces = [STREAM.subarray(0, one), STREAM.subarray(one, other), STREAM.subarray(other)];
        expect(readPieces(...pieces)).toEqual(whole);
      }
    }
  });

  it('may hold frames that are larger than what a reader begins with', () => {
    const large = encodeFrame(FRAME_RECORDS, 0, 1, 1, Buffer.alloc(3_000_000, 'x'));
    const reader = createFrameReader();
    for (let at = 0; at < large.length; at += 65_536) {
      expect(takeFrame(reader)).toBe(FRAME_INCOMPLETE);
      addBytes(reader, large.subarray(at, at + 65_536));
    }
    expect(takeFrame(reader)).toBe(FRAME_TAKEN);
    expect(reader.payloadEnd - reader.payloadStart).toBe(3_000_000);
    addBytes(reader, STREAM);
    expect(takeFrame(reader)).toBe(FRAME_TAKEN);
    // The memory of the large one is given back.
    expect(reader.bytes.length).toBeLessThan(1_000_000);
  });

  it('that makes no sense is damaged', () => {
    for (const [at, value] of [
      [0, 0],
      [0, 11],
      [4, 13],
    ]) {
      const bytes = Buffer.from(STREAM);
      bytes.writeUInt32LE(value, at);
      const reader = createFrameReader();
      addBytes(reader, bytes);
      expect(takeFrame(reader)).toBe(FRAME_DAMAGED);
    }
  });

  it('looks as the example of docs/formats/replication.md says', () => {
    const page = readFileSync(new URL('../../docs/formats/replication.md', import.meta.url), 'utf8');
    const lines = page.split('\n').filter((line) => /^(?:[0-9a-f]{2} ){24}/.test(line));
    const bytes = Buffer.from(lines.map((line) => line.slice(0, 71).replaceAll(' ', '')).join(''), 'hex');
    const shard = createTestShard();
    startJournaling(shard);
    set(shard, 'k', 'v1');
    const record = shard.journal.records.subarray(0, pendingBytes(shard));
    expect(encodeFrame(FRAME_RECORDS, 2, 1, 41, record).toString('hex')).toBe(bytes.toString('hex'));
  });

  it('has headers as they are drawn', () => {
    const frame = encodeFrame(FRAME_COPY, 5, 6, 0x0102_0304_05, Buffer.from([1]));
    expect(frame.toString('hex')).toBe(`04000000080000000500000006000000050403020100000001${'00'.repeat(7)}`);
    expect(frame.length).toBe(FRAME_HEADER_BYTES + 8);
  });
});

describe('what is said with a stream', () => {
  it('comes back as it was', () => {
    const slots = Uint8Array.from({ length: SLOT_COUNT }, (_, slot) => (slot % 5 === 0 ? 1 : 0));
    const point = {
      runId: 'ab'.repeat(20),
      lsns: Float64Array.of(1, 2 ** 47),
      histories: Float64Array.of(0, 3),
      slots,
    };
    expect(decodeResume(encodeResume(point))).toEqual(point);
    expect(decodeResume(encodeResume(undefined))).toBeUndefined();
    const told = { takenBytes: 2 ** 45, shards: [0, 9], lsns: [7, 2 ** 44] };
    expect(decodeAcknowledgement(encodeAcknowledgement(told))).toEqual(told);
    const passedOver = decodePassedOver(encodePassedOver(slots, 2 ** 48));
    expect(passedOver).toEqual({ bits: Buffer.from(encodeSlotBits(slots)), epoch: 2 ** 48 });
    expect(decodeNumbers(encodeNumbers([1, 2 ** 50]), 0, 16)).toEqual(Float64Array.of(1, 2 ** 50));
    const bits = encodeSlotBits(slots);
    expect(bits.length).toBe(SLOT_BITS_BYTES);
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) expect(hasSlotBit(bits, 0, slot)).toBe(slot % 5 === 0);
  });

  it('is nothing when it is cut short, or lies about its length', () => {
    const point = {
      runId: 'ab'.repeat(20),
      lsns: Float64Array.of(1),
      histories: Float64Array.of(0),
      slots: new Uint8Array(SLOT_COUNT),
    };
    const bytes = encodeResume(point);
    for (let length = 0; length < bytes.length; length += 13)
      expect(decodeResume(bytes.subarray(0, length))).toBeUndefined();
    bytes.fill(0xff, 40, 48);
    expect(decodeResume(bytes)).toBeUndefined();
    expect(decodeAcknowledgement(Buffer.alloc(9))).toBeUndefined();
    expect(decodeAcknowledgement(Buffer.alloc(0))).toBeUndefined();
    expect(decodePassedOver(Buffer.alloc(SLOT_BITS_BYTES))).toBeUndefined();
    expect(decodeNumbers(Buffer.alloc(9), 0, 9)).toBeUndefined();
    expect(decodeNumbers(Buffer.alloc(9), 8, 0)).toBeUndefined();
  });
});
