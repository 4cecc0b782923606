/** What `npm run bench:collections` fills servers with, and what it makes of what it measured. */
import { expect, test } from 'vitest';
import { collectionKinds, elementText } from '../../bench/support/collection-kinds.ts';
import { LATENCY_COLUMNS, latencyCells } from '../../bench/support/collection-latency.ts';
import {
  COLLECTION_MEMORY_COLUMNS,
  collectionMemoryCells,
  collectionMemoryRow,
} from '../../bench/support/collection-memory.ts';
import { listCells, listColumns, parseListCsv } from '../../bench/support/default-list.ts';

const ELEMENTS = 100;
const kinds = collectionKinds(ELEMENTS);

test('a large collection gets each element once, in requests that the client can send', () => {
  const set = kinds.find(({ name, contents }) => name === 'one set' && contents === 'text');
  const requests = Array.from({ length: set?.requests ?? 0 }, (_, index) => set?.requestOf(index) ?? '');
  const words = requests.join('').match(/element-\d{7}/g) ?? [];
  expect(new Set(words).size).toBe(ELEMENTS);
  expect(words).toHaveLength(ELEMENTS);
  expect(Math.max(...kinds.map(({ requestOf }) => requestOf(0).length))).toBeLessThan(4096);
});

test('elements are texts of 15 bytes, and integers of 8 digits', () => {
  expect(elementText('text', 3, ELEMENTS)).toHaveLength(15);
  expect(elementText('integers', 3, ELEMENTS)).toMatch(/^\d{8}$/);
});

test('memory is shared out over the elements and compared with redis-server', () => {
  const row = (server: string, bytes: number) =>
    collectionMemoryRow(server, kinds[1], [{ keys: 1, usedBytes: bytes, residentBytes: 2 * bytes }]);
  const [base, ours] = [row('redis-server', 10_000), row('distcache', 4_500)];
  expect(collectionMemoryCells(ours, base)).toEqual([
    'one hash',
    'text',
    'distcache',
    '45.0',
    '90.0',
    '0.45x',
    '0.45x',
  ]);
  expect(collectionMemoryCells(base, base)).toHaveLength(COLLECTION_MEMORY_COLUMNS.length);
});

test('latencies have a cell for each column, empty ones for the locks of redis-server', () => {
  const row = { server: 'redis-server', command: 'HGET', isLong: false, p50Us: 20.4, p99Us: 31, maxUs: 99 };
  const cells = latencyCells({ ...row, heldAtMostUs: undefined, longHolds: undefined });
  expect(cells).toEqual(['HGET', 'redis-server', '20', '31', '99', '', '']);
  expect(cells).toHaveLength(LATENCY_COLUMNS.length);
});

test("redis-benchmark's list is read by the names of its tests", () => {
  const text =
    '"test","rps","avg"\n"MSET (10 keys)","1200.50","1"\n"LRANGE_100 (first 100 elements)","900.00","2"\n';
  expect([...parseListCsv(text)]).toEqual([
    ['MSET (10 keys)', 1200.5],
    ['LRANGE_100 (first 100 elements)', 900],
  ]);
  expect(() => parseListCsv('Could not connect')).toThrow('Could not connect');
});

test('a row of the list has each server, and each but the first as a ratio to the first', () => {
  const spread = (median: number) => ({ median, min: median, max: median });
  const cells = listCells({
    test: 'SADD',
    pipeline: 16,
    perSecond: [spread(1000), spread(1500), spread(2000)],
  });
  expect(cells).toEqual(['SADD', '16', '1.0', '1.5', '2.0', '1.50x', '2.00x']);
  expect(cells).toHaveLength(listColumns(['redis-server', 'one', 'two']).length);
});
