/**
 * COMMAND and its subcommands against redis-server, for the commands that this server has: the same bytes, but for the
 * order of subcommands and of all commands, which redis-server takes from its hash tables.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CommandSpec } from '../../src/commands/spec.ts';
import { ALL_COMMANDS } from '../../src/commands/tables/all.ts';
import { createHarness } from '../support/harness.ts';
import { OWN_COMMANDS } from '../support/own-commands.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { compareTrees, converse, replyTree, type Tree } from '../support/replies.ts';

const NAMES = ALL_COMMANDS.flatMap((spec) => [spec, ...(spec.subcommands ?? [])])
  .map(({ name }) => name)
  .filter((name) => !OWN_COMMANDS.has(name));
/** redis-server may drop what it has not sent when the other side has finished. */
const COMMANDS_AT_ONCE = 20;
const CONTAINERS = new Set(ALL_COMMANDS.filter(hasSubcommands).map(({ name }) => name));
const PLAIN_NAMES = NAMES.filter((name) => !CONTAINERS.has(name));

/** Lines of commands whose keys are not where the legacy positions say, right ones and wrong ones. */
const MOVABLE_KEYS = [
  ...[
    'lmpop 1 a left',
    'lmpop 2 a b left',
    'lmpop 3 a b',
    'lmpop 0 a left',
    'lmpop -1 a left',
    'lmpop x a left',
  ],
  ...['blmpop 0 2 a b left', 'blmpop 0 0 a left', 'bzmpop 0 1 a min', 'zmpop 2 a b min count 1'],
  ...[
    'sintercard 2 a b limit 1',
    'sintercard 9 a b',
    'zintercard 1 a',
    'zunion 2 a b weights 1 2',
    'zdiff 0 a',
  ],
  ...[
    'zunionstore d 2 a b',
    'zunionstore d 3 a b',
    'zinterstore d 0 a',
    'zdiffstore d x a',
    'zdiffstore d 1 d',
  ],
  ...[
    'sort a',
    'sort a store b',
    'sort a by w_* get x store b Store c',
    'sort a limit store b',
    'sort a store',
  ],
  ...['sort a limit 1 2 store b', 'sort a by store get x', 'sort_ro a by b', 'sort_ro a store b'],
];

const PROTOCOLS = ['2', '3'] as const;

function hasSubcommands(spec: CommandSpec): boolean {
  return spec.subcommands !== undefined;
}

