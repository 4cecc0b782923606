/** The table of tracked keys against a map of sets, and what the shared filter shows of it. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clearTrackingTable,
  createTrackingTable,
  oldestTrackedKey,
  rememberKey,
  type TrackingTable,
  takeReaders,
} from '../../src/commands/tracking-table.ts';
import {
  bucketOf,
  createTrackingFilterBuffer,
  mayTrack,
  openTrackingFilter,
  type TrackingFilter,
} from '../../src/metrics/tracking-filter.ts';

function createWorld(): { table: TrackingTable; other: TrackingFilter } {
  const buffer = createTrackingFilterBuffer(2, 11, 22);
  const other = openTrackingFilter(buffer, 2, 1);
  return { table: createTrackingTable(openTrackingFilter(buffer, 2, 0)), other };
}

function remember(table: TrackingTable, key: string, clientId: number): void {
  const bytes = Buffer.from(`>${key}<`, 'latin1');
  rememberKey(table, bytes, 1, bytes.length - 1, clientId);
}

function take(table: TrackingTable, key: string): number[] {
  const ids: number[] = [];
  takeReaders(table, key, (id) => ids.push(id));
  return ids.sort((a, b) => a - b);
}

function isTracked(filter: TrackingFilter, key: string): boolean {
  const bytes = Buffer.from(key, 'latin1');
  return mayTrack(filter, bucketOf(filter, bytes, 0, bytes.length), 0);
}

const key = fc.constantFrom('a', 'b', '', '\xff\0', 'user:1');
const deed = fc.oneof(
  fc.record({ what: fc.constant('remember' as const), key, id: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ what: fc.constant('take' as const), key, id: fc.constant(0) }),
  fc.record({ what: fc.constant('clear' as const), key, id: fc.constant(0) }),
);

describe('the table of tracked keys', () => {
  it('does as a map of sets, and the filter shows at least its keys', () => {
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
        const { table, other } = createWorld();
        const model = new Map<string, Set<number>>();
        for (const { what, key, id } of deeds) {
          if (what === 'remember') {
            remember(table, key, id);
            model.set(key, (model.get(key) ?? new Set()).add(id));
          } else if (what === 'take') {
            expect(take(table, key)).toEqual([...(model.get(key) ?? [])].sort((a, b) => a - b));
            model.delete(key);
          } else {
            clearTrackingTable(table);
            model.clear();
          }
          expect(table.readers.size).toBe(model.size);
          expect(table.items).toBe([...model.values()].reduce((sum, { size }) => sum + size, 0));
          expect(table.bytes).toBe([...model.keys()].reduce((sum, { length }) => sum + length, 0));
          for (const name of ['a', 'b', '', '\xff\0', 'user:1']) {
            expect(isTracked(other, name)).toBe(model.has(name));
          }
        }
      }),
    );
  });

  it('knows the key that has been there longest, whatever went before', () => {
    const { table } = createWorld();
    expect(oldestTrackedKey(table)).toBeUndefined();
    for (let index = 0; index < 10; index += 1) remember(table, `${index}`, 1);
    for (const gone of ['0', '1', '4']) take(table, gone);
    const inOrder: string[] = [];
    for (let oldest = oldestTrackedKey(table); oldest !== undefined; oldest = oldestTrackedKey(table)) {
      inOrder.push(oldest);
      take(table, oldest);
      if (inOrder.length === 3) remember(table, '0', 2);
    }
    expect(inOrder).toEqual(['2', '3', '5', '6', '7', '8', '9', '0']);
  });

  it('is cleared of many keys at once as of few', () => {
    const { table, other } = createWorld();
    for (const count of [10, 10_000]) {
      for (let index = 0; index < count; index += 1) remember(table, `key:${index}`, 1);
      expect(isTracked(other, 'key:3')).toBe(true);
      clearTrackingTable(table);
      expect(table).toMatchObject({ items: 0, bytes: 0 });
      expect(Array.from({ length: count }, (_, index) => isTracked(other, `key:${index}`))).not.toContain(
        true,
      );
    }
  });
});
