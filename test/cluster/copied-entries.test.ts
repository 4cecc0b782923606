/** Collections on their way to a replica: small ones as one record, large ones in pieces, whatever changes meanwhile. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TAKE_DAMAGED, TAKE_NO_ROOM, takeIn } from '../../src/cluster/replica-intake.ts';
import { addBytes, encodeFrame, FRAME_SLICE } from '../../src/cluster/replication-frames.ts';
import {
  OP_ADD,
  OP_INSERT_AT,
  OP_POP_HEAD,
  OP_POP_TAIL,
  OP_PUSH_HEAD,
  OP_REMOVE,
} from '../../src/collections/change.ts';
import { NO_NODE } from '../../src/routing/node-table.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { NONE, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import { EFFECT_CHANGE } from '../../src/shard/record.ts';
import type { Shard } from '../../src/shard/shard.ts';
import {
  COLLECTION_TYPES,
  changeCollection,
  type Operation,
  someOperation,
  typeNames,
  withSmallBounds,
} from '../support/operations.ts';
import {
  assign,
  connect,
  contentsOf,
  createPair,
  deliver,
  drainOwner,
  expectReplicated,
  type Pair,
  pump,
  review,
  settle,
} from '../support/replica-pair.ts';
import { find, START_MS, set } from '../support/shard.ts';

const OWNER = 0;
const REPLICA = 1;

function slotOf(key: string): number {
  return slotOfKey(Buffer.from(key), 0, key.length);
}

/** Keys of the owner's slots. */
const KEYS = Array.from({ length: 40 }, (_, index) => `key:${index}`).filter((key) => slotOf(key) % 2 === 0);

/** A key of a slot that is the replica's own. */
const FOREIGN = 'key:1';

function shardOf({ owner }: Pair, key: string): Shard {
  return owner.shards[owner.engine.slotShard[slotOf(key)]];
}

function change(pair: Pair, key: string, type: number, ...operations: Operation[]): void {
  expect(changeCollection(shardOf(pair, key), key, type, operations)).toBe(true);
}

function operation(code: number, argument: number, ...texts: string[]): Operation {
  return { code, argument, texts };
}

const text = (index: number) => `element ${index}`.padEnd(40, '.');
const texts = (count: number) => Array.from({ length: count }, (_, index) => text(index));

/** So many groups of a type. */
function many(type: number, count: number): string[] {
  if (type === TYPE_LIST || type === TYPE_SET) return texts(count);
  return texts(count).flatMap((one, index) =>
    type === TYPE_HASH ? [one, `${index}`] : [`${index % 100}`, one],
  );
}

/** Some change of a large collection, each round another one. */
function disturb(pair: Pair, key: string, type: number, round: number): void {
  if (type === TYPE_LIST) {
    change(pair, key, type, operation(OP_PUSH_HEAD, 0, `p${round}`), operation(OP_POP_HEAD, round % 3));
    change(pair, key, type, operation(OP_ADD, 0, `t${round}`));
    return;
  }
  const put =
    type === TYPE_SET ? [`n${round}`] : type === TYPE_HASH ? [text(round), 'new'] : ['-7', text(round)];
  change(
    pair,
    key,
    type,
    operation(OP_ADD, 0, ...put),
    operation(OP_REMOVE, 0, text(3 * round), text(90 * round)),
  );
}

