/** SLOWLOG, LATENCY and MEMORY DOCTOR, side by side with redis-server, in both protocols. */
import { Buffer } from 'node:buffer';
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { type ProgramCommand, runOnRedis } from '../support/redis-program.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { replyTree, type Tree } from '../support/replies.ts';
import { runTimed } from '../support/timed-commands.ts';

const nextTurn = promisify(setImmediate);

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer(['--enable-debug-command', 'yes']);
});
afterAll(() => server?.stop());

/** `flags` as for the oracle's CONFIG SET. */
function openHarness(...flags: string[]): Harness {
  const harness = createHarness({ flags: ['--enable-debug-command', 'yes', ...flags] });
  installServerTopics(harness.engine);
  return harness;
}

async function replyOf(harness: Harness, command: ProgramCommand): Promise<string> {
  const count = harness.deferredReplies.length;
  const reply = harness.run(...command);
  if (reply !== '') return reply;
  while (harness.deferredReplies.length === count) await nextTurn();
  return harness.deferredReplies[count];
}

const REFUSALS: readonly ProgramCommand[] = [
  ['SLOWLOG'],
  ['SLOWLOG', ''],
  ['SLOWLOG', 'nothing'],
  ['SLOWLOG', 'GET', 'x'],
  ['SLOWLOG', 'GET', ''],
  ['SLOWLOG', 'GET', '-2'],
  ['SLOWLOG', 'GET', '1.5'],
  ['SLOWLOG', 'GET', '9223372036854775808'],
  ['SLOWLOG', 'get', '1', '2'],
  ['SLOWLOG', 'GET', '0'],
  ['SLOWLOG', 'LEN', 'x'],
  ['SLOWLOG', 'RESET', 'x'],
  ['SLOWLOG', 'HELP', 'x'],
  ['SLOWLOG', 'HELP'],
  ['slowlog', 'reset'],
  ['SLOWLOG', 'LEN'],
  ['SLOWLOG', 'GET'],
  ['SLOWLOG', 'GET', '-1'],
  ['LATENCY'],
  ['LATENCY', 'nothing'],
  ['LATENCY', 'LATEST', 'x'],
  ['LATENCY', 'LATEST'],
  ['LATENCY', 'HISTORY'],
  ['LATENCY', 'HISTORY', 'command', 'x'],
  ['LATENCY', 'HISTORY', 'command'],
  ['LATENCY', 'GRAPH'],
  ['LATENCY', 'GRAPH', 'command'],
  ['LATENCY', 'GRAPH', 'a\0b\r\nc'],
  ['LATENCY', 'RESET'],
  ['LATENCY', 'RESET', 'command', 'x'],
  ['LATENCY', 'DOCTOR'],
  ['LATENCY', 'DOCTOR', 'x'],
  ['LATENCY', 'HELP', 'x'],
  ['LATENCY', 'HELP'],
  ['MEMORY', 'DOCTOR'],
  ['MEMORY', 'DOCTOR', 'x'],
];

/** What takes no notice of the clock: entries are told without their numbers, times and addresses. */
function entriesIn(reply: string): Tree[] {
  const tree = replyTree(reply);
  if (typeof tree === 'string') throw new Error(`no entries: ${tree}`);
  const entries = tree.items.map((entry) => (typeof entry === 'string' ? [entry] : [...entry.items]));
  // The oracle's conversation has marks in it.
  return entries
    .filter(([, , , shown]) => !JSON.stringify(shown).includes('~~the reply before'))
    .map(([, , , shown, , name]) => ({ kind: '*', items: [shown, name] }));
}

/** The slow logs of both servers after a program, each command of which was slow. */
async function bothLogs(program: readonly ProgramCommand[]): Promise<[Tree[], Tree[]]> {
  const [on, off] = ['0', '1000000'].map((text) => ['CONFIG', 'SET', 'slowlog-log-slower-than', text]);
  const ends: ProgramCommand[] = [['SLOWLOG', 'GET', '-1']];
  const replies = await runOnRedis(server.port, [on, ['SLOWLOG', 'RESET'], ...program, off, ...ends]);
  const harness = openHarness('--slowlog-log-slower-than', '0');
  for (const command of program) runTimed(harness, command, { durationUs: 1 });
  const ours = entriesIn(await replyOf(harness, ends[0]));
  // The oracle's own RESET and the like come first and last.
  const theirs = entriesIn(replies.at(-1) ?? '').slice(0, -1);
  return [ours, theirs];
}

