/**
 * The connection of a replica to one owner: calls it, asks for its stream, has that taken in, and says how far it is.
 *
 * Runs on the one worker of the replica that has this owner. A link that breaks is called again after a pause that doubles; what was
 * taken in so far stays, and the next stream goes on from there where the owner still can.
 */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type { ClusterNode, ClusterView } from '../commands/cluster-view.ts';
import type { Engine } from '../commands/engine.ts';
import {
  REPLICA_APPLY_MS,
  REPLICA_CALL_MS_MAX,
  REPLICA_CALL_MS_MIN,
  REPLICATION_PING_MS,
} from '../config/limits-cluster.ts';
import { createReplyWriter, writeArray, writeBulk, writeBulkText } from '../resp/reply-writer.ts';
import { OWN_INDEX, TOPOLOGY_EPOCH } from '../routing/node-table.ts';
import { dialPeer, loginRequest, peerName } from './peer-dial.ts';
import {
  acknowledgement,
  beginStream,
  createIntake,
  heartbeat,
  type Intake,
  reviewSlots,
  TAKE_DAMAGED,
  TAKE_NO_ROOM,
  TAKE_OUTDATED,
  TAKEN_PART,
  takeIn,
  takePassedOver,
} from './replica-intake.ts';
import {
  type Acknowledgement,
  addBytes,
  encodeAcknowledgement,
  encodePassedOver,
  encodeResume,
} from './replication-frames.ts';

/** What a link needs of the worker that it lives on. */
export type LinkSurroundings = {
  readonly engine: Engine;
  readonly cluster: ClusterView;
  readonly readBuffer: Buffer;
};

export type ReplicaLink = {
  readonly around: LinkSurroundings;
  readonly node: ClusterNode;
  readonly intake: Intake;
  socket: Socket | undefined;
  /** Replies to the login and to CLUSTER FEED that are still to come; behind them come frames. */
  repliesLeft: number;
  /** The beginning of a reply. */
  line: string;
  isWorkDue: boolean;
  /** When the next call is due, and how long the pause after the one behind it is; by the machine's clock. */
  callAtMs: number;
  pauseMs: number;
  heardMs: number;
  toldMs: number;
  /** The trouble that was logged last: it is logged once until the owner is heard of again. */
  trouble: string;
  isClosed: boolean;
};

const WORDS_BYTES_START = 256;
const MS_PER_SECOND = 1000;
const LINE_END = '\r\n';
const RESP2 = 2;

/** A link to a node that owns slots of which this one is to have replicas; it is called at the next tick. */
export function createLink(around: LinkSurroundings, node: ClusterNode): ReplicaLink {
  return {
    ...{ around, node, intake: createIntake(around.engine, around.cluster, node.index) },
    ...{ socket: undefined, repliesLeft: 0, line: '', isWorkDue: false, callAtMs: 0 },
    ...{ pauseMs: REPLICA_CALL_MS_MIN, heardMs: 0, toldMs: 0, trouble: '', isClosed: false },
  };
}

/** Whether frames come by it at present. */
function isLinkUp({ socket, repliesLeft }: ReplicaLink): boolean {
  return socket !== undefined && repliesLeft === 0;
}

/** What is due from time to time: the call, what the topology has changed, word that this node is there, the end of a silent link. */
export function tickLink(link: ReplicaLink): void {
  const { around, intake } = link;
  const nowMs = around.cluster.sharedMs();
  reviewSlots(intake);
  if (link.socket === undefined) {
    if (nowMs >= link.callAtMs) call(link, nowMs);
    return;
  }
  const patienceMs = patienceFor(link);
  if (nowMs - link.heardMs > patienceMs) {
    breakLink(link, `nothing was heard of it for ${patienceMs / MS_PER_SECOND} s`);
    return;
  }
  if (!isLinkUp(link)) return;
  tellPassedOver(link);
  if (intake.epochAwaited > 0) scheduleWork(link);
  if (nowMs - link.toldMs >= REPLICATION_PING_MS) acknowledge(link, heartbeat(intake));
}

/** A call that gets no answer is not waited for: behind a partition the machine tries again after half a minute only. */
function patienceFor(link: ReplicaLink): number {
  const { replTimeout, clusterNodeTimeout } = link.around.engine.config;
  const patienceMs = replTimeout * MS_PER_SECOND;
  return isLinkUp(link) ? patienceMs : Math.min(patienceMs, clusterNodeTimeout);
}

/** Nothing is taken in any more. */
export function closeLink(link: ReplicaLink): void {
  link.isClosed = true;
  link.socket?.destroy();
  link.socket = undefined;
}

function call(link: ReplicaLink, nowMs: number): void {
  const { around, node, intake } = link;
  const { engine, cluster } = around;
  const own = cluster.nodes[cluster.table.words[OWN_INDEX]];
  if (own === undefined) return;
  link.callAtMs = nowMs + link.pauseMs;
  link.pauseMs = Math.min(2 * link.pauseMs, REPLICA_CALL_MS_MAX);
  try {
    const { config } = engine;
    const login = loginRequest(config, own.id, RESP2);
    const socket = dialPeer(node, config, config.tlsReplication, around.readBuffer, (length, bytes) => {
      if (link.socket === socket) receive(link, bytes.subarray(0, length));
    });
    // The process may end whatever comes.
    socket.unref();
    const onEnd = (why: string) => {
      if (link.socket === socket) breakLink(link, why);
    };
    socket.on('error', (error) => onEnd(error.message));
    socket.on('close', () => onEnd('it has closed the connection'));
    link.socket = socket;
    link.repliesLeft = login.replies + 1;
    link.line = '';
    link.heardMs = nowMs;
    link.toldMs = nowMs;
    socket.write(login.bytes);
    socket.write(commandOf('FEED', Buffer.from(own.id, 'latin1'), encodeResume(beginStream(intake))));
  } catch (error) {
    breakLink(link, error instanceof Error ? error.message : String(error));
  }
}

