/** What is asked of redis-benchmark, and what is read out of its answer. */
import { expect, test } from 'vitest';
import { benchmarkArguments, parseBenchmarkCsv } from '../../bench/support/redis-benchmark.ts';

const HEADING =
  '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"';

const run = {
  program: 'redis-benchmark',
  port: 7000,
  command: ['GET', 'key:__rand_int__'],
  requests: 1000,
  clients: 50,
  pipeline: 16,
  keys: 100_000,
  threads: 1,
};

test('throughput and latencies are read from the columns with their names', () => {
  const text = `${HEADING}\n"SET key:__rand_int__ xxxx","526315.81","1.128","0.344","0.975","1.599","6.135","6.295"\n`;
  expect(parseBenchmarkCsv(text)).toEqual({ requestsPerSecond: 526_315.81, p50Ms: 0.975, p99Ms: 6.135 });
});

test('columns in another order and lines that are no results do not confuse it', () => {
  const text = 'WARNING: something\n"p99_latency_ms","rps","p50_latency_ms"\n\n"3","1","2"\n';
  expect(parseBenchmarkCsv(text)).toEqual({ requestsPerSecond: 1, p50Ms: 2, p99Ms: 3 });
});

test('an answer without a result, or with a number that is none, is refused with its text', () => {
  expect(() => parseBenchmarkCsv('Could not connect')).toThrow('Could not connect');
  expect(() => parseBenchmarkCsv(`${HEADING}\n`)).toThrow('rps');
  expect(() => parseBenchmarkCsv(`${HEADING}\n"GET","nan","1","1","1","1","1","1"\n`)).toThrow('rps');
});

test('the command comes last, behind the flags', () => {
  expect(benchmarkArguments(run).join(' ')).toBe(
    '-p 7000 -n 1000 -c 50 -P 16 -r 100000 --csv GET key:__rand_int__',
  );
});

test('threads of the load generator are asked for only when there are several', () => {
  expect(benchmarkArguments({ ...run, threads: 4 }).join(' ')).toContain('-r 100000 --threads 4 --csv GET');
});
