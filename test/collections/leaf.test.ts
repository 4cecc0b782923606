/** Runs of groups: every place of every small run, forwards and backwards, with all kinds of elements. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import {
  DEADLINE_MARK,
  elementEnd,
  encodeDeadline,
  encodeElement,
  encodeText,
  SCORE_BYTES,
} from '../../src/collections/elements.ts';
import {
  compareScored,
  countGroups,
  findNamed,
  findScore,
  groupBefore,
  skipBack,
  skipGroups,
} from '../../src/collections/leaf.ts';
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../../src/shard/layout.ts';

const CONTENTS = [
  '',
  '0',
  '127',
  '128',
  '-1',
  '4095',
  '70000',
  '-9007199254740991',
  'a',
  'b'.repeat(63),
  'c'.repeat(64),
  'd'.repeat(200),
  'e'.repeat(5000),
];

/** A run behind some other bytes, and where each of its groups begins, with the end. */
type Run = { bytes: Buffer; places: number[] };

const BEFORE = 5;

describe('a run of groups', () => {
  it.each([TYPE_LIST, TYPE_SET, TYPE_HASH, TYPE_ZSET])('is walked both ways (type %i)', (type) => {
    const { bytes, places } = runOf(type);
    const start = places[0];
    const end = places[places.length - 1];
    for (const [index, at] of places.entries()) {
      expect(skipGroups(type, bytes, start, end, index)).toBe(at);
      expect(countGroups(type, bytes, start, at)).toBe(index);
      expect(skipBack(type, bytes, end, places.length - 1 - index)).toBe(at);
      if (index > 0) expect(groupBefore(type, bytes, at)).toBe(places[index - 1]);
    }
    expect(skipGroups(type, bytes, start, end, places.length + 3)).toBe(end);
  });

  it.each([TYPE_SET, TYPE_HASH, TYPE_ZSET])('is searched by name (type %i)', (type) => {
    const { bytes, places } = runOf(type);
    const end = places[places.length - 1];
    for (const [index, content] of CONTENTS.entries()) {
      const { element, length } = elementOf(type, content);
      expect(findNamed(type, bytes, places[0], end, element, 0, length)).toBe(places[index]);
      const { element: other, length: otherLength } = elementOf(type, `${content}?`);
      expect(findNamed(type, bytes, places[0], end, other, 0, otherLength)).toBe(end);
    }
  });

  it('ends where it ends, whatever lies behind it', () => {
    const { bytes, places } = runOf(TYPE_HASH);
    const end = places[places.length - 2];
    bytes[end] = DEADLINE_MARK;
    expect(skipGroups(TYPE_HASH, bytes, places[0], end, 100)).toBe(end);
    expect(countGroups(TYPE_HASH, bytes, places[0], end)).toBe(CONTENTS.length - 1);
    const { element, length } = elementOf(TYPE_HASH, 'not there');
    expect(findNamed(TYPE_HASH, bytes, places[0], end, element, 0, length)).toBe(end);
  });

  it('has the deadlines of a hash in its groups', () => {
    const bytes = Buffer.alloc(200);
    const first = encodeDeadline(bytes, pair(bytes, 0, 'field', 'value'), 1_700_000_000_123);
    const second = pair(bytes, first, 'other', '17');
    expect(skipGroups(TYPE_HASH, bytes, 0, second, 1)).toBe(first);
    expect(skipBack(TYPE_HASH, bytes, second, 2)).toBe(0);
    const { element, length } = elementOf(TYPE_HASH, 'other');
    expect(findNamed(TYPE_HASH, bytes, 0, second, element, 0, length)).toBe(first);
  });
});

describe('a run of a sorted set', () => {
  const members: [number, string][] = [
    [Number.NEGATIVE_INFINITY, 'z'],
    [-1.5, 'a'],
    [0, ''],
    [0, 'a'],
    [0, 'ab'],
    [0, 'b'],
    [2 ** 53, 'a'],
    [Number.POSITIVE_INFINITY, 'a'],
  ];

  it('is searched by score and member', () => {
    const bytes = Buffer.alloc(500);
    const places: number[] = [];
    let end = 0;
    for (const [score, member] of members) {
      places.push(end);
      end = scored(bytes, end, score, member);
    }
    for (const [index, [score, member]] of members.entries()) {
      const text = Buffer.from(member);
      expect(findScore(bytes, 0, end, score, text, 0, text.length)).toBe(places[index]);
      expect(compareScored(bytes, places[index], score, text, 0, text.length)).toBe(0);
      const behind = Buffer.from(`${member}\0`);
      expect(findScore(bytes, 0, end, score, behind, 0, behind.length)).toBe(places[index + 1] ?? end);
      expect(compareScored(bytes, places[index], score, behind, 0, behind.length)).toBeLessThan(0);
      if (index > 0) expect(compareScored(bytes, places[index], ...before(index))).toBeGreaterThan(0);
    }
  });

  function before(index: number): [number, Buffer, number, number] {
    const [score, member] = members[index - 1];
    const text = Buffer.from(member);
    return [score, text, 0, text.length];
  }
});

function runOf(type: number): Run {
  const bytes = Buffer.alloc(40_000, DEADLINE_MARK);
  const places: number[] = [];
  let at = BEFORE;
  for (const [index, content] of CONTENTS.entries()) {
    places.push(at);
    if (type === TYPE_ZSET) at = scored(bytes, at, index, content);
    else if (type === TYPE_HASH) at = pair(bytes, at, content, CONTENTS[CONTENTS.length - 1 - index]);
    else at = encodeElement(bytes, at, Buffer.from(content), 0, content.length);
  }
  places.push(at);
  return { bytes, places };
}

function elementOf(type: number, content: string): { element: Buffer; length: number } {
  const element = Buffer.alloc(content.length + 20);
  const text = Buffer.from(content);
  const encode = type === TYPE_ZSET ? encodeText : encodeElement;
  const length = encode(element, 0, text, 0, text.length);
  expect(elementEnd(element, 0)).toBe(length);
  return { element, length };
}

function pair(bytes: Buffer, at: number, field: string, value: string): number {
  const end = encodeElement(bytes, at, Buffer.from(field), 0, field.length);
  return encodeElement(bytes, end, Buffer.from(value), 0, value.length);
}

function scored(bytes: Buffer, at: number, score: number, member: string): number {
  bytes.writeDoubleLE(score, at);
  return encodeText(bytes, at + SCORE_BYTES, Buffer.from(member), 0, member.length);
}
