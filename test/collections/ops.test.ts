/** Operations of the log done to collections are what a plain model makes of them; and what is none is refused. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  OP_ADD,
  OP_FILL,
  OP_FORM,
  OP_LENGTH,
  OP_POP_HEAD,
  OP_PUSH_HEAD,
  OP_REMOVE,
  OP_REMOVE_AT,
  OP_SET_AT,
} from '../../src/collections/change.ts';
import { FORM_LARGE, FORM_TREE } from '../../src/collections/form.ts';
import { applyOps, areOpsSane } from '../../src/collections/ops.ts';
import { countOf, createCollection, flagsOf, isTree } from '../../src/collections/sequence.ts';
import { writeLsn } from '../../src/shard/entry.ts';
import { NONE, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET, WRITING } from '../../src/shard/layout.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { hashOf } from '../../src/shard/table.ts';
import {
  COLLECTION_TYPES,
  contentsOfCollection,
  encodeOperations,
  formOperation,
  type Operation,
  operateOnModel,
  someOperation,
  typeNames,
  withSmallBounds,
} from '../support/operations.ts';
import { createTestShard, expectWhole, START_MS } from '../support/shard.ts';

const key = Buffer.from('key');

function create(shard: Shard, type: number): number {
  const hash = hashOf(shard, key, 0, key.length);
  const ref = createCollection(shard, 0, hash, key, 0, key.length, type, 0, START_MS);
  shard.control[WRITING] = NONE;
  writeLsn(shard.entries, ref, 0);
  return ref;
}

function apply(shard: Shard, ref: number, type: number, operations: readonly Operation[]): number {
  const ops = encodeOperations(type, operations);
  expect(areOpsSane(type, ops, 0, ops.length)).toBe(true);
  const entry = applyOps(shard, ref, ops, 0, ops.length, START_MS);
  shard.control[WRITING] = NONE;
  if (entry !== NONE) writeLsn(shard.entries, entry, 0);
  return entry;
}

function operation(code: number, argument: number, ...texts: string[]): Operation {
  return { code, argument, texts };
}

describe.each(COLLECTION_TYPES.map((type) => ({ type, name: typeNames[type] })))('$name', ({ type }) => {
  it('hold after any operations what a plain model holds', () => {
    fc.assert(
      fc.property(fc.array(someOperation(type), { maxLength: 40 }), (operations) => {
        expectModel(type, operations);
      }),
      { numRuns: 100 },
    );
  });

  it('hold it as trees, too', () => {
    fc.assert(
      fc.property(fc.array(someOperation(type), { maxLength: 60 }), (operations) => {
        withSmallBounds(() => expectModel(type, operations));
      }),
      { numRuns: 100 },
    );
  });

  it('are refused at every cut of their operations that leaves no whole ones', () => {
    const elements = type === TYPE_SET || type === TYPE_LIST ? ['one', '2'] : ['1', 'two'];
    const operations = [operation(OP_ADD, 0, ...elements), operation(OP_ADD, 0, ...elements)];
    const ops = encodeOperations(type, operations);
    for (let end = 0; end <= ops.length; end += 1) {
      expect(areOpsSane(type, ops, 0, end)).toBe(end % (ops.length / 2) === 0);
    }
  });
});

function expectModel(type: number, operations: readonly Operation[]): void {
  const shard = createTestShard();
  let ref = create(shard, type);
  let model: string[] = [];
  for (const one of operations) {
    ref = apply(shard, ref, type, [one]);
    model = operateOnModel(type, model, one);
    expect(contentsOfCollection(shard, ref)).toEqual(model);
  }
  expectWhole(shard);
}

describe('operations', () => {
  it('of a form make an empty collection one of it', () => {
    const shard = createTestShard();
    const ref = apply(shard, create(shard, TYPE_HASH), TYPE_HASH, [formOperation(FORM_TREE | FORM_LARGE)]);
    expect([isTree(shard, ref), flagsOf(shard, ref) & FORM_LARGE]).toEqual([true, FORM_LARGE]);
    expect(countOf(shard, ref)).toBe(0);
    const filled = apply(shard, ref, TYPE_HASH, [operation(OP_ADD, 0, 'a', '1')]);
    expect(contentsOfCollection(shard, filled)).toEqual(['a=1']);
    expectWhole(shard);
  });

  it('fill a list with places, which others set', () => {
    const shard = createTestShard();
    const ref = apply(shard, create(shard, TYPE_LIST), TYPE_LIST, [
      operation(OP_FILL, 4),
      operation(OP_SET_AT, 1, 'b', 'c'),
    ]);
    expect(contentsOfCollection(shard, ref)).toEqual(['', 'b', 'c', '']);
  });

  it('make a list longer and shorter', () => {
    const shard = createTestShard();
    let ref = apply(shard, create(shard, TYPE_LIST), TYPE_LIST, [operation(OP_LENGTH, 2)]);
    ref = apply(shard, ref, TYPE_LIST, [operation(OP_SET_AT, 0, 'a', 'b'), operation(OP_LENGTH, 3)]);
    expect(contentsOfCollection(shard, ref)).toEqual(['a', 'b', '']);
    ref = apply(shard, ref, TYPE_LIST, [operation(OP_LENGTH, 1)]);
    expect(contentsOfCollection(shard, ref)).toEqual(['a']);
  });

  it('take and set no more of a list than there is', () => {
    const shard = createTestShard();
    let ref = apply(shard, create(shard, TYPE_LIST), TYPE_LIST, [operation(OP_ADD, 0, 'a', 'b', 'c')]);
    ref = apply(shard, ref, TYPE_LIST, [operation(OP_SET_AT, 2, 'C', 'd'), operation(OP_REMOVE_AT, 9, '2')]);
    expect(contentsOfCollection(shard, ref)).toEqual(['a', 'b', 'C']);
    ref = apply(shard, ref, TYPE_LIST, [operation(OP_REMOVE_AT, 1, '9'), operation(OP_POP_HEAD, 7)]);
    expect(countOf(shard, ref)).toBe(0);
  });

  it('that find no room end in NONE', () => {
    const shard = createTestShard({ limitBytes: 64 * 1024, policy: NO_EVICTION });
    const many = Array.from({ length: 400 }, (_, index) => `${index}`.padEnd(200, '.'));
    expect(apply(shard, create(shard, TYPE_LIST), TYPE_LIST, [operation(OP_ADD, 0, ...many)])).toBe(NONE);
  });

  it.each([
    ['an unknown one', TYPE_LIST, operation(12, 0)],
    ['places in a hash', TYPE_HASH, operation(OP_SET_AT, 0, 'a')],
    ['places in a sorted set', TYPE_ZSET, operation(OP_REMOVE_AT, 0, '1')],
    ['the head of a set', TYPE_SET, operation(OP_PUSH_HEAD, 0, 'a')],
    ['names in a list', TYPE_LIST, operation(OP_REMOVE, 0, 'a')],
    ['forms that nobody knows', TYPE_HASH, operation(OP_FORM, 8)],
    ['a field without a value', TYPE_HASH, operation(OP_ADD, 0, 'a', 'b', 'c')],
    ['a score without a member', TYPE_ZSET, operation(OP_ADD, 0, '1')],
    ['a score that is no number', TYPE_ZSET, operation(OP_ADD, 0, 'NaN', 'a')],
    ['a payload where none belongs', TYPE_LIST, operation(OP_POP_HEAD, 1, 'a')],
  ])('are not sane with %s', (_, type, one) => {
    const ops = encodeOperations(type, [one]);
    expect(areOpsSane(type, ops, 0, ops.length)).toBe(false);
  });

  it('are not sane with a member of a sorted set that is spelled as an integer', () => {
    const removed = encodeOperations(TYPE_SET, [operation(OP_REMOVE, 0, '12')]);
    expect(areOpsSane(TYPE_SET, removed, 0, removed.length)).toBe(true);
    expect(areOpsSane(TYPE_ZSET, removed, 0, removed.length)).toBe(false);
  });
});
