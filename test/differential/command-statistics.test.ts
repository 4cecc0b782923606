/**
 * What is counted of commands, side by side with redis-server: calls, refusals, failures and errors, over programs of good
 * and bad commands, in INFO and in LATENCY HISTOGRAM.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { type ProgramCommand, runOnRedis } from '../support/redis-program.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer();
});
afterAll(() => server?.stop());

const PROGRAM: readonly ProgramCommand[] = [
  ['SET', 'a', 'x'],
  ['set', 'a', 'x', 'EX', '0'],
  ['SET', 'a', 'x', 'nonsense'],
  ['SET', 'a'],
  ['GET', 'a'],
  ['GET'],
  ['GET', 'a', 'b'],
  ['INCR', 'a'],
  ['INCRBY', 'n', 'x'],
  ['INCRBY', 'n', '1'],
  ['MSET', 'k', '1', 'l'],
  ['MSET', 'k', '1', 'l', '2'],
  ['MGET'],
  ['nosuch', 'a'],
  ['CONFIG', 'nosuch'],
  ['CONFIG'],
  ['CONFIG', 'GET'],
  ['CONFIG', 'GET', 'save'],
  ['CLIENT'],
  ['CLIENT', 'ID', '3'],
  ['CLIENT', 'ID'],
  ['OBJECT'],
  ['OBJECT', 'HELP'],
  ['OBJECT', 'ENCODING', 'missing'],
  ['EXPIRE', 'a', 'x'],
  ['GETRANGE', 'a', 'x', '1'],
  ['AUTH', 'wrong'],
  ['AUTH', 'nobody', 'wrong'],
  ['HELLO', '9'],
  ['SELECT', '99'],
  ['SELECT', '0'],
  ['LATENCY', 'nosuch'],
  ['LATENCY', 'HISTOGRAM', 'nosuch'],
  ['RENAME', 'missing', 'b'],
  ['COMMAND', 'COUNT'],
  ['COMMAND', 'nosuch'],
  ['ECHO', 'x'],
];

/** What a run of INFO tells of commands and errors, without times and in one order. */
function countsOf(reply: string): string[] {
  const lines = reply
    .split('\r\n')
    .filter((line) => /^(cmdstat|errorstat|total_(commands|error))/.test(line));
  return lines.map((line) => line.replace(/usec=.*(?=rejected)/, '')).sort();
}

/** The names that LATENCY HISTOGRAM tells, with their calls. */
function callsOf(reply: string): string[] {
  return [...reply.matchAll(/\$\d+\r\n([a-z|-]+)\r\n[%*]\d\r\n\$5\r\ncalls\r\n:(\d+)/g)]
    .map(([, name, calls]) => `${name} ${calls}`)
    .sort();
}

/** redis-server's runs have an ECHO between commands: as many here. */
function runHere(harness: Harness, program: readonly ProgramCommand[]): string[] {
  return program.map((command) => {
    const reply = harness.run(...command);
    harness.run('ECHO', 'between');
    return reply;
  });
}

async function both(program: readonly ProgramCommand[]): Promise<[ours: string[], theirs: string[]]> {
  const harness = createHarness();
  installServerTopics(harness.engine);
  harness.run('CONFIG', 'RESETSTAT');
  await new Promise(setImmediate);
  harness.run('ECHO', 'between');
  const [, , ...theirs] = await runOnRedis(server.port, [['FLUSHALL'], ['CONFIG', 'RESETSTAT'], ...program]);
  return [runHere(harness, program), theirs];
}

describeWithRedis('the counts of commands and errors, compared with redis-server', () => {
  it('are the same over a program of good and bad commands', async () => {
    const [ours, theirs] = await both([...PROGRAM, ['INFO', 'everything'], ['INFO', 'everything']]);
    for (const last of [-2, -1]) {
      expect(countsOf(ours.at(last) ?? '')).toEqual(countsOf(theirs.at(last) ?? ''));
      expect(countsOf(ours.at(last) ?? '').length).toBeGreaterThan(25);
    }
  });

  it('are the same over random programs', async () => {
    const program = fc.array(fc.constantFrom(...PROGRAM), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(program, async (commands) => {
        const [ours, theirs] = await both([...commands, ['INFO', 'commandstats', 'errorstats', 'stats']]);
        expect(countsOf(ours.at(-1) ?? '')).toEqual(countsOf(theirs.at(-1) ?? ''));
      }),
      { numRuns: 30 },
    );
  });

  it('are told by LATENCY HISTOGRAM for the same names, since the process began', async () => {
    const selections = [
      ['get', 'SET', 'nosuch'],
      ['config|get'],
      ['Config'],
      ['CLIENT', 'client|id'],
      ['object|nosuch'],
    ];
    const [ours, theirs] = await both([
      ...PROGRAM,
      ...selections.map((names) => ['LATENCY', 'HISTOGRAM', ...names]),
    ]);
    for (const index of selections.keys()) {
      const at = PROGRAM.length + index;
      expect(callsOf(ours[at]), selections[index].join()).toEqual(callsOf(theirs[at]));
    }
  });

  it('are gone after CONFIG RESETSTAT, itself aside', async () => {
    const harness = createHarness();
    installServerTopics(harness.engine);
    runHere(harness, PROGRAM);
    harness.run('CONFIG', 'RESETSTAT');
    await new Promise(setImmediate);
    const ours = countsOf(harness.run('INFO', 'everything'));
    const [theirs] = (
      await runOnRedis(server.port, [...PROGRAM, ['CONFIG', 'RESETSTAT'], ['INFO', 'everything']])
    ).slice(-1);
    expect(ours).toEqual(
      countsOf(theirs)
        .filter((line) => !line.startsWith('cmdstat_echo'))
        .map(withoutEcho),
    );
  });
});

/** Theirs counts the ECHO behind the reset. */
function withoutEcho(line: string): string {
  return line === 'total_commands_processed:2' ? 'total_commands_processed:1' : line;
}
