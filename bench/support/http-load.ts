/**
 * One load of HTTP on a running server: requests a second, latency, and the processor time that a request costs its processes.
 */
import autocannon from 'autocannon';
import type { HttpServer } from './http-servers.ts';
import { cpuSecondsOf } from './proc.ts';
import { quantileOf } from './statistics.ts';

/** Each connection asks for the paths in turn. */
export type HttpLoad = {
  readonly name: string;
  readonly method: 'GET' | 'PUT';
  readonly paths: readonly string[];
  readonly body?: string;
};

export type HttpRun = { requestsPerSecond: number; p50Ms: number; p99Ms: number; cpuUs: number };

const SECONDS_TO_US = 1e6;
const BYTES = { 'content-type': 'application/octet-stream' };

/** Throws where a request fails or is not answered with success. */
export async function measureHttp(
  { httpPort, pids }: HttpServer,
  { name, method, paths, body }: HttpLoad,
  connections: number,
  seconds: number,
): Promise<HttpRun> {
  // Its own histogram has whole milliseconds only.
  const latenciesMs: number[] = [];
  const headers = body === undefined ? {} : BYTES;
  const cpuBefore = cpuSeconds(pids);
  const run = autocannon({
    url: `http://127.0.0.1:${httpPort}`,
    connections,
    duration: seconds,
    requests: paths.map((path) => ({ method, path, body, headers })),
  });
  run.on('response', (_client, _status, _bytes, latencyMs) => latenciesMs.push(latencyMs));
  const { errors, non2xx, duration } = await run;
  if (errors + non2xx > 0 || latenciesMs.length === 0)
    throw new Error(`${name}: ${errors} requests failed, ${non2xx} were refused, of ${latenciesMs.length}`);
  return {
    requestsPerSecond: latenciesMs.length / duration,
    p50Ms: quantileOf(latenciesMs, 0.5),
    p99Ms: quantileOf(latenciesMs, 0.99),
    cpuUs: ((cpuSeconds(pids) - cpuBefore) * SECONDS_TO_US) / latenciesMs.length,
  };
}

/** So that each GET finds its key. */
export async function storeKeys(
  { httpPort }: HttpServer,
  paths: readonly string[],
  value: string,
): Promise<void> {
  for (const path of paths) {
    const options = { method: 'PUT', body: value, headers: BYTES };
    const { ok, status } = await fetch(`http://127.0.0.1:${httpPort}${path}`, options);
    if (!ok) throw new Error(`PUT ${path}: ${status}`);
  }
}

function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
}
