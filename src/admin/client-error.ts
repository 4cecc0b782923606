/**
 * Requests that are no HTTP, or too long, or too slow: no route gets to see them, so the answer is written to the socket. Main thread.
 */
import { Buffer } from 'node:buffer';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { PROBLEM_CONTENT_TYPE, problemText } from './problem.ts';

const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};
const DETAILS: Readonly<Record<number, string>> = {
  400: 'this is not HTTP',
  408: 'the request has not come in time',
  431: 'the address and the headers are too long; /v1/pipeline takes longer keys',
};

/** Answers, where the socket still takes it, and closes the connection. */
export function answerClientError({ code = '' }: NodeJS.ErrnoException, socket: Duplex): void {
  if (socket.writable && code !== 'ECONNRESET') {
    const status = STATUS_OF_CODE[code] ?? 400;
    const text = problemText(status, DETAILS[status]);
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${PROBLEM_CONTENT_TYPE}\r\n` +
        `Content-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
    );
  }
  socket.end(() => socket.destroy());
}
