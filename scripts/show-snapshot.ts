/**
 * Prints a small snapshot file as the server's own code writes it: `node scripts/show-snapshot.ts`. It is the example of
 * docs/formats/snapshot.md (generate-docs.ts puts it there). Nothing in it depends on the machine.
 */
import { Buffer } from 'node:buffer';
import { SNAPSHOT_PAGE_BYTES } from '../src/durability/snapshot-format.ts';
import { ringOf } from '../src/durability/snapshot-loader.ts';
import { writeSnapshot } from '../src/durability/snapshot-writer.ts';
import type { Storage } from '../src/durability/storage-types.ts';
import { SLOT_COUNT } from '../src/routing/slot.ts';
import { findEntry, putString, resizeValue, writeValue } from '../src/shard/keyspace.ts';
import { policyNumber } from '../src/shard/policy.ts';
import { createShardBuffers, formatShard, openShard, type Shard } from '../src/shard/shard.ts';

const NOW_MS = 1_700_000_000_000;
const MIB = 2 ** 20;
const LINE_BYTES = 16;

/** The whole text, as it stands in the page. */
export function snapshotExampleText(): string {
  const bytes = writeExample();
  const lines: string[] = [];
  for (let page = 0; page < bytes.length; page += SNAPSHOT_PAGE_BYTES) {
    const isFirst = page === 0;
    const isLast = page + SNAPSHOT_PAGE_BYTES === bytes.length;
    lines.push(isFirst ? 'the header' : isLast ? 'the footer' : 'section 0', ...pageLines(bytes, page), '');
  }
  return lines.join('\n');
}

/** The bytes of the file: a shard with two keys. */
function writeExample(): Buffer {
  const shard = openExampleShard();
  put(shard, 'session:42', 'Grace', NOW_MS + 60_000);
  put(shard, 'user:1', 'Ada', 0);
  const key = Buffer.from('user:1');
  const ref = findEntry(shard, 0, key, 0, key.length, NOW_MS);
  const more = Buffer.from(' Lovelace');
  writeValue(shard, resizeValue(shard, ref, 12, NOW_MS), 3, more, 0, more.length);
  const file: { bytes: Buffer } = { bytes: Buffer.alloc(0) };
  // All slots are those of shard 0.
  const ring = ringOf(new Uint16Array(SLOT_COUNT));
  const plan = { path: 'shard-000/example', shards: 1, ring, epoch: 1, set: 7, createdMs: NOW_MS };
  const outcome = writeSnapshot(memoryStorage(file), shard, plan, {
    pause: () => true,
    progress: () => undefined,
  });
  if (!outcome.ok) throw new Error(outcome.text);
  return file.bytes;
}

function openExampleShard(): Shard {
  const buffers = createShardBuffers({
    capacityBytes: MIB,
    limitBytes: MIB,
    keysMax: 0,
    policy: policyNumber('allkeys-lru'),
    databases: 1,
    lfuLogFactor: 10,
    lfuDecayMinutes: 1,
    holdSampling: 64,
    hashKey: [7, 77],
    seed: 1,
    nowMs: NOW_MS,
  });
  const shard = openShard(buffers, 0, 1, { wallMs: () => NOW_MS, monotonicMs: () => 0 });
  formatShard(shard, NOW_MS);
  return shard;
}

function put(shard: Shard, key: string, value: string, expiresAtMs: number): void {
  const k = Buffer.from(key);
  const v = Buffer.from(value);
  putString(shard, 0, k, 0, k.length, v, 0, v.length, expiresAtMs, NOW_MS);
}

/** A disk of one file, as far as the writer of a snapshot asks for one. */
function memoryStorage(file: { bytes: Buffer }): Storage {
  const nothing = () => undefined;
  return {
    openRead: () => 1,
    createFile: () => 1,
    openWrite: () => 1,
    close: nothing,
    size: () => file.bytes.length,
    linkCount: () => 1,
    read: () => 0,
    write: (_, bytes, start, end, position) => {
      file.bytes = Buffer.concat([file.bytes.subarray(0, position), bytes.subarray(start, end)]);
    },
    truncate: nothing,
    sync: nothing,
    syncLater: nothing,
    rename: nothing,
    link: nothing,
    remove: nothing,
    exists: () => false,
    list: () => [],
    makeFolder: nothing,
    syncFolder: nothing,
    bootId: () => '',
  };
}

/** A line for each 16 bytes of a page that are not all zero: offset, bytes, the same as text. */
function pageLines(bytes: Buffer, page: number): string[] {
  const lines: string[] = [];
  for (let at = page; at < page + SNAPSHOT_PAGE_BYTES; at += LINE_BYTES) {
    const line = [...bytes.subarray(at, at + LINE_BYTES)];
    if (line.every((byte) => byte === 0)) continue;
    const hex = line.map((byte) => byte.toString(16).padStart(2, '0'));
    const text = line.map((byte) => (byte > 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(
      `${at.toString(16).padStart(4, '0')}  ${hex.slice(0, 8).join(' ')}  ${hex.slice(8).join(' ')}  ${text}`,
    );
  }
  return lines;
}

if (import.meta.main) process.stdout.write(snapshotExampleText());
