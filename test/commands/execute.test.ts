/** Tests of the dispatcher: what runs while the gate is closed, by name, and what the others are told. */
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { CommandSpec } from '../../src/commands/spec.ts';
import { ALL_COMMANDS } from '../../src/commands/tables/all.ts';
import { ERROR_REPLIES } from '../../src/metrics/names.ts';
import { closeGate, GATE_LOADING, GATE_LOG, GATE_SNAPSHOT, openGate } from '../../src/resilience/gate.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const LOADING = '-LOADING Redis is loading the dataset in memory\r\n';
const SNAPSHOT =
  /^-MISCONF Redis is configured to save RDB snapshots, .* for details about the RDB error\.\r\n$/;

/** All that can be called: a container only where it does without a subcommand. */
const CALLABLE = ALL_COMMANDS.flatMap((spec) => [
  ...(spec.subcommands === undefined || spec.arity === -1 ? [spec] : []),
  ...(spec.subcommands ?? []),
]);

/** The name and as many arguments as it takes at least. */
function shortestCall({ name, arity }: CommandSpec): string[] {
  const words = name.split('|');
  return [...words, ...new Array(Math.abs(arity) - words.length).fill('1')];
}

/** The names of the commands that the gate refuses; what other threads are asked for never comes. */
function refusedNames(harness: Harness, isRefusal: (reply: string) => boolean): string[] {
  const never = new Promise<never>(() => undefined);
  const silent = { ...harness.engine.bus, requestAll: () => never, requestMain: () => never };
  Object.assign(harness.engine, { bus: silent });
  const refused = CALLABLE.filter((spec) => {
    return isRefusal(harness.runAs(harness.connect(), ...shortestCall(spec)));
  });
  return refused.map(({ name }) => name);
}

const namesWhere = (isWanted: (spec: CommandSpec) => boolean) =>
  CALLABLE.filter(isWanted).map(({ name }) => name);

describe('while the data set is loaded', () => {
  it('the commands run that do without it, and no others', () => {
    const harness = createHarness();
    closeGate(harness.engine.gate, GATE_LOADING);
    const refused = refusedNames(harness, (reply) => reply === LOADING);
    expect(refused).toEqual(namesWhere(({ flags }) => !flags.includes('loading')));
    for (const name of [
      'get',
      'set',
      'ping',
      'dbsize',
      'save',
      'bgsave',
      'bgrewriteaof',
      'waitaof',
      'flushall',
    ])
      expect(refused).toContain(name);
    for (const name of [
      'info',
      'config|get',
      'lastsave',
      'shutdown',
      'auth',
      'hello',
      'debug',
      'command',
      'time',
    ])
      expect(refused).not.toContain(name);
  });

  it('what is wrong with a command is told first', () => {
    const harness = createHarness({ flags: ['--requirepass', 'secret'] });
    closeGate(harness.engine.gate, GATE_LOADING);
    expect(harness.run('GET', 'a')).toBe('-NOAUTH Authentication required.\r\n');
    harness.run('AUTH', 'secret');
    expect(harness.run('GET', 'a')).toBe(LOADING);
    expect(harness.run('GET')).toBe("-ERR wrong number of arguments for 'get' command\r\n");
    expect(harness.run('nonsense')).toMatch(/^-ERR unknown command/);
  });

  it('a refusal changes nothing and counts as an error; afterwards all is as before', () => {
    const harness = createHarness();
    harness.run('SET', 'a', '1');
    closeGate(harness.engine.gate, GATE_LOADING);
    const errors = harness.engine.counters[ERROR_REPLIES];
    expect(harness.run('SET', 'a', '2')).toBe(LOADING);
    expect(harness.engine.counters[ERROR_REPLIES]).toBe(errors + 1);
    openGate(harness.engine.gate, GATE_LOADING);
    expect(harness.run('GET', 'a')).toBe('$1\r\n1\r\n');
    harness.expectWhole();
  });
});

describe('while the log cannot be written', () => {
  it('writes and PING are refused, everything else runs', () => {
    for (const reason of [GATE_LOG, GATE_SNAPSHOT]) {
      const harness = createHarness();
      closeGate(harness.engine.gate, reason);
      const refused = refusedNames(harness, (reply) => reply.startsWith('-MISCONF'));
      expect(refused).toEqual(namesWhere(({ name, flags }) => flags.includes('write') || name === 'ping'));
      expect(refused).toContain('flushall');
      expect(refused).not.toContain('get');
    }
  });

  it('the refusal names the error of the disk in the words of the system', () => {
    const harness = createHarness();
    closeGate(harness.engine.gate, GATE_LOG, -constants.errno.ENOSPC);
    expect(harness.run('SET', 'a', '1')).toMatch(
      /^-MISCONF Errors writing to the AOF file: no space left on device\r\n$/i,
    );
    closeGate(harness.engine.gate, GATE_LOG);
    expect(harness.run('PING')).toMatch(/^-MISCONF Errors writing to the AOF file: the log /);
    openGate(harness.engine.gate, GATE_LOG);
    expect(harness.run('SET', 'a', '1')).toBe('+OK\r\n');
  });

  it('the refusal tells of a failed snapshot where that is the only reason', () => {
    const harness = createHarness();
    closeGate(harness.engine.gate, GATE_SNAPSHOT);
    expect(harness.run('SET', 'a', '1')).toMatch(SNAPSHOT);
    expect(harness.run('PING')).toMatch(SNAPSHOT);
    closeGate(harness.engine.gate, GATE_LOADING);
    expect(harness.run('SET', 'a', '1')).toBe(LOADING);
  });
});
