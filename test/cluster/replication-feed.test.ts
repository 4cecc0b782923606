/** Feed and intake together: whatever happens to the stream, the replica's slots become the owner's. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginStream, reviewSlots, takePassedOver, wholeSlots } from '../../src/cluster/replica-intake.ts';
import { copyAnew } from '../../src/cluster/replication-feed.ts';
import { FRAME_HEADER_BYTES, RUN_ID_BYTES } from '../../src/cluster/replication-frames.ts';
import { isSyncedTo, NO_NODE } from '../../src/routing/node-table.ts';
import { acknowledgedLsn, FEED_COPIES, feedNumber } from '../../src/routing/replication-board.ts';
import { SLOT_COUNT, slotOfKey } from '../../src/routing/slot.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { LSN } from '../../src/shard/layout.ts';
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
import { get } from '../support/shard.ts';

const OWNER = 0;
const REPLICA = 1;

function slotOf(key: string): number {
  const bytes = Buffer.from(key);
  return slotOfKey(bytes, 0, bytes.length);
}

/** Keys of the owner's slots. */
const KEYS = Array.from({ length: 200 }, (_, index) => `key:${index}`).filter((key) => slotOf(key) % 2 === 0);
const FOREIGN = Array.from({ length: 40 }, (_, index) => `key:${index}`).filter(
  (key) => slotOf(key) % 2 === 1,
);

function copiesOf({ ownerView }: Pair): number {
  return ownerView.board === undefined ? 0 : feedNumber(ownerView.board, REPLICA, FEED_COPIES);
}

function fill(pair: Pair, keys = KEYS, value = 'first'): void {
  for (const key of keys) pair.owner.run('SET', key, `${value} of ${key}`);
}

describe('a replica', () => {
  it('gets what was there before it came, and what comes then', () => {
    const pair = createPair();
    fill(pair, KEYS.slice(0, 50));
    settle(pair);
    expectReplicated(pair);
    fill(pair, KEYS.slice(40), 'second');
    pair.owner.run('APPEND', KEYS[0], ' and more');
    pair.owner.run('PEXPIREAT', KEYS[1], '1900000000000');
    pair.owner.run('DEL', KEYS[2]);
    settle(pair);
    expectReplicated(pair);
    expect(contentsOf(pair.replica, () => true).size).toBe(KEYS.length - 1);
  });

  it('knows the LSN of every shard when all has come, also of one that nothing was changed in', () => {
    const pair = createPair();
    fill(pair);
    settle(pair);
    for (const shard of pair.owner.shards) {
      expect(pair.ownerView.board && acknowledgedLsn(pair.ownerView.board, REPLICA, shard.index)).toBe(
        shard.numbers[LSN],
      );
    }
  });

  it('keeps what is its own', () => {
    const pair = createPair();
    for (const key of FOREIGN) pair.replica.run('SET', key, 'own');
    for (const key of KEYS.slice(0, 5)) pair.replica.run('SET', key, 'stale');
    fill(pair, KEYS.slice(10));
    settle(pair);
    expectReplicated(pair);
    expect(contentsOf(pair.replica, (slot) => slot % 2 === 1).size).toBe(FOREIGN.length);
  });

  it('goes on where a stream was cut, without a copy', () => {
    const pair = createPair();
    fill(pair);
    settle(pair);
    const copies = copiesOf(pair);
    connect(pair);
    fill(pair, KEYS.slice(0, 20), 'later');
    settle(pair);
    expectReplicated(pair);
    expect(copiesOf(pair)).toBe(copies);
  });

  it('goes on like that in a new history, too, once it was copied to in that', () => {
    const pair = createPair();
    fill(pair);
    settle(pair);
    for (const shard of pair.owner.shards) startJournaling(shard);
    settle(pair);
    const copies = copiesOf(pair);
    connect(pair);
    settle(pair);
    expectReplicated(pair);
    expect(copiesOf(pair)).toBe(copies);
  });

  it('is copied to anew when what it lacks is gone from the backlog', () => {
    const pair = createPair();
    fill(pair);
    settle(pair);
    const copies = copiesOf(pair);
    for (let round = 0; round < 40; round += 1) {
      fill(pair, KEYS, 'x'.repeat(100));
      drainOwner(pair);
    }
    settle(pair);
    expectReplicated(pair);
    expect(copiesOf(pair)).toBeGreaterThan(copies);
  });

  it('is copied to anew when the log of its owner begins anew', () => {
    const pair = createPair();
    fill(pair);
    settle(pair);
    for (const shard of pair.owner.shards) startJournaling(shard);
    fill(pair, KEYS.slice(0, 3), 'other');
    settle(pair);
    expectReplicated(pair);
  });

  it('takes records and entries that are larger than a look, a frame and the whole backlog', () => {
    const pair = createPair({ backlogBytes: 256 * 1024 });
    settle(pair);
    for (const bytes of [60_000, 70_000, 200_000, 400_000]) {
      pair.owner.run('SET', KEYS[0], Buffer.alloc(bytes, 'v'));
      pair.owner.run('SET', KEYS[1], 'small');
      settle(pair);
      expectReplicated(pair);
    }
  });

  it('is emptied with its owner', () => {
    for (const copied of [false, true]) {
      const pair = createPair();
      fill(pair);
      if (copied) settle(pair);
      else {
        pump(pair);
        pump(pair);
      }
      pair.owner.run('FLUSHALL');
      fill(pair, KEYS.slice(0, 10), 'after');
      settle(pair);
      expectReplicated(pair);
    }
  });

  it('may have to let go of some keys, and has the others right', () => {
    const pair = createPair({
      replicaShards: 1,
      replicaBytes: 2 ** 20,
      replicaFlags: ['--maxmemory-policy', 'allkeys-lru'],
    });
    const value = 'v'.repeat(40_000);
    for (const key of KEYS) pair.owner.run('SET', key, value);
    settle(pair);
    for (const key of KEYS) pair.owner.run('APPEND', key, '!');
    settle(pair);
    const wanted = contentsOf(pair.owner, () => true);
    const had = contentsOf(pair.replica, () => true);
    expect(had.size).toBeGreaterThan(5);
    expect(had.size).toBeLessThan(KEYS.length);
    for (const [key, text] of had) expect(wanted.get(key)).toBe(text);
  });
});

