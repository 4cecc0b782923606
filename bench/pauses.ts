/**
 * `npm run bench:pauses`: how long the locks of the shards are held while millions of keys are inserted, every hold timed,
 * and how late a million keys go that fall due at the same moment, both as the server itself tells them at /metrics; and the
 * holds of as many inserts on one thread, repeated, so that what the code does can be told from what disturbs it.
 */
import { ask, requestText, sendMany } from './support/client.ts';
import { keepProcessor } from './support/keep-processor.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable } from './support/markdown.ts';
import { type Options, runBenchmark, tellProgress, writeJson } from './support/options.ts';
import { fetchMetrics, ourPeer, type RunningPeer, withPeer } from './support/peers.ts';
import { preemptionsOf } from './support/proc.ts';
import { measureRepeatedHolds, type RepeatedHolds } from './support/repeated-holds.ts';
import { histogramBuckets, sampleMax, sampleSum } from './support/server-text.ts';

const DEFAULTS = { keys: 10_000_000, expiring: 1_000_000, workers: 0, json: '' };

const VALUE = 'x'.repeat(64);
const KEY_DIGITS = 9;
/** More than a key costs, so that nothing is evicted. */
const BYTES_PER_KEY = 160;
const MEMORY_BYTES_MIN = 256 * 2 ** 20;

/** The keys fall due so long after the first is written: time enough to write them all. */
const WRITES_PER_SECOND_AT_LEAST = 50_000;
const DUE_AFTER_MS_MIN = 5_000;
const GONE_WITHIN_MS_MAX = 60_000;
/** Seldom enough that asking does not keep the processors from expiring. */
const POLL_MS = 100;

const HOLD = 'distcache_shard_lock_hold_seconds';
const HOLD_MAX = 'distcache_shard_lock_hold_max_seconds';
const LAG_MAX = 'distcache_shard_expiry_lag_max_seconds';
const EXPIRED = 'distcache_shard_expired_keys_total';
const EVICTED = 'distcache_shard_evicted_keys_total';
const HELD_TOO_LONG_SECONDS = 1e-3;
const SECONDS_TO_MS = 1e3;
const SECONDS_TO_US = 1e6;

const COLUMNS: readonly Column[] = [
  { heading: 'held at most', align: 'right' },
  { heading: 'holds', align: 'right' },
  { heading: 'share so far', align: 'right' },
];

type Holds = {
  keys: number;
  buckets: { bound: number; count: number }[];
  maxSeconds: number;
  preemptions: number;
  isUndisturbed: boolean;
  tookMs: number;
};
type Lag = { keys: number; lagMaxSeconds: number; goneAfterMs: number };

await runBenchmark(DEFAULTS, main);

async function main(options: Options<typeof DEFAULTS>): Promise<void> {
  const holds = await withPeer(
    peerFor(options.keys, options.workers),
    (running) => measureHolds(running, options.keys),
    { http: true },
  );
  const lag = await withPeer(
    peerFor(options.expiring, options.workers),
    (running) => measureLag(running, options.expiring),
    { http: true },
  );
  tellProgress(`${options.keys} keys are inserted on one thread`);
  const repeated = measureRepeatedHolds(options.keys, BYTES_PER_KEY);
  const machine = describeMachine([]);
  process.stdout.write(
    `${machineText(machine)}${holdsText(holds)}\n${repeatedText(repeated)}\n${lagText(lag)}`,
  );
  writeJson(options.json, { machine, options, holds, repeated, lag });
}

function peerFor(keys: number, workers: number) {
  const memory = Math.max(MEMORY_BYTES_MIN, keys * BYTES_PER_KEY);
  const threads = workers === 0 ? [] : ['--workers', String(workers)];
  return ourPeer(['--lock-hold-sampling', '1', '--maxmemory', String(memory), ...threads]);
}

