/** What commands on collections leave in the journals is what they have left in memory, for a replay and for a replica. */
import { describe, expect, it } from 'vitest';
import { findByName } from '../../src/commands/registry.ts';
import { applyRecord } from '../../src/shard/apply.ts';
import { expireDue } from '../../src/shard/housekeeping.ts';
import { pendingBytes, pendingFirstLsn, pendingRecords, startJournaling } from '../../src/shard/journal.ts';
import { EVICTED_KEYS, LSN } from '../../src/shard/layout.ts';
import { createRecordView, decodeRecord } from '../../src/shard/record.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { replayAll, take } from '../support/journal.ts';
import { everything, withSmallBounds } from '../support/operations.ts';
import { createRandom, type Random } from '../support/seeded-random.ts';

const STEPS = 1500;
const SMALL_SHARD_BYTES = 20 * 1024;

function command(random: Random): string[] {
  const whole = random;
  const one = <Item>(items: readonly Item[]): Item => items[whole(items.length)];
  const key = (kind: string) =>
    whole(30) === 0 ? `${one(['h', 'l', 's', 'z', 't'])}${whole(4)}` : `${kind}${whole(4)}`;
  const [h, l, s, z] = ['h', 'l', 's', 'z'].map((kind) => () => key(kind));
  const member = () => one([`m${whole(40)}`, `${whole(300) - 100}`, `long${whole(8)}`.repeat(20), '']);
  const members = () => Array.from({ length: 1 + whole(5) }, member);
  const pairs = () => members().flatMap((field) => [field, member()]);
  const time = () => String(whole(900));
  const counted = (items: readonly string[], each: number) => [
    'FIELDS',
    String(items.length / each),
    ...items,
  ];
  const fields = () => counted(members(), 1);
  const fieldValues = () => counted(pairs(), 2);
  const score = () => one([`${whole(9)}`, `-${whole(9)}.5`, 'inf', '-inf']);
  const scored = () => members().flatMap((text) => [score(), text]);
  const place = () => String(whole(14) - 4);
  const side = () => one(['LEFT', 'RIGHT']);
  return one<() => string[]>([
    () => ['HSET', h(), ...pairs()],
    () => ['HSET', h(), ...pairs()],
    () => ['HSETNX', h(), member(), member()],
    () => ['HDEL', h(), ...members()],
    () => ['HSETEX', h(), ...one([['PX', time()], ['KEEPTTL'], ['FNX'], ['PXAT', '1']]), ...fieldValues()],
    () => ['HSETEX', h(), 'PX', time(), ...fieldValues()],
    () => ['HPEXPIRE', h(), time(), ...one([[], ['NX'], ['XX'], ['GT'], ['LT']]), ...fields()],
    () => ['HGETEX', h(), ...one([['PX', time()], ['PERSIST'], ['PXAT', '1'], []]), ...fields()],
    () => ['HPERSIST', h(), ...fields()],
    () => ['HGETDEL', h(), ...fields()],
    () => ['HINCRBY', h(), member(), place()],
    () => ['HINCRBYFLOAT', h(), member(), '0.5'],
    () => [one(['RPUSH', 'LPUSH']), l(), ...members()],
    () => [one(['RPUSH', 'LPUSH', 'RPUSHX', 'LPUSHX']), l(), ...members()],
    () => [one(['RPOP', 'LPOP']), l(), String(whole(4))],
    () => ['LSET', l(), place(), member()],
    () => ['LINSERT', l(), one(['BEFORE', 'AFTER']), member(), member()],
    () => ['LREM', l(), place(), member()],
    () => ['LTRIM', l(), String(whole(3)), String(-1 - whole(3))],
    () => ['LMOVE', l(), l(), side(), side()],
    () => ['RPOPLPUSH', l(), l()],
    () => ['LMPOP', '2', l(), l(), side(), 'COUNT', String(1 + whole(5))],
    () => ['SADD', s(), ...members()],
    () => ['SADD', s(), ...members()],
    () => ['SREM', s(), ...members()],
    () => ['SPOP', s(), ...one([[], [String(whole(4))]])],
    () => ['SMOVE', s(), s(), member()],
    () => [one(['SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE']), s(), s(), s()],
    () => ['ZADD', z(), ...scored()],
    () => ['ZADD', z(), ...one([['NX'], ['XX'], ['GT'], ['LT', 'CH']]), ...scored()],
    () => ['ZINCRBY', z(), '1.5', member()],
    () => ['ZREM', z(), ...members()],
    () => [one(['ZPOPMIN', 'ZPOPMAX']), z(), String(whole(4))],
    () => ['ZMPOP', '2', z(), z(), one(['MIN', 'MAX']), 'COUNT', String(1 + whole(5))],
    () => ['ZREMRANGEBYRANK', z(), String(whole(4)), String(whole(8))],
    () => ['ZREMRANGEBYSCORE', z(), '(1', '3'],
    () => ['ZRANGESTORE', z(), z(), '0', '5'],
    () => [one(['ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE']), z(), '2', z(), z()],
    () => ['SORT', one([l, s])(), 'ALPHA', 'STORE', l()],
    () => ['SET', key('t'), member()],
    () => ['SET', `t${whole(200)}`, 'v'.repeat(whole(2000))],
    () => ['DEL', key('t'), one([h, l, s, z])()],
    () => ['RENAME', one([h, l, s, z])(), one([h, l, s, z])()],
    () => ['COPY', one([h, l, s, z])(), one([h, l, s, z])(), ...one([[], ['REPLACE'], ['DB', '1']])],
    () => ['MOVE', one([h, l, s, z])(), '1'],
    () => ['PEXPIRE', one([h, l, s, z])(), String(1 + whole(900))],
    () => ['PERSIST', one([h, l, s, z])()],
    () => ['SELECT', whole(5) === 0 ? '1' : '0'],
    ...(whole(20) === 0 ? [() => ['SWAPDB', '0', '1'], () => ['FLUSHDB']] : []),
  ])();
}

