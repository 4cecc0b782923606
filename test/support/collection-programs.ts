/**
 * Programs of commands on collections, run by this server's dispatcher and by redis-server, and compared reply by reply.
 *
 * What has no order (the members of a set, the fields of a large hash) is compared sorted; what is drawn at random by its shape. What
 * SPOP has taken here is taken there by SREM, so that both go on with the same sets.
 */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { expect } from 'vitest';
import { applyCollectionThresholds, thresholds } from '../../src/collections/thresholds.ts';
import { createHarness, type Harness } from './harness.ts';
import { withSmallBounds } from './operations.ts';
import { askRedis } from './redis-replies.ts';
import { compareTrees, replyTree, type Tree } from './replies.ts';

export type Command = (string | Buffer)[];

export type ProgramOptions = {
  readonly protocol?: 2 | 3;
  /** So that a few elements make a collection large, and trees of several levels. */
  readonly isSmall?: boolean;
  /** Whether the order of small hashes counts. */
  readonly isOrdered?: boolean;
};

/** What was sent here, its reply, and what to send there. */
type Step = { readonly ours: Command; readonly reply: string; readonly theirs: Command };

const SMALL: Readonly<Record<string, string>> = {
  'hash-max-listpack-entries': '5',
  'hash-max-listpack-value': '12',
  'set-max-intset-entries': '6',
  'zset-max-listpack-entries': '5',
  'zset-max-listpack-value': '12',
};
const USUAL: Readonly<Record<string, string>> = {
  'hash-max-listpack-entries': '512',
  'hash-max-listpack-value': '64',
  'set-max-intset-entries': '512',
  'zset-max-listpack-entries': '128',
  'zset-max-listpack-value': '64',
};

/** Replies without an order, and how many of their items belong together. */
const UNORDERED: Readonly<Record<string, number>> = {
  SMEMBERS: 1,
  SINTER: 1,
  SUNION: 1,
  SDIFF: 1,
  SSCAN: 1,
  HKEYS: 1,
  HVALS: 1,
  HGETALL: 2,
  HSCAN: 2,
  ZSCAN: 2,
};
const EDGES = [
  '',
  '0',
  '-0',
  '007',
  '1.5',
  '3.0e3',
  ' 5',
  '4095',
  '4096',
  '-4096',
  '-4097',
  '32767',
  '32768',
  '-32769',
  '8388607',
  '8388608',
  '2147483648',
  '9007199254740991',
  '9007199254740992',
  '-9007199254740992',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
];

const NUMBER_EDGES = [
  '9007199254740992',
  '-9007199254740993',
  '9223372036854775807',
  '-9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '2147483648',
  '-2147483649',
  '1.5',
  '',
  'x',
  '01',
  '+1',
];

const DRAWN = ['SRANDMEMBER', 'HRANDFIELD', 'ZRANDMEMBER'];

/** Runs the commands on an empty server of each kind, and compares in the end what all keys hold. */
export async function expectSameReplies(
  port: number,
  commands: readonly Command[],
  keys: readonly string[],
  { protocol = 2, isSmall = false, isOrdered = false }: ProgramOptions = {},
): Promise<void> {
  const settings = Object.entries(isSmall ? SMALL : USUAL);
  const all = [...commands, ...keys.flatMap(looksAt)];
  const run = () => runHere(all, settings, protocol);
  const steps = isSmall ? withSmallBounds(run) : run();
  const before: Command[] = [
    ['FLUSHALL'],
    ...settings.map(([name, value]) => ['CONFIG', 'SET', name, value]),
    ['HELLO', String(protocol)],
  ];
  const replies = await askRedis(port, [...before, ...steps.map(({ theirs }) => theirs)]);
  for (const [index, step] of steps.entries()) {
    const theirs = replies[before.length + index];
    if (step.reply === theirs) continue;
    expect({ index, command: step.ours.map(String), reply: comparable(step, step.reply, isOrdered) }).toEqual(
      {
        index,
        command: step.ours.map(String),
        reply: comparable(step, theirs, isOrdered),
      },
    );
  }
}

function runHere(
  commands: readonly Command[],
  settings: readonly (readonly [string, string])[],
  protocol: 2 | 3,
): Step[] {
  const flags = settings.flatMap(([name, value]) => [`--${name}`, value]);
  const harness = createHarness({ flags });
  harness.session.protocol = protocol;
  const before = { ...thresholds };
  applyCollectionThresholds(harness.engine.config);
  try {
    const steps = commands.map((ours) => stepOf(harness, ours));
    harness.expectWhole();
    return steps;
  } finally {
    Object.assign(thresholds, before);
  }
}

