/** Large collections copied piece by piece while they change: what a load makes of the copy, with a log behind it and without one. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  OP_DEADLINE,
  OP_INSERT_AT,
  OP_POP_HEAD,
  OP_POP_TAIL,
  OP_PUSH_HEAD,
  OP_SET_AT,
} from '../../src/collections/change.ts';
import { moveCollection } from '../../src/collections/copy.ts';
import { isTree } from '../../src/collections/sequence.ts';
import { lsnOf } from '../../src/shard/entry.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { LSN, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STRING } from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { replayAll, take } from '../support/journal.ts';
import {
  COLLECTION_TYPES,
  changeCollection,
  everything,
  type Operation,
  someOperation,
} from '../support/operations.ts';
import { add, expectCounts, groups, inSmallSlices } from '../support/saved-collections.ts';
import { expectWhole, find, START_MS, set } from '../support/shard.ts';
import { createSimulatedDisk } from '../support/simulated-disk.ts';
import { createDeck, load, save } from '../support/snapshots.ts';

const KEYS = ['a', 'b', 'c'];

describe('a list without a log', () => {
  /** What is loaded of a list of which `change` is done after so many slices. */
  function loadedAfter(count: number, slices: number, change: readonly Operation[]): string[] {
    const deck = createDeck(1);
    const [shard] = deck.shards;
    changeCollection(shard, 'l', TYPE_LIST, [add(groups(TYPE_LIST, 0, count))]);
    const disk = createSimulatedDisk();
    let slice = 0;
    save(disk, deck, 0, () => {
      slice += 1;
      if (slice === slices) changeCollection(shard, 'l', TYPE_LIST, change);
    });
    const other = createDeck(1);
    load(disk, other);
    expectWhole(other.shards[0]);
    const text = everything(other.shards[0], false).get('0/l') ?? '';
    return text.slice(`${TYPE_LIST}: `.length, text.indexOf(' until')).split(',');
  }

  it('has what was there throughout, in order, and nothing that never was', () => {
    inSmallSlices(() => {
      const all = groups(TYPE_LIST, 0, 60);
      const kept = { [OP_POP_HEAD]: all.slice(20), [OP_POP_TAIL]: all.slice(0, -20) };
      for (let slices = 1; slices < 20; slices += 1) {
        for (const code of [OP_POP_HEAD, OP_POP_TAIL] as const) {
          const loaded = loadedAfter(60, slices, [{ code, argument: 20, texts: [] }]);
          expect(loaded.filter((text) => kept[code].includes(text))).toEqual(kept[code]);
          expect(loaded.filter((text) => !all.includes(text))).toEqual([]);
        }
        const pushed = loadedAfter(60, slices, [{ code: OP_PUSH_HEAD, argument: 0, texts: ['x', 'y'] }]);
        expect(pushed.filter((text) => all.includes(text))).toEqual(all);
        const inserted = loadedAfter(60, slices, [{ code: OP_INSERT_AT, argument: 30, texts: ['x'] }]);
        expect(inserted.filter((text) => text !== 'x')).toEqual(all);
      }
    });
  });

  it('is there even if nothing was there throughout', () => {
    inSmallSlices(() => {
      const change = [add(['new']), { code: OP_POP_HEAD, argument: 60, texts: [] }];
      for (let slices = 1; slices < 20; slices += 1) {
        const loaded = loadedAfter(60, slices, change);
        expect(loaded.filter((text) => text === '')).toEqual([]);
        expect(loaded.length).toBeGreaterThan(0);
      }
    });
  });
});

