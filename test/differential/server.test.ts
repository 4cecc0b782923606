/** The commands about the server, side by side with redis-server: what is deterministic in them, both protocols. */
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { type ProgramCommand, runOnRedis } from '../support/redis-program.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { splitReplies } from '../support/replies.ts';

const nextTurn = promisify(setImmediate);

/** Turns that an answer may take: a timer of a millisecond is among what is waited for. */
const TURNS_MAX = 100_000;

/** Subcommands of DEBUG that redis-server does not have. */
const OWN_DEBUG = ['JMAP', 'THROW', 'WORKER-DIE-HOLDING-LOCK', 'WORKER-EXIT', 'WORKER-THROW'];

let server: RedisServer;
/** With a cluster and without DEBUG. */
let strictServer: RedisServer;
beforeAll(async () => {
  [server, strictServer] = await Promise.all([
    startRedisServer(['--enable-debug-command', 'yes']),
    startRedisServer(['--cluster-enabled', 'yes']),
  ]);
});
afterAll(async () => {
  await server?.stop();
  await strictServer?.stop();
});

function openHarness(): Harness {
  const harness = createHarness({ flags: ['--enable-debug-command', 'yes'] });
  installServerTopics(harness.engine);
  harness.engine.bus.handle('config-rewrite', () => 'ERR The server is running without a config file');
  return harness;
}

/** The reply, also when it comes later. */
async function replyOf(harness: Harness, command: ProgramCommand): Promise<string> {
  const reply = harness.run(...command);
  if (reply !== '') return reply;
  const replies = harness.deferredReplies;
  const count = replies.length;
  for (let turns = 0; replies.length === count && turns < TURNS_MAX; turns += 1) await nextTurn();
  return replies[count] ?? '';
}

/** Both servers' replies to each command, in RESP2 or RESP3. */
async function bothReplies(
  protocol: string,
  program: readonly ProgramCommand[],
): Promise<[string, string][]> {
  const harness = openHarness();
  harness.run('HELLO', protocol);
  const theirs = (await runOnRedis(server.port, [['HELLO', protocol], ...program])).slice(1);
  const pairs: [string, string][] = [];
  for (const [index, command] of program.entries())
    pairs.push([await replyOf(harness, command), theirs[index]]);
  return pairs;
}

const lines = (reply: string) => reply.split('\r\n').slice(1, -1);
const bulkTexts = (reply: string) => lines(reply).filter((line) => !/^[$*%=:,]-?\d/.test(line));
const titles = (reply: string) => lines(reply).filter((line) => line.startsWith('# '));

/** Whether SHUTDOWN with these words would be refused. */
function isRefused(words: readonly string[]): boolean {
  const given = words.map((word) => word.toUpperCase());
  const unknown = given.some((word) => !['SAVE', 'NOSAVE', 'NOW', 'FORCE', 'ABORT'].includes(word));
  return unknown || given.includes('ABORT') || (given.includes('SAVE') && given.includes('NOSAVE'));
}

