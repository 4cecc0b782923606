/** The nearest name for an unknown one. */
import { describe, expect, it } from 'vitest';
import { changesBetween, nearestName } from '../../src/config/suggestion.ts';

describe('the nearest name', () => {
  it('counts added, dropped, replaced and swapped letters', () => {
    expect(changesBetween('port', 'port')).toBe(0);
    expect(changesBetween('', 'port')).toBe(4);
    expect(changesBetween('prt', 'port')).toBe(1);
    expect(changesBetween('portt', 'port')).toBe(1);
    expect(changesBetween('pont', 'port')).toBe(1);
    expect(changesBetween('prot', 'port')).toBe(1);
    expect(changesBetween('kitten', 'sitting')).toBe(3);
  });

  it('is the one with the fewest changes', () => {
    expect(nearestName('maxmemroy', ['maxmemory-policy', 'maxmemory', 'maxkeys'])).toBe('maxmemory');
  });

  it('is none where nothing is near', () => {
    expect(nearestName('frobnicate', ['maxmemory', 'port'])).toBeUndefined();
    expect(nearestName('x', ['hz', 'port'])).toBeUndefined();
  });
});
