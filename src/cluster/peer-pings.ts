/**
 * Main's pings: each second every other node is asked how it is, over a link that stays open.
 *
 * What they find (how long an answer takes, how busy the node is) goes to memory that all threads read (resilience/peer-board.ts). The
 * circuit breaker is told as well: a node that hangs is found out though nobody has asked for its keys, and one that answers again is let in
 * within a second, however long its circuit was to stay open, without a client's command having to try it. Main thread.
 */
import { Buffer } from 'node:buffer';
import type { ClusterView } from '../commands/cluster-view.ts';
import { PEER_PING_MS } from '../config/limits-cluster.ts';
import {
  PEER_COMMANDS_PER_SECOND,
  PEER_HEARD_MS,
  PEER_LATENCY_MS,
  type PeerBoard,
  setPeerNumber,
} from '../resilience/peer-board.ts';
import { OWN_INDEX } from '../routing/node-table.ts';
import { requestOf } from './peer-dial.ts';
import type { Exchange } from './peer-link.ts';
import {
  askNode,
  closeLinks,
  createPeerLinks,
  type LinkEngine,
  noteAnswer,
  type PeerLinks,
} from './peer-links.ts';

export type PeerPings = { readonly links: PeerLinks; readonly timer: NodeJS.Timeout };

const PING = requestOf(['PING']);
const ASK_LOAD = requestOf(['INFO', 'stats']);
const LOAD = /^instantaneous_ops_per_sec:(\d+)/m;
const RESP2 = 2;

/** Begins; the first pings go out after a second. */
export function startPings(engine: LinkEngine, cluster: ClusterView, board: PeerBoard): PeerPings {
  // Nothing is drawn for a ping.
  const links = createPeerLinks(engine, cluster, board, () => 0);
  const timer = setInterval(pingAll, PEER_PING_MS, links);
  timer.unref();
  return { links, timer };
}

export function stopPings({ links, timer }: PeerPings): void {
  clearInterval(timer);
  closeLinks(links, 'this node stops');
}

function pingAll(links: PeerLinks): void {
  const { nodes, table } = links.cluster;
  for (const node of nodes) {
    if (node === undefined || node.index === table.words[OWN_INDEX]) continue;
    ping(links, node.index);
  }
}

function ping(links: PeerLinks, node: number): void {
  const { board, cluster } = links;
  const beat = exchangeOf(PING, () => {
    const nowMs = cluster.sharedMs();
    setPeerNumber(board, node, PEER_LATENCY_MS, nowMs - beat.sentMs);
    setPeerNumber(board, node, PEER_HEARD_MS, nowMs);
    noteAnswer(links, node);
  });
  if (askNode(links, node, RESP2, beat, false, true) !== undefined) return;
  const load = exchangeOf(ASK_LOAD, (text) => {
    const found = LOAD.exec(text);
    if (found !== null) setPeerNumber(board, node, PEER_COMMANDS_PER_SECOND, Number(found[1]));
  });
  askNode(links, node, RESP2, load, false, true);
}

/** Errors, as from a node that loads its data, tell nothing but that it is there. */
function exchangeOf(request: Buffer, onText: (text: string) => void): Exchange {
  const pieces: Buffer[] = [];
  return {
    request,
    prefaces: 0,
    sentMs: 0,
    onPrefaceError: () => undefined,
    onReply: (bytes, start, end, isWhole) => {
      pieces.push(Buffer.from(bytes.subarray(start, end)));
      if (isWhole) onText(Buffer.concat(pieces).toString('latin1'));
    },
    onFailure: () => undefined,
  };
}
