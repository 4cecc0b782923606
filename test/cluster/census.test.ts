/** Tests of who has settled, and who has been gone for how long. */
import { describe, expect, test } from 'vitest';
import { createCensus, goneForMs, settlesInMs, takeCensus } from '../../src/cluster/census.ts';
import { createTopology } from '../../src/cluster/topology.ts';
import { CLUSTER_SETTLE_MS, CLUSTER_SETTLE_MS_MAX } from '../../src/config/limits-cluster.ts';
import { createCoordinatorWorld } from '../support/coordinator-world.ts';
import { nodeId, topologyNode } from '../support/topologies.ts';

describe('nodes', () => {
  test('have settled a second after the last one came or went', () => {
    const { state, join, go } = createCoordinatorWorld();
    const census = createCensus();
    expect(settlesInMs(census, 0)).toBe(0);
    takeCensus(census, state, 100);
    expect(settlesInMs(census, 100)).toBe(CLUSTER_SETTLE_MS);
    join(1);
    takeCensus(census, state, 600);
    expect(settlesInMs(census, 600)).toBe(CLUSTER_SETTLE_MS);
    takeCensus(census, state, 1500);
    expect(settlesInMs(census, 1500)).toBe(100);
    expect(settlesInMs(census, 1600)).toBe(0);
    go(1);
    takeCensus(census, state, 9000);
    expect(settlesInMs(census, 9000)).toBe(CLUSTER_SETTLE_MS);
  });

  test('that go on coming have settled after three seconds', () => {
    const { state, join } = createCoordinatorWorld();
    const census = createCensus();
    for (let ms = 0; ms < CLUSTER_SETTLE_MS_MAX; ms += 500) {
      join(1 + ms);
      takeCensus(census, state, 100 + ms);
      expect(settlesInMs(census, 100 + ms)).toBeGreaterThan(0);
    }
    expect(settlesInMs(census, 100 + CLUSTER_SETTLE_MS_MAX)).toBe(0);
  });

  test('that started anew have come, though nobody saw them go', () => {
    const { state } = createCoordinatorWorld();
    const census = createCensus();
    takeCensus(census, state, 0);
    const own = state.members.get(nodeId(0));
    if (own === undefined) throw new Error('it is there');
    state.members = new Map([[own.id, { ...own, weight: 7 }]]);
    takeCensus(census, state, 5000);
    expect(settlesInMs(census, 5000)).toBe(0);
    state.members = new Map([[own.id, { ...own, runId: 'another' }]]);
    takeCensus(census, state, 5000);
    expect(settlesInMs(census, 5000)).toBe(CLUSTER_SETTLE_MS);
  });

  test('are gone since they were missed first, until they are back', () => {
    const { state, join } = createCoordinatorWorld();
    const census = createCensus();
    state.topology = { ...createTopology(), nodes: [topologyNode(0), topologyNode(1)] };
    takeCensus(census, state, 1000);
    takeCensus(census, state, 1700);
    expect([0, 1].map((number) => goneForMs(census, nodeId(number), 2000))).toEqual([0, 1000]);
    join(1);
    takeCensus(census, state, 2000);
    expect(goneForMs(census, nodeId(1), 3000)).toBe(0);
  });
});
