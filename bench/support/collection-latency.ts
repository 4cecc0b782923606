/**
 * How long commands on large collections take, one at a time, and how long they hold a shard's lock: every hold timed by the server
 * itself, as far as the buckets of its histogram tell.
 */
import { ask, openClient, requestText } from './client.ts';
import { collectionKinds, elementText, fillCollection } from './collection-kinds.ts';
import { keepProcessor } from './keep-processor.ts';
import type { Column } from './markdown.ts';
import { fetchMetrics, type Peer, type RunningPeer, withPeer } from './peers.ts';
import { histogramBuckets, infoNumber } from './server-text.ts';
import { quantileOf } from './statistics.ts';

/** A command on a collection of `elements`, the `index`-th of its kind. */
type LargeCommand = {
  readonly name: string;
  readonly words: (index: number, elements: number) => string[];
  /** Whether it looks at each element, or at many, by its nature. */
  readonly isLong?: boolean;
};

export type LatencyRow = {
  readonly server: string;
  readonly command: string;
  readonly isLong: boolean;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  /** Upper bound of the bucket that the longest hold is in; undefined of redis-server. */
  readonly heldAtMostUs: number | undefined;
  /** Holds above 1 ms. */
  readonly longHolds: number | undefined;
};

/** `isFilled`: whether the four are filled again before. */
type Ending = { readonly name: string; readonly isFilled: boolean; readonly deed: () => Promise<void> };

type Timing = { readonly p50Us: number; readonly p99Us: number; readonly maxUs: number };

const HOLD = 'distcache_shard_lock_hold_seconds';
/** The bucket bound next to 1 ms. */
const LONG_HOLD_SECONDS = 1.1e-3;
const SECONDS_TO_US = 1e6;
const MS_TO_US = 1e3;
const LONG_REQUESTS = 20;
const EVICTED_TO_BYTES_MIN = 2 * 2 ** 20;
const POLL_MS = 5;
const GONE_MS_MAX = 60_000;

const inside = (index: number, elements: number) =>
  String(((index * 7_907) % (elements >> 1)) + (elements >> 2));
const there = (index: number, elements: number) => elementText('text', index * 31, elements);
const fresh = (index: number) => `fresh-${index}`;

