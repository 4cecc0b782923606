/** Records of collections done again: a replay of the journal gives what the shard held, once, twice, and over what is newer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OP_ADD, OP_POP_HEAD, OP_REMOVE } from '../../src/collections/change.ts';
import { expiresAt, lsnOf, typeOf } from '../../src/shard/entry.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { LSN, NONE, TYPE_HASH, TYPE_LIST, TYPE_STRING } from '../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import { createRecordView, decodeRecord, EFFECT_CHANGE, EFFECT_SPLICE } from '../../src/shard/record.ts';
import { REDO_NO_ROOM, redo } from '../../src/shard/redo.ts';
import { replayRecord } from '../../src/shard/replay.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { hashOf } from '../../src/shard/table.ts';
import { readRecords, replayAll, type Taken, take } from '../support/journal.ts';
import {
  COLLECTION_TYPES,
  changeCollection,
  changeRecord,
  contentsOfCollection,
  everything,
  type Operation,
  someOperation,
  withSmallBounds,
} from '../support/operations.ts';
import { createTestShard, expectWhole, find, START_MS, set } from '../support/shard.ts';

type Step =
  | { kind: 'change'; key: string; type: number; operations: Operation[]; ms: number }
  | { kind: 'set' | 'del' | 'expire'; key: string; ms: number };

const someKey = fc.integer({ min: 0, max: 5 }).map((n) => `key:${n}`);
const ms = fc.constantFrom(0, 5000, 90_000);
const someStep: fc.Arbitrary<Step> = fc.oneof(
  ...COLLECTION_TYPES.map((type) => ({
    weight: 4,
    arbitrary: fc.record({
      ...{ kind: fc.constant('change' as const), key: someKey, type: fc.constant(type), ms },
      operations: fc.array(someOperation(type), { minLength: 1, maxLength: 4 }),
    }),
  })),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('set' as const, 'del' as const, 'expire' as const),
      key: someKey,
      ms,
    }),
  },
);

function takeStep(shard: Shard, step: Step): void {
  const deadlineMs = step.ms === 0 ? 0 : START_MS + step.ms;
  if (step.kind === 'change') {
    changeCollection(shard, step.key, step.type, step.operations, { expiresAtMs: deadlineMs });
    return;
  }
  const ref = find(shard, step.key);
  if (step.kind === 'set') set(shard, step.key, `text ${step.ms}`, { expiresAtMs: deadlineMs });
  else if (ref !== NONE && step.kind === 'del') removeEntry(shard, ref);
  else if (ref !== NONE) setExpiry(shard, ref, deadlineMs);
}

/** What a program left in the journal, and what the shard held after each step, by its LSN. */
function run(
  live: Shard,
  steps: readonly Step[],
): { taken: Taken; states: Map<number, Map<string, string>> } {
  const states = new Map<number, Map<string, string>>();
  for (const step of steps) {
    takeStep(live, step);
    states.set(live.numbers[LSN], everything(live));
  }
  return { taken: take(live), states };
}

function createLive(options: Parameters<typeof createTestShard>[0] = {}): Shard {
  const shard = createTestShard({ databases: 2, ...options });
  startJournaling(shard);
  return shard;
}

/** Replays what was taken but for the first records. */
function replayFrom(replica: Shard, taken: Taken, first: number): void {
  const view = createRecordView();
  let at = 0;
  for (let index = 0; index < taken.records; index += 1) {
    at = decodeRecord(taken.bytes, at, taken.bytes.length, view);
    if (index < first) continue;
    expect(replayRecord(replica, view, taken.bytes, taken.firstLsn + index, START_MS)).toBe(true);
  }
}

const program = fc.array(someStep, { minLength: 1, maxLength: 40 });

