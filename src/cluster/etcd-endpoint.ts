/**
 * One endpoint of etcd's JSON gateway, over fetch: posts, streams, and logins.
 *
 * What goes wrong is thrown as an EtcdError. A password in the endpoint's URL is exchanged for a token, and stands in no message.
 * Main thread. Source: etcd's API reference, "Why gRPC gateway" (grpc-gateway, /v3, from etcd 3.4 on).
 */
import {
  type CircuitBreakerPolicy,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  type IBackoff,
} from 'cockatiel';
import { sharedMs } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import { ETCD_BREAKER_FAILURES } from '../config/limits-cluster.ts';

/** One client URL of etcd, and how it has been lately. */
export type EtcdEndpoint = {
  /** Without user and password: for messages too. */
  readonly origin: string;
  readonly user: string;
  readonly password: string;
  readonly breaker: CircuitBreakerPolicy;
  /** What a login gave; '' before one, and where etcd asks for none. */
  token: string;
};

export type JsonObject = Readonly<Record<string, unknown>>;

/** Codes of gRPC (its `codes` package). */
const CODE_FAILED_PRECONDITION = 9;
const CODE_UNAUTHENTICATED = 16;
const CODE_INVALID_ARGUMENT = 3;
const SERVER_ERROR_STATUS = 500;
const TOO_MANY_REQUESTS_STATUS = 429;

/** What the system says of a connection that was never there. */
const UNSENT_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Of a client URL; it is left alone for so long after some failures in a row. */
export function createEndpoint(url: string, breakerResetMs: number): EtcdEndpoint {
  const { origin, username, password } = new URL(url);
  return {
    origin,
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    breaker: circuitBreaker(
      handleWhen((error) => error instanceof EtcdError && error.outcome !== 'refused'),
      {
        halfOpenAfter: { next: () => pauseFromNow(breakerResetMs) },
        breaker: new ConsecutiveBreaker(ETCD_BREAKER_FAILURES),
      },
    ),
    token: '',
  };
}

/** The library compares with the wall clock how long a breaker has been open: a step of that must not keep this node from etcd. */
function pauseFromNow(ms: number): IBackoff<unknown> {
  const endsMs = sharedMs() + ms;
  return {
    get duration() {
      return sharedMs() < endsMs ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    },
    next: () => pauseFromNow(ms),
  };
}

/** A token is good for some minutes, and for one revision of etcd's users: a request that it is too old for is refused once. */
export async function logIn(endpoint: EtcdEndpoint, tryMsMax: number): Promise<void> {
  if (endpoint.user === '' || endpoint.token !== '') return;
  const { user, password } = endpoint;
  try {
    const answer = await post(endpoint, '/v3/auth/authenticate', { name: user, password }, tryMsMax);
    if (typeof answer.token === 'string') endpoint.token = answer.token;
  } catch (error) {
    // Users are not enabled there: it takes anybody.
    if (error instanceof EtcdError && error.code === CODE_FAILED_PRECONDITION) return;
    if (!(error instanceof EtcdError)) throw error;
    // Whatever became of the login: what it was for has not been sent.
    if (error.outcome !== 'refused') throw new EtcdError(error.message, 'unsent', error.code);
    throw new EtcdError(`${endpoint.origin} refuses the login of '${user}'`, 'refused', error.code);
  }
}

/** etcd 3.4 calls a token that it does not know, or one from before a change of users, an invalid argument. */
export function isStaleToken({ code, message }: EtcdError): boolean {
  return code === CODE_UNAUTHENTICATED || (code === CODE_INVALID_ARGUMENT && message.includes('auth'));
}

function headersFor({ token }: EtcdEndpoint): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    ...(token === '' ? {} : { Authorization: token }),
  };
}

/** Posts once, and resolves to the answer. */
export async function post(
  endpoint: EtcdEndpoint,
  path: string,
  body: JsonObject,
  tryMsMax: number,
  signal?: AbortSignal,
): Promise<JsonObject> {
  const bounds = [AbortSignal.timeout(tryMsMax), ...(signal === undefined ? [] : [signal])];
  const response = await send(endpoint, path, body, headersFor(endpoint), AbortSignal.any(bounds));
  const text = await response.text().catch((error: unknown) => {
    throw new EtcdError(`${endpoint.origin} broke off its answer: ${causeText(error)}`, 'unknown');
  });
  if (!response.ok) throw failureOf(endpoint, response.status, text);
  return parseAnswer(endpoint, text);
}

/** Posts once, and resolves to the body of the answer, which comes as long as `signal` lets it. */
export async function openBody(
  endpoint: EtcdEndpoint,
  path: string,
  body: JsonObject,
  tryMsMax: number,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  // Without it, a server that has lost the others goes on in silence.
  const headers = { ...headersFor(endpoint), 'Grpc-Metadata-hasleader': 'true' };
  const connecting = new AbortController();
  const timer = setTimeout(() => connecting.abort(), tryMsMax);
  try {
    const bounds = AbortSignal.any([signal, connecting.signal]);
    const response = await send(endpoint, path, body, headers, bounds);
    if (response.ok && response.body !== null) return response.body;
    throw failureOf(endpoint, response.status, await response.text());
  } finally {
    clearTimeout(timer);
  }
}

async function send(
  endpoint: EtcdEndpoint,
  path: string,
  body: JsonObject,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  try {
    return await fetch(endpoint.origin + path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers,
      signal,
      redirect: 'error',
    });
  } catch (error) {
    const outcome = UNSENT_CODES.has(causeCode(error)) ? 'unsent' : 'unknown';
    throw new EtcdError(`${endpoint.origin} cannot be reached: ${causeText(error)}`, outcome);
  }
}

/** An answer whose end is missing is no answer: what was asked for may have been done. */
function parseAnswer({ origin }: EtcdEndpoint, text: string): JsonObject {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === 'object' && answer !== null && !Array.isArray(answer)) return answer as JsonObject;
  } catch {
    // Told below.
  }
  throw new EtcdError(`${origin} does not answer as etcd does`, 'unknown');
}

/** etcd's own words stand in the body, as JSON and then perhaps trailers; a proxy's answer has none. */
function failureOf({ origin }: EtcdEndpoint, status: number, text: string): EtcdError {
  const isTransient = status >= SERVER_ERROR_STATUS || status === TOO_MANY_REQUESTS_STATUS;
  const words = /"(?:message|error)":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? `HTTP status ${status}`;
  const code = Number(/"code":(\d+)/.exec(text)?.[1] ?? 0);
  return new EtcdError(`${origin}: ${words}`, isTransient ? 'unknown' : 'refused', code);
}

function causeCode(error: unknown): string {
  const cause = (error as Error).cause as NodeJS.ErrnoException | AggregateError | undefined;
  if (cause instanceof AggregateError) return (cause.errors[0] as NodeJS.ErrnoException).code ?? '';
  return (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
}

function causeText(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === 'TimeoutError' || name === 'AbortError') return 'no answer in time';
  const code = causeCode(error);
  if (code !== '') return code;
  return cause instanceof Error ? cause.message : message;
}
