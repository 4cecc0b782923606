/** MONITOR over several threads: who is told what, who begins and ends to watch, and who is too slow. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineBus } from '../../src/commands/engine.ts';
import { endMonitoring, installMonitorTopics } from '../../src/commands/monitor.ts';
import { createMonitoring } from '../../src/commands/monitoring.ts';
import { REPLY_OFF, type Session } from '../../src/commands/session.ts';
import { MONITOR_AHEAD_BYTES_MAX, MONITOR_BATCH_BYTES_MAX } from '../../src/config/limits.ts';
import { LIMIT_CUTS } from '../../src/metrics/names.ts';
import { closeGate, GATE_LOADING, openGate } from '../../src/resilience/gate.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const SHARD_BYTES = 2 * 2 ** 20;

type Letter = { from: number; to: number; topic: string; payload: unknown };
type Handlers = Map<string, (payload: unknown, fromThread: number) => unknown>;

/** Threads 1, 2, ... whose letters arrive when a test says so; requests are answered at once. */
type Threads = {
  readonly harnesses: Harness[];
  readonly letters: Letter[];
  /** Those that are not there at present. */
  readonly gone: Set<number>;
  /** Lets all letters arrive, and those that come of them. */
  readonly deliver: () => void;
  /** Sends what the commands of this turn have left, and delivers it. */
  readonly turn: () => Promise<void>;
};

function createThreads(count: number): Threads {
  const letters: Letter[] = [];
  const gone = new Set<number>();
  const topics: Handlers[] = [];
  const harnesses = Array.from({ length: count }, (_, index) => {
    const threadId = index + 1;
    const harness = createHarness({ shards: 1, shardBytes: SHARD_BYTES });
    const handlers: Handlers = new Map();
    topics.push(handlers);
    const send = (to: number, topic: string, payload: unknown) => {
      if (gone.has(to) || to === threadId) return false;
      letters.push({ from: threadId, to, topic, payload: structuredClone(payload) });
      return true;
    };
    const bus: EngineBus = {
      publish: (topic, payload) => harnesses.forEach((_, other) => void send(other + 1, topic, payload)),
      publishTo: send,
      requestAll: async (topic, payload) => {
        deliver();
        const present = topics.filter((_, other) => !gone.has(other + 1));
        return present.map((known) => known.get(topic)?.(payload, threadId));
      },
      requestMain: async () => undefined,
      onGone: () => undefined,
      handle: (topic, handler) => void handlers.set(topic, handler),
    };
    Object.assign(harness.engine, { bus, threadId });
    void installMonitorTopics(harness.engine, 0);
    return harness;
  });
  const deliver = () => {
    for (let letter = letters.shift(); letter !== undefined; letter = letters.shift()) {
      if (!gone.has(letter.to)) topics[letter.to - 1].get(letter.topic)?.(letter.payload, letter.from);
    }
  };
  const turn = async () => {
    await new Promise(setImmediate);
    deliver();
  };
  return { harnesses, letters, gone, deliver, turn };
}

const isWatched = ({ engine }: Harness) => engine.monitoring.isWatched;
/** The commands that were told on this thread since the last look, without time and address. */
function told(harness: Harness): string[] {
  const text = harness.pushed.splice(0).join('');
  return text
    .split('\r\n')
    .slice(0, -1)
    .map((line) => line.replace(/^\+\d+\.\d{6} \[\d+ [^\]]+\] /, ''));
}

let threads: Threads;
let first: Harness;
let second: Harness;
let watching: Session;
beforeEach(async () => {
  threads = createThreads(3);
  [first, second] = threads.harnesses;
  watching = first.connect();
  expect(first.runAs(watching, 'MONITOR')).toBe('');
  await threads.turn();
  expect(first.deferredReplies).toEqual(['+OK\r\n']);
});

