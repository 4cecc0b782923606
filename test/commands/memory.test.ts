/** Tests of MEMORY STATS. */
import { describe, expect, it } from 'vitest';
import { createHarness } from '../support/harness.ts';
import { splitReplies } from '../support/replies.ts';

describe('MEMORY STATS', () => {
  it('announces as many fields as it has, with databases that hold keys', () => {
    const harness = createHarness();
    harness.run('SET', 'a', 'v'.repeat(1000));
    harness.run('SELECT', '9');
    harness.run('SET', 'b', '1');
    const flat = splitReplies(harness.run('MEMORY', 'STATS').replace(/^\*\d+\r\n/, ''));
    expect(harness.run('MEMORY', 'STATS')).toMatch(new RegExp(`^\\*${flat.length}\r\n`));
    const fieldOf = (name: string) => flat[flat.indexOf(`$${name.length}\r\n${name}\r\n`) + 1];
    expect(fieldOf('keys.count')).toBe(':2\r\n');
    const used = Number(fieldOf('total.allocated').slice(1));
    expect(used).toBeGreaterThan(1000);
    expect(fieldOf('keys.bytes-per-key')).toBe(`:${Math.floor(used / 2)}\r\n`);
    expect(Number(fieldOf('overhead.total').slice(1)) + Number(fieldOf('dataset.bytes').slice(1))).toBe(used);
    expect(fieldOf('db.0')).toMatch(/^\*6\r\n/);
    expect(fieldOf('db.9')).toMatch(/^\*6\r\n/);
    expect(flat).not.toContain('$4\r\ndb.1\r\n');
  });

  it('is a map with doubles in RESP3, and divides nothing by zero when there are no keys', () => {
    const harness = createHarness();
    harness.run('HELLO', '3');
    const reply = harness.run('MEMORY', 'STATS');
    expect(reply).toMatch(/^%27\r\n/);
    expect(reply).toContain('$18\r\ndataset.percentage\r\n,');
    expect(reply).not.toMatch(/nan|inf/i);
    expect(splitReplies(reply)).toHaveLength(1);
  });
});
