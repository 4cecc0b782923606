/**
 * The rows of SORT and SORT_RO: data that COMMAND answers from and the dispatcher checks by.
 *
 * Any thread, never changed. As redis-server 7.0.15 reports them (COMMAND INFO, COMMAND DOCS).
 */
import type { CommandSpec } from '../spec.ts';

export const SORT_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'sort',
    arity: -2,
    flags: ['write', 'denyoom', 'movablekeys'],
    categories: ['write', 'set', 'sortedset', 'list', 'slow', 'dangerous'],
    tips: [],
    firstKey: 1,
    lastKey: 1,
    keyStep: 1,
    keys: [
      { flags: ['RO', 'access'], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } },
      {
        notes:
          "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
        flags: ['RO', 'access'],
        begin: 'unknown',
        find: 'unknown',
      },
      {
        notes:
          "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
        flags: ['OW', 'update'],
        begin: 'unknown',
        find: 'unknown',
      },
    ],
    summary: 'Sort the elements in a list, set or sorted set',
    since: '1.0.0',
    group: 'generic',
    complexity:
      'O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).',
    arguments: [
      { name: 'key', type: 'key', keySpecIndex: 0 },
      { name: 'pattern', type: 'pattern', keySpecIndex: 1, token: 'BY', flags: ['optional'] },
      {
        name: 'offset_count',
        type: 'block',
        token: 'LIMIT',
        flags: ['optional'],
        arguments: [
          { name: 'offset', type: 'integer' },
          { name: 'count', type: 'integer' },
        ],
      },
      {
        name: 'pattern',
        type: 'pattern',
        keySpecIndex: 1,
        token: 'GET',
        flags: ['optional', 'multiple', 'multiple_token'],
      },
      {
        name: 'order',
        type: 'oneof',
        flags: ['optional'],
        arguments: [
          { name: 'asc', type: 'pure-token', token: 'ASC' },
          { name: 'desc', type: 'pure-token', token: 'DESC' },
        ],
      },
      { name: 'sorting', type: 'pure-token', token: 'ALPHA', flags: ['optional'] },
      { name: 'destination', type: 'key', keySpecIndex: 2, token: 'STORE', flags: ['optional'] },
    ],
  },
  {
    name: 'sort_ro',
    arity: -2,
    flags: ['readonly', 'movablekeys'],
    categories: ['read', 'set', 'sortedset', 'list', 'slow', 'dangerous'],
    tips: [],
    firstKey: 1,
    lastKey: 1,
    keyStep: 1,
    keys: [
      { flags: ['RO', 'access'], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } },
      {
        notes:
          "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
        flags: ['RO', 'access'],
        begin: 'unknown',
        find: 'unknown',
      },
    ],
    summary: 'Sort the elements in a list, set or sorted set. Read-only variant of SORT.',
    since: '7.0.0',
    group: 'generic',
    complexity:
      'O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).',
    arguments: [
      { name: 'key', type: 'key', keySpecIndex: 0 },
      { name: 'pattern', type: 'pattern', keySpecIndex: 1, token: 'BY', flags: ['optional'] },
      {
        name: 'offset_count',
        type: 'block',
        token: 'LIMIT',
        flags: ['optional'],
        arguments: [
          { name: 'offset', type: 'integer' },
          { name: 'count', type: 'integer' },
        ],
      },
      {
        name: 'pattern',
        type: 'pattern',
        keySpecIndex: 1,
        token: 'GET',
        flags: ['optional', 'multiple', 'multiple_token'],
      },
      {
        name: 'order',
        type: 'oneof',
        flags: ['optional'],
        arguments: [
          { name: 'asc', type: 'pure-token', token: 'ASC' },
          { name: 'desc', type: 'pure-token', token: 'DESC' },
        ],
      },
      { name: 'sorting', type: 'pure-token', token: 'ALPHA', flags: ['optional'] },
    ],
  },
];
