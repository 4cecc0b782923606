/**
 * The rows of the commands on replicas as a whole: data that COMMAND answers from and the dispatcher checks by.
 *
 * Any thread, never changed. As redis-server 7.0.15 reports them (COMMAND INFO, COMMAND DOCS).
 */
import type { CommandSpec } from '../spec.ts';

export const REPLICATION_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'wait',
    arity: 3,
    flags: ['noscript'],
    categories: ['slow', 'connection'],
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [],
    summary:
      'Wait for the synchronous replication of all the write commands sent in the context of the current connection',
    since: '3.0.0',
    group: 'generic',
    complexity: 'O(1)',
    arguments: [
      { name: 'numreplicas', type: 'integer' },
      { name: 'timeout', type: 'integer' },
    ],
  },
  {
    name: 'replicaof',
    arity: 3,
    flags: ['admin', 'noscript', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    tips: [],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [],
    summary: 'Make the server a replica of another instance, or promote it as master.',
    since: '5.0.0',
    group: 'server',
    complexity: 'O(1)',
    arguments: [
      {
        name: 'args',
        type: 'oneof',
        arguments: [
          {
            name: 'host-port',
            type: 'block',
            arguments: [
              {
                name: 'host',
                type: 'string',
              },
              {
                name: 'port',
                type: 'integer',
              },
            ],
          },
          {
            name: 'no-one',
            type: 'block',
            arguments: [
              {
                name: 'no',
                type: 'pure-token',
                token: 'NO',
              },
              {
                name: 'one',
                type: 'pure-token',
                token: 'ONE',
              },
            ],
          },
        ],
      },
    ],
  },
  {
    name: 'role',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    categories: ['admin', 'fast', 'dangerous'],
    tips: [],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [],
    summary: 'Return the role of the instance in the context of replication',
    since: '2.8.12',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'slaveof',
    arity: 3,
    flags: ['admin', 'noscript', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    tips: [],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [],
    summary: 'Make the server a replica of another instance, or promote it as master.',
    since: '1.0.0',
    group: 'server',
    complexity: 'O(1)',
    docFlags: ['deprecated'],
    deprecatedSince: '5.0.0',
    replacedBy: '`REPLICAOF`',
    arguments: [
      {
        name: 'args',
        type: 'oneof',
        arguments: [
          {
            name: 'host-port',
            type: 'block',
            arguments: [
              {
                name: 'host',
                type: 'string',
              },
              {
                name: 'port',
                type: 'integer',
              },
            ],
          },
          {
            name: 'no-one',
            type: 'block',
            arguments: [
              {
                name: 'no',
                type: 'pure-token',
                token: 'NO',
              },
              {
                name: 'one',
                type: 'pure-token',
                token: 'ONE',
              },
            ],
          },
        ],
      },
    ],
  },
];