describe('the slots of a replica', () => {
  it('come and go with the topology', () => {
    const pair = createPair();
    fill(pair);
    settle(pair);
    const slot = slotOf(KEYS[0]);
    assign(pair, slot, OWNER, NO_NODE);
    pump(pair);
    expect(isSyncedTo(pair.ownerView.table, REPLICA, slot)).toBe(false);
    pair.owner.run('SET', KEYS[0], 'unseen');
    settle(pair);
    expectReplicated(pair);
    assign(pair, slot, OWNER, REPLICA);
    settle(pair);
    expectReplicated(pair);
  });

  it('wait until the replica knows of the topology, too', () => {
    const pair = createPair();
    settle(pair);
    const slot = slotOf(FOREIGN[0]);
    assign(pair, slot, OWNER, REPLICA, 'owner');
    pair.owner.run('SET', FOREIGN[0], 'given');
    settle(pair);
    expect(isSyncedTo(pair.ownerView.table, REPLICA, slot)).toBe(false);
    assign(pair, slot, OWNER, REPLICA, 'replica');
    settle(pair);
    expectReplicated(pair);
  });

  it('are copied anew where the replica saw a change of roles that the owner did not', () => {
    const pair = createPair();
    fill(pair);
    settle(pair);
    const slot = slotOf(KEYS[0]);
    assign(pair, slot, OWNER, NO_NODE, 'replica');
    pair.owner.run('SET', KEYS[0], 'missed');
    drainOwner(pair);
    pump(pair);
    deliver(pair);
    review(pair);
    assign(pair, slot, OWNER, REPLICA, 'replica');
    settle(pair);
    expect(isSyncedTo(pair.ownerView.table, REPLICA, slot)).toBe(false);
    for (let epoch = 0; epoch < 2; epoch += 1) assign(pair, slot, OWNER, REPLICA, 'owner');
    settle(pair);
    expectReplicated(pair);
  });

  it('do not count as in sync once the replica has passed over a change that it says it has taken', () => {
    const pair = createPair();
    fill(pair);
    settle(pair);
    const slot = slotOf(KEYS[0]);
    assign(pair, slot, OWNER, NO_NODE, 'replica');
    pair.owner.run('SET', KEYS[0], 'missed');
    drainOwner(pair);
    pump(pair);
    deliver(pair);
    const { board, table } = pair.ownerView;
    const { shards, engine } = pair.owner;
    const shard = shards[engine.slotShard[slot]];
    expect(board !== undefined && acknowledgedLsn(board, REPLICA, shard.index)).toBe(shard.numbers[LSN]);
    expect(isSyncedTo(table, REPLICA, slot)).toBe(false);
    // Nor when the owner copies them all the same, by a topology that is over.
    copyAnew(pair.feed, new Uint8Array(SLOT_COUNT / 8).fill(0xff), 0);
    settle(pair);
    expect(isSyncedTo(table, REPLICA, slot)).toBe(false);
  });

  it('are not whole at a replica that has not heard that its owner has left off feeding them', () => {
    const pair = createPair();
    fill(pair);
    settle(pair);
    const slot = slotOf(KEYS[0]);
    assign(pair, slot, OWNER, NO_NODE, 'owner');
    pump(pair);
    assign(pair, slot, OWNER, REPLICA, 'owner');
    pair.owner.run('SET', KEYS[0], 'missed');
    deliver(pair);
    expect(wholeSlots(pair.intake)[slot]).toBe(0);
    expect(pair.replicaView.table.syncedFrom[slot]).toBe(NO_NODE);
    for (let epoch = 0; epoch < 2; epoch += 1) assign(pair, slot, OWNER, REPLICA, 'replica');
    settle(pair);
    expectReplicated(pair);
  });

  it('that were given up while the stream was asked for do not go on with it', () => {
    const pair = createPair();
    fill(pair);
    settle(pair);
    const slot = slotOf(KEYS[0]);
    connect(pair);
    // Nobody can be told of it yet.
    for (const replica of [NO_NODE, REPLICA]) {
      assign(pair, slot, OWNER, replica, 'replica');
      reviewSlots(pair.intake);
      takePassedOver(pair.intake);
    }
    pair.owner.run('SET', KEYS[0], 'missed');
    for (let epoch = 0; epoch < 2; epoch += 1) assign(pair, slot, OWNER, REPLICA, 'owner');
    settle(pair);
    expectReplicated(pair);
  });

  it('are left alone from the moment on in which they are its own', () => {
    const pair = createPair();
    fill(pair);
    settle(pair);
    const slot = slotOf(KEYS[0]);
    pair.owner.run('SET', KEYS[0], 'late');
    drainOwner(pair);
    pump(pair);
    assign(pair, slot, REPLICA, NO_NODE, 'replica');
    pair.replica.run('SET', KEYS[0], 'own');
    deliver(pair);
    expect(pair.replica.run('GET', KEYS[0])).toBe('$3\r\nown\r\n');
  });
});

