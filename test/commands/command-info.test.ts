/**
 * COMMAND where no redis-server is at hand to compare with.
 */
import { describe, expect, it } from 'vitest';
import { allCommands } from '../../src/commands/registry.ts';
import { createHarness } from '../support/harness.ts';

describe('COMMAND', () => {
  it('describes a command in RESP2 without sets and maps, in RESP3 with them', () => {
    const harness = createHarness({ shards: 1 });
    const search = (map: (pairs: number) => string) =>
      `$12\r\nbegin_search\r\n${map(2)}$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n${map(1)}$5\r\nindex\r\n:1\r\n` +
      `$9\r\nfind_keys\r\n${map(2)}$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n${map(3)}` +
      '$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n';
    const details = (set: string, map: (pairs: number) => string) =>
      `*1\r\n*10\r\n$3\r\nget\r\n:2\r\n${set}2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n` +
      `${set}3\r\n+@read\r\n+@string\r\n+@fast\r\n${set}0\r\n${set}1\r\n${map(3)}$5\r\nflags\r\n${set}2\r\n+RO\r\n+access\r\n` +
      `${search(map)}${set}0\r\n`;
    expect(harness.run('COMMAND', 'INFO', 'GET')).toBe(details('*', (pairs) => `*${2 * pairs}\r\n`));
    harness.run('HELLO', '3');
    expect(harness.run('COMMAND', 'INFO', 'GET')).toBe(details('~', (pairs) => `%${pairs}\r\n`));
  });

  it('describes subcommands alone and in their container', () => {
    const harness = createHarness({ shards: 1 });
    const [alone] = [harness.run('COMMAND', 'INFO', 'Config|GET').slice('*1\r\n'.length)];
    expect(alone).toMatch(/^\*10\r\n\$10\r\nconfig\|get\r\n:-3\r\n/);
    expect(harness.run('COMMAND', 'INFO', 'config')).toContain(alone);
    expect(harness.run('COMMAND', 'DOCS', 'config')).toContain(
      harness.run('COMMAND', 'DOCS', 'config|get').slice('*2\r\n'.length),
    );
  });

  it('counts and lists the commands that the server runs', () => {
    const harness = createHarness({ shards: 1 });
    const count = allCommands().length;
    expect(harness.run('COMMAND', 'COUNT')).toBe(`:${count}\r\n`);
    expect(harness.run('COMMAND')).toMatch(new RegExp(`^\\*${count}\r\n`));
    for (const [, name] of harness.run('COMMAND', 'LIST').matchAll(/\$\d+\r\n(\S+)/g)) {
      expect(harness.run('COMMAND', 'INFO', name)).toContain(`\r\n${name}\r\n`);
    }
  });

  it('filters the list, and knows no commands of modules', () => {
    const harness = createHarness({ shards: 1 });
    const list = (...filter: string[]) => harness.run('COMMAND', 'LIST', 'FILTERBY', ...filter);
    expect(list('PATTERN', 'MGE?')).toBe('*1\r\n$4\r\nmget\r\n');
    expect(list('aclcat', 'STRING')).toContain('incrbyfloat');
    expect(list('ACLCAT', 'string')).not.toContain('config');
    expect(list('MODULE', 'any')).toBe('*0\r\n');
    expect(list('NOSUCH', 'any')).toBe('-ERR syntax error\r\n');
  });

  it('finds the keys of a whole command, and says why it cannot', () => {
    const harness = createHarness({ shards: 1 });
    const keys = (...command: string[]) => harness.run('COMMAND', 'GETKEYS', ...command);
    expect(keys('mset', 'a', '1', 'b', '2')).toBe('*2\r\n$1\r\na\r\n$1\r\nb\r\n');
    expect(keys('OBJECT', 'Freq', 'a')).toBe('*1\r\n$1\r\na\r\n');
    expect(harness.run('COMMAND', 'GETKEYSANDFLAGS', 'get', 'a')).toBe(
      '*1\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access\r\n',
    );
    expect(keys('nosuch', 'a')).toBe('-ERR Invalid command specified\r\n');
    expect(keys('config|get', 'a')).toBe('-ERR Invalid command specified\r\n');
    expect(keys('echo', 'a')).toBe('-ERR The command has no key arguments\r\n');
    expect(keys('get', 'a', 'b')).toBe('-ERR Invalid number of arguments specified for command\r\n');
  });
});
