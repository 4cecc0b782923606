/** The rings between threads: order, fullness, and that what is put in comes out. */
import { expect, test } from 'vitest';
import { ACCESS_RING_EVENTS } from '../../src/config/limits.ts';
import {
  createAccessBuffer,
  drainAccesses,
  droppedAccesses,
  hasRoomFor,
  openAccessControl,
  openAccessRing,
  openAllAccessRings,
  pushAccess,
  SEED_0,
  SEED_1,
  THRESHOLD,
} from '../../src/metrics/access-ring.ts';
import { type Access, createAccess } from '../../src/metrics/miss-ratio.ts';

/** All that waits, as copies. */
function drain(buffer: SharedArrayBuffer): Access[] {
  const access = createAccess();
  const taken: Access[] = [];
  drainAccesses(openAllAccessRings(buffer), access, () => void taken.push({ ...access }));
  return taken;
}

function accessAt(atMs: number, low = 0): Access {
  return { ...createAccess(), atMs, low };
}

test('an access comes out as it was put in, with its signs and its full width', () => {
  const buffer = createAccessBuffer(2, 1, 2);
  const access: Access = {
    ...{ low: -1, high: 0x7fff_ffff, point: 2 ** 30 - 1, database: 63, reference: 2 },
    ...{ bytes: 2 ** 33 - 8, deadlineMs: 2 ** 48 - 1, atMs: 1_700_000_000_123 },
  };
  pushAccess(openAccessRing(buffer, 1), access);
  expect(drain(buffer)).toEqual([access]);
  expect(drain(buffer)).toEqual([]);
});

test('accesses of several threads come out in the order of time, those of one in their own', () => {
  const buffer = createAccessBuffer(3, 1, 2);
  const rings = openAllAccessRings(buffer);
  for (const [thread, times] of [[1, 4, 4, 9], [2, 3, 4], [], [5]].entries()) {
    for (const atMs of times) if (thread < 3) pushAccess(rings[thread], accessAt(atMs, thread));
  }
  expect(drain(buffer).map(({ atMs, low }) => [atMs, low])).toEqual([
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 0],
    [4, 0],
    [4, 1],
    [9, 0],
  ]);
});

test('a full ring drops and counts, and takes accesses again once it is drained, many times round', () => {
  const buffer = createAccessBuffer(1, 1, 2);
  const ring = openAccessRing(buffer, 0);
  let next = 0;
  for (let round = 1; round <= 3; round += 1) {
    while (hasRoomFor(ring)) {
      pushAccess(ring, accessAt(round, next));
      next += 1;
    }
    expect(hasRoomFor(ring)).toBe(false);
    expect(droppedAccesses(ring)).toBe(2 * round);
    expect(drain(buffer).map(({ low }) => low)).toEqual(
      Array.from({ length: ACCESS_RING_EVENTS }, (_, at) => next - ACCESS_RING_EVENTS + at),
    );
  }
});

test('nothing is sampled before main says so, and the seeds are there from the start', () => {
  const control = openAccessControl(createAccessBuffer(1, 77, 88));
  expect([control[THRESHOLD], control[SEED_0], control[SEED_1]]).toEqual([0, 77, 88]);
});