describe('a monitor', () => {
  it('is told the commands of every thread, those of one in order', async () => {
    second.run('SET', 'a', '1');
    second.run('GET', 'a');
    first.run('GET', 'b');
    await threads.turn();
    expect(told(first)).toEqual(['"GET" "b"', '"SET" "a" "1"', '"GET" "a"']);
    expect(told(second)).toEqual([]);
  });

  it('costs nothing where nobody watches, and nothing is told', async () => {
    const alone = createThreads(1).harnesses[0];
    alone.run('GET', 'a');
    expect(alone.engine.monitoring.lines.length).toBe(0);
    expect(alone.engine.monitoring.isSendDue).toBe(false);
  });

  it('gets no answer to a second MONITOR, and is told once', async () => {
    expect(first.runAs(watching, 'MONITOR')).toBe('');
    second.run('PING');
    await threads.turn();
    expect(first.deferredReplies).toHaveLength(1);
    expect(told(first)).toEqual(['"PING"']);
  });

  it('is not told what was refused, what only admins may, nor anything while data is loaded', async () => {
    for (const command of [
      'GET',
      'NOSUCH',
      'CLIENT NOSUCH',
      'CONFIG GET save',
      'DEBUG HELP',
      'CLIENT ID x',
    ]) {
      second.run(...command.split(' '));
    }
    closeGate(second.engine.gate, GATE_LOADING);
    expect(second.run('CLIENT', 'GETNAME')).toBe('$-1\r\n');
    openGate(second.engine.gate, GATE_LOADING);
    second.run('CLIENT', 'ID');
    await threads.turn();
    expect(told(first)).toEqual(['"CLIENT" "ID"']);
  });

  it('is told commands that failed, and the database after the command', async () => {
    second.run('SET', 'a', 'text');
    second.run('INCR', 'a');
    second.run('SELECT', '3');
    await threads.turn();
    expect(first.pushed.join('')).toMatch(
      /\[0 [^\]]+\] "INCR" "a"\r\n\+[^ ]+ \[3 [^\]]+\] "SELECT" "3"\r\n$/,
    );
  });

  it('may not touch the keys, and is still told of its other commands', async () => {
    expect(first.runAs(watching, 'GET', 'a')).toBe("-ERR Replica can't interact with the keyspace\r\n");
    expect(first.runAs(watching, 'SET', 'a', '1')).toMatch(/^-ERR Replica/);
    expect(first.runAs(watching, 'DBSIZE')).toMatch(/^-ERR Replica/);
    expect(first.runAs(watching, 'EXISTS')).toMatch(/^-ERR wrong number/);
    expect(first.runAs(watching, 'PING')).toBe('+PONG\r\n');
    expect(first.run('GET', 'a')).toBe('$-1\r\n');
    await threads.turn();
    expect(told(first)).toEqual(['"PING"', '"GET" "a"']);
  });

  it('is told nothing while it wants no replies', async () => {
    watching.replyMode = REPLY_OFF;
    second.run('PING');
    await threads.turn();
    expect(told(first)).toEqual([]);
  });

  it('is not told what ran before it, though that is still to be sent', async () => {
    second.connect();
    first.run('GET', 'before');
    const late = first.connect();
    const lines: string[] = [];
    Object.assign(late.connection, { push: (bytes: Buffer) => void lines.push(bytes.toString()) });
    first.runAs(late, 'MONITOR');
    first.run('GET', 'behind');
    await threads.turn();
    expect(lines.join('')).toMatch(/^\+[^\]]+\] "GET" "behind"\r\n$/);
    expect(told(first)).toEqual(['"GET" "before"', '"GET" "behind"']);
  });

  it('is refused to a client of HTTP, which expects one reply for each command', () => {
    Object.assign(second.engine, { workerIndex: -1 });
    expect(second.run('MONITOR')).toBe("-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n");
    expect(second.session.isMonitor).toBe(false);
  });
});

