/** Shards that are saved and loaded in tests: what is in them, as plain values, and the way to a disk and back. */
import { Buffer } from 'node:buffer';
import { expect } from 'vitest';
import { snapshotPath } from '../../src/durability/file-names.ts';
import { type LoadOutcome, loadSnapshot, orderShard, ringOf } from '../../src/durability/snapshot-loader.ts';
import {
  type SnapshotOutcome,
  type SnapshotPlan,
  writeSnapshot,
} from '../../src/durability/snapshot-writer.ts';
import type { Storage } from '../../src/durability/storage-types.ts';
import { fillSlotTable } from '../../src/routing/hash-ring.ts';
import { SLOT_COUNT, slotOfKey } from '../../src/routing/slot.ts';
import { tableFor } from '../../src/shard/databases.ts';
import { clockOf, expiresAt, isRaw, lsnOf, tableOf } from '../../src/shard/entry.ts';
import { putString, resizeValue, scanBucket, writeValue } from '../../src/shard/keyspace.ts';
import { DATABASES, HEAD_ALL, HEAD_VOLATILE, NONE } from '../../src/shard/layout.ts';
import { newerThan } from '../../src/shard/recency.ts';
import {
  createShardBuffers,
  formatShard,
  openShard,
  type Shard,
  type ShardOptions,
} from '../../src/shard/shard.ts';
import { expectWhole, keyText, START_MS, stillClock, valueText } from './shard.ts';

/** A deck of shards with the slots that the ring gives them. */
export type Deck = { readonly shards: readonly Shard[]; readonly slotShard: Uint16Array };

const OPTIONS: ShardOptions = {
  capacityBytes: 4 * 2 ** 20,
  limitBytes: 4 * 2 ** 20,
  keysMax: 0,
  policy: 1,
  databases: 4,
  lfuLogFactor: 10,
  lfuDecayMinutes: 1,
  holdSampling: 64,
  hashKey: [0x0c5e_11a7, 0x51de_ca7e],
  seed: 20_260_101,
  nowMs: START_MS,
  countsSlots: true,
};

const slotTables = new Map<number, Uint16Array>();

function slotTableOf(count: number): Uint16Array {
  const known = slotTables.get(count);
  if (known !== undefined) return known;
  const table = new Uint16Array(SLOT_COUNT);
  fillSlotTable(
    Array.from({ length: count }, (_, index) => ({ id: `shard-${index}` })),
    table,
  );
  slotTables.set(count, table);
  return table;
}

/** Every deck has a secret of its own for its hashes, as every process has. */
let secret = 1;

export function createDeck(count: number, options: Partial<ShardOptions> = {}): Deck {
  secret += 1;
  const shards = Array.from({ length: count }, (_, index) => {
    const capacityBytes = options.limitBytes ?? OPTIONS.capacityBytes;
    const buffers = createShardBuffers({ ...OPTIONS, capacityBytes, hashKey: [secret, index], ...options });
    const shard = openShard(buffers, index, 1, stillClock);
    formatShard(shard, START_MS);
    return shard;
  });
  return { shards, slotShard: slotTableOf(count) };
}

export function shardFor(deck: Deck, key: string): Shard {
  const bytes = Buffer.from(key);
  return deck.shards[deck.slotShard[slotOfKey(bytes, 0, bytes.length)]];
}

/** SET of a key where it belongs; its reference. */
export function put(
  deck: Deck,
  key: string,
  value: string | Buffer,
  { database = 0, expiresAtMs = 0, nowMs = START_MS } = {},
): number {
  const keyBytes = Buffer.from(key);
  const bytes = Buffer.from(value);
  return putString(
    shardFor(deck, key),
    database,
    keyBytes,
    0,
    keyBytes.length,
    bytes,
    0,
    bytes.length,
    expiresAtMs,
    nowMs,
  );
}

/** APPEND to what `put` has just answered. */
export function append(deck: Deck, key: string, ref: number, before: number, text: string): void {
  const shard = shardFor(deck, key);
  const bytes = Buffer.from(text);
  const at = resizeValue(shard, ref, before + bytes.length, START_MS);
  if (at !== NONE) writeValue(shard, at, before, bytes, 0, bytes.length);
}

/** `database/key` to all that a snapshot must keep of it. */
export function contentsOf(shards: readonly Shard[]): Map<string, string> {
  const contents = new Map<string, string>();
  for (const shard of shards) {
    for (let database = 0; database < shard.control[DATABASES]; database += 1) {
      let position = 0;
      do {
        position = scanBucket(shard, database, position, (ref) => {
          const { entries } = shard;
          const name = `${database}/${keyText(shard, ref)}`;
          if (contents.has(name) || tableOf(entries, ref) !== tableFor(shard, database))
            expect.fail(`${name} is there twice`);
          const marks = `${lsnOf(entries, ref)} ${clockOf(entries, ref)} ${isRaw(entries, ref)}`;
          contents.set(name, `${valueText(shard, ref)} until ${expiresAt(entries, ref)}, ${marks}`);
        });
      } while (position < 2 ** 32);
    }
  }
  return contents;
}

/** The clocks of both lists, oldest use first. */
export function clocksInOrder(shard: Shard): number[][] {
  return [HEAD_ALL, HEAD_VOLATILE].map((head) => {
    const clocks: number[] = [];
    for (let ref = newerThan(shard.entries, head); ref !== head; ref = newerThan(shard.entries, ref))
      clocks.push(clockOf(shard.entries, ref));
    return clocks;
  });
}

export function planFor(deck: Deck, shard: number, set = 1): SnapshotPlan {
  const { shards, slotShard } = deck;
  const path = snapshotPath(shard, set);
  return { path, shards: shards.length, ring: ringOf(slotShard), epoch: 3, set, createdMs: START_MS };
}

/** Saves one shard; `between` runs between the slices. */
export function save(
  storage: Storage,
  deck: Deck,
  shard = 0,
  between: () => unknown = () => undefined,
): SnapshotOutcome {
  const pause = () => between() !== false;
  return writeSnapshot(storage, deck.shards[shard], planFor(deck, shard), {
    pause,
    progress: () => undefined,
  });
}

export function saveAll(storage: Storage, deck: Deck): void {
  for (const { index } of deck.shards) expect(save(storage, deck, index)).toMatchObject({ ok: true });
}

export function load(storage: Storage, deck: Deck, shard = 0, nowMs = START_MS, hasLog = false): LoadOutcome {
  return loadSnapshot(storage, snapshotPath(shard, 1), { ...deck, nowMs, hasLog, progress: () => true });
}

/** Loads what `saveAll` has written of `count` shards, and checks that every shard is whole. */
export function loadAll(storage: Storage, deck: Deck, count: number, nowMs = START_MS): LoadOutcome[] {
  const outcomes = Array.from({ length: count }, (_, shard) => load(storage, deck, shard, nowMs));
  for (const shard of deck.shards) {
    orderShard(shard, nowMs);
    expectWhole(shard);
  }
  return outcomes;
}
