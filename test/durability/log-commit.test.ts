/** What a commit waits for, in its own stream and in the others; and that no answer is ever taken back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOG_SYNC_MS } from '../../src/config/limits.ts';
import { awaitsOthers, LOG_SYNCS } from '../../src/durability/log-board.ts';
import { commitLater } from '../../src/durability/log-commit.ts';
import { readSegmentHeader } from '../../src/durability/log-reader.ts';
import { replayLog } from '../../src/durability/log-replay.ts';
import type { LogWriter } from '../../src/durability/log-stream.ts';
import { syncNow, syncTick } from '../../src/durability/log-sync.ts';
import { logTurn, offerSegment, retry, rotate } from '../../src/durability/log-writer.ts';
import { MANIFEST_VERSION, type ManifestSegment } from '../../src/durability/manifest.ts';
import { scanLog } from '../../src/durability/recovery-scan.ts';
import type { Storage } from '../../src/durability/storage-types.ts';
import { markGrouped } from '../../src/shard/journal.ts';
import { createLogWorld, type LogWorld } from '../support/log-world.ts';
import { createRandom } from '../support/seeded-random.ts';
import { set } from '../support/shard.ts';

function setInTurn(writer: LogWriter, key: string, shard = 0): boolean {
  set(writer.shards[shard], key, 'v');
  return logTurn(writer, [writer.shards[shard]], 1);
}

describe('commits under always', () => {
  it('answers all that wait with one sync, and those that come meanwhile with the next one', () => {
    const world = createLogWorld({ appendfsync: 'always' });
    const [writer] = world.writers;
    const done: number[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      expect(setInTurn(writer, `key-${turn}`)).toBe(false);
      // Two connections of one turn.
      commitLater(writer, () => done.push(turn));
      commitLater(writer, () => done.push(turn));
    }
    expect(done).toEqual([]);
    expect(world.disk.pump(1)).toBe(1);
    expect(done).toEqual([0, 0]);
    expect(world.disk.pump(1)).toBe(1);
    expect(done).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9]);
    expect(world.disk.pump()).toBe(0);
    expect(writer.board.numbers[writer.numbersAt + LOG_SYNCS]).toBe(2);
    expect(recoveredKeys(world.disk.crash(createRandom(1)), world)).toHaveLength(10);
  });

  it('answers a turn that has changed nothing new at once', () => {
    const world = createLogWorld({ appendfsync: 'always' });
    const [writer] = world.writers;
    setInTurn(writer, 'key-1');
    expect(logTurn(writer, writer.shards, 2)).toBe(false);
    world.disk.pump();
    expect(logTurn(writer, writer.shards, 2)).toBe(true);
    let isDone = false;
    commitLater(writer, () => {
      isDone = true;
    });
    expect(isDone).toBe(true);
  });

  it('waits for the earlier blocks of other streams too, which tell when they are there', () => {
    const world = createLogWorld({ streams: 2, appendfsync: 'always' });
    const [first, second] = world.writers;
    setInTurn(second, 'early', 1);
    setInTurn(first, 'late');
    const done: string[] = [];
    commitLater(first, () => done.push('late'));
    expect(awaitsOthers(first.board, 0)).toBe(false);
    // The sync of the second stream was asked for first, but the disk has the other one done before it.
    expect(syncNow(first)).toBe(true);
    expect(done).toEqual([]);
    expect(awaitsOthers(first.board, 0)).toBe(true);
    world.disk.pump(1);
    world.deliver();
    expect(done).toEqual(['late']);
    expect(awaitsOthers(first.board, 0)).toBe(false);
  });

  it('does not wait for later blocks of other streams', () => {
    const world = createLogWorld({ streams: 2, appendfsync: 'always' });
    const [first, second] = world.writers;
    setInTurn(first, 'early');
    const done: string[] = [];
    commitLater(first, () => done.push('early'));
    setInTurn(second, 'late', 1);
    world.disk.pump(1);
    expect(done).toEqual(['early']);
  });

  it('waits for the sync of what was held back, once that is written', () => {
    const world = createLogWorld({ appendfsync: 'always' });
    const [writer] = world.writers;
    const done: string[] = [];
    world.disk.setFreeBytes(0);
    for (const key of ['a', 'b']) {
      expect(setInTurn(writer, key)).toBe(false);
      commitLater(writer, () => done.push(key));
    }
    world.disk.setFreeBytes(Infinity);
    expect(retry(writer)).toBe(true);
    expect(done).toEqual([]);
    world.disk.pump();
    expect(done).toEqual(['a', 'b']);
  });

  it('has what was asked for synced, in all streams, even where nothing else is', () => {
    const world = createLogWorld({ streams: 2, appendfsync: 'no' });
    const [first, second] = world.writers;
    setInTurn(second, 'early', 1);
    setInTurn(first, 'late');
    let isDone = false;
    commitLater(first, () => (isDone = true), true);
    for (const writer of [first, second, first, second]) {
      world.clock.nowMs += LOG_SYNC_MS;
      syncTick(writer, world.clock.nowMs);
      world.disk.pump();
      world.deliver();
    }
    expect(isDone).toBe(true);
  });

  it('goes on with what waits when the policy is changed', () => {
    const world = createLogWorld({ appendfsync: 'always' });
    const [writer] = world.writers;
    const done: string[] = [];
    setInTurn(writer, 'key-1');
    setInTurn(writer, 'key-2');
    commitLater(writer, () => done.push('key-2'));
    world.settings.appendfsync = 'no';
    world.disk.pump();
    expect(done).toEqual([]);
    world.clock.nowMs += LOG_SYNC_MS;
    syncTick(writer, world.clock.nowMs);
    world.disk.pump();
    expect(done).toEqual(['key-2']);
    expect(setInTurn(writer, 'key-3')).toBe(true);
  });
});

/** The keys that a recovery finds, in order. */
function recoveredKeys(storage: Storage, world: LogWorld): string[] {
  const streams = world.writers.map((_, stream) => ({ stream, segments: segmentsOf(storage, stream) }));
  const { refusals, plan } = scanLog({
    storage,
    manifest: {
      version: MANIFEST_VERSION,
      epoch: 1,
      shards: 2,
      databases: 2,
      streams,
      snapshot: null,
      previous: null,
      blockBase: 1,
    },
    base: null,
    bootId: storage.bootId(),
    folder: '.',
  });
  expect(refusals).toEqual([]);
  const keys: string[] = [];
  replayLog(storage, plan, {
    wants: () => true,
    apply: (_, _lsn, view, bytes) => keys.push(bytes.toString('latin1', view.keyStart, view.keyEnd)) > 0,
  });
  return keys;
}

