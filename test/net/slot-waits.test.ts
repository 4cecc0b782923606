/** Tests of clients whose commands wait for a slot that is between two nodes. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CLIENTS_BLOCKED } from '../../src/metrics/names.ts';
import { NO_NODE, ROLE_HANDING_OVER } from '../../src/routing/node-table.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { clusterTable, setSlot } from '../support/cluster-table.ts';
import { createServingWorld } from '../support/serving-world.ts';

const OWN = 0;
const OTHER = 1;
const SLOT = slotOfKey(Buffer.from('a'), 0, 1);
const COMES_LATER = '-TRYAGAIN The slot is on its way to this node\r\n';

/** A node that is the target of all slots of another. */
function openWorld() {
  let monotonicMs = 0;
  const cluster = clusterTable({ nodes: 2, own: OWN, ownerOf: () => OTHER, targetOf: () => OWN });
  const world = createServingWorld({
    ...{ cluster, appendfsync: 'no' },
    flags: ['--cluster-routing', 'redirect'],
    monotonicMs: () => monotonicMs,
  });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1) {
      monotonicMs += 1;
      await vi.advanceTimersByTimeAsync(1);
    }
    world.turn();
  };
  const { counters } = world.harness.engine;
  return { world, cluster, pass, waiting: () => counters[CLIENTS_BLOCKED] };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a command that asks for a slot before it has come', () => {
  it('is executed some moments after it has', async () => {
    const { world, cluster, pass, waiting } = openWorld();
    const client = world.connect();
    client.send('ASKING');
    client.send('SET', 'a', '1');
    client.send('PING');
    await pass(50);
    expect(client.received()).toBe('+OK\r\n');
    expect(waiting()).toBe(1);
    setSlot(cluster, SLOT, OWN);
    await pass(5);
    expect(client.received()).toBe('+OK\r\n+OK\r\n+PONG\r\n');
    expect(waiting()).toBe(0);
  });

  it('is answered after a second at the latest, and the next one has a second of its own', async () => {
    const { world, cluster, pass } = openWorld();
    const client = world.connect();
    client.send('ASKING');
    client.send('GET', 'a');
    await pass(990);
    expect(client.received()).toBe('+OK\r\n');
    await pass(40);
    expect(client.received()).toBe(`+OK\r\n${COMES_LATER}`);
    client.send('ASKING');
    client.send('GET', 'a');
    await pass(500);
    setSlot(cluster, SLOT, OWN);
    await pass(5);
    expect(client.received()).toBe(`+OK\r\n${COMES_LATER}+OK\r\n$-1\r\n`);
  });

  it('over the link of another node: what has come behind it does not wait anew, what comes later does', async () => {
    const { world, pass } = openWorld();
    const client = world.connect();
    client.send('CLUSTER', 'PEER', 'b'.repeat(40), 'distcache');
    for (let round = 0; round < 3; round += 1) {
      client.send('ASKING');
      client.send('GET', 'a');
    }
    await pass(990);
    expect(client.received()).toBe('+OK\r\n+OK\r\n');
    await pass(40);
    expect(client.received()).toBe(`+OK\r\n${`+OK\r\n${COMES_LATER}`.repeat(3)}`);
    const before = client.received().length;
    client.send('ASKING');
    client.send('GET', 'a');
    await pass(500);
    expect(client.received().slice(before)).toBe('+OK\r\n');
  });

  it('over such a link without asking: is answered before the other node gives the link up', async () => {
    const { world, cluster, pass } = openWorld();
    const client = world.connect();
    client.send('CLUSTER', 'PEER', 'b'.repeat(40), 'distcache');
    setSlot(cluster, SLOT, OWN, NO_NODE, NO_NODE);
    cluster.table.roles[SLOT] |= ROLE_HANDING_OVER;
    client.send('GET', 'a');
    await pass(450);
    expect(client.received()).toBe('+OK\r\n');
    await pass(100);
    expect(client.received()).toBe(`+OK\r\n${COMES_LATER}`);
  });

  it('goes where the slot has gone instead', async () => {
    const { world, cluster, pass } = openWorld();
    const client = world.connect();
    client.send('ASKING');
    client.send('GET', 'a');
    await pass(10);
    setSlot(cluster, SLOT, OTHER, NO_NODE, NO_NODE);
    await pass(5);
    expect(client.received()).toBe(`+OK\r\n-MOVED ${SLOT} 127.0.0.1:7001\r\n`);
  });

  it('is forgotten with its client, and nobody else', async () => {
    const { world, cluster, pass, waiting } = openWorld();
    const [gone, patient] = [world.connect(), world.connect()];
    for (const client of [gone, patient]) {
      client.send('ASKING');
      client.send('SET', 'a', '1');
    }
    await pass(1);
    expect(waiting()).toBe(2);
    gone.socket.destroy();
    await pass(1);
    expect(waiting()).toBe(1);
    setSlot(cluster, SLOT, OWN);
    await pass(5);
    expect(patient.received()).toBe('+OK\r\n+OK\r\n');
    expect(waiting()).toBe(0);
  });
});
