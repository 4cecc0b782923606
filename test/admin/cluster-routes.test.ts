/** Tests of the pages of a cluster by injection, over an engine without threads whose table of nodes is made by hand. */
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { createAdminApp } from '../../src/admin/app.ts';
import { ringOfNodes } from '../../src/admin/cluster-routes.ts';
import { createHistory } from '../../src/admin/history.ts';
import { createLiveHub } from '../../src/admin/live.ts';
import { readState } from '../../src/admin/live-state.ts';
import { readCluster } from '../../src/commands/cluster-figures.ts';
import type { ClusterView } from '../../src/commands/cluster-view.ts';
import { takeReading } from '../../src/metrics/reading.ts';
import { NO_NODE } from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { createBigKeysSearch } from '../../src/threads/big-keys.ts';
import { accessWith } from '../support/access.ts';
import { clusterTable, nodeId } from '../support/cluster-table.ts';
import { createHarness } from '../support/harness.ts';
import { sampleSources } from '../support/sample-reading.ts';

const apps: FastifyInstance[] = [];
const PATHS = ['/v1/cluster', '/v1/cluster/ring'];

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

function createPages(cluster?: ClusterView, password = '') {
  const { engine } = createHarness({ cluster });
  const state = () =>
    readState(engine, { ready: true, checks: [] }, () => ({ turnP99Us: 0, loopDelayP99Ms: 0 }));
  const app = createAdminApp({
    reading: () => takeReading(sampleSources()),
    readiness: () => ({ ready: true, checks: [] }),
    access: accessWith(password),
    live: {
      ...{ engine, history: createHistory([]), now: () => ({ wallMs: 0, monotonicMs: 0 }) },
      hub: createLiveHub({ sample: () => undefined, state, monotonicMs: () => 0 }),
      ...{ bigKeys: createBigKeysSearch(undefined as never), stop: () => undefined },
    },
  });
  apps.push(app);
  return { app, engine, state };
}

describe('the pages of a cluster', () => {
  it('are not there on a node that is alone', async () => {
    const { app, state } = createPages();
    for (const url of PATHS) {
      const { statusCode, headers, body } = await app.inject(url);
      expect([statusCode, headers['content-type']]).toEqual([404, 'application/problem+json; charset=utf-8']);
      expect(body).toContain('this server is not a node of a cluster');
    }
    expect(state().cluster).toBeNull();
  });

  it('want the password when there is one', async () => {
    const { app } = createPages(clusterTable(), 'secret');
    for (const url of PATHS) expect((await app.inject(url)).statusCode).toBe(401);
  });

  it('are described, each with what it answers', async () => {
    const { app } = createPages(clusterTable());
    await app.ready();
    const { paths } = app.swagger() as { paths: Record<string, { get: { summary?: string } }> };
    for (const url of PATHS) expect(paths[url]?.get.summary).toEqual(expect.any(String));
  });

  it('tell all that is known of the cluster, as the live page does', async () => {
    const { app, engine, state } = createPages(
      clusterTable({ nodes: 4, replicaOf: (slot) => (slot + 1) % 4 }),
    );
    const told = (await app.inject('/v1/cluster')).json();
    expect(told).toEqual(readCluster(engine));
    expect(told.nodes).toHaveLength(4);
    expect(state().cluster).toEqual(told);
  });

  it('tell which node has which slots', async () => {
    const { app } = createPages(clusterTable({ nodes: 2, ownerOf: (slot) => (slot < 100 ? 1 : 0) }));
    expect((await app.inject('/v1/cluster/ring')).json()).toEqual({
      slots: SLOT_COUNT,
      owners: [
        { node: 0, id: nodeId(0), slots: SLOT_COUNT - 100 },
        { node: 1, id: nodeId(1), slots: 100 },
      ],
      ranges: [
        [0, 99, 1],
        [100, SLOT_COUNT - 1, 0],
      ],
    });
  });
});

describe('the ring over nodes', () => {
  it('leaves out the slots that nobody owns', () => {
    const owners = new Uint8Array(SLOT_COUNT).fill(NO_NODE);
    owners.fill(7, 10, 20);
    owners.fill(7, 30, 31);
    expect(ringOfNodes(owners, String)).toEqual({
      slots: SLOT_COUNT,
      owners: [{ node: 7, id: '7', slots: 11 }],
      ranges: [
        [10, 19, 7],
        [30, 30, 7],
      ],
    });
  });
});
