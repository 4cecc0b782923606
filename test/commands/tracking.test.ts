/** Client-side caching over several threads: who hears of which change, what is sent for it, and who is too slow. */
import type { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineBus } from '../../src/commands/engine.ts';
import type { Session } from '../../src/commands/session.ts';
import { endTracking } from '../../src/commands/tracking.ts';
import { createTracking } from '../../src/commands/tracking-state.ts';
import { installTrackingTopics } from '../../src/commands/tracking-topics.ts';
import {
  BUS_REPLY_MS_MAX,
  TRACKING_AHEAD_BYTES_MAX,
  TRACKING_BATCH_BYTES_MAX,
  TRACKING_ITEMS_MAX,
  TRACKING_PREFIX_BYTES_MAX,
  TRACKING_PREFIXES_PER_CLIENT_MAX,
  TRACKING_TABLE_BYTES_MAX,
} from '../../src/config/limits.ts';
import { TRACKED_KEYS } from '../../src/metrics/names.ts';
import { createTrackingFilterBuffer, openTrackingFilter } from '../../src/metrics/tracking-filter.ts';
import { WATCHES_CHANGES } from '../../src/shard/key-events.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const SHARD_BYTES = 2 * 2 ** 20;
const THREADS = 3;

type Letter = { from: number; to: number; topic: string; payload: unknown };
type Handlers = Map<string, (payload: unknown, fromThread: number) => unknown>;

/** A client with what it has heard, `<` before what came before the reply of the command that ran. */
type Client = { readonly harness: Harness; readonly session: Session; readonly heard: string[] };

/** Threads 1, 2, ... whose letters arrive when a test says so; requests are answered at once. */
let harnesses: Harness[];
let letters: Letter[];
let topics: Handlers[];
let listeners: ((threadId: number) => void)[][];

beforeEach(() => {
  letters = [];
  topics = [];
  listeners = [];
  const filter = createTrackingFilterBuffer(THREADS, 11, 22);
  harnesses = Array.from({ length: THREADS }, (_, index) => createThread(filter, index));
});

function createThread(filter: SharedArrayBuffer, index: number): Harness {
  const threadId = index + 1;
  const harness = createHarness({ shards: 1, shardBytes: SHARD_BYTES });
  const handlers: Handlers = new Map();
  topics.push(handlers);
  listeners.push([]);
  const send = (to: number, topic: string, payload: unknown) => {
    if (to === threadId || topics[to - 1] === undefined) return false;
    letters.push({ from: threadId, to, topic, payload: structuredClone(payload) });
    return true;
  };
  const bus: EngineBus = {
    publish: (topic, payload) => topics.forEach((_, other) => void send(other + 1, topic, payload)),
    publishTo: send,
    requestAll: async (topic, payload) => {
      deliver();
      return topics.map((known) => known.get(topic)?.(payload, threadId));
    },
    requestMain: async () => undefined,
    onGone: (listener) => void listeners[index].push(listener),
    handle: (topic, handler) => void handlers.set(topic, handler),
  };
  const tracking = createTracking(openTrackingFilter(filter, THREADS, index), 1);
  Object.assign(harness.engine, { bus, threadId, workerIndex: index, workerCount: THREADS, tracking });
  void installTrackingTopics(harness.engine, 0);
  return harness;
}

function deliver(): void {
  for (let letter = letters.shift(); letter !== undefined; letter = letters.shift()) {
    topics[letter.to - 1].get(letter.topic)?.(letter.payload, letter.from);
  }
}

/** Sends what the commands of this turn have left, and delivers it. */
async function turn(): Promise<void> {
  for (let pass = 0; pass < 3; pass += 1) {
    await new Promise(setImmediate);
    deliver();
  }
}

/** A client of RESP3 whose id says which thread it is on. */
function connect(index: number): Client {
  const harness = harnesses[index];
  const { sessions } = harness.engine;
  const session = harness.connect();
  const heard: string[] = [];
  sessions.delete(session.id);
  const pushBehind = (bytes: Buffer) => void heard.push(bytes.toString('latin1'));
  const push = (bytes: Buffer) => void heard.push(`<${bytes.toString('latin1')}`);
  const id = sessions.size * THREADS + index + 1;
  Object.assign(session, { id, protocol: 3, connection: { ...session.connection, push, pushBehind } });
  sessions.set(id, session);
  return { harness, session, heard };
}

