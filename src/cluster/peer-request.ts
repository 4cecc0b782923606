/**
 * One question to another node, from main: connects, logs in, asks, and closes, all within a bound.
 *
 * For what is asked seldom (how far a replica is, how a node fares); commands of clients go over the workers' links
 * (peer-links.ts). Main thread.
 */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import { PEER_ANSWER_BYTES_MAX } from '../config/limits-cluster.ts';
import {
  createReplyFrames,
  FRAME_MALFORMED,
  FRAME_UNFINISHED,
  type ReplyFrames,
  readFrame,
} from '../resp/reply-frames.ts';
import { decodeReply, isFault, type ReplyValue } from '../resp/reply-value.ts';
import { dialPeer, loginRequest, type PeerAddress, peerName, requestOf } from './peer-dial.ts';

/** What became of a question: the reply, or in words why there is none. */
export type PeerAnswer =
  | { readonly reply: ReplyValue; readonly problem?: undefined }
  | { readonly reply?: undefined; readonly problem: string };

type Question = {
  readonly frames: ReplyFrames;
  /** What has come of the present frame. */
  pieces: Buffer[];
  bytes: number;
  /** Replies to the login that are still to come. */
  loginsLeft: number;
};

const READ_BYTES = 65_536;
const RESP2 = 2;

/** Asks `node` one command as this node of the cluster. Never rejects; an error that the node answers is a problem. */
export function askPeer(
  node: PeerAddress,
  config: Config,
  ownId: string,
  words: readonly string[],
  waitMs: number,
): Promise<PeerAnswer> {
  return new Promise((resolve) => {
    const login = loginRequest(config, ownId, RESP2);
    const question: Question = {
      frames: createReplyFrames(),
      pieces: [],
      bytes: 0,
      loginsLeft: login.replies,
    };
    let socket: Socket | undefined;
    const finish = (answer: PeerAnswer) => {
      clearTimeout(timer);
      socket?.destroy();
      resolve(answer);
    };
    const fail = (why: string) => finish({ problem: `${peerName(node)} ${why}` });
    const timer = setTimeout(() => fail(`has not answered within ${waitMs} ms`), waitMs);
    try {
      socket = dialPeer(node, config, config.tlsCluster, Buffer.allocUnsafe(READ_BYTES), (length, bytes) => {
        const answer = takeBytes(question, bytes, length);
        if (answer?.problem !== undefined) fail(answer.problem);
        else if (answer !== undefined) finish(answer);
      });
    } catch (error) {
      fail(`cannot be called: ${(error as Error).message}`);
      return;
    }
    socket.on('error', (error: NodeJS.ErrnoException) =>
      fail(`cannot be reached: ${error.code ?? error.message}`),
    );
    socket.on('close', () => fail('has closed the connection'));
    socket.write(Buffer.concat([login.bytes, requestOf(words)]));
  });
}

/** Undefined: more is to come. */
function takeBytes(question: Question, bytes: Buffer, length: number): PeerAnswer | undefined {
  let at = 0;
  while (at < length) {
    const end = readFrame(question.frames, bytes, at, length);
    if (end === FRAME_MALFORMED) return { problem: 'does not speak RESP' };
    const piece = Buffer.from(bytes.subarray(at, end === FRAME_UNFINISHED ? length : end));
    question.pieces.push(piece);
    question.bytes += piece.length;
    if (question.bytes > PEER_ANSWER_BYTES_MAX) return { problem: 'answers more than it was asked' };
    if (end === FRAME_UNFINISHED) return undefined;
    at = end;
    const answer = takeReply(question);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

function takeReply(question: Question): PeerAnswer | undefined {
  const reply = decodeReply(Buffer.concat(question.pieces));
  question.pieces = [];
  question.bytes = 0;
  if (isFault(reply)) return { problem: `answered: ${reply.fault}` };
  if (question.loginsLeft === 0) return { reply };
  question.loginsLeft -= 1;
  return undefined;
}
