/** Entries that are due on a node of a cluster: its own go, another's wait for the owner's word, or for the end of their grace. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { REPLICA_EXPIRY_GRACE_MS } from '../../src/config/limits.ts';
import { ROLE_OWNER, ROLE_REPLICA } from '../../src/routing/node-table.ts';
import { SLOT_COUNT, slotOfKey } from '../../src/routing/slot.ts';
import { TICK_MS } from '../../src/shard/expiry.ts';
import { expireDue } from '../../src/shard/housekeeping.ts';
import { findForReading, scanBucket } from '../../src/shard/keyspace.ts';
import { EXPIRED_KEYS, EXPIRY_LAG_MS_MAX, KEYS_LIVE, NONE } from '../../src/shard/layout.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { createTestShard, expectWhole, find, keyText, START_MS, set } from '../support/shard.ts';

let shard: Shard;
afterEach(() => expectWhole(shard));

/** A shard on a node that owns the even slots and has replicas of the odd ones. */
function createShard(): void {
  shard = createTestShard();
  shard.roles = Uint8Array.from({ length: SLOT_COUNT }, (_, slot) =>
    slot % 2 === 0 ? ROLE_OWNER : ROLE_REPLICA,
  );
}

function isOwn(key: string): boolean {
  const bytes = Buffer.from(key);
  return slotOfKey(bytes, 0, bytes.length) % 2 === 0;
}

function keysLeft(): Set<string> {
  const keys = new Set<string>();
  for (let position = 0; position < 2 ** 32; ) {
    position = scanBucket(shard, 0, position, (ref) => keys.add(keyText(shard, ref)));
  }
  return keys;
}

function expireAll(nowMs: number, slice = 64): void {
  while (expireDue(shard, nowMs, slice)) expectWhole(shard);
}

const OWN = Array.from({ length: 40 }, (_, index) => `key:${index}`).filter(isOwn);
const OTHERS = Array.from({ length: 40 }, (_, index) => `key:${index}`).filter((key) => !isOwn(key));

describe('what is due', () => {
  it.each([1, 3, 64])(
    'goes at once if it is own, after the grace if it is another node’s, in slices of %i',
    (slice) => {
      createShard();
      const dueMs = START_MS + 1000;
      for (const key of [...OWN, ...OTHERS]) set(shard, key, 'value', { expiresAtMs: dueMs });
      expireAll(dueMs + TICK_MS + 1, slice);
      expect(keysLeft()).toEqual(new Set(OTHERS));
      expect(shard.numbers[EXPIRED_KEYS]).toBe(OWN.length);
      expireAll(dueMs + REPLICA_EXPIRY_GRACE_MS, slice);
      expect(keysLeft()).toEqual(new Set(OTHERS));
      expireAll(dueMs + REPLICA_EXPIRY_GRACE_MS + TICK_MS + 1, slice);
      expect(shard.control[KEYS_LIVE]).toBe(0);
      expect(shard.numbers[EXPIRY_LAG_MS_MAX]).toBeLessThan(1000);
    },
  );

  it('is hidden from readers who leave it where it is', () => {
    createShard();
    const [key] = OTHERS;
    set(shard, key, 'value', { expiresAtMs: START_MS + 1 });
    const bytes = Buffer.from(key);
    expect(findForReading(shard, 0, bytes, 0, bytes.length, START_MS + 5)).toBe(NONE);
    expect(keysLeft()).toEqual(new Set([key]));
  });

  it('is removed when the node has become the owner, by the end of the grace at the latest', () => {
    createShard();
    const dueMs = START_MS + 1000;
    for (const key of OTHERS) set(shard, key, 'value', { expiresAtMs: dueMs });
    expireAll(dueMs + 100);
    shard.roles?.fill(ROLE_OWNER);
    expect(find(shard, OTHERS[0], { nowMs: dueMs + 200 })).toBe(NONE);
    expireAll(dueMs + REPLICA_EXPIRY_GRACE_MS + TICK_MS + 1);
    expect(shard.control[KEYS_LIVE]).toBe(0);
  });

  it('leaves whatever the steps of the clock: own keys not after their time, others not before their grace', () => {
    const put = fc.record({ key: fc.nat(60), inMs: fc.oneof(fc.nat(3000), fc.nat(700_000)) });
    const step = fc.record({
      puts: fc.array(put, { maxLength: 8 }),
      ms: fc.oneof(fc.nat(2000), fc.nat(100_000)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 70 }), (steps, slice) => {
        createShard();
        const deadlines = new Map<string, number>();
        let nowMs = START_MS;
        for (const { puts, ms } of steps) {
          for (const { key, inMs } of puts) {
            set(shard, `key:${key}`, 'value', { expiresAtMs: nowMs + inMs + 1, nowMs });
            deadlines.set(`key:${key}`, nowMs + inMs + 1);
          }
          nowMs += ms;
          expireAll(nowMs, slice);
          const left = keysLeft();
          for (const [key, deadlineMs] of deadlines) {
            const goneMs = isOwn(key) ? deadlineMs : deadlineMs + REPLICA_EXPIRY_GRACE_MS;
            if (goneMs >= nowMs) expect(left.has(key)).toBe(true);
            else if (goneMs < nowMs - TICK_MS) expect(left.has(key)).toBe(false);
          }
        }
        expectWhole(shard);
      }),
      { numRuns: 150 },
    );
  });
});
