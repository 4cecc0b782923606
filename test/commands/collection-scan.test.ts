/** HSCAN, SSCAN and ZSCAN bring up once what is there throughout, however the collection grows, shrinks and changes its form meanwhile. */
import { afterEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';
import { withSmallBounds } from '../support/operations.ts';
import { replyTree } from '../support/replies.ts';
import { testSeed } from '../support/seed.ts';
import { createRandom } from '../support/seeded-random.ts';

const STEPS_MAX = 10_000;

let harness: Harness;
afterEach(() => harness.expectWhole());

type Family = {
  readonly name: string;
  readonly add: (key: string, text: string) => string[];
  readonly remove: (key: string, text: string) => string[];
  /** How many bulk strings a group is in a reply. */
  readonly width: number;
};

const FAMILIES: readonly Family[] = [
  {
    name: 'HSCAN',
    add: (key, text) => ['HSET', key, text, 'v'],
    remove: (key, text) => ['HDEL', key, text],
    width: 2,
  },
  {
    name: 'SSCAN',
    add: (key, text) => ['SADD', key, text],
    remove: (key, text) => ['SREM', key, text],
    width: 1,
  },
  {
    name: 'ZSCAN',
    add: (key, text) => ['ZADD', key, '1', text],
    remove: (key, text) => ['ZREM', key, text],
    width: 2,
  },
];

/** One call: the next cursor, and the names that came. */
function scan(
  name: string,
  width: number,
  key: string,
  cursor: string,
  ...options: string[]
): [string, string[]] {
  const tree = replyTree(harness.run(name, key, cursor, ...options));
  if (typeof tree === 'string' || typeof tree.items[1] === 'string') throw new Error(String(tree));
  const [next, found] = tree.items;
  const text = (node: unknown) => String(node).split('\r\n')[1];
  return [text(next), found.items.filter((_, index) => index % width === 0).map(text)];
}

describe.each(FAMILIES)('$name', ({ name, add, remove, width }) => {
  it('brings up everything once while nothing changes, for every COUNT', () => {
    withSmallBounds(() => {
      harness = createHarness();
      const texts = Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? `m${i}` : `${i}`));
      for (const text of texts) harness.run(...add('key', text));
      for (const count of ['1', '7', '100', '100000']) {
        const found: string[] = [];
        let cursor = '0';
        do {
          const [next, names] = scan(name, width, 'key', cursor, 'COUNT', count);
          found.push(...names);
          cursor = next;
        } while (cursor !== '0');
        expect([...found].sort()).toEqual([...texts].sort());
      }
    });
  });

  it('keeps its promise while others come and go', () => {
    withSmallBounds(() => {
      const random = createRandom(testSeed());
      for (const lasting of [3, 40, 200]) {
        harness = createHarness();
        const texts = Array.from({ length: lasting }, (_, i) => `lasting ${i}`);
        for (const text of texts) harness.run(...add('key', text));
        const found: string[] = [];
        let cursor = '0';
        let steps = 0;
        do {
          const [next, names] = scan(name, width, 'key', cursor, 'COUNT', '3');
          found.push(...names.filter((text) => text.startsWith('lasting')));
          cursor = next;
          for (let left = random(30); left > 0; left -= 1)
            harness.run(...add('key', `fleeting ${random(300)}`));
          for (let left = random(30); left > 0; left -= 1)
            harness.run(...remove('key', `fleeting ${random(300)}`));
          steps += 1;
        } while (cursor !== '0' && steps < STEPS_MAX);
        expect([...found].sort()).toEqual([...texts].sort());
      }
    });
  });

  it('has nothing more to bring where the collection has gone or is small again', () => {
    withSmallBounds(() => {
      harness = createHarness();
      for (let index = 0; index < 100; index += 1) harness.run(...add('key', `m${index}`));
      const [cursor] = scan(name, width, 'key', '0', 'COUNT', '3');
      expect(cursor).not.toBe('0');
      harness.run('DEL', 'key');
      expect(scan(name, width, 'key', cursor)).toEqual(['0', []]);
      harness.run(...add('key', 'one'));
      expect(scan(name, width, 'key', cursor)).toEqual(['0', ['one']]);
    });
  });

  it('brings up what matches, at most once', () => {
    withSmallBounds(() => {
      harness = createHarness();
      for (let index = 0; index < 100; index += 1)
        harness.run(...add('key', `${index % 2 === 0 ? 'even' : ''}${index}`));
      const found: string[] = [];
      let cursor = '0';
      do {
        const [next, names] = scan(name, width, 'key', cursor, 'MATCH', 'even*', 'COUNT', '5');
        found.push(...names);
        cursor = next;
      } while (cursor !== '0');
      expect(found).toHaveLength(50);
      expect(new Set(found).size).toBe(50);
    });
  });
});
