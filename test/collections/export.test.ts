/** Copies of collections: whole, and in pieces between the records of what changes meanwhile; in the end both are the same. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  OP_ADD,
  OP_INSERT_AT,
  OP_POP_HEAD,
  OP_PUSH_HEAD,
  OP_REMOVE_AT,
} from '../../src/collections/change.ts';
import {
  beginExport,
  EXPORT_DONE,
  EXPORT_GONE,
  EXPORT_MORE,
  type Export,
  exportLength,
  exportPiece,
  exportWhole,
  type Operations,
} from '../../src/collections/export.ts';
import { countOf, flagsOf } from '../../src/collections/sequence.ts';
import { EXPORT_RESTARTS_MAX } from '../../src/config/limits-collections.ts';
import { applyRecord } from '../../src/shard/apply.ts';
import { typeOf } from '../../src/shard/entry.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { NONE, TYPE_LIST } from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import { createRecordView, decodeRecord } from '../../src/shard/record.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { take } from '../support/journal.ts';
import {
  COLLECTION_TYPES,
  changeCollection,
  changeRecord,
  contentsOfCollection,
  everything,
  type Operation,
  someOperation,
  typeNames,
  withSmallBounds,
} from '../support/operations.ts';
import { createTestShard, expectWhole, find, START_MS, set } from '../support/shard.ts';

const KEY = 'key';

/** An owner, a replica, and how far the pieces are. */
type Copy = {
  readonly owner: Shard;
  readonly replica: Shard;
  readonly state: Export;
  outcome: number;
  isGrowing: boolean;
};

function createCopy(): Copy {
  const owner = createTestShard();
  startJournaling(owner);
  const state = { birth: 0, next: 0, headMoves: 0, middleMoves: 0, restarts: 0 };
  return { owner, replica: createTestShard(), state, outcome: EXPORT_MORE, isGrowing: false };
}

/** What the owner changed is done at the replica. */
function follow({ owner, replica }: Copy): void {
  const { bytes } = take(owner);
  const view = createRecordView();
  for (let at = 0; at < bytes.length; ) {
    at = decodeRecord(bytes, at, bytes.length, view);
    expect(applyRecord(replica, view, bytes, START_MS)).toBe(true);
  }
}

/** Has the replica do operations, as a record that makes the collection or one that does not. */
function tell({ replica }: Copy, type: number, operations: Operations, creates: boolean): void {
  const { view, bytes } = changeRecord(KEY, type, [], { creates });
  const record = Buffer.concat([bytes, operations.bytes.subarray(0, operations.length)]);
  view.valueEnd = record.length;
  expect(applyRecord(replica, view, record, START_MS)).toBe(true);
}

function begin(copy: Copy): void {
  const { owner, state } = copy;
  const operations = { bytes: Buffer.alloc(0), length: 0 };
  take(owner);
  const ref = find(owner, KEY);
  if (ref === NONE) {
    copy.outcome = EXPORT_GONE;
    return;
  }
  copy.outcome = beginExport(owner, ref, state, operations);
  tell(copy, typeOf(owner.entries, ref), operations, true);
  copy.isGrowing = copy.outcome === EXPORT_MORE && typeOf(owner.entries, ref) === TYPE_LIST;
}

/** The replica's list gets more places. */
function grow(copy: Copy, elementsMax: number): void {
  const { owner, state } = copy;
  if (!copy.isGrowing) return;
  follow(copy);
  const ref = find(owner, KEY);
  const operations = { bytes: Buffer.alloc(0), length: 0 };
  const outcome = ref === NONE ? EXPORT_GONE : exportLength(owner, ref, state, operations, elementsMax);
  copy.isGrowing = outcome === EXPORT_MORE;
  if (outcome === EXPORT_GONE) copy.outcome = EXPORT_GONE;
  else tell(copy, TYPE_LIST, operations, false);
}

function nextPiece(copy: Copy, bytesMax: number): void {
  const { owner, state } = copy;
  if (copy.outcome !== EXPORT_MORE) return;
  if (copy.isGrowing) {
    grow(copy, bytesMax);
    return;
  }
  follow(copy);
  const ref = find(owner, KEY);
  if (ref === NONE) {
    copy.outcome = EXPORT_GONE;
    return;
  }
  const operations = { bytes: Buffer.alloc(0), length: 0 };
  copy.outcome = exportPiece(owner, ref, state, operations, bytesMax);
  if (copy.outcome !== EXPORT_GONE) tell(copy, typeOf(owner.entries, ref), operations, false);
}

function finish(copy: Copy): void {
  while (copy.outcome === EXPORT_MORE) nextPiece(copy, 60);
  follow(copy);
  expect(everything(copy.replica, false)).toEqual(everything(copy.owner, false));
  expectWhole(copy.owner);
  expectWhole(copy.replica);
}

const add = (...texts: string[]): Operation => ({ code: OP_ADD, argument: 0, texts });
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `e${from + index}`);

