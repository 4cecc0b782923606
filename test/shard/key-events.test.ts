/** What is noted of keys, and where: every place of the shard that notes, with and without somebody who watches. */
import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { KEY_EVENTS_BYTES_KEPT_MAX, KEY_EVENTS_BYTES_MAX } from '../../src/config/limits.ts';
import { flushDatabase, swapDatabases } from '../../src/shard/databases.ts';
import { removeDue } from '../../src/shard/due.ts';
import { evictOne } from '../../src/shard/eviction.ts';
import {
  createKeyEvents,
  EVENT_CHANGED,
  EVENT_EVICTED,
  EVENT_EXPIRED,
  EVENT_FLUSHED,
  EVENT_NAMED,
  EVENT_SWAPPED,
  type KeyEvents,
  noteDatabase,
  noteKey,
  takeKeyEvents,
  WATCHES_CHANGES,
  WATCHES_EVICTED,
  WATCHES_EXPIRED,
} from '../../src/shard/key-events.ts';
import { resizeValue, writeValue } from '../../src/shard/keyspace.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import { createTestShard, find, START_MS, set } from '../support/shard.ts';

type Note = [kind: number, database: number, key: string, detail: number];

function taken(events: KeyEvents): Note[] {
  const notes: Note[] = [];
  takeKeyEvents(events, (kind, database, detail, bytes, start, end) => {
    notes.push([kind, database, bytes.toString('latin1', start, end), detail]);
  });
  return notes;
}

function note(events: KeyEvents, kind: number, key: string): void {
  const bytes = Buffer.from(key);
  noteKey(events, kind, 0, 0, bytes, 0, bytes.length);
}

describe('notes', () => {
  test('come out once, in order, with keys of every length', () => {
    const events = createKeyEvents();
    const keys = Array.from({ length: 70 }, (_, length) => 'k'.repeat(length));
    for (const [index, key] of keys.entries()) {
      const bytes = Buffer.from(`<${key}>`);
      noteKey(events, EVENT_NAMED + index, index % 64, 7 - index, bytes, 1, bytes.length - 1);
    }
    expect(taken(events)).toEqual(
      keys.map((key, index) => [EVENT_NAMED + index, index % 64, key, 7 - index]),
    );
    expect(events.length).toBe(0);
    expect(taken(events)).toEqual([]);
  });

  test('of databases have no key', () => {
    const events = createKeyEvents();
    noteDatabase(events, EVENT_SWAPPED, 3, 63);
    expect(taken(events)).toEqual([[EVENT_SWAPPED, 3, '', 63]]);
  });

  test('are dropped from the bound on, counted, and said to be lost only if they were changes', () => {
    const events = createKeyEvents();
    const large = Buffer.alloc(KEY_EVENTS_BYTES_MAX / 2 - 12);
    noteKey(events, EVENT_NAMED, 0, 0, large, 0, large.length);
    noteKey(events, EVENT_NAMED, 0, 0, large, 0, large.length);
    expect(events).toMatchObject({ length: KEY_EVENTS_BYTES_MAX, dropped: 0 });
    note(events, EVENT_NAMED, '');
    note(events, EVENT_EVICTED, '');
    expect(events).toMatchObject({ dropped: 2, hasLostChanges: false });
    note(events, EVENT_CHANGED, '');
    expect(events).toMatchObject({ dropped: 3, hasLostChanges: true });
    expect(taken(events)).toHaveLength(2);
    expect(events.bytes.length).toBeLessThanOrEqual(KEY_EVENTS_BYTES_KEPT_MAX);
    note(events, EVENT_NAMED, 'again');
    expect(taken(events)).toEqual([[EVENT_NAMED, 0, 'again', 0]]);
  });
});

describe('a shard', () => {
  function change(watches: number): Note[] {
    const shard = createTestShard();
    shard.keyEvents.watches = watches;
    set(shard, 'a', '1', { database: 2 });
    setExpiry(shard, find(shard, 'a', { database: 2 }), START_MS + 5);
    const ref = resizeValue(shard, find(shard, 'a', { database: 2 }), 3, START_MS);
    writeValue(shard, ref, 1, Buffer.from('23'), 0, 2);
    removeEntry(shard, find(shard, 'a', { database: 2 }));
    set(shard, 'b', '1');
    swapDatabases(shard, 0, 1);
    flushDatabase(shard, 1);
    set(shard, 'c', '1', { expiresAtMs: START_MS + 1 });
    find(shard, 'c', { nowMs: START_MS + 2 });
    set(shard, 'd', '1', { expiresAtMs: START_MS + 1 });
    set(shard, 'e', '1', { expiresAtMs: START_MS + 1 });
    set(shard, 'f', '1');
    removeDue(shard, START_MS + 60_000, 100);
    // What was flushed goes first; that is no event.
    evictOne(shard, START_MS);
    evictOne(shard, START_MS);
    return taken(shard.keyEvents);
  }

  test('notes nothing while nobody watches', () => {
    expect(change(0)).toEqual([]);
  });

  test('notes every change where changes are watched', () => {
    const notes = change(WATCHES_CHANGES);
    const changed = (key: string, database = 0): Note => [EVENT_CHANGED, database, key, 0];
    expect(notes.slice(0, 10)).toEqual([
      ...[changed('a', 2), changed('a', 2), changed('a', 2), changed('a', 2)],
      ...[changed('b'), [EVENT_SWAPPED, 0, '', 1], [EVENT_FLUSHED, 1, '', 0]],
      ...[changed('c'), changed('c'), changed('d')],
    ]);
    expect(notes.slice(10).sort()).toEqual([
      changed('d'),
      changed('e'),
      changed('e'),
      changed('f'),
      changed('f'),
    ]);
  });

  test('notes what has expired, met by a reader or not, and what was evicted', () => {
    const notes = change(WATCHES_EXPIRED | WATCHES_EVICTED);
    expect(notes).toHaveLength(4);
    expect(notes[0]).toEqual([EVENT_EXPIRED, 0, 'c', 0]);
    expect(notes.slice(1, 3).sort()).toEqual([
      [EVENT_EXPIRED, 0, 'd', 0],
      [EVENT_EXPIRED, 0, 'e', 0],
    ]);
    expect(notes[3]).toEqual([EVENT_EVICTED, 0, 'f', 0]);
    expect(change(WATCHES_EXPIRED)).toHaveLength(3);
    expect(change(WATCHES_EVICTED)).toEqual([[EVENT_EVICTED, 0, 'f', 0]]);
  });

  test('notes nothing of what a flush has taken, though its time comes before it is drained', () => {
    const shard = createTestShard();
    shard.keyEvents.watches = WATCHES_EXPIRED | WATCHES_EVICTED;
    set(shard, 'a', '1', { expiresAtMs: START_MS + 1 });
    flushDatabase(shard, 0);
    removeDue(shard, START_MS + 60_000, 100);
    expect(taken(shard.keyEvents)).toEqual([]);
  });
});