describe('one change after any slice', () => {
  const LIST_CHANGES: readonly Operation[] = [
    { code: OP_POP_HEAD, argument: 20, texts: [] },
    { code: OP_POP_TAIL, argument: 20, texts: [] },
    { code: OP_PUSH_HEAD, argument: 0, texts: ['x', 'y', 'z'] },
    { code: OP_SET_AT, argument: 30, texts: ['x'] },
    { code: OP_INSERT_AT, argument: 30, texts: ['x'] },
    add(['x', 'y', 'z']),
  ];

  /** Saves 60 groups of a type under a log; after so many slices `act` happens. */
  function savedAfter(type: number, slices: number, act: (shard: Shard) => void) {
    const deck = createDeck(1);
    const [shard] = deck.shards;
    startJournaling(shard);
    changeCollection(shard, 'k', type, [add(groups(type, 0, 60))]);
    const disk = createSimulatedDisk();
    let slice = 0;
    save(disk, deck, 0, () => {
      slice += 1;
      if (slice === slices) act(shard);
    });
    return { disk, shard, log: take(shard) };
  }

  it('of a list is brought back by the log: each finds the places that it names', () => {
    inSmallSlices(() => {
      for (let slices = 1; slices < 20; slices += 1) {
        for (const one of LIST_CHANGES) {
          const act = (shard: Shard) => {
            changeCollection(shard, 'k', TYPE_LIST, [one]);
            changeCollection(shard, 'k', TYPE_LIST, [one]);
          };
          const { disk, shard, log } = savedAfter(TYPE_LIST, slices, act);
          const other = createDeck(1);
          load(disk, other, 0, undefined, true);
          replayAll(other.shards[0], log);
          expect(everything(other.shards[0])).toEqual(everything(shard));
        }
      }
    });
  });

  it('that takes the deadlines of all fields away, or brings the first, is brought back by the log', () => {
    const names = groups(TYPE_HASH, 0, 60).filter((_, index) => index % 2 === 0);
    const none = { code: OP_DEADLINE, argument: 0, texts: names.flatMap((name) => [name, '0']) };
    const some = { ...none, texts: [names[7], '5000000000000'] };
    inSmallSlices(() => {
      for (let slices = 0; slices < 20; slices += 1) {
        for (const change of [[none], [some], [none, some], [add(names), none]]) {
          const { disk, shard, log } = savedAfter(TYPE_HASH, slices, (own) =>
            changeCollection(own, 'k', TYPE_HASH, change),
          );
          for (const hasLog of [true, false]) {
            const other = createDeck(1);
            load(disk, other, 0, undefined, hasLog);
            expectWhole(other.shards[0]);
            if (!hasLog) continue;
            replayAll(other.shards[0], log);
            expect(everything(other.shards[0])).toEqual(everything(shard));
            expectWhole(other.shards[0]);
          }
        }
      }
    });
  });

  it('that takes the only deadline away leaves a hash without any', () => {
    inSmallSlices(() => {
      for (let at = 0; at < 120; at += 1) {
        const [field, slices] = [(at * 7) % 60, 1 + Math.floor(at / 6)];
        const deck = createDeck(1);
        const [shard] = deck.shards;
        const until = { code: OP_DEADLINE, argument: 0, texts: [`${field}`, '5000000000000'] };
        const pairs = Array.from({ length: 60 }, (_, i) => [`${i}`, 'value']).flat();
        changeCollection(shard, 'k', TYPE_HASH, [add(pairs), until]);
        const disk = createSimulatedDisk();
        let slice = 0;
        save(disk, deck, 0, () => {
          slice += 1;
          if (slice === slices)
            changeCollection(shard, 'k', TYPE_HASH, [{ ...until, texts: [`${field}`, '0'] }]);
        });
        const other = createDeck(1);
        load(disk, other);
        expectWhole(other.shards[0]);
      }
    });
  });

  it('that takes the key away leaves nothing of it, with and without a log', () => {
    inSmallSlices(() => {
      for (const type of COLLECTION_TYPES) {
        const outcomes = Array.from({ length: 20 }, (_, slices) => {
          const { disk } = savedAfter(type, slices + 1, (shard) => removeEntry(shard, find(shard, 'k')));
          return [true, false].map((hasLog) => {
            const other = createDeck(1);
            load(disk, other, 0, undefined, hasLog);
            expectWhole(other.shards[0]);
            return everything(other.shards[0]).get('0/k')?.split(',').length ?? 0;
          });
        });
        // Either it was copied as a whole before, or nothing is there.
        expect(new Set(outcomes.flat())).toEqual(new Set([0, 60]));
      }
    });
  });

  it('that puts another collection in its place leaves that one', () => {
    inSmallSlices(() => {
      for (let slices = 1; slices < 12; slices += 1) {
        const act = (shard: Shard) => {
          removeEntry(shard, find(shard, 'k'));
          changeCollection(shard, 'k', TYPE_SET, [add(groups(TYPE_SET, 100, 160))]);
        };
        const { disk } = savedAfter(TYPE_SET, slices, act);
        const other = createDeck(1);
        load(disk, other);
        const text = everything(other.shards[0], false).get('0/k') ?? '';
        const [old, recent] = [groups(TYPE_SET, 0, 60), groups(TYPE_SET, 100, 160)];
        const members = text.slice(text.indexOf(' ') + 1, text.indexOf(' until')).split(',');
        expect([old.sort(), recent.sort()]).toContainEqual(members.sort());
      }
    });
  });
});

describe('a collection that is moved to the key of one that is copied', () => {
  it('is copied itself, or not at all, also where both were loaded', () => {
    inSmallSlices(() => {
      const old = groups(TYPE_SET, 0, 60);
      const recent = groups(TYPE_SET, 100, 160);
      for (let slices = 1; slices < 20; slices += 1) {
        const saved = createDeck(1);
        changeCollection(saved.shards[0], 'k', TYPE_SET, [add(old)]);
        changeCollection(saved.shards[0], 'other', TYPE_SET, [add(recent)]);
        const disk = createSimulatedDisk();
        save(disk, saved, 0);
        const deck = createDeck(1);
        load(disk, deck);
        const [shard] = deck.shards;
        let slice = 0;
        const again = createSimulatedDisk();
        save(again, deck, 0, () => {
          slice += 1;
          if (slice !== slices) return;
          moveCollection(shard, 0, Buffer.from('k'), 0, 1, find(shard, 'other'), 0, START_MS);
        });
        const other = createDeck(1);
        load(again, other);
        expectWhole(other.shards[0]);
        const text = everything(other.shards[0], false).get('0/k') ?? '';
        const members = text.slice(text.indexOf(' ') + 1, text.indexOf(' until')).split(',');
        expect([old.toSorted(), recent.toSorted()]).toContainEqual(members.sort());
      }
    });
  });
});

