/**
 * The rows of the subcommands of CLUSTER that change something in the cluster.
 *
 * Any thread, never changed. As redis-server 7.0.15 reports them (COMMAND INFO, COMMAND DOCS); LEAVE is ours.
 */
import type { CommandSpec } from '../spec.ts';

const PLAIN = {
  tips: [],
  firstKey: 0,
  lastKey: 0,
  keyStep: 0,
  keys: [],
  group: 'cluster',
} as const satisfies Partial<CommandSpec>;

export const CLUSTER_CHANGES: readonly CommandSpec[] = [
  {
    ...PLAIN,
    name: 'cluster|addslots',
    arity: -3,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Assign new hash slots to receiving node',
    since: '3.0.0',
    complexity: 'O(N) where N is the total number of hash slot arguments',
    arguments: [
      {
        name: 'slot',
        type: 'integer',
        flags: ['multiple'],
      },
    ],
  },
  {
    ...PLAIN,
    name: 'cluster|addslotsrange',
    arity: -4,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Assign new hash slots to receiving node',
    since: '7.0.0',
    complexity:
      'O(N) where N is the total number of the slots between the start slot and end slot arguments.',
    arguments: [
      {
        name: 'start-slot_end-slot',
        type: 'block',
        flags: ['multiple'],
        arguments: [
          {
            name: 'start-slot',
            type: 'integer',
          },
          {
            name: 'end-slot',
            type: 'integer',
          },
        ],
      },
    ],
  },
  {
    ...PLAIN,
    name: 'cluster|bumpepoch',
    arity: 2,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    tips: ['nondeterministic_output'],
    summary: 'Advance the cluster config epoch',
    since: '3.0.0',
    complexity: 'O(1)',
  },
  {
    ...PLAIN,
    name: 'cluster|delslots',
    arity: -3,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Set hash slots as unbound in receiving node',
    since: '3.0.0',
    complexity: 'O(N) where N is the total number of hash slot arguments',
    arguments: [
      {
        name: 'slot',
        type: 'integer',
        flags: ['multiple'],
      },
    ],
  },
  {
    ...PLAIN,
    name: 'cluster|delslotsrange',
    arity: -4,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Set hash slots as unbound in receiving node',
    since: '7.0.0',
    complexity:
      'O(N) where N is the total number of the slots between the start slot and end slot arguments.',
    arguments: [
      {
        name: 'start-slot_end-slot',
        type: 'block',
        flags: ['multiple'],
        arguments: [
          {
            name: 'start-slot',
            type: 'integer',
          },
          {
            name: 'end-slot',
            type: 'integer',
          },
        ],
      },
    ],
  },
  {
    ...PLAIN,
    name: 'cluster|failover',
    arity: -2,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Forces a replica to perform a manual failover of its master.',
    since: '3.0.0',
    complexity: 'O(1)',
    arguments: [
      {
        name: 'options',
        type: 'oneof',
        flags: ['optional'],
        arguments: [
          {
            name: 'force',
            type: 'pure-token',
            token: 'FORCE',
          },
          {
            name: 'takeover',
            type: 'pure-token',
            token: 'TAKEOVER',
          },
        ],
      },
    ],
  },
  {
    ...PLAIN,
    name: 'cluster|flushslots',
    arity: 2,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: "Delete a node's own slots information",
    since: '3.0.0',
    complexity: 'O(1)',
  },
  {
    ...PLAIN,
    name: 'cluster|forget',
    arity: 3,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Remove a node from the nodes table',
    since: '3.0.0',
    complexity: 'O(1)',
    arguments: [
      {
        name: 'node-id',
        type: 'string',
      },
    ],
  },
  {
    ...PLAIN,
    name: 'cluster|leave',
    arity: 2,
    flags: ['admin', 'noscript', 'stale'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Gives all slots of the node to others, so that it can be stopped',
    since: '7.0.0',
    complexity: 'O(1)',
  },
  {
    ...PLAIN,
    name: 'cluster|meet',
    arity: -4,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Force a node cluster to handshake with another node',
    since: '3.0.0',
    complexity: 'O(1)',
    history: [['4.0.0', 'Added the optional `cluster_bus_port` argument.']],
    arguments: [
      {
        name: 'ip',
        type: 'string',
      },
      {
        name: 'port',
        type: 'integer',
      },
      {
        ...PLAIN,
        name: 'cluster_bus_port',
        type: 'integer',
        since: '4.0.0',
        flags: ['optional'],
      },
    ],
  },
  {
    ...PLAIN,
    name: 'cluster|replicate',
    arity: 3,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Reconfigure a node as a replica of the specified master node',
    since: '3.0.0',
    complexity: 'O(1)',
    arguments: [
      {
        name: 'node-id',
        type: 'string',
      },
    ],
  },
  {
    ...PLAIN,
    name: 'cluster|reset',
    arity: -2,
    flags: ['admin', 'noscript', 'stale'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Reset a Redis Cluster node',
    since: '3.0.0',
    complexity:
      'O(N) where N is the number of known nodes. The command may execute a FLUSHALL as a side effect.',
    arguments: [
      {
        name: 'hard_soft',
        type: 'oneof',
        flags: ['optional'],
        arguments: [
          {
            name: 'hard',
            type: 'pure-token',
            token: 'HARD',
          },
          {
            name: 'soft',
            type: 'pure-token',
            token: 'SOFT',
          },
        ],
      },
    ],
  },
  {
    ...PLAIN,
    name: 'cluster|saveconfig',
    arity: 2,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Forces the node to save cluster state on disk',
    since: '3.0.0',
    complexity: 'O(1)',
  },
  {
    ...PLAIN,
    name: 'cluster|set-config-epoch',
    arity: 3,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Set the configuration epoch in a new node',
    since: '3.0.0',
    complexity: 'O(1)',
    arguments: [
      {
        name: 'config-epoch',
        type: 'integer',
      },
    ],
  },
  {
    ...PLAIN,
    name: 'cluster|setslot',
    arity: -4,
    flags: ['admin', 'stale', 'no_async_loading'],
    categories: ['admin', 'slow', 'dangerous'],
    summary: 'Bind a hash slot to a specific node',
    since: '3.0.0',
    complexity: 'O(1)',
    arguments: [
      {
        name: 'slot',
        type: 'integer',
      },
      {
        name: 'subcommand',
        type: 'oneof',
        arguments: [
          {
            name: 'node-id',
            type: 'string',
            token: 'IMPORTING',
          },
          {
            name: 'node-id',
            type: 'string',
            token: 'MIGRATING',
          },
          {
            name: 'node-id',
            type: 'string',
            token: 'NODE',
          },
          {
            name: 'stable',
            type: 'pure-token',
            token: 'STABLE',
          },
        ],
      },
    ],
  },
];
