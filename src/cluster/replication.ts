/**
 * A worker's part in replication: the replicas that it feeds, the owners whose streams it takes in, and the clients that wait for replicas.
 *
 * One per worker of a node of a cluster. Any worker may have the connection of a replica; each owner has one worker, by its index. Turns
 * that have written to the log wake the workers that feed somebody.
 */
import { Buffer } from 'node:buffer';
import { type ReplicaProgressAnswer, TOPIC_REPLICA_PROGRESS } from '../commands/cluster-topics.ts';
import type { ClusterView, Replication } from '../commands/cluster-view.ts';
import type { Engine } from '../commands/engine.ts';
import type { Session } from '../commands/session.ts';
import {
  REPLICATION_PING_MS,
  REPLICATION_READ_BYTES,
  REPLICATION_TICK_MS,
} from '../config/limits-cluster.ts';
import { NO_NODE, ROLE_IMPORTING, ROLE_REPLICA, TABLE_VERSION } from '../routing/node-table.ts';
import type { ReplicationBoard } from '../routing/replication-board.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { threadIdOfWorker } from '../threads/boot.ts';
import { wakeOthers, wantWake } from '../threads/wakes.ts';
import { hasInherited, wholeSlots } from './replica-intake.ts';
import { closeLink, createLink, type LinkSurroundings, type ReplicaLink, tickLink } from './replica-link.ts';
import {
  closeFeed,
  copyAnew,
  createFeed,
  type Feed,
  isCurrent,
  noteAcknowledged,
  pingIfIdle,
  pumpFeed,
} from './replication-feed.ts';
import {
  decodeAcknowledgement,
  decodePassedOver,
  decodeResume,
  encodeNumbers,
  encodeSlotBits,
} from './replication-frames.ts';

/** One to another worker: there are changes for those whom it feeds; replicas have acknowledged something. */
const TOPIC_CHANGES = 'replication-changes';
const TOPIC_ACKNOWLEDGED = 'replication-acknowledged';
/** To all: the LSNs that this node had of a node, by its id, when it took over slots of it; undefined where it has not, or has told. */
const TOPIC_INHERITED = 'replication-inherited';

type WorkerReplication = {
  readonly engine: Engine;
  readonly cluster: ClusterView;
  readonly board: ReplicationBoard;
  readonly around: LinkSurroundings;
  /** By the replica's session. */
  readonly feeds: Map<Session, Feed>;
  /** By the owner's index. */
  readonly links: Map<number, ReplicaLink>;
  /** By the id of a node that is gone and of which this one has taken over slots: the LSNs that it had. */
  readonly inherited: Map<string, Float64Array>;
  readonly listeners: Set<() => void>;
  /** The version of the table that the links go by. */
  version: number;
  isPumpDue: boolean;
  isTellingDue: boolean;
};

const MS_PER_SECOND = 1000;

/** Begins. */
export function startReplication(engine: Engine, cluster: ClusterView, board: ReplicationBoard): void {
  const readBuffer = Buffer.allocUnsafeSlow(REPLICATION_READ_BYTES);
  const replication: WorkerReplication = {
    ...{ engine, cluster, board },
    around: { engine, cluster, readBuffer },
    feeds: new Map(),
    links: new Map(),
    inherited: new Map(),
    listeners: new Set(),
    ...{ version: -1, isPumpDue: false, isTellingDue: false },
  };
  // A worker that served in this place before may have wanted to be woken.
  wantWake(board.changeWakes, engine.workerIndex, false);
  wantWake(board.acknowledgementWakes, engine.workerIndex, false);
  engine.bus.handle(TOPIC_CHANGES, () => pump(replication));
  engine.bus.handle(TOPIC_ACKNOWLEDGED, () => tellListeners(replication));
  engine.bus.handle(TOPIC_REPLICA_PROGRESS, (nodeId) => progressOf(replication, nodeId as string));
  engine.bus.handle(TOPIC_INHERITED, (nodeId) => takeInherited(replication, nodeId as string));
  engine.onLogged = () => noteChanges(replication);
  cluster.replication = doorsOf(replication);
  setInterval(tick, REPLICATION_TICK_MS, replication).unref();
}

