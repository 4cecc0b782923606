/**
 * Views of a shard whose n-th write never happens, because its thread dies there.
 *
 * A thread that is terminated stops between two steps of its own code, never inside a native copy or fill: those count
 * as one write.
 */
import { Buffer } from 'node:buffer';
import type { Shard, ShardBuffers } from '../../src/shard/shard.ts';

/** What a dying thread throws: nothing of ours catches it. */
export const DEATH = new Error('the thread died');

/** Writes that are still allowed, and those that were made. */
export type Lifetime = { left: number; made: number };

/** More than the records of any story need, and little to copy. */
const JOURNAL_BYTES = 128 * 1024;

const NATIVE_WRITES: ReadonlySet<string | symbol> = new Set(['fill', 'copyWithin', 'copy']);
const originals = new WeakMap<object, object>();
const lifetimes = new WeakMap<object, Lifetime>();

/** Bytes of private memory, which know nothing of dying, are copied into a dying shard. */
const nativeCopy = Buffer.prototype.copy;
Buffer.prototype.copy = function copy(this: Buffer, target: Uint8Array, ...span: number[]): number {
  const lifetime = lifetimes.get(target);
  if (lifetime !== undefined) spend(lifetime);
  return nativeCopy.call(this, original(target) as Uint8Array, ...span);
};

/** The shard as a thread sees it whose life ends after `lifetime.left` writes. */
export function openDying(shard: Shard, lifetime: Lifetime): Shard {
  return {
    ...shard,
    control: mortal(shard.control, lifetime),
    numbers: mortal(shard.numbers, lifetime),
    entries: mortalArena(shard.entries, lifetime),
    groups: mortalArena(shard.groups, lifetime),
    ghosts: mortal(shard.ghosts, lifetime),
    slotKeys: shard.slotKeys === undefined ? undefined : mortal(shard.slotKeys, lifetime),
    journal: {
      words: mortal(shard.journal.words, lifetime),
      numbers: mortal(shard.journal.numbers, lifetime),
      recordWords: mortal(shard.journal.recordWords, lifetime),
      records: mortal(shard.journal.records, lifetime),
    },
  };
}

/** Bytes that may be copied into a dying shard. */
export function mortalBytes(text: string, lifetime: Lifetime): Buffer {
  return mortal(Buffer.from(text), lifetime);
}

/** Memory of the same sizes as that of another shard, but for the journal's. */
export function likeBuffers(buffers: ShardBuffers): ShardBuffers {
  return {
    numbers: new SharedArrayBuffer(buffers.numbers.byteLength),
    control: new SharedArrayBuffer(buffers.control.byteLength),
    entries: new SharedArrayBuffer(buffers.entries.byteLength),
    groups: new SharedArrayBuffer(buffers.groups.byteLength),
    journal: new SharedArrayBuffer(Math.min(buffers.journal.byteLength, JOURNAL_BYTES)),
    ghosts: new SharedArrayBuffer(buffers.ghosts.byteLength),
    backlog: undefined,
    slotKeys: buffers.slotKeys && new SharedArrayBuffer(buffers.slotKeys.byteLength),
  };
}

/** Makes a shard's memory what that of another is. */
export function copyBuffers(from: ShardBuffers, to: ShardBuffers): void {
  Buffer.from(from.numbers).copy(Buffer.from(to.numbers));
  Buffer.from(from.control).copy(Buffer.from(to.control));
  Buffer.from(from.entries).copy(Buffer.from(to.entries));
  Buffer.from(from.journal, 0, Math.min(from.journal.byteLength, JOURNAL_BYTES)).copy(
    Buffer.from(to.journal),
  );
  Buffer.from(from.groups).copy(Buffer.from(to.groups));
  Buffer.from(from.ghosts).copy(Buffer.from(to.ghosts));
  if (from.slotKeys && to.slotKeys) Buffer.from(from.slotKeys).copy(Buffer.from(to.slotKeys));
}

function mortalArena(arena: Shard['entries'], lifetime: Lifetime): Shard['entries'] {
  const windows = arena.windows.map((window) => mortal(window, lifetime));
  return { words: mortal(arena.words, lifetime), windows, cells: arena.cells };
}

function mortal<T extends object>(view: T, lifetime: Lifetime): T {
  const proxy = new Proxy(view, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...values: unknown[]) => {
        if (NATIVE_WRITES.has(name)) spend(lifetime);
        return Reflect.apply(value, target, values.map(original));
      };
    },
    set(target, name, value) {
      spend(lifetime);
      return Reflect.set(target, name, value);
    },
  });
  originals.set(proxy, view);
  lifetimes.set(proxy, lifetime);
  return proxy;
}

function original(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? (originals.get(value) ?? value) : value;
}

function spend(lifetime: Lifetime): void {
  if (lifetime.left === 0) throw DEATH;
  lifetime.left -= 1;
  lifetime.made += 1;
}
