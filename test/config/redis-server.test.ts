/** Every directive beside redis-server: names, defaults, values, error texts. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { getDirectives, prepareDirectives } from '../../src/config/change.ts';
import { applyDirectives, type Config } from '../../src/config/config.ts';
import { DIRECTIVES } from '../../src/config/directives.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { configOf } from './world.ts';

/** Ours on purpose, and why. */
const DIFFERENT_DEFAULTS: Record<string, string> = {
  bind: 'loopback only',
  appendonly: 'a cache here keeps its data by default',
  'client-output-buffer-limit': 'normal clients are bounded',
  maxmemory: 'a cache needs a bound',
  'cluster-node-timeout': 'the least lease of etcd is short enough',
  'cluster-require-full-coverage': 'what has an owner is served',
  'repl-backlog-size': 'more cores change more',
  'maxmemory-clients': 'what clients keep is bounded as well',
  'maxmemory-policy': 'a full cache evicts',
  port: 'the oracle runs on a spare port',
  dir: 'the oracle runs in a folder of its own',
};

/** Here these are read at start only, or checked further. */
const DIFFERENT_CHANGES: Record<string, string> = {
  port: 'listening sockets stay as they are',
  bind: 'listening sockets stay as they are',
  maxmemory: 'bounded by the reserved memory',
  'tls-port': 'the oracle has no certificates to open it with',
  'tls-cluster': 'read at start',
  'tls-replication': 'read at start',
  'cluster-announce-ip': 'nodes register at start',
  'cluster-announce-port': 'nodes register at start',
  'cluster-announce-tls-port': 'nodes register at start',
  'cluster-node-timeout': 'the length of the lease, which is asked for at start',
  activedefrag: 'depends on how the oracle was built',
  'repl-backlog-size': 'kept as it is, not raised to 16kb',
  hz: 'kept as it is, not cut to 1..500',
  'oom-score-adj': 'relative is answered as relative, not as yes; nothing is adjusted',
  maxclients: 'the oracle depends on the limit of open files',
};

/** Directives that only this server has and that a pattern below matches. */
const OWN_NAMES = ['maxkeys', 'snapshot-cpu-share', 'workers'];

/** Values that only this server takes, and names where it lists them. */
const OWN_VALUES = ['allkeys-s3fifo'];

const OUR_OUTPUT_LIMITS = 'normal 1gb 256mb 60 replica 256mb 64mb 60 pubsub 32mb 8mb 60';

const INTEGERS = [
  '',
  '0',
  '1',
  '-1',
  '-0',
  '+1',
  '01',
  ' 1',
  '1 ',
  '1x',
  'x',
  '5',
  '100',
  '101',
  '65535',
  '65536',
];
const LARGE = ['2147483647', '2147483648', '-2147483648', '-2147483649', '4294967295', '4294967296'];
const HUGE = ['9223372036854775807', '9223372036854775808', '-9223372036854775808', '18446744073709551615'];
const MEMORY = [
  '0',
  '1',
  '1b',
  '1k',
  '1KB',
  '3Mb',
  '1G',
  '1gb',
  '1tb',
  '-1',
  '1.5mb',
  '1 mb',
  'x',
  '12345678901kb',
];
const PERCENT = ['5%', '0%', '100%', '101%', '-5%', '5 %', '%', '05%'];
const WORDS = ['yes', 'no', 'YES', 'No', 'maybe', '', 'yes no', '1'];
const SAVES = [
  '',
  '60 1',
  '60',
  '60 1 300',
  '0 1',
  '60 0',
  '-1 1',
  '60 x',
  '60  1',
  '900 1 60 5',
  '+60 1',
  '1x 1',
];
const OUTPUT_LIMITS = [
  'normal 1 2 3',
  'REPLICA 1mb 2kb 1 pubsub 0 0 0',
  'slave 1 1 1',
  'normal 1 2',
  'master 1 2 3',
  'none 1 2 3',
  'normal 1x 2 3',
  'normal 1 2 x',
  'normal 1 2 -1',
  'normal -1 2 3',
  'normal 1 2 3 normal 4 5 6',
  '',
];
const KEY_EVENTS = [
  '',
  'A',
  'KEA',
  'AKEm',
  'n',
  'mn',
  'g$lshzxetd',
  'dtexzhsl$gEK',
  'KK',
  'x',
  'q',
  'Kq',
  'g$n',
  'Am',
];
const PERCENTILES = [
  '',
  '50',
  '50 99.990 1e1',
  '0 100',
  '101',
  '-1',
  'x',
  '50 x',
  '99.9999999',
  '1e-7',
  '50  60',
  ' 50',
];
const OOM_SCORES = ['0 200 800', '1 2', '1 2 3 4', '1 2 x', '1 2 2001', '', '-2000 0 2000'];
const FLAGS = [
  'default',
  'save',
  'NOSAVE',
  'now force',
  'force now save',
  'save nosave',
  'default save',
  'x',
  '',
];
const STRINGS = ['', 'abc', 'a b', '/a/b', '{title} x', '{x}', '{title', 'a_b', `${'h'.repeat(300)}`];

