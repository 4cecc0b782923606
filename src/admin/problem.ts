/**
 * Errors over HTTP: problem details (RFC 9457), whose title is the status and whose detail is one line for people. Main
 * thread.
 */
import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8';

/** Answers with the status and one line that says what is wrong. */
export function sendProblem(reply: FastifyReply, status: number, detail: string): FastifyReply {
  return reply.code(status).type(PROBLEM_CONTENT_TYPE).send(problemText(status, detail));
}

/** The document itself. */
export function problemText(status: number, detail: string): string {
  return JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail });
}