describe('a replica', () => {
  it.each(COLLECTION_TYPES.map((type) => ({ type, name: typeNames[type] })))(
    'gets large $name in pieces, and what changes between them',
    ({ type }) => {
      const pair = createPair();
      const [key, other] = KEYS;
      change(pair, key, type, operation(OP_ADD, 0, ...many(type, 12_000)));
      change(pair, other, type, operation(OP_ADD, 0, ...many(type, 3)));
      setExpiry(shardOf(pair, key), find(shardOf(pair, key), key), START_MS + 60_000);
      const framesBefore = pair.framesSent;
      for (let round = 0; round < 8; round += 1) {
        drainOwner(pair);
        pump(pair);
        deliver(pair);
        disturb(pair, key, type, round);
      }
      settle(pair);
      expect(pair.framesSent - framesBefore).toBeGreaterThan(3);
      expectReplicated(pair);
      expect(contentsOf(pair.replica, () => true).size).toBe(2);
    },
  );

  it('gets a large list whole that changes in its middle all the time', () => {
    const pair = createPair();
    const [key] = KEYS;
    change(pair, key, TYPE_LIST, operation(OP_ADD, 0, ...texts(20_000)));
    for (let round = 0; round < 12; round += 1) {
      drainOwner(pair);
      pump(pair);
      deliver(pair);
      change(pair, key, TYPE_LIST, operation(OP_INSERT_AT, 500, `m${round}`));
    }
    settle(pair);
    expectReplicated(pair);
  });

  it.each([
    ['goes', (pair: Pair, key: string) => removeEntry(shardOf(pair, key), find(shardOf(pair, key), key))],
    ['becomes a string', (pair: Pair, key: string) => void set(shardOf(pair, key), key, 'text')],
    [
      'becomes another collection',
      (pair: Pair, key: string) => change(pair, key, TYPE_SET, operation(OP_ADD, 0, ...texts(9000))),
    ],
    [
      'leaves the slots that are copied',
      (pair: Pair, key: string) => assign(pair, slotOf(key), OWNER, OWNER),
    ],
    [
      'leaves the slots that are copied, and comes back',
      (pair: Pair, key: string) => {
        assign(pair, slotOf(key), OWNER, OWNER);
        review(pair);
        pump(pair);
        assign(pair, slotOf(key), OWNER, REPLICA);
      },
    ],
    ['is on its way when the stream breaks', (pair: Pair) => connect(pair)],
  ])('is not at a loss when a large collection %s before it is whole', (_, happen) => {
    const pair = createPair();
    const [key] = KEYS;
    change(pair, key, TYPE_LIST, operation(OP_ADD, 0, ...texts(14_000)));
    for (let round = 0; round < 4; round += 1) {
      drainOwner(pair);
      pump(pair);
      deliver(pair);
    }
    expect(find(shardOf(pair, key), key)).not.toBe(NONE);
    happen(pair, key);
    settle(pair);
    expectReplicated(pair);
  });

  it('has in the end what the owner has, whatever happened to how many collections', () => {
    const key = fc.constantFrom(...KEYS.slice(0, 6));
    const step = fc.oneof(
      ...COLLECTION_TYPES.map((type) => ({
        weight: 3,
        arbitrary: fc.record({
          ...{ kind: fc.constant('change' as const), key, type: fc.constant(type) },
          operations: fc.array(someOperation(type), { minLength: 1, maxLength: 6 }),
        }),
      })),
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('set' as const, 'expire' as const), key }) },
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constantFrom('drain' as const, 'pump' as const, 'connect' as const),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('deliver' as const),
          bytes: fc.integer({ min: 1, max: 3000 }),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        withSmallBounds(() => {
          const pair = createPair();
          for (const one of steps) {
            if (one.kind === 'change') change(pair, one.key, one.type, ...one.operations);
            else if (one.kind === 'set') set(shardOf(pair, one.key), one.key, 'text');
            else if (one.kind === 'expire') expire(pair, one.key);
            else if (one.kind === 'drain') drainOwner(pair);
            else if (one.kind === 'pump') pump(pair);
            else if (one.kind === 'connect') connect(pair);
            else if (one.kind === 'deliver') deliver(pair, Math.min(one.bytes, pair.wire.length));
          }
          settle(pair);
          expectReplicated(pair);
        });
      }),
      { numRuns: 12 },
    );
  });

  it('does no change twice where there was no room for another that came with it', () => {
    const flags = ['--maxmemory-policy', 'noeviction'];
    const bounds = { backlogBytes: 2 ** 20, replicaBytes: 2 ** 20, replicaFlags: flags };
    const pair = createPair({ ownerShards: 1, replicaShards: 1, ...bounds });
    const [list, other, large] = KEYS;
    for (const key of [list, other]) change(pair, key, TYPE_LIST, operation(OP_ADD, 0, 'a', 'b'));
    settle(pair);
    pair.replica.run('SET', FOREIGN, 'x'.repeat(990_000));
    change(pair, list, TYPE_LIST, operation(OP_PUSH_HEAD, 0, 'once'));
    pair.owner.run('SET', large, 'x'.repeat(60_000));
    drainOwner(pair);
    pump(pair);
    deliver(pair);
    expect(pair.takenOutcome).toBe(TAKE_NO_ROOM);
    const { syncedFrom } = pair.replicaView.table;
    expect([list, other].map((key) => syncedFrom[slotOf(key)])).toEqual([NO_NODE, OWNER]);
    pair.replica.run('DEL', FOREIGN);
    connect(pair);
    settle(pair);
    expectReplicated(pair);
  });

  it('takes away though there is no room, and whatever it is that goes', () => {
    const flags = ['--maxmemory-policy', 'noeviction'];
    const bounds = { backlogBytes: 2 ** 20, replicaBytes: 2 ** 20, replicaFlags: flags };
    const pair = createPair({ ownerShards: 1, replicaShards: 1, ...bounds });
    const [list, members] = KEYS;
    change(pair, list, TYPE_LIST, operation(OP_ADD, 0, 'a', 'b', 'c', 'd', 'e', 'f'));
    change(pair, members, TYPE_SET, operation(OP_ADD, 0, 'one', 'two', 'three'));
    settle(pair);
    for (const length of [100_000, 1000, 1]) {
      const name = `{${FOREIGN}} of ${length} `;
      for (let i = 0; pair.replica.run('SET', `${name}${i}`, 'x'.repeat(length)) === '+OK\r\n'; i += 1);
    }
    change(pair, list, TYPE_LIST, operation(OP_POP_HEAD, 1), operation(OP_POP_TAIL, 1));
    change(pair, members, TYPE_SET, operation(OP_REMOVE, 0, 'two'));
    expire(pair, members);
    drainOwner(pair);
    pump(pair);
    deliver(pair);
    expect(pair.takenOutcome).not.toBe(TAKE_NO_ROOM);
    expectReplicated(pair);
  });

  it('refuses a stream with a change of a collection that is none', () => {
    const pair = createPair();
    settle(pair);
    const record = Buffer.alloc(32);
    record.writeUInt32LE(EFFECT_CHANGE | ((TYPE_ZSET << 4) << 16), 0);
    record.writeUInt32LE(1, 4);
    record.writeUInt32LE(9, 8);
    record.write('k', 16);
    record[17] = 99;
    addBytes(pair.intake.reader, encodeFrame(FRAME_SLICE, 0, 1, 1, record));
    expect(takeIn(pair.intake, START_MS, () => false)).toBe(TAKE_DAMAGED);
  });
});

function expire(pair: Pair, key: string): void {
  const shard = shardOf(pair, key);
  const ref = find(shard, key);
  if (ref !== NONE) setExpiry(shard, ref, START_MS + 70_000);
}
