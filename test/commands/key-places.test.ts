/**
 * The keys that the dispatcher locks, of commands whose tables' rows tell them in other ways than by positions: every such row, and
 * against what COMMAND GETKEYS says, which finds them another way.
 */
import { constantFrom, assert as holds, array as listOf, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Call, Command } from '../../src/commands/call.ts';
import { findKeyArguments } from '../../src/commands/key-arguments.ts';
import {
  earliestPlace,
  findKeyPlaces,
  firstPlace,
  movableKeysOf,
  nextPlace,
  readsUnnamedKeys,
} from '../../src/commands/key-places.ts';
import { isWanted, wantNone } from '../../src/commands/shard-locks.ts';
import type { CommandSpec } from '../../src/commands/spec.ts';
import { ALL_COMMANDS } from '../../src/commands/tables/all.ts';
import { BLOCKING_LIST_COMMANDS, BLOCKING_SORTED_SET_COMMANDS } from '../../src/commands/tables/blocking.ts';
import { LIST_COMMANDS } from '../../src/commands/tables/lists.ts';
import { SET_COMMANDS } from '../../src/commands/tables/sets.ts';
import { SORT_COMMANDS } from '../../src/commands/tables/sort.ts';
import { SORTED_SET_ALGEBRA_COMMANDS } from '../../src/commands/tables/sorted-set-algebra.ts';
import { SORTED_SET_RANGE_COMMANDS } from '../../src/commands/tables/sorted-set-ranges.ts';
import { SORTED_SET_COMMANDS } from '../../src/commands/tables/sorted-sets.ts';
import { measureTransaction } from '../../src/commands/transaction-room.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { createHarness } from '../support/harness.ts';

const ROWS = [
  ...LIST_COMMANDS,
  ...BLOCKING_LIST_COMMANDS,
  ...BLOCKING_SORTED_SET_COMMANDS,
  ...SET_COMMANDS,
  ...SORTED_SET_COMMANDS,
  ...SORTED_SET_RANGE_COMMANDS,
  ...SORTED_SET_ALGEBRA_COMMANDS,
  ...SORT_COMMANDS,
];
const MOVABLE = ROWS.filter(({ flags }) => flags.includes('movablekeys'));

function callOf(words: readonly string[]): Call {
  const spans = new Int32Array(2 * words.length);
  let at = 0;
  for (const [index, word] of words.entries()) {
    spans.set([at, at + word.length], 2 * index);
    at += word.length;
  }
  return { input: Buffer.from(words.join('')), spans, count: words.length } as Call;
}

/** The row with what the registry makes of its keys. */
function commandOf(spec: CommandSpec): Command {
  const movable = movableKeysOf(spec);
  const { firstKey, lastKey, keyStep } = spec;
  return { spec, firstKey, lastKey, keyStep, movable } as Command;
}

function rowOf(name: string): Command {
  const spec = ROWS.find((row) => row.name === name);
  if (spec === undefined) throw new Error(`there is a row ${name}`);
  return commandOf(spec);
}

function placesOf(command: Command, words: readonly string[]): number[] {
  const places = findKeyPlaces(callOf(words), command);
  const found: number[] = [];
  for (let index = firstPlace(places); index > 0; index = nextPlace(places, index)) found.push(index);
  return found;
}

function keysOf(line: string): string[] {
  const words = line.split(' ');
  return placesOf(rowOf(words[0]), words).map((index) => words[index]);
}