function stepOf(harness: Harness, ours: Command): Step {
  const reply = harness.run(...ours);
  const members = String(ours[0]).toUpperCase() === 'SPOP' ? poppedOf(reply) : [];
  if (members.length === 0) return { ours, reply, theirs: ours };
  return { ours, reply: `:${members.length}\r\n`, theirs: ['SREM', ours[1], ...members] };
}

function poppedOf(reply: string): Buffer[] {
  const tree = replyTree(reply);
  const items = typeof tree === 'string' ? [tree] : tree.items;
  return items.flatMap((item) =>
    typeof item === 'string' && item.startsWith('$') && !item.startsWith('$-1') ? [bulkContent(item)] : [],
  );
}

function bulkContent(bulk: string): Buffer {
  return Buffer.from(bulk.slice(bulk.indexOf('\r\n') + 2, -2), 'latin1');
}

/** Everything of a key that a client can see, in an order that both keep. */
function looksAt(key: string): Command[] {
  return [
    ['TYPE', key],
    ['OBJECT', 'ENCODING', key],
    ['PEXPIRETIME', key],
    ['GET', key],
    ['LRANGE', key, '0', '-1'],
    ['SMEMBERS', key],
    ['HGETALL', key],
    ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
    ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
  ];
}

function comparable({ ours, theirs }: Step, reply: string, isOrdered: boolean): Tree {
  const tree = replyTree(reply);
  const name = String(ours[0]).toUpperCase();
  if (theirs !== ours || typeof tree === 'string') return DRAWN.includes(name) ? shapeOf(tree) : tree;
  if (DRAWN.includes(name)) return shapeOf(tree);
  const together = UNORDERED[name];
  if (together === undefined || (isOrdered && name.startsWith('H'))) return tree;
  if (!name.endsWith('SCAN')) return sorted(tree, together);
  return { kind: tree.kind, items: tree.items.map((item) => sorted(item, together)) };
}

function sorted(tree: Tree, together: number): Tree {
  if (typeof tree === 'string' || (together === 2 && tree.kind === '%')) return tree;
  const items: Tree[] = [];
  for (let at = 0; at < tree.items.length; at += together) {
    items.push({ kind: 'together', items: tree.items.slice(at, at + together) });
  }
  return { kind: tree.kind, items: items.sort(compareTrees) };
}

/** Texts are what was drawn; errors and nulls stay. */
function shapeOf(tree: Tree): Tree {
  if (typeof tree === 'string') return /^(?:,|\$(?!-1))/.test(tree) ? tree[0] : tree;
  return { kind: tree.kind, items: tree.items.map(shapeOf) };
}

/** A command of fixed and drawn words. */
export function commandOf(
  name: string,
  ...parts: fc.Arbitrary<string | Buffer | readonly (string | Buffer)[]>[]
): fc.Arbitrary<Command> {
  return fc.tuple(...parts).map((values) => [name, ...values.flat()]);
}

/** Elements of all encodings, of which many are equal. */
export const element: fc.Arbitrary<string | Buffer> = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 25 }).map((n) => `m${n}`) },
  { weight: 8, arbitrary: fc.integer({ min: -20, max: 20 }).map(String) },
  { weight: 2, arbitrary: fc.integer({ min: -(2 ** 31), max: 2 ** 31 }).map(String) },
  { weight: 2, arbitrary: fc.constantFrom(...EDGES) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 5 }).map((n) => `${n}`.repeat(13)) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }).map((n) => `long${n}`.repeat(20)) },
);

export const elements = (most: number) => fc.array(element, { minLength: 1, maxLength: most });

/** Texts whose lengths are around what their encodings and the pages of trees have bounds at. */
export const longTexts: readonly string[] = [
  ...[
    62, 63, 64, 65, 123, 124, 125, 126, 127, 128, 511, 1023, 1024, 2047, 2048, 4093, 4094, 4095, 4096, 4097,
  ],
  ...[8192, 16_376, 16_377, 16_378, 16_379, 16_380, 16_381, 16_382, 16_383, 16_384, 65_535, 65_536],
].map((length, index) => String.fromCharCode(97 + (index % 26)).repeat(length));

/** A number as an argument: mostly a small one, sometimes one at an edge or none at all. */
export const number: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: -12, max: 12 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom(...NUMBER_EDGES) },
);
