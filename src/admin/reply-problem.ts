/**
 * Why a command was not done, as an HTTP status: from the error reply that RESP clients would get, or from what hindered main.
 * Main thread.
 */
import type { Buffer } from 'node:buffer';
import type { FastifyReply } from 'fastify';
import type { ClusterNode } from '../commands/cluster-view.ts';
import type { Engine } from '../commands/engine.ts';
import type { RunTrouble } from './command-runner.ts';
import { sendProblem } from './problem.ts';

export const RETRY_AFTER_SECONDS = '1';
const MINUS = 45;

/** By the first word of the error. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  WRONGTYPE: 409,
  OOM: 507,
  LOADING: 503,
  MISCONF: 503,
  TRYAGAIN: 503,
  CLUSTERDOWN: 503,
  MOVED: 421,
  ASK: 421,
  NOPERM: 403,
};

/** Whom an error sends clients to. */
const REDIRECTION_PATTERN = /^(?:MOVED|ASK) \d+ (.*):(\d+)$/;

/** Errors of ERR whose text says more. */
const TOO_LARGE_PATTERN = /does not fit|exceeds maximum allowed size/;
const INTERNAL_PATTERN = /^internal error/;

/** The text of an error reply without its mark; undefined where the reply is none. */
export function errorText(reply: Buffer, length: number): string | undefined {
  return length > 0 && reply[0] === MINUS ? reply.toString('utf8', 1, reply.indexOf('\r')) : undefined;
}

/** The problem that an error reply stands for. */
export function errorProblem(text: string): { status: number; detail: string } {
  const code = text.slice(0, text.indexOf(' '));
  const detail = text.slice(code.length + 1);
  return { status: STATUS_OF_CODE[code] ?? statusOfText(detail), detail: code === 'ERR' ? detail : text };
}

/** `host:port` of the pages of the node that an error sends clients to; '' for other errors, and where it has none. */
export function pagesElsewhere({ cluster }: Engine, text: string): string {
  const found = REDIRECTION_PATTERN.exec(text);
  if (found === null || cluster === undefined) return '';
  const [, host, port] = found;
  const isMeant = (node: ClusterNode | undefined) =>
    node?.host === host && [node.port, node.tlsPort].includes(Number(port));
  const node = cluster.nodes.find(isMeant);
  return node === undefined || node.httpPort === 0 ? '' : `${node.host}:${node.httpPort}`;
}

/** The problem of main's own, of status 503. Once more, a change that was made would be another one. */
export function troubleProblem({ isExecuted, detail }: RunTrouble): { mayRetry: boolean; detail: string } {
  return { mayRetry: !isExecuted, detail };
}

/** What is wrong with the number of a database that is none. */
export function databaseFault({ config }: Engine): string {
  return `db is out of range: there are ${config.databases} databases`;
}

/** Answers with the problem that an error reply stands for. */
export function sendErrorReply(reply: FastifyReply, text: string): FastifyReply {
  const { status, detail } = errorProblem(text);
  if (status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  return sendProblem(reply, status, detail);
}

/** Answers that main could not do it, or not safely. */
export function sendTrouble(reply: FastifyReply, trouble: RunTrouble): FastifyReply {
  const { mayRetry, detail } = troubleProblem(trouble);
  if (mayRetry) reply.header('retry-after', RETRY_AFTER_SECONDS);
  return sendProblem(reply, 503, detail);
}

function statusOfText(detail: string): number {
  if (TOO_LARGE_PATTERN.test(detail)) return 413;
  return INTERNAL_PATTERN.test(detail) ? 500 : 400;
}
