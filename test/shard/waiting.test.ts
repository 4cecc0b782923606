/** Counts of those who wait for keys, and which births they have noted. */
import { Buffer } from 'node:buffer';
import { expect, it } from 'vitest';
import { EVENT_BORN, takeKeyEvents } from '../../src/shard/key-events.ts';
import { WAITERS } from '../../src/shard/layout.ts';
import { addWaiter, removeWaiter } from '../../src/shard/waiting.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const KEY = Buffer.from('key');

/** A world of one shard in which one client waits for `key` of database 0. */
function createWorld(): Harness {
  const harness = createHarness({ shards: 1 });
  addWaiter(harness.shards[0], 0, KEY, 0, KEY.length);
  // So that what is noted stays to be looked at.
  Object.assign(harness.engine, { keyEvents: { length: 0 } });
  return harness;
}

function born({ shards }: Harness): string[] {
  const found: string[] = [];
  takeKeyEvents(shards[0].keyEvents, (kind, database, _, bytes, start, end) => {
    if (kind === EVENT_BORN) found.push(`${database}:${bytes.toString('latin1', start, end)}`);
  });
  return found;
}

it.each([
  ['RPUSH', 'key', '1'],
  ['SADD', 'key', '1'],
  ['HSET', 'key', 'a', '1'],
])('%s %s is noted, once', (...command) => {
  const world = createWorld();
  world.run(...command);
  world.run(...command);
  expect(born(world)).toEqual(['0:key']);
  world.expectWhole();
});

it('a string is not noted, nor a key that nobody waits for', () => {
  const world = createWorld();
  world.run('SET', 'key', '1');
  world.run('RPUSH', 'other', '1');
  world.run('SELECT', '1');
  world.run('RPUSH', 'key', '1');
  expect(born(world)).toEqual([]);
});

it('nothing is noted any more when the last one has left', () => {
  const world = createWorld();
  const [shard] = world.shards;
  addWaiter(shard, 0, KEY, 0, KEY.length);
  removeWaiter(shard, 0, KEY, 0, KEY.length);
  expect(shard.control[WAITERS]).toBe(1);
  world.run('RPUSH', 'key', '1');
  expect(born(world)).toEqual(['0:key']);
  world.run('DEL', 'key');
  removeWaiter(shard, 0, KEY, 0, KEY.length);
  expect(shard.control[WAITERS]).toBe(0);
  world.run('RPUSH', 'key', '1');
  expect(born(world)).toEqual([]);
  expect(() => removeWaiter(shard, 0, KEY, 0, KEY.length)).toThrow('nobody waits for another');
});

it('a key that is overwritten by a collection is noted', () => {
  const world = createWorld();
  world.run('SET', 'key', '1');
  world.run('RPUSH', 'list', '1');
  world.run('RENAME', 'list', 'key');
  world.run('COPY', 'key', 'list');
  world.run('COPY', 'list', 'key', 'REPLACE');
  expect(born(world)).toEqual(['0:key', '0:key']);
});