/** In this order: what one adds another takes away. */
const COMMANDS: readonly LargeCommand[] = [
  { name: 'LLEN', words: () => ['LLEN', 'list'] },
  { name: 'LINDEX in the middle', words: (i, n) => ['LINDEX', 'list', inside(i, n)] },
  { name: 'LSET in the middle', words: (i, n) => ['LSET', 'list', inside(i, n), `set-element-${i}`] },
  {
    name: 'LRANGE of 10 in the middle',
    words: (i, n) => ['LRANGE', 'list', inside(i, n), String(Number(inside(i, n)) + 9)],
  },
  { name: 'LPUSH', words: (i) => ['LPUSH', 'list', fresh(i)] },
  { name: 'RPUSH', words: (i) => ['RPUSH', 'list', fresh(i)] },
  { name: 'LPOP', words: () => ['LPOP', 'list'] },
  { name: 'RPOP', words: () => ['RPOP', 'list'] },
  { name: 'LMOVE from end to end', words: () => ['LMOVE', 'list', 'list', 'LEFT', 'RIGHT'] },
  { name: 'LTRIM of one', words: () => ['LTRIM', 'list', '1', '-1'] },
  {
    name: 'LINSERT in the middle',
    words: (_, n) => ['LINSERT', 'list', 'BEFORE', elementText('text', n >> 1, n), 'inserted'],
    isLong: true,
  },
  { name: 'LPOS of what is not there', words: () => ['LPOS', 'list', 'nothing'], isLong: true },
  { name: 'HLEN', words: () => ['HLEN', 'hash'] },
  { name: 'HGET', words: (i, n) => ['HGET', 'hash', there(i, n)] },
  { name: 'HSET of a new field', words: (i) => ['HSET', 'hash', fresh(i), 'value-of-it'] },
  { name: 'HSET of a known field', words: (i, n) => ['HSET', 'hash', there(i, n), `other-value-${i}`] },
  { name: 'HINCRBY', words: (i) => ['HINCRBY', 'hash', `counter-${i % 100}`, '1'] },
  { name: 'HDEL', words: (i) => ['HDEL', 'hash', fresh(i)] },
  { name: 'HRANDFIELD of 10', words: () => ['HRANDFIELD', 'hash', '10'] },
  { name: 'HSCAN', words: () => ['HSCAN', 'hash', '0'] },
  { name: 'SCARD', words: () => ['SCARD', 'set'] },
  { name: 'SISMEMBER', words: (i, n) => ['SISMEMBER', 'set', there(i, n)] },
  { name: 'SADD', words: (i) => ['SADD', 'set', fresh(i)] },
  { name: 'SREM', words: (i) => ['SREM', 'set', fresh(i)] },
  { name: 'SPOP', words: () => ['SPOP', 'set'] },
  { name: 'SRANDMEMBER', words: () => ['SRANDMEMBER', 'set'] },
  { name: 'SMOVE', words: (i, n) => ['SMOVE', 'set', 'other', there(i, n)] },
  { name: 'SSCAN', words: () => ['SSCAN', 'set', '0'] },
  { name: 'ZCARD', words: () => ['ZCARD', 'zset'] },
  { name: 'ZADD of a new member', words: (i, n) => ['ZADD', 'zset', inside(i, n), fresh(i)] },
  { name: 'ZADD of another score', words: (i, n) => ['ZADD', 'zset', inside(i, n), there(i, n)] },
  { name: 'ZINCRBY', words: (i, n) => ['ZINCRBY', 'zset', '100', there(i, n)] },
  { name: 'ZSCORE', words: (i, n) => ['ZSCORE', 'zset', there(i, n)] },
  { name: 'ZRANK', words: (i, n) => ['ZRANK', 'zset', there(i, n)] },
  {
    name: 'ZRANGE of 10 by rank',
    words: (i, n) => ['ZRANGE', 'zset', inside(i, n), String(Number(inside(i, n)) + 9)],
  },
  {
    name: 'ZRANGE of 10 by score',
    words: (i, n) => ['ZRANGE', 'zset', inside(i, n), '+inf', 'BYSCORE', 'LIMIT', '0', '10'],
  },
  { name: 'ZCOUNT', words: (i, n) => ['ZCOUNT', 'zset', inside(i, n), '+inf'] },
  { name: 'ZREM', words: (i) => ['ZREM', 'zset', fresh(i)] },
  { name: 'ZPOPMIN', words: () => ['ZPOPMIN', 'zset'] },
  {
    name: 'ZREMRANGEBYRANK of 10',
    words: (i, n) => {
      const first = Number(inside(i, n)) >> 1;
      return ['ZREMRANGEBYRANK', 'zset', String(first), String(first + 9)];
    },
  },
  { name: 'ZRANDMEMBER', words: () => ['ZRANDMEMBER', 'zset'] },
  {
    name: 'RENAME within a shard',
    words: (i) => (i % 2 === 0 ? ['RENAME', 'zset', '{zset}:2'] : ['RENAME', '{zset}:2', 'zset']),
  },
];

export const LATENCY_COLUMNS: readonly Column[] = [
  { heading: 'command', align: 'left' },
  { heading: 'server', align: 'left' },
  { heading: 'p50 us', align: 'right' },
  { heading: 'p99 us', align: 'right' },
  { heading: 'longest us', align: 'right' },
  { heading: 'lock held at most us', align: 'right' },
  { heading: 'holds above 1 ms', align: 'right' },
];