describe('a stream that is cut', () => {
  it('behind the greeting of another process brings nothing whole to that one', () => {
    const pair = createPair({ ownerShards: 1 });
    fill(pair);
    settle(pair);
    expect(beginStream(pair.intake)?.slots).toContain(1);
    Object.assign(pair.owner.engine, { runId: 'f'.repeat(40) });
    connect(pair);
    const greetingBytes = FRAME_HEADER_BYTES + RUN_ID_BYTES + 8;
    deliver(pair, greetingBytes);
    const resume = beginStream(pair.intake);
    expect(resume?.runId).toBe('f'.repeat(40));
    expect(resume?.slots).not.toContain(1);
  });

  it('anywhere, leaves the replica able to go on', () => {
    const pair = createPair();
    fill(pair, KEYS.slice(0, 30));
    settle(pair);
    let bytes = Infinity;
    for (let at = 0; at <= bytes; at += 149) {
      // All of it is copied anew.
      for (const shard of pair.owner.shards) startJournaling(shard);
      pair.owner.run('SET', KEYS[3], `cut at ${at}`);
      drainOwner(pair);
      while (pump(pair));
      bytes = pair.wire.length;
      deliver(pair, at);
      connect(pair);
      pair.owner.run('APPEND', KEYS[3], '+');
      settle(pair);
      expectReplicated(pair);
    }
    expect(bytes).toBeGreaterThan(5000);
  });
});

const operation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      key: fc.nat(KEYS.length - 1),
      bytes: fc.nat(300),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      key: fc.nat(KEYS.length - 1),
      bytes: fc.nat(30),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('cut' as const),
      key: fc.nat(KEYS.length - 1),
      bytes: fc.nat(20),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('del' as const),
      key: fc.nat(KEYS.length - 1),
      bytes: fc.nat(1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('expire' as const),
      key: fc.nat(KEYS.length - 1),
      bytes: fc.nat(1),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('drain' as const, 'pump' as const),
      key: fc.nat(0),
      bytes: fc.nat(0),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('deliver' as const), key: fc.nat(0), bytes: fc.nat(4000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('connect' as const, 'flush' as const, 'flood' as const, 'review' as const),
      key: fc.nat(0),
      bytes: fc.nat(0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('give' as const, 'take' as const),
      key: fc.nat(KEYS.length - 1),
      bytes: fc.nat(2),
    }),
  },
);
type Operation = typeof operation extends fc.Arbitrary<infer One> ? One : never;