function run({ harness, session }: Client, ...args: string[]): string {
  return harness.runAs(session, ...args);
}

async function track(client: Client, ...options: string[]): Promise<void> {
  const reply = run(client, 'CLIENT', 'TRACKING', 'ON', ...options);
  await turn();
  expect(reply === '' ? client.harness.deferredReplies.pop() : reply).toBe('+OK\r\n');
}

function invalid(...keys: string[]): string {
  const items = keys.map((key) => `$${key.length}\r\n${key}\r\n`).join('');
  return `>2\r\n$10\r\ninvalidate\r\n*${keys.length}\r\n${items}`;
}

const ALL_INVALID = '>2\r\n$10\r\ninvalidate\r\n_\r\n';

function take({ heard }: Client): string[] {
  return heard.splice(0);
}

describe('CLIENT TRACKING', () => {
  it('is answered when all threads know, and at once when they know already', async () => {
    const [one, other] = [connect(0), connect(0)];
    expect(run(one, 'CLIENT', 'TRACKING', 'ON')).toBe('');
    await turn();
    expect(one.harness.deferredReplies).toEqual(['+OK\r\n']);
    expect(run(other, 'CLIENT', 'TRACKING', 'ON')).toBe('+OK\r\n');
    expect(run(other, 'CLIENT', 'TRACKING', 'ON', 'NOLOOP')).toBe('+OK\r\n');
  });

  it('has no changes noted while nobody tracks, on any thread, and again none after the last', async () => {
    const isNoted = () => harnesses.map(({ engine }) => (engine.keyEvents.watches & WATCHES_CHANGES) !== 0);
    const [one, other] = [connect(0), connect(1)];
    expect(isNoted()).toEqual([false, false, false]);
    await track(one);
    await track(other, 'BCAST');
    expect(isNoted()).toEqual([true, true, true]);
    run(one, 'CLIENT', 'TRACKING', 'OFF');
    await turn();
    expect(isNoted()).toEqual([true, true, true]);
    endTracking(other.harness.engine, other.session);
    await turn();
    expect(isNoted()).toEqual([false, false, false]);
    expect(harnesses.map(({ engine }) => engine.keyEvents.watches)).toEqual([0, 0, 0]);
  });

  it('has all keys called invalid by a thread that hears of it too late to be waited for', async () => {
    const client = connect(0);
    harnesses[2].nowMs += BUS_REPLY_MS_MAX;
    await track(client);
    expect(take(client)).toEqual([`<${ALL_INVALID}`]);
    harnesses[2].nowMs -= BUS_REPLY_MS_MAX;
    await track(connect(1));
    expect(take(client)).toEqual([]);
  });

  it('refuses prefixes beyond the bounds', async () => {
    const client = connect(0);
    const long = 'x'.repeat(TRACKING_PREFIX_BYTES_MAX + 1);
    expect(run(client, 'CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', long)).toBe(
      '-ERR a prefix has at most 256 bytes\r\n',
    );
    const options = (count: number) =>
      Array.from({ length: count }, (_, index) => ['PREFIX', `${index}:`]).flat();
    const most = TRACKING_PREFIXES_PER_CLIENT_MAX;
    const refusal = '-ERR a client has at most 256 prefixes\r\n';
    expect(run(client, 'CLIENT', 'TRACKING', 'ON', 'BCAST', ...options(most + 1))).toBe(refusal);
    await track(client, 'BCAST', ...options(most));
    expect(run(client, 'CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'more:')).toBe(refusal);
  });

  it('in a transaction is followed by a message that all keys are invalid, for the others did not know yet', async () => {
    const client = connect(0);
    run(client, 'MULTI');
    run(client, 'CLIENT', 'TRACKING', 'ON');
    run(client, 'GET', 'key');
    run(client, 'EXEC');
    await turn();
    expect(take(client)).toEqual([`<${ALL_INVALID}`]);
    run(client, 'GET', 'key');
    run(connect(0), 'SET', 'key', 'value');
    expect(take(client)).toEqual([`<${invalid('key')}`]);
  });
});

describe('keys beyond tracking-table-max-keys', () => {
  it('are forgotten, the oldest first, when the replies of those that were read are out', async () => {
    const client = connect(0);
    const { config, tracking } = client.harness.engine;
    config.trackingTableMaxKeys = 2;
    await track(client);
    for (const key of ['a', 'b', 'c', 'd']) run(client, 'GET', key);
    expect(take(client)).toEqual([]);
    await turn();
    expect(take(client)).toEqual([`<${invalid('a')}`, `<${invalid('b')}`]);
    expect([...tracking.table.readers.keys()]).toEqual(['c', 'd']);
    expect(client.harness.engine.counters[TRACKED_KEYS]).toBe(2);
    config.trackingTableMaxKeys = 0;
    for (const key of ['a', 'b', 'e']) run(client, 'GET', key);
    await turn();
    expect(take(client)).toEqual([]);
  });

  it('are not the only bound: one worker remembers so many bytes of keys, and so many clients of keys', async () => {
    const client = connect(0);
    const { table } = client.harness.engine.tracking;
    await track(client);
    for (const [bound, most] of [
      ['bytes', TRACKING_TABLE_BYTES_MAX],
      ['items', TRACKING_ITEMS_MAX],
    ] as const) {
      run(client, 'MGET', 'a', 'b', 'c');
      table[bound] += most - 1;
      run(client, 'GET', 'd');
      await turn();
      expect(take(client)).toEqual(['a', 'b', 'c'].map((key) => `<${invalid(key)}`));
      table[bound] -= most - 1;
      run(client, 'SET', 'd', '');
      take(client);
    }
  });
});

describe('a change', () => {
  it('is told once to each client that has read the key, on whichever thread', async () => {
    const [near, far, writer] = [connect(1), connect(0), connect(1)];
    for (const client of [near, far]) await track(client);
    for (const client of [near, far]) run(client, 'MGET', 'key', 'other');
    run(writer, 'SET', 'key', '1');
    run(writer, 'SET', 'key', '2');
    await turn();
    expect([near, far].map(take)).toEqual([[`<${invalid('key')}`], [`<${invalid('key')}`]]);
    run(far, 'GET', 'key');
    run(writer, 'MSET', 'key', '3', 'other', '3');
    await turn();
    expect([take(near), take(far)]).toEqual([
      [`<${invalid('other')}`],
      [`<${invalid('key')}`, `<${invalid('other')}`],
    ]);
  });

  it('is told to the client that has made it behind the reply, unless it said NOLOOP', async () => {
    const client = connect(0);
    await track(client);
    run(client, 'GET', 'key');
    run(client, 'SET', 'key', '1');
    expect(take(client)).toEqual([invalid('key')]);
    await track(client, 'NOLOOP');
    run(client, 'GET', 'key');
    run(client, 'SET', 'key', '2');
    expect(take(client)).toEqual([]);
  });

  it('of a key that has expired is told behind the reply that it is gone, even with NOLOOP', async () => {
    const client = connect(0);
    await track(client, 'NOLOOP');
    run(client, 'SET', 'key', 'value', 'PX', '10');
    run(client, 'GET', 'key');
    client.harness.nowMs += 11;
    expect(run(client, 'GET', 'key')).toBe('_\r\n');
    expect(take(client)).toEqual([invalid('key')]);
  });

  it('of a hash of which a field has expired is told, even with NOLOOP', async () => {
    const client = connect(0);
    await track(client, 'NOLOOP');
    run(client, 'HSETEX', 'key', 'PX', '10', 'FIELDS', '2', 'a', '1', 'b', '2');
    run(client, 'HSET', 'key', 'c', '3');
    run(client, 'HGET', 'key', 'a');
    client.harness.nowMs += 11;
    expect(run(client, 'HGET', 'key', 'a')).toBe('_\r\n');
    expect(take(client)).toEqual([]);
    expect(run(client, 'HDEL', 'key', 'a')).toBe(':0\r\n');
    expect(take(client)).toEqual([invalid('key')]);
  });

  it('costs a letter only where somebody may track the key, and one for all keys of a turn', async () => {
    const [reader, writer] = [connect(0), connect(1)];
    await track(reader);
    run(reader, 'GET', 'a');
    run(reader, 'GET', 'b');
    for (const key of ['x', 'y', 'z']) run(writer, 'SET', key, '1');
    await new Promise(setImmediate);
    expect(letters).toEqual([]);
    for (const key of ['a', 'b', 'x']) run(writer, 'SET', key, '1');
    await new Promise(setImmediate);
    expect(letters).toEqual([
      { from: 2, to: 1, topic: 'tracking-keys', payload: { keys: ['a', 'b'], bytes: expect.any(Number) } },
    ]);
  });

  it('of a key with a prefix is told at the end of the turn, with the others, in order', async () => {
    const [far, near, writer] = [connect(0), connect(1), connect(1)];
    await track(far, 'BCAST', 'PREFIX', 'a', 'PREFIX', 'u:');
    await track(near, 'BCAST');
    for (const key of ['b', 'a2', 'u:1', 'a1', 'a2', '']) run(writer, 'SET', key, '1');
    expect(take(near)).toEqual([]);
    await turn();
    expect(take(near)).toEqual([`<${invalid('', 'a1', 'a2', 'b', 'u:1')}`]);
    expect(take(far)).toEqual([`<${invalid('a1', 'a2')}`, `<${invalid('u:1')}`]);
    run(writer, 'SET', 'b', '2');
    await new Promise(setImmediate);
    expect(letters).toEqual([]);
  });

  it('of many keys at once goes to another thread before the end of the turn', async () => {
    const [far, writer] = [connect(0), connect(1)];
    await track(far, 'BCAST');
    const name = 'k'.repeat(1000);
    for (let index = 0; index * 1000 < TRACKING_BATCH_BYTES_MAX; index += 1)
      run(writer, 'SET', name + index, '');
    expect(letters.length).toBe(1);
  });
});

describe('that all keys are invalid', () => {
  it.each([
    ['FLUSHALL', ['FLUSHALL'], ['<', '<', '']],
    ['FLUSHDB of an empty database', ['FLUSHDB'], ['<', '<', '']],
  ])('is told to all that track, whatever they track, by %s', async (_, command, order) => {
    const clients = [connect(0), connect(1), connect(1)];
    await track(clients[0]);
    await track(clients[1], 'BCAST', 'PREFIX', 'a');
    await track(clients[2], 'NOLOOP');
    if (command[0] === 'FLUSHALL') run(clients[2], 'SET', 'x', '1');
    await turn();
    run(clients[2], ...command);
    await turn();
    expect(clients.map(take)).toEqual(order.map((before) => [before + ALL_INVALID]));
  });

  it('is told by SWAPDB, which gives all keys other values', async () => {
    const [reader, writer] = [connect(0), connect(1)];
    await track(reader);
    run(writer, 'SWAPDB', '0', '1');
    await turn();
    expect(take(reader)).toEqual([]);
    run(writer, 'SET', 'key', '1');
    run(writer, 'SWAPDB', '0', '1');
    await turn();
    expect(take(reader)).toEqual([`<${ALL_INVALID}`]);
  });

  it('is told where changes were too many to be noted', async () => {
    const [reader, writer] = [connect(0), connect(1)];
    await track(reader);
    run(reader, 'GET', 'key');
    writer.harness.engine.keyEvents.hasLostChanges = true;
    run(writer, 'SET', 'x', '1');
    await turn();
    expect(take(reader)).toEqual([`<${ALL_INVALID}`]);
    run(writer, 'SET', 'x', '2');
    await turn();
    expect(take(reader)).toEqual([]);
  });

  it('is told when a thread is gone or replaced, which takes what it had to tell along', async () => {
    const [reader, dying] = [connect(0), connect(1)];
    await track(reader);
    await track(dying, 'BCAST', 'PREFIX', 'a');
    expect(harnesses[0].engine.tracking.prefixes.byText.has('a')).toBe(true);
    for (const listener of listeners[0]) listener(2);
    expect(take(reader)).toEqual([`<${ALL_INVALID}`]);
    expect(harnesses[0].engine.tracking.prefixes.byText.has('a')).toBe(false);
    letters.push({ from: 2, to: 1, topic: 'tracking-replaced', payload: undefined });
    deliver();
    expect(take(reader)).toEqual([`<${ALL_INVALID}`]);
  });

  it('is what a thread that was too far behind hears once it has caught up, and then changes again', async () => {
    const [reader, writer] = [connect(0), connect(1)];
    await track(reader, 'BCAST');
    const name = 'k'.repeat(2 ** 19);
    const sent: Letter[] = [];
    for (let index = 0; index < 60; index += 1) {
      run(writer, 'SET', `${name}${index}`, '');
      await new Promise(setImmediate);
      sent.push(...letters.splice(0));
    }
    expect(sent.length * 2 ** 19).toBeLessThan(TRACKING_AHEAD_BYTES_MAX + 2 * 2 ** 20);
    expect(sent.length).toBeGreaterThan(30);
    letters.push(...sent);
    await turn();
    expect(take(reader).includes(`<${ALL_INVALID}`)).toBe(true);
    run(writer, 'SET', 'key', '1');
    await turn();
    expect(take(reader)).toEqual([`<${invalid('key')}`]);
  });
});

describe('a worker in the place of one that died', () => {
  it('learns who tracks, clears what the dead has left in the filter, and has all keys called invalid', async () => {
    const [far, dying] = [connect(0), connect(1)];
    await track(far, 'BCAST', 'PREFIX', 'a');
    await track(dying);
    run(dying, 'GET', 'key');
    const filter = harnesses[1].engine.tracking.table.filter.words.buffer as SharedArrayBuffer;
    const fresh = createHarness({ shards: 1, shardBytes: SHARD_BYTES });
    const { bus } = harnesses[1].engine;
    const tracking = createTracking(openTrackingFilter(filter, THREADS, 1), 1);
    Object.assign(fresh.engine, { bus, threadId: 2, workerIndex: 1, workerCount: THREADS, tracking });
    harnesses[1] = fresh;
    await installTrackingTopics(fresh.engine, 1);
    await turn();
    expect(take(far)).toEqual([`<${ALL_INVALID}`]);
    run(connect(0), 'SET', 'key', '1');
    await new Promise(setImmediate);
    expect(letters).toEqual([]);
    run(connect(1), 'SET', 'a', '1');
    await turn();
    expect(take(far)).toEqual([`<${invalid('a')}`]);
  });
});

describe('a client that has messages sent to another', () => {
  it('must name one that there is, on whichever thread, before anything else is wrong', async () => {
    const [one, far] = [connect(0), connect(1)];
    const missing = '-ERR The client ID you want redirect to does not exist\r\n';
    expect(run(one, 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', '301', 'FOO')).toBe(missing);
    expect(run(one, 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', '302', 'FOO')).toBe('');
    expect(run(one, 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', `${far.session.id}`, 'FOO')).toBe('');
    expect(run(one, 'CLIENT', 'TRACKING', 'OFF', 'REDIRECT', `${far.session.id}`)).toBe('');
    await turn();
    expect(one.harness.deferredReplies).toEqual([missing, '-ERR syntax error\r\n', '+OK\r\n']);
    expect(run(one, 'CLIENT', 'GETREDIR')).toBe(':-1\r\n');
  });

  it('has them sent to another thread, and hears when that one is not there any more', async () => {
    const [one, far, writer] = [connect(0), connect(1), connect(2)];
    await track(one, 'REDIRECT', `${far.session.id}`);
    run(one, 'GET', 'key');
    run(writer, 'SET', 'key', '1');
    await turn();
    expect([take(one), take(far)]).toEqual([[], [`<${invalid('key')}`]]);
    run(writer, 'FLUSHALL');
    await turn();
    expect([take(one), take(far)]).toEqual([[], [`<${ALL_INVALID}`]]);
    far.harness.engine.sessions.delete(far.session.id);
    run(one, 'GET', 'key');
    run(writer, 'SET', 'key', '2');
    await turn();
    expect(take(one)).toEqual([`>2\r\n$21\r\ntracking-redir-broken\r\n:${far.session.id}\r\n`]);
    expect(run(one, 'CLIENT', 'TRACKINGINFO')).toContain('broken_redirect');
  });
});
