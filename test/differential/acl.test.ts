/**
 * Users against redis-server: the same rules on both, and what each then says of the user and lets it do.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ALL_COMMANDS } from '../../src/commands/tables/all.ts';
import { REDIS_COMMANDS } from '../../src/commands/tables/redis-commands.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { converse, replyTree } from '../support/replies.ts';

type Command = readonly (string | Buffer)[];

const RUNS = 75;

const REDIS_NAMES = REDIS_COMMANDS.flatMap(({ names }) => names.split(' '));
const CATEGORIES = [...new Set(REDIS_COMMANDS.flatMap(({ categories }) => categories.split(' ')))];
const HASH = '5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8';

/** Ours that redis-server 7.0.15 does not have. */
const OWN_NAMES = new Set(
  ALL_COMMANDS.flatMap((spec) => [spec, ...(spec.subcommands ?? [])])
    .map(({ name }) => name)
    .filter((name) => !REDIS_NAMES.includes(name)),
);
const RUNNABLE = ALL_COMMANDS.flatMap((spec) => spec.subcommands ?? [spec]).filter(
  ({ name }) => !OWN_NAMES.has(name) && name !== 'acl|help',
);

const pattern = fc.oneof(
  fc.constantFrom('*', 'a*', 'b*', 'key:?', '[ab]*', '', 'a b', 'a\tb', '"', '~', '\\*', 'KEY', 'ü'),
  fc.string({ maxLength: 4 }).map((text) => text.replaceAll('\0', '')),
);
const name = fc.oneof(
  fc.constantFrom(...REDIS_NAMES),
  fc.constantFrom(...REDIS_NAMES).map((text) => text.toUpperCase()),
  fc.constantFrom(
    'nosuch',
    '',
    'config|nosuch',
    'get|a',
    'config|get|a',
    'select|1',
    'select|',
    'GET|x|y',
    'debug|object',
  ),
);
const category = fc.oneof(
  fc.constantFrom(...CATEGORIES),
  fc.constantFrom('all', 'ALL', 'nosuch', '', 'Read'),
);
const selectorRule = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('+', '-'), name).map((parts) => parts.join('')) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('+@', '-@'), category).map((parts) => parts.join('')) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom('~', '%R~', '%W~', '%RW~', '%wr~', '%~', '%RR~', '%R', '%X~', '&'), pattern)
      .map((parts) => parts.join('')),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...['allkeys', 'resetkeys', 'allchannels', 'resetchannels', 'allcommands', 'nocommands', 'AllKeys'],
      ...['+@all', '-@all', '~*', '&*', 'nonsense', '%', '+', '-', '~', '&', '', '@all'],
    ),
  },
);
const selector = fc
  .array(
    selectorRule.filter((rule) => !/["'\\]/.test(rule)),
    { maxLength: 4 },
  )
  .map((rules) => `(${rules.join(' ')})`);
const rule = fc.oneof(
  { weight: 8, arbitrary: selectorRule },
  { weight: 1, arbitrary: selector },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...['on', 'off', 'ON', 'nopass', 'resetpass', 'reset', 'clearselectors', 'sanitize-payload'],
      ...['skip-sanitize-payload', '>secret', '<secret', '>', '<', `#${HASH}`, `!${HASH}`, '#12', '!12'],
      ...[`#${HASH.toUpperCase()}`, '(', ')', '()', '(~a', 'b)', '(+get ~a', '+set)'],
    ),
  },
);
/** Most rules of a list have to be right for the user to change at all. */
const rules = fc.array(rule, { minLength: 1, maxLength: 6 });

