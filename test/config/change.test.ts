/** CONFIG SET and CONFIG GET over one Config. */
import { describe, expect, it } from 'vitest';
import { getDirectives, prepareDirectives } from '../../src/config/change.ts';
import { applyDirectives, type Config } from '../../src/config/config.ts';
import { DIRECTIVES } from '../../src/config/directives.ts';
import { GIB } from '../../src/config/limits.ts';
import { configOf } from './world.ts';

function set(config: Config, ...words: string[]): string {
  const pairs: [string, string][] = [];
  for (let i = 0; i < words.length; i += 2) pairs.push([words[i], words[i + 1]]);
  const prepared = prepareDirectives(config, pairs, false);
  if ('error' in prepared) return prepared.error;
  applyDirectives(config, prepared.changes);
  return 'OK';
}

function failed(name: string, problem: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${problem}`;
}

describe('CONFIG SET', () => {
  it('changes texts and typed fields together', () => {
    const config = configOf();
    expect(set(config, 'TIMEOUT', '30', 'maxmemory-policy', 'NOEVICTION', 'hz', '20')).toBe('OK');
    expect([config.timeout, config.maxmemoryPolicy]).toEqual([30, 'noeviction']);
    expect([config.texts.timeout, config.texts['maxmemory-policy'], config.texts.hz]).toEqual([
      '30',
      'noeviction',
      '20',
    ]);
  });

  it('gives changes that put another thread in the same state', () => {
    const config = configOf();
    const other = structuredClone(config);
    const prepared = prepareDirectives(config, [['client-output-buffer-limit', 'replica 1mb 0 0']], false);
    if ('error' in prepared) throw new Error(prepared.error);
    expect(prepared.changes).toEqual([
      [
        'client-output-buffer-limit',
        'normal 1073741824 268435456 60 slave 1048576 0 0 pubsub 33554432 8388608 60',
      ],
    ]);
    applyDirectives(config, prepared.changes);
    applyDirectives(other, structuredClone(prepared.changes));
    expect(other).toEqual(config);
  });

  it('is all or nothing', () => {
    const config = configOf();
    const before = structuredClone(config);
    expect(set(config, 'timeout', '5', 'hz', 'x')).toBe(
      failed('hz', "argument couldn't be parsed into an integer"),
    );
    expect(set(config, 'timeout', '5', 'nope', '1')).toBe(
      "ERR Unknown option or number of arguments for CONFIG SET - 'nope'",
    );
    expect(config).toEqual(before);
  });

  it('refuses duplicates, but not an alias next to its primary name', () => {
    const config = configOf();
    expect(set(config, 'hz', '5', 'HZ', '6')).toBe(failed('HZ', 'duplicate parameter'));
    expect(set(config, 'slave-priority', '5', 'replica-priority', '6')).toBe('OK');
    expect(config.texts['replica-priority']).toBe('6');
  });

  it('refuses what is read at start only', () => {
    const config = configOf();
    expect(set(config, 'Port', '1')).toBe(failed('Port', "can't set immutable config"));
    expect(set(config, 'dir', '/tmp')).toBe(failed('dir', "can't set protected config"));
    for (const { name, effect, mutable } of DIRECTIVES) {
      if (effect === 'start') expect(mutable, name).toBe(false);
    }
  });

  it('opens protected directives to whom enable-protected-configs names', () => {
    const pairs: [string, string][] = [['dbfilename', 'x.rdb']];
    expect(prepareDirectives(configOf(), pairs, true)).toHaveProperty('error');
    const local = configOf('--enable-protected-configs', 'local');
    expect(prepareDirectives(local, pairs, true)).toHaveProperty('changes');
    expect(prepareDirectives(local, pairs, false)).toHaveProperty('error');
    const all = configOf('--enable-protected-configs', 'yes');
    expect(prepareDirectives(all, pairs, false)).toHaveProperty('changes');
    expect(set(all, 'dir', '/tmp')).toBe(failed('dir', "can't set immutable config"));
  });

  it('does not turn the log off on a node of a cluster', () => {
    const node = configOf('--cluster-enabled', 'yes');
    const why = 'a node of a cluster needs `appendonly yes`';
    expect(set(node, 'appendonly', 'no')).toBe(failed('appendonly', why));
    expect(set(node, 'appendonly', 'yes')).toBe('OK');
    expect(set(configOf(), 'appendonly', 'no')).toBe('OK');
  });

  it('moves maxmemory between the least shards and what was reserved', () => {
    const config = configOf('--maxmemory', '2gb');
    expect(set(config, 'maxmemory', '4mb')).toBe('OK');
    expect(set(config, 'maxmemory', '2gb')).toBe('OK');
    expect(config.maxmemory).toBe(2 * GIB);
    const range =
      'argument must be between 4mb (1mb for each of 4 workers) and 2gb (what was reserved at start)';
    expect(set(config, 'maxmemory', '3gb')).toBe(failed('maxmemory', range));
    expect(set(config, 'maxmemory', '4194303')).toBe(failed('maxmemory', range));
    expect(set(config, 'maxmemory', '0')).toBe(
      failed('maxmemory', 'a cache needs a bound: 0 (no limit) is not offered, choose a size such as 1gb'),
    );
    expect(config.maxmemoryReserved).toBe(2 * GIB);
  });
});

describe('CONFIG GET', () => {
  it('answers exact names in the spelling of the caller, aliases too', () => {
    expect(getDirectives(configOf(), ['MaxMemory-Policy', 'slave-priority', 'nope'])).toEqual([
      ['MaxMemory-Policy', 'allkeys-lru'],
      ['slave-priority', '100'],
    ]);
  });

  it('answers each name once for several patterns', () => {
    const names = getDirectives(configOf(), ['maxmemory', 'MAXMEMORY*', 'max*memory']).map(([name]) => name);
    expect(names).toEqual([
      'maxmemory',
      'maxmemory-clients',
      'maxmemory-policy',
      'maxmemory-samples',
      'maxmemory-eviction-tenacity',
    ]);
  });

  it('shows values in canonical form', () => {
    const config = configOf('--maxmemory', '64MB', '--appendonly', 'NO', '--unixsocketperm', '0700');
    expect(getDirectives(config, ['maxmemory', 'appendonly', 'save', 'unixsocketperm'])).toEqual([
      ['maxmemory', '67108864'],
      ['appendonly', 'no'],
      ['save', '3600 1 300 100 60 10000'],
      ['unixsocketperm', '700'],
    ]);
  });

  it('keeps hidden names out of patterns', () => {
    const config = configOf();
    expect(getDirectives(config, ['watchdog*'])).toEqual([]);
    expect(getDirectives(config, ['watchdog-period'])).toEqual([['watchdog-period', '0']]);
  });
});
