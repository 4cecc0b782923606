/** Bytes from a disk: every collection that the server makes is sane, and no changed, cut or made-up one leads astray. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeDeadline, encodeElement, encodeText } from '../../src/collections/elements.ts';
import { FORM_DEADLINES, FORM_LARGE, FORM_TREE } from '../../src/collections/form.ts';
import {
  areSaneDeadlines,
  countSaneGroups,
  isSaneCollection,
  saneElementEnd,
} from '../../src/collections/sane.ts';
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../../src/shard/layout.ts';

const TYPES = [TYPE_LIST, TYPE_SET, TYPE_ZSET, TYPE_HASH];

function element(text: string, write = encodeElement): Buffer {
  const bytes = Buffer.from(text);
  const target = Buffer.alloc(bytes.length + 16);
  return target.subarray(0, write(target, 0, bytes, 0, bytes.length));
}

function deadline(ms: number): Buffer {
  const target = Buffer.alloc(16);
  return target.subarray(0, encodeDeadline(target, 0, ms));
}

function score(value: number): Buffer {
  const target = Buffer.alloc(8);
  target.writeDoubleLE(value, 0);
  return target;
}

function groupOf(type: number, text: string): Buffer {
  if (type === TYPE_ZSET) return Buffer.concat([score(text.length), element(text, encodeText)]);
  if (type !== TYPE_HASH) return element(text);
  const ends = text.length % 3 === 0 ? [deadline(1e12)] : [];
  return Buffer.concat([element(text), element(`value of ${text}`), ...ends]);
}

function packed(type: number, texts: readonly string[], flags = 0): Buffer {
  const head = Buffer.from([flags, texts.length & 0xff, texts.length >>> 8]);
  return Buffer.concat([head, ...texts.map((text) => groupOf(type, text))]);
}

const TEXTS = ['', 'a', '12', '-4000', '70000', '9007199254740991', 'x'.repeat(64), 'y'.repeat(5000)];

describe('a collection', () => {
  it('as the server makes it is sane, an empty one too', () => {
    for (const type of TYPES) {
      for (let count = 0; count <= TEXTS.length; count += 1) {
        // The first text's group has a deadline.
        const flags = type === TYPE_HASH && count > 0 ? FORM_DEADLINES : 0;
        const bytes = packed(type, TEXTS.slice(0, count), flags | (count % 2 === 0 ? FORM_LARGE : 0));
        expect(isSaneCollection(type, bytes, 0, bytes.length)).toBe(true);
        bytes[0] ^= FORM_DEADLINES;
        expect(isSaneCollection(type, bytes, 0, bytes.length)).toBe(false);
        expect(countSaneGroups(type, bytes, 3, bytes.length)).toBe(count);
      }
    }
  });

  it('is not sane with another count, an unknown flag, or less than its head', () => {
    const bytes = packed(TYPE_SET, ['a', 'b']);
    for (const [at, value] of [
      [1, 1],
      [1, 3],
      [2, 1],
      [0, 8],
      [0, 0x80],
    ]) {
      const changed = Buffer.from(bytes);
      changed[at] = value;
      expect(isSaneCollection(TYPE_SET, changed, 0, bytes.length)).toBe(false);
    }
    for (let length = 0; length < bytes.length; length += 1)
      expect(isSaneCollection(TYPE_SET, bytes.subarray(0, length), 0, length)).toBe(false);
  });

  it('that is large has seven bytes and nothing else', () => {
    const bytes = Buffer.alloc(16);
    bytes[0] = FORM_TREE | FORM_LARGE;
    for (let length = 0; length <= bytes.length; length += 1)
      expect(isSaneCollection(TYPE_LIST, bytes, 0, length)).toBe(length === 7);
  });

  it('cut anywhere is not sane', () => {
    for (const type of TYPES) {
      const bytes = packed(type, TEXTS, type === TYPE_HASH ? FORM_DEADLINES : 0);
      expect(isSaneCollection(type, bytes, 0, bytes.length)).toBe(true);
      for (let length = 0; length < bytes.length; length += 1)
        expect(isSaneCollection(type, bytes, 0, length)).toBe(false);
    }
  });

  it('is read only as far as it goes, whatever it says', () => {
    // Behind the end stands what would go on: nothing of it counts.
    fc.assert(
      fc.property(fc.constantFrom(...TYPES), fc.uint8Array({ maxLength: 60 }), (type, noise) => {
        const behind = Buffer.concat([Buffer.from(noise), packed(type, TEXTS)]);
        const alone = Buffer.from(noise);
        expect(isSaneCollection(type, behind, 0, noise.length)).toBe(
          isSaneCollection(type, alone, 0, noise.length),
        );
        expect(countSaneGroups(type, behind, 0, noise.length)).toBe(
          countSaneGroups(type, alone, 0, noise.length),
        );
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a deadline', () => {
  const group = (ms: number) => Buffer.concat([element('field'), element('value'), deadline(ms)]);

  it('of a group is a time that entries can have', () => {
    for (const ms of [1, 1e12, 2 ** 48 - 1]) expect(countSaneGroups(TYPE_HASH, group(ms), 0, 24)).toBe(1);
    for (const ms of [0, -1, 2 ** 48, Infinity, Number.NaN])
      expect(countSaneGroups(TYPE_HASH, group(ms), 0, 24)).toBe(-1);
  });

  it('of an operation is that, or 0, and behind a field', () => {
    const pair = (ms: number) => Buffer.concat([element('field'), deadline(ms)]);
    const twice = Buffer.concat([pair(5), pair(0)]);
    for (let end = 0; end <= twice.length; end += 1)
      expect(areSaneDeadlines(twice, 0, end)).toBe(end % pair(5).length === 0);
    for (const ms of [-1, 2 ** 48, Number.NaN]) expect(areSaneDeadlines(pair(ms), 0, 17)).toBe(false);
    expect(areSaneDeadlines(Buffer.concat([deadline(5), element('field')]), 0, 17)).toBe(false);
    expect(areSaneDeadlines(Buffer.concat([element('field'), element('value')]), 0, 14)).toBe(false);
  });
});

describe('an element', () => {
  it('is whole: its length backwards is that forwards', () => {
    for (const text of TEXTS) {
      const bytes = Buffer.from(element(text));
      expect(saneElementEnd(bytes, 0, bytes.length)).toBe(bytes.length);
      bytes[bytes.length - 1] ^= 1;
      expect(saneElementEnd(bytes, 0, bytes.length)).toBe(-1);
    }
  });

  it('is neither a deadline nor anything that nobody writes', () => {
    const late = deadline(1e12);
    expect(saneElementEnd(late, 0, late.length)).toBe(-1);
    for (let first = 0xf5; first <= 0xff; first += 1)
      expect(saneElementEnd(Buffer.alloc(20, first), 0, 20)).toBe(-1);
  });
});

describe('a group of a sorted set', () => {
  it('has a score that is a number, and a member that is a string', () => {
    const good = Buffer.concat([score(1), element('12', encodeText)]);
    expect(countSaneGroups(TYPE_ZSET, good, 0, good.length)).toBe(1);
    for (const bad of [
      Buffer.concat([score(Number.NaN), element('12', encodeText)]),
      Buffer.concat([score(1), element('12')]),
    ])
      expect(countSaneGroups(TYPE_ZSET, bad, 0, bad.length)).toBe(-1);
  });
});
