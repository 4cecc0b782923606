/** CLIENT PAUSE over connections: which commands wait, and how they go on. */
import { describe, expect, it } from 'vitest';
import { CLIENTS_BLOCKED } from '../../src/metrics/names.ts';
import { resumePostponed, tickPause } from '../../src/net/postponed.ts';
import { beginPause, endPause, isPausing } from '../../src/resilience/pause.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { createServingWorld, type ServingWorld, type WorldClient } from '../support/serving-world.ts';

function createWorld(): ServingWorld {
  return createServingWorld({ appendfsync: 'no' });
}

function blocked({ harness }: ServingWorld): number {
  return harness.engine.counters[CLIENTS_BLOCKED];
}

async function replies(world: ServingWorld, client: WorldClient, ...command: string[]): Promise<string> {
  const before = client.received().length;
  client.send(...command);
  await world.settle();
  return client.received().slice(before);
}

/** The pause is over, and the worker's clockwork sees it. */
async function passPause(world: ServingWorld, ms: number): Promise<void> {
  world.harness.nowMs += ms;
  tickPause(world.serving);
  await world.settle();
}

describe('CLIENT PAUSE', () => {
  it('of writes: writes wait, reads do not, and each client goes on where it stopped', async () => {
    const world = createWorld();
    const [one, other] = [world.connect(), world.connect()];
    expect(await replies(world, one, 'CLIENT', 'PAUSE', '1000', 'WRITE')).toBe('+OK\r\n');
    one.sendBytes(requestBytes('GET', 'a'), requestBytes('SET', 'a', '1'), requestBytes('GET', 'a'));
    await world.settle();
    expect(one.received()).toBe('+OK\r\n$-1\r\n');
    expect(await replies(world, other, 'APPEND', 'a', '2')).toBe('');
    expect(await replies(world, world.connect(), 'GET', 'a')).toBe('$-1\r\n');
    expect(blocked(world)).toBe(2);
    await passPause(world, 1000);
    expect(other.received()).toBe('');
    await passPause(world, 1);
    expect(one.received()).toBe('+OK\r\n$-1\r\n+OK\r\n$1\r\n1\r\n');
    expect(other.received()).toBe(':2\r\n');
    expect(blocked(world)).toBe(0);
  });

  it('of all commands lets only refusals and QUIT pass', async () => {
    const world = createWorld();
    const client = world.connect();
    await replies(world, client, 'CLIENT', 'PAUSE', '1000');
    expect(await replies(world, client, 'PING')).toBe('');
    const others = Array.from({ length: 3 }, () => world.connect());
    expect(await replies(world, others[0], 'NOSUCH')).toContain('-ERR unknown command');
    expect(await replies(world, others[1], 'SET', 'a')).toContain('-ERR wrong number');
    expect(await replies(world, others[2], 'QUIT')).toBe('+OK\r\n');
    await passPause(world, 1001);
    expect(client.received()).toBe('+OK\r\n+PONG\r\n');
  });

  it('of writes holds back EXEC and PUBLISH where somebody would hear of them, and queueing', async () => {
    const world = createWorld();
    const [reader, writer, queueing, publisher] = Array.from({ length: 4 }, () => world.connect());
    for (const client of [reader, writer, queueing]) await replies(world, client, 'MULTI');
    await replies(world, reader, 'GET', 'a');
    await replies(world, writer, 'SET', 'a', '1');
    beginPause(world.harness.engine.gate, world.harness.nowMs + 50, false);
    expect(await replies(world, reader, 'EXEC')).toBe('*1\r\n$-1\r\n');
    expect(await replies(world, writer, 'EXEC')).toBe('');
    expect(await replies(world, queueing, 'SET', 'b', '1')).toBe('');
    expect(await replies(world, publisher, 'PUBLISH', 'channel', 'x')).toBe('');
    expect(blocked(world)).toBe(3);
    await passPause(world, 51);
    expect(writer.received()).toMatch(/\*1\r\n\+OK\r\n$/);
    expect(queueing.received()).toMatch(/\+QUEUED\r\n$/);
    expect(publisher.received()).toBe(':0\r\n');
  });

  it('lasts as long as the longest of several, and ends with CLIENT UNPAUSE', async () => {
    const world = createWorld();
    const [waiting, other] = [world.connect(), world.connect()];
    for (const timeout of ['500', '100']) await replies(world, other, 'CLIENT', 'PAUSE', timeout, 'WRITE');
    expect(await replies(world, waiting, 'SET', 'a', '1')).toBe('');
    await passPause(world, 400);
    expect(waiting.received()).toBe('');
    expect(await replies(world, other, 'CLIENT', 'UNPAUSE')).toBe('+OK\r\n');
    await world.settle();
    expect(waiting.received()).toBe('+OK\r\n');
  });

  it('shows who waits, counts it once, and is done with one that leaves', async () => {
    const world = createWorld();
    const [waiting, other] = [world.connect(), world.connect()];
    await replies(world, other, 'CLIENT', 'PAUSE', '1000', 'WRITE');
    await replies(world, waiting, 'SET', 'a', '1');
    const list = await replies(world, other, 'CLIENT', 'LIST');
    expect(list).toMatch(/ flags=b .* qbuf=27 .* cmd=set /);
    expect(await replies(world, other, 'INFO', 'clients')).toContain('blocked_clients:1\r\n');
    waiting.socket.destroy();
    await world.settle();
    expect(blocked(world)).toBe(0);
    await passPause(world, 1001);
    expect(await replies(world, other, 'EXISTS', 'a')).toBe(':0\r\n');
    expect(await replies(world, other, 'INFO', 'commandstats')).not.toContain('cmdstat_set:');
  });

  it('leaves CLIENT REPLY SKIP to the command that it is meant for', async () => {
    const world = createWorld();
    const client = world.connect();
    await replies(world, client, 'CLIENT', 'REPLY', 'SKIP');
    beginPause(world.harness.engine.gate, world.harness.nowMs + 10, false);
    client.sendBytes(requestBytes('SET', 'a', '1'), requestBytes('GET', 'a'));
    await world.settle();
    await passPause(world, 11);
    expect(client.received()).toBe('$1\r\n1\r\n');
    expect([...world.harness.engine.sessions.values()][0].commandsProcessed).toBe(3);
  });

  it('may be begun again before those that waited have gone on', async () => {
    const world = createWorld();
    const waiting = world.connect();
    const { engine } = world.harness;
    beginPause(engine.gate, world.harness.nowMs + 10, true);
    expect(await replies(world, waiting, 'PING')).toBe('');
    endPause(engine.gate);
    resumePostponed(world.serving);
    beginPause(engine.gate, world.harness.nowMs + 10, true);
    await world.settle();
    expect(waiting.received()).toBe('');
    await passPause(world, 11);
    expect(waiting.received()).toBe('+PONG\r\n');
    expect(isPausing(engine.gate)).toBe(false);
  });
});

describe('keys whose time passes during a pause', () => {
  it('look gone, and stay until it is over', async () => {
    const world = createWorld();
    const client = world.connect();
    const { engine, shards } = world.harness;
    for (const shard of shards) shard.isPaused = () => isPausing(engine.gate);
    await replies(world, client, 'SET', 'a', '1', 'PX', '50');
    await replies(world, client, 'CLIENT', 'PAUSE', '1000', 'WRITE');
    world.harness.nowMs += 100;
    expect(await replies(world, client, 'GET', 'a')).toBe('$-1\r\n');
    expect(await replies(world, client, 'EXISTS', 'a')).toBe(':0\r\n');
    expect(await replies(world, client, 'DBSIZE')).toBe(':1\r\n');
    await passPause(world, 1000);
    expect(await replies(world, client, 'GET', 'a')).toBe('$-1\r\n');
    expect(await replies(world, client, 'DBSIZE')).toBe(':0\r\n');
    world.harness.expectWhole();
  });
});
