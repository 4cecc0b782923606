/** Messages between clients of several threads: who gets what, in which order; what the threads know of each other; who is slow. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineBus } from '../../src/commands/engine.ts';
import { endLostChannels, endSubscriptions, installPubSub } from '../../src/commands/pubsub.ts';
import { createPubSub } from '../../src/commands/pubsub-state.ts';
import type { Session } from '../../src/commands/session.ts';
import {
  PUBSUB_AHEAD_BYTES_MAX,
  PUBSUB_BATCH_BYTES_MAX,
  PUBSUB_CALM_BYTES,
  SUBSCRIPTION_BYTES_MAX,
  TURN_OUTPUT_BYTES_MAX,
} from '../../src/config/limits.ts';
import { LIMIT_CUTS } from '../../src/metrics/names.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { splitReplies } from '../support/replies.ts';

const SHARD_BYTES = 2 * 2 ** 20;

type Letter = { from: number; to: number; topic: string; payload: unknown };
type Handlers = Map<string, (payload: unknown, fromThread: number) => unknown>;

/** Threads 1, 2, ... Letters arrive in order when a test lets them; a request is a letter that is answered when it arrives. */
type Threads = {
  readonly harnesses: Harness[];
  /** Letters on their way, and all that ever were, by topic. */
  readonly letters: Letter[];
  readonly sent: Letter[];
  readonly deliver: () => void;
  /** Ends what the threads have put off to the end of the turn, and lets everything arrive until nothing is left. */
  readonly settle: () => Promise<void>;
  /** The same, but what is on its way stays there. */
  readonly endTurn: () => Promise<void>;
  /** A thread is gone, and the others hear of it. */
  readonly bury: (threadId: number) => void;
  /** In the place of one that is gone. */
  readonly replace: (threadId: number) => Promise<Harness>;
};

function createThreads(count: number): Threads {
  const letters: (Letter & { arrive: (topics: Handlers | undefined) => void })[] = [];
  const sent: Letter[] = [];
  const topics = new Map<number, Handlers>();
  const gone: ((threadId: number) => void)[][] = [];
  const post = (letter: Letter, done: (answer: unknown) => void = () => undefined) => {
    const payload = structuredClone(letter.payload);
    sent.push(letter);
    letters.push({ ...letter, arrive: (own) => done(own?.get(letter.topic)?.(payload, letter.from)) });
  };
  const start = (threadId: number, generation: number): [Harness, Promise<void>] => {
    const harness = createHarness({ shards: 1, shardBytes: SHARD_BYTES });
    const handlers: Handlers = new Map();
    topics.set(threadId, handlers);
    gone[threadId] = [];
    const bus: EngineBus = {
      publish: () => undefined,
      publishTo: (to, topic, payload) => {
        if (!topics.has(to) || to === threadId) return false;
        post({ from: threadId, to, topic, payload });
        return true;
      },
      requestAll: async (topic, payload) => {
        const answers = [...topics.keys()].map(
          (to) => new Promise((resolve) => post({ from: threadId, to, topic, payload }, resolve)),
        );
        return (await Promise.all(answers)).filter((answer) => answer !== undefined);
      },
      requestMain: async () => undefined,
      onGone: (listener) => void gone[threadId].push(listener),
      handle: (topic, handler) => void handlers.set(topic, handler),
    };
    Object.assign(harness.engine, { bus, threadId, pubsub: createPubSub() });
    return [harness, installPubSub(harness.engine, generation)];
  };
  const deliver = () => {
    for (let letter = letters.shift(); letter !== undefined; letter = letters.shift()) {
      letter.arrive(topics.get(letter.to));
    }
  };
  const endTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const settle = async () => {
    do {
      deliver();
      await endTurn();
    } while (letters.length > 0);
  };
  const harnesses = Array.from({ length: count }, (_, index) => start(index + 1, 0)[0]);
  const bury = (threadId: number) => {
    topics.delete(threadId);
    for (const other of topics.keys()) for (const listener of gone[other]) listener(threadId);
  };
  const replace = async (threadId: number) => {
    const [harness, isInstalled] = start(threadId, 1);
    await Promise.all([isInstalled, settle()]);
    return harness;
  };
  return { harnesses, letters, sent, deliver, settle, endTurn, bury, replace };
}

