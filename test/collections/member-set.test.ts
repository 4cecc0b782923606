/** A set of elements in private memory knows which it has met, over growth and over uses. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { elementEnd, encodeElement } from '../../src/collections/elements.ts';
import { addMember, clearMembers, createMemberSet } from '../../src/collections/member-set.ts';

/** Elements one behind the other: where each begins. */
function encode(texts: readonly string[]): { bytes: Buffer; places: number[] } {
  const bytes = Buffer.alloc(texts.reduce((sum, text) => sum + text.length + 16, 0));
  let at = 0;
  const places = texts.map((text) => {
    const place = at;
    at = encodeElement(bytes, at, Buffer.from(text), 0, text.length);
    return place;
  });
  return { bytes, places };
}

describe('a set of elements', () => {
  it('takes each content once, however many there are', () => {
    const texts = Array.from({ length: 5000 }, (_, i) => (i % 3 === 0 ? `${i % 700}` : `member ${i % 1100}`));
    const { bytes, places } = encode(texts);
    const met = createMemberSet();
    const seen = new Set<string>();
    for (const [index, place] of places.entries()) {
      expect(addMember(met, bytes, place)).toBe(!seen.has(texts[index]));
      seen.add(texts[index]);
    }
    expect(met.count).toBe(seen.size);
  });

  it('has met nothing after it was cleared, also when it had grown', () => {
    const { bytes, places } = encode(Array.from({ length: 2000 }, (_, i) => `${i}`));
    const met = createMemberSet();
    for (const size of [10, 2000, 10]) {
      clearMembers(met);
      expect(places.slice(0, size).every((place) => addMember(met, bytes, place))).toBe(true);
      expect(met.count).toBe(size);
    }
  });

  it('tells apart what differs in its last byte only', () => {
    const { bytes, places } = encode(['same a', 'same b', 'same', '1', '-1', '10']);
    const met = createMemberSet();
    expect(places.map((place) => addMember(met, bytes, place))).not.toContain(false);
    expect(elementEnd(bytes, places[0])).toBe(places[1]);
  });
});