const REFUSALS: readonly ProgramCommand[] = [
  ['TIME', 'x'],
  ['LASTSAVE', 'x'],
  ['FUNCTION'],
  ['FUNCTION', 'nothing'],
  ['FUNCTION', 'FLUSH'],
  ['function', 'flush', 'async'],
  ['FUNCTION', 'FLUSH', 'Sync'],
  ['FUNCTION', 'FLUSH', ''],
  ['FUNCTION', 'FLUSH', 'now'],
  ['FUNCTION', 'FLUSH', 'ASYNC', 'SYNC'],
  ['FUNCTION', 'HELP', 'x'],
  ['CLUSTER'],
  ['CLUSTER', 'nothing'],
  ['CLUSTER', 'no\r\nthing'],
  ['CLUSTER', 'HELP'],
  ['cluster', 'info'],
  ['CLUSTER', 'SLOTS'],
  ['CLUSTER', 'COUNTKEYSINSLOT', '1'],
  ['CLUSTER', 'COUNT-failure-reports', 'x'],
  ['CLUSTER', 'KEYSLOT'],
  ['CLUSTER', 'KEYSLOT', 'a', 'b'],
  ['MEMORY'],
  ['MEMORY', 'nothing'],
  ['MEMORY', 'STATS', 'x'],
  ['MEMORY', 'HELP', 'x'],
  ['CONFIG'],
  ['CONFIG', ''],
  ['CONFIG', 'nothing'],
  ['CONFIG', 'GET'],
  ['CONFIG', 'GET', 'nothing'],
  ['CONFIG', 'GET', ''],
  ['CONFIG', 'SET'],
  ['CONFIG', 'SET', 'a'],
  ['CONFIG', 'SET', 'a', 'b'],
  ['CONFIG', 'SET', 'a', 'b', 'c'],
  ['CONFIG', 'SET', 'maxkeys\xff', 'b'],
  ['CONFIG', 'SET', 'databases', '1'],
  ['CONFIG', 'SET', 'dir', '/'],
  ['CONFIG', 'SET', 'maxclients', 'x'],
  ['CONFIG', 'SET', 'maxclients', '1', 'MAXCLIENTS', '2'],
  ['CONFIG', 'SET', 'maxclients', '1', 'appendfsync', 'none'],
  ['CONFIG', 'RESETSTAT'],
  ['CONFIG', 'RESETSTAT', 'x'],
  ['CONFIG', 'REWRITE'],
  ['CONFIG', 'REWRITE', 'x'],
  ['CONFIG', 'HELP', 'x'],
  ['INFO', 'nothing'],
  ['INFO', ''],
  ['INFO', 'cluster'],
  ['INFO', 'modules'],
  ['INFO', 'CLUSTER', 'module_list', 'nothing'],
  ['DEBUG'],
  ['DEBUG', ''],
  ['DEBUG', 'nothing'],
  ['DEBUG', 'no\r\nthing', 'x'],
  ['DEBUG', 'x'.repeat(200)],
  ['DEBUG', 'a\0b'],
  ['DEBUG', 'HELP', 'x'],
  ['DEBUG', 'SLEEP'],
  ['DEBUG', 'SLEEP', '0', '1'],
  ['debug', 'sleep', 'x'],
  ['DEBUG', 'SET-ACTIVE-EXPIRE'],
  ['DEBUG', 'set-active-expire', '0'],
  ['DEBUG', 'SET-ACTIVE-EXPIRE', 'x'],
  ['DEBUG', 'SET-ACTIVE-EXPIRE', '1'],
  ['DEBUG', 'SET-ACTIVE-EXPIRE', '1', '1'],
  ['DEBUG', 'OBJECT'],
  ['DEBUG', 'OBJECT', 'no such key'],
  ['DEBUG', 'OBJECT', 'a', 'b'],
  ['DEBUG', 'LOG'],
  ['DEBUG', 'LOG', 'a'],
  ['DEBUG', 'log', 'a', 'b'],
];

