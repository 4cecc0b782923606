/** Tests of rules, beyond what is compared with redis-server (test/differential/acl.test.ts). */
import { describe, expect, it } from 'vitest';
import { namedCommands } from '../../src/commands/acl-commands.ts';
import { createSelector, readSelector, type Selector, setRule } from '../../src/commands/acl-selector.ts';
import '../../src/commands/families.ts';

const EVERY_COMMAND = namedCommands().flatMap((command) => [command, ...command.subcommands]);

function selectorWith(...rules: string[]): Selector {
  const selector = createSelector(false);
  for (const rule of rules) expect([rule, setRule(selector, rule)]).toEqual([rule, undefined]);
  return selector;
}

function allowed({ commands }: Selector): string[] {
  return EVERY_COMMAND.filter(({ place }) => commands[place] === 1).map(({ name }) => name);
}

describe('a rule for a command', () => {
  it('counts for the command and its subcommands, and for nothing else', () => {
    for (const { name, subcommands } of namedCommands()) {
      const names = [name, ...subcommands.map((sub) => sub.name)];
      expect(allowed(selectorWith(`+${name.toUpperCase()}`))).toEqual(names);
      expect(allowed(selectorWith('+@all', `-${name}`))).toHaveLength(
        allowed(selectorWith('+@all')).length - names.length,
      );
    }
  });

  it('counts for a subcommand alone', () => {
    for (const { subcommands } of namedCommands()) {
      for (const { name } of subcommands) expect(allowed(selectorWith(`+${name}`))).toEqual([name]);
    }
    expect(allowed(selectorWith('+config', '-config|set'))).not.toContain('config|set');
    expect(allowed(selectorWith('+config', '-config|set'))).toContain('config|get');
  });

  it('takes back what was allowed with some first arguments', () => {
    expect(selectorWith('+select|0', '+select|1', '+SELECT|0').firstArguments.size).toBe(1);
    expect([...selectorWith('+select|a', '+SELECT|A', '+select|b').firstArguments.values()]).toEqual([
      ['a', 'b'],
    ]);
    for (const rule of ['+select', '-select', '+@all', '-@all', '-@fast']) {
      expect(selectorWith('+select|0', rule).firstArguments.size).toBe(0);
    }
  });
});

describe('a selector in parentheses', () => {
  it('has its rules between blanks, or in quotes as in files', () => {
    const selector = readSelector('(  +get\t~a* "~b" )', false);
    if (typeof selector === 'string') throw new Error(selector);
    expect([allowed(selector), selector.keys.map(({ text }) => text)]).toEqual([['get'], ['a*', 'b']]);
  });

  it('is refused for a rule that is wrong, and for one that is of users', () => {
    expect(readSelector('(+nosuch)', false)).toBe('unknown-command');
    for (const rule of ['on', '>p', 'reset', '(+get)'])
      expect(readSelector(`(${rule})`, false)).toBe('syntax');
  });
});