describe('findKeyPlaces', () => {
  it('finds as many keys as the arguments say', () => {
    expect(keysOf('lmpop 1 a left')).toEqual(['a']);
    expect(keysOf('lmpop 2 a b left count 3')).toEqual(['a', 'b']);
    expect(keysOf('blmpop 0 2 a b left')).toEqual(['a', 'b']);
    expect(keysOf('sintercard 3 a b c limit 1')).toEqual(['a', 'b', 'c']);
    expect(keysOf('zunion 1 a withscores')).toEqual(['a']);
  });

  it('finds a destination besides them', () => {
    expect(keysOf('zunionstore d 2 a b weights 1 2')).toEqual(['d', 'a', 'b']);
    expect(keysOf('zdiffstore d 1 d')).toEqual(['d', 'd']);
  });

  it('finds no keys where the number of them is wrong', () => {
    for (const wrong of ['0', '-1', '3', 'x', '', '1.0', '99999999999', '99999999999999999999']) {
      expect([wrong, placesOf(rowOf('lmpop'), ['lmpop', wrong, 'a', 'left'])]).toEqual([wrong, []]);
      expect([wrong, placesOf(rowOf('zinterstore'), ['zinterstore', 'd', wrong, 'a'])]).toEqual([wrong, []]);
    }
    expect(placesOf(rowOf('zunion'), ['zunion'])).toEqual([]);
  });

  it('finds the destination of SORT as SORT reads it: the last one, and none among the arguments of others', () => {
    expect(keysOf('sort a')).toEqual(['a']);
    expect(keysOf('sort a store b')).toEqual(['b', 'a']);
    expect(keysOf('sort a STORE b desc Store c')).toEqual(['c', 'a']);
    expect(keysOf('sort a by store get store limit store store')).toEqual(['a']);
    expect(keysOf('sort a limit 0 1 store a')).toEqual(['a', 'a']);
    expect(keysOf('sort a limit 0 store b')).toEqual(['a']);
    expect(keysOf('sort a store get store b')).toEqual(['b', 'a']);
    expect(keysOf('sort a store')).toEqual(['a']);
  });

  it('finds the keys of commands that name them by position where they are', () => {
    expect(keysOf('blpop a b 0')).toEqual(['a', 'b']);
    expect(keysOf('zrangestore d s 0 1')).toEqual(['d', 's']);
    expect(keysOf('lpush a 1 2')).toEqual(['a']);
    const mset = ALL_COMMANDS.find(({ name }) => name === 'mset');
    expect(mset && placesOf(commandOf(mset), ['mset', 'a', '1', 'b', '2'])).toEqual([1, 3]);
  });

  it.each(ROWS)('finds the keys of $name that COMMAND GETKEYS finds, whatever the arguments are', (spec) => {
    const command = commandOf(spec);
    const words = ['0', '1', '2', '3', '-1', 'a', 'b', 'STORE', 'by', 'GET', 'limit', 'w_*'];
    holds(
      property(
        listOf(constantFrom(...words), { minLength: Math.abs(spec.arity) - 1, maxLength: 8 }),
        (args) => {
          // COMMAND GETKEYS, as redis-server, says of SORT_RO only what it reads: STORE is an error there.
          if (spec.name === 'sort_ro' && args.some((word) => word === 'STORE')) return;
          const line = [spec.name, ...(spec.arity > 0 ? args.slice(0, spec.arity - 1) : args)];
          const { input, spans, count } = callOf(line);
          const told = findKeyArguments(spec, { bytes: input, spans, count }).map(({ index }) => index);
          expect(placesOf(command, line).sort()).toEqual(told.sort());
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each(MOVABLE)('never finds a key of $name before the place where the first can be', (spec) => {
    const movable = movableKeysOf(spec);
    expect(movable).toBeDefined();
    if (movable === undefined) return;
    const words = [spec.name, ...new Array<string>(7).fill('1')];
    expect(Math.min(...placesOf(commandOf(spec), words))).toBe(earliestPlace(movable));
  });
});

describe('readsUnnamedKeys', () => {
  const reads = (line: string) => readsUnnamedKeys(callOf(line.split(' ')), rowOf(line.split(' ')[0]));

  it('holds where SORT has a pattern with a star', () => {
    expect(reads('sort a by w_*')).toBe(true);
    expect(reads('sort_ro a get # get w_*->f')).toBe(true);
  });

  it('holds for nothing else', () => {
    expect(reads('sort a by nosort get #')).toBe(false);
    expect(reads('sort a* store b*')).toBe(false);
    expect(reads('sort a limit by w_*')).toBe(false);
    expect(reads('zunion 2 a* by w_*')).toBe(false);
  });
});

describe('the locks of a command', () => {
  const KEYS = Array.from({ length: 8 }, (_, i) => `key-${i}`);
  const world = createHarness({ shards: 4 });
  const shardOf = (key: string) => world.engine.slotShard[slotOfKey(Buffer.from(key), 0, key.length)];
  const locked = (...command: string[]) => {
    world.run(...command);
    return world.shards.filter(isWanted).map(({ index }) => index);
  };
  const shardsOf = (...keys: string[]) => [...new Set(keys.map(shardOf))].sort();

  it('are those of the keys that it says it has', () => {
    expect(new Set(KEYS.map(shardOf)).size).toBeGreaterThan(2);
    for (const one of KEYS) {
      for (const other of KEYS) {
        expect(locked('LMPOP', '2', one, other, 'LEFT', 'COUNT', '3')).toEqual(shardsOf(one, other));
        expect(locked('SORT', one, 'LIMIT', '0', '1', 'STORE', other)).toEqual(shardsOf(one, other));
      }
    }
  });

  it('are none where their number is wrong', () => {
    expect(locked('LMPOP', '9', 'a', 'b', 'LEFT')).toEqual([]);
  });

  it('are all where its elements name more keys', () => {
    expect(locked('SORT', 'a', 'BY', 'w_*', 'GET', '#')).toEqual([0, 1, 2, 3]);
    expect(locked('SORT', 'a', 'BY', 'w_', 'GET', '#')).toEqual(shardsOf('a'));
  });

  it('are those of its commands for a transaction', () => {
    const { engine, session, shards } = world;
    for (const [command, wanted] of [
      [
        ['SORT', 'a', 'BY', 'w_*'],
        [0, 1, 2, 3],
      ],
      [['SORT', 'a', 'BY', 'w_'], shardsOf('a')],
      [['LMPOP', '2', 'a', 'key-0', 'LEFT'], shardsOf('a', 'key-0')],
    ] as const) {
      world.run('MULTI');
      world.run(...command);
      wantNone(engine);
      const { transaction } = session;
      if (transaction !== undefined) measureTransaction({ engine } as Call, transaction);
      expect(shards.filter(isWanted).map(({ index }) => index)).toEqual(wanted);
      world.run('DISCARD');
    }
  });

  it('are taken by a transaction as well', () => {
    world.run('RPUSH', 'a', '2', '1');
    world.run('MSET', 'w_1', '9', 'w_2', '1');
    world.run('MULTI');
    world.run('SORT', 'a', 'BY', 'w_*');
    world.run('LMPOP', '2', 'b', 'c', 'LEFT');
    expect(world.run('EXEC')).toBe('*2\r\n*2\r\n$1\r\n2\r\n$1\r\n1\r\n*-1\r\n');
    world.expectWhole();
  });
});