/** The four large collections are filled, each command timed `requests` times, then what ends such collections. */
export async function measureLargeLatency(
  peer: Peer,
  elements: number,
  requests: number,
): Promise<LatencyRow[]> {
  const isOurs = peer.name !== 'redis-server';
  const measureAll = async (running: RunningPeer): Promise<LatencyRow[]> => {
    const kinds = collectionKinds(elements).filter(
      ({ name, contents }) => name.startsWith('one') && contents === 'text',
    );
    const refill = async () => {
      for (const kind of kinds) await fillCollection(running.port, kind);
    };
    await refill();
    keepProcessor(running.pid);
    const rows: LatencyRow[] = [];
    for (const command of COMMANDS) {
      const count = command.isLong ? LONG_REQUESTS : requests;
      const run = () => timeRequests(running.port, count, (index) => command.words(index, elements));
      rows.push(await rowOf(peer.name, command.name, command.isLong ?? false, running, isOurs, run));
    }
    for (const { name, isFilled, deed } of endings(running.port)) {
      if (isFilled) await refill();
      const run = () => timeMeanwhile(running.port, deed);
      rows.push(await rowOf(peer.name, `GETs during ${name}`, true, running, isOurs, run));
    }
    return rows;
  };
  return withPeer(peer, measureAll, { http: isOurs });
}

export function latencyCells(row: LatencyRow): string[] {
  const told = (value: number | undefined, digits: number) =>
    value === undefined ? '' : value.toFixed(digits);
  return [
    row.command,
    row.server,
    row.p50Us.toFixed(0),
    row.p99Us.toFixed(0),
    row.maxUs.toFixed(0),
    told(row.heldAtMostUs, 0),
    told(row.longHolds, 0),
  ];
}

/** What ends large collections or copies them. Meanwhile another connection asks for a small key all the time: what it waits is timed. */
function endings(port: number): readonly Ending[] {
  const names = ['list', 'hash', 'set', 'zset'];
  const expire = async () => {
    for (const name of names) await ask(port, 'PEXPIRE', name, '50');
    await until(async () => (await ask(port, 'EXISTS', ...names)) === '0');
  };
  const remove = async () => void (await ask(port, 'DEL', ...names));
  const flush = async () => void (await ask(port, 'FLUSHALL'));
  return [
    { name: 'BGSAVE', isFilled: false, deed: () => saveInBackground(port) },
    { name: 'DEL of the four', isFilled: false, deed: remove },
    { name: 'the expiry of the four', isFilled: true, deed: expire },
    { name: 'FLUSHALL', isFilled: true, deed: flush },
    { name: 'eviction', isFilled: true, deed: () => evictMost(port) },
  ];
}

