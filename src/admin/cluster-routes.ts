/**
 * The routes of a cluster: how it stands as this node sees it, and which node has which of the slots. Main thread. On a node that is
 * alone they answer 404.
 */
import type { FastifyInstance } from 'fastify';
import { readCluster } from '../commands/cluster-figures.ts';
import { NO_NODE } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import {
  arraySchema,
  FLAG,
  INTEGER,
  type JsonSchema,
  NUMBER,
  objectSchema,
  sameSchema,
  TEXT,
} from './json-schema.ts';
import { sendProblem } from './problem.ts';
import type { AdminSources } from './sources.ts';

export type ClusterRing = {
  readonly slots: number;
  /** The nodes that own slots, by their indices. */
  readonly owners: readonly { readonly node: number; readonly id: string; readonly slots: number }[];
  /** Slots that follow each other and have one owner; all that have one, in ascending order. */
  readonly ranges: readonly SlotRange[];
};

type SlotRange = [firstSlot: number, lastSlot: number, node: number];

const BY_ROLE = objectSchema({
  own: { ...INTEGER, description: 'Slots that this node owns.' },
  replica: { ...INTEGER, description: 'Of which it holds replicas, or is to.' },
  importing: { ...INTEGER, description: 'That it is about to own.' },
  strange: { ...INTEGER, description: 'That are nothing to it: keys of them go before long.' },
});

/** What nobody here knows is null. */
const KNOWN_NUMBER: JsonSchema = { type: ['number', 'null'] };

const NODE_SCHEMA = objectSchema({
  id: TEXT,
  index: INTEGER,
  host: TEXT,
  ...sameSchema({ ...INTEGER, description: '0: it does not listen there.' }, ['port', 'tlsPort', 'httpPort']),
  weight: INTEGER,
  isAlive: FLAG,
  isOwn: FLAG,
  isCoordinator: FLAG,
  slots: { ...INTEGER, description: 'Slots that it owns.' },
  replicas: { ...INTEGER, description: 'Slots of which it holds replicas, or is to.' },
  coming: { ...INTEGER, description: 'Slots that it is about to own.' },
  fedSlots: { ...INTEGER, description: 'Slots of this node of which it holds replicas, or is to.' },
  fedWhole: { ...INTEGER, description: 'Of these, those that are whole there.' },
  fedHeardAgoMs: { ...KNOWN_NUMBER, description: 'When it was last heard of as a replica.' },
  isFed: { ...FLAG, description: 'Whether it is connected for changes of this node.' },
  fedBehindBytes: { ...NUMBER, description: 'Changes that were not sent to it yet.' },
  fedInFlightBytes: { ...NUMBER, description: 'Changes that were sent and not acknowledged.' },
  fedCopies: { ...INTEGER, description: 'Copies of slots of a shard that were begun for it.' },
  heldSlots: { ...INTEGER, description: 'Slots of it of which this node holds replicas, or is to.' },
  heldWhole: { ...INTEGER, description: 'Of these, those that are whole here.' },
  circuit: { type: ['string', 'null'], enum: ['closed', 'open', 'half-open', null] },
  pingMs: KNOWN_NUMBER,
  commandsPerSecond: KNOWN_NUMBER,
});

const CLUSTER_SCHEMA = objectSchema({
  name: TEXT,
  ownId: { ...TEXT, description: 'Empty before this node is in the topology.' },
  coordinatorId: { ...TEXT, description: 'Empty while there is none.' },
  epoch: { ...INTEGER, description: '0 before the first topology.' },
  isCovered: { ...FLAG, description: 'Whether every slot has an owner that is alive.' },
  isServing: { ...FLAG, description: 'Whether this node serves its slots.' },
  leaseLeftMs: { ...NUMBER, description: 'For how much longer it may, without word from etcd.' },
  slots: BY_ROLE,
  keys: BY_ROLE,
  wholeReplicas: { ...INTEGER, description: 'Replicas here that are whole.' },
  handingOver: { ...INTEGER, description: 'Slots of this node that their next owner takes over just now.' },
  coveredSlots: { ...INTEGER, description: 'Slots of the cluster whose owner is alive.' },
  movingSlots: { ...INTEGER, description: 'Slots of the cluster that are to change their owner.' },
  nodes: arraySchema(NODE_SCHEMA),
});

const RING_SCHEMA = objectSchema({
  slots: INTEGER,
  owners: arraySchema(objectSchema({ node: INTEGER, id: TEXT, slots: INTEGER })),
  ranges: arraySchema(arraySchema(INTEGER), 'First slot, last slot, index of the node.'),
});

const ALONE = 'this server is not a node of a cluster';
const PAGE_COMMAND = 'info';

export function routeCluster(app: FastifyInstance, { live }: AdminSources): void {
  if (live === undefined) return;
  const { engine } = live;
  const schemaOf = (summary: string, answer: JsonSchema) => ({
    ...{ summary, tags: ['live'] },
    response: { 200: answer },
  });
  const stands = schemaOf('How the cluster stands, as this node sees it', CLUSTER_SCHEMA);
  app.get('/v1/cluster', { schema: stands, config: { command: PAGE_COMMAND } }, (_, reply) => {
    const cluster = readCluster(engine);
    return cluster === undefined ? sendProblem(reply, 404, ALONE) : reply.send(cluster);
  });
  const ring = schemaOf('Which node has which slots', RING_SCHEMA);
  app.get('/v1/cluster/ring', { schema: ring, config: { command: PAGE_COMMAND } }, (_, reply) => {
    const { cluster } = engine;
    if (cluster === undefined) return sendProblem(reply, 404, ALONE);
    return reply.send(ringOfNodes(cluster.table.owners, (node) => cluster.nodes[node]?.id ?? ''));
  });
}

/** The ring by the owner of each slot. */
export function ringOfNodes(owners: Uint8Array, idOf: (node: number) => string): ClusterRing {
  const ranges: SlotRange[] = [];
  const counts = new Map<number, number>();
  owners.forEach((node, slot) => {
    if (node === NO_NODE) return;
    counts.set(node, (counts.get(node) ?? 0) + 1);
    const last = ranges.at(-1);
    if (last !== undefined && last[2] === node && last[1] === slot - 1) last[1] = slot;
    else ranges.push([slot, slot, node]);
  });
  const found = [...counts].sort(([one], [other]) => one - other);
  return {
    slots: SLOT_COUNT,
    owners: found.map(([node, slots]) => ({ node, id: idOf(node), slots })),
    ranges,
  };
}