const CANDIDATES: Record<string, readonly string[]> = {
  int: [...INTEGERS, ...LARGE, ...HUGE],
  octal: ['700', '8'],
  memory: [...MEMORY, ...LARGE.filter((text) => !text.startsWith('-')), '9223372036854775808'],
  'memory-or-percent': [...MEMORY, ...PERCENT],
  bool: WORDS,
  enum: ['', 'nope', 'yes'],
  flags: FLAGS,
  string: STRINGS,
  list: [],
  save: SAVES,
  'output-limits': OUTPUT_LIMITS,
  'key-events': KEY_EVENTS,
  percentiles: PERCENTILES,
  'oom-scores': OOM_SCORES,
  'master-address': ['', 'no one', 'h 1'],
};

describeWithRedis('beside redis-server', () => {
  let server: RedisServer;
  let client: Redis;
  beforeAll(async () => {
    server = await startRedisServer(['--save', '3600 1 300 100 60 10000']);
    client = new Redis({ port: server.port, host: '127.0.0.1' });
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  async function oracleGet(pattern: string): Promise<[string, string][]> {
    const reply = await client.call('CONFIG', 'GET', pattern);
    if (!Array.isArray(reply)) return Object.entries(reply as Record<string, string>);
    const words = reply.map(String);
    return words.flatMap((word, index) =>
      index % 2 === 0 ? [[word, words[index + 1]] as [string, string]] : [],
    );
  }

  async function oracleSet(...words: string[]): Promise<string> {
    try {
      return String(await client.call('CONFIG', 'SET', ...words));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  function oursSet(config: Config, ...words: string[]): string {
    const pairs: [string, string][] = [];
    for (let i = 0; i < words.length; i += 2) pairs.push([words[i], words[i + 1]]);
    const prepared = prepareDirectives(config, pairs, true);
    if ('error' in prepared) return withoutOwnValues(prepared.error);
    applyDirectives(config, prepared.changes);
    return 'OK';
  }

  it('every name of redis-server is known here, with its default', async () => {
    const theirs = new Map(await oracleGet('*'));
    const ours = new Map(getDirectives(configOf(), ['*']));
    const differing = [...theirs].filter(([name, text]) => ours.get(name) !== text).map(([name]) => name);
    expect(theirs.size).toBeGreaterThan(180);
    expect(differing.sort()).toEqual(Object.keys(DIFFERENT_DEFAULTS).sort());
  });

  it('hidden names are answered only when named', async () => {
    for (const { name } of DIRECTIVES.filter(({ hidden }) => hidden === true)) {
      expect(await oracleGet(name), name).toEqual(getDirectives(configOf(), [name]));
    }
  });

  it('CONFIG GET matches the same names', async () => {
    for (const pattern of [
      '*max*',
      'MAX*',
      'TimeOut',
      '[st]*',
      '?z',
      'slave-*',
      'nope',
      '*-?',
      'lua-time-limit',
      '',
    ]) {
      const theirs = (await oracleGet(pattern)).map(([name]) => name).sort();
      const names = getDirectives(configOf(), [pattern]).map(([name]) => name);
      const known = names.filter((name) => !OWN_NAMES.includes(name)).sort();
      expect(known, pattern).toEqual(theirs);
    }
  });

  it('every directive takes and refuses the same values with the same words', async () => {
    const config = configOf();
    expect(await oracleSet('client-output-buffer-limit', OUR_OUTPUT_LIMITS)).toBe('OK');
    const known = new Set((await oracleGet('*')).map(([name]) => name));
    const differences: string[] = [];
    let compared = 0;
    for (const directive of DIRECTIVES) {
      if (!known.has(directive.name) || directive.name in DIFFERENT_CHANGES) continue;
      const names = directive.alias === undefined ? [directive.name] : [directive.name, directive.alias];
      const values = [
        ...CANDIDATES[directive.type],
        ...(directive.values ?? [])
          .filter((text) => !OWN_VALUES.includes(text))
          .map((text) => text.toUpperCase()),
      ];
      for (const name of names) {
        for (const value of values) {
          const theirs = await oracleSet(name, value);
          const ours = oursSet(config, name, value);
          const kept = theirs === 'OK' ? String(await oracleGet(name)) : '';
          const ourKept = ours === 'OK' ? String(getDirectives(config, [name])) : '';
          compared++;
          if (ours === theirs && ourKept === kept) continue;
          differences.push(`${name} ${JSON.stringify(value)}: ${ours} ${ourKept}, there: ${theirs} ${kept}`);
        }
      }
    }
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(2000);
  });

  it('several pairs are refused with the same words', async () => {
    const config = configOf('--timeout', '3');
    await oracleSet('timeout', '3');
    const calls = [
      ['hz', '5', 'HZ', '6'],
      ['timeout', '5', 'nope', '1'],
      ['nope', '1', 'databases', '2'],
      ['databases', '2', 'nope', '1'],
      ['Databases', '2'],
      ['DIR', '/tmp', 'hz', 'x'],
      ['hz', 'x', 'timeout', 'y'],
      ['Hz', 'x'],
      ['LUA-TIME-LIMIT', 'x'],
      ['slave-priority', '5', 'replica-priority', '6'],
      ['timeout', '7', 'timeout', '7'],
      ['timeout', '8', 'maxmemory-policy', 'nope'],
    ];
    for (const call of calls) expect(oursSet(config, ...call), call.join(' ')).toBe(await oracleSet(...call));
    expect(getDirectives(config, ['timeout', 'replica-priority'])).toEqual([
      ...(await oracleGet('timeout')),
      ...(await oracleGet('replica-priority')),
    ]);
  });
});

function withoutOwnValues(text: string): string {
  return OWN_VALUES.reduce((rest, value) => rest.replace(`${value}, `, ''), text);
}
