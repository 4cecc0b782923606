/** When a stream is synced under each policy, and what a failed sync means. */
import { describe, expect, it } from 'vitest';
import { LOG_SYNC_DELAYED_MS, LOG_SYNC_MS } from '../../src/config/limits.ts';
import {
  beginFailing,
  breakLog,
  hasReached,
  isLogBroken,
  LOG_BYTES_UNSYNCED,
  LOG_SYNC_MS_LAST,
  LOG_SYNC_MS_MAX,
  LOG_SYNCS,
  LOG_SYNCS_DELAYED,
  lastDrained,
  troubleErrno,
} from '../../src/durability/log-board.ts';
import { commitLater } from '../../src/durability/log-commit.ts';
import { readLog as readLogTotals, resetLogTotals } from '../../src/durability/log-statistics.ts';
import type { LogWriter } from '../../src/durability/log-stream.ts';
import { closeFiles, startSync, syncAbandoned, syncNow, syncTick } from '../../src/durability/log-sync.ts';
import { logTurn, offerSegment, resetAfterRebase, rotate, seal } from '../../src/durability/log-writer.ts';
import { createLogWorld, type LogWorld, loggedKeys, readLog } from '../support/log-world.ts';
import { createRandom } from '../support/seeded-random.ts';
import { set } from '../support/shard.ts';

const EIO = -5;

function setInTurn(writer: LogWriter, key: string, shard = 0): boolean {
  set(writer.shards[shard], key, 'v');
  return logTurn(writer, [writer.shards[shard]], 1);
}

function numberOf(writer: LogWriter, index: number): number {
  return writer.board.numbers[writer.numbersAt + index];
}

/** Moves the clock and lets the writer look. */
function tick({ clock }: LogWorld, writer: LogWriter, ms: number): void {
  clock.nowMs += ms;
  syncTick(writer, clock.nowMs);
}

/** Every key that is on the disk after a power cut, whatever it does with the rest. */
function keysAfterPowerCuts({ disk }: LogWorld): Set<string>[] {
  return [1, 2, 3, 4, 5].map((seed) => {
    const after = disk.crash(createRandom(seed));
    const paths = after.list('worker-000').map((name) => `worker-000/${name}`);
    return new Set(
      paths.flatMap(
        (path) =>
          after
            .contents(path)
            .toString('latin1')
            .match(/key-\d+/g) ?? [],
      ),
    );
  });
}