describe('a replay of collections', () => {
  it.each([
    { name: 'small ones', limit: 2 ** 20, around: <T>(body: () => T) => body() },
    { name: 'trees of many levels', limit: 2 ** 20, around: withSmallBounds },
    { name: 'trees, while much is evicted', limit: 20 * 1024, around: withSmallBounds },
  ])('gives what the shard held after every record: $name', ({ limit, around }) => {
    fc.assert(
      fc.property(program, (steps) => {
        around(() => {
          const live = createLive({ limitBytes: limit });
          const { taken, states } = run(live, steps);
          const replica = createTestShard({ databases: 2 });
          replayAll(replica, taken, (lsn) => {
            const state = states.get(lsn);
            if (state !== undefined) expect(everything(replica)).toEqual(state);
          });
          expectWhole(live);
          expectWhole(replica);
          expect(replica.numbers[LSN]).toBe(live.numbers[LSN]);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('is the same when it is done again from any record on', () => {
    const operations = fc.array(someOperation(TYPE_LIST), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(operations, { minLength: 1, maxLength: 12 }), (changes) => {
        withSmallBounds(() => {
          const live = createLive();
          for (const one of changes) changeCollection(live, 'key', TYPE_LIST, one);
          const taken = take(live);
          const replica = createTestShard({ databases: 2 });
          for (let first = 0; first < taken.records; first += 1) {
            replayFrom(replica, taken, first);
            if (find(live, 'key') !== NONE) expect(everything(replica)).toEqual(everything(live));
          }
          expectWhole(replica);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('has each value whole or not at all where there is less room than there was', () => {
    fc.assert(
      fc.property(program, fc.integer({ min: 9, max: 14 }), (steps, kib) => {
        withSmallBounds(() => {
          const live = createLive();
          const { taken, states } = run(live, steps);
          const replica = createTestShard({ databases: 2, limitBytes: kib * 1024 });
          const view = createRecordView();
          let at = 0;
          for (let lsn = taken.firstLsn; at < taken.bytes.length; lsn += 1) {
            at = decodeRecord(taken.bytes, at, taken.bytes.length, view);
            if (!replayRecord(replica, view, taken.bytes, lsn, START_MS)) break;
            const known = states.get(lsn);
            if (known === undefined) continue;
            for (const [name, state] of everything(replica)) expect(state).toBe(known.get(name));
          }
          expectWhole(replica);
        });
      }),
      { numRuns: 40 },
    );
  });
});

/** Does one record, as a replica does. */
function redoRecord(shard: Shard, key: string, type: number, one: Operation, options = {}): number {
  const { view, bytes } = changeRecord(key, type, [one], options);
  return redo(shard, 0, hashOf(shard, bytes, 0, view.keyEnd), find(shard, key), view, bytes, START_MS);
}

const add = (...texts: string[]): Operation => ({ code: OP_ADD, argument: 0, texts });

describe('a record of a collection', () => {
  it('that makes it takes the place of whatever is there, with its own deadline', () => {
    const shard = createLive();
    for (const [index, before] of ['nothing', 'text', 'hash', 'list'].entries()) {
      if (before === 'text') set(shard, 'key', 'text', { expiresAtMs: START_MS + 50 });
      if (before === 'hash') changeCollection(shard, 'key', TYPE_HASH, [add('f', 'v')]);
      if (before === 'list')
        changeCollection(shard, 'key', TYPE_LIST, [add('old')], { expiresAtMs: START_MS + 70 });
      const expiresAtMs = index % 2 === 0 ? START_MS + 1000 : 0;
      const ref = redoRecord(shard, 'key', TYPE_LIST, add('a', 'b'), { creates: true, expiresAtMs });
      expect(ref).toBe(find(shard, 'key'));
      expect(typeOf(shard.entries, ref)).toBe(TYPE_LIST);
      expect(contentsOfCollection(shard, ref)).toEqual(['a', 'b']);
      expect(expiresAt(shard.entries, ref)).toBe(expiresAtMs);
      expect(lsnOf(shard.entries, ref)).toBe(shard.numbers[LSN]);
      expectWhole(shard);
      removeEntry(shard, ref);
    }
  });

  it('goes by where there is none, or one of another type', () => {
    const shard = createLive();
    expect(redoRecord(shard, 'key', TYPE_LIST, add('a'))).toBe(NONE);
    set(shard, 'key', 'text');
    expect(redoRecord(shard, 'key', TYPE_LIST, add('a'))).toBe(NONE);
    expect(typeOf(shard.entries, find(shard, 'key'))).toBe(TYPE_STRING);
    removeEntry(shard, find(shard, 'key'));
    changeCollection(shard, 'key', TYPE_HASH, [add('f', 'v')]);
    expect(redoRecord(shard, 'key', TYPE_LIST, add('a'))).toBe(NONE);
    const { view, bytes } = changeRecord('key', TYPE_LIST, []);
    view.effect = EFFECT_SPLICE;
    expect(redo(shard, 0, hashOf(shard, bytes, 0, 3), find(shard, 'key'), view, bytes, START_MS)).toBe(NONE);
    expect(contentsOfCollection(shard, find(shard, 'key'))).toEqual(['f=v']);
    expectWhole(shard);
  });

  it('leaves one without groups where it is: the rest of it may be on its way', () => {
    const shard = createLive();
    changeCollection(shard, 'key', TYPE_HASH, [add('f', 'v')]);
    redoRecord(shard, 'key', TYPE_HASH, { code: OP_REMOVE, argument: 0, texts: ['f'] });
    expect(contentsOfCollection(shard, find(shard, 'key'))).toEqual([]);
    redoRecord(shard, 'key', TYPE_HASH, add('g', 'w'));
    expect(contentsOfCollection(shard, find(shard, 'key'))).toEqual(['g=w']);
    expectWhole(shard);
    const replica = createTestShard();
    replayAll(replica, take(shard));
    expect(contentsOfCollection(replica, find(replica, 'key'))).toEqual(['g=w']);
  });

  it('is the record that the shard writes of it', () => {
    const shard = createLive();
    redoRecord(shard, 'key', TYPE_LIST, add('a'), { creates: true, expiresAtMs: START_MS + 9 });
    redoRecord(shard, 'key', TYPE_LIST, { code: OP_POP_HEAD, argument: 1, texts: [] });
    const records = readRecords(take(shard));
    expect(records.map(({ effect, flags, expiresAtMs, lsn }) => [effect, flags, expiresAtMs, lsn])).toEqual([
      [EFFECT_CHANGE, (TYPE_LIST << 4) | 5, START_MS + 9, 1],
      [EFFECT_CHANGE, TYPE_LIST << 4, 0, 2],
    ]);
  });

  it('that finds no room takes the collection with it, in the journal too', () => {
    const shard = createLive({ limitBytes: 64 * 1024, policy: NO_EVICTION });
    changeCollection(shard, 'key', TYPE_LIST, [add('a')]);
    const many = Array.from({ length: 500 }, (_, index) => `${index}`.padEnd(200, '.'));
    expect(redoRecord(shard, 'key', TYPE_LIST, add(...many))).toBe(REDO_NO_ROOM);
    expect(find(shard, 'key')).toBe(NONE);
    expectWhole(shard);
    const replica = createTestShard();
    replayAll(replica, take(shard));
    expect(everything(replica)).toEqual(new Map());
    expect(redoRecord(shard, 'new', TYPE_LIST, add(...many), { creates: true })).toBe(REDO_NO_ROOM);
    expect(redoRecord(shard, 'k'.repeat(70_000), TYPE_LIST, add('a'), { creates: true })).toBe(REDO_NO_ROOM);
    expect(everything(shard)).toEqual(new Map());
    expectWhole(shard);
  });
});
