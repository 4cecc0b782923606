/** What SPOP, SRANDMEMBER and HRANDFIELD draw: members that are there, none twice where that is promised, each as likely as any other. */
import { afterEach, describe, expect, it } from 'vitest';
import { drawRanks } from '../../src/commands/collection-random.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { withSmallBounds } from '../support/operations.ts';
import { replyTree } from '../support/replies.ts';

let harness: Harness;
afterEach(() => harness.expectWhole());

/** The bulk strings of a reply, however deep. */
function textsOf(reply: string): string[] {
  const tree = replyTree(reply);
  const walk = (node: typeof tree): string[] =>
    typeof node === 'string'
      ? node.startsWith('$')
        ? [node.split('\r\n')[1]]
        : []
      : node.items.flatMap(walk);
  return walk(tree);
}

const members = (count: number, prefix = '') => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('places drawn at random', () => {
  it('are so many different ones, ascending, for every count', () => {
    harness = createHarness();
    const [shard] = harness.shards;
    for (let count = 1; count <= 40; count += 1) {
      for (let draws = 0; draws <= count; draws += 1) {
        const ranks = [...drawRanks(shard, count, draws)];
        expect(new Set(ranks).size).toBe(draws);
        expect([...ranks].sort((a, b) => a - b)).toEqual(ranks);
        expect(ranks.every((rank) => Number.isInteger(rank) && rank >= 0 && rank < count)).toBe(true);
      }
    }
  });

  it.each([1, 3, 5, 9])('are each as likely as any other, %i of ten', (draws) => {
    harness = createHarness();
    const seen = new Float64Array(10);
    const rounds = 4000;
    for (let round = 0; round < rounds; round += 1) {
      for (const rank of drawRanks(harness.shards[0], 10, draws)) seen[rank] += 1;
    }
    const expected = (rounds * draws) / 10;
    const deviation = Math.sqrt((rounds * draws * (10 - draws)) / 100 + 1);
    for (const times of seen) expect(Math.abs(times - expected)).toBeLessThan(6 * deviation);
  });
});

describe.each([
  { form: 'an intset', texts: members(100), run: <T>(body: () => T) => body() },
  { form: 'a packed set', texts: members(60, 'm'), run: <T>(body: () => T) => body() },
  { form: 'a tree', texts: members(100, 'm'), run: withSmallBounds },
])('SPOP and SRANDMEMBER of $form', ({ texts, run }) => {
  it('pop each member once, in any portions, and tell of a set', () => {
    run(() => {
      harness = createHarness();
      for (const protocol of [2, 3] as const) {
        harness.session.protocol = protocol;
        harness.run('SADD', 's', ...texts);
        const popped: string[] = [];
        for (const count of [undefined, 1, 3, 20, 30, 1000]) {
          const reply = harness.run('SPOP', 's', ...(count === undefined ? [] : [`${count}`]));
          if (count !== undefined) expect(reply[0]).toBe(protocol === 2 ? '*' : '~');
          const more = textsOf(reply);
          expect(more).toHaveLength(Math.min(count ?? 1, texts.length - popped.length));
          expect(textsOf(harness.run('SMEMBERS', 's')).some((text) => more.includes(text))).toBe(false);
          popped.push(...more);
          harness.expectWhole();
        }
        expect([...popped].sort()).toEqual([...texts].sort());
        expect(harness.run('EXISTS', 's')).toBe(':0\r\n');
      }
    });
  });

  it('draw what is there, without doubles but for a negative count', () => {
    run(() => {
      harness = createHarness();
      harness.run('SADD', 's', ...texts);
      expect(texts).toContain(textsOf(harness.run('SRANDMEMBER', 's'))[0]);
      for (const count of [1, 2, 10, 50, 99, 1000]) {
        const drawn = textsOf(harness.run('SRANDMEMBER', 's', `${count}`));
        expect(new Set(drawn).size).toBe(Math.min(count, texts.length));
        expect(drawn).toHaveLength(Math.min(count, texts.length));
        const free = textsOf(harness.run('SRANDMEMBER', 's', `-${count}`));
        expect(free).toHaveLength(count);
        expect([...drawn, ...free].every((text) => texts.includes(text))).toBe(true);
      }
      expect(harness.run('SCARD', 's')).toBe(`:${texts.length}\r\n`);
    });
  });
});

describe('HRANDFIELD', () => {
  it.each([2, 3] as const)('draws fields with their own values, in RESP%i', (protocol) => {
    withSmallBounds(() => {
      harness = createHarness();
      harness.session.protocol = protocol;
      harness.run('HSET', 'h', ...members(80).flatMap((text) => [text, `value ${text}`]));
      for (const count of [1, 5, 40, 79, 200, -5, -200]) {
        const reply = harness.run('HRANDFIELD', 'h', `${count}`, 'WITHVALUES');
        const texts = textsOf(reply);
        const fields = texts.filter((_, index) => index % 2 === 0);
        expect(fields).toHaveLength(Math.min(80, Math.abs(count)) + (count === -200 ? 120 : 0));
        expect(texts.filter((_, index) => index % 2 === 1)).toEqual(fields.map((text) => `value ${text}`));
        if (count > 0) expect(new Set(fields).size).toBe(fields.length);
        const items = replyTree(reply);
        if (typeof items !== 'string') {
          expect(items.items).toHaveLength(protocol === 2 ? texts.length : fields.length);
        }
      }
    });
  });
});
