/** Main's changes on their way to the log: one message a turn, another worker where one dies, and an end to waiting. */
import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { type Changes, createChanges, noteTouched } from '../../src/commands/changes.ts';
import { SETTLE_MS_MAX } from '../../src/config/limits.ts';
import {
  acquireDrain,
  beginFlight,
  createLogBoardBuffer,
  endFlight,
  openLogBoard,
  releaseDrain,
} from '../../src/durability/log-board.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { type Bus, connectPeer, createBus, disconnectPeer, handleTopic } from '../../src/threads/bus.ts';
import { type SettleReply, type SettleRequest, TOPIC_LOG_SETTLE } from '../../src/threads/log-topics.ts';
import {
  createSettling,
  mustSettle,
  type Settled,
  type Settling,
  whenSettled,
} from '../../src/threads/settling.ts';

const MAIN = 1;
const WORKERS = 2;
const SAFE: SettleReply = { isSafe: true, errno: 0 };

type World = {
  settling: Settling;
  main: Bus;
  workers: Bus[];
  shards: Shard[];
  changes: Changes;
  nowMs: number;
  /** What a look at the clock takes. */
  stepMs: number;
  settle: (isWrite: boolean) => Promise<Settled>;
};

const buses: Bus[] = [];

function createWorld(): World {
  const main = createBus(MAIN, () => undefined, []);
  const workers = Array.from({ length: WORKERS }, (_, index) => createBus(2 + index, () => undefined, []));
  for (const worker of workers) join(main, worker);
  buses.push(main, ...workers);
  const shards = Array.from({ length: 3 }, (_, index) => ({ index }) as Shard);
  const changes = createChanges(shards);
  const board = openLogBoard(createLogBoardBuffer(WORKERS, 1), WORKERS);
  const world: World = {
    ...{ main, workers, shards, changes, nowMs: 0, stepMs: 0 },
    settling: createSettling(main, board, WORKERS, () => {
      world.nowMs += world.stepMs;
      return world.nowMs;
    }),
    settle: (isWrite) => new Promise((resolve) => whenSettled(world.settling, changes, isWrite, resolve)),
  };
  return world;
}

function join(a: Bus, b: Bus): void {
  const { port1, port2 } = new MessageChannel();
  connectPeer(a, { threadId: b.threadId, port: port1 });
  connectPeer(b, { threadId: a.threadId, port: port2 });
}

/** What a worker is asked, each answered with `reply`. */
function answer(worker: Bus, reply: SettleReply | Promise<never> = SAFE): SettleRequest[] {
  const requests: SettleRequest[] = [];
  handleTopic<SettleRequest>(worker, TOPIC_LOG_SETTLE, (request) => {
    requests.push(request);
    return reply;
  });
  return requests;
}

afterEach(() => {
  for (const bus of buses.splice(0)) for (const peer of [...bus.peers.keys()]) disconnectPeer(bus, peer);
});

it('all changes of a turn go to one worker in one message', async () => {
  const world = createWorld();
  const requests = world.workers.map((worker) => answer(worker));
  noteTouched(world.changes, world.shards[0]);
  const first = world.settle(true);
  noteTouched(world.changes, world.shards[2]);
  noteTouched(world.changes, world.shards[0]);
  expect(await Promise.all([first, world.settle(true)])).toEqual([SAFE, SAFE]);
  expect(requests).toEqual([[{ shards: [0, 2], isWrite: true }], []]);
  expect([world.changes.count, [...world.changes.isTouched]]).toEqual([0, [0, 0, 0]]);
});

it('the next turn asks the next worker', async () => {
  const world = createWorld();
  const requests = world.workers.map((worker) => answer(worker));
  for (let turn = 0; turn < 4; turn += 1) await world.settle(true);
  expect(requests.map(({ length }) => length)).toEqual([2, 2]);
});

it('replies that only show do not wait for the disk with those that tell of changes', async () => {
  const world = createWorld();
  for (const worker of world.workers)
    handleTopic<SettleRequest>(worker, TOPIC_LOG_SETTLE, ({ isWrite }) =>
      isWrite ? new Promise(() => undefined) : SAFE,
    );
  let isWritten = false;
  void world.settle(true).then(() => {
    isWritten = true;
  });
  expect(await world.settle(false)).toEqual(SAFE);
  expect(isWritten).toBe(false);
});

it('a failure is told', async () => {
  const world = createWorld();
  for (const worker of world.workers) answer(worker, { isSafe: false, errno: -28 });
  expect(await world.settle(true)).toEqual({ isSafe: false, errno: -28 });
});

describe('where a worker dies', () => {
  it('the other one is asked', async () => {
    const world = createWorld();
    const asked = Promise.withResolvers<void>();
    handleTopic(world.workers[0], TOPIC_LOG_SETTLE, () => {
      asked.resolve();
      return new Promise(() => undefined);
    });
    const requests = answer(world.workers[1]);
    noteTouched(world.changes, world.shards[1]);
    const settled = world.settle(true);
    await asked.promise;
    disconnectPeer(world.main, world.workers[0].threadId);
    expect(await settled).toEqual(SAFE);
    expect(requests).toEqual([{ shards: [1], isWrite: true }]);
  });

  it('and none comes again in time, nobody knows', async () => {
    const world = createWorld();
    for (const { threadId } of world.workers) disconnectPeer(world.main, threadId);
    world.stepMs = SETTLE_MS_MAX;
    expect(await world.settle(true)).toBe('unknown');
  });
});

it('what others have in flight has to be waited for, too', () => {
  const { settling, changes, shards } = createWorld();
  expect(mustSettle(settling, changes)).toBe(false);
  const block = beginFlight(settling.board, 1);
  expect(mustSettle(settling, changes)).toBe(true);
  endFlight(settling.board, 1, block);
  expect(mustSettle(settling, changes)).toBe(false);
  // Between the journals and the number of the block.
  acquireDrain(settling.board, 2);
  expect(mustSettle(settling, changes)).toBe(true);
  releaseDrain(settling.board);
  expect(mustSettle(settling, changes)).toBe(false);
  noteTouched(changes, shards[0]);
  expect(mustSettle(settling, changes)).toBe(true);
});
