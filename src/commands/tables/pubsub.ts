/**
 * The rows of the commands for messages between clients: data that COMMAND answers from and the dispatcher checks by.
 *
 * Any thread, never changed. As redis-server 7.0.15 reports them (COMMAND INFO, COMMAND DOCS).
 */
import type { ArgumentSpec, CommandSpec, KeySpec } from '../spec.ts';

const PLAIN = {
  flags: ['pubsub', 'noscript', 'loading', 'stale'],
  categories: ['pubsub', 'slow'],
  tips: [],
  firstKey: 0,
  lastKey: 0,
  keyStep: 0,
  keys: [],
  since: '2.0.0',
  group: 'pubsub',
} as const satisfies Partial<CommandSpec>;

const PUBLISHING = {
  ...PLAIN,
  flags: ['pubsub', 'loading', 'stale', 'fast'],
  categories: ['pubsub', 'fast'],
};

const ASKING = {
  ...PLAIN,
  flags: ['pubsub', 'loading', 'stale'],
  since: '2.8.0',
} as const satisfies Partial<CommandSpec>;

/** A channel of a shard stands where keys stand, but is none. */
const SHARD_CHANNELS: KeySpec = {
  flags: ['not_key'],
  begin: { index: 1 },
  find: { lastKey: -1, step: 1, limit: 0 },
};
const SHARD_CHANNEL: KeySpec = { ...SHARD_CHANNELS, find: { lastKey: 0, step: 1, limit: 0 } };

const CHANNEL: ArgumentSpec = { name: 'channel', type: 'string' };
const SHARD: ArgumentSpec = { name: 'shardchannel', type: 'string' };
const PATTERN: ArgumentSpec = { name: 'pattern', type: 'pattern' };
const MESSAGE: ArgumentSpec = { name: 'message', type: 'string' };

function some(argument: ArgumentSpec): ArgumentSpec {
  return { ...argument, flags: ['multiple'] };
}

function someOrNone(argument: ArgumentSpec): ArgumentSpec {
  return { ...argument, flags: ['optional', 'multiple'] };
}

export const PUBSUB_COMMANDS: readonly CommandSpec[] = [
  {
    ...PLAIN,
    name: 'psubscribe',
    arity: -2,
    summary: 'Listen for messages published to channels matching the given patterns',
    complexity: 'O(N) where N is the number of patterns the client is already subscribed to.',
    arguments: [{ name: 'pattern', type: 'block', flags: ['multiple'], arguments: [PATTERN] }],
  },
  {
    ...PUBLISHING,
    name: 'publish',
    arity: 3,
    summary: 'Post a message to a channel',
    complexity:
      'O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).',
    arguments: [CHANNEL, MESSAGE],
  },
  {
    ...ASKING,
    name: 'pubsub',
    arity: -2,
    flags: [],
    categories: ['slow'],
    summary: 'A container for Pub/Sub commands',
    complexity: 'Depends on subcommand.',
    subcommands: [
      {
        ...ASKING,
        name: 'pubsub|channels',
        arity: -2,
        summary: 'List active channels',
        complexity:
          'O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)',
        arguments: [{ ...PATTERN, flags: ['optional'] }],
      },
      {
        ...ASKING,
        name: 'pubsub|help',
        arity: 2,
        flags: ['loading', 'stale'],
        categories: ['slow'],
        since: '6.2.0',
        summary: 'Show helpful text about the different subcommands',
        complexity: 'O(1)',
      },
      {
        ...ASKING,
        name: 'pubsub|numpat',
        arity: 2,
        summary: 'Get the count of unique patterns pattern subscriptions',
        complexity: 'O(1)',
      },
      {
        ...ASKING,
        name: 'pubsub|numsub',
        arity: -2,
        summary: 'Get the count of subscribers for channels',
        complexity: 'O(N) for the NUMSUB subcommand, where N is the number of requested channels',
        arguments: [someOrNone(CHANNEL)],
      },
      {
        ...ASKING,
        name: 'pubsub|shardchannels',
        arity: -2,
        since: '7.0.0',
        summary: 'List active shard channels',
        complexity:
          'O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).',
        arguments: [{ ...PATTERN, flags: ['optional'] }],
      },
      {
        ...ASKING,
        name: 'pubsub|shardnumsub',
        arity: -2,
        since: '7.0.0',
        summary: 'Get the count of subscribers for shard channels',
        complexity: 'O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels',
        arguments: [someOrNone(SHARD)],
      },
    ],
  },
  {
    ...PLAIN,
    name: 'punsubscribe',
    arity: -1,
    summary: 'Stop listening for messages posted to channels matching the given patterns',
    complexity:
      'O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total patterns subscribed in the system (by any client).',
    arguments: [someOrNone(PATTERN)],
  },
  {
    ...PUBLISHING,
    name: 'spublish',
    arity: 3,
    firstKey: 1,
    lastKey: 1,
    keyStep: 1,
    keys: [SHARD_CHANNEL],
    since: '7.0.0',
    summary: 'Post a message to a shard channel',
    complexity: 'O(N) where N is the number of clients subscribed to the receiving shard channel.',
    arguments: [SHARD, MESSAGE],
  },
  {
    ...PLAIN,
    name: 'ssubscribe',
    arity: -2,
    firstKey: 1,
    lastKey: -1,
    keyStep: 1,
    keys: [SHARD_CHANNELS],
    since: '7.0.0',
    summary: 'Listen for messages published to the given shard channels',
    complexity: 'O(N) where N is the number of shard channels to subscribe to.',
    arguments: [some(SHARD)],
  },
  {
    ...PLAIN,
    name: 'subscribe',
    arity: -2,
    summary: 'Listen for messages published to the given channels',
    complexity: 'O(N) where N is the number of channels to subscribe to.',
    arguments: [some(CHANNEL)],
  },
  {
    ...PLAIN,
    name: 'sunsubscribe',
    arity: -1,
    firstKey: 1,
    lastKey: -1,
    keyStep: 1,
    keys: [SHARD_CHANNELS],
    since: '7.0.0',
    summary: 'Stop listening for messages posted to the given shard channels',
    complexity: 'O(N) where N is the number of clients already subscribed to a shard channel.',
    arguments: [someOrNone(SHARD)],
  },
  {
    ...PLAIN,
    name: 'unsubscribe',
    arity: -1,
    summary: 'Stop listening for messages posted to the given channels',
    complexity: 'O(N) where N is the number of clients already subscribed to a channel.',
    arguments: [someOrNone(CHANNEL)],
  },
];
