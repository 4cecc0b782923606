/** The bus between threads, here between several buses of one thread: the channels are the same. */
import { MessageChannel } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Bus,
  connectPeer,
  createBus,
  disconnectPeer,
  handleTopic,
  publish,
  publishTo,
  requestAll,
  requestFrom,
} from '../../src/threads/bus.ts';

const LONGER_THAN_ANY_TEST_MS = 600_000;

type Trouble = { text: string; error: unknown };

let buses: Bus[] = [];
let troubles: Trouble[] = [];

/** Buses with the ids 1 to `count`, each joined to each. */
function createMesh(count: number): Bus[] {
  troubles = [];
  buses = Array.from({ length: count }, (_, index) =>
    createBus(index + 1, (text, error) => troubles.push({ text, error }), []),
  );
  for (let a = 0; a < count; a++) for (let b = a + 1; b < count; b++) join(buses[a], buses[b]);
  return buses;
}

function join(a: Bus, b: Bus): void {
  const { port1, port2 } = new MessageChannel();
  connectPeer(a, { threadId: b.threadId, port: port1 });
  connectPeer(b, { threadId: a.threadId, port: port2 });
}

/** Resolves when `bus` has had `count` messages of a topic. */
function received(bus: Bus, topic: string, count: number): Promise<{ payload: unknown; from: number }[]> {
  return new Promise((resolve) => {
    const messages: { payload: unknown; from: number }[] = [];
    handleTopic(bus, topic, (payload, from) => {
      if (messages.push({ payload, from }) === count) resolve(messages);
    });
  });
}

afterEach(() => {
  for (const bus of buses) for (const peer of [...bus.peers.keys()]) disconnectPeer(bus, peer);
});

describe('publishing', () => {
  it('reaches all other threads, and not the own one', async () => {
    const [first, second, third] = createMesh(3);
    const own = received(first, 'topic', 1);
    const others = [received(second, 'topic', 1), received(third, 'topic', 1)];
    publish(first, 'topic', { key: 'k' });
    expect(await Promise.all(others)).toEqual([
      [{ payload: { key: 'k' }, from: 1 }],
      [{ payload: { key: 'k' }, from: 1 }],
    ]);
    expect(await Promise.race([own, Promise.resolve('nothing')])).toBe('nothing');
  });

  it('to one thread reaches that one only', async () => {
    const [first, second, third] = createMesh(3);
    const messages = received(second, 'topic', 2);
    let strays = 0;
    handleTopic(third, 'topic', () => strays++);
    publishTo(first, 2, 'topic', 'a');
    publishTo(first, 2, 'topic', 'b');
    expect((await messages).map(({ payload }) => payload)).toEqual(['a', 'b']);
    expect(await requestFrom(first, 3, 'topic', 'c')).toBe(0);
    expect(strays).toBe(1);
  });

  it('to a thread that is not there goes nowhere', () => {
    const [first] = createMesh(2);
    expect(() => publishTo(first, 9, 'topic', 'a')).not.toThrow();
  });

  it('sends the messages of one turn as one batch, in order', async () => {
    const [first, second] = createMesh(2);
    let batches = 0;
    second.peers.get(1)?.port.on('message', () => batches++);
    const messages = received(second, 'topic', 100);
    for (let i = 0; i < 100; i++) publish(first, 'topic', i);
    expect((await messages).map(({ payload }) => payload)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(batches).toBe(1);
  });

  it('loses only the payload that cannot be cloned, wherever it stands in a batch', async () => {
    const clonable = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(clonable, async (plan) => {
        const [first, second] = createMesh(2);
        const wanted = plan.flatMap((good, at) => (good ? [at] : []));
        const messages = received(second, 'topic', wanted.length + 1);
        plan.forEach((good, at) => {
          publish(first, 'topic', good ? at : () => at);
        });
        publish(first, 'topic', 'end');
        expect((await messages).map(({ payload }) => payload)).toEqual([...wanted, 'end']);
        expect(troubles).toHaveLength(plan.length - wanted.length);
      }),
      { numRuns: 50 },
    );
  });
});

