/**
 * The connection's own commands against redis-server: the same programs on both, every reply compared byte by byte.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installClientTopics } from '../../src/commands/client.ts';
import { createHarness } from '../support/harness.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { converse } from '../support/replies.ts';

type Command = readonly (string | Buffer)[];

const PASSWORD = 'pässword';
const RUNS = 75;

/** Numbers as nobody should write them, and some right ones. */
const NUMBERS = [
  ...['0', '1', '2', '3', '15', '16', '-1', '-0', '+1', ' 1', '1 ', '01', '1.0', '', 'a', '0x1'],
  ...['2147483647', '2147483648', '-2147483648', '-2147483649', '9007199254740993'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809', '1e3'],
];
const number = fc.constantFrom(...NUMBERS);
const text = fc.oneof(
  fc.constantFrom(
    '',
    'name',
    'default',
    'DEFAULT',
    PASSWORD,
    'wrong',
    'a b',
    'tab\t',
    'ü',
    '!',
    '~',
    '\u007f',
    'a\0b',
    'a\r\nb',
  ),
  fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
);
const option = fc.constantFrom('AUTH', 'auth', 'SETNAME', 'SetName', 'FOO', '', 'TYPE', 'ID', 'SKIPME');
const optionOrText = fc.oneof(option, text, number);
const clientOption = fc.oneof(
  fc.constantFrom('ID', 'id', 'TYPE', 'ADDR', 'LADDR', 'USER', 'SKIPME', 'NOSUCH'),
  text,
);
const clientValue = fc.oneof(
  fc.constantFrom(
    'normal',
    'NORMAL',
    'slave',
    'replica',
    'Master',
    'pubsub',
    'nosuch',
    '1.2.3.4:5',
    'yes',
    'no',
    'maybe',
  ),
  number,
  text,
);

/** Which ids there are differs between the two servers. */
const nobodysId = fc.oneof(number, text).filter((id) => !/^[0-9]{1,6}$/.test(String(id)));

function command(...parts: (string | fc.Arbitrary<string | Buffer>)[]): fc.Arbitrary<Command> {
  return fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)));
}

function withTail(head: fc.Arbitrary<Command>, item: fc.Arbitrary<string | Buffer>, lengthMax: number) {
  return fc
    .tuple(head, fc.array(item, { maxLength: lengthMax }))
    .map(([first, tail]): Command => [...first, ...tail]);
}

/** Nobody is killed by these: every KILL has a condition that no client fulfils, or is refused. */
const kills = fc
  .array(fc.tuple(clientOption, clientValue), { minLength: 1, maxLength: 3 })
  .map((pairs): Command => ['CLIENT', 'KILL', ...pairs.flat(), 'ADDR', 'nowhere:1']);

const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  withTail(command('PING'), text, 2),
  withTail(command('ECHO'), text, 2),
  withTail(command('SELECT'), number, 2),
  withTail(command('SELECT'), text, 1),
  withTail(command('HELLO', number), optionOrText, 4),
  command('HELLO', fc.constantFrom('2', '3')),
  command('HELLO'),
  command('HELLO', fc.constantFrom('2', '3'), 'AUTH', text, text),
  command('HELLO', fc.constantFrom('2', '3'), 'AUTH', 'default', PASSWORD, 'SETNAME', text),
  command('HELLO', fc.constantFrom('2', '3'), 'SETNAME', text, 'AUTH', text, text),
  withTail(command('AUTH'), text, 3),
  command('AUTH', 'default', text),
  command('AUTH', PASSWORD),
  withTail(command('RESET'), text, 1),
  command('CLIENT', 'GETNAME'),
  withTail(command('CLIENT', 'SETNAME', text), text, 1),
  withTail(command('CLIENT', 'NO-EVICT'), fc.constantFrom('ON', 'off', 'maybe', ''), 2),
  command('CLIENT', 'REPLY', text),
  withTail(command('CLIENT', 'KILL'), text, 1),
  withTail(command('CLIENT', 'KILL', 'ADDR', 'nowhere:1'), clientOption, 1),
  kills,
  command('CLIENT', 'LIST', 'ID', nobodysId),
  command('CLIENT', 'LIST', 'TYPE', clientValue).filter(
    ([, , , type]) => String(type).toLowerCase() !== 'normal',
  ),
  withTail(command('CLIENT', 'LIST', fc.constantFrom('TYPE', 'NOSUCH', 'id')), nobodysId, 2),
  command('CLIENT', fc.constantFrom('ID', 'GETNAME', 'INFO', 'HELP', 'nosuch'), text),
);