function segmentsOf(storage: Storage, stream: number): ManifestSegment[] {
  const folder = `worker-00${stream}`;
  return storage.list(folder).map((name) => {
    const header = readSegmentHeader(storage, `${folder}/${name}`);
    if (typeof header === 'string') throw new Error(header);
    return header;
  });
}

type Step = { readonly what: (typeof STEPS)[number]; readonly stream: number; readonly shard: number };

const STEPS = [
  'set',
  'set',
  'set',
  'group',
  'pump',
  'tick',
  'full',
  'room',
  'fail',
  'retry',
  'rotate',
] as const;

/** Two workers on one disk that fills up and fails now and then. Answers what the clients were told is there. */
function runSteps(world: LogWorld, steps: readonly Step[]): string[] {
  const { disk, clock, writers } = world;
  const answered: string[] = [];
  for (const [index, { what, stream, shard }] of steps.entries()) {
    const writer = writers[stream];
    const key = `${what}-${index}`;
    if (what === 'set') {
      answerWhenSafe(writer, setInTurn(writer, key, shard), () => answered.push(key));
    } else if (what === 'group') {
      for (const each of writer.shards) {
        set(each, key, 'v');
        markGrouped(each);
      }
      answerWhenSafe(writer, logTurn(writer, [writer.shards[shard]], 1), () => answered.push(key));
    } else if (what === 'pump') disk.pump(1 + shard);
    else if (what === 'tick') {
      clock.nowMs += LOG_SYNC_MS;
      syncTick(writer, clock.nowMs);
    } else if (what === 'full') disk.setFreeBytes(shard * 200);
    else if (what === 'room') disk.setFreeBytes(Infinity);
    else if (what === 'fail') disk.failNext('write', 'EIO', 1 + shard);
    else if (what === 'retry') retry(writer);
    else tryRotate(world, writer);
    world.deliver();
  }
  return answered;
}

function answerWhenSafe(writer: LogWriter, isSafe: boolean, answer: () => void): void {
  if (isSafe) answer();
  else commitLater(writer, answer);
}

function tryRotate(world: LogWorld, writer: LogWriter): void {
  world.disk.failNext('write', 'EIO', 0);
  world.disk.setFreeBytes(Infinity);
  if (writer.next === undefined) offerSegment(writer, world.nextSegment(writer.stream));
  rotate(writer);
}

function expectGroupsWhole(keys: readonly string[]): void {
  const groups = keys.filter((key) => key.startsWith('group'));
  expect(groups).toHaveLength(2 * new Set(groups).size);
}

describe('whatever a sick disk does', () => {
  const steps = fc.array(
    fc.record({
      what: fc.constantFrom(...STEPS),
      stream: fc.integer({ min: 0, max: 1 }),
      shard: fc.integer({ min: 0, max: 1 }),
    }),
    { maxLength: 40 },
  );

  it.each(['no', 'everysec', 'always'])('no answer is taken back by a kill under %s', (appendfsync) => {
    fc.assert(
      fc.property(steps, (taken) => {
        const world = createLogWorld({ streams: 2, isSmall: true, appendfsync });
        const answered = runSteps(world, taken);
        const recovered = recoveredKeys(world.disk.kill(), world);
        expect(recovered).toEqual(expect.arrayContaining(answered));
        expectGroupsWhole(recovered);
      }),
      { numRuns: 60 },
    );
  });

  it('no answer is taken back by a power cut under always', () => {
    fc.assert(
      fc.property(steps, fc.nat(), (taken, seed) => {
        const world = createLogWorld({ streams: 2, isSmall: true, appendfsync: 'always' });
        const answered = runSteps(world, taken);
        const recovered = recoveredKeys(world.disk.crash(createRandom(seed + 1)), world);
        expect(recovered).toEqual(expect.arrayContaining(answered));
        expectGroupsWhole(recovered);
      }),
      { numRuns: 150 },
    );
  });

  it('everything is answered, and in the log, once the disk is well again', () => {
    fc.assert(
      fc.property(steps, fc.constantFrom('everysec', 'always'), (taken, appendfsync) => {
        const world = createLogWorld({ streams: 2, isSmall: true, appendfsync });
        const answered = runSteps(world, taken);
        world.disk.setFreeBytes(Infinity);
        world.disk.failNext('write', 'EIO', 0);
        for (const writer of world.writers) expect(retry(writer)).toBe(true);
        for (let round = 0; round < 4; round += 1) {
          world.disk.pump();
          world.deliver();
        }
        const asked = taken
          .map(({ what }, index) => `${what}-${index}`)
          .filter((key) => /^(set|group)/.test(key));
        expect(answered.sort()).toEqual(asked.sort());
        expect(new Set(recoveredKeys(world.disk.kill(), world))).toEqual(new Set(asked));
      }),
      { numRuns: 60 },
    );
  });
});