describeWithRedis('COMMAND against redis-server', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedisServer();
  });
  afterAll(() => redis.stop());

  /** What both say to the same commands, after HELLO. */
  async function bothSay(
    protocol: string,
    commands: string[][],
  ): Promise<{ ours: string[]; theirs: string[] }> {
    const harness = createHarness();
    harness.run('HELLO', protocol);
    const theirs: string[] = [];
    for (let at = 0; at < commands.length; at += COMMANDS_AT_ONCE) {
      const some = commands.slice(at, at + COMMANDS_AT_ONCE);
      theirs.push(...(await converse(redis.port, [['HELLO', protocol], ...some])).slice(1));
    }
    return { ours: commands.map((command) => harness.run(...command)), theirs };
  }

  it.each(PROTOCOLS)(
    'COMMAND INFO and DOCS of every plain command are the same bytes in RESP%s',
    async (protocol) => {
      const commands = PLAIN_NAMES.flatMap((name) => [
        ['COMMAND', 'INFO', name],
        ['COMMAND', 'DOCS', name.toUpperCase()],
      ]);
      const { ours, theirs } = await bothSay(protocol, commands);
      expect(ours.length).toBeGreaterThan(150);
      for (const [index, reply] of ours.entries())
        expect([commands[index], reply]).toEqual([commands[index], theirs[index]]);
    },
  );

  it.each([...CONTAINERS])(
    'COMMAND INFO of %s differs in nothing but the subcommands that there are',
    async (name) => {
      for (const protocol of PROTOCOLS) {
        const { ours, theirs } = await bothSay(protocol, [['COMMAND', 'INFO', name]]);
        expect(sharedSubcommands(replyTree(ours[0]), -1)).toEqual(
          sharedSubcommands(replyTree(theirs[0]), -1),
        );
      }
    },
  );

  it.each([...CONTAINERS])(
    'COMMAND DOCS of %s differs in nothing but the subcommands that there are',
    async (name) => {
      const { ours, theirs } = await bothSay('3', [['COMMAND', 'DOCS', name]]);
      expect(sharedDocs(replyTree(ours[0]))).toEqual(sharedDocs(replyTree(theirs[0])));
    },
  );

  it('bare COMMAND, COMMAND INFO and COMMAND DOCS tell of all commands, one after the other', () => {
    const harness = createHarness();
    for (const protocol of PROTOCOLS) {
      harness.run('HELLO', protocol);
      const single = ALL_COMMANDS.map(({ name }) =>
        harness.run('COMMAND', 'INFO', name).slice('*1\r\n'.length),
      );
      expect(harness.run('COMMAND')).toBe(`*${ALL_COMMANDS.length}\r\n${single.join('')}`);
      expect(harness.run('COMMAND', 'INFO')).toBe(harness.run('COMMAND'));
      const names = ALL_COMMANDS.map(({ name }) => name);
      expect(harness.run('COMMAND', 'DOCS')).toBe(harness.run('COMMAND', 'DOCS', ...names));
      expect(harness.run('COMMAND', 'COUNT')).toBe(`:${ALL_COMMANDS.length}\r\n`);
    }
  });

  it.each(PROTOCOLS)('names that are no commands are answered the same in RESP%s', async (protocol) => {
    const commands = [
      [
        'COMMAND',
        'INFO',
        'nosuch',
        'get',
        'get|',
        '|',
        'config|nosuch',
        'config|get|x',
        '',
        'GET',
        'object|help',
      ],
      ['COMMAND', 'DOCS', 'nosuch', 'get', 'GET', 'config|nosuch', 'Object|Help', ''],
      ['COMMAND', 'nosuch'],
      ['COMMAND', 'COUNT', 'x'],
      ['COMMAND', 'HELP'],
      ['command', 'help'],
      ['COMMAND', 'HELP', 'x'],
    ];
    const { ours, theirs } = await bothSay(protocol, commands);
    expect(ours).toEqual(theirs);
  });

  it('COMMAND LIST names what redis-server names, with every filter', async () => {
    const filters = [
      ...['write', 'WRITE', 'fast', 'Keyspace', 'dangerous', 'connection', 'nosuch', '@write', ''].map(
        (name) => ['ACLCAT', name],
      ),
      ...['get*', 'GET*', '*|get', 'config|*', 'nosuch', '', '*', '[gs]et', '?????'].map((glob) => [
        'PATTERN',
        glob,
      ]),
      ['module', 'any'],
    ];
    const commands = [
      ['COMMAND', 'LIST'],
      ...filters.map((filter) => ['COMMAND', 'LIST', 'FILTERBY', ...filter]),
    ];
    const { ours, theirs } = await bothSay('2', commands);
    for (const [index, reply] of ours.entries()) {
      expect([commands[index], sharedNames(reply)]).toEqual([commands[index], sharedNames(theirs[index])]);
    }
    expect(sharedNames(ours[0])).toHaveLength(NAMES.length);
    expect(sharedNames(ours[1]).length).toBeGreaterThan(10);
  });

  it('COMMAND LIST refuses what redis-server refuses', async () => {
    const { ours, theirs } = await bothSay('2', [
      ['COMMAND', 'LIST', 'FILTERBY'],
      ['COMMAND', 'LIST', 'FILTERBY', 'PATTERN'],
      ['COMMAND', 'LIST', 'FILTERBY', 'NOSUCH', 'x'],
      ['COMMAND', 'LIST', 'NOSUCH', 'PATTERN', 'x'],
      ['COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'x', 'y'],
      ['COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'x', 'FILTERBY', 'PATTERN', 'y'],
    ]);
    expect(ours).toEqual(theirs);
  });

  it.each(PROTOCOLS)('COMMAND GETKEYS and GETKEYSANDFLAGS find the same keys in RESP%s', async (protocol) => {
    const inner = [
      ...NAMES.flatMap((name) =>
        [0, 1, 2, 3, 4, 5].map((count) => [...name.split('|'), ...'abcde'.slice(0, count)]),
      ),
      ['set', 'a', 'b', 'get'],
      ['SET', 'a', 'b', 'EX', '5', 'Get'],
      ['set', 'a', 'get', 'nx'],
      ['config|get', 'x'],
      ['nosuch', 'x'],
      ['object', 'nosuch', 'x'],
      ['lcs', '', ''],
      ...MOVABLE_KEYS.map((line) => line.split(' ')).filter(([name]) => NAMES.includes(name)),
    ];
    const commands = inner.flatMap((command) => [
      ['COMMAND', 'GETKEYS', ...command],
      ['COMMAND', 'GETKEYSANDFLAGS', ...command],
    ]);
    const { ours, theirs } = await bothSay(protocol, commands);
    for (const [index, reply] of ours.entries())
      expect([commands[index], reply]).toEqual([commands[index], theirs[index]]);
  });
});

/** A COMMAND INFO reply with the subcommands, its last element, that both servers have, in one order. */
function sharedSubcommands(reply: Tree, at: number): Tree {
  const [details] = itemsOf(reply);
  const fields = itemsOf(details);
  const shared = itemsOf(fields.at(at) ?? '').filter((sub) => isShared(itemsOf(sub)[0]));
  return { kind: 'details', items: [...fields.slice(0, at), ...shared.toSorted(compareTrees)] };
}

/** A COMMAND DOCS reply in RESP3 with the documentation of the subcommands that both servers have. */
function sharedDocs(tree: Tree): Tree {
  if (typeof tree === 'string') return tree;
  const items = tree.items.filter((item) => {
    const [name] = itemsOf(item);
    return !String(name).includes('|') || isShared(name);
  });
  return { kind: tree.kind, items: items.map(sharedDocs) };
}

function itemsOf(tree: Tree): readonly Tree[] {
  return typeof tree === 'string' ? [] : tree.items;
}

/** Whether a bulk string is the name of a command that both servers have. */
function isShared(bulk: Tree): boolean {
  return NAMES.includes(String(bulk).split('\r\n')[1]);
}

function sharedNames(reply: string): Tree[] {
  return itemsOf(replyTree(reply)).filter(isShared).toSorted(compareTrees);
}
