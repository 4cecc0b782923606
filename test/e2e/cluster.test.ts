/**
 * A real cluster, three nodes and etcd, whose processes are killed, paused, joined and sent away while clients work: the short run, judged by
 * what the clients were told. The long one, with many more faults, is scripts/cluster-test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomSeed } from '../../src/base/random.ts';
import { startCluster, type TestCluster } from '../support/cluster.ts';
import { type RunReport, runSchedule, type Stage, setStage } from '../support/cluster-faults/run.ts';
import type { FaultKind } from '../support/cluster-faults/schedule.ts';
import { describeWithEtcd } from '../support/etcd.ts';

const NODE_TIMEOUT_MS = 2_000;
const UNTIL_MS = 60_000;
const BALLAST_KEYS = 2_000;
const LOAD = {
  ...{ writers: 6, readers: 2, nodeTimeoutMs: NODE_TIMEOUT_MS },
  ...{ etcdDownMs: NODE_TIMEOUT_MS + 1_000, awayExtraMs: 1_000, calmMs: 300 },
};

async function run(stage: Stage, kind: FaultKind, hasShoppers = false): Promise<RunReport> {
  const seed = randomSeed() >>> 8;
  const report = await runSchedule(stage, { seed, faults: [kind] }, { ...LOAD, hasShoppers });
  expect(report.problems, `seed ${seed}`).toEqual([]);
  expect(report.verdict.acknowledged).toBeGreaterThan(0);
  return report;
}

describeWithEtcd('three nodes', () => {
  let cluster: TestCluster;
  let forwarding: Stage;

  beforeAll(async () => {
    cluster = await startCluster({ flags: ['--cluster-node-timeout', `${NODE_TIMEOUT_MS}`] });
    forwarding = await setStage({ cluster, ballastKeys: BALLAST_KEYS, isForwarded: true });
  }, UNTIL_MS);

  afterAll(async () => {
    forwarding?.owners.stop();
    await cluster?.remove();
  });

  async function routeBy(routing: 'forward' | 'redirect'): Promise<void> {
    for (const node of cluster.nodes.filter(({ program }) => program.isRunning()))
      expect(await node.ask('CONFIG', 'SET', 'cluster-routing', routing)).toBe('+OK');
  }

  it('a key that was written through one node is read, and deleted, through any', async () => {
    for (const [i, writer] of cluster.nodes.entries()) {
      for (const reader of cluster.nodes) {
        const key = `key:${i}:${reader.name}`;
        expect(await writer.ask('SET', key, 'value')).toBe('+OK');
        expect(await reader.ask('GET', key)).toBe('value');
        expect(await reader.ask('DEL', key)).toBe(':1');
        expect(await writer.ask('EXISTS', key)).toBe(':0');
      }
    }
  });

  describe('under load', () => {
    it(
      'a killed owner`s slots are written again within five seconds, nothing that WAIT confirmed is lost, and it comes back',
      async () => {
        const { verdict, faults } = await run(forwarding, 'kill-owner');
        expect(verdict.safe).toBeGreaterThan(0);
        expect(faults[0].writableMs).toBeGreaterThan(0);
      },
      UNTIL_MS,
    );

    it(
      'an owner that was paused beyond its lease acknowledges nothing when it goes on',
      async () => {
        await routeBy('redirect');
        const { verdict } = await run({ ...forwarding, isForwarded: false }, 'pause-owner');
        expect(verdict.safe).toBeGreaterThan(0);
        await routeBy('forward');
      },
      UNTIL_MS,
    );

    it(
      'a node that joins and leaves costs no key, and a client of the library no request',
      async () => {
        const { requestsOfLibrary, verdict } = await run(forwarding, 'join-and-leave', true);
        expect(requestsOfLibrary).toBeGreaterThan(0);
        expect(verdict.lostAtFailovers).toBe(0);
      },
      UNTIL_MS,
    );

    it(
      'without etcd writes are refused when the leases have ended, and taken again when it is back',
      async () => {
        const { verdict, errors } = await run(forwarding, 'etcd-down');
        expect(verdict.refused).toBeGreaterThan(0);
        expect(Object.keys(errors).join()).toContain('CLUSTERDOWN');
      },
      UNTIL_MS,
    );
  });
});
