/**
 * SET, GET and DEL as a command does them between its parsed arguments and its reply: the key's slot, the shard that the
 * ring gives, its lock, the change, the lock's release. Used by the in-process cases, on any thread.
 */

import { type ReplyWriter, writeBulk } from '../../src/resp/reply-writer.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { entryBytes, valueLength, valueOffset } from '../../src/shard/entry.ts';
import { findEntry, putString } from '../../src/shard/keyspace.ts';
import { NONE } from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import { acquireShard, releaseShard } from '../../src/shard/lock.ts';
import { touchEntry } from '../../src/shard/recency.ts';
import type { Shard } from '../../src/shard/shard.ts';

/** The shards of a process and the table that leads to them. */
export type Deck = { readonly shards: readonly Shard[]; readonly slotShard: Uint16Array };

/** Whether there was room. */
export function setKey(
  deck: Deck,
  key: Buffer,
  start: number,
  end: number,
  value: Buffer,
  nowMs: number,
): boolean {
  const shard = deck.shards[deck.slotShard[slotOfKey(key, start, end)]];
  acquireShard(shard);
  try {
    return putString(shard, 0, key, start, end, value, 0, value.length, 0, nowMs) !== NONE;
  } finally {
    releaseShard(shard);
  }
}

/** Appends the value to the reply; whether there was one. */
export function getKey(
  deck: Deck,
  key: Buffer,
  start: number,
  end: number,
  reply: ReplyWriter,
  nowMs: number,
): boolean {
  const shard = deck.shards[deck.slotShard[slotOfKey(key, start, end)]];
  acquireShard(shard);
  try {
    const ref = findEntry(shard, 0, key, start, end, nowMs);
    if (ref === NONE) return false;
    touchEntry(shard, ref, nowMs);
    const at = valueOffset(shard.entries, ref);
    writeBulk(reply, entryBytes(shard.entries, ref), at, at + valueLength(shard.entries, ref));
    return true;
  } finally {
    releaseShard(shard);
  }
}

/** Whether the key was there. */
export function deleteKey(deck: Deck, key: Buffer, start: number, end: number, nowMs: number): boolean {
  const shard = deck.shards[deck.slotShard[slotOfKey(key, start, end)]];
  acquireShard(shard);
  try {
    const ref = findEntry(shard, 0, key, start, end, nowMs);
    if (ref === NONE) return false;
    removeEntry(shard, ref);
    return true;
  } finally {
    releaseShard(shard);
  }
}