/** What was pushed to the clients of a thread since the last look, by words. */
function pushed(harness: Harness): string[] {
  const raw = harness.pushed.splice(0).join('');
  return splitReplies(raw).map((reply) =>
    reply
      .split('\r\n')
      .filter((_, at) => at > 0 && at % 2 === 0)
      .join(' '),
  );
}

let threads: Threads;
let first: Harness;
let second: Harness;
let third: Harness;
beforeEach(() => {
  threads = createThreads(3);
  [first, second, third] = threads.harnesses;
});
afterEach(async () => {
  await threads.settle();
});

async function subscribe(harness: Harness, ...args: string[]): Promise<Session> {
  const session = harness.connect();
  harness.runAs(session, 'HELLO', '3');
  expect(harness.runAs(session, ...args)).toBe('');
  await threads.settle();
  expect(harness.deferredReplies.splice(0).join('')).toContain(args.at(-1));
  return session;
}

const topicsOf = (letters: readonly Letter[]) => letters.map(({ topic }) => topic);

describe('a message', () => {
  it('reaches the subscribers of all threads, and its reply counts each of them', async () => {
    await subscribe(first, 'SUBSCRIBE', 'a');
    await subscribe(second, 'SUBSCRIBE', 'a', 'b');
    await subscribe(second, 'PSUBSCRIBE', '?');
    await subscribe(third, 'PSUBSCRIBE', 'a*', '[a-c]');
    expect(first.run('PUBLISH', 'a', 'one')).toBe(':5\r\n');
    expect(pushed(first)).toEqual(['message a one']);
    await threads.settle();
    expect(pushed(second)).toEqual(['message a one', 'pmessage ? a one']);
    expect(pushed(third)).toEqual(['pmessage a* a one', 'pmessage [a-c] a one']);
    expect(third.run('PUBLISH', 'b', 'two')).toBe(':3\r\n');
    await threads.settle();
    expect(pushed(first)).toEqual([]);
    expect(pushed(second)).toEqual(['message b two', 'pmessage ? b two']);
    expect(pushed(third)).toEqual(['pmessage [a-c] b two']);
  });

  it('of a shard channel reaches those of that kind, and no pattern', async () => {
    await subscribe(first, 'SSUBSCRIBE', 'a');
    await subscribe(second, 'PSUBSCRIBE', '*');
    await subscribe(third, 'SUBSCRIBE', 'a');
    expect(second.run('SPUBLISH', 'a', 'one')).toBe(':1\r\n');
    expect(second.run('PUBLISH', 'a', 'two')).toBe(':2\r\n');
    await threads.settle();
    expect(pushed(first)).toEqual(['smessage a one']);
    expect(pushed(second)).toEqual(['pmessage * a two']);
    expect(pushed(third)).toEqual(['message a two']);
  });

  it('of a shard channel whose slot has moved reaches nobody, and who listened is told that it does not any more', async () => {
    const session = await subscribe(first, 'SSUBSCRIBE', 'a', 'b');
    const other = await subscribe(second, 'SSUBSCRIBE', 'a');
    endLostChannels(first.engine, (name) => name === 'a');
    expect(first.pushed.splice(0)).toEqual(['>3\r\n$12\r\nsunsubscribe\r\n$1\r\na\r\n:1\r\n']);
    await threads.settle();
    expect(second.run('SPUBLISH', 'a', 'one')).toBe(':1\r\n');
    expect(second.run('SPUBLISH', 'b', 'two')).toBe(':1\r\n');
    await threads.settle();
    expect(pushed(first)).toEqual(['smessage b two']);
    endLostChannels(first.engine, () => true);
    expect(first.pushed.splice(0).join('')).toContain('sunsubscribe');
    expect(session.subscriptions).toBeUndefined();
    expect(other.subscriptions).toBeDefined();
  });

  it('is sent to no thread without a listener of it, and nobody is told that nobody listens', async () => {
    await subscribe(second, 'SUBSCRIBE', 'a');
    threads.sent.length = 0;
    expect(first.run('PUBLISH', 'b', 'one')).toBe(':0\r\n');
    expect(first.run('SPUBLISH', 'a', 'one')).toBe(':0\r\n');
    expect(second.run('PUBLISH', 'a', 'two')).toBe(':1\r\n');
    await threads.settle();
    expect(threads.sent).toEqual([]);
    expect(first.run('PUBLISH', 'a', 'three')).toBe(':1\r\n');
    await threads.endTurn();
    expect(threads.letters.map(({ to }) => to)).toEqual([2]);
  });

  it('goes with the others of its turn, in order', async () => {
    await subscribe(second, 'SUBSCRIBE', 'a', 'b');
    await subscribe(third, 'PSUBSCRIBE', 'b');
    threads.sent.length = 0;
    for (let i = 0; i < 10; i += 1) first.run('PUBLISH', i % 2 === 0 ? 'a' : 'b', `${i}`);
    await threads.settle();
    expect(topicsOf(threads.sent).sort()).toEqual([
      ...['pubsub-handed-on', 'pubsub-handed-on', 'pubsub-messages', 'pubsub-messages'],
    ]);
    expect(pushed(second)).toEqual(
      Array.from({ length: 10 }, (_, i) => `message ${i % 2 === 0 ? 'a' : 'b'} ${i}`),
    );
    expect(pushed(third)).toEqual([1, 3, 5, 7, 9].map((i) => `pmessage b b ${i}`));
  });

  it('may hold any bytes, and be empty', async () => {
    const name = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const session = second.connect();
    second.runAs(session, 'SUBSCRIBE', name, '');
    await threads.settle();
    expect(first.run('PUBLISH', name, Buffer.concat([name, name]))).toBe(':1\r\n');
    expect(first.run('PUBLISH', '', '')).toBe(':1\r\n');
    await threads.settle();
    const text = name.toString('latin1');
    expect(second.pushed.splice(0).join('')).toBe(
      `*3\r\n$7\r\nmessage\r\n$256\r\n${text}\r\n$512\r\n${text}${text}\r\n*3\r\n$7\r\nmessage\r\n$0\r\n\r\n$0\r\n\r\n`,
    );
  });

  it('is made once for the clients of each protocol', async () => {
    await subscribe(second, 'SUBSCRIBE', 'a');
    await subscribe(second, 'SUBSCRIBE', 'a');
    for (let i = 0; i < 2; i += 1) second.runAs(second.connect(), 'SUBSCRIBE', 'a');
    await threads.settle();
    const bytes: Buffer[] = [];
    for (const { connection } of second.engine.sessions.values()) {
      Object.assign(connection, { push: (pushed: Buffer) => bytes.push(pushed) });
    }
    first.run('PUBLISH', 'a', 'x');
    await threads.settle();
    expect(bytes).toHaveLength(4);
    expect(new Set(bytes).size).toBe(2);
    expect(bytes.map(String).sort()).toEqual(
      ['*', '*', '>', '>'].map((type) => `${type}3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n`),
    );
  });
});