describeWithRedis('ACL against redis-server', () => {
  let redis: RedisServer;
  const harness = createHarness();
  beforeAll(async () => {
    redis = await startRedisServer();
  });
  afterAll(() => redis.stop());

  it('knows the commands of redis-server by their categories', async () => {
    const theirs = await converse(redis.port, [
      ['ACL', 'CAT'],
      ...CATEGORIES.map((text) => ['ACL', 'CAT', text]),
    ]);
    const ours = await runAll(harness, [
      ['ACL', 'CAT'],
      ...CATEGORIES.map((text) => ['ACL', 'CAT', text.toUpperCase()]),
    ]);
    expect(ours[0]).toBe(theirs[0]);
    for (const [index, text] of CATEGORIES.entries()) {
      const own = members(ours[index + 1]).filter((member) => !OWN_NAMES.has(member));
      expect([text, own.sort()]).toEqual([text, members(theirs[index + 1]).sort()]);
    }
  });

  it('answers the same to what has no users, or is wrong', async () => {
    const program: Command[] = [
      ...[[], ['NOSUCH'], ['HELP'], ['help', 'x'], ['WHOAMI'], ['WHOAMI', 'x'], ['CAT', 'a', 'b']],
      ...[['CAT', 'nosuch'], ['CAT', 'x'.repeat(200)], ['CAT', 'a\nb'], ['LOAD'], ['SAVE'], ['LOAD', 'x']],
      ...['0', '-1', '4097', 'x', '', '99999999999999999999', '9223372036854775807'].map((bits) => [
        'GENPASS',
        bits,
      ]),
      ...[['GENPASS', '1', '2'], ['LOG', 'x'], ['LOG', '1', '2'], ['LOG', 'Reset'], ['LOG'], ['LOG', '-1']],
      ...[
        ['LOG', '9223372036854775807'],
        ['LOG', '-9223372036854775808'],
        ['LOG', '9223372036854775808'],
      ],
      ...[['DELUSER'], ['DELUSER', 'default'], ['DELUSER', 'nobody', 'default'], ['DELUSER', 'nobody', 'no']],
      ...[['GETUSER'], ['GETUSER', 'nobody'], ['GETUSER', 'a', 'b'], ['SETUSER'], ['SETUSER', 'a b', 'on']],
      ...[
        ['SETUSER', 'a\0b'],
        ['SETUSER', ''],
        ['GETUSER', ''],
        ['DELUSER', ''],
        ['DRYRUN', 'default', 'GET'],
      ],
      ...[
        ['DRYRUN', 'default'],
        ['DRYRUN', 'default', 'a\r\nb'],
        ['DRYRUN', 'no\0body', 'GET', 'a'],
        ['USERS', 'x'],
      ],
      ...[
        ['LIST', 'x'],
        ['SETUSER', 'u', 'on', '(~a', '+get', '('],
        ['SETUSER', 'u', '(~a\0b', 'c'],
      ],
    ].map((words) => ['ACL', ...words]);
    for (const protocol of ['2', '3']) {
      const theirs = await converse(redis.port, [['HELLO', protocol], ...program]);
      const ours = await runAll(harness, [['HELLO', protocol], ...program]);
      for (const [index, command] of program.entries()) {
        expect([command, ours[index + 1]]).toEqual([command, theirs[index + 1]]);
      }
    }
    harness.run('HELLO', '2');
    const lengths = ['1', '4', '5', '256', '4096'].map(
      (bits) => harness.run('ACL', 'GENPASS', bits).split('\r\n')[1],
    );
    expect(lengths.map((digits) => digits.length)).toEqual([1, 1, 2, 64, 1024]);
    expect(harness.run('ACL', 'GENPASS')).toMatch(/^\$64\r\n[0-9a-f]{64}\r\n$/);
    expect(harness.run('ACL', 'GENPASS')).not.toBe(harness.run('ACL', 'GENPASS'));
  });

  it('any rules make the same user, with the same errors, in both protocols', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(rules, { minLength: 1, maxLength: 5 }), async (lists) => {
        const program: Command[] = [
          ['ACL', 'SETUSER', 'u'],
          ['ACL', 'DELUSER', 'u'],
        ];
        for (const list of lists) {
          program.push(
            ['ACL', 'SETUSER', 'u', ...list.map(byteBuffer)],
            ['ACL', 'GETUSER', 'u'],
            ['ACL', 'LIST'],
          );
        }
        program.push(['HELLO', '3'], ['ACL', 'GETUSER', 'u'], ['ACL', 'USERS'], ['HELLO', '2']);
        const theirs = await converse(redis.port, program);
        const ours = await runAll(harness, program);
        for (const index of program.keys()) {
          if (program[index][0] === 'HELLO') continue;
          expect([program[index], canonical(ours[index])]).toEqual([
            program[index],
            canonical(theirs[index]),
          ]);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('any user may do the same: ACL DRYRUN of every command', async () => {
    const key = fc.constantFrom('a', 'ab', 'b', 'key:1', 'c', '');
    await fc.assert(
      fc.asyncProperty(rules, fc.array(key, { minLength: 8, maxLength: 8 }), async (list, keys) => {
        const program: Command[] = [
          ['ACL', 'SETUSER', 'u'],
          ['ACL', 'DELUSER', 'u'],
          ...list.map((text) => ['ACL', 'SETUSER', 'u', byteBuffer(text)]),
          ['ACL', 'SETUSER', 'u'],
          ...RUNNABLE.flatMap(({ name: command, arity }) => {
            const words = command.split('|');
            const least = Math.abs(arity) - words.length;
            return [least, least + 1, least + 3].map((count): Command => {
              const args = Array.from({ length: count }, (_, index) => keys[index % keys.length]);
              return ['ACL', 'DRYRUN', 'u', ...words, ...args];
            });
          }),
          ['ACL', 'DRYRUN', 'u', 'SET', 'a', 'b', 'GET'],
          ['ACL', 'DRYRUN', 'u', 'SET', 'a', 'b', 'EX', '1'],
          ['ACL', 'DRYRUN', 'u', 'NOSUCH', 'a'],
          ['ACL', 'DRYRUN', 'u', 'CONFIG', 'NOSUCH'],
          ['ACL', 'DRYRUN', 'u', 'CONFIG'],
          ['ACL', 'DRYRUN', 'nobody', 'GET', 'a'],
        ];
        const theirs = await converse(redis.port, program);
        const ours = await runAll(harness, program);
        for (const index of program.keys()) {
          expect([program[index], ours[index]]).toEqual([program[index], theirs[index]]);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('what users are refused, by commands and inside MULTI, is told and logged alike', async () => {
    const key = fc.constantFrom('a', 'ab', 'b', 'r', 'rw', 'c');
    const deed = fc.oneof(
      { weight: 6, arbitrary: fc.tuple(fc.constantFrom('GET', 'DEL', 'APPEND', 'TTL', 'STRLEN'), key) },
      {
        weight: 3,
        arbitrary: fc.tuple(fc.constantFrom('SET', 'RENAME', 'COPY', 'MGET', 'GETSET'), key, key),
      },
      {
        weight: 2,
        arbitrary: fc.tuple(fc.constant('SET'), key, key, fc.constantFrom('GET', 'NX', 'nonsense')),
      },
      { weight: 2, arbitrary: fc.tuple(fc.constant('MSET'), key, key, key, key) },
      { weight: 2, arbitrary: fc.tuple(fc.constantFrom('PUBLISH', 'SPUBLISH'), key, key) },
      { weight: 4, arbitrary: fc.constantFrom(['MULTI'], ['EXEC'], ['DISCARD'], ['PING'], ['RESET']) },
      { weight: 2, arbitrary: fc.tuple(fc.constant('AUTH'), fc.constantFrom('u', 'v', 'w'), key) },
      {
        weight: 1,
        arbitrary: fc.tuple(fc.constant('HELLO'), fc.constant('2'), fc.constant('AUTH'), key, key),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(['SELECT', '0'], ['SELECT', '1'], ['ACL', 'WHOAMI'], ['CLIENT', 'ID']),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { maxLength: 30 }), async (deeds) => {
        const program: Command[] = [
          ['RESET'],
          ['FLUSHALL'],
          ['ACL', 'SETUSER', 'u', 'reset', 'on', 'nopass', '~a*', '%R~r*', '&a*', '+@all', '-append'],
          [
            'ACL',
            'SETUSER',
            'v',
            'reset',
            'on',
            'nopass',
            '+@read',
            '%W~a',
            '(~b +set +get)',
            '(%R~c +@all)',
          ],
          ['ACL', 'SETUSER', 'w', 'reset', 'on', '>a', '-@all', '+select|0', '+multi', '+exec', '~*', '&b'],
          ['ACL', 'LOG', 'RESET'],
          ['AUTH', 'u', 'x'],
          ...deeds,
          ['RESET'],
        ];
        const theirs = await converse(redis.port, [...program, ['ACL', 'LOG', '100']]);
        const ours = await runAll(harness, [...program, ['ACL', 'LOG', '100']]);
        for (const [index, command] of program.entries()) {
          if (command[0] === 'CLIENT') continue;
          expect([command, ours[index]]).toEqual([command, theirs[index]]);
        }
        expect(logEntries(ours[program.length])).toEqual(logEntries(theirs[program.length]));
      }),
      {
        numRuns: RUNS,
        examples: [
          [[['MULTI'], ['HELLO', '2', 'AUTH', 'a', 'a'], ['EXEC']]],
          [[['MULTI'], ['AUTH', 'w', 'b'], ['EXEC'], ['AUTH', 'w', 'b']]],
        ],
      },
    );
  });
});

/** But for how long ago it was, and who the client is. */
function logEntries(raw: string): unknown {
  const tree = replyTree(raw);
  if (typeof tree === 'string') throw new Error(raw);
  return tree.items.map((entry) => (typeof entry === 'string' ? entry : entry.items.slice(0, 10)));
}

/** One character of a rule is one byte. */
function byteBuffer(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Every reply, those included that come later. */
async function runAll(harness: Harness, program: readonly Command[]): Promise<string[]> {
  const replies: string[] = [];
  for (const command of program) {
    const reply = harness.run(...command);
    const late = harness.deferredReplies;
    while (reply === '' && late.length === 0) await new Promise(setImmediate);
    replies.push(reply === '' ? (late.shift() as string) : reply);
  }
  return replies;
}

function members(raw: string): string[] {
  const tree = replyTree(raw);
  if (typeof tree === 'string') throw new Error(raw);
  return tree.items.map((item) => String(item).split('\r\n')[1]);
}

/** Single commands come in an order that redis-server's hash table has by chance; their sum is what counts. */
function canonical(raw: string): unknown {
  return JSON.parse(JSON.stringify(replyTree(raw)), (_, value) => {
    if (typeof value !== 'string' || !/[+-]@/.test(value)) return value;
    const text = value.replace(/^\$\d+\r\n/, '');
    return text.replace(/(?<=^| |\()([+-][^@ ()]\S*? ?)+(?=\)|\r| \(|$)/g, (singles) =>
      singles
        .trim()
        .split(' ')
        .filter((single) => !OWN_NAMES.has(single.slice(1)))
        .sort()
        .join(' '),
    );
  });
}