describe('the end of watching', () => {
  it('comes with RESET: what ran before is told before its reply, then all threads write no lines', async () => {
    first.run('GET', 'a');
    expect(first.runAs(watching, 'RESET')).toBe('+RESET\r\n');
    expect(told(first)).toEqual(['"GET" "a"']);
    await threads.turn();
    expect(threads.harnesses.map(isWatched)).toEqual([false, false, false]);
    expect(watching.isMonitor).toBe(false);
  });

  it('comes when the connection closes, unless another client of the thread watches', async () => {
    const other = first.connect();
    first.runAs(other, 'MONITOR');
    await threads.turn();
    endMonitoring(first.engine, watching);
    await threads.turn();
    expect(threads.harnesses.map(isWatched)).toEqual([true, true, true]);
    endMonitoring(first.engine, other);
    await threads.turn();
    expect(threads.harnesses.map(isWatched)).toEqual([false, false, false]);
  });

  it('is noticed when a thread is gone: the next lines find nobody', async () => {
    threads.gone.add(1);
    second.run('PING');
    await threads.turn();
    expect(isWatched(second)).toBe(false);
  });

  it('is noticed when a thread was replaced: the new one has no monitors and says so', async () => {
    Object.assign(first.engine, { monitoring: createMonitoring() });
    await installMonitorTopics(first.engine, 0);
    second.run('PING');
    await threads.turn();
    expect(isWatched(second)).toBe(false);
    expect(told(first)).toEqual([]);
  });

  it('a thread that starts later learns who watches', async () => {
    const { engine } = second;
    Object.assign(engine, { monitoring: createMonitoring() });
    second.run('GET', 'unknown');
    await installMonitorTopics(engine, 1);
    second.run('GET', 'known');
    await threads.turn();
    expect(told(first)).toEqual(['"GET" "known"']);
    expect([...engine.monitoring.watchers.keys()]).toEqual([1]);
  });
});

describe('many lines', () => {
  const value = 'v'.repeat(MONITOR_BATCH_BYTES_MAX);

  it('are sent in the middle of a turn, so that few wait', () => {
    second.run('SET', 'a', value);
    expect(second.engine.monitoring.lines.length).toBe(0);
    expect(threads.letters.map(({ topic }) => topic)).toEqual(['monitor-lines']);
  });

  it('that a thread does not take in cost its monitors their connections, and nobody else anything', async () => {
    for (let sent = 0; sent < MONITOR_AHEAD_BYTES_MAX; sent += value.length) second.run('SET', 'a', value);
    const waiting = threads.letters.filter(({ topic }) => topic === 'monitor-lines');
    const waitingBytes = waiting.reduce((sum, { payload }) => sum + (payload as Uint8Array).length, 0);
    expect(waitingBytes).toBeLessThanOrEqual(MONITOR_AHEAD_BYTES_MAX);
    second.run('GET', 'lost');
    await threads.turn();
    expect(watching.closing).toBe(true);
    expect(first.engine.counters[LIMIT_CUTS]).toBe(1);
    expect(threads.harnesses.map(isWatched)).toEqual([false, false, false]);
  });

  it('that a thread did not take in before it died are forgotten by the one in its place', async () => {
    while (second.engine.monitoring.watchers.get(1)?.isLost === false) second.run('SET', 'a', value);
    threads.letters.length = 0;
    Object.assign(first.engine, { monitoring: createMonitoring() });
    await installMonitorTopics(first.engine, 1);
    await threads.turn();
    expect(isWatched(second)).toBe(false);
  });

  it('that a thread takes in may go on for ever', async () => {
    for (let sent = 0; sent < 2 * MONITOR_AHEAD_BYTES_MAX; sent += value.length) {
      second.run('SET', 'a', value);
      threads.deliver();
    }
    await threads.turn();
    expect(watching.closing).toBe(false);
    expect(second.engine.monitoring.watchers.get(1)).toEqual({ unseenBytes: 0, isLost: false });
  });
});

it('times are finer than the tick of the wall clock, never behind it, never ahead by a tick', async () => {
  let monotonicMs = 5_000.25;
  Object.assign(second.engine.shards[0].clock, { monotonicMs: () => monotonicMs });
  const wallMs = [
    ...Array.from({ length: 40 }, (_, i) => 1_700_000_000_000 + Math.floor(i / 4)),
    1_700_000_000_500,
  ];
  for (const now of wallMs) {
    second.nowMs = now;
    second.run('PING');
    monotonicMs += 0.25;
  }
  await threads.turn();
  const times = [...first.pushed.join('').matchAll(/^\+(\d+)\.(\d{6}) /gm)].map(
    ([, seconds, micros]) => Number(seconds) * 1e6 + Number(micros),
  );
  expect(times).toHaveLength(wallMs.length);
  for (const [i, now] of wallMs.entries()) {
    expect(times[i] - 1000 * now).toBeGreaterThanOrEqual(0);
    expect(times[i] - 1000 * now).toBeLessThan(1000);
    if (i > 0) expect(times[i]).toBeGreaterThan(times[i - 1]);
  }
});
