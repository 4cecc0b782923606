/** Tests of replies of writes around the end of a node's lease: none leaves behind it, whatever has held it up. */
import { describe, expect, it } from 'vitest';
import { LEASE_CUTS } from '../../src/metrics/names.ts';
import { clusterTable } from '../support/cluster-table.ts';
import { createServingWorld, type ServingWorld } from '../support/serving-world.ts';

const LEASE_ENDS_MS = 50;

/** A node that owns all slots, and the clock of its lease. */
function openWorld(appendfsync = 'everysec'): { world: ServingWorld; at: (sharedMs: number) => void } {
  let nowMs = 0;
  const cluster = clusterTable({ nodes: 1, leaseEndsMs: LEASE_ENDS_MS, sharedMs: () => nowMs });
  const world = createServingWorld({ appendfsync, cluster });
  return {
    world,
    at: (sharedMs) => {
      nowMs = sharedMs;
    },
  };
}

describe('a turn that began before the end of the lease', () => {
  it('and ends before it sends what it has', () => {
    const { world, at } = openWorld();
    const client = world.connect();
    client.send('SET', 'a', '1');
    at(LEASE_ENDS_MS - 0.001);
    world.turn();
    expect(client.received()).toBe('+OK\r\n');
    expect(client.isClosed()).toBe(false);
  });

  it('and ends behind it closes who has written, and lets the others have their replies', () => {
    const { world, at } = openWorld();
    const [writer, reader] = [world.connect(), world.connect()];
    writer.send('SET', 'a', '1');
    writer.send('GET', 'a');
    reader.send('GET', 'a');
    at(LEASE_ENDS_MS);
    world.turn();
    expect(writer.received()).toBe('');
    expect(writer.isClosed()).toBe(true);
    expect(reader.received()).toBe('$1\r\n1\r\n');
    expect(reader.isClosed()).toBe(false);
    expect(world.harness.engine.counters[LEASE_CUTS]).toBe(1);
    expect(world.harness.log.join()).toMatch(/lease was over/);
  });

  it('and ends long behind it lets no reply go: what was read may have changed elsewhere by then', () => {
    const { world, at } = openWorld();
    const [reader, other] = [world.connect(), world.connect()];
    reader.send('GET', 'a');
    // The process was paused, and the turn goes on with what has come since.
    at(LEASE_ENDS_MS + 10_000);
    other.send('GET', 'a');
    world.turn();
    expect([reader.received(), other.received()]).toEqual(['', '']);
    expect([reader.isClosed(), other.isClosed()]).toEqual([true, true]);
    const late = world.connect();
    late.send('PING');
    world.turn();
    late.send('PING');
    at(LEASE_ENDS_MS + 20_000);
    world.turn();
    expect(late.received()).toBe('+PONG\r\n+PONG\r\n');
  });

  it('is the last one that executes anything', () => {
    const { world, at } = openWorld();
    const client = world.connect();
    client.send('SET', 'a', '1');
    world.turn();
    at(LEASE_ENDS_MS);
    client.send('SET', 'a', '2');
    world.turn();
    expect(client.received()).toBe('+OK\r\n-CLUSTERDOWN The cluster is down\r\n');
    expect(client.isClosed()).toBe(false);
    expect(world.harness.engine.counters[LEASE_CUTS]).toBe(0);
  });

  it('of a transaction closes its client as well', () => {
    const { world, at } = openWorld();
    const client = world.connect();
    client.send('MULTI');
    client.send('SET', 'a', '1');
    world.turn();
    client.send('EXEC');
    at(LEASE_ENDS_MS + 1);
    world.turn();
    expect(client.received()).toBe('+OK\r\n+QUEUED\r\n');
    expect(client.isClosed()).toBe(true);
  });
});

describe('replies that wait for the disk', () => {
  it('leave when it is there before the end of the lease', () => {
    const { world, at } = openWorld('always');
    const client = world.connect();
    client.send('SET', 'a', '1');
    world.turn();
    expect(client.received()).toBe('');
    at(LEASE_ENDS_MS - 1);
    world.disk.pump();
    expect(client.received()).toBe('+OK\r\n');
  });

  it('do not leave when it is there behind it', () => {
    const { world, at } = openWorld('always');
    const client = world.connect();
    client.send('SET', 'a', '1');
    world.turn();
    at(LEASE_ENDS_MS);
    world.disk.pump();
    expect(client.received()).toBe('');
    expect(client.isClosed()).toBe(true);
    expect(world.harness.engine.counters[LEASE_CUTS]).toBe(1);
  });
});

describe('replies that stand behind those of other nodes', () => {
  it('leave with them before the end of the lease, and not behind it', () => {
    for (const endsMs of [LEASE_ENDS_MS - 1, LEASE_ENDS_MS]) {
      const { world, at } = openWorld();
      const client = world.connect();
      const { places } = [...world.serving.connections.values()][0].session.connection;
      const place = places?.open();
      if (places === undefined || place === undefined)
        throw new Error('a client that may be answered by others');
      world.turn();
      client.send('SET', 'a', '1');
      world.turn();
      client.send('GET', 'a');
      world.turn();
      expect(client.received()).toBe('');
      at(endsMs);
      places.add(place, Buffer.from('+other\r\n'));
      places.end(place);
      world.turn();
      const isLate = endsMs === LEASE_ENDS_MS;
      expect(client.received()).toBe(isLate ? '' : '+other\r\n+OK\r\n$1\r\n1\r\n');
      expect(client.isClosed()).toBe(isLate);
    }
  });
});