/** What commands may ask of it (commands/cluster-view.ts). */
function doorsOf(replication: WorkerReplication): Replication {
  const { engine, feeds, listeners, board } = replication;
  return {
    feed: (session, nodeId, resume) => beginFeed(replication, session, nodeId, resume),
    acknowledge: (session, bytes) => {
      const feed = feeds.get(session);
      const told = decodeAcknowledgement(bytes);
      if (feed === undefined || told === undefined) return;
      noteAcknowledged(feed, told);
      tellListenersLater(replication);
      wakeOthers(board.acknowledgementWakes, engine.workerIndex, (worker) => {
        engine.bus.publishTo(threadIdOfWorker(worker), TOPIC_ACKNOWLEDGED, null);
      });
      schedulePump(replication);
    },
    copyAnew: (session, bytes) => {
      const feed = feeds.get(session);
      const passedOver = decodePassedOver(bytes);
      if (feed === undefined || passedOver === undefined) return;
      copyAnew(feed, passedOver.bits, passedOver.epoch);
      schedulePump(replication);
    },
    progress: async (nodeId) => {
      const answers = (await engine.bus.requestAll(TOPIC_REPLICA_PROGRESS, nodeId)) as (
        | ReplicaProgressAnswer
        | undefined
      )[];
      const known = answers.find((answer) => answer !== undefined);
      return known === undefined
        ? undefined
        : { slotBits: Buffer.from(known.slotBits), lsns: encodeNumbers(known.lsns) };
    },
    onAcknowledged: (listener) => {
      listeners.add(listener);
      wantWake(board.acknowledgementWakes, engine.workerIndex, true);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) wantWake(board.acknowledgementWakes, engine.workerIndex, false);
      };
    },
  };
}

// Feeding.

/** The client is another node that wants this one's changes. What stands in the way, or undefined. */
function beginFeed(
  replication: WorkerReplication,
  session: Session,
  nodeId: string,
  resume: Buffer,
): string | undefined {
  const { engine, cluster, board, feeds } = replication;
  const node = cluster.nodes.find((one) => one?.id === nodeId);
  if (node === undefined) return `ERR node ${nodeId} is not known here yet`;
  if (feeds.has(session)) return 'ERR this connection is fed already';
  const point = decodeResume(Buffer.from(resume));
  engine.bus.requestAll(TOPIC_INHERITED, nodeId).then((answers) => {
    if (session.closing) return;
    const feed = createFeed({
      ...{ node: node.index, clientId: session.id, table: cluster.table, board },
      ...{ shards: engine.shards, slotShard: engine.slotShard, runId: engine.runId, resume: point },
      inherited: answers.find((answer) => answer !== undefined) as Float64Array | undefined,
      send: session.connection.push,
      sharedMs: cluster.sharedMs,
    });
    feeds.set(session, feed);
    session.isReplica = true;
    session.onGone = () => endFeed(replication, session);
    schedulePump(replication);
  });
  return undefined;
}

function endFeed(replication: WorkerReplication, session: Session): void {
  const { feeds, board, engine } = replication;
  const feed = feeds.get(session);
  if (feed === undefined) return;
  closeFeed(feed);
  feeds.delete(session);
  if (feeds.size === 0) wantWake(board.changeWakes, engine.workerIndex, false);
  // Who waits for this replica waits no more for nothing.
  tellListenersLater(replication);
}

/** A turn has written to the log. Nothing, where nobody is fed. */
function noteChanges(replication: WorkerReplication): void {
  const { feeds, board, engine } = replication;
  if (feeds.size > 0) schedulePump(replication);
  wakeOthers(board.changeWakes, engine.workerIndex, (worker) => {
    engine.bus.publishTo(threadIdOfWorker(worker), TOPIC_CHANGES, null);
  });
}