function receive(link: ReplicaLink, bytes: Buffer): void {
  link.heardMs = link.around.cluster.sharedMs();
  const at = link.repliesLeft === 0 ? 0 : takeReplies(link, bytes);
  if (link.repliesLeft > 0 || link.socket === undefined || at === bytes.length) return;
  addBytes(link.intake.reader, bytes.subarray(at));
  work(link);
}

/** Reads the replies that come before the frames; returns where those begin. */
function takeReplies(link: ReplicaLink, bytes: Buffer): number {
  let at = 0;
  while (link.repliesLeft > 0 && at < bytes.length) {
    const end = bytes.indexOf(LINE_END[1], at);
    link.line += bytes.toString('latin1', at, end < 0 ? bytes.length : end + 1);
    if (end < 0) return bytes.length;
    at = end + 1;
    if (link.line.startsWith('-')) {
      breakLink(link, link.line.slice(1).trimEnd());
      return bytes.length;
    }
    link.line = '';
    link.repliesLeft -= 1;
    if (link.repliesLeft === 0) noteUp(link);
  }
  return at;
}

function noteUp(link: ReplicaLink): void {
  link.pauseMs = REPLICA_CALL_MS_MIN;
  if (link.trouble !== '')
    link.around.engine.log.notice(`node ${peerName(link.node)} sends its changes again`);
  link.trouble = '';
}

function scheduleWork(link: ReplicaLink): void {
  if (link.isWorkDue) return;
  link.isWorkDue = true;
  link.around.engine.later(() => {
    link.isWorkDue = false;
    if (!link.isClosed && isLinkUp(link)) work(link);
  });
}

/** Takes in what has come, for a while; the rest behind the worker's clients. */
function work(link: ReplicaLink): void {
  const { intake, around } = link;
  const { monotonicMs } = around.engine.timing;
  const endMs = monotonicMs() + REPLICA_APPLY_MS;
  const outcome = takeIn(intake, around.engine.wallMs(), () => monotonicMs() > endMs);
  if (outcome === TAKE_OUTDATED) {
    breakLink(link, 'the topology has changed while it was called');
    return;
  }
  tellPassedOver(link);
  const told = acknowledgement(intake);
  const { socket } = link;
  const onLogged = () => {
    if (told !== undefined && link.socket === socket && !link.isClosed) acknowledge(link, told);
  };
  if (around.engine.whenLogged === undefined) onLogged();
  else around.engine.whenLogged(onLogged);
  if (intake.unknownToSuccessor !== undefined) tellUnknown(link, intake.unknownToSuccessor);
  if (outcome === TAKEN_PART) scheduleWork(link);
  else if (outcome === TAKE_DAMAGED) breakLink(link, 'its stream makes no sense');
  else if (outcome === TAKE_NO_ROOM) {
    link.pauseMs = REPLICA_CALL_MS_MAX;
    breakLink(
      link,
      'there is no room here for what it sends: maxmemory is less than there, or nothing may be evicted',
    );
  }
}

function tellUnknown(link: ReplicaLink, unknown: number): void {
  link.intake.unknownToSuccessor = undefined;
  if (unknown === 0) return;
  const name = peerName(link.node);
  link.around.engine.log.warning(
    `node ${name} has taken over slots of this node: the latest ${unknown} changes at the most, of all slots, never got there, and are given up`,
  );
}

/** Before anything that was passed over is acknowledged. */
function tellPassedOver(link: ReplicaLink): void {
  const slots = takePassedOver(link.intake);
  if (slots === undefined) return;
  const epoch = link.around.cluster.table.numbers[TOPOLOGY_EPOCH];
  tellOwner(link, 'FEED-ANEW', encodePassedOver(slots, epoch));
}

function acknowledge(link: ReplicaLink, told: Acknowledgement): void {
  link.toldMs = link.around.cluster.sharedMs();
  tellOwner(link, 'FEED-ACK', encodeAcknowledgement(told));
}

function tellOwner(link: ReplicaLink, subcommand: string, argument: Buffer): void {
  link.socket?.write(commandOf(subcommand, argument));
}

/** The link is down until the next call. */
function breakLink(link: ReplicaLink, why: string): void {
  const { engine, cluster } = link.around;
  link.socket?.destroy();
  link.socket = undefined;
  link.repliesLeft = 0;
  link.callAtMs = cluster.sharedMs() + link.pauseMs;
  if (link.trouble === why || link.isClosed) return;
  link.trouble = why;
  engine.log.warning(`no changes come from node ${peerName(link.node)}: ${why}`);
}

function commandOf(subcommand: string, ...parts: readonly Buffer[]): Buffer {
  const writer = createReplyWriter(WORDS_BYTES_START);
  writeArray(writer, 2 + parts.length);
  writeBulkText(writer, 'CLUSTER');
  writeBulkText(writer, subcommand);
  for (const part of parts) writeBulk(writer, part, 0, part.length);
  return Buffer.from(writer.bytes.subarray(0, writer.length));
}
