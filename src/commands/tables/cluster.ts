/**
 * The rows of CLUSTER and its subcommands: data that COMMAND answers from and the dispatcher checks by.
 *
 * Any thread, never changed. As redis-server 7.0.15 reports them (COMMAND INFO, COMMAND DOCS).
 */
import type { CommandSpec } from '../spec.ts';

export const CLUSTER_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'cluster',
    arity: -2,
    flags: [],
    categories: ['slow'],
    tips: [],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [],
    summary: 'A container for cluster commands',
    since: '3.0.0',
    group: 'cluster',
    complexity: 'Depends on subcommand.',
    subcommands: [
      {
        name: 'cluster|keyslot',
        arity: 3,
        flags: ['stale'],
        categories: ['slow'],
        tips: [],
        firstKey: 0,
        lastKey: 0,
        keyStep: 0,
        keys: [],
        summary: 'Returns the hash slot of the specified key',
        since: '3.0.0',
        group: 'cluster',
        complexity: 'O(N) where N is the number of bytes in the key',
        arguments: [{ name: 'key', type: 'string' }],
      },
    ],
  },
];