function schedulePump(replication: WorkerReplication): void {
  if (replication.isPumpDue) return;
  replication.isPumpDue = true;
  replication.engine.later(() => {
    replication.isPumpDue = false;
    pump(replication);
  });
}

function pump(replication: WorkerReplication): void {
  const { feeds, board, engine } = replication;
  if (feeds.size === 0) return;
  wantWake(board.changeWakes, engine.workerIndex, true);
  let hasMore = false;
  for (const feed of feeds.values()) if (pumpFeed(feed)) hasMore = true;
  if (hasMore) schedulePump(replication);
}

/** A listener may have a client's reply written, which must not happen in the middle of another's command. */
function tellListenersLater(replication: WorkerReplication): void {
  if (replication.isTellingDue || replication.listeners.size === 0) return;
  replication.isTellingDue = true;
  replication.engine.later(() => {
    replication.isTellingDue = false;
    tellListeners(replication);
  });
}

function tellListeners({ listeners, board, engine }: WorkerReplication): void {
  if (listeners.size === 0) return;
  wantWake(board.acknowledgementWakes, engine.workerIndex, true);
  for (const listener of [...listeners]) listener();
}

// Taking in.

function progressOf(
  { links, cluster }: WorkerReplication,
  nodeId: string,
): ReplicaProgressAnswer | undefined {
  const link = [...links.values()].find(({ node }) => node.id === nodeId);
  if (link === undefined) return undefined;
  const slots = wholeSlots(link.intake);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (cluster.table.syncedFrom[slot] !== link.node.index) slots[slot] = 0;
  }
  return { slotBits: encodeSlotBits(slots), lsns: link.intake.lsns };
}

/** It is told once: from then on the node's own LSNs count other things. */
function takeInherited({ inherited }: WorkerReplication, nodeId: string): Float64Array | undefined {
  const lsns = inherited.get(nodeId);
  inherited.delete(nodeId);
  return lsns;
}

function tick(replication: WorkerReplication): void {
  const { cluster, links, feeds, engine } = replication;
  if (replication.version !== cluster.table.words[TABLE_VERSION]) {
    replication.version = cluster.table.words[TABLE_VERSION];
    chooseLinks(replication);
    if (feeds.size > 0) schedulePump(replication);
  }
  for (const link of links.values()) tickLink(link);
  const silentMs = engine.config.replTimeout * MS_PER_SECOND;
  for (const [session, feed] of feeds) {
    if (!isCurrent(feed) || cluster.sharedMs() - feed.heardMs > silentMs) session.connection.destroy();
    else pingIfIdle(feed, REPLICATION_PING_MS);
  }
}

/** Links to the owners of the slots that this node has replicas of, or is to have; to those of this worker's share. */
function chooseLinks(replication: WorkerReplication): void {
  const { cluster, engine, links, around, inherited } = replication;
  const { table, nodes } = cluster;
  const isWanted = new Uint8Array(NO_NODE + 1);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if ((table.roles[slot] & (ROLE_REPLICA | ROLE_IMPORTING)) !== 0) isWanted[table.owners[slot]] = 1;
  }
  for (const [owner, link] of links) {
    const node = nodes[owner];
    if (node?.isAlive === false && hasInherited(link.intake))
      inherited.set(node.id, link.intake.lsns.slice());
    if (isWanted[owner] === 1 && isSameNode(link.node, node)) continue;
    closeLink(link);
    links.delete(owner);
  }
  for (let owner = 0; owner < NO_NODE; owner += 1) {
    const node = nodes[owner];
    if (isWanted[owner] === 0 || node === undefined || links.has(owner)) continue;
    if (owner % engine.workerCount === engine.workerIndex) links.set(owner, createLink(around, node));
  }
}

function isSameNode(link: ReplicaLink['node'], node: ReplicaLink['node'] | undefined): boolean {
  return (
    node !== undefined &&
    node.id === link.id &&
    node.host === link.host &&
    node.port === link.port &&
    node.tlsPort === link.tlsPort
  );
}
