/**
 * Prints entries and a group of the index word by word as the shard's own code lays them: `node scripts/show-entry.ts`.
 * It is the example of docs/formats/entry.md (generate-docs.ts puts it there). Nothing in it depends on the machine.
 */
import { Buffer } from 'node:buffer';
import {
  type Arena,
  blockCells,
  firstBlock,
  isFreeBlock,
  lastBlock,
  nextBlock,
  WINDOW_CELL_MASK,
} from '../src/shard/arena.ts';
import { checkShard } from '../src/shard/check.ts';
import { expiresAt, isWide, keyLength, lsnOf, typeOf, valueLength } from '../src/shard/entry.ts';
import { findEntry, putString, resizeValue, writeValue } from '../src/shard/keyspace.ts';
import { CELL_BYTES, WORDS_PER_CELL } from '../src/shard/layout.ts';
import { policyNumber } from '../src/shard/policy.ts';
import { createShardBuffers, formatShard, openShard, type Shard } from '../src/shard/shard.ts';

const DATABASE = 0;
const NOW_MS = 1_700_000_000_000;
const MIB = 2 ** 20;
const WORD_BYTES = 4;

const HEADER_WORDS = [
  'BLOCK',
  'NEWER',
  'OLDER',
  'LSN low',
  'EXPIRES low',
  'LSN high, EXPIRES high',
  'table, CLOCK',
  'WHEEL_NEXT',
  'WHEEL_PREVIOUS',
];
const NARROW_WORDS = [...HEADER_WORDS, 'SHAPE, then the key'];
const WIDE_WORDS = [...HEADER_WORDS, 'SHAPE, raw flag', 'key length', 'value length', 'the key'];
/** The group of the example has room for four references: one step. */
const GROUP_WORDS = [
  ...['BLOCK', 'COUNT, CAPACITY', 'tags 0 and 1', 'tags 2 and 3'],
  ...['reference 0', 'reference 1', 'reference 2, unused', 'reference 3, unused'],
];

/** The whole text, as it stands in the page. */
export function exampleText(): string {
  const shard = openExampleShard();
  put(shard, 'user:1', 'Ada', 0);
  put(shard, 'session:42', 'Grace', NOW_MS + 60_000);
  append(shard, 'user:1', ' Lovelace');
  const expiring = find(shard, 'session:42');
  const changed = find(shard, 'user:1');
  const problem = checkShard(shard);
  if (problem !== undefined) throw new Error(problem);
  const group = onlyGroup(shard);
  return [
    `SET session:42 Grace PXAT ${NOW_MS + 60_000}`,
    ...entryLines(shard, expiring, NARROW_WORDS),
    '',
    'SET user:1 Ada, then APPEND user:1 " Lovelace"',
    ...entryLines(shard, changed, WIDE_WORDS),
    '',
    `the group of the index that names both (cell ${group} of the index arena)`,
    ...wordLines(shard.groups, group, GROUP_WORDS),
    '',
  ].join('\n');
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
  putString(shard, DATABASE, k, 0, k.length, v, 0, v.length, expiresAtMs, NOW_MS);
}

/** What APPEND does. */
function append(shard: Shard, key: string, text: string): void {
  const bytes = Buffer.from(text);
  const ref = find(shard, key);
  const before = valueLength(shard.entries, ref);
  const at = resizeValue(shard, ref, before + bytes.length, NOW_MS);
  writeValue(shard, at, before, bytes, 0, bytes.length);
}

function find(shard: Shard, key: string): number {
  const bytes = Buffer.from(key);
  return findEntry(shard, DATABASE, bytes, 0, bytes.length, NOW_MS);
}

/** The only group: the smaller of the two blocks in use, beside the segment that refers to it. */
function onlyGroup({ groups }: Shard): number {
  const used: number[] = [];
  for (let ref = firstBlock(); ref < lastBlock(groups); ref = nextBlock(groups, ref)) {
    if (!isFreeBlock(groups, ref)) used.push(ref);
  }
  return used.reduce((a, b) => (blockCells(groups.words, a) < blockCells(groups.words, b) ? a : b));
}

function entryLines(shard: Shard, ref: number, names: readonly string[]): string[] {
  const { entries } = shard;
  const form = isWide(entries, ref) ? 'wide' : 'narrow';
  return [
    `cell ${ref}, ${form}, type ${typeOf(entries, ref)}, ${keyLength(entries, ref)} bytes of key, ` +
      `${valueLength(entries, ref)} of value, LSN ${lsnOf(entries, ref)}, expires ${expiresAt(entries, ref)}`,
    ...wordLines(entries, ref, names),
  ];
}

/** A line per word: its number, its bytes in the order of memory, the same as text, and what it is. */
function wordLines(arena: Arena, ref: number, names: readonly string[]): string[] {
  const window = arena.windows[0];
  const start = (ref & WINDOW_CELL_MASK) * CELL_BYTES;
  const count = blockCells(arena.words, ref) * WORDS_PER_CELL;
  return Array.from({ length: count }, (_, index) => {
    const bytes = [...window.subarray(start + index * WORD_BYTES, start + (index + 1) * WORD_BYTES)];
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = bytes.map((byte) => (byte > 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    return `${String(index).padStart(3)}  ${hex}  ${text}  ${names[index] ?? ''}`.trimEnd();
  });
}

if (import.meta.main) process.stdout.write(exampleText());