/** A quarter of the memory in use is left, and keys are written until no more is in use. */
async function evictMost(port: number): Promise<void> {
  const used = async () => infoNumber(await ask(port, 'INFO', 'memory'), 'used_memory');
  const target = Math.max(EVICTED_TO_BYTES_MIN, Math.round((await used()) / 4));
  await ask(port, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  await ask(port, 'CONFIG', 'SET', 'maxmemory', String(target));
  let written = 0;
  await until(async () => {
    written += 1;
    await ask(port, 'SET', `asking:${written}`, 'x').catch(() => '');
    return (await used()) <= target;
  });
}

async function saveInBackground(port: number): Promise<void> {
  await ask(port, 'BGSAVE');
  await until(async () => /rdb_bgsave_in_progress:0/.test(await ask(port, 'INFO', 'persistence')));
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + GONE_MS_MAX;
  while (!(await isTrue())) {
    if (performance.now() > deadlineMs) throw new Error('what was begun does not end');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function rowOf(
  server: string,
  command: string,
  isLong: boolean,
  running: RunningPeer,
  isOurs: boolean,
  run: () => Promise<Timing>,
): Promise<LatencyRow> {
  const before = isOurs ? await holdCounts(running) : undefined;
  const timing = await run();
  const after = isOurs ? await holdCounts(running) : undefined;
  return { server, command, isLong, ...timing, ...holdsBetween(before, after) };
}

/** Holds by bucket, each without those of the buckets before. */
async function holdCounts(running: RunningPeer): Promise<Map<number, number>> {
  let before = 0;
  const counts = new Map<number, number>();
  for (const { bound, count } of histogramBuckets(await fetchMetrics(running), HOLD)) {
    counts.set(bound, count - before);
    before = count;
  }
  return counts;
}

function holdsBetween(
  before: Map<number, number> | undefined,
  after: Map<number, number> | undefined,
): Pick<LatencyRow, 'heldAtMostUs' | 'longHolds'> {
  if (before === undefined || after === undefined) return { heldAtMostUs: undefined, longHolds: undefined };
  const grown = [...after].filter(([bound, count]) => count > (before.get(bound) ?? 0));
  const long = grown.filter(([bound]) => bound > LONG_HOLD_SECONDS);
  return {
    heldAtMostUs: Math.max(...grown.map(([bound]) => bound)) * SECONDS_TO_US,
    longHolds: long.reduce((sum, [bound, count]) => sum + count - (before.get(bound) ?? 0), 0),
  };
}

/** One request at a time over one connection. */
async function timeRequests(
  port: number,
  count: number,
  wordsOf: (index: number) => string[],
): Promise<Timing> {
  const timer = await openTimer(port);
  const tookUs: number[] = [];
  try {
    for (let index = 0; index < count; index += 1) tookUs.push(await timer.time(wordsOf(index)));
  } finally {
    timer.close();
  }
  return timingOf(tookUs);
}

/** GETs one after the other for as long as the deed takes. */
async function timeMeanwhile(port: number, deed: () => Promise<void>): Promise<Timing> {
  const timer = await openTimer(port);
  const tookUs: number[] = [];
  let isOver = false;
  try {
    const deeds = deed().finally(() => {
      isOver = true;
    });
    do tookUs.push(await timer.time(['GET', 'small']));
    while (!isOver);
    await deeds;
  } finally {
    timer.close();
  }
  return timingOf(tookUs);
}

function timingOf(tookUs: readonly number[]): Timing {
  return { p50Us: quantileOf(tookUs, 0.5), p99Us: quantileOf(tookUs, 0.99), maxUs: quantileOf(tookUs, 1) };
}

type Timer = { readonly time: (words: readonly string[]) => Promise<number>; readonly close: () => void };

async function openTimer(port: number): Promise<Timer> {
  const socket = await openClient(port);
  let text = '';
  let answered = () => {};
  let fail = (_error: Error) => {};
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    if (replyEnd(text, 0) === text.length) answered();
  });
  socket.on('close', () => fail(new Error('the server closed the connection')));
  return {
    time: (words) =>
      new Promise((resolve, reject) => {
        const request = requestText(words);
        const startedMs = performance.now();
        text = '';
        fail = reject;
        answered = () => {
          const tookUs = (performance.now() - startedMs) * MS_TO_US;
          if (text.startsWith('-')) reject(new Error(`${words[0]}: ${text.trim()}`));
          else resolve(tookUs);
        };
        socket.write(request, 'latin1');
      }),
    close: () => socket.destroy(),
  };
}

/** Where the reply that starts there ends; -1 while it is not all there. */
function replyEnd(text: string, start: number): number {
  const lineEnd = text.indexOf('\r\n', start) + 2;
  if (lineEnd < 2) return -1;
  const count = Number(text.slice(start + 1, lineEnd - 2));
  if (text[start] === '$') {
    const end = count < 0 ? lineEnd : lineEnd + count + 2;
    return end <= text.length ? end : -1;
  }
  if (text[start] !== '*') return lineEnd;
  let end = lineEnd;
  for (let item = 0; item < count && end >= 0; item += 1) end = replyEnd(text, end);
  return end;
}