describe('a subscription', () => {
  it('is confirmed when every thread knows of it', async () => {
    const session = first.connect();
    expect(first.runAs(session, 'SUBSCRIBE', 'a', 'b', 'a')).toBe('');
    expect(first.run('PUBLISH', 'a', 'x')).toBe(':1\r\n');
    expect(second.run('PUBLISH', 'a', 'x')).toBe(':0\r\n');
    await threads.endTurn();
    expect(first.deferredReplies).toEqual([]);
    await threads.settle();
    const confirmed = (name: string, count: number) =>
      `*3\r\n$9\r\nsubscribe\r\n$1\r\n${name}\r\n:${count}\r\n`;
    expect(first.deferredReplies).toEqual([confirmed('a', 1) + confirmed('b', 2) + confirmed('a', 2)]);
    expect(second.run('PUBLISH', 'a', 'x')).toBe(':1\r\n');
    expect(third.run('PUBLISH', 'b', 'x')).toBe(':1\r\n');
  });

  it('that was there already is confirmed at once', async () => {
    const session = await subscribe(first, 'SUBSCRIBE', 'a');
    expect(first.runAs(session, 'SUBSCRIBE', 'a')).toBe('>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n');
    expect(first.runAs(session, 'UNSUBSCRIBE', 'b')).toBe('>3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n');
    await threads.settle();
    expect(second.run('PUBLISH', 'a', 'x')).toBe(':1\r\n');
  });

  it('is told with the others of its turn', async () => {
    threads.sent.length = 0;
    for (let i = 0; i < 5; i += 1) first.runAs(first.connect(), 'SUBSCRIBE', 'a', `${i}`);
    await threads.settle();
    expect(topicsOf(threads.sent)).toEqual(['pubsub-interest', 'pubsub-interest', 'pubsub-interest']);
    expect(first.deferredReplies).toHaveLength(5);
    expect(second.run('PUBSUB', 'NUMSUB', 'a', '0')).toBe('*4\r\n$1\r\na\r\n:5\r\n$1\r\n0\r\n:1\r\n');
  });

  it('ends everywhere before the end is confirmed, and when its client goes', async () => {
    const one = await subscribe(first, 'SUBSCRIBE', 'a', 'b');
    const other = await subscribe(first, 'SUBSCRIBE', 'a');
    first.runAs(one, 'UNSUBSCRIBE');
    await threads.settle();
    expect(first.deferredReplies.splice(0)).toEqual([
      '>3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n',
    ]);
    expect(one.subscriptions).toBeUndefined();
    expect(one.guards).toBe(0);
    expect(second.run('PUBLISH', 'a', 'x')).toBe(':1\r\n');
    expect(second.run('PUBSUB', 'CHANNELS')).toBe('*1\r\n$1\r\na\r\n');
    endSubscriptions(first.engine, other);
    await threads.settle();
    expect(second.run('PUBLISH', 'a', 'x')).toBe(':0\r\n');
    for (const { engine } of threads.harnesses) {
      expect(engine.pubsub.listening.map(({ size }) => size)).toEqual([0, 0, 0]);
    }
  });

  it('of too many names is refused', () => {
    const session = first.connect();
    const name = 'n'.repeat(SUBSCRIPTION_BYTES_MAX / 2);
    expect(first.runAs(session, 'SUBSCRIBE', name)).toBe('');
    expect(first.runAs(session, 'PSUBSCRIBE', name)).toMatch(/^-ERR the names that a client listens to/);
    expect(session.subscriptions?.bytes).toBeLessThanOrEqual(SUBSCRIPTION_BYTES_MAX);
    first.runAs(session, 'UNSUBSCRIBE', name);
    expect(session.subscriptions).toBeUndefined();
  });

  it('is refused to clients of the main thread, which may publish', async () => {
    await subscribe(second, 'SUBSCRIBE', 'a');
    Object.assign(first.engine, { workerIndex: -1 });
    for (const name of [
      'SUBSCRIBE',
      'PSUBSCRIBE',
      'SSUBSCRIBE',
      'UNSUBSCRIBE',
      'PUNSUBSCRIBE',
      'SUNSUBSCRIBE',
    ]) {
      expect(first.run(name, 'a')).toBe(`-ERR ${name} isn't allowed for a DENY BLOCKING client\r\n`);
    }
    expect(first.run('PUBLISH', 'a', 'x')).toBe(':1\r\n');
  });
});

