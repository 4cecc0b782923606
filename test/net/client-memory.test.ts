/** maxmemory-clients: who goes when clients keep too much, and who stays. */
import { describe, expect, it } from 'vitest';
import { CLIENT_MEMORY_CHECK_BYTES, MAXMEMORY_CLIENTS_BYTES_MIN } from '../../src/config/limits.ts';
import { openCounters } from '../../src/metrics/counters.ts';
import { CLIENTS_BYTES, CLIENTS_EVICTED } from '../../src/metrics/names.ts';
import { checkClientMemory, clientsBytesMax } from '../../src/net/client-memory.ts';
import { createServingWorld, type ServingWorld, type WorldClient } from '../support/serving-world.ts';

const MIB = 2 ** 20;

function createWorld(maxmemoryClients: string): ServingWorld {
  return createServingWorld({ appendfsync: 'no', flags: ['--maxmemory-clients', maxmemoryClients] });
}

/** Sends most of a request of so many bytes. */
function sendPart(client: WorldClient, bytes: number): void {
  client.sendBytes(`*2\r\n$4\r\nECHO\r\n$${2 * bytes}\r\n${'x'.repeat(bytes)}`);
}

describe('maxmemory-clients', () => {
  it.each([
    ['0', Infinity],
    ['10mb', 10 * MIB],
    ['5%', 5 * MIB],
    ['1', MAXMEMORY_CLIENTS_BYTES_MIN],
    ['1%', MIB],
  ])('%s is a limit of %d bytes where maxmemory is 100 MiB', (text, bytes) => {
    const { config } = createWorld(text).harness.engine;
    expect(clientsBytesMax({ ...config, maxmemory: 100 * MIB })).toBe(bytes);
  });

  it('closes the largest clients, no more of them than it takes', () => {
    const world = createWorld('10mb');
    const clients = [1, 3, 2, 1].map((mib) => {
      const client = world.connect();
      sendPart(client, mib * MIB);
      return client;
    });
    world.connect();
    checkClientMemory(world.serving);
    const { counters } = world.harness.engine;
    expect(clients.map((client) => client.isClosed())).toEqual([false, true, false, false]);
    expect(counters[CLIENTS_EVICTED]).toBe(1);
    expect(counters[CLIENTS_BYTES]).toBeLessThan(10 * MIB);
    expect(world.harness.log.join()).toMatch(/client \d+ .* over maxmemory-clients/);
  });

  it('spares clients with CLIENT NO-EVICT', () => {
    const world = createWorld('1mb');
    const [spared, other] = [world.connect(), world.connect()];
    spared.send('CLIENT', 'NO-EVICT', 'ON');
    sendPart(spared, 4 * MIB);
    sendPart(other, MIB);
    checkClientMemory(world.serving);
    expect([spared, other].map((client) => client.isClosed())).toEqual([false, true]);
  });

  it('has each worker let its own share go, by what the others have', () => {
    const world = createWorld('4mb');
    const clients = [2, 2, 2].map((mib) => {
      const client = world.connect();
      sendPart(client, mib * MIB);
      return client;
    });
    const { engine } = world.harness;
    checkClientMemory({
      ...world.serving,
      engine: { ...engine, config: { ...engine.config, maxmemoryClients: '0' } },
    });
    const ownBytes = openCounters(engine.allCounters, 0)[CLIENTS_BYTES];
    expect(ownBytes).toBeGreaterThan(6 * MIB);
    expect(clients.some((client) => client.isClosed())).toBe(false);
    checkClientMemory(world.serving);
    expect(clients.filter((client) => client.isClosed()).length).toBeGreaterThan(0);
  });

  it('is looked at when a turn ends in which clients got much to keep, without waiting for the clock', () => {
    const world = createWorld('1mb');
    const [greedy, modest] = [world.connect(), world.connect()];
    sendPart(greedy, 1.5 * MIB);
    modest.send('PING');
    world.turn();
    expect(greedy.isClosed()).toBe(false);
    for (let sent = 0; sent <= CLIENT_MEMORY_CHECK_BYTES; sent += MIB) greedy.sendBytes('x'.repeat(MIB));
    world.turn();
    expect([greedy, modest].map((client) => client.isClosed())).toEqual([true, false]);
    expect(world.serving.keptBytes).toBe(0);
  });

  it('does not count those that were let go, until they are gone, again', () => {
    const world = createWorld('3mb');
    const clients = [2, 1].map((mib) => {
      const client = world.connect();
      sendPart(client, mib * MIB);
      return client;
    });
    checkClientMemory(world.serving);
    checkClientMemory(world.serving);
    checkClientMemory(world.serving);
    expect(clients.map((client) => client.isClosed())).toEqual([true, false]);
  });

  it('counts replies that are not read, and what is queued in MULTI', async () => {
    const world = createWorld('1mb');
    const [queueing, small] = [world.connect(), world.connect()];
    queueing.send('MULTI');
    for (let i = 0; i < 20; i += 1) queueing.send('ECHO', 'x'.repeat(100_000));
    await world.settle();
    checkClientMemory(world.serving);
    expect([queueing, small].map((client) => client.isClosed())).toEqual([true, false]);
  });
});
