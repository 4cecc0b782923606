/**
 * The rows of the command tables among themselves: what must hold for every one, whatever redis-server says.
 */
import { describe, expect, it } from 'vitest';
import type { CommandSpec } from '../../../src/commands/spec.ts';
import { ALL_COMMANDS } from '../../../src/commands/tables/all.ts';

const ROWS = ALL_COMMANDS.flatMap((spec): readonly CommandSpec[] => [spec, ...(spec.subcommands ?? [])]);

describe('the command tables', () => {
  it('are in alphabetical order and name nothing twice', () => {
    const names = ALL_COMMANDS.map(({ name }) => name);
    expect(names).toEqual([...names].sort());
    expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length);
  });

  it('name subcommands by their container, and nothing else with a bar', () => {
    for (const spec of ALL_COMMANDS) {
      // Ours alone have a dot, as those of modules.
      expect(spec.name).toMatch(/^(cache\.)?[a-z_]+$/);
      for (const sub of spec.subcommands ?? [])
        expect(sub.name).toMatch(new RegExp(`^${spec.name}\\|[a-z-]+$`));
    }
  });

  it.each(ROWS)('$name has the same keys in its legacy positions as in its key specification', (spec) => {
    // What channels' shards are found by stands in the positions of keys, and is called none of them.
    const [key] =
      spec.group === 'pubsub' ? spec.keys : spec.keys.filter(({ flags }) => !flags.includes('not_key'));
    if (key === undefined) {
      expect([spec.firstKey, spec.lastKey, spec.keyStep]).toEqual([0, 0, 0]);
      return;
    }
    // What is not where it always is, the key specifications alone say.
    if (spec.flags.includes('movablekeys')) return;
    const { begin, find } = spec.keys[0];
    expect(begin).toEqual({ index: spec.firstKey });
    const last = spec.keys.length === 1 ? find : undefined;
    if (last !== undefined && last !== 'unknown' && 'limit' in last) {
      expect(last.lastKey < 0 ? last.lastKey : spec.firstKey + last.lastKey).toBe(spec.lastKey);
      expect(last.step).toBe(spec.keyStep);
    }
  });

  it.each(ROWS)('$name needs at least the arguments up to its first key, and is in a category', (spec) => {
    const argumentsMin = Math.abs(spec.arity);
    expect(argumentsMin).toBeGreaterThanOrEqual(spec.name.includes('|') ? 2 : 1);
    // SUNSUBSCRIBE alone is from all channels.
    if (spec.group !== 'pubsub') expect(spec.firstKey).toBeLessThan(argumentsMin);
    expect(spec.categories.length).toBeGreaterThan(0);
    expect(spec.categories.includes('fast')).toBe(!spec.categories.includes('slow'));
  });
});
