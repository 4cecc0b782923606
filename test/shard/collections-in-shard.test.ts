/** Keys of all types in a shard that is too small for them: whatever is evicted, moved or freed meanwhile, what is there is what was put. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bounds } from '../../src/collections/form.ts';
import { usedCells } from '../../src/shard/arena.ts';
import { flushDatabase } from '../../src/shard/databases.ts';
import { typeOf } from '../../src/shard/entry.ts';
import { keepHouse } from '../../src/shard/housekeeping.ts';
import {
  COMPACTED_ENTRIES,
  EVICTED_KEYS,
  NONE,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_ZSET,
} from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import { ALL_LFU, ALL_LRU, ALL_RANDOM, ALL_S3FIFO } from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import {
  addToHash,
  addToList,
  addToSorted,
  contentText,
  putHash,
  putList,
  putSorted,
} from '../support/large-collections.ts';
import { useUsualBounds } from '../support/sequences.ts';
import { createTestShard, expectWhole, find, START_MS, set } from '../support/shard.ts';

beforeAll(() => {
  const small = { packedBytesMax: 200, packedLargeBytesMax: 200, leafBytesMax: [120, 120, 120] };
  Object.assign(bounds, small, { childrenMin: 2, childrenMax: 4 });
});
afterAll(useUsualBounds);

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const count = fc.nat(40);
const deed = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('string' as const),
      key,
      count: fc.integer({ min: 1000, max: 9000 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('list', 'hash', 'sorted'), key, count }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('remove', 'house', 'flush'), key, count }) },
);
type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never;

/** The elements of each key that is not a string, in the order in which they came. */
type Model = Map<string, { kind: string; texts: string[] }>;

const TEXTS_MAX = 80;
const KINDS: Readonly<Record<string, number>> = { list: TYPE_LIST, hash: TYPE_HASH, sorted: TYPE_ZSET };

function add(shard: Shard, model: Model, { kind, key: name, count: more }: Deed): void {
  const ref = find(shard, name);
  if (ref === NONE) model.delete(name);
  else if (typeOf(shard.entries, ref) !== KINDS[kind]) return;
  const known = model.get(name) ?? { kind, texts: [] };
  // One key alone has room for all that it has.
  if (known.texts.length > TEXTS_MAX) return;
  const texts = Array.from({ length: more + 1 }, (_, at) =>
    `text ${known.texts.length + at} `.padEnd(16, '.'),
  );
  const first = known.texts.length;
  const pairs = texts.map((text) => [text, 'v'] as const);
  if (kind === 'list') ref === NONE ? putList(shard, name, texts) : addToList(shard, ref, texts);
  if (kind === 'hash') ref === NONE ? putHash(shard, name, pairs) : addToHash(shard, ref, pairs);
  if (kind === 'sorted') ref === NONE ? putSorted(shard, name, texts) : addToSorted(shard, ref, texts, first);
  model.set(name, { kind, texts: [...known.texts, ...texts] });
}

function doDeed(shard: Shard, model: Model, one: Deed): void {
  const { kind, key: name } = one;
  if (kind === 'string') {
    set(shard, name, 's'.repeat(one.count));
    model.delete(name);
  } else if (kind === 'remove') {
    if (find(shard, name) !== NONE) removeEntry(shard, find(shard, name));
    model.delete(name);
  } else if (kind === 'flush') {
    flushDatabase(shard, 0);
    model.clear();
  } else if (kind === 'house') {
    keepHouse(shard, START_MS, true);
  } else {
    add(shard, model, one);
  }
}

/** What is left of the model is as it says; a string under a key that the model does not know is anyone's. */
function expectSame(shard: Shard, model: Model): void {
  for (const [name, { kind, texts }] of model) {
    const ref = find(shard, name);
    if (ref === NONE) continue;
    const content = contentText(shard, ref);
    if (kind === 'hash')
      expect(content).toBe(
        `hash ${texts
          .map((text) => `${text}=v`)
          .sort()
          .join(' ')}`,
      );
    else expect(content).toBe(`${kind === 'list' ? 'list' : 'zset'} ${texts.join(' ')}`);
  }
}

describe('keys of all types in a small shard', () => {
  it.each([
    { name: 'allkeys-lru', policy: ALL_LRU },
    { name: 'allkeys-lfu', policy: ALL_LFU },
    { name: 'allkeys-random', policy: ALL_RANDOM },
    { name: 'allkeys-s3fifo', policy: ALL_S3FIFO },
  ])('are what was put as long as they are there, under $name', ({ policy }) => {
    let evicted = 0;
    let moved = 0;
    fc.assert(
      fc.property(fc.array(deed, { minLength: 30, maxLength: 80 }), (deeds) => {
        const shard = createTestShard({ policy, limitBytes: 30 * 1024, capacityBytes: 20 * 1024 });
        const empty = usedCells(shard.entries);
        const model: Model = new Map();
        for (const one of deeds) {
          doDeed(shard, model, one);
          expectWhole(shard);
        }
        expectSame(shard, model);
        evicted += shard.numbers[EVICTED_KEYS];
        moved += shard.numbers[COMPACTED_ENTRIES];
        flushDatabase(shard, 0);
        while (keepHouse(shard, START_MS, true));
        expectWhole(shard);
        expect(usedCells(shard.entries)).toBe(empty);
      }),
      { numRuns: 20 },
    );
    expect(evicted).toBeGreaterThan(10);
    expect(moved).toBeGreaterThan(10);
  });
});
