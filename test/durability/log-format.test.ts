/** The headers of the log come back as they were written, and no changed byte goes unseen. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_HEADER_BYTES,
  CHUNK_HEADER_BYTES,
  createBlockHeader,
  createChunkHeader,
  decodeBlockHeader,
  decodeChunkHeader,
  decodeSegmentHeader,
  encodeChunkHeader,
  encodeSegmentHeader,
  LOG_VERSION,
  payloadMatches,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  sealBlock,
} from '../../src/durability/log-format.ts';

const uint32 = fc.nat({ max: 2 ** 32 - 1 });
const uint53 = fc.maxSafeNat();

describe('the header of a segment', () => {
  const anyHeader: fc.Arbitrary<SegmentHeader> = fc.record({
    ...{
      version: uint32,
      stream: uint32,
      shards: uint32,
      databases: uint32,
      epoch: uint53,
      sequence: uint53,
    },
    ...{ firstBlock: uint53, createdMs: uint53, bootId: fc.stringMatching(/^[0-9a-f-]{0,40}$/) },
  });

  it('comes back as it was written, at any place', () => {
    fc.assert(
      fc.property(anyHeader, fc.nat({ max: 64 }), (header, at) => {
        const bytes = Buffer.alloc(at + SEGMENT_HEADER_BYTES, 0xaa);
        encodeSegmentHeader(bytes, at, header);
        expect(decodeSegmentHeader(bytes, at, bytes.length)).toEqual(header);
      }),
      { numRuns: 200 },
    );
  });

  it('is nothing else when one of its bytes is changed, or it is cut', () => {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const numbers = { version: LOG_VERSION, stream: 3, shards: 8, databases: 16, epoch: 5, sequence: 42 };
    encodeSegmentHeader(bytes, 0, { ...numbers, firstBlock: 1000, createdMs: 1.7e12, bootId: 'boot' });
    for (let at = 0; at < bytes.length; at += 1) {
      bytes[at] ^= 1;
      const due = at < 8 ? 'bad magic' : 'bad header checksum';
      expect(decodeSegmentHeader(bytes, 0, bytes.length)).toBe(due);
      bytes[at] ^= 1;
    }
    expect(decodeSegmentHeader(bytes, 0, bytes.length - 1)).toBe('short header');
  });
});

describe('the header of a block', () => {
  const anyBlock = fc.record({
    ...{ payloadBytes: fc.nat({ max: 40 }).map((words) => words * 8), block: uint53, syncedBlock: uint53 },
    ...{ wallMs: uint53, chunks: uint32, stream: uint32, epoch: uint53 },
  });

  it('comes back as it was written, with a payload that matches', () => {
    fc.assert(
      fc.property(anyBlock, fc.nat({ max: 8 }), (header, words) => {
        const at = words * 8;
        const bytes = Buffer.alloc(at + BLOCK_HEADER_BYTES + header.payloadBytes, 0x5a);
        sealBlock(bytes, at, header);
        const found = createBlockHeader();
        expect(decodeBlockHeader(bytes, at, bytes.length, found)).toBeUndefined();
        expect(found).toEqual(header);
        expect(payloadMatches(bytes, at, bytes.subarray(at + BLOCK_HEADER_BYTES))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('names what is wrong when one of its bytes is changed, or it is cut', () => {
    const bytes = Buffer.alloc(BLOCK_HEADER_BYTES + 16, 1);
    sealBlock(bytes, 0, {
      payloadBytes: 16,
      block: 9,
      syncedBlock: 8,
      wallMs: 7,
      chunks: 1,
      stream: 0,
      epoch: 1,
    });
    const found = createBlockHeader();
    for (let at = 0; at < bytes.length; at += 1) {
      bytes[at] ^= 0x80;
      const trouble = decodeBlockHeader(bytes, 0, bytes.length, found);
      if (at < 4) expect(trouble).toBe('bad block magic');
      else if (at < BLOCK_HEADER_BYTES) expect(trouble).toBe('bad block header checksum');
      else expect(payloadMatches(bytes, 0, bytes.subarray(BLOCK_HEADER_BYTES))).toBe(false);
      bytes[at] ^= 0x80;
    }
    expect(decodeBlockHeader(bytes, 0, BLOCK_HEADER_BYTES - 1, found)).toBe('short block header');
  });

  it('is malformed when its payload is no whole number of cells', () => {
    const bytes = Buffer.alloc(BLOCK_HEADER_BYTES + 16);
    sealBlock(bytes, 0, { ...createBlockHeader(), payloadBytes: 12, block: 1 });
    expect(decodeBlockHeader(bytes, 0, bytes.length, createBlockHeader())).toBe('malformed block header');
  });
});

describe('the header of a chunk', () => {
  it('comes back as it was written, and says where its records end', () => {
    fc.assert(
      fc.property(uint32, uint32, uint53, fc.nat({ max: 20 }), (shard, records, firstLsn, cells) => {
        const bytes = Buffer.alloc(CHUNK_HEADER_BYTES + cells * 8);
        encodeChunkHeader(bytes, 0, shard, records, firstLsn, cells * 8);
        const found = createChunkHeader();
        expect(decodeChunkHeader(bytes, 0, bytes.length, found)).toBe(bytes.length);
        expect(found).toEqual({ shard, records, firstLsn, recordBytes: cells * 8 });
        for (let end = 0; end < bytes.length; end += 1)
          expect(decodeChunkHeader(bytes, 0, end, found)).toBe(-1);
      }),
      { numRuns: 100 },
    );
  });

  it('is none when its records are no whole number of cells', () => {
    const bytes = Buffer.alloc(CHUNK_HEADER_BYTES + 16);
    encodeChunkHeader(bytes, 0, 0, 1, 1, 9);
    expect(decodeChunkHeader(bytes, 0, bytes.length, createChunkHeader())).toBe(-1);
  });
});
