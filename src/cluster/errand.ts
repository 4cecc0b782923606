/**
 * One request to the node that is taken for the owner of its keys, followed to the node that says it is.
 *
 * On the worker of whoever asked. A redirection is followed with ASKING, which harms nowhere: a node that is about to own the slot
 * lets the request wait until it does, where it would otherwise send it back to a node that has just given the slot away. So requests
 * of one client for one key stay in their order.
 */
import { Buffer } from 'node:buffer';
import type { ClusterNode } from '../commands/cluster-view.ts';
import { PEER_REDIRECTIONS_MAX } from '../config/limits-cluster.ts';
import { FORWARD_FAILURES, FORWARDS } from '../metrics/names.ts';
import { FRAME_ERROR } from '../resp/reply-frames.ts';
import { peerName, requestOf } from './peer-dial.ts';
import type { Exchange } from './peer-link.ts';
import { askNode, type PeerLinks } from './peer-links.ts';

/** What is to be asked, and who hears of the answer. */
export type Errand = {
  readonly protocol: 2 | 3;
  /** RESP of one command, or of several that are one request; and how many replies come before the one that counts. */
  readonly request: Buffer;
  readonly prefaces: number;
  /** Executed without an answer, it has changed something. */
  readonly isWrite: boolean;
  /** Whether redirections are followed: not where the keys are of several slots. */
  readonly mayFollow: boolean;
  /** `bytes[start, end)` of the reply, good until it returns. An error comes whole. */
  readonly onReply: (bytes: Buffer, start: number, end: number, isWhole: boolean) => void;
  /** There will be no (more of a) reply: an error for the client instead. */
  readonly onFailure: (text: string) => void;
};

const ASKING = requestOf(['ASKING']);
const REDIRECTION = /^(?:MOVED|ASK) \d+ (.*):(\d+)$/;
const LINE_END_BYTES = 2;

/** Asks `node`; with `isAsking`, for a slot that it may not own yet. */
export function runErrand(links: PeerLinks, errand: Errand, node: number, isAsking: boolean): void {
  ask(links, errand, node, isAsking, errand.mayFollow ? PEER_REDIRECTIONS_MAX : 0);
}

/** Where an error sends whoever asked; undefined where it sends nobody, or to a node that is not known. */
function redirectionOf({ cluster }: PeerLinks, text: string): ClusterNode | undefined {
  const found = REDIRECTION.exec(text);
  if (found === null) return undefined;
  const [, host, port] = found;
  return cluster.nodes.find(
    (node) => node?.host === host && (node.port === Number(port) || node.tlsPort === Number(port)),
  );
}

/** The text of an error reply, without its mark and line end; undefined where the bytes are none. */
export function errorOf(bytes: Buffer, start: number, end: number): string | undefined {
  if (bytes[start] !== FRAME_ERROR) return undefined;
  return bytes.toString('latin1', start + 1, end - LINE_END_BYTES);
}

function ask(
  links: PeerLinks,
  errand: Errand,
  node: number,
  isAsking: boolean,
  redirectionsLeft: number,
): void {
  const { request, prefaces, protocol, onReply } = errand;
  const { counters } = links.engine;
  const onFailure = (text: string): void => {
    counters[FORWARD_FAILURES] += 1;
    errand.onFailure(text);
  };
  counters[FORWARDS] += 1;
  let hasBegun = false;
  let prefaceError = '';
  const exchange: Exchange = {
    request: isAsking ? Buffer.concat([ASKING, request]) : request,
    prefaces: isAsking ? prefaces + 1 : prefaces,
    sentMs: 0,
    onPrefaceError: (text) => {
      if (prefaceError === '') prefaceError = text;
    },
    onReply: (bytes, start, end, isWhole, isError) => {
      // The reason why a transaction was not executed stands in front.
      const text = isError && !hasBegun ? prefaceError || errorOf(bytes, start, end) : undefined;
      const next = text === undefined ? undefined : redirectionOf(links, text);
      if (next !== undefined && redirectionsLeft > 0) {
        ask(links, errand, next.index, true, redirectionsLeft - 1);
        return;
      }
      hasBegun = true;
      onReply(bytes, start, end, isWhole);
    },
    onFailure: (reason, wasSent) => onFailure(failureText(links, errand, node, reason, wasSent)),
  };
  const refusal = askNode(links, node, protocol, exchange, isAsking);
  if (refusal !== undefined) onFailure(refusal);
}

/** A client that tries again after CLUSTERDOWN does no harm: nothing was executed that changes anything. */
function failureText(
  { cluster }: PeerLinks,
  { isWrite }: Errand,
  node: number,
  reason: string,
  wasSent: boolean,
): string {
  const peer = cluster.nodes[node];
  const name = peer === undefined ? node : peerName(peer);
  if (!wasSent) return `CLUSTERDOWN node ${name} cannot be reached: ${reason}`;
  if (!isWrite) return `CLUSTERDOWN node ${name} does not answer: ${reason}`;
  return `IOERR node ${name} does not answer: ${reason}; the command may have been executed`;
}
