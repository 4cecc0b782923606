/** What commands leave in the journals is what they have left in memory: each change once, evictions and expiries too. */
import { expect, it } from 'vitest';
import { expireDue } from '../../src/shard/housekeeping.ts';
import { pendingFirstLsn, pendingRecords, startJournaling } from '../../src/shard/journal.ts';
import { EVICTED_KEYS, LSN } from '../../src/shard/layout.ts';
import { approachLimits } from '../../src/shard/limit-change.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { entriesOf, replayAll, take } from '../support/journal.ts';
import { createRandom, type Random } from '../support/seeded-random.ts';

const STEPS = 800;
const KEYS = 100;
const SMALL_SHARD_BYTES = 2 ** 15;

function command(random: Random): string[] {
  const whole = random;
  const one = <Item>(items: readonly Item[]): Item => items[whole(items.length)];
  const key = () => `key:${whole(KEYS)}${whole(5) === 0 ? 'x'.repeat(whole(300)) : ''}`;
  const sketch = () => `sketch:${whole(KEYS / 10)}`;
  const value = () => one(['', '7', '-3.5', 'v'.repeat(whole(60)), 'w'.repeat(whole(4000))]);
  const soon = () => String(1 + whole(400));
  return one([
    () => ['SET', key(), value()],
    () => ['SET', key(), value(), one(['NX', 'XX', 'KEEPTTL', 'GET'])],
    () => ['SET', key(), value(), one(['PX', 'EX', 'PXAT']), soon()],
    () => ['SETEX', key(), '1', value()],
    () => ['MSET', key(), value(), key(), value(), key(), value()],
    () => ['MSETNX', key(), value(), key(), value()],
    () => ['GET', key()],
    () => ['MGET', key(), key(), key()],
    () => ['GETEX', key(), ...one([['PERSIST'], ['PX', soon()], ['EXAT', '1'], []])],
    () => ['GETDEL', key()],
    () => ['GETSET', key(), value()],
    () => ['APPEND', key(), value()],
    () => ['SETRANGE', key(), String(whole(5000)), value()],
    () => ['SETBIT', key(), String(whole(20_000)), one(['0', '1'])],
    () => ['BITFIELD', key(), 'INCRBY', 'u16', String(whole(3000)), '7', 'SET', 'i5', '#9', '3'],
    () => ['BITOP', one(['AND', 'OR', 'XOR']), key(), key(), key()],
    () => ['PFADD', sketch(), value(), value()],
    () => ['PFMERGE', sketch(), sketch(), sketch()],
    () => ['PFCOUNT', sketch()],
    () => [one(['INCR', 'DECR']), key()],
    () => ['INCRBYFLOAT', key(), '0.5'],
    () => [one(['DEL', 'UNLINK', 'EXISTS', 'TOUCH']), key(), key()],
    () => ['RENAME', key(), key()],
    () => ['RENAMENX', key(), key()],
    () => ['COPY', key(), key(), ...one([[], ['REPLACE'], ['DB', '1']])],
    () => ['MOVE', key(), '1'],
    () => ['PEXPIRE', key(), soon(), ...one([[], ['NX'], ['GT']])],
    () => ['EXPIREAT', key(), '1'],
    () => ['PERSIST', key()],
    () => ['RANDOMKEY'],
    () => ['SCAN', '0'],
    () => ['SELECT', String(whole(3))],
    ...(whole(10) === 0 ? [() => ['SWAPDB', '0', '1'], () => ['FLUSHDB'], () => ['FLUSHALL']] : []),
  ])();
}

function expectNoneMissing({ shards }: Harness, said: string): void {
  for (const shard of shards) {
    expect(pendingFirstLsn(shard) + pendingRecords(shard) - 1, said).toBe(shard.numbers[LSN]);
  }
}

it.each(['allkeys-lru', 'volatile-ttl', 'noeviction', 'allkeys-random'])('with %s', (policy) => {
  const flags = ['--maxmemory-policy', policy];
  for (let seed = 1; seed <= 2; seed += 1) {
    const random = createRandom(seed);
    const harness = createHarness({ shardBytes: SMALL_SHARD_BYTES, flags });
    const copy = createHarness({ shardBytes: 2 ** 24, flags });
    for (const shard of harness.shards) startJournaling(shard);
    for (let step = 0; step < STEPS; step += 1) {
      const words = command(random);
      expect(harness.run(...words)).not.toMatch(/internal error/);
      expectNoneMissing(harness, `seed ${seed}, step ${step}: ${words.join(' ').slice(0, 80)}`);
      if (random(10) === 0) harness.nowMs += 100;
      const shard = harness.shards[step % 3];
      if (random(20) === 0) expireDue(shard, harness.nowMs, 10);
      if (random(100) === 0) {
        approachLimits(shard, SMALL_SHARD_BYTES * (0.7 + random(30) / 100), 0, harness.nowMs, 1000);
      }
      if (step % 100 === 99) {
        for (const [index, from] of harness.shards.entries()) {
          replayAll(copy.shards[index], take(from));
          expect(entriesOf(copy.shards[index])).toEqual(entriesOf(from));
        }
      }
    }
    const evicted = harness.shards.reduce((sum, { numbers }) => sum + numbers[EVICTED_KEYS], 0);
    if (policy.startsWith('allkeys')) expect(evicted).toBeGreaterThan(0);
    harness.expectWhole();
    copy.expectWhole();
  }
});
