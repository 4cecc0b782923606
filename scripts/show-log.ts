/**
 * Prints a small log segment word by word as the server's own code writes it: `node scripts/show-log.ts`. It is the example of
 * docs/formats/log.md (generate-docs.ts puts it there). Nothing in it depends on the machine.
 */
import { Buffer } from 'node:buffer';
import { commitChange, noteOp, OP_ADD } from '../src/collections/change.ts';
import { encodeElement } from '../src/collections/elements.ts';
import { putPair } from '../src/collections/hash.ts';
import { createCollection } from '../src/collections/sequence.ts';
import {
  BLOCK_HEADER_BYTES,
  CHUNK_HEADER_BYTES,
  encodeChunkHeader,
  encodeSegmentHeader,
  LOG_VERSION,
  SEGMENT_HEADER_BYTES,
  sealBlock,
} from '../src/durability/log-format.ts';
import {
  pendingBytes,
  pendingFirstLsn,
  pendingRecords,
  startJournaling,
  takePending,
} from '../src/shard/journal.ts';
import { findEntry, putString } from '../src/shard/keyspace.ts';
import { TYPE_HASH } from '../src/shard/layout.ts';
import { removeEntry } from '../src/shard/lifecycle.ts';
import { policyNumber } from '../src/shard/policy.ts';
import { createRecordView, decodeRecord } from '../src/shard/record.ts';
import { createShardBuffers, formatShard, openShard, type Shard } from '../src/shard/shard.ts';
import { hashOf } from '../src/shard/table.ts';

const DATABASE = 0;
const NOW_MS = 1_700_000_000_000;
const BOOT_ID = '01234567-89ab-4cde-8f01-23456789abcd';
const SHARDS = 2;
const MIB = 2 ** 20;
const LINE_BYTES = 8;
const GROUP_BYTES_MAX = 64;

/** What stands in each 8 bytes; the last name goes for all that follow. */
const SEGMENT_LINES = [
  'magic',
  'CRC, version',
  'stream, shards',
  'databases, reserved',
  'epoch',
  'sequence',
  'first block',
  'created',
  'boot id',
  '',
];
const SEGMENT_SHOWN_BYTES = 104;
const BLOCK_LINES = [
  'magic, CRC of the header',
  'payload bytes, CRC of the payload',
  'block',
  'synced block',
  'wall',
  'chunks, flags',
  'stream, reserved',
  'epoch',
];
const CHUNK_LINES = ['shard, records', 'first LSN', 'record bytes, reserved'];
const RECORD_LINES = ['WHAT, key bytes', 'value bytes, EXTRA'];

/** The whole text, as it stands in the page. */
export function logExampleText(): string {
  const shards = Array.from({ length: SHARDS }, (_, id) => openExampleShard(id));
  put(shards[0], 'session:42', 'Grace', NOW_MS + 60_000);
  putField(shards[0], 'user:2', 'age', '36');
  put(shards[1], 'user:1', 'Ada', 0);
  drop(shards[1], 'user:1');
  const segment = Buffer.alloc(SEGMENT_HEADER_BYTES);
  encodeSegmentHeader(segment, 0, {
    ...{ version: LOG_VERSION, stream: 0, shards: SHARDS, databases: 16, epoch: 1, sequence: 42 },
    ...{ firstBlock: 7, createdMs: NOW_MS, bootId: BOOT_ID },
  });
  const block = sealedBlock(shards);
  return [
    "worker-000/wal-000000000042.log: the segment's header",
    ...lines(segment, 0, SEGMENT_SHOWN_BYTES, 0, SEGMENT_LINES),
    `      zeros up to offset ${SEGMENT_HEADER_BYTES}`,
    '',
    `block 7, written at the end of a turn: SET session:42 Grace PXAT ${NOW_MS + 60_000} and HSET user:2 age 36 in shard 0, SET user:1 Ada and DEL user:1 in shard 1`,
    ...lines(block, 0, BLOCK_HEADER_BYTES, SEGMENT_HEADER_BYTES, BLOCK_LINES),
    ...chunkLines(block),
    '',
  ].join('\n');
}

