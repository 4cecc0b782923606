/** Visiting and dropping the keys of slots in slices, against a map, while keys come and go in between. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { SLOT_COUNT, slotOfKey } from '../../src/routing/slot.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { LSN, NONE } from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { dropSlots, visitSlots } from '../../src/shard/slots.ts';
import { POSITIONS } from '../../src/shard/table.ts';
import { readRecords, take } from '../support/journal.ts';
import { createTestShard, expectWhole, find, keyText, set } from '../support/shard.ts';

let shard: Shard;
afterEach(() => expectWhole(shard));

function slotOf(key: string): number {
  const bytes = Buffer.from(key);
  return slotOfKey(bytes, 0, bytes.length);
}

/** Slots that leave this remainder. */
function everyThird(remainder: number): Uint8Array {
  return Uint8Array.from({ length: SLOT_COUNT }, (_, slot) => (slot % 3 === remainder ? 1 : 0));
}

function keysIn(filter: Uint8Array, slice: number, between: () => void = () => undefined): string[] {
  const keys: string[] = [];
  for (let position = 0; position < POSITIONS; between()) {
    position = visitSlots(shard, filter, position, slice, (ref, slot) => {
      expect(slot).toBe(slotOf(keyText(shard, ref)));
      keys.push(keyText(shard, ref));
    });
  }
  return keys;
}

function drop(
  filter: Uint8Array,
  slice: number,
  lsnMax: number,
  between: () => void = () => undefined,
): void {
  for (let position = 0; position < POSITIONS; between()) {
    position = dropSlots(shard, filter, position, slice, lsnMax);
  }
}

function fill(count: number): string[] {
  const keys = Array.from({ length: count }, (_, index) => `key:${index}`);
  for (const key of keys) set(shard, key, 'value');
  return keys;
}

describe('a visit of slots', () => {
  it.each([1, 7, 100, 1e9])('finds their keys and no others, in slices of %i', (slice) => {
    shard = createTestShard();
    const keys = fill(1000);
    const wanted = everyThird(1);
    expect(keysIn(wanted, slice).sort()).toEqual(keys.filter((key) => slotOf(key) % 3 === 1).sort());
  });

  it('comes to its end in a shard without keys', () => {
    shard = createTestShard();
    expect(keysIn(everyThird(0), 10)).toEqual([]);
  });

  it('looks at database 0 alone', () => {
    shard = createTestShard();
    set(shard, 'here', 'value');
    set(shard, 'there', 'value', { database: 1 });
    expect(keysIn(new Uint8Array(SLOT_COUNT).fill(1), 10)).toEqual(['here']);
  });

  it('takes a slice of so many entries, and of the rest of a group', () => {
    shard = createTestShard();
    fill(5000);
    let seen = 0;
    visitSlots(shard, new Uint8Array(SLOT_COUNT).fill(1), 0, 100, () => {
      seen += 1;
    });
    expect(seen).toBeGreaterThan(50);
    expect(seen).toBeLessThan(200);
  });

  it('misses none that is there throughout while others come and go', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -120, max: 120 }), { maxLength: 30 }),
        fc.integer({ min: 1, max: 90 }),
        (deltas, slice) => {
          shard = createTestShard();
          const steady = new Set(fill(400));
          let passers = 0;
          const steps = deltas.values();
          const seen = keysIn(everyThird(2), slice, () => {
            const delta = steps.next().value ?? 0;
            for (let left = delta; left > 0; left -= 1) set(shard, `passer:${passers++}`, '');
            for (let left = delta; left < 0 && passers > 0; left += 1) {
              removeEntry(shard, find(shard, `passer:${--passers}`));
            }
          });
          const wanted = [...steady].filter((key) => slotOf(key) % 3 === 2);
          expect(wanted.filter((key) => !seen.includes(key))).toEqual([]);
          expectWhole(shard);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('dropping slots', () => {
  it.each([1, 7, 100, 1e9])('takes their keys and no others, in slices of %i', (slice) => {
    shard = createTestShard();
    const keys = fill(1000);
    drop(everyThird(1), slice, Infinity);
    const left = keys.filter((key) => find(shard, key) !== NONE);
    expect(left).toEqual(keys.filter((key) => slotOf(key) % 3 !== 1));
    expect(shard.slotKeys?.reduce((sum, count) => sum + count)).toBe(left.length);
  });

  it('leaves what was changed after the bound, also what comes between two slices', () => {
    shard = createTestShard();
    const keys = fill(600);
    const lsnMax = shard.numbers[LSN];
    set(shard, 'key:1', 'changed');
    let written = 0;
    drop(new Uint8Array(SLOT_COUNT).fill(1), 20, lsnMax, () => {
      written += 1;
      set(shard, `key:${2 * written}`, 'anew');
    });
    const left = keys.filter((key) => find(shard, key) !== NONE);
    const kept = ['key:1', ...Array.from({ length: written }, (_, index) => `key:${2 * (index + 1)}`)];
    expect(left.toSorted()).toEqual(kept.filter((key) => keys.includes(key)).toSorted());
  });

  it('drops all that is there throughout and old, whatever comes in between', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(150), { maxLength: 20 }),
        fc.integer({ min: 1, max: 90 }),
        (counts, slice) => {
          shard = createTestShard();
          const old = fill(500);
          const lsnMax = shard.numbers[LSN];
          const steps = counts.values();
          let fresh = 0;
          drop(everyThird(0), slice, lsnMax, () => {
            for (let left = steps.next().value ?? 0; left > 0; left -= 1) set(shard, `fresh:${fresh++}`, '');
          });
          for (const key of old) expect(find(shard, key) !== NONE).toBe(slotOf(key) % 3 !== 0);
          for (let index = 0; index < fresh; index += 1) expect(find(shard, `fresh:${index}`)).not.toBe(NONE);
          expectWhole(shard);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('keeps a record of each key that goes', () => {
    shard = createTestShard();
    fill(30);
    startJournaling(shard);
    drop(everyThird(0), 5, Infinity);
    const gone = 30 - (shard.slotKeys?.reduce((sum, count) => sum + count) ?? 0);
    expect(readRecords(take(shard))).toHaveLength(gone);
  });
});
