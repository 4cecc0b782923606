/**
 * The answers about one key, written to node:http. Main thread.
 */
import { Buffer } from 'node:buffer';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { RunTrouble } from './command-runner.ts';
import { SECURITY_HEADERS } from './guard.ts';
import type { KeyOutcome } from './key-commands.ts';
import { PROBLEM_CONTENT_TYPE, problemText } from './problem.ts';
import { errorProblem, RETRY_AFTER_SECONDS, troubleProblem } from './reply-problem.ts';

/**
 * A copy of a value may be kept, and is asked about before each use: that is what the entity tag is for. Bytes are never shown as
 * a document, and no other site may load them, so that what else is said of documents can go unsaid: each header costs.
 */
const VALUE_HEADERS = flatHeaders({
  'cache-control': 'private, no-cache',
  'content-type': 'application/octet-stream',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
});
const PROBLEM_HEADERS = flatHeaders({ ...SECURITY_HEADERS, 'content-type': PROBLEM_CONTENT_TYPE });

/** Up to this many bytes, a body goes out as a text of one character per byte: with the headers, in one write. */
const TEXT_BODY_BYTES_MAX = 16 * 1024;
const NOTHING = Buffer.alloc(0);

/** What came of a request that was executed. */
export function answerOutcome(response: ServerResponse, method: string, outcome: KeyOutcome): ServerResponse {
  const { kind, existed, tag, ttlMs, value } = outcome;
  const isRead = method === 'GET' || method === 'HEAD';
  if (kind === 'missing') return answerProblem(response, 404, 'there is no such key');
  if (kind === 'unmatched' || (kind === 'matched' && !isRead)) return answerUnmet(response, outcome);
  if (!isRead) {
    const isPut = method === 'PUT';
    return send(response, isPut && !existed ? 201 : 204, isPut ? ['etag', tag] : [], NOTHING);
  }
  const headers = [...VALUE_HEADERS, 'etag', tag];
  if (ttlMs > 0) headers.push('distcache-ttl-ms', String(ttlMs));
  return send(response, kind === 'matched' ? 304 : 200, headers, value);
}

/** With the tag of what is there, so that the client need not ask. */
function answerUnmet(response: ServerResponse, { kind, existed, tag }: KeyOutcome): ServerResponse {
  const headers = existed ? ['etag', tag] : [];
  if (kind === 'matched')
    return answerProblem(response, 412, 'the key exists, and If-None-Match forbids that', headers);
  const text = existed ? 'the key has changed: its etag is another one' : 'there is no such key to match';
  return answerProblem(response, 412, text, headers);
}

/** The rest of the body is not read: the connection ends. */
export function answerTooLarge(response: ServerResponse, bytesMax: number): ServerResponse {
  const text = `a value of this key has at most ${bytesMax} bytes (proto-max-bulk-len, maxmemory, workers)`;
  return answerProblem(response, 413, text, ['connection', 'close']);
}

/** The error that a client of RESP would get; `elsewhere` are the pages of the node that has the key, '' if this one has it. */
export function answerError(response: ServerResponse, text: string, elsewhere: string): ServerResponse {
  const { status, detail } = errorProblem(text);
  if (elsewhere !== '') {
    const where = `the key is on another node: ask ${elsewhere}`;
    return answerProblem(response, status, where, ['distcache-node', elsewhere]);
  }
  return answerProblem(response, status, detail, status === 503 ? ['retry-after', RETRY_AFTER_SECONDS] : []);
}

/** What hindered main. */
export function answerTrouble(response: ServerResponse, trouble: RunTrouble): ServerResponse {
  const { mayRetry, detail } = troubleProblem(trouble);
  return answerProblem(response, 503, detail, mayRetry ? ['retry-after', RETRY_AFTER_SECONDS] : []);
}

/** A problem; `headers` are flat: name, value, name, value. */
export function answerProblem(
  response: ServerResponse,
  status: number,
  detail: string,
  headers: readonly string[] = [],
): ServerResponse {
  return send(response, status, [...PROBLEM_HEADERS, ...headers], Buffer.from(problemText(status, detail)));
}

function send(
  response: ServerResponse,
  status: number,
  headers: readonly string[],
  body: Buffer,
): ServerResponse {
  const hasBody = status !== 204 && status !== 304;
  const length = hasBody ? ['content-length', String(body.length)] : [];
  response.writeHead(status, STATUS_CODES[status], [...headers, ...length]);
  if (!hasBody || body.length === 0) return response.end();
  return body.length <= TEXT_BODY_BYTES_MAX
    ? response.end(body.toString('latin1'), 'latin1')
    : response.end(body);
}

function flatHeaders(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).flat();
}
