/** `distcache inspect`: a file for humans, and where and why a damaged one ends. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { segmentPath } from '../../src/durability/file-names.ts';
import { inspectFile } from '../../src/durability/inspect-command.ts';
import {
  EFFECT_EXPIRE,
  EFFECT_FLUSH,
  EFFECT_PUT,
  EFFECT_SPLICE,
  EFFECT_SWAP,
  RECORD_EXPIRES,
  RECORD_RAW,
} from '../../src/shard/record.ts';
import { buildSnapshot } from '../support/built-snapshot.ts';
import { addBlock, builtFiles, createLogBuilder, del, put } from '../support/log-builder.ts';
import { createSimulatedDisk } from '../support/simulated-disk.ts';

const HEADER =
  'log segment, version 2: stream 0, sequence 1, epoch 1, 2 shards, 16 databases, from block 1 on, made 2023-11-14T22:13:20.000Z, boot id boot';

function inspect(bytes: Buffer, limit = Number.POSITIVE_INFINITY): { code: number; lines: string[] } {
  const disk = createSimulatedDisk();
  disk.place('file', bytes);
  const lines: string[] = [];
  return { code: inspectFile(disk, 'file', (line) => void lines.push(line), limit), lines };
}

function smallSegment(): Buffer {
  const builder = createLogBuilder({ streams: 1, shards: 2, bootId: 'boot' });
  addBlock(builder, 0, [
    { shard: 0, records: [put('user:1', 'Ada', 1_700_000_060_000), del('gone')] },
    { shard: 1, records: [put('\u0000"\n', 'é')] },
  ]);
  addBlock(builder, 0, [{ shard: 1, records: [put('long', 'x'.repeat(100))] }], 1);
  return builtFiles(builder).get(segmentPath(0, 1)) ?? Buffer.alloc(0);
}

const BLOCKS = [
  '4096: block 1, 200 bytes, chunks 2, synced up to block 0, 2023-11-14T22:13:20.001Z',
  '  shard 0 LSN 1 db 0 PUT "user:1" "Ada" expires 2023-11-14T22:14:20.000Z',
  '  shard 0 LSN 2 db 0 DELETE "gone"',
  '  shard 1 LSN 1 db 0 PUT "\\x00\\"\\n" "\\xc3\\xa9"',
  '4296: block 2, 208 bytes, chunks 1, synced up to block 1, 2023-11-14T22:13:20.002Z',
  `  shard 1 LSN 2 db 0 PUT "long" "${'x'.repeat(64)}"... (100 bytes)`,
];

describe('a log segment', () => {
  it('is shown block by block and record by record', () => {
    expect(inspect(smallSegment())).toEqual({ code: 0, lines: [HEADER, ...BLOCKS, '4504: end of the file'] });
  });

  it('is shown up to a limit of records', () => {
    const { code, lines } = inspect(smallSegment(), 2);
    expect({ code, lines }).toEqual({
      code: 0,
      lines: [HEADER, ...BLOCKS.slice(0, 3), 'there may be more (--limit)'],
    });
  });

  it('names every effect', () => {
    const builder = createLogBuilder({ streams: 1, shards: 2, bootId: 'boot' });
    const flags = RECORD_EXPIRES;
    addBlock(builder, 0, [
      {
        shard: 0,
        records: [
          { effect: EFFECT_PUT, key: 'k', value: 'v', flags: RECORD_RAW, database: 3 },
          { effect: EFFECT_EXPIRE, key: 'k', flags, expiresAtMs: 1_700_000_000_000 },
          { effect: EFFECT_EXPIRE, key: 'k' },
          { effect: EFFECT_SPLICE, key: 'k', value: 'xy', extra: 7, length: 20 },
          { effect: EFFECT_FLUSH, database: 2 },
          { effect: EFFECT_SWAP, database: 1, extra: 4 },
        ],
      },
    ]);
    const { lines } = inspect(builtFiles(builder).get(segmentPath(0, 1)) ?? Buffer.alloc(0));
    expect(lines.slice(2, -1).map((line) => line.slice('  shard 0 LSN 1 '.length))).toEqual([
      'db 3 PUT "k" "v" raw',
      'db 0 EXPIRE "k" expires 2023-11-14T22:13:20.000Z',
      'db 0 EXPIRE "k" never expires',
      'db 0 SPLICE "k" "xy" at 7 of 20',
      'db 2 FLUSH',
      'db 1 SWAP with db 4',
    ]);
  });

  it('is shown up to where it is torn', () => {
    const { code, lines } = inspect(smallSegment().subarray(0, -1));
    expect(code).toBe(1);
    expect(lines.slice(5)).toEqual([
      '4296: payload cut; the file ends at offset 4503',
      'no good block behind that',
    ]);
  });

  it('is shown around damage', () => {
    const bytes = Buffer.from(smallSegment());
    bytes[4096 + 30] ^= 1;
    const { code, lines } = inspect(bytes);
    expect(code).toBe(1);
    expect(lines).toEqual([
      HEADER,
      '4096: bad block header checksum; the file ends at offset 4504',
      '4296: good again, 200 bytes behind that',
      ...BLOCKS.slice(4),
      '4504: end of the file',
    ]);
  });

  it('never ends in anything but lines, whatever byte is changed or missing', () => {
    const whole = smallSegment();
    for (let at = 0; at < whole.length; at += at > 128 && at < 4000 ? 100 : 1) {
      const changed = Buffer.from(whole);
      changed[at] ^= 0x40;
      expect(inspect(changed).code).toBe(1);
      expect(inspect(whole.subarray(0, at)).code).toBe(at === 4096 || at === 4296 ? 0 : 1);
    }
  });
});

describe('a snapshot', () => {
  const entries = [
    ['user:1', 'Ada'],
    ['k', 'x'.repeat(70)],
  ] as const;
  const bytes = buildSnapshot({ shard: 1, shards: 4, set: 7, epoch: 2, lsn: 99, entries });

  it('is shown section by section and entry by entry', () => {
    expect(inspect(bytes)).toEqual({
      code: 0,
      lines: [
        'snapshot, version 2: shard 1 of 4, set 7, epoch 2, LSN 99 to 99, made 2023-11-14T22:13:20.000Z',
        '4096: section 0, db 0, 2 entries, 160 bytes, as of LSN 99',
        '  LSN 99 db 0 "user:1" "Ada"',
        `  LSN 99 db 0 "k" "${'x'.repeat(64)}"... (70 bytes)`,
        '8192: the last page: 1 sections, 2 entries, 12288 bytes',
      ],
    });
  });

  it('is shown up to a limit of entries', () => {
    const { lines } = inspect(bytes, 1);
    expect(lines.at(-1)).toBe('there may be more (--limit): 1 sections, 2 entries, 12288 bytes');
  });

  it('is shown up to where it is damaged', () => {
    const changed = Buffer.from(bytes);
    changed[4096 + 70] ^= 1;
    const { code, lines } = inspect(changed);
    expect(code).toBe(1);
    expect(lines[1]).toContain('4096');
  });
});

describe('any other file', () => {
  it('is said to be neither', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('hello'), Buffer.alloc(10_000, 7)]) {
      const { code, lines } = inspect(bytes);
      expect(code).toBe(1);
      expect(lines[0]).toContain('file is no log segment (');
    }
  });
});
