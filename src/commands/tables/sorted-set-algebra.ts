/**
 * The rows of the commands on unions, intersections and differences of sorted sets: data that COMMAND answers from and the dispatcher checks by.
 *
 * Any thread, never changed. As redis-server 7.0.15 reports them (COMMAND INFO, COMMAND DOCS).
 */
import type { CommandSpec } from '../spec.ts';

export const SORTED_SET_ALGEBRA_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'zdiff',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    categories: ['read', 'sortedset', 'slow'],
    tips: [],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [
      { flags: ['RO', 'access'], begin: { index: 1 }, find: { keyNumberIndex: 0, firstKey: 1, step: 1 } },
    ],
    summary: 'Subtract multiple sorted sets',
    since: '6.2.0',
    group: 'sorted-set',
    complexity:
      'O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.',
    arguments: [
      { name: 'numkeys', type: 'integer' },
      { name: 'key', type: 'key', keySpecIndex: 0, flags: ['multiple'] },
      { name: 'withscores', type: 'pure-token', token: 'WITHSCORES', flags: ['optional'] },
    ],
  },
  {
    name: 'zdiffstore',
    arity: -4,
    flags: ['write', 'denyoom', 'movablekeys'],
    categories: ['write', 'sortedset', 'slow'],
    tips: [],
    firstKey: 1,
    lastKey: 1,
    keyStep: 1,
    keys: [
      { flags: ['OW', 'update'], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } },
      { flags: ['RO', 'access'], begin: { index: 2 }, find: { keyNumberIndex: 0, firstKey: 1, step: 1 } },
    ],
    summary: 'Subtract multiple sorted sets and store the resulting sorted set in a new key',
    since: '6.2.0',
    group: 'sorted-set',
    complexity:
      'O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.',
    arguments: [
      { name: 'destination', type: 'key', keySpecIndex: 0 },
      { name: 'numkeys', type: 'integer' },
      { name: 'key', type: 'key', keySpecIndex: 1, flags: ['multiple'] },
    ],
  },
  {
    name: 'zinter',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    categories: ['read', 'sortedset', 'slow'],
    tips: [],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [
      { flags: ['RO', 'access'], begin: { index: 1 }, find: { keyNumberIndex: 0, firstKey: 1, step: 1 } },
    ],
    summary: 'Intersect multiple sorted sets',
    since: '6.2.0',
    group: 'sorted-set',
    complexity:
      'O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.',
    arguments: [
      { name: 'numkeys', type: 'integer' },
      { name: 'key', type: 'key', keySpecIndex: 0, flags: ['multiple'] },
      { name: 'weight', type: 'integer', token: 'WEIGHTS', flags: ['optional', 'multiple'] },
      {
        name: 'aggregate',
        type: 'oneof',
        token: 'AGGREGATE',
        flags: ['optional'],
        arguments: [
          { name: 'sum', type: 'pure-token', token: 'SUM' },
          { name: 'min', type: 'pure-token', token: 'MIN' },
          { name: 'max', type: 'pure-token', token: 'MAX' },
        ],
      },
      { name: 'withscores', type: 'pure-token', token: 'WITHSCORES', flags: ['optional'] },
    ],
  },
  {
    name: 'zintercard',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    categories: ['read', 'sortedset', 'slow'],
    tips: [],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [
      { flags: ['RO', 'access'], begin: { index: 1 }, find: { keyNumberIndex: 0, firstKey: 1, step: 1 } },
    ],
    summary: 'Intersect multiple sorted sets and return the cardinality of the result',
    since: '7.0.0',
    group: 'sorted-set',
    complexity:
      'O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.',
    arguments: [
      { name: 'numkeys', type: 'integer' },
      { name: 'key', type: 'key', keySpecIndex: 0, flags: ['multiple'] },
      { name: 'limit', type: 'integer', token: 'LIMIT', flags: ['optional'] },
    ],
  },
  {
    name: 'zinterstore',
    arity: -4,
    flags: ['write', 'denyoom', 'movablekeys'],
    categories: ['write', 'sortedset', 'slow'],
    tips: [],
    firstKey: 1,
    lastKey: 1,
    keyStep: 1,
    keys: [
      { flags: ['OW', 'update'], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } },
      { flags: ['RO', 'access'], begin: { index: 2 }, find: { keyNumberIndex: 0, firstKey: 1, step: 1 } },
    ],
    summary: 'Intersect multiple sorted sets and store the resulting sorted set in a new key',
    since: '2.0.0',
    group: 'sorted-set',
    complexity:
      'O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.',
    arguments: [
      { name: 'destination', type: 'key', keySpecIndex: 0 },
      { name: 'numkeys', type: 'integer' },
      { name: 'key', type: 'key', keySpecIndex: 1, flags: ['multiple'] },
      { name: 'weight', type: 'integer', token: 'WEIGHTS', flags: ['optional', 'multiple'] },
      {
        name: 'aggregate',
        type: 'oneof',
        token: 'AGGREGATE',
        flags: ['optional'],
        arguments: [
          { name: 'sum', type: 'pure-token', token: 'SUM' },
          { name: 'min', type: 'pure-token', token: 'MIN' },
          { name: 'max', type: 'pure-token', token: 'MAX' },
        ],
      },
    ],
  },
  {
    name: 'zunion',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    categories: ['read', 'sortedset', 'slow'],
    tips: [],
    firstKey: 0,
    lastKey: 0,
    keyStep: 0,
    keys: [
      { flags: ['RO', 'access'], begin: { index: 1 }, find: { keyNumberIndex: 0, firstKey: 1, step: 1 } },
    ],
    summary: 'Add multiple sorted sets',
    since: '6.2.0',
    group: 'sorted-set',
    complexity:
      'O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.',
    arguments: [
      { name: 'numkeys', type: 'integer' },
      { name: 'key', type: 'key', keySpecIndex: 0, flags: ['multiple'] },
      { name: 'weight', type: 'integer', token: 'WEIGHTS', flags: ['optional', 'multiple'] },
      {
        name: 'aggregate',
        type: 'oneof',
        token: 'AGGREGATE',
        flags: ['optional'],
        arguments: [
          { name: 'sum', type: 'pure-token', token: 'SUM' },
          { name: 'min', type: 'pure-token', token: 'MIN' },
          { name: 'max', type: 'pure-token', token: 'MAX' },
        ],
      },
      { name: 'withscores', type: 'pure-token', token: 'WITHSCORES', flags: ['optional'] },
    ],
  },
  {
    name: 'zunionstore',
    arity: -4,
    flags: ['write', 'denyoom', 'movablekeys'],
    categories: ['write', 'sortedset', 'slow'],
    tips: [],
    firstKey: 1,
    lastKey: 1,
    keyStep: 1,
    keys: [
      { flags: ['OW', 'update'], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } },
      { flags: ['RO', 'access'], begin: { index: 2 }, find: { keyNumberIndex: 0, firstKey: 1, step: 1 } },
    ],
    summary: 'Add multiple sorted sets and store the resulting sorted set in a new key',
    since: '2.0.0',
    group: 'sorted-set',
    complexity:
      'O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.',
    arguments: [
      { name: 'destination', type: 'key', keySpecIndex: 0 },
      { name: 'numkeys', type: 'integer' },
      { name: 'key', type: 'key', keySpecIndex: 1, flags: ['multiple'] },
      { name: 'weight', type: 'integer', token: 'WEIGHTS', flags: ['optional', 'multiple'] },
      {
        name: 'aggregate',
        type: 'oneof',
        token: 'AGGREGATE',
        flags: ['optional'],
        arguments: [
          { name: 'sum', type: 'pure-token', token: 'SUM' },
          { name: 'min', type: 'pure-token', token: 'MIN' },
          { name: 'max', type: 'pure-token', token: 'MAX' },
        ],
      },
    ],
  },
];