describeWithRedis('the commands about the server, compared with redis-server', () => {
  it.each(['2', '3'])('refuse and answer alike in RESP%s', async (protocol) => {
    const pairs = await bothReplies(protocol, REFUSALS);
    for (const [index, [ours, theirs]] of pairs.entries()) {
      expect(ours, JSON.stringify(REFUSALS[index])).toBe(theirs);
    }
  });

  it('refuse the same words of SHUTDOWN', async () => {
    const word = fc.constantFrom('SAVE', 'nosave', 'NOW', 'Force', 'ABORT', 'abort', 'x', '');
    const words = fc.array(word, { minLength: 1, maxLength: 4 }).filter(isRefused);
    await fc.assert(
      fc.asyncProperty(fc.array(words, { minLength: 1, maxLength: 10 }), async (all) => {
        const program = all.map((some) => ['SHUTDOWN', ...some]);
        for (const [ours, theirs] of await bothReplies('2', program)) expect(ours).toBe(theirs);
      }),
      { numRuns: 50 },
    );
  });

  it('have the same sections of INFO for the same words', async () => {
    const section = fc.constantFrom(
      ...[
        'server',
        'CLIENTS',
        'memory',
        'persistence',
        'stats',
        'replication',
        'cpu',
        'modules',
        'errorstats',
      ],
      ...[
        'cluster',
        'keyspace',
        'commandstats',
        'latencystats',
        'all',
        'everything',
        'default',
        'x',
        '',
        'Module_List',
      ],
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(section, { maxLength: 4 }),
        fc.constantFrom('2', '3'),
        async (words, protocol) => {
          const [[ours, theirs]] = await bothReplies(protocol, [['INFO', ...words]]);
          expect(titles(ours)).toEqual(titles(theirs));
          expect(ours[0]).toBe(theirs[0]);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('have only fields of INFO that redis-server has, or that are named ours, in its order', async () => {
    const [, , [ours, theirs]] = await bothReplies('2', [
      ['FLUSHALL'],
      ['SET', 'a', '1'],
      [
        'INFO',
        'server',
        'clients',
        'memory',
        'persistence',
        'stats',
        'replication',
        'cpu',
        'cluster',
        'keyspace',
      ],
    ]);
    const namesOf = (reply: string) => lines(reply).map((line) => line.split(':')[0]);
    const theirNames = namesOf(theirs);
    // The one that is none of its time counts fields of hashes that have expired.
    const ourNames = namesOf(ours).filter((name) => !/^distcache_|^expired_subkeys$/.test(name));
    expect(ourNames).toEqual(theirNames.filter((name) => ourNames.includes(name)));
    expect(ourNames.length).toBeGreaterThan(120);
  });

  it('name the same figures in MEMORY STATS', async () => {
    for (const protocol of ['2', '3']) {
      const [, , [ours, theirs]] = await bothReplies(protocol, [
        ['FLUSHALL'],
        ['SET', 'a', '1'],
        ['MEMORY', 'STATS'],
      ]);
      // In RESP2 the ratios are bulk strings too.
      const namesOf = (reply: string) => bulkTexts(reply).filter((text) => /^[a-z]/.test(text));
      expect(namesOf(ours)).toEqual(namesOf(theirs));
      expect(splitReplies(ours)[0].slice(0, 3)).toBe(theirs.slice(0, 3));
      expect(ours.replace(/^([$:,])[-\d.]+\r\n([\d.e-]+\r\n)?/gm, '$1')).toBe(
        theirs.replace(/^([$:,])[-\d.]+\r\n([\d.e-]+\r\n)?/gm, '$1'),
      );
    }
  });

  it.each(['CONFIG', 'MEMORY', 'FUNCTION', 'DEBUG'])(
    'say of their own subcommands what %s HELP says',
    async (container) => {
      const [[ours, theirs]] = await bothReplies('2', [[container, 'HELP']]);
      const entries = (reply: string) =>
        lines(reply)
          .join('\n')
          .split(/\n\+(?! )/);
      const known = entries(theirs);
      const own = (entry: string) =>
        OWN_DEBUG.includes(entry.split(/[ \n]/)[0]) || /^(RELOAD|SLEEP)/.test(entry);
      const shared = entries(ours).filter((entry) => container !== 'DEBUG' || !own(entry));
      expect(shared).toEqual(known.filter((entry) => shared.includes(entry)));
      expect(ours).toMatch(new RegExp(`^\\*${lines(ours).length}\r\n`));
    },
  );

  it('find the slot of a key alike, hash tags included', async () => {
    const piece = fc.constantFrom('{', '}', '{}', 'a', 'user', '\0', '\xff\xfe', '{a}', '1000');
    const key = fc.oneof(
      fc.array(piece, { maxLength: 8 }).map((pieces) => Buffer.from(pieces.join(''), 'latin1')),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    );
    const harness = openHarness();
    await fc.assert(
      fc.asyncProperty(fc.array(key, { minLength: 1, maxLength: 100 }), async (keys) => {
        const program = keys.map((bytes) => ['CLUSTER', 'KEYSLOT', bytes]);
        const ours = program.map((command) => harness.run(...command));
        expect(ours).toEqual(await runOnRedis(strictServer.port, program));
      }),
      { numRuns: 20 },
    );
  });

  it('refuse DEBUG alike where it is not enabled', async () => {
    const harness = createHarness();
    const program = [['DEBUG', 'HELP'], ['debug', 'nothing'], ['DEBUG'], ['DEBUG', 'SLEEP', '0']];
    const theirs = await runOnRedis(strictServer.port, program);
    expect(program.map((command) => harness.run(...command))).toEqual(theirs);
  });
});