describe('requests', () => {
  it('to all collect the replies in order of thread, the own one included, whoever asks and whoever is late', async () => {
    const mesh = createMesh(4);
    for (const bus of mesh) {
      handleTopic<number>(bus, 'square', async (payload, from) => {
        for (let turn = 0; turn < (bus.threadId * 3) % 4; turn++) await new Promise(setImmediate);
        return [bus.threadId, payload * payload, from];
      });
    }
    for (const bus of mesh) {
      expect(await requestAll(bus, 'square', 3)).toEqual(
        mesh.map((other) => [other.threadId, 9, bus.threadId]),
      );
    }
  });

  it('to one thread resolve to its reply, also to the own one', async () => {
    const [first, second] = createMesh(2);
    handleTopic(first, 'who', () => 'first');
    handleTopic(second, 'who', () => Promise.resolve('second'));
    expect(await requestFrom(first, 2, 'who', null)).toBe('second');
    expect(await requestFrom(first, 1, 'who', null)).toBe('first');
  });

  it('are never answered in the middle of who asks, also by the own thread: locks may be held there', async () => {
    const [bus] = createMesh(2);
    let isAsking = true;
    handleTopic(bus, 'topic', () => isAsking);
    const replies = [requestAll(bus, 'topic', null), requestFrom(bus, 1, 'topic', null)];
    isAsking = false;
    expect(await Promise.all(replies)).toEqual([[false], false]);
  });

  it('leave out threads without a handler and with one that fails, and tell of the failure once', async () => {
    const [first, second, third] = createMesh(4);
    const failure = new Error('bug');
    handleTopic(first, 'topic', () => 1);
    handleTopic(second, 'topic', () => {
      throw failure;
    });
    handleTopic(third, 'topic', () => Promise.reject(failure));
    expect(await requestAll(first, 'topic', null)).toEqual([1]);
    expect(troubles).toEqual([
      { text: "the handler of 'topic' failed", error: failure },
      { text: "the handler of 'topic' failed", error: failure },
    ]);
  });

  it('keep a reply of undefined apart from none', async () => {
    const [first, second] = createMesh(3);
    handleTopic(second, 'topic', () => undefined);
    expect(await requestAll(first, 'topic', null)).toEqual([undefined]);
  });

  it('end without the reply of a thread that dies meanwhile', async () => {
    const [first, second, third] = createMesh(3);
    handleTopic(second, 'topic', () => new Promise(() => undefined));
    handleTopic(third, 'topic', () => 3);
    const asked = new Promise((resolve) => handleTopic(second, 'asked', resolve));
    const replies = requestAll(first, 'topic', null, LONGER_THAN_ANY_TEST_MS);
    publishTo(first, 2, 'asked', null);
    await asked;
    second.peers.get(1)?.port.close();
    expect(await replies).toEqual([3]);
    expect([...first.peers.keys()]).toEqual([3]);
  });

  it('end without the reply of a thread that stays silent', async () => {
    const [first, second, third] = createMesh(3);
    handleTopic(second, 'topic', () => new Promise(() => undefined));
    handleTopic(third, 'topic', () => 3);
    expect(await requestAll(first, 'topic', null, 50)).toEqual([3]);
    expect(await requestFrom(first, 2, 'topic', null, 1)).toBeUndefined();
    expect(first.waiting.size).toBe(0);
  });

  it('ignore a reply that comes too late', async () => {
    const [first, second] = createMesh(2);
    let answerLate: (reply: unknown) => void = () => undefined;
    handleTopic(second, 'topic', () => new Promise((resolve) => (answerLate = resolve)));
    expect(await requestFrom(first, 2, 'topic', null, 20)).toBeUndefined();
    answerLate('late');
    handleTopic(second, 'other', () => 'other');
    expect(await requestFrom(first, 2, 'other', null)).toBe('other');
  });

  it('to a thread that is not there end at once', async () => {
    const [first] = createMesh(1);
    expect(await requestFrom(first, 9, 'topic', null)).toBeUndefined();
    expect(await requestAll(first, 'topic', null)).toEqual([]);
  });
});

describe('a replaced thread', () => {
  it('takes the place of the old one: its channel is used, the old one is closed', async () => {
    const [first, old] = createMesh(2);
    const oldPort = old.peers.get(1)?.port;
    const fresh = createBus(2, () => undefined, []);
    handleTopic(fresh, 'who', () => 'fresh');
    const closed = new Promise((resolve) => oldPort?.once('close', resolve));
    join(first, fresh);
    expect(await requestFrom(first, 2, 'who', null)).toBe('fresh');
    await closed;
    expect(first.peers.size).toBe(1);
    expect(old.peers.size).toBe(0);
  });

  it('has what was sent before it listened', async () => {
    const [first] = createMesh(1);
    const { port1, port2 } = new MessageChannel();
    connectPeer(first, { threadId: 2, port: port1 });
    publishTo(first, 2, 'topic', 'early');
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    const fresh = createBus(2, () => undefined, []);
    const messages = received(fresh, 'topic', 1);
    connectPeer(fresh, { threadId: 1, port: port2 });
    expect(await messages).toEqual([{ payload: 'early', from: 1 }]);
  });
});