describeWithRedis('connection commands against redis-server', () => {
  let open: RedisServer;
  let locked: RedisServer;
  beforeAll(async () => {
    [open, locked] = await Promise.all([startRedisServer(), startRedisServer(['--requirepass', PASSWORD])]);
  });
  afterAll(() => Promise.all([open.stop(), locked.stop()]));

  async function expectSame(redis: RedisServer, flags: string[], program: readonly Command[]): Promise<void> {
    const theirs = await converse(redis.port, program);
    const ours = await runAll(flags, program);
    expect(ours.map(withoutIds)).toEqual(theirs.map(withoutIds));
  }

  it('random programs are answered as by redis-server', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyCommand, { minLength: 1, maxLength: 12 }), (program) =>
        expectSame(open, [], program),
      ),
      { numRuns: RUNS },
    );
  });

  it('random programs are answered as by redis-server with a password', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyCommand, { minLength: 1, maxLength: 12 }), (program) =>
        expectSame(locked, ['--requirepass', PASSWORD], program),
      ),
      { numRuns: RUNS },
    );
  });

  it.each(NUMBERS)(
    'SELECT, HELLO, CLIENT LIST ID and CLIENT KILL ID take the number "%s" alike',
    async (text) => {
      const idCommands = Number(text) >= 1 && Number(text) <= 100 ? [] : [['CLIENT', 'LIST', 'ID', text]];
      const killCommand = ['CLIENT', 'KILL', 'ID', text, 'ADDR', 'nowhere:1'];
      await expectSame(open, [], [['SELECT', text], ['HELLO', text], ...idCommands, killCommand]);
    },
  );

  it('AUTH and HELLO change nothing when they are refused', async () => {
    const flags = ['--requirepass', PASSWORD];
    await expectSame(locked, flags, [
      ['PING'],
      ['HELLO', '3'],
      ['HELLO', '3', 'AUTH', 'default', 'wrong', 'SETNAME', 'x'],
      ['AUTH', PASSWORD],
      ['CLIENT', 'GETNAME'],
      ['HELLO', '3', 'SETNAME', 'a b'],
      ['CLIENT', 'GETNAME'],
      ['AUTH', 'wrong'],
      ['AUTH', 'nobody', PASSWORD],
      ['PING'],
      ['HELLO', '3', 'AUTH', 'default', PASSWORD, 'SETNAME', 'x', 'AUTH', 'default', 'wrong'],
      ['HELLO', '3', 'AUTH', 'default', 'wrong', 'SETNAME', 'x', 'AUTH', 'default', PASSWORD],
      ['CLIENT', 'GETNAME'],
      ['SELECT', '5'],
      ['RESET'],
      ['CLIENT', 'GETNAME'],
      ['QUIT'],
    ]);
  });

  it('RESET leaves the database, the name and RESP3, but not NO-EVICT', async () => {
    const program = [
      ['CLIENT', 'NO-EVICT', 'ON'],
      ['SELECT', '5'],
      ['HELLO', '3', 'SETNAME', 'x'],
      ['RESET'],
      ['CLIENT', 'INFO'],
      ['CLIENT', 'GETNAME'],
    ];
    const [ours, theirs] = [await runAll([], program), await converse(open.port, program)];
    const picked = ['name', 'flags', 'db', 'user', 'resp'];
    expect(fieldsOf(ours[4], picked)).toEqual(fieldsOf(theirs[4], picked));
    expect([ours[3], ours[5]]).toEqual([theirs[3], theirs[5]]);
  });

  it('CLIENT INFO and CLIENT LIST have the same fields in the same order, and then the two of the library', async () => {
    for (const protocol of ['2', '3']) {
      const program = [
        ['HELLO', protocol, 'SETNAME', 'x'],
        ['SELECT', '3'],
        ['CLIENT', 'INFO'],
        ['CLIENT', 'LIST'],
      ];
      const [ours, theirs] = [await runAll([], program), await converse(open.port, program)];
      const known = ['name', 'age', 'idle', 'flags', 'db', 'sub', 'psub', 'ssub', 'multi', 'multi-mem'];
      known.push('cmd', 'user', 'redir', 'resp', 'events');
      for (const index of [2, 3]) {
        expect(namesOf(ours[index])).toEqual([...namesOf(theirs[index]), 'lib-name', 'lib-ver']);
        expect(fieldsOf(ours[index], known)).toEqual(fieldsOf(theirs[index], known));
        const form = protocol === '3' ? /^=\d+\r\ntxt:(id=[^\n]*\n)+\r\n$/ : /^\$\d+\r\n(id=[^\n]*\n)+\r\n$/;
        expect(ours[index]).toMatch(form);
        expect(theirs[index]).toMatch(form);
      }
    }
  });

  it('CLIENT HELP tells of what there is, in lines of redis-server where it has them', async () => {
    const [theirs] = await converse(open.port, [['CLIENT', 'HELP']]);
    const [ours] = await runAll([], [['CLIENT', 'HELP']]);
    const newer = /SETINFO|LIB-|client meta attr|NO-TOUCH|Will not touch/;
    const shared = ours
      .split('\r\n')
      .slice(1)
      .filter((line) => !newer.test(line));
    const missing = theirs.split('\r\n').filter((line) => shared.includes(line));
    expect(shared.length).toBeGreaterThan(25);
    expect(missing.filter((line) => line !== '').toSorted()).toEqual(
      shared.filter((line) => line !== '').toSorted(),
    );
  });

  it('CLIENT KILL of oneself answers first and closes then', async () => {
    for (const kill of [
      ['CLIENT', 'KILL', 'SKIPME', 'no', 'TYPE', 'normal'],
      ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'],
    ]) {
      const theirs = await converse(open.port, [kill]);
      expect(await runAll([], [kill])).toEqual(theirs);
    }
  });
});

/** What the commands of one new client are answered, the answers that come later in their places. */
async function runAll(flags: string[], program: readonly Command[]): Promise<string[]> {
  const harness = createHarness({ shards: 1, flags });
  installClientTopics(harness.engine);
  const replies: string[] = [];
  for (const args of program) {
    const reply = harness.run(...args);
    while (reply === '' && harness.deferredReplies.length === 0) await Promise.resolve();
    replies.push(reply === '' ? (harness.deferredReplies.shift() ?? '') : reply);
  }
  return replies;
}

/** HELLO's and CLIENT ID's numbers are each server's own. */
function withoutIds(reply: string): string {
  return reply.replace(/(\$2\r\nid\r\n):\d+/, '$1:0').replace(/^id=.*$/gm, 'a client');
}

function namesOf(line: string): string[] {
  return [...line.matchAll(/([a-z-]+)=/g)].map(([, name]) => name);
}

function fieldsOf(line: string, names: string[]): string[] {
  return names.map((name) => ` ${line} `.match(new RegExp(`[ \n:]${name}=(\\S*)`))?.[1] ?? `no ${name}`);
}