function openExampleShard(id: number): Shard {
  const buffers = createShardBuffers({
    ...{ capacityBytes: MIB, limitBytes: MIB, keysMax: 0, policy: policyNumber('allkeys-lru'), databases: 1 },
    ...{ lfuLogFactor: 10, lfuDecayMinutes: 1, holdSampling: 64, hashKey: [7, 77], seed: 1, nowMs: NOW_MS },
  });
  const shard = openShard(buffers, id, 1, { wallMs: () => NOW_MS, monotonicMs: () => 0 });
  formatShard(shard, NOW_MS);
  startJournaling(shard);
  return shard;
}

function put(shard: Shard, key: string, value: string, expiresAtMs: number): void {
  const k = Buffer.from(key);
  const v = Buffer.from(value);
  putString(shard, DATABASE, k, 0, k.length, v, 0, v.length, expiresAtMs, NOW_MS);
}

/** HSET of a key that is not there. */
function putField(shard: Shard, key: string, field: string, value: string): void {
  const k = Buffer.from(key);
  const group = Buffer.alloc(GROUP_BYTES_MAX);
  let end = 0;
  for (const text of [Buffer.from(field), Buffer.from(value)]) {
    end = encodeElement(group, end, text, 0, text.length);
  }
  const ref = createCollection(
    ...([shard, DATABASE, hashOf(shard, k, 0, k.length), k, 0, k.length, TYPE_HASH, 0, NOW_MS] as const),
  );
  noteOp(OP_ADD, 0, group, 0, end);
  commitChange(shard, DATABASE, putPair(shard, ref, group, 0, end, NOW_MS), true);
}

function drop(shard: Shard, key: string): void {
  const bytes = Buffer.from(key);
  removeEntry(shard, findEntry(shard, DATABASE, bytes, 0, bytes.length, NOW_MS));
}

/** What a drain makes of the shards' journals. */
function sealedBlock(shards: readonly Shard[]): Buffer {
  const payloadBytes = shards.reduce((sum, shard) => sum + CHUNK_HEADER_BYTES + pendingBytes(shard), 0);
  const block = Buffer.alloc(BLOCK_HEADER_BYTES + payloadBytes);
  let at = BLOCK_HEADER_BYTES;
  for (const shard of shards) {
    const bytes = pendingBytes(shard);
    encodeChunkHeader(block, at, shard.index, pendingRecords(shard), pendingFirstLsn(shard), bytes);
    takePending(shard, block, at + CHUNK_HEADER_BYTES);
    at += CHUNK_HEADER_BYTES + bytes;
  }
  const numbers = { block: 7, syncedBlock: 6, wallMs: NOW_MS, stream: 0, epoch: 1 };
  sealBlock(block, 0, { payloadBytes, chunks: shards.length, ...numbers });
  return block;
}

function chunkLines(block: Buffer): string[] {
  const view = createRecordView();
  const found: string[] = [];
  for (let at = BLOCK_HEADER_BYTES; at < block.length; ) {
    const recordsAt = at + CHUNK_HEADER_BYTES;
    const end = recordsAt + block.readUInt32LE(at + 16);
    found.push('', `  chunk of shard ${block.readUInt32LE(at)}`);
    found.push(...lines(block, at, recordsAt, SEGMENT_HEADER_BYTES, CHUNK_LINES));
    for (at = recordsAt; at < end; ) {
      const next = decodeRecord(block, at, end, view);
      const names = [...RECORD_LINES, ...(view.expiresAtMs > 0 ? ['deadline'] : []), 'key, value, zeros', ''];
      found.push(...lines(block, at, next, SEGMENT_HEADER_BYTES, names));
      at = next;
    }
  }
  return found;
}

/** A line for each 8 bytes: their offset in the file, the bytes, the same as text, and what they are. */
function lines(
  bytes: Buffer,
  start: number,
  end: number,
  fileOffset: number,
  names: readonly string[],
): string[] {
  return Array.from({ length: (end - start) / LINE_BYTES }, (_, index) => {
    const at = start + index * LINE_BYTES;
    const cells = [...bytes.subarray(at, at + LINE_BYTES)];
    const hex = cells.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = cells.map((byte) => (byte > 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    const name = names[Math.min(index, names.length - 1)];
    return `${String(fileOffset + at).padStart(6)}  ${hex}  ${text}  ${name}`.trimEnd();
  });
}

if (import.meta.main) process.stdout.write(logExampleText());