describe.each(COLLECTION_TYPES.map((type) => ({ type, name: typeNames[type] })))('$name', ({ type }) => {
  it.each([
    { form: 'packed', around: <T>(body: () => T) => body() },
    { form: 'as trees', around: withSmallBounds },
  ])('$form, copied whole, are the same in content and form', ({ around }) => {
    fc.assert(
      fc.property(fc.array(someOperation(type), { minLength: 1, maxLength: 30 }), (operations) => {
        around(() => {
          const copy = createCopy();
          for (const one of operations) changeCollection(copy.owner, KEY, type, [one]);
          const ref = find(copy.owner, KEY);
          if (ref === NONE) return;
          const whole = { bytes: Buffer.alloc(0), length: 0 };
          exportWhole(copy.owner, ref, whole);
          tell(copy, type, whole, true);
          const made = find(copy.replica, KEY);
          expect(contentsOfCollection(copy.replica, made)).toEqual(contentsOfCollection(copy.owner, ref));
          expect(flagsOf(copy.replica, made)).toBe(flagsOf(copy.owner, ref));
          expectWhole(copy.replica);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('copied in pieces become the same, whatever is changed between the pieces', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.array(someOperation(type), { minLength: 1, maxLength: 3 }) },
      { weight: 4, arbitrary: fc.constantFrom(1, 60, 300) },
      { weight: 1, arbitrary: fc.constantFrom('del' as const, 'set' as const) },
    );
    fc.assert(
      fc.property(
        fc.array(someOperation(type), { minLength: 1, maxLength: 40 }),
        fc.array(step, { maxLength: 30 }),
        (before, steps) => {
          withSmallBounds(() => {
            const copy = createCopy();
            for (const one of before) changeCollection(copy.owner, KEY, type, [one]);
            begin(copy);
            for (const one of steps) {
              const ref = find(copy.owner, KEY);
              if (typeof one === 'number') nextPiece(copy, one);
              else if (one === 'set') set(copy.owner, KEY, 'text');
              else if (one !== 'del') changeCollection(copy.owner, KEY, type, one);
              else if (ref !== NONE) removeEntry(copy.owner, ref);
            }
            finish(copy);
          });
        },
      ),
      { numRuns: 80 },
    );
  });
});

describe('a list that is copied in pieces', () => {
  /** A list of 60, of which the replica has some. */
  function halfCopied(): Copy {
    const copy = createCopy();
    changeCollection(copy.owner, KEY, TYPE_LIST, [add(...numbered(0, 60))]);
    begin(copy);
    while (copy.isGrowing) grow(copy, 25);
    nextPiece(copy, 100);
    expect(copy.outcome).toBe(EXPORT_MORE);
    expect(copy.state.next).toBeGreaterThan(10);
    return copy;
  }

  it('goes on where it was when elements come or go at its ends', () => {
    withSmallBounds(() => {
      const copy = halfCopied();
      const { next } = copy.state;
      const pushed: Operation = { code: OP_PUSH_HEAD, argument: 0, texts: ['p', 'q', 'r'] };
      changeCollection(copy.owner, KEY, TYPE_LIST, [pushed, add('t')]);
      changeCollection(copy.owner, KEY, TYPE_LIST, [{ code: OP_POP_HEAD, argument: 1, texts: [] }]);
      nextPiece(copy, 1);
      expect(copy.state.restarts).toBe(0);
      expect(copy.state.next).toBeGreaterThan(next + 2);
      finish(copy);
    });
  });

  it('begins again when elements come or go in its middle, and is one piece when that happens too often', () => {
    withSmallBounds(() => {
      const copy = halfCopied();
      for (let round = 1; round <= EXPORT_RESTARTS_MAX; round += 1) {
        const inserted: Operation = { code: OP_INSERT_AT, argument: 30, texts: [`new ${round}`] };
        const removed: Operation = { code: OP_REMOVE_AT, argument: 20, texts: ['1'] };
        changeCollection(copy.owner, KEY, TYPE_LIST, [round % 2 === 0 ? inserted : removed]);
        nextPiece(copy, 1);
        expect([copy.state.restarts, copy.outcome]).toEqual([round, EXPORT_MORE]);
      }
      changeCollection(copy.owner, KEY, TYPE_LIST, [{ code: OP_REMOVE_AT, argument: 20, texts: ['1'] }]);
      nextPiece(copy, 1);
      expect(copy.outcome).toBe(EXPORT_DONE);
      finish(copy);
    });
  });

  it('is given up when the key has another collection by now', () => {
    withSmallBounds(() => {
      const copy = halfCopied();
      removeEntry(copy.owner, find(copy.owner, KEY));
      changeCollection(copy.owner, KEY, TYPE_LIST, [add(...numbered(0, 60))]);
      nextPiece(copy, 100);
      expect(copy.outcome).toBe(EXPORT_GONE);
      finish(copy);
    });
  });

  it('has its number of elements at the replica before the first piece, however that changes meanwhile', () => {
    withSmallBounds(() => {
      const copy = createCopy();
      changeCollection(copy.owner, KEY, TYPE_LIST, [add(...numbered(0, 50))]);
      begin(copy);
      for (const place of [0, 11, 200]) {
        grow(copy, 20);
        changeCollection(copy.owner, KEY, TYPE_LIST, [
          { code: OP_POP_HEAD, argument: 2, texts: [] },
          add('t', 'u', 'v'),
        ]);
        changeCollection(copy.owner, KEY, TYPE_LIST, [{ code: OP_INSERT_AT, argument: place, texts: ['i'] }]);
        changeCollection(copy.owner, KEY, TYPE_LIST, [{ code: OP_REMOVE_AT, argument: place, texts: ['1'] }]);
      }
      while (copy.isGrowing) grow(copy, 20);
      follow(copy);
      expect(countOf(copy.replica, find(copy.replica, KEY))).toBe(countOf(copy.owner, find(copy.owner, KEY)));
      expect(copy.state.restarts).toBe(0);
      finish(copy);
    });
  });

  it('does not give its length to another collection of the key', () => {
    withSmallBounds(() => {
      const copy = createCopy();
      changeCollection(copy.owner, KEY, TYPE_LIST, [add(...numbered(0, 50))]);
      begin(copy);
      grow(copy, 5);
      removeEntry(copy.owner, find(copy.owner, KEY));
      changeCollection(copy.owner, KEY, TYPE_LIST, [add(...numbered(0, 60))]);
      grow(copy, 5);
      expect(copy.outcome).toBe(EXPORT_GONE);
      finish(copy);
    });
  });
});
