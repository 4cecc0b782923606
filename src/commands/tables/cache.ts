/**
 * The rows of CACHE.MRC and CACHE.HOTKEYS, which redis-server does not have: data that COMMAND answers from and the dispatcher
 * checks by.
 *
 * Any thread, never changed.
 */
import type { CommandSpec } from '../spec.ts';

export const CACHE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'cache.hotkeys',
    arity: -1,
    flags: ['loading', 'stale'],
    categories: ['slow', 'dangerous'],
    tips: ['nondeterministic_output'],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [],
    summary: 'Return the keys that are used most, from a sample of their uses',
    since: '0.1.0',
    group: 'server',
    complexity: 'O(N) where N is the number of threads',
    arguments: [{ name: 'count', type: 'integer', token: 'COUNT', flags: ['optional'] }],
  },
  {
    name: 'cache.mrc',
    arity: -1,
    flags: ['loading', 'stale'],
    categories: ['slow'],
    tips: ['nondeterministic_output'],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [],
    summary: 'Return the miss ratio that other amounts of memory would have, from a sample of the keys',
    since: '0.1.0',
    group: 'server',
    complexity: 'O(1)',
  },
];
