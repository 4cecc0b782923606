/**
 * Key specifications, also of the kinds that no command of the tables has yet: those in the shape of redis-server's
 * commands, expecting what its COMMAND GETKEYS answers to the same line.
 */
import { describe, expect, it } from 'vitest';
import { findKeyArguments } from '../../src/commands/key-arguments.ts';
import type { CommandSpec, KeySpec } from '../../src/commands/spec.ts';
import { ALL_COMMANDS } from '../../src/commands/tables/all.ts';
import { SORT_COMMANDS } from '../../src/commands/tables/sort.ts';

const RANGE_OF_ONE = { lastKey: 0, step: 1, limit: 0 };

function specOf(name: string, keys: readonly KeySpec[]): CommandSpec {
  const [row] = ALL_COMMANDS;
  return { ...row, name, keys };
}

function keysOf(spec: CommandSpec, line: string): string[] {
  const words = line.split(' ');
  const spans = new Int32Array(2 * words.length);
  let at = 0;
  for (const [index, word] of words.entries()) {
    spans.set([at, at + word.length], 2 * index);
    at += word.length;
  }
  const found = findKeyArguments(spec, { bytes: Buffer.from(words.join('')), spans, count: words.length });
  return found.map(({ index, flags }) => [words[index], ...flags].join(' '));
}

describe('findKeyArguments', () => {
  it('finds one key, keys up to the end, and keys with values between them', () => {
    const one = specOf('get', [{ flags: ['RO'], begin: { index: 1 }, find: RANGE_OF_ONE }]);
    expect(keysOf(one, 'get a')).toEqual(['a RO']);
    const all = specOf('mget', [
      { flags: [], begin: { index: 1 }, find: { lastKey: -1, step: 1, limit: 0 } },
    ]);
    expect(keysOf(all, 'mget a b c')).toEqual(['a', 'b', 'c']);
    const pairs = specOf('mset', [
      { flags: [], begin: { index: 1 }, find: { lastKey: -1, step: 2, limit: 0 } },
    ]);
    expect(keysOf(pairs, 'mset a 1 b 2')).toEqual(['a', 'b']);
    expect(keysOf(pairs, 'mset a 1 b')).toEqual(['a', 'b']);
    const allButLast = specOf('blpop', [
      { flags: [], begin: { index: 1 }, find: { lastKey: -2, step: 1, limit: 0 } },
    ]);
    expect(keysOf(allButLast, 'blpop a b 0')).toEqual(['a', 'b']);
  });

  it('finds the keys in the first part of what follows a keyword', () => {
    const streams = specOf('xread', [
      { flags: [], begin: { keyword: 'streams', startFrom: 1 }, find: { lastKey: -1, step: 1, limit: 2 } },
    ]);
    expect(keysOf(streams, 'xread count 2 STREAMS a b 0 0')).toEqual(['a', 'b']);
    expect(keysOf(streams, 'xread streams a 0')).toEqual(['a']);
    expect(keysOf(streams, 'xread count 2 a 0')).toEqual([]);
    expect(keysOf(streams, 'xread streams')).toEqual([]);
  });

  it('seeks a keyword from the end', () => {
    const keys = specOf('migrate', [
      { flags: [], begin: { keyword: 'KEYS', startFrom: -2 }, find: { lastKey: -1, step: 1, limit: 0 } },
    ]);
    expect(keysOf(keys, 'migrate host 1 keys 0 5 keys a b')).toEqual(['a', 'b']);
    expect(keysOf(keys, 'migrate host 1 k 0 5')).toEqual([]);
  });

  it('counts keys by the number before them', () => {
    const counted = specOf('zunion', [
      { flags: [], begin: { index: 1 }, find: { keyNumberIndex: 0, firstKey: 1, step: 1 } },
    ]);
    expect(keysOf(counted, 'zunion 2 a b weights 1 2')).toEqual(['a', 'b']);
    for (const bad of ['zunion 3 a b', 'zunion 0 a', 'zunion -1 a', 'zunion x a', 'zunion 1', 'zunion']) {
      expect([bad, keysOf(counted, bad)]).toEqual([bad, []]);
    }
  });

  it('finds the keys of several specifications in their order, and none where one is unknown', () => {
    const [first, second] = [1, 2].map((index) => ({ flags: [], begin: { index }, find: RANGE_OF_ONE }));
    expect(keysOf(specOf('copy', [second, first]), 'copy a b')).toEqual(['b', 'a']);
    const unknown: KeySpec = { flags: [], begin: 'unknown', find: 'unknown' };
    expect(keysOf(specOf('georadius', [first, unknown]), 'georadius a b')).toEqual([]);
    const channel = { ...first, flags: ['not_key'] };
    expect(keysOf(specOf('spublish', [channel, second]), 'spublish a b')).toEqual(['b']);
  });

  it("finds SORT's destination behind its last STORE that is no other option's argument", () => {
    const [sort, readOnly] = SORT_COMMANDS;
    expect(keysOf(sort, 'sort a')).toEqual(['a RO access']);
    expect(keysOf(sort, 'sort a by store store b store c')).toEqual(['a RO access', 'c OW update']);
    expect(keysOf(sort, 'sort a limit store b')).toEqual(['a RO access']);
    expect(keysOf(readOnly, 'sort_ro a store b')).toEqual(['a RO access']);
  });

  it("tells SET's flags by whether it answers the old value", () => {
    const set = ALL_COMMANDS.find(({ name }) => name === 'set') ?? specOf('set', []);
    expect(keysOf(set, 'set a get')).toEqual(['a OW update']);
    expect(keysOf(set, 'set a b nx Get')).toEqual(['a RW access update']);
  });
});
