/** The prefixes of client-side caching against a plain map of holders. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Session } from '../../src/commands/session.ts';
import {
  addClient,
  addThread,
  createPrefixes,
  findPrefixes,
  forgetThread,
  keepKey,
  ownTexts,
  type Prefix,
  removeClient,
  removeThread,
  takeDue,
} from '../../src/commands/tracking-prefixes.ts';
import { createHarness } from '../support/harness.ts';

const [one, two] = [createHarness().session, createHarness().session];

const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 });
const holder = fc.constantFrom<Session | number>(one, two, 7, 8);
const deed = fc.record({ isAdded: fc.boolean(), text: letters, holder });

describe('prefixes', () => {
  it('are found by every key that begins with them, as long as anybody has them', () => {
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 30 }), letters, (deeds, key) => {
        const prefixes = createPrefixes();
        const model = new Map<string, Set<Session | number>>();
        for (const { isAdded, text, holder } of deeds) {
          const holders = model.get(text) ?? new Set();
          const ownBefore = [...holders].filter((one) => typeof one !== 'number').length;
          const wasThere = holders.has(holder);
          if (isAdded) model.set(text, holders.add(holder));
          else holders.delete(holder);
          const own = [...holders].filter((one) => typeof one !== 'number').length;
          if (typeof holder === 'number') (isAdded ? addThread : removeThread)(prefixes, text, holder);
          else if (!isAdded) expect(removeClient(prefixes, text, holder)).toBe(wasThere && own === 0);
          else if (!wasThere) expect(addClient(prefixes, text, holder)).toBe(ownBefore === 0);
        }
        const live = [...model].filter(([, { size }]) => size > 0);
        const found: Prefix[] = [];
        findPrefixes(prefixes, key, found);
        expect(found.map(({ text }) => text).sort()).toEqual(
          live
            .map(([text]) => text)
            .filter((text) => key.startsWith(text))
            .sort(),
        );
        const own = live.filter(([, holders]) => holders.has(one) || holders.has(two));
        expect(ownTexts(prefixes).sort()).toEqual(own.map(([text]) => text).sort());
        expect(prefixes.byText.size).toBe(live.length);
      }),
    );
  });

  it('of a thread that is gone are forgotten, those of others stay', () => {
    const prefixes = createPrefixes();
    addThread(prefixes, 'a', 7);
    addThread(prefixes, 'a', 8);
    addThread(prefixes, 'b', 7);
    addClient(prefixes, 'c', one);
    addThread(prefixes, 'c', 7);
    forgetThread(prefixes, 7);
    expect([...prefixes.byText.keys()]).toEqual(['a', 'c']);
    expect([...(prefixes.byText.get('a')?.threads ?? [])]).toEqual([8]);
  });

  it('hand out the keys that were kept, each once with who changed it last, in order of the prefixes', () => {
    const prefixes = createPrefixes();
    for (const text of ['b', '', 'ba']) addClient(prefixes, text, one);
    const found: Prefix[] = [];
    for (const [key, by] of [
      ['ba', one],
      ['b', two],
      ['ba', undefined],
    ] as const) {
      findPrefixes(prefixes, key, found);
      for (const prefix of found) keepKey(prefixes, prefix, key, by);
    }
    expect(prefixes.keysDue).toBe(5);
    const due = takeDue(prefixes);
    expect(due.map(({ text }) => text)).toEqual(['', 'b', 'ba']);
    expect(due.map(({ keys }) => [...keys])).toEqual([
      [
        ['ba', undefined],
        ['b', two],
      ],
      [
        ['ba', undefined],
        ['b', two],
      ],
      [['ba', undefined]],
    ]);
    expect(takeDue(prefixes)).toEqual([]);
    expect(prefixes.keysDue).toBe(0);
  });
});