function expectNoneMissing({ shards }: Harness, said: string): void {
  for (const shard of shards) {
    expect(pendingFirstLsn(shard) + pendingRecords(shard) - 1, said).toBe(shard.numbers[LSN]);
  }
}

/** Runs commands on shards of a size, and now and then has a copy of them replay what they left. Returns how many keys were evicted. */
function run(seed: number, shardBytes: number): number {
  const random = createRandom(seed);
  const harness = createHarness({ shardBytes, flags: ['--maxmemory-policy', 'allkeys-lru'] });
  const copy = createHarness({ shardBytes: 2 ** 24 });
  for (const shard of harness.shards) startJournaling(shard);
  for (let step = 0; step < STEPS; step += 1) {
    const words = command(random);
    if (findByName(words[0].toLowerCase()) === undefined) continue;
    const said = `seed ${seed}, step ${step}: ${words.join(' ').slice(0, 120)}`;
    expect(harness.run(...words), said).not.toMatch(/internal error|unknown command|wrong number/);
    expectNoneMissing(harness, said);
    if (random(10) === 0) harness.nowMs += 100;
    if (random(20) === 0) expireDue(harness.shards[step % 3], harness.nowMs, 10);
    if (step % 10 !== 9) continue;
    for (const [index, from] of harness.shards.entries()) {
      replayAll(copy.shards[index], take(from));
      expect(everything(copy.shards[index]), said).toEqual(everything(from));
    }
  }
  harness.expectWhole();
  copy.expectWhole();
  return harness.shards.reduce((sum, { numbers }) => sum + numbers[EVICTED_KEYS], 0);
}

describe('commands on collections', () => {
  it.each([1, 2, 3])('leave in the journal what they left in memory, seed %d', (seed) => {
    run(seed, 2 ** 22);
    withSmallBounds(() => run(seed + 10, 2 ** 22));
  });

  it('do so while keys are evicted and pages move', () => {
    expect(withSmallBounds(() => run(21, SMALL_SHARD_BYTES))).toBeGreaterThan(0);
  });

  it('tell a replica the same', () => {
    const random = createRandom(31);
    const harness = createHarness({ shards: 1 });
    const replica = createHarness({ shards: 1 });
    startJournaling(harness.shards[0]);
    const view = createRecordView();
    withSmallBounds(() => {
      for (let step = 0; step < STEPS; step += 1) {
        const words = command(random);
        // A node of a cluster has one database.
        const isRefused = ['SELECT', 'SWAPDB', 'MOVE', 'FLUSHDB'].includes(words[0]) || words.includes('DB');
        if (isRefused || findByName(words[0].toLowerCase()) === undefined) continue;
        harness.run(...words);
        const { bytes } = take(harness.shards[0]);
        for (let at = 0; at < bytes.length; ) {
          at = decodeRecord(bytes, at, bytes.length, view);
          expect(applyRecord(replica.shards[0], view, bytes, harness.nowMs)).toBe(true);
        }
        expect(everything(replica.shards[0], false), words.join(' ')).toEqual(
          everything(harness.shards[0], false),
        );
      }
    });
    replica.expectWhole();
  });

  it('tell which places LREM emptied, in runs, from either end', () => {
    const random = createRandom(41);
    const harness = createHarness({ shards: 1 });
    const copy = createHarness({ shards: 1 });
    const [shard] = harness.shards;
    startJournaling(shard);
    const fill = (): void => {
      harness.run('RPUSH', 'l', ...Array.from({ length: 1 + random(30) }, () => 'aab'[random(3)]));
      harness.run('LREM', 'l', String(random(21) - 10), 'aab'[random(3)]);
      replayAll(copy.shards[0], take(shard));
      expect(everything(copy.shards[0])).toEqual(everything(shard));
    };
    withSmallBounds(() => {
      for (let round = 0; round < 200; round += 1) fill();
    });
    harness.expectWhole();
  });

  it('have records of some bytes for each element, however many a command adds or takes away', () => {
    const harness = createHarness({ shards: 1 });
    const [shard] = harness.shards;
    startJournaling(shard);
    const numbers = Array.from({ length: 1000 }, (_, index) => String(index));
    const ones = numbers.map(() => '1');
    const bytesOf = (...words: string[]): number => {
      harness.run(...words);
      return take(shard).bytes.length;
    };
    const bytes = [
      bytesOf('SADD', 's', ...numbers),
      bytesOf('SREM', 's', ...numbers.slice(0, 400)),
      bytesOf('SPOP', 's', '500'),
      bytesOf('RPUSH', 'l', ...ones),
      bytesOf('LPUSH', 'l', ...ones),
      bytesOf('LREM', 'l', '900', '1'),
      bytesOf('LREM', 'l', '-900', '1'),
    ];
    expect(Math.max(...bytes)).toBeLessThan(5 * numbers.length);
    expect(pendingBytes(shard)).toBe(0);
    expect([harness.run('SCARD', 's'), harness.run('LLEN', 'l')]).toEqual([':100\r\n', ':200\r\n']);
  });
});