const WHO = ['both', 'owner', 'replica'] as const;

function operate(pair: Pair, { kind, key: index, bytes }: Operation): void {
  const key = KEYS[index];
  const { owner } = pair;
  if (kind === 'set') owner.run('SET', key, 'v'.repeat(bytes));
  else if (kind === 'append') owner.run('APPEND', key, 'a'.repeat(bytes));
  else if (kind === 'cut') owner.run('SETRANGE', key, String(bytes), 'cut');
  else if (kind === 'del') owner.run('DEL', key);
  else if (kind === 'expire') owner.run('PEXPIREAT', key, '1900000000000');
  else if (kind === 'drain') drainOwner(pair);
  else if (kind === 'pump') pump(pair);
  else if (kind === 'deliver') deliver(pair, Math.min(bytes, pair.wire.length));
  else if (kind === 'connect') connect(pair);
  else if (kind === 'review') review(pair);
  else if (kind === 'flush') owner.run('FLUSHALL');
  else if (kind === 'flood') {
    for (let round = 0; round < 5; round += 1)
      for (const each of KEYS) owner.run('SET', each, 'f'.repeat(200));
    drainOwner(pair);
  } else assign(pair, slotOf(key), OWNER, kind === 'give' ? REPLICA : NO_NODE, WHO[bytes]);
}

/** In the end both nodes know of one topology. */
function agree(pair: Pair): void {
  for (const key of KEYS) assign(pair, slotOf(key), OWNER, REPLICA);
  const [one, other] = [pair.ownerView.table.numbers, pair.replicaView.table.numbers];
  one[0] = Math.max(one[0], other[0]);
  other[0] = one[0];
}

describe('any interleaving', () => {
  it('of changes, looks, deliveries, cuts, floods and topologies ends with the same keys on both sides', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(operation, { minLength: 10, maxLength: 120 }),
        (ownerShards, replicaShards, operations) => {
          const pair = createPair({ ownerShards, replicaShards });
          fill(pair, KEYS.slice(0, 60));
          for (const one of operations) operate(pair, one);
          agree(pair);
          settle(pair);
          expectReplicated(pair);
        },
      ),
      { numRuns: 10 },
    );
  });
});

describe('what a replica has whole', () => {
  it('is at any time a state that the shard had, the one of the LSN that it acknowledges', () => {
    const few = KEYS.slice(0, 8);
    const step = fc.record({
      kind: fc.constantFrom('set', 'set', 'append', 'del', 'drain', 'pump', 'deliver', 'anew'),
      key: fc.constantFrom(...few),
      value: fc.integer({ min: 1, max: 99 }).map(String),
      bytes: fc.integer({ min: 0, max: 600 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
        const pair = createPair({ ownerShards: 1, replicaShards: 2 });
        const states = new Map<number, string>();
        const contents = ({ engine }: Pair['owner']) =>
          few.map((key) => get(engine.shards[engine.slotShard[slotOf(key)]], key) ?? '').join();
        const isWhole = () => few.every((key) => pair.replicaView.table.syncedFrom[slotOf(key)] === OWNER);
        const note = () => states.set(pair.owner.shards[0].numbers[LSN], contents(pair.owner));
        note();
        for (const { kind, key, value, bytes } of steps) {
          if (kind === 'set') pair.owner.run('SET', key, value);
          else if (kind === 'append') pair.owner.run('APPEND', key, value);
          else if (kind === 'del') pair.owner.run('DEL', key);
          else if (kind === 'drain') drainOwner(pair);
          else if (kind === 'pump') pump(pair);
          else if (kind === 'anew') copyAnew(pair.feed, new Uint8Array(SLOT_COUNT / 8).fill(0xff), 0);
          note();
          // Also while there is nothing to deliver but the rest of a frame.
          deliver(pair, Math.min(kind === 'deliver' ? bytes : 0, pair.wire.length));
          if (isWhole()) expect(contents(pair.replica)).toBe(states.get(pair.intake.lsns[0]));
        }
      }),
      { numRuns: 10 },
    );
  });
});
