/**
 * The rows of the commands that tell what was slow: data that COMMAND answers from and the dispatcher checks by.
 *
 * Any thread, never changed. As redis-server 7.0.15 reports them (COMMAND INFO, COMMAND DOCS).
 */
import type { CommandSpec } from '../spec.ts';

const KEYLESS = { firstKey: 0, lastKey: 0, keyStep: 0, keys: [] } as const;

const CONTAINER = { ...KEYLESS, arity: -2, flags: [], categories: ['slow'], tips: [] } as const;

const HELP = {
  ...KEYLESS,
  arity: 2,
  flags: ['loading', 'stale'],
  categories: ['slow'],
  tips: [],
  complexity: 'O(1)',
} as const;

const LATENCY = {
  ...KEYLESS,
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['admin', 'slow', 'dangerous'],
  tips: ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'],
  since: '2.8.13',
  group: 'server',
  complexity: 'O(1)',
} as const;

const SLOW_LOG = {
  ...KEYLESS,
  flags: ['admin', 'loading', 'stale'],
  categories: ['admin', 'slow', 'dangerous'],
  since: '2.2.12',
  group: 'server',
} as const;

export const DIAGNOSTIC_COMMANDS: readonly CommandSpec[] = [
  {
    ...CONTAINER,
    name: 'latency',
    summary: 'A container for latency diagnostics commands',
    since: '2.8.13',
    group: 'server',
    complexity: 'Depends on subcommand.',
    subcommands: [
      {
        ...LATENCY,
        name: 'latency|doctor',
        arity: 2,
        summary: 'Return a human readable latency analysis report.',
      },
      {
        ...LATENCY,
        name: 'latency|graph',
        arity: 3,
        summary: 'Return a latency graph for the event.',
        arguments: [{ name: 'event', type: 'string' }],
      },
      {
        ...HELP,
        name: 'latency|help',
        summary: 'Show helpful text about the different subcommands.',
        since: '2.8.13',
        group: 'server',
      },
      {
        ...LATENCY,
        name: 'latency|histogram',
        arity: -2,
        summary: 'Return the cumulative distribution of latencies of a subset of commands or all.',
        since: '7.0.0',
        complexity: 'O(N) where N is the number of commands with latency information being retrieved.',
        arguments: [{ name: 'command', type: 'string', flags: ['optional', 'multiple'] }],
      },
      {
        ...LATENCY,
        name: 'latency|history',
        arity: 3,
        summary: 'Return timestamp-latency samples for the event.',
        arguments: [{ name: 'event', type: 'string' }],
      },
      {
        ...LATENCY,
        name: 'latency|latest',
        arity: 2,
        summary: 'Return the latest latency samples for all events.',
      },
      {
        ...LATENCY,
        name: 'latency|reset',
        arity: -2,
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        summary: 'Reset latency data for one or more events.',
        arguments: [{ name: 'event', type: 'string', flags: ['optional', 'multiple'] }],
      },
    ],
  },
  {
    ...CONTAINER,
    name: 'slowlog',
    summary: 'A container for slow log commands',
    since: '2.2.12',
    group: 'server',
    complexity: 'Depends on subcommand.',
    subcommands: [
      {
        ...SLOW_LOG,
        name: 'slowlog|get',
        arity: -2,
        tips: ['request_policy:all_nodes', 'nondeterministic_output'],
        summary: "Get the slow log's entries",
        complexity: 'O(N) where N is the number of entries returned',
        history: [['4.0.0', 'Added client IP address, port and name to the reply.']],
        arguments: [{ name: 'count', type: 'integer', flags: ['optional'] }],
      },
      {
        ...HELP,
        name: 'slowlog|help',
        summary: 'Show helpful text about the different subcommands',
        since: '6.2.0',
        group: 'server',
      },
      {
        ...SLOW_LOG,
        name: 'slowlog|len',
        arity: 2,
        tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
        summary: "Get the slow log's length",
        complexity: 'O(1)',
      },
      {
        ...SLOW_LOG,
        name: 'slowlog|reset',
        arity: 2,
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        summary: 'Clear all entries from the slow log',
        complexity: 'O(N) where N is the number of entries in the slowlog',
      },
    ],
  },
];