describe('everysec', () => {
  it('syncs once a second what was written, and nothing when nothing was', () => {
    const world = createLogWorld();
    const [writer] = world.writers;
    tick(world, writer, LOG_SYNC_MS);
    expect(world.disk.pump()).toBe(0);
    expect(setInTurn(writer, 'key-1')).toBe(true);
    tick(world, writer, 100);
    setInTurn(writer, 'key-2');
    tick(world, writer, LOG_SYNC_MS - 1);
    expect(numberOf(writer, LOG_BYTES_UNSYNCED)).toBeGreaterThan(0);
    expect(world.disk.pump()).toBe(1);
    expect(writer.syncedBlock).toBe(1);
    tick(world, writer, 1);
    expect(world.disk.pump()).toBe(1);
    expect(writer.syncedBlock).toBe(2);
    expect(numberOf(writer, LOG_BYTES_UNSYNCED)).toBe(0);
    expect(numberOf(writer, LOG_SYNCS)).toBe(2);
    setInTurn(writer, 'key-3');
    expect(readLog(world.disk)[2].syncedBlock).toBe(2);
  });

  it('does not count as synced what was written while the sync ran', () => {
    const world = createLogWorld();
    const [writer] = world.writers;
    setInTurn(writer, 'key-1');
    startSync(writer);
    setInTurn(writer, 'key-2');
    startSync(writer);
    expect(world.disk.pump()).toBe(1);
    expect(writer.syncedBlock).toBe(1);
    const needed = lastDrained(writer.board, 0, 0);
    expect(hasReached(writer.board, 0, needed, true)).toBe(false);
    expect(numberOf(writer, LOG_BYTES_UNSYNCED)).toBeGreaterThan(0);
  });

  it('counts a sync that takes more than two seconds as delayed, once', () => {
    const world = createLogWorld();
    const [writer] = world.writers;
    setInTurn(writer, 'key-1');
    tick(world, writer, LOG_SYNC_MS);
    tick(world, writer, LOG_SYNC_DELAYED_MS - 1);
    expect(numberOf(writer, LOG_SYNCS_DELAYED)).toBe(0);
    tick(world, writer, 1);
    tick(world, writer, 1000);
    expect(numberOf(writer, LOG_SYNCS_DELAYED)).toBe(1);
    world.disk.pump();
    expect(numberOf(writer, LOG_SYNC_MS_LAST)).toBe(LOG_SYNC_DELAYED_MS + 1000);
    expect(numberOf(writer, LOG_SYNC_MS_MAX)).toBe(LOG_SYNC_DELAYED_MS + 1000);
  });

  it('is counted and timed stream by stream, until the totals of its own are reset', () => {
    const world = createLogWorld({ streams: 2 });
    const [first, second] = world.writers;
    for (const [writer, tookMs] of [
      [first, 3],
      [first, 5],
      [second, 7],
    ] as const) {
      setInTurn(writer, `key-${tookMs}`);
      tick(world, writer, LOG_SYNC_MS);
      world.clock.nowMs += tookMs;
      world.disk.pump();
    }
    const { board } = first;
    expect(readLogTotals(board)).toMatchObject([{ syncs: 2, syncMsLast: 5, syncMsMax: 5 }, { syncs: 1 }]);
    expect(readLogTotals(board)[0].syncNs).toMatchObject({ count: 2, sum: 8e6, max: 5e6 });
    expect(readLogTotals(board)[1].syncNs).toMatchObject({ count: 1, sum: 7e6, max: 7e6 });
    const { bytesWritten } = readLogTotals(board)[0];
    resetLogTotals(board, first.stream);
    expect(readLogTotals(board)[1].syncs).toBe(1);
    expect(readLogTotals(board)[0]).toMatchObject({
      ...{ bytesWritten, syncs: 0, syncsDelayed: 0, syncMsMax: 0 },
      syncNs: { count: 0, sum: 0, max: 0 },
    });
  });

  it('does not lose the sync of a segment that it leaves', () => {
    const world = createLogWorld();
    const [writer] = world.writers;
    setInTurn(writer, 'key-1');
    startSync(writer);
    setInTurn(writer, 'key-2');
    offerSegment(writer, world.nextSegment(0));
    rotate(writer);
    setInTurn(writer, 'key-3');
    expect(world.disk.pump(1)).toBe(1);
    expect(writer.syncedBlock).toBe(1);
    expect(world.disk.pump(1)).toBe(1);
    expect(writer.syncedBlock).toBe(2);
    tick(world, writer, LOG_SYNC_MS);
    expect(world.disk.pump()).toBe(1);
    expect(writer.syncedBlock).toBe(3);
  });
});

describe('no', () => {
  it('never syncs, but for a segment that is left and for who asks for it', () => {
    const world = createLogWorld({ appendfsync: 'no' });
    const [writer] = world.writers;
    expect(setInTurn(writer, 'key-1')).toBe(true);
    tick(world, writer, 10 * LOG_SYNC_MS);
    expect(world.disk.pump()).toBe(0);
    let isDone = false;
    commitLater(
      writer,
      () => {
        isDone = true;
      },
      true,
    );
    tick(world, writer, 1);
    expect(isDone).toBe(false);
    expect(world.disk.pump()).toBe(1);
    expect(isDone).toBe(true);
    setInTurn(writer, 'key-2');
    offerSegment(writer, world.nextSegment(0));
    rotate(writer);
    expect(world.disk.pump()).toBe(1);
    expect(writer.syncedBlock).toBe(2);
  });
});

