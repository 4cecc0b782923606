/** Tests of the hash ring: the original suite's four by name, then balance, minimal movement and stability. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fillSlotTable, type RingOwner, slotBalance } from '../../src/routing/hash-ring.ts';
import { SLOT_COUNT, slotOfKey } from '../../src/routing/slot.ts';

const CV_MAX = 0.05;

function namedOwners(count: number, prefix = 'shard-'): RingOwner[] {
  return Array.from({ length: count }, (_, index) => ({ id: `${prefix}${index}` }));
}

function filled(owners: readonly RingOwner[]): Uint16Array {
  const table = new Uint16Array(SLOT_COUNT);
  fillSlotTable(owners, table);
  return table;
}

/** The ids of the owners slot by slot, so that tables of different owner lists compare. */
function ownerIds(owners: readonly RingOwner[]): string[] {
  return Array.from(filled(owners), (owner) => owners[owner].id);
}

function keyOwner(table: Uint16Array, key: string): number {
  const bytes = Buffer.from(key);
  return table[slotOfKey(bytes, 0, bytes.length)];
}

describe('the ring of the original suite', () => {
  const nodes = namedOwners(3, 'node');

  test('distribution: some node answers for every key', () => {
    const table = filled(nodes);
    for (let i = 0; i < 1000; i++) expect([0, 1, 2]).toContain(keyOwner(table, `key${i}`));
  });

  test('consistent mapping: the same key goes to the same node', () => {
    const first = filled(nodes);
    const again = filled(nodes);
    for (let i = 0; i < 1000; i++) expect(keyOwner(again, `key${i}`)).toBe(keyOwner(first, `key${i}`));
  });

  test('removal: keys still map, and only the removed node’s keys moved', () => {
    const before = ownerIds(nodes);
    for (const removed of nodes) {
      const after = ownerIds(nodes.filter((node) => node !== removed));
      for (let i = 0; i < 1000; i++) {
        const key = Buffer.from(`key${i}`);
        const slot = slotOfKey(key, 0, key.length);
        if (before[slot] === removed.id) expect(after[slot]).not.toBe(removed.id);
        else expect(after[slot]).toBe(before[slot]);
      }
    }
  });

  test('load distribution: of 1000 keys each of 3 nodes has a third, within five standard deviations', () => {
    const table = filled(nodes);
    const counts = [0, 0, 0];
    for (let i = 0; i < 1000; i++) counts[keyOwner(table, `key${i}`)]++;
    const deviation = Math.sqrt(1000 * (1 / 3) * (2 / 3));
    for (const count of counts) expect(Math.abs(count - 1000 / 3)).toBeLessThan(5 * deviation);
  });
});

describe('the balance of the ring', () => {
  test('has a coefficient of variation of at most 0.05 for every 2 to 64 shards', () => {
    for (let count = 2; count <= 64; count++) {
      const owners = namedOwners(count);
      expect(
        slotBalance(filled(owners), owners).coefficientOfVariation,
        `${count} shards`,
      ).toBeLessThanOrEqual(CV_MAX);
    }
  });

  test('holds for other names too', () => {
    for (const prefix of ['node-', '10.0.0.', 'cache.example.com:']) {
      for (const count of [2, 3, 5, 8, 16, 32]) {
        const owners = namedOwners(count, prefix);
        expect(slotBalance(filled(owners), owners).coefficientOfVariation).toBeLessThanOrEqual(CV_MAX);
      }
    }
  });

  test('follows the weights', () => {
    const owners = [
      { id: 'small', weight: 0.5 },
      { id: 'middle' },
      { id: 'large', weight: 2 },
      { id: 'huge', weight: 4.5 },
    ];
    const { counts, coefficientOfVariation } = slotBalance(filled(owners), owners);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(SLOT_COUNT);
    expect(coefficientOfVariation).toBeLessThanOrEqual(CV_MAX);
  });

  test('is measured relative to the weights', () => {
    const table = new Uint16Array(SLOT_COUNT).fill(0, 0, SLOT_COUNT / 4).fill(1, SLOT_COUNT / 4);
    const even = slotBalance(table, [{ id: 'a' }, { id: 'b' }]);
    expect(even.counts).toEqual([SLOT_COUNT / 4, (3 * SLOT_COUNT) / 4]);
    expect(even.coefficientOfVariation).toBeCloseTo(0.5, 12);
    expect(slotBalance(table, [{ id: 'a' }, { id: 'b', weight: 3 }]).coefficientOfVariation).toBe(0);
  });
});