describe('a thread', () => {
  it('that is gone is forgotten, and does not hold up who subscribes', async () => {
    await subscribe(second, 'SUBSCRIBE', 'a');
    await subscribe(third, 'SUBSCRIBE', 'a');
    threads.bury(2);
    expect(first.run('PUBLISH', 'a', 'x')).toBe(':1\r\n');
    expect(first.run('PUBSUB', 'NUMSUB', 'a')).toBe('*2\r\n$1\r\na\r\n:1\r\n');
    await subscribe(first, 'SUBSCRIBE', 'a');
    expect(third.run('PUBLISH', 'a', 'x')).toBe(':2\r\n');
  });

  it('that takes its place learns who listens, and is told from then on', async () => {
    await subscribe(first, 'SUBSCRIBE', 'a');
    await subscribe(first, 'PSUBSCRIBE', 'b*');
    await subscribe(third, 'SSUBSCRIBE', 'a');
    threads.bury(2);
    const fresh = await threads.replace(2);
    expect(fresh.run('PUBLISH', 'a', 'x')).toBe(':1\r\n');
    expect(fresh.run('PUBLISH', 'bb', 'x')).toBe(':1\r\n');
    expect(fresh.run('SPUBLISH', 'a', 'x')).toBe(':1\r\n');
    await subscribe(fresh, 'SUBSCRIBE', 'a');
    expect(third.run('PUBLISH', 'a', 'y')).toBe(':2\r\n');
    await threads.settle();
    expect(pushed(fresh)).toEqual(['message a y']);
  });

  it('hands on a turn’s share at a time, and says so when it is through', async () => {
    const LISTENERS = 8;
    const MESSAGES = 200;
    for (let i = 0; i < LISTENERS; i += 1) await subscribe(second, 'SUBSCRIBE', 'a');
    for (let i = 0; i < MESSAGES; i += 1) first.run('PUBLISH', 'a', 'x'.repeat(1000));
    await threads.endTurn();
    expect(threads.letters).toHaveLength(1);
    threads.deliver();
    const bytesHandedOn = second.pushed.reduce((sum, { length }) => sum + length, 0);
    expect(bytesHandedOn).toBeGreaterThan(TURN_OUTPUT_BYTES_MAX / 2);
    expect(bytesHandedOn).toBeLessThan(TURN_OUTPUT_BYTES_MAX);
    expect(first.engine.pubsub.outboxes.get(2)?.unseenBytes).toBeGreaterThan(0);
    await threads.settle();
    expect(second.pushed).toHaveLength(LISTENERS * MESSAGES);
    expect(first.engine.pubsub.outboxes.get(2)?.unseenBytes).toBe(0);
  });

  it('that is behind makes those wait who publish to it, until it is not', async () => {
    await subscribe(second, 'SUBSCRIBE', 'a');
    await subscribe(third, 'SUBSCRIBE', 'b');
    const [eager, modest] = [first.connect(), first.connect()];
    for (let sent = 0; sent <= PUBSUB_CALM_BYTES; sent += PUBSUB_BATCH_BYTES_MAX) {
      first.runAs(eager, 'PUBLISH', 'a', 'x'.repeat(PUBSUB_BATCH_BYTES_MAX));
    }
    first.runAs(modest, 'PUBLISH', 'b', 'x');
    await threads.endTurn();
    expect(first.engine.pubsub.held).toHaveLength(1);
    expect(first.deferredReplies).toEqual([]);
    await threads.settle();
    expect(first.engine.pubsub.held).toEqual([]);
    // A wait is a reply of nothing.
    expect(first.deferredReplies).toEqual(['']);
  });

  it('that is far behind closes its subscribers, and takes messages again from then on', async () => {
    const listener = await subscribe(second, 'SUBSCRIBE', 'a');
    const body = 'x'.repeat(2 ** 22);
    for (let sent = 0; sent <= PUBSUB_AHEAD_BYTES_MAX + 2 ** 23; sent += body.length) {
      first.run('PUBLISH', 'a', body);
    }
    await threads.endTurn();
    expect(topicsOf(threads.letters).filter((topic) => topic === 'pubsub-lost')).toHaveLength(1);
    expect(first.engine.pubsub.outboxes.get(2)?.isLost).toBe(true);
    await threads.settle();
    expect(listener.closing).toBe(true);
    expect(second.engine.counters[LIMIT_CUTS]).toBe(1);
    expect(second.log.join()).toContain('cannot be told all messages');
    endSubscriptions(second.engine, listener);
    second.engine.sessions.delete(listener.id);
    second.pushed.length = 0;
    await threads.settle();
    await subscribe(second, 'SUBSCRIBE', 'a');
    expect(first.run('PUBLISH', 'a', 'again')).toBe(':1\r\n');
    await threads.settle();
    expect(pushed(second)).toEqual(['message a again']);
  });

  it('that goes while it is behind lets those go on who waited for it', async () => {
    await subscribe(second, 'SUBSCRIBE', 'a');
    first.run('PUBLISH', 'a', 'x'.repeat(2 * PUBSUB_CALM_BYTES));
    await threads.endTurn();
    expect(first.engine.pubsub.held).toHaveLength(1);
    threads.letters.length = 0;
    threads.bury(2);
    expect(first.engine.pubsub.held).toEqual([]);
    expect(first.deferredReplies).toEqual(['']);
  });
});
