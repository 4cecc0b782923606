/** The in-process case of a node of a cluster: what each of its commands costs more than on a server that is alone. */
import { Buffer } from 'node:buffer';
import { sharedMs } from '../../src/base/clock.ts';
import type { Call } from '../../src/commands/call.ts';
import { isElsewhere } from '../../src/commands/cluster-routing.ts';
import { createClusterView } from '../../src/commands/cluster-view.ts';
import type { Engine } from '../../src/commands/engine.ts';
import '../../src/commands/families.ts';
import { findByName } from '../../src/commands/registry.ts';
import { TURNS } from '../../src/metrics/names.ts';
import {
  createNodeTableBuffer,
  IS_COVERED,
  LEASE_ENDS_MS,
  ROLE_OWNER,
} from '../../src/routing/node-table.ts';
import type { Case, Workload } from './measure.ts';

const LOOKS = 20_000_000;
const KEYS = 1024;
const COMMANDS_PER_TURN = 16;

export const CLUSTER_CASES: readonly Case[] = [
  {
    name: 'Where a command goes',
    data: 'GET of 17 bytes, the slot is ours, 16 a turn',
    adds: 'the slot of the key, its role, the lease once a turn',
    create: lookWorkload,
  },
];

function lookWorkload(): Workload {
  const command = findByName('get');
  if (command === undefined) throw new Error('there is a GET');
  const cluster = createClusterView(createNodeTableBuffer());
  cluster.table.roles.fill(ROLE_OWNER);
  cluster.table.words[IS_COVERED] = 1;
  cluster.table.numbers[LEASE_ENDS_MS] = sharedMs() + 3_600_000;
  const counters = new Float64Array(TURNS + 1);
  const engine = { counters, config: { clusterRequireFullCoverage: false } } as unknown as Engine;
  const spans = Int32Array.of(0, 3, 4, 21);
  const call = { engine, spans, count: 2, nowMs: 0 } as Call;
  const requests = Array.from({ length: KEYS }, (_, i) =>
    Buffer.from(`GET key:${String(i * 7919).padStart(13, '0')}`),
  );
  return {
    run: () => {
      for (let look = 0; look < LOOKS; look += 1) {
        if (look % COMMANDS_PER_TURN === 0) counters[TURNS] += 1;
        call.input = requests[look % KEYS];
        if (isElsewhere(call, command, cluster)) throw new Error('the slot is ours');
      }
      return LOOKS;
    },
  };
}