describe('a change of the owners', () => {
  test('gives a newcomer about its share, and moves no slot between the others', () => {
    let before = ownerIds(namedOwners(1));
    for (let count = 1; count <= 64; count++) {
      const after = ownerIds(namedOwners(count + 1));
      const moved = after.filter((owner, slot) => owner !== before[slot]);
      expect(new Set(moved)).toEqual(new Set([`shard-${count}`]));
      const share = SLOT_COUNT / (count + 1);
      expect(Math.abs(moved.length - share)).toBeLessThan(0.2 * share);
      before = after;
    }
  });

  test('moves slots only to the newcomer for any names and weights', () => {
    fc.assert(
      fc.property(someOwners, (owners) => {
        const newcomer = owners[0];
        const before = ownerIds(owners.slice(1));
        const after = ownerIds(owners);
        for (let slot = 0; slot < SLOT_COUNT; slot++) {
          if (after[slot] !== newcomer.id && after[slot] !== before[slot]) expect.fail(`slot ${slot} moved`);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('of weight moves slots only to or from the owner that changed', () => {
    const light = ownerIds([{ id: 'a' }, { id: 'b' }, { id: 'c', weight: 1 }]);
    const heavy = ownerIds([{ id: 'a' }, { id: 'b' }, { id: 'c', weight: 2 }]);
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      if (heavy[slot] !== light[slot]) expect(heavy[slot]).toBe('c');
    }
  });
});

describe('the table', () => {
  test('does not depend on the order of the owners', () => {
    const owners = namedOwners(12);
    const expected = ownerIds(owners);
    fc.assert(
      fc.property(fc.shuffledSubarray(owners, { minLength: owners.length }), (shuffled) => {
        expect(ownerIds(shuffled)).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });

  test('is the same in another process, and for ever', () => {
    const digest = createHash('sha256')
      .update(filled(namedOwners(7)))
      .digest('hex');
    const ring = new URL('../../src/routing/hash-ring.ts', import.meta.url).href;
    const program = `
      import { createHash } from 'node:crypto';
      import { fillSlotTable } from ${JSON.stringify(ring)};
      const table = new Uint16Array(16384);
      fillSlotTable([0, 1, 2, 3, 4, 5, 6].map((index) => ({ id: 'shard-' + index })), table);
      process.stdout.write(createHash('sha256').update(table).digest('hex'));`;
    const elsewhere = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
      encoding: 'utf8',
    });
    expect(elsewhere).toBe(digest);
    expect(digest).toBe('5f9f2bde0e516f836822630ccfc7e6695007c3530528e7d78106087144f64d56');
  });

  test('may lie in shared memory, and a single owner has it all', () => {
    const table = new Uint16Array(new SharedArrayBuffer(2 * SLOT_COUNT)).fill(9);
    fillSlotTable([{ id: 'only' }], table);
    expect(table.every((owner) => owner === 0)).toBe(true);
  });

  test('is refused for no owner, a name twice, a weight that is not positive, and a table of another size', () => {
    const table = new Uint16Array(SLOT_COUNT);
    expect(() => fillSlotTable([], table)).toThrow('a ring has 1 to 65536 owners');
    expect(() => fillSlotTable([{ id: 'a' }, { id: 'b' }, { id: 'a' }], table)).toThrow(
      'owner a is in the ring once',
    );
    for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => fillSlotTable([{ id: 'a', weight }], table)).toThrow('positive weight');
    }
    expect(() => fillSlotTable([{ id: 'a' }], new Uint16Array(8))).toThrow('one entry per slot');
  });
});

const someOwners = fc.uniqueArray(
  fc.record({ id: fc.string({ maxLength: 8 }), weight: fc.double({ min: 0.1, max: 10, noNaN: true }) }),
  {
    selector: (owner) => owner.id,
    minLength: 2,
    maxLength: 10,
  },
);
