/**
 * The rows of FUNCTION and its subcommands: data that COMMAND answers from and the dispatcher checks by.
 *
 * Any thread, never changed. As redis-server 7.0.15 reports them (COMMAND INFO, COMMAND DOCS).
 */
import type { CommandSpec } from '../spec.ts';

export const SCRIPTING_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'function',
    arity: -2,
    flags: [],
    categories: ['slow'],
    tips: [],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [],
    summary: 'A container for function commands',
    since: '7.0.0',
    group: 'scripting',
    complexity: 'Depends on subcommand.',
    subcommands: [
      {
        name: 'function|flush',
        arity: -2,
        flags: ['write', 'noscript'],
        categories: ['write', 'slow', 'scripting'],
        tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
        firstKey: 0,
        lastKey: 0,
        keyStep: 0,
        keys: [],
        summary: 'Deleting all functions',
        since: '7.0.0',
        group: 'scripting',
        complexity: 'O(N) where N is the number of functions deleted',
        arguments: [
          {
            name: 'async',
            type: 'oneof',
            flags: ['optional'],
            arguments: [
              { name: 'async', type: 'pure-token', token: 'ASYNC' },
              { name: 'sync', type: 'pure-token', token: 'SYNC' },
            ],
          },
        ],
      },
      {
        name: 'function|help',
        arity: 2,
        flags: ['loading', 'stale'],
        categories: ['slow', 'scripting'],
        tips: [],
        firstKey: 0,
        lastKey: 0,
        keyStep: 0,
        keys: [],
        summary: 'Show helpful text about the different subcommands',
        since: '7.0.0',
        group: 'scripting',
        complexity: 'O(1)',
      },
    ],
  },
];
