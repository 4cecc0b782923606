/**
 * Requests to etcd, each tried at one endpoint after the other, with pauses and a breaker for each endpoint.
 *
 * A failure is thrown as an EtcdError that says whether the request may have been carried out. Only what may be done twice is
 * tried again after such a doubt. Main thread.
 */
import { ExponentialBackoff, handleWhen, isBrokenCircuitError, type RetryPolicy, retry } from 'cockatiel';
import { EtcdError } from '../base/errors.ts';
import {
  ETCD_BREAKER_RESET_MS,
  ETCD_PAUSE_MS_MAX,
  ETCD_PAUSE_MS_MIN,
  ETCD_RETRIES_MAX,
  ETCD_TRY_MS_MAX,
  ETCD_WATCH_SILENCE_MS_MAX,
} from '../config/limits-cluster.ts';
import {
  createEndpoint,
  type EtcdEndpoint,
  isStaleToken,
  type JsonObject,
  logIn,
  openBody,
  post,
} from './etcd-endpoint.ts';

/** How long things may take, in milliseconds: a test has less patience. */
export type EtcdPatience = {
  readonly tryMsMax: number;
  readonly watchSilenceMsMax: number;
  readonly pauseMsMin: number;
  readonly breakerResetMs: number;
};

export type Etcd = {
  readonly endpoints: readonly EtcdEndpoint[];
  readonly patience: EtcdPatience;
  readonly retryAny: RetryPolicy;
  readonly retryUnsent: RetryPolicy;
  /** The endpoint that is tried first: the last one that answered. */
  at: number;
};

export type EtcdOptions = {
  /** At least one, `http://user:password@host:2379`; several may be in one text, between commas. */
  readonly urls: readonly string[];
  readonly patience?: Partial<EtcdPatience>;
};

/** How one request is made. */
export type EtcdRequest = {
  /** Whether it may be carried out twice. */
  readonly isRepeatable: boolean;
  /** Told right before each try. */
  readonly onSend?: () => void;
  /** The longest that one try may take; by default the etcd's own patience. */
  readonly tryMsMax?: number;
  /** Ends all tries. */
  readonly signal?: AbortSignal;
};

const PATIENCE: EtcdPatience = {
  tryMsMax: ETCD_TRY_MS_MAX,
  watchSilenceMsMax: ETCD_WATCH_SILENCE_MS_MAX,
  pauseMsMin: ETCD_PAUSE_MS_MIN,
  breakerResetMs: ETCD_BREAKER_RESET_MS,
};

/** Connects to nothing yet. */
export function createEtcd({ urls, patience }: EtcdOptions): Etcd {
  const merged = { ...PATIENCE, ...patience };
  const endpoints = splitUrls(urls).map((url) => createEndpoint(url, merged.breakerResetMs));
  const retryWhen = (isRetried: (error: EtcdError) => boolean) =>
    retry(
      handleWhen((error) => error instanceof EtcdError && isRetried(error)),
      {
        maxAttempts: Math.max(ETCD_RETRIES_MAX, endpoints.length),
        backoff: new ExponentialBackoff({ initialDelay: merged.pauseMsMin, maxDelay: ETCD_PAUSE_MS_MAX }),
      },
    );
  return {
    endpoints,
    patience: merged,
    retryAny: retryWhen(({ outcome }) => outcome !== 'refused'),
    retryUnsent: retryWhen(({ outcome }) => outcome === 'unsent'),
    at: 0,
  };
}

/** One text for each URL, whether spaces or commas stood between them. */
export function splitUrls(urls: readonly string[]): string[] {
  return urls.flatMap((text) => text.split(',')).filter((text) => text !== '');
}

/** Posts a request and resolves to the answer, an object. Rejects with an EtcdError. */
export async function callEtcd(
  etcd: Etcd,
  path: string,
  body: JsonObject,
  request: EtcdRequest,
): Promise<JsonObject> {
  const policy = request.isRepeatable ? etcd.retryAny : etcd.retryUnsent;
  return policy.execute(() => tryNextEndpoint(etcd, path, body, request), request.signal);
}

/**
 * Opens a stream of lines at the endpoint whose turn it is, once: whoever wants it again asks again. The answer's body is read by
 * the caller, until `signal` ends it.
 */
export async function openStream(
  etcd: Etcd,
  path: string,
  body: JsonObject,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  return atEndpoint(etcd, async (endpoint) => {
    await logIn(endpoint, etcd.patience.tryMsMax);
    return openBody(endpoint, path, body, etcd.patience.tryMsMax, signal);
  });
}

/** The next request to each endpoint logs in first: a stream says less clearly than a request that its token is not good any more. */
export function forgetLogins({ endpoints }: Etcd): void {
  for (const endpoint of endpoints) endpoint.token = '';
}

function tryNextEndpoint(
  etcd: Etcd,
  path: string,
  body: JsonObject,
  { onSend, tryMsMax = etcd.patience.tryMsMax, signal }: EtcdRequest,
): Promise<JsonObject> {
  return atEndpoint(etcd, async (endpoint) => {
    await logIn(endpoint, tryMsMax);
    onSend?.();
    return post(endpoint, path, body, tryMsMax, signal);
  });
}

/** The endpoint that answered last is asked first; after one that has not, it is the next one's turn. */
async function atEndpoint<Answer>(
  etcd: Etcd,
  ask: (endpoint: EtcdEndpoint) => Promise<Answer>,
): Promise<Answer> {
  const { at, endpoints } = etcd;
  const endpoint = endpoints[at];
  try {
    return await endpoint.breaker.execute(() => ask(endpoint));
  } catch (error) {
    const failure = failureAt(endpoint, error);
    if (failure.outcome !== 'refused' && etcd.at === at) etcd.at = (at + 1) % endpoints.length;
    throw failure;
  }
}

/** What is not etcd's failure is a bug, and thrown as it is. */
function failureAt(endpoint: EtcdEndpoint, error: unknown): EtcdError {
  if (isBrokenCircuitError(error)) return new EtcdError(lastFailureText(endpoint), 'unsent');
  if (!(error instanceof EtcdError)) throw error;
  if (endpoint.token === '' || !isStaleToken(error)) return error;
  // It was refused at the door: with another login it may be tried again.
  endpoint.token = '';
  return new EtcdError(error.message, 'unsent', error.code);
}

/** Why an endpoint is left alone for a moment: what happened there last. */
function lastFailureText({ origin, breaker }: EtcdEndpoint): string {
  const { lastFailure } = breaker;
  const error = lastFailure !== undefined && 'error' in lastFailure ? lastFailure.error : undefined;
  return error instanceof EtcdError ? error.message : `${origin} has failed lately`;
}