async function measureHolds(running: RunningPeer, keys: number): Promise<Holds> {
  tellProgress(`${keys} keys are inserted`);
  const isUndisturbed = keepProcessor(running.pid);
  const preemptionsBefore = preemptionsOf(running.pid);
  const startedMs = performance.now();
  await insert(running.port, keys, []);
  const tookMs = performance.now() - startedMs;
  const preemptions = preemptionsOf(running.pid) - preemptionsBefore;
  const metrics = await fetchMetrics(running);
  if (sampleSum(metrics, EVICTED) > 0) throw new Error('keys were evicted: the server needs more memory');
  return {
    keys,
    buckets: histogramBuckets(metrics, HOLD),
    maxSeconds: sampleMax(metrics, HOLD_MAX),
    preemptions,
    isUndisturbed,
    tookMs,
  };
}

async function measureLag(running: RunningPeer, keys: number): Promise<Lag> {
  tellProgress(`${keys} keys fall due at once`);
  const dueMs = Date.now() + Math.max(DUE_AFTER_MS_MIN, (keys / WRITES_PER_SECOND_AT_LEAST) * SECONDS_TO_MS);
  await insert(running.port, keys, ['PXAT', String(dueMs)]);
  const held = Number(await ask(running.port, 'DBSIZE'));
  if (Date.now() >= dueMs || held !== keys)
    throw new Error('the keys were due before all were written: fewer keys, please');
  while (sampleSum(await fetchMetrics(running), EXPIRED) < keys) {
    if (Date.now() > dueMs + GONE_WITHIN_MS_MAX) throw new Error('keys that are due do not go');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const goneAfterMs = Date.now() - dueMs;
  return { keys, lagMaxSeconds: sampleMax(await fetchMetrics(running), LAG_MAX), goneAfterMs };
}

async function insert(port: number, keys: number, expiry: readonly string[]): Promise<void> {
  await sendMany(port, keys, (target, at, index) => {
    const key = `k${String(index).padStart(KEY_DIGITS, '0')}`;
    return at + target.write(requestText(['SET', key, VALUE, ...expiry]), at, 'latin1');
  });
}

function holdsText({ keys, buckets, maxSeconds, preemptions, isUndisturbed, tookMs }: Holds): string {
  const total = buckets.at(-1)?.count ?? 0;
  const rows = buckets.map(({ bound, count }, index): string[] => {
    const before = index === 0 ? 0 : buckets[index - 1].count;
    return [boundText(bound), String(count - before), `${((100 * count) / Math.max(1, total)).toFixed(5)} %`];
  });
  const verdict = maxSeconds > HELD_TOO_LONG_SECONDS ? 'above' : 'within';
  return [
    `${keys} keys inserted in ${(tookMs / SECONDS_TO_MS).toFixed(1)} s, every hold of a lock timed.\n`,
    markdownTable(COLUMNS, rows),
    `Longest hold: ${(maxSeconds * SECONDS_TO_MS).toFixed(3)} ms, ${verdict} 1 ms. Holds are wall time: the kernel took the`,
    `processor ${preemptions} times from the server's threads, and what it takes within a hold is in it.`,
    isUndisturbed
      ? 'The threads ran under SCHED_FIFO: only each other and the hypervisor could take it.\n'
      : '',
  ].join('\n');
}

function repeatedText({ keys, runs, longInRun, longInAll, maxMs }: RepeatedHolds): string {
  return [
    `${keys} keys inserted by one thread into one shard, ${runs} times the same: ${longInRun.join(', ')} holds took more than 1 ms, ${longInAll} of them`,
    `in every run. The longest that an insert took each time: ${maxMs.toFixed(3)} ms.\n`,
  ].join('\n');
}

function lagText({ keys, lagMaxSeconds, goneAfterMs }: Lag): string {
  const lagMs = (lagMaxSeconds * SECONDS_TO_MS).toFixed(1);
  return `${keys} keys due at one moment: the last was removed ${lagMs} ms late, all were seen gone after ${goneAfterMs} ms.\n`;
}

function boundText(seconds: number): string {
  if (seconds === Infinity) return 'any';
  return seconds < HELD_TOO_LONG_SECONDS
    ? `${(seconds * SECONDS_TO_US).toFixed(2)} us`
    : `${(seconds * SECONDS_TO_MS).toFixed(2)} ms`;
}
