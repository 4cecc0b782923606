/**
 * All links of one worker to other nodes, made when they are needed, and the circuit breaker in front of each node.
 *
 * A node has a link for each protocol that clients speak, and one more for each over which it is asked for slots that it may not own
 * yet: it may let such requests wait, and nothing else is to wait behind them. The breakers are shared by all threads (resilience/peer-board.ts): once some
 * calls in a row have failed, or one was not answered in time, callers are refused at once, and a probe now and then finds out when
 * the node answers again. A node may be called as this one's own: what was sent away and has come back is executed like
 * any other's command.
 */
import { Buffer } from 'node:buffer';
import type { ClusterNode, ClusterView, LinkFigures } from '../commands/cluster-view.ts';
import type { Engine } from '../commands/engine.ts';
import { PEER_READ_BUFFER_BYTES, SLOT_WAIT_MS } from '../config/limits-cluster.ts';
import { CIRCUITS_OPENED, LINK_TIMEOUTS } from '../metrics/names.ts';
import {
  admits,
  allow,
  type CircuitBreaker,
  closeCircuit,
  REFUSED,
  recordFailure,
  recordSuccess,
  retryInMs,
} from '../resilience/circuit-breaker.ts';
import type { PeerBoard } from '../resilience/peer-board.ts';
import { OWN_INDEX } from '../routing/node-table.ts';
import { dialPeer, loginRequest, peerName } from './peer-dial.ts';
import {
  abandonLink,
  type Exchange,
  hasPlace,
  type LinkHooks,
  openLink,
  outputOf,
  type PeerLink,
  receiveReplies,
  sendRequest,
} from './peer-link.ts';

/** Places of a node's links: by protocol, and whether over it is asked for slots that are on their way. */
const LINKS_PER_NODE = 4;
const FIRST_PROTOCOL = 2;
const ASKING_AT = 2;

/** A link and whom it goes to. */
type Route = { readonly link: PeerLink; readonly node: ClusterNode; readonly openedAtMs: number };

/** What links need of a thread. */
export type LinkEngine = Pick<Engine, 'config' | 'counters' | 'log' | 'later' | 'wallMs'>;

export type PeerLinks = {
  readonly engine: LinkEngine;
  readonly cluster: ClusterView;
  readonly board: PeerBoard;
  /** So many for each node. */
  readonly routes: (Route | undefined)[];
  readonly readBuffer: Buffer;
  /** Chance, from 0 to below 1. */
  readonly random: () => number;
  /** The clock of this turn; 0 when it was not read yet. */
  turnMs: number;
};

export function createPeerLinks(
  engine: LinkEngine,
  cluster: ClusterView,
  board: PeerBoard,
  random: () => number,
): PeerLinks {
  return {
    ...{ engine, cluster, board, random, routes: [], turnMs: 0 },
    readBuffer: Buffer.allocUnsafeSlow(PEER_READ_BUFFER_BYTES),
  };
}

/**
 * Sends a request to a node at the end of the turn. If that cannot be done, what its client is told, and the exchange hears nothing.
 * `isAsking`: it begins with ASKING. `isPing`: the breaker is not asked, but told.
 */
export function askNode(
  links: PeerLinks,
  node: number,
  protocol: 2 | 3,
  exchange: Exchange,
  isAsking: boolean,
  isPing = false,
): string | undefined {
  const peer = links.cluster.nodes[node];
  if (peer === undefined) return `CLUSTERDOWN node ${node} is not known here`;
  const breaker = links.board.breakers[node];
  if (!isPing && allow(breaker, nowMs(links)) === REFUSED) return refusalText(links, breaker, peer);
  const route = routeTo(links, peer, protocol, isAsking);
  if (typeof route === 'string') return route;
  if (!hasPlace(route.link, exchange.request.length)) {
    return `TRYAGAIN too many commands wait for node ${peerName(peer)}`;
  }
  sendRequest(route.link, exchange);
  return undefined;
}

/** Whether `askNode` would have a request sent, as far as the breaker knows. */
export function reaches({ cluster, board }: PeerLinks, node: number): boolean {
  return cluster.nodes[node] !== undefined && admits(board.breakers[node], cluster.sharedMs());
}

/** What each link has to send, and since when it is there. */
export function describeLinks({ routes }: PeerLinks): LinkFigures[] {
  const figures: LinkFigures[] = [];
  for (const route of routes) {
    if (route === undefined) continue;
    const { link, node, openedAtMs } = route;
    const { allocatedBytes, usedBytes } = outputOf(link);
    figures.push({ direction: 'to', nodeId: node.id, createdAtMs: openedAtMs, allocatedBytes, usedBytes });
  }
  return figures;
}

