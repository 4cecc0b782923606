/**
 * The judge of cluster histories is itself held to account: it finds each kind of violation that is planted, and nothing where there
 * is none.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CheckOptions, checkHistory } from './support/cluster-faults/check.ts';
import {
  type Append,
  numbersOf,
  numberText,
  type OwnerChange,
  type Reading,
} from './support/cluster-faults/history.ts';
import { createRandom } from './support/seeded-random.ts';

const KEY = 'list';
const OPTIONS: CheckOptions = { heardWithinMs: 10, replyWithinMs: 10 };

function append(number: number, startMs: number, more: Partial<Append> = {}): Append {
  return {
    key: KEY,
    number,
    startMs,
    endMs: startMs + 5,
    ending: 'acknowledged',
    safeMs: Infinity,
    servedBy: undefined,
    ...more,
  };
}

function read(startMs: number, numbers: readonly number[], more: Partial<Reading> = {}): Reading {
  return { key: KEY, numbers, startMs, endMs: startMs + 5, servedBy: undefined, ...more };
}

function change(atMs: number, isFailover: boolean, from = 'A', to = 'B'): OwnerChange {
  return { atMs, epoch: atMs, from, to, isFailover };
}

function judge(
  appends: readonly Append[],
  readings: readonly Reading[],
  changes: readonly OwnerChange[] = [],
) {
  return checkHistory({ appends, readings, changesOf: () => changes }, OPTIONS);
}

function kinds(...evidence: Parameters<typeof judge>): string[] {
  return judge(...evidence).findings.map(({ kind }) => kind);
}

describe('without a failover', () => {
  it('a list that grew as it was appended to is well', () => {
    const appends = [append(1, 0), append(2, 100), append(3, 200)];
    expect(kinds(appends, [read(50, [1]), read(150, [1, 2]), read(300, [1, 2, 3])])).toEqual([]);
  });

  it('a reading at the same time as an append may see it or not', () => {
    for (const numbers of [[], [1]])
      expect(kinds([append(1, 100)], [read(98, numbers), read(200, [1])])).toEqual([]);
  });

  it('an acknowledged append that is absent afterwards is lost', () => {
    expect(kinds([append(1, 0), append(2, 100)], [read(200, [1])])).toEqual(['lost']);
    expect(kinds([append(1, 0)], [read(200, [])])).toEqual(['lost']);
  });

  it('an append that was seen is lost although nobody acknowledged it', () => {
    const appends = [append(1, 0), append(2, 100, { ending: 'unknown' })];
    expect(kinds(appends, [read(150, [1, 2]), read(200, [1])])).toEqual(['lost']);
  });

  it('a move of the slot with its owner`s say excuses nothing', () => {
    expect(kinds([append(1, 0)], [read(200, [])], [change(100, false)])).toEqual(['lost']);
  });

  it('an append in the middle that is absent is lost, and a hole', () => {
    const appends = [append(1, 0), append(2, 100), append(3, 200)];
    expect(kinds(appends, [read(300, [1, 3])]).sort()).toEqual(['hole', 'lost']);
  });

  it('an unknown append may be there, may not, or may come late', () => {
    const appends = [append(1, 0), append(2, 100, { ending: 'unknown' })];
    for (const last of [[1], [1, 2]]) expect(kinds(appends, [read(150, [1]), read(300, last)])).toEqual([]);
  });

  it('an unknown append that is absent in the middle is no hole', () => {
    expect(kinds([append(1, 0, { ending: 'unknown' }), append(2, 100)], [read(200, [2])])).toEqual([]);
  });

  it('a refused append that is there is invented, as is a number of nobody, or one from the future', () => {
    const refused = append(2, 100, { ending: 'refused' });
    expect(kinds([append(1, 0), refused], [read(200, [1, 2])])).toEqual(['invented']);
    expect(kinds([append(1, 0), refused], [read(200, [1])])).toEqual([]);
    expect(kinds([append(1, 0)], [read(200, [1, 7])])).toEqual(['invented']);
    expect(kinds([append(1, 0), append(2, 100)], [read(50, [1, 2]), read(200, [1, 2])])).toEqual([
      'invented',
    ]);
  });

  it('numbers twice or out of order are disorder', () => {
    const appends = [append(1, 0), append(2, 100)];
    expect(kinds(appends, [read(200, [1, 2, 2])])).toEqual(['disorder']);
    expect(kinds(appends, [read(200, [2, 1])])).toEqual(['disorder']);
  });

  it('a key that nobody read at the end is told', () => {
    expect(kinds([append(1, 0)], [])).toEqual(['unread']);
    expect(kinds([append(1, 0), append(2, 100)], [read(50, [1])])).toEqual(['unread']);
  });
});

describe('with a failover', () => {
  const appends = [append(1, 0), append(2, 100), append(3, 200), append(4, 500)];

  it('what it took of the end is counted, with the time from the first to the last of it, and no finding', () => {
    const verdict = judge(appends, [read(600, [1, 4])], [change(300, true)]);
    expect(verdict.findings).toEqual([]);
    expect(verdict).toMatchObject({ lostAtFailovers: 2, lostWindowMsMost: 100, acknowledged: 4 });
  });

  it('what it took that nobody had acknowledged, though someone saw it, is not counted', () => {
    const unknown = appends.with(2, append(3, 200, { ending: 'unknown' }));
    const verdict = judge(unknown, [read(250, [1, 2, 3]), read(600, [1, 2, 4])], [change(300, true)]);
    expect(verdict).toMatchObject({ findings: [], lostAtFailovers: 0 });
  });

  it('what a replica had according to WAIT is lost all the same', () => {
    const safe = appends.with(2, append(3, 200, { safeMs: 210 }));
    expect(kinds(safe, [read(600, [1, 2, 4])], [change(300, true)])).toEqual(['lost']);
  });

  it('what it took from the middle is a hole', () => {
    expect(kinds(appends, [read(600, [1, 3, 4])], [change(300, true)])).toEqual(['hole']);
  });

  it('what was appended after it is not excused', () => {
    expect(kinds(appends, [read(600, [1, 2, 3])], [change(300, true)])).toEqual(['lost']);
  });

  it('what was read before it is not excused', () => {
    expect(kinds(appends, [read(250, [1, 2]), read(600, [1, 2, 4])], [change(300, true)])).toEqual(['lost']);
  });

  it('what it took must not come back', () => {
    const readings = [read(400, [1, 2]), read(600, [1, 2, 3, 4])];
    expect(kinds(appends, readings, [change(300, true)])).toEqual(['resurrected']);
  });

  it('a reading from before it that ends behind one from after it brings nothing back', () => {
    const readings = [read(290, [1, 2], { endMs: 330 }), read(292, [1, 2, 3]), read(600, [1, 2, 4])];
    expect(kinds(appends, readings, [change(300, true)])).toEqual([]);
  });

  it('it is heard of a little late', () => {
    expect(kinds(appends, [read(285, [1, 2]), read(600, [1, 2, 4])], [change(300, true)])).toEqual([]);
  });
});

describe('who answers', () => {
  const servedBy = (node: string, startMs: number) => append(1, startMs, { servedBy: node });

  it('the owner of the time is well', () => {
    const changes = [change(100, true), change(300, false, 'B', 'A')];
    const appends = [
      append(1, 50, { servedBy: 'A' }),
      append(2, 200, { servedBy: 'B' }),
      append(3, 400, { servedBy: 'A' }),
    ];
    expect(kinds(appends, [read(500, [1, 2, 3], { servedBy: 'A' })], changes)).toEqual([]);
  });

  it('a former owner that acknowledges an append, or answers a reading, is found', () => {
    expect(kinds([servedBy('A', 150)], [read(500, [1])], [change(100, true)])).toEqual(['fenced']);
    expect(kinds([append(1, 0)], [read(500, [1], { servedBy: 'A' })], [change(100, true)])).toEqual([
      'fenced',
    ]);
    expect(kinds([servedBy('A', 150)], [read(500, [1])], [change(100, false)])).toEqual(['fenced']);
  });

  it('having been the owner before the last one excuses nothing', () => {
    const changes = [change(50, false, 'C', 'A'), change(100, true)];
    expect(kinds([servedBy('A', 150)], [read(500, [1])], changes)).toEqual(['fenced']);
  });

  it('a reply that was on its way is well, and so is an owner whose news is late', () => {
    expect(kinds([servedBy('A', 100)], [read(500, [1])], [change(100, true)])).toEqual([]);
    const changes = [change(100, false), change(200, false, 'B', 'C')];
    expect(kinds([servedBy('C', 190)], [read(500, [1])], changes)).toEqual([]);
    expect(kinds([servedBy('C', 150)], [read(500, [1])], changes)).toEqual(['fenced']);
  });
});

it('a simulated store that loses nothing is never found guilty, and one that forgets an append always is', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = createRandom(seed);
      const appends: Append[] = [];
      const readings: Reading[] = [];
      const numbers: number[] = [];
      let nowMs = 0;
      for (let i = 0; i < 40; i += 1) {
        nowMs += 10 + random(10);
        if (random(2) === 0) readings.push(read(nowMs, [...numbers]));
        else
          appends.push(append(appends.length + 1, nowMs, { safeMs: random(2) === 0 ? nowMs + 5 : Infinity }));
        if (appends.length > numbers.length) numbers.push(appends.length);
      }
      if (numbers.length === 0) return;
      const last = read(nowMs + 100, numbers);
      expect(kinds(appends, [...readings, last])).toEqual([]);
      const forgotten = random(numbers.length);
      const short = read(nowMs + 100, numbers.toSpliced(forgotten, 1));
      expect(kinds(appends, [...readings, short])).toContain('lost');
    }),
  );
});

it('a list is read back as it was appended, and other values are told', () => {
  expect(numbersOf([1, 2, 300].map(numberText).join(''))).toEqual([1, 2, 300]);
  expect(numbersOf('')).toEqual([]);
  for (const value of ['000001', 'garbage', '      1 extra']) expect(numbersOf(value)).toBeUndefined();
});
