/** Drives a server with redis-benchmark and reads what it measured. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** One run: `command` may hold `__rand_int__`, a random number of 12 digits below `keys`. */
export type BenchmarkRun = {
  readonly program: string;
  readonly port: number;
  readonly command: readonly string[];
  readonly requests: number;
  readonly clients: number;
  readonly pipeline: number;
  readonly keys: number;
  /** Threads of the load generator. */
  readonly threads: number;
};

export type BenchmarkResult = { requestsPerSecond: number; p50Ms: number; p99Ms: number };

const RUN_MS_MAX = 10 * 60_000;

const execute = promisify(execFile);

/** Throws what redis-benchmark says where it fails, on the first error reply too. */
export async function runRedisBenchmark(run: BenchmarkRun): Promise<BenchmarkResult> {
  const { stdout } = await execute(run.program, benchmarkArguments(run), { timeout: RUN_MS_MAX });
  return parseBenchmarkCsv(stdout);
}

export function benchmarkArguments(run: BenchmarkRun): string[] {
  const threads = run.threads > 1 ? ['--threads', String(run.threads)] : [];
  const numbers = {
    '-p': run.port,
    '-n': run.requests,
    '-c': run.clients,
    '-P': run.pipeline,
    '-r': run.keys,
  };
  return [
    ...Object.entries(numbers).flatMap(([flag, value]) => [flag, String(value)]),
    ...threads,
    '--csv',
    ...run.command,
  ];
}

/** Reads the one result of `redis-benchmark --csv`, by the names in its heading. Throws where it is not there. */
export function parseBenchmarkCsv(text: string): BenchmarkResult {
  const lines = text.split('\n').filter((line) => line.startsWith('"'));
  const names = csvFields(lines[0] ?? '');
  const values = csvFields(lines[1] ?? '');
  const read = (name: string): number => {
    const value = Number(values[names.indexOf(name)] ?? Number.NaN);
    if (Number.isNaN(value)) throw new Error(`redis-benchmark told no ${name}: ${text.trim().slice(0, 500)}`);
    return value;
  };
  return { requestsPerSecond: read('rps'), p50Ms: read('p50_latency_ms'), p99Ms: read('p99_latency_ms') };
}

function csvFields(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"/g)].map((match) => match[1]);
}
