/** What main has changed, written by a worker: told as safe when it is, and as not when it cannot be. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { serveSettling } from '../../src/net/settling.ts';
import { detachLog } from '../../src/net/turn-log.ts';
import { pendingBytes } from '../../src/shard/journal.ts';
import { putString } from '../../src/shard/keyspace.ts';
import { createBus, requestFrom } from '../../src/threads/bus.ts';
import { type SettleReply, TOPIC_LOG_SETTLE } from '../../src/threads/log-topics.ts';
import { loggedKeys, readLog } from '../support/log-world.ts';
import { createServingWorld, type ServingWorld } from '../support/serving-world.ts';

const THREAD = 1;
const OK = '+OK\r\n';
const SAFE: SettleReply = { isSafe: true, errno: 0 };

type World = ServingWorld & { ask: (isWrite?: boolean) => Asked };
type Asked = { replies: SettleReply[] };

/** A worker that main asks, with one change of main's pending in shard 0. */
function createWorld(...options: Parameters<typeof createServingWorld>): World {
  const world = createServingWorld(...options);
  const bus = createBus(THREAD, () => undefined, []);
  serveSettling(world.serving, bus);
  changeAsMain(world, 'main');
  const ask = (isWrite = true): Asked => {
    const asked: Asked = { replies: [] };
    const request = { shards: [0], isWrite };
    void requestFrom<SettleReply>(bus, THREAD, TOPIC_LOG_SETTLE, request).then((reply) => {
      if (reply !== undefined) asked.replies.push(reply);
    });
    return asked;
  };
  return { ...world, ask };
}

function changeAsMain({ harness }: ServingWorld, name: string): void {
  const key = Buffer.from(name);
  putString(harness.shards[0], 0, key, 0, key.length, key, 0, key.length, 0, harness.nowMs);
}

describe('a change of main', () => {
  it('under always is safe when it is on the disk, and not before', async () => {
    const world = createWorld();
    const asked = world.ask();
    await world.settle();
    expect(loggedKeys(readLog(world.disk))).toEqual(['main']);
    expect(asked.replies).toEqual([]);
    world.disk.pump();
    await world.settle();
    expect(asked.replies).toEqual([SAFE]);
  });

  it('under everysec is safe when it is written', async () => {
    const world = createWorld({ appendfsync: 'everysec' });
    const asked = world.ask();
    await world.settle();
    expect(loggedKeys(readLog(world.disk))).toEqual(['main']);
    expect(asked.replies).toEqual([SAFE]);
  });

  it('that another has drained already waits for the disk all the same', async () => {
    const world = createWorld();
    const client = world.connect();
    client.send('SET', 'k', '1');
    world.turn();
    const asked = [world.ask(), world.ask()];
    await world.settle();
    expect(asked.map(({ replies }) => replies.length)).toEqual([0, 0]);
    // Its own sync, and one for what came while that was under way.
    while (world.disk.pump() > 0) await world.settle();
    expect(asked.map(({ replies }) => replies)).toEqual([[SAFE], [SAFE]]);
    expect(client.received()).toBe(OK);
  });

  it('takes the records of the running turn along, whose replies wait as they would', async () => {
    const world = createWorld();
    const client = world.connect();
    client.send('SET', 'k', '1');
    world.ask();
    world.turn();
    expect(client.received()).toBe('');
    while (world.disk.pump() > 0) await world.settle();
    expect(client.received()).toBe(OK);
    expect(loggedKeys(readLog(world.disk)).toSorted()).toEqual(['k', 'main']);
  });

  it('is safe at once where nothing is logged', async () => {
    const world = createWorld();
    detachLog(world.serving, () => undefined);
    const asked = world.ask();
    await world.settle();
    expect(asked.replies).toEqual([SAFE]);
  });
});

describe('what main only shows', () => {
  it('is written, and waits for no sync', async () => {
    const world = createWorld();
    const asked = world.ask(false);
    await world.settle();
    expect(loggedKeys(readLog(world.disk))).toEqual(['main']);
    expect(asked.replies).toEqual([SAFE]);
  });

  it('goes on when the log cannot be written', async () => {
    const world = createWorld();
    world.disk.failNext('write', 'ENOSPC', 10);
    const asked = world.ask(false);
    await world.settle();
    expect(asked.replies).toEqual([SAFE]);
  });
});

describe('trouble', () => {
  it('of a write is told with its error', async () => {
    const world = createWorld();
    world.disk.failNext('write', 'ENOSPC', 10);
    const asked = world.ask();
    await world.settle();
    expect(asked.replies).toEqual([{ isSafe: false, errno: expect.any(Number) }]);
    expect(pendingBytes(world.harness.shards[0])).toBe(0);
  });

  it('of a sync is told to those who wait for it', async () => {
    const world = createWorld();
    const asked = world.ask();
    await world.settle();
    world.disk.failNext('syncLater', 'EIO');
    world.disk.pump();
    await world.settle();
    expect(asked.replies.map(({ isSafe }) => isSafe)).toEqual([false]);
  });

  it('is none where on-log-error says to continue', async () => {
    const world = createWorld({ onLogError: 'continue' });
    const waiting = world.ask();
    await world.settle();
    world.disk.failNext('syncLater', 'EIO');
    world.disk.pump();
    changeAsMain(world, 'more');
    const later = world.ask();
    await world.settle();
    expect([waiting.replies, later.replies]).toEqual([[SAFE], [SAFE]]);
  });

  it('ends with the log: nobody waits for one that is closed', async () => {
    const world = createWorld();
    const asked = world.ask();
    await world.settle();
    detachLog(world.serving, () => undefined);
    await world.settle();
    expect(asked.replies).toEqual([SAFE]);
  });
});
