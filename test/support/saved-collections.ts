/** Collections that are saved and loaded in tests: with so small slices and pages that a few groups are many of both. */
import { expect } from 'vitest';
import { OP_ADD } from '../../src/collections/change.ts';
import { TYPE_HASH, TYPE_STRING, TYPE_ZSET } from '../../src/shard/layout.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { keysOfType } from '../../src/shard/type-counts.ts';
import { sliceBounds } from '../../src/shard/walk-large.ts';
import {
  COLLECTION_TYPES,
  changeCollection,
  everything,
  type Operation,
  typeNames,
  withSmallBounds,
} from './operations.ts';
import { START_MS } from './shard.ts';
import { type Deck, shardFor } from './snapshots.ts';

const SLICE_BYTES = 150;

/** Runs something with slices that hold a few groups at most. */
export function inSmallSlices<T>(run: () => T): T {
  const { bytesMax } = sliceBounds;
  sliceBounds.bytesMax = SLICE_BYTES;
  try {
    return withSmallBounds(run);
  } finally {
    sliceBounds.bytesMax = bytesMax;
  }
}

export function add(texts: readonly string[]): Operation {
  return { code: OP_ADD, argument: 0, texts };
}

/** The texts of groups of a type, by number. Some fields of a hash have deadlines. */
export function groups(type: number, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => {
    const name = `member ${from + i}`;
    if (type === TYPE_HASH)
      return [name, `value ${from + i}${i % 3 === 1 ? ` until ${START_MS + 1e6 + i}` : ''}`];
    return type === TYPE_ZSET ? [`${(from + i) / 4}`, name] : [name];
  }).flat();
}

/** A collection of each type, with so many groups. */
export function fill(deck: Deck, count: number, prefix = ''): void {
  for (const type of COLLECTION_TYPES) {
    const key = `${prefix}${typeNames[type]}`;
    expect(changeCollection(shardFor(deck, key), key, type, [add(groups(type, 0, count))])).toBe(true);
  }
}

export function allOf(deck: Deck): Map<string, string> {
  return new Map(deck.shards.flatMap((shard) => [...everything(shard)]).sort());
}

/** What the shard counts by type is what is there. */
export function expectCounts(shard: Shard): void {
  const types = [...everything(shard).values()].map((text) => Number(text[0]));
  for (const type of [TYPE_STRING, ...COLLECTION_TYPES])
    expect(keysOfType(shard, type)).toBe(types.filter((one) => one === type).length);
}