/** Gives up all links; whatever is in flight fails. */
export function closeLinks({ routes }: PeerLinks, reason: string): void {
  for (const route of [...routes]) if (route !== undefined) abandonLink(route.link, reason);
}

/** Milliseconds of the machine's clock, read once a turn. */
function nowMs(links: PeerLinks): number {
  if (links.turnMs === 0) {
    links.turnMs = links.cluster.sharedMs();
    links.engine.later(() => {
      links.turnMs = 0;
    });
  }
  return links.turnMs;
}

function refusalText({ cluster }: PeerLinks, breaker: CircuitBreaker, peer: ClusterNode): string {
  const waitMs = Math.ceil(retryInMs(breaker, cluster.sharedMs()));
  return `CLUSTERDOWN node ${peerName(peer)} does not answer: circuit open, next try in ${waitMs} ms`;
}

/** The link to a node, opened if there is none; or why not. */
function routeTo(links: PeerLinks, peer: ClusterNode, protocol: 2 | 3, isAsking: boolean): Route | string {
  const { routes, engine, cluster } = links;
  const at = peer.index * LINKS_PER_NODE + protocol - FIRST_PROTOCOL + (isAsking ? ASKING_AT : 0);
  const route = routes[at];
  if (route !== undefined && isSame(route.node, peer)) return route;
  if (route !== undefined) abandonLink(route.link, 'the node has another address now');
  const own = cluster.nodes[cluster.table.words[OWN_INDEX]];
  if (own === undefined) return 'CLUSTERDOWN this node is not in the topology yet';
  try {
    const { config } = engine;
    const socket = dialPeer(peer, config, config.tlsCluster, links.readBuffer, (length, bytes) =>
      receiveReplies(opened.link, length, bytes),
    );
    // The process may end whatever is in flight.
    socket.unref();
    const link = openLink(socket, loginRequest(config, own.id, protocol), hooksOf(links, peer, at, isAsking));
    const opened: Route = { link, node: peer, openedAtMs: engine.wallMs() };
    routes[at] = opened;
    return opened;
  } catch (error) {
    noteFailure(links, peer, error instanceof Error ? error.message : String(error), false);
    return `CLUSTERDOWN node ${peerName(peer)} cannot be called; the log says why`;
  }
}

function isSame(some: ClusterNode, other: ClusterNode): boolean {
  if (some === other) return true;
  const { id, host, port, tlsPort } = some;
  return id === other.id && host === other.host && port === other.port && tlsPort === other.tlsPort;
}

function hooksOf(links: PeerLinks, peer: ClusterNode, at: number, isAsking: boolean): LinkHooks {
  const { engine, cluster, board, routes } = links;
  const breaker = board.breakers[peer.index];
  const waitMs = isAsking ? SLOT_WAIT_MS : 0;
  return {
    nowMs: cluster.sharedMs,
    timeoutMs: () => engine.config.clusterPeerTimeout + waitMs,
    later: engine.later,
    onAnswers: () => {
      if (recordSuccess(breaker)) noteClosed(links, peer);
    },
    onBroken: (link, reason, lost, isTimeout) => {
      if (routes[at]?.link === link) routes[at] = undefined;
      if (lost === 0) return;
      if (isTimeout) engine.counters[LINK_TIMEOUTS] += 1;
      noteFailure(links, peer, reason, isTimeout);
    },
  };
}

/** A node has answered a ping, which was not admitted by its breaker. */
export function noteAnswer(links: PeerLinks, node: number): void {
  const peer = links.cluster.nodes[node];
  if (peer !== undefined && closeCircuit(links.board.breakers[node])) noteClosed(links, peer);
}

function noteClosed({ engine }: PeerLinks, peer: ClusterNode): void {
  engine.log.notice(`node ${peerName(peer)} answers again: circuit closed`);
}

/** One failure for all that it cost. A node that hangs opens its circuit at once: each further try would cost somebody a timeout. */
function noteFailure(links: PeerLinks, peer: ClusterNode, reason: string, isTimeout: boolean): void {
  const { engine, cluster, board } = links;
  const breaker = board.breakers[peer.index];
  const failures = isTimeout ? breaker.settings.failuresMax : 1;
  for (let failure = 0; failure < failures; failure += 1) {
    if (!recordFailure(breaker, cluster.sharedMs())) continue;
    engine.counters[CIRCUITS_OPENED] += 1;
    engine.log.warning(`node ${peerName(peer)}: circuit open, commands for it fail at once: ${reason}`);
    return;
  }
}