describeWithRedis('the commands about what was slow, compared with redis-server', () => {
  it.each(['2', '3'])('refuse, help and answer alike in RESP%s when nothing was', async (protocol) => {
    const quiet = [['CONFIG', 'SET', 'slowlog-log-slower-than', '-1']];
    const theirs = await runOnRedis(server.port, [['HELLO', protocol], ...quiet, ...REFUSALS]);
    const harness = openHarness('--slowlog-log-slower-than', '-1');
    harness.run('HELLO', protocol);
    for (const [index, command] of REFUSALS.entries()) {
      expect(await replyOf(harness, command), JSON.stringify(command)).toBe(theirs[index + 2]);
    }
  });

  it('log the same commands, and nothing of what was refused', async () => {
    const [ours, theirs] = await bothLogs([
      ['GET', 'k'],
      ['GET'],
      ['nothing', 'x'],
      ['CONFIG', 'nothing'],
      ['config', 'Get', 'maxmemory'],
      ['INCRBY', 'k', 'x'],
      ['SLOWLOG', 'GET', 'x'],
      ['CLIENT', 'SETNAME', 'me'],
      ['MGET', 'a', 'b'],
      ['CLIENT', 'SETNAME', ''],
      ['SET', 'binary\r\n\0\xff', Buffer.from([0, 255, 128])],
    ]);
    expect(ours).toEqual(theirs);
    expect(ours).toHaveLength(8);
  });

  it('hide the same secrets', async () => {
    const [ours, theirs] = await bothLogs([
      ['AUTH', 'p'],
      ['auth', 'u', 'p'],
      ['HELLO', '2', 'AUTH', 'u', 'p'],
      ['HELLO', '2', 'SETNAME', 'n', 'auth', 'u', 'p'],
      ['HELLO', '2', 'AUTH', 'default', 'p', 'SETNAME', 'n'],
      ['CONFIG', 'SET', 'nothing', 'x', 'masterauth', 'p'],
      ['CONFIG', 'SET', 'REQUIREPASS', 'p', 'nothing', 'x', 'MasterUser', 'u'],
      ['CONFIG', 'GET', 'requirepass'],
    ]);
    expect(ours).toEqual(theirs);
    expect(JSON.stringify(ours)).not.toContain('\\np\\r');
  });

  it('cut arguments that are long or many alike', async () => {
    const length = fc.constantFrom(0, 1, 127, 128, 129, 130, 255, 256, 1000);
    const argument = fc.tuple(length, fc.nat(255)).map(([bytes, byte]) => Buffer.alloc(bytes, byte));
    const count = fc.constantFrom(1, 2, 29, 30, 31, 32, 33, 40, 130);
    const command = fc
      .tuple(count, fc.array(argument, { minLength: 1, maxLength: 5 }))
      .map(([keys, some]) => [
        'EXISTS',
        ...Array.from({ length: keys }, (_, index) => some[index % some.length]),
      ]);
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 20 }), async (program) => {
        const [ours, theirs] = await bothLogs(program);
        expect(ours).toEqual(theirs);
      }),
      { numRuns: 20 },
    );
  });

  it.each(['2', '3'])('tell of a spike alike in RESP%s, but for what they advise', async (protocol) => {
    const program: ProgramCommand[] = [
      ['LATENCY', 'LATEST'],
      ['LATENCY', 'HISTORY', 'command'],
      ['LATENCY', 'GRAPH', 'command'],
      ['LATENCY', 'DOCTOR'],
      ['LATENCY', 'RESET', 'nothing', 'COMMAND'],
      ['LATENCY', 'LATEST'],
      ['LATENCY', 'DOCTOR'],
    ];
    const spike: ProgramCommand[] = [
      ['HELLO', protocol],
      ['CONFIG', 'SET', 'latency-monitor-threshold', '5'],
      ['DEBUG', 'SLEEP', '0.005'],
    ];
    const theirs = await runOnRedis(server.port, [...spike, ...program]);
    await runOnRedis(server.port, [
      ['CONFIG', 'SET', 'latency-monitor-threshold', '0'],
      ['LATENCY', 'RESET'],
    ]);
    const harness = openHarness('--latency-monitor-threshold', '5');
    harness.run('HELLO', protocol);
    runTimed(harness, ['OBJECT', 'ENCODING', 'k'], { durationUs: 5_900 });
    // Without lengths and numbers; of a report only the first two paragraphs.
    const shape = (reply: string) =>
      reply
        .replace(/^=\d+\r\n/, '=')
        .replace(/\$\d+\r\n/g, '$')
        .replace(/\d+/g, '0')
        .split('\n\nI have')[0];
    for (const [index, command] of program.entries()) {
      expect(shape(await replyOf(harness, command)), JSON.stringify(command)).toBe(
        shape(theirs[spike.length + index]),
      );
    }
  });
});