describe('any program of changes between the slices', () => {
  const program = fc.array(
    fc.constantFrom(...COLLECTION_TYPES, TYPE_STRING).chain((type) =>
      fc.record({
        type: fc.constant(type),
        key: fc.constantFrom(...KEYS),
        // A type of -1: the key goes.
        goes: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
        operations: fc.array(type === TYPE_STRING ? fc.constant(add([])) : someOperation(type), {
          minLength: 1,
          maxLength: 4,
        }),
      }),
    ),
    { minLength: 1, maxLength: 40 },
  );
  type Step = typeof program extends fc.Arbitrary<(infer T)[]> ? T : never;

  function change(shard: Shard, { type, key, goes, operations }: Step): void {
    const ref = find(shard, key);
    if (goes && ref > 0) removeEntry(shard, ref);
    else if (type === TYPE_STRING) set(shard, key, 'a string');
    else changeCollection(shard, key, type, operations);
  }

  it('is brought back by the snapshot and the log', () => {
    fc.assert(
      fc.property(fc.constantFrom(...COLLECTION_TYPES), program, fc.nat(40), (type, steps, first) => {
        inSmallSlices(() => {
          const deck = createDeck(1);
          const [shard] = deck.shards;
          startJournaling(shard);
          for (const key of KEYS) changeCollection(shard, key, type, [add(groups(type, 0, 10 + first))]);
          const disk = createSimulatedDisk();
          let next = 0;
          const outcome = save(disk, deck, 0, () => {
            if (next < steps.length) change(shard, steps[next]);
            next += 1;
          });
          expect(outcome.ok).toBe(true);
          const log = take(shard);
          const other = createDeck(1);
          expect(load(disk, other, 0, undefined, true)).toMatchObject({ ok: true });
          replayAll(other.shards[0], log);
          expect(everything(other.shards[0])).toEqual(everything(shard));
          expectWhole(other.shards[0]);
          expectCounts(other.shards[0]);
        });
      }),
      { numRuns: 150 },
    );
  });

  it('leaves no collection without groups, and no element that never was, where there is no log', () => {
    fc.assert(
      fc.property(program, (steps) => {
        inSmallSlices(() => {
          const deck = createDeck(1);
          const [shard] = deck.shards;
          for (const key of KEYS) changeCollection(shard, key, TYPE_LIST, [add(groups(TYPE_LIST, 0, 30))]);
          const disk = createSimulatedDisk();
          let next = 0;
          save(disk, deck, 0, () => {
            if (next < steps.length) change(shard, steps[next]);
            next += 1;
          });
          const other = createDeck(1);
          load(disk, other);
          expectWhole(other.shards[0]);
          for (const text of everything(other.shards[0], false).values()) {
            const value = text.slice(text.indexOf(' ') + 1, text.indexOf(' until'));
            expect(value.split(',')).not.toContain('');
          }
        });
      }),
      { numRuns: 100 },
    );
  });
});

describe('a copy', () => {
  it('of a list that changes in the middle at each slice ends, in one piece at last', () => {
    inSmallSlices(() => {
      const deck = createDeck(1);
      const [shard] = deck.shards;
      changeCollection(shard, 'l', TYPE_LIST, [add(groups(TYPE_LIST, 0, 300))]);
      let slices = 0;
      const disk = createSimulatedDisk();
      const outcome = save(disk, deck, 0, () => {
        slices += 1;
        changeCollection(shard, 'l', TYPE_LIST, [{ code: OP_INSERT_AT, argument: 30, texts: [`${slices}`] }]);
      });
      expect(outcome).toMatchObject({ ok: true });
      expect(slices).toBeLessThan(50);
      const other = createDeck(1);
      expect(load(disk, other)).toMatchObject({ ok: true });
      expectWhole(other.shards[0]);
      const loaded = everything(other.shards[0], false).get('0/l') ?? '';
      expect(groups(TYPE_LIST, 0, 300).every((text) => loaded.includes(text))).toBe(true);
    });
  });

  it('has the LSN of its beginning', () => {
    inSmallSlices(() => {
      const deck = createDeck(1);
      const [shard] = deck.shards;
      changeCollection(shard, 's', TYPE_SET, [add(groups(TYPE_SET, 0, 300))]);
      const before = lsnOf(shard.entries, find(shard, 's'));
      const disk = createSimulatedDisk();
      let slices = 0;
      save(disk, deck, 0, () => {
        slices += 1;
        changeCollection(shard, 's', TYPE_SET, [add([`more ${slices}`])]);
      });
      const other = createDeck(1);
      load(disk, other);
      expect(isTree(other.shards[0], find(other.shards[0], 's'))).toBe(true);
      const after = lsnOf(other.shards[0].entries, find(other.shards[0], 's'));
      expect(after).toBeGreaterThanOrEqual(before);
      expect(after).toBeLessThan(shard.numbers[LSN]);
    });
  });
});
