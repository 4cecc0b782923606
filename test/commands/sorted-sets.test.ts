/** Sorted sets where redis-server is no measure: in several shards, without room, large, and while they are scanned. */
import { describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';
import { replyTree, type Tree } from '../support/replies.ts';

const OOM = /^-OOM/;

/** The bulk strings of a reply, in their order. */
function texts(reply: string): string[] {
  const all = (tree: Tree): string[] =>
    typeof tree === 'string' ? [tree.slice(tree.indexOf('\r\n') + 2, -2)] : tree.items.flatMap(all);
  return all(replyTree(reply));
}

function fill(harness: Harness, key: string, count: number): Map<string, number> {
  const scores = new Map<string, number>();
  for (let index = 0; index < count; index += 1) {
    const score = (index * 7919) % 5000;
    harness.run('ZADD', key, String(score), `member ${index}`);
    scores.set(`member ${index}`, score);
  }
  return scores;
}

function inOrder(scores: Map<string, number>): string[] {
  const byScore = [...scores].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
  return byScore.map(([member]) => member);
}

describe('keys in several shards', () => {
  it('are united, also into one of them', () => {
    const harness = createHarness({ shards: 3 });
    const keys = ['a', 'b', 'c', 'd', 'e'];
    for (const [index, key] of keys.entries()) harness.run('ZADD', key, String(index), key, '1', 'all');
    expect(harness.run('ZUNIONSTORE', 'c', '5', ...keys, 'WEIGHTS', '1', '1', '1', '1', '2')).toBe(':6\r\n');
    expect(texts(harness.run('ZRANGE', 'c', '0', '-1', 'WITHSCORES'))).toEqual([
      'a',
      '0',
      'b',
      '1',
      'c',
      '2',
      'd',
      '3',
      'all',
      '6',
      'e',
      '8',
    ]);
    expect(harness.run('ZINTERSTORE', 'a', '3', 'a', 'b', 'c')).toBe(':1\r\n');
    expect(harness.run('ZDIFFSTORE', 'b', '2', 'b', 'b')).toBe(':0\r\n');
    expect(harness.run('EXISTS', 'a', 'b')).toBe(':1\r\n');
    harness.expectWhole();
  });

  it('are popped from the first that is there, and copied by range', () => {
    const harness = createHarness({ shards: 3 });
    harness.run('ZADD', 'x', '1', 'a', '2', 'b', '3', 'c');
    for (const key of ['p', 'q', 'r']) {
      expect(harness.run('ZRANGESTORE', key, 'x', '2', '1', 'BYSCORE', 'REV')).toBe(':2\r\n');
    }
    expect(texts(harness.run('ZMPOP', '3', 'o', 'q', 'r', 'MAX'))).toEqual(['q', 'b', '2']);
    expect(texts(harness.run('ZMPOP', '3', 'o', 'q', 'r', 'MAX', 'COUNT', '9'))).toEqual(['q', 'a', '1']);
    expect(texts(harness.run('ZMPOP', '3', 'o', 'q', 'r', 'MIN', 'COUNT', '9'))[0]).toBe('r');
    harness.expectWhole();
  });
});

describe('without room', () => {
  function full(): Harness {
    return createHarness({ shards: 1, shardBytes: 2 ** 16, flags: ['--maxmemory-policy', 'noeviction'] });
  }

  it('what was added before stays, and can still be changed', () => {
    const harness = full();
    const long = 'x'.repeat(3000);
    const pairs = Array.from({ length: 40 }, (_, index) => [String(index), `${long}${index}`]).flat();
    expect(harness.run('ZADD', 'z', ...pairs)).toMatch(OOM);
    const added = Number(harness.run('ZCARD', 'z').slice(1));
    expect(added).toBeGreaterThan(5);
    expect(added).toBeLessThan(40);
    expect(harness.run('ZRANK', 'z', `${long}${added - 1}`)).toBe(`:${added - 1}\r\n`);
    expect(harness.run('ZREM', 'z', `${long}0`, `${long}1`)).toBe(':2\r\n');
    expect(harness.run('ZADD', 'z', 'XX', 'CH', '-1', `${long}3`)).toBe(':1\r\n');
    expect(harness.run('ZRANK', 'z', `${long}3`)).toBe(':0\r\n');
    harness.expectWhole();
  });

  it('a key is not left empty, and half a result is none', () => {
    const harness = full();
    expect(harness.run('ZADD', 'z', '1', 'x'.repeat(70_000))).toMatch(/^-/);
    expect(harness.run('EXISTS', 'z')).toBe(':0\r\n');
    for (let index = 0; index < 8; index += 1) harness.run('ZADD', 'z', '1', `${index}`.padEnd(3000, '.'));
    harness.run('SET', 'to', 'x');
    expect(harness.run('ZUNIONSTORE', 'to', '1', 'z')).toMatch(OOM);
    expect(harness.run('EXISTS', 'to', 'z')).toBe(':1\r\n');
    expect(harness.run('ZCARD', 'z')).toBe(':8\r\n');
    harness.expectWhole();
  });
});

describe('a large one', () => {
  it('gives every range by rank, score and limit as it is, from both ends', () => {
    const harness = createHarness({ shards: 1 });
    const scores = fill(harness, 'z', 3000);
    const order = inOrder(scores);
    for (const [first, last] of [
      [0, 5],
      [-7, -1],
      [1400, 1600],
      [2990, 9999],
      [2000, 1000],
    ]) {
      const end = last < 0 ? last + order.length + 1 : last + 1;
      expect(texts(harness.run('ZRANGE', 'z', `${first}`, `${last}`))).toEqual(
        order.slice(first, Math.max(end, 0)).filter(() => first < 0 || last >= first),
      );
    }
    const inside = order.filter(
      (member) => Number(scores.get(member)) > 1000 && Number(scores.get(member)) <= 2000,
    );
    expect(harness.run('ZCOUNT', 'z', '(1000', '2000')).toBe(`:${inside.length}\r\n`);
    const limited = ['BYSCORE', 'LIMIT', '10', '20'];
    expect(texts(harness.run('ZRANGE', 'z', '(1000', '2000', ...limited))).toEqual(inside.slice(10, 30));
    const down = [...inside].reverse().slice(10, 30);
    expect(texts(harness.run('ZRANGE', 'z', '2000', '(1000', ...limited, 'REV'))).toEqual(down);
    for (const rank of [0, 1, 1500, 2999]) {
      expect(harness.run('ZRANK', 'z', order[rank])).toBe(`:${rank}\r\n`);
      expect(harness.run('ZREVRANK', 'z', order[rank])).toBe(`:${2999 - rank}\r\n`);
    }
  });

  it('loses exactly what is removed by range, and all that is popped', () => {
    const harness = createHarness({ shards: 1 });
    const scores = fill(harness, 'z', 2000);
    const order = inOrder(scores);
    expect(harness.run('ZREMRANGEBYRANK', 'z', '100', '1099')).toBe(':1000\r\n');
    order.splice(100, 1000);
    expect(texts(harness.run('ZRANGE', 'z', '0', '-1'))).toEqual(order);
    for (const member of order)
      expect(harness.run('ZSCORE', 'z', member)).toContain(`\r\n${scores.get(member)}\r\n`);
    const popped = texts(harness.run('ZPOPMAX', 'z', '600')).filter((_, index) => index % 2 === 0);
    expect(popped).toEqual(order.splice(400).reverse());
    harness.expectWhole();
    expect(harness.run('ZREMRANGEBYSCORE', 'z', '-inf', '+inf')).toBe(':400\r\n');
    expect(harness.run('EXISTS', 'z')).toBe(':0\r\n');
    harness.expectWhole();
  });

  it('is scanned whole while it grows: what is there throughout comes up once', () => {
    const harness = createHarness({ shards: 1 });
    const scores = fill(harness, 'z', 500);
    const seen: string[] = [];
    let cursor = '0';
    let added = 0;
    do {
      const [next, ...pairs] = texts(harness.run('ZSCAN', 'z', cursor, 'COUNT', '7'));
      seen.push(...pairs.filter((_, index) => index % 2 === 0 && scores.has(pairs[index])));
      for (let index = 0; index < 20; index += 1, added += 1) harness.run('ZADD', 'z', '1', `new ${added}`);
      harness.run('ZINCRBY', 'z', '1', 'member 7');
      cursor = next;
    } while (cursor !== '0');
    expect(seen.sort()).toEqual([...scores.keys()].sort());
  });

  it('gives every member now and then at random, and as many different ones as asked for', () => {
    const harness = createHarness({ shards: 1 });
    const scores = fill(harness, 'z', 200);
    const drawn = new Set(texts(harness.run('ZRANDMEMBER', 'z', '-4000')));
    expect(drawn.size).toBe(200);
    for (const count of [1, 20, 150, 200, 300]) {
      const pairs = texts(harness.run('ZRANDMEMBER', 'z', String(count), 'WITHSCORES'));
      const members = pairs.filter((_, index) => index % 2 === 0);
      expect(new Set(members).size).toBe(Math.min(count, 200));
      for (const [index, member] of members.entries()) {
        expect(pairs[2 * index + 1]).toBe(String(scores.get(member)));
      }
    }
  });
});
