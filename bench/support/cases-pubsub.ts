/** In-process cases of messages between clients: what a publish and an event of a key cost while nobody listens. */
import { Buffer } from 'node:buffer';
import type { Call } from '../../src/commands/call.ts';
import { publishMessage } from '../../src/commands/delivery.ts';
import type { Engine } from '../../src/commands/engine.ts';
import { NOTIFY_STRING, notifyKeyspace } from '../../src/commands/keyspace-events.ts';
import { createPubSub } from '../../src/commands/pubsub-state.ts';
import type { Session } from '../../src/commands/session.ts';
import { addSubscription, CHANNELS } from '../../src/commands/subscriptions.ts';
import { createKeyEvents } from '../../src/shard/key-events.ts';
import type { Case, Workload } from './measure.ts';

const PUBLISHES = 1_000_000;
const ROUNDS = 20;
const OTHER_CHANNELS = 1_000;

const source = Buffer.from('newshello');

export const PUBSUB_CASES: readonly Case[] = [
  {
    name: 'Publish to nobody',
    data: 'no subscriber anywhere',
    adds: 'two sizes are looked at',
    create: () => publishWorkload(0),
  },
  {
    name: 'Publish to nobody, others listen',
    data: '1,000 other channels have a subscriber',
    adds: 'the name becomes a text and is looked up',
    create: () => publishWorkload(OTHER_CHANNELS),
  },
  {
    name: 'Event of a key, nobody listens',
    data: 'SET, whatever notify-keyspace-events says',
    adds: 'a mask is looked at',
    create: () => {
      const call = { engine: { keyEvents: createKeyEvents() } } as Call;
      return repeated(() => notifyKeyspace(call, NOTIFY_STRING, 'set', 1));
    },
  },
];

function publishWorkload(channels: number): Workload {
  const engine = { pubsub: createPubSub() } as Engine;
  const session = { subscriptions: undefined, guards: 0 } as Session;
  for (let i = 0; i < channels; i += 1)
    addSubscription(engine.pubsub.listening, session, CHANNELS, `other:${i}`);
  return repeated(() => {
    const message = {
      kind: CHANNELS,
      source,
      channelStart: 0,
      channelEnd: 4,
      bodyStart: 4,
      bodyEnd: 9,
      isBehind: false,
    };
    if (publishMessage(engine, undefined, message) !== 0) throw new Error('somebody listens');
  });
}

function repeated(deed: () => void): Workload {
  return {
    run: () => {
      for (let i = 0; i < PUBLISHES * ROUNDS; i += 1) deed();
      return PUBLISHES * ROUNDS;
    },
  };
}