describe('trouble with the disk', () => {
  it('breaks the log when a sync fails, and never tries that again', () => {
    const world = createLogWorld({ appendfsync: 'always' });
    const [writer] = world.writers;
    const done: string[] = [];
    setInTurn(writer, 'key-1');
    commitLater(writer, () => done.push('key-1'));
    world.disk.failNext('syncLater');
    world.disk.pump();
    expect(world.told).toEqual(['0: sync EIO']);
    expect(isLogBroken(writer.board)).toBe(true);
    expect(troubleErrno(writer.board)).toBe(EIO);
    tick(world, writer, LOG_SYNC_MS);
    startSync(writer);
    expect(world.disk.pump()).toBe(0);
    expect(syncNow(writer)).toBe(false);
    expect(setInTurn(writer, 'key-2')).toBe(false);
    expect(done).toEqual([]);
    expect(world.told).toEqual(['0: sync EIO']);
  });

  it.each(['removed', 'its folder lost', 'moved away'])('notices a segment that was %s', (what) => {
    const world = createLogWorld();
    const [writer] = world.writers;
    tick(world, writer, 100);
    expect(world.told).toEqual([]);
    if (what === 'removed') world.disk.remove(writer.segment.path);
    else if (what === 'moved away') world.disk.rename(writer.segment.path, 'elsewhere');
    else world.disk.loseFolder('worker-000');
    tick(world, writer, 100);
    expect(world.told).toEqual(['0: removed']);
    expect(isLogBroken(writer.board)).toBe(true);
    tick(world, writer, 100);
    expect(world.told).toEqual(['0: removed']);
  });

  it('is told once: a sync that runs may fail when the log is broken already', () => {
    const world = createLogWorld({ appendfsync: 'always' });
    const [writer] = world.writers;
    setInTurn(writer, 'key-1');
    world.disk.remove(writer.segment.path);
    tick(world, writer, 100);
    world.disk.failNext('syncLater');
    world.disk.pump();
    expect(world.told).toEqual(['0: removed']);
  });

  it('gives up a sync that runs when the log is rebased, and closes its file only afterwards', () => {
    const world = createLogWorld({ appendfsync: 'always' });
    const [writer] = world.writers;
    const { disk } = world;
    const { close } = disk;
    const closed: number[] = [];
    disk.close = (fd) => {
      close(fd);
      closed.push(fd);
    };
    const { fd } = writer.segment;
    setInTurn(writer, 'key-1');
    disk.remove(writer.segment.path);
    tick(world, writer, 100);
    resetAfterRebase(writer, world.nextSegment(0, 2));
    const synced = writer.syncedBlock;
    expect(closed).not.toContain(fd);
    disk.pump();
    expect(closed).toContain(fd);
    expect(writer.syncedBlock).toBe(synced);
  });
});

describe('a seal', () => {
  it('is done once everything is on the disk that anybody has changed', async () => {
    const world = createLogWorld({ streams: 2 });
    const [first, second] = world.writers;
    setInTurn(second, 'key-1');
    set(first.shards[1], 'key-2', 'v');
    let isSealed: boolean | undefined;
    const sealed = seal(first).then((answer) => {
      isSealed = answer;
    });
    tick(world, first, LOG_SYNC_MS);
    world.disk.pump();
    await Promise.resolve();
    expect(isSealed).toBeUndefined();
    tick(world, second, LOG_SYNC_MS);
    world.disk.pump();
    world.deliver();
    await sealed;
    expect(isSealed).toBe(true);
    expect(loggedKeys(readLog(world.disk))).toEqual(['key-1', 'key-2']);
    expect(first.seals.size).toBe(0);
  });

  it.each([
    ['is broken', ({ board }: LogWriter) => breakLog(board, 0)],
    ['cannot be written by another stream', ({ board }: LogWriter) => beginFailing(board, 1, EIO)],
  ])('is given up by the next tick when the log %s meanwhile, and at once from then on', async (_, fail) => {
    const world = createLogWorld({ streams: 2 });
    const [writer] = world.writers;
    setInTurn(writer, 'key-1');
    const sealed = seal(writer);
    fail(writer);
    tick(world, writer, 1);
    expect(await sealed).toBe(false);
    expect(writer.seals.size).toBe(0);
    expect(await seal(writer)).toBe(false);
  });
});

describe('sync reaches the disk', () => {
  it('at a clean stop, with everything that was written, whatever the policy', () => {
    for (const appendfsync of ['no', 'everysec', 'always']) {
      const world = createLogWorld({ appendfsync });
      const [writer] = world.writers;
      for (let count = 0; count < 5; count += 1) setInTurn(writer, `key-${count}`);
      offerSegment(writer, world.nextSegment(0));
      rotate(writer);
      setInTurn(writer, 'key-5');
      expect(syncNow(writer)).toBe(true);
      for (const keys of keysAfterPowerCuts(world)) expect(keys.size).toBe(6);
      closeFiles(writer);
      world.disk.pump();
      expect(loggedKeys(readLog(world.disk))).toHaveLength(6);
    }
  });

  it('also with what a thread had written that died between two turns', () => {
    const world = createLogWorld();
    const [writer] = world.writers;
    setInTurn(writer, 'key-1');
    syncAbandoned(writer.board, 0, world.disk, writer.segment.path);
    for (const keys of keysAfterPowerCuts(world)) expect(keys.size).toBe(1);
    expect(hasReached(writer.board, 0, lastDrained(writer.board, 0, 0), true)).toBe(true);
  });
});
