/**
 * The rows of the commands on fields of hashes that expire: data that COMMAND answers from and the dispatcher checks by.
 *
 * Any thread, never changed. As Redis 8.0 reports them (COMMAND INFO, COMMAND DOCS); redis-server 7.0.15 has none of them.
 */
import type { ArgumentSpec, CommandSpec, KeySpec } from '../spec.ts';

const KEY: ArgumentSpec = { name: 'key', type: 'key', keySpecIndex: 0 };

const FIELDS: ArgumentSpec = {
  name: 'fields',
  type: 'block',
  token: 'FIELDS',
  arguments: [
    { name: 'numfields', type: 'integer' },
    { name: 'field', type: 'string', flags: ['multiple'] },
  ],
};

const PAIRS: ArgumentSpec = {
  name: 'fields',
  type: 'block',
  token: 'FIELDS',
  arguments: [
    { name: 'numfields', type: 'integer' },
    {
      name: 'data',
      type: 'block',
      flags: ['multiple'],
      arguments: [
        { name: 'field', type: 'string' },
        { name: 'value', type: 'string' },
      ],
    },
  ],
};

const CONDITION: ArgumentSpec = {
  name: 'condition',
  type: 'oneof',
  flags: ['optional'],
  arguments: [
    { name: 'nx', type: 'pure-token', token: 'NX' },
    { name: 'xx', type: 'pure-token', token: 'XX' },
    { name: 'gt', type: 'pure-token', token: 'GT' },
    { name: 'lt', type: 'pure-token', token: 'LT' },
  ],
};

/** The ways to tell a time, before the one that tells of none. */
const TIMES: readonly ArgumentSpec[] = [
  { name: 'seconds', type: 'integer', token: 'EX' },
  { name: 'milliseconds', type: 'integer', token: 'PX' },
  { name: 'unix-time-seconds', type: 'unix-time', token: 'EXAT' },
  { name: 'unix-time-milliseconds', type: 'unix-time', token: 'PXAT' },
];

/** What all of them have in common. */
const COMMON = {
  tips: [],
  firstKey: 1,
  lastKey: 1,
  keyStep: 1,
  group: 'hash',
  complexity: 'O(N) where N is the number of specified fields',
} as const;

const READING = {
  ...COMMON,
  arity: -5,
  flags: ['readonly', 'fast'],
  categories: ['read', 'hash', 'fast'],
  keys: [oneKey('RO', 'access')],
  since: '7.4.0',
  arguments: [KEY, FIELDS],
} as const;

const WRITING = {
  ...COMMON,
  arity: -5,
  flags: ['write', 'fast'],
  categories: ['write', 'hash', 'fast'],
} as const;

const EXPIRING = {
  ...WRITING,
  arity: -6,
  flags: ['write', 'denyoom', 'fast'],
  keys: [oneKey('RW', 'update')],
  since: '7.4.0',
} as const;

export const HASH_DEADLINE_COMMANDS: readonly CommandSpec[] = [
  {
    ...EXPIRING,
    name: 'hexpire',
    summary: 'Set expiry for hash field using relative time to expire (seconds)',
    arguments: [KEY, { name: 'seconds', type: 'integer' }, CONDITION, FIELDS],
  },
  {
    ...EXPIRING,
    name: 'hexpireat',
    summary: 'Set expiry for hash field using an absolute Unix timestamp (seconds)',
    arguments: [KEY, { name: 'unix-time-seconds', type: 'unix-time' }, CONDITION, FIELDS],
  },
  {
    ...READING,
    name: 'hexpiretime',
    summary: 'Returns the expiration time of a hash field as a Unix timestamp, in seconds.',
  },
  {
    ...WRITING,
    name: 'hgetdel',
    keys: [oneKey('RW', 'access', 'delete')],
    summary: 'Returns the value of a field and deletes it from the hash.',
    since: '8.0.0',
    arguments: [KEY, FIELDS],
  },
  {
    ...WRITING,
    name: 'hgetex',
    keys: [{ notes: 'RW and UPDATE because it changes the TTL', ...oneKey('RW', 'access', 'update') }],
    summary: 'Get the value of one or more fields of a given hash key, and optionally set their expiration.',
    since: '8.0.0',
    arguments: [
      KEY,
      {
        name: 'expiration',
        type: 'oneof',
        flags: ['optional'],
        arguments: [...TIMES, { name: 'persist', type: 'pure-token', token: 'PERSIST' }],
      },
      FIELDS,
    ],
  },
  {
    ...WRITING,
    name: 'hpersist',
    keys: [oneKey('RW', 'update')],
    summary: 'Removes the expiration time for each specified field',
    since: '7.4.0',
    arguments: [KEY, FIELDS],
  },
  {
    ...EXPIRING,
    name: 'hpexpire',
    summary: 'Set expiry for hash field using relative time to expire (milliseconds)',
    arguments: [KEY, { name: 'milliseconds', type: 'integer' }, CONDITION, FIELDS],
  },
  {
    ...EXPIRING,
    name: 'hpexpireat',
    summary: 'Set expiry for hash field using an absolute Unix timestamp (milliseconds)',
    arguments: [KEY, { name: 'unix-time-milliseconds', type: 'unix-time' }, CONDITION, FIELDS],
  },
  {
    ...READING,
    name: 'hpexpiretime',
    summary: 'Returns the expiration time of a hash field as a Unix timestamp, in msec.',
  },
  { ...READING, name: 'hpttl', summary: 'Returns the TTL in milliseconds of a hash field.' },
  {
    ...EXPIRING,
    name: 'hsetex',
    summary: 'Set the value of one or more fields of a given hash key, and optionally set their expiration.',
    since: '8.0.0',
    complexity: 'O(N) where N is the number of fields being set.',
    arguments: [
      KEY,
      {
        name: 'condition',
        type: 'oneof',
        flags: ['optional'],
        arguments: [
          { name: 'fnx', type: 'pure-token', token: 'FNX' },
          { name: 'fxx', type: 'pure-token', token: 'FXX' },
        ],
      },
      {
        name: 'expiration',
        type: 'oneof',
        flags: ['optional'],
        arguments: [...TIMES, { name: 'keepttl', type: 'pure-token', token: 'KEEPTTL' }],
      },
      PAIRS,
    ],
  },
  { ...READING, name: 'httl', summary: 'Returns the TTL in seconds of a hash field.' },
];

function oneKey(...flags: readonly string[]): KeySpec {
  return { flags, begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } };
}
