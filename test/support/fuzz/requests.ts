/**
 * Requests that nobody would send on purpose: commands of the tables with arguments that hurt, cut, bent, and mixed with bytes
 * of no protocol at all. Every one follows from the chance that is handed in.
 */
import { Buffer } from 'node:buffer';
import type { Command } from '../../../src/commands/call.ts';
import '../../../src/commands/families.ts';
import { allCommands } from '../../../src/commands/registry.ts';
import { requestBytes } from '../request-bytes.ts';
import type { Random } from '../seeded-random.ts';

/** What would end the run, lock everybody out, or stop all clients for as long as it is told. */
const LEFT_OUT = new Set([
  'shutdown',
  'debug',
  'config|set',
  'config|rewrite',
  'client|kill',
  'client|pause',
  'acl|setuser',
  'acl|deluser',
  'acl|load',
  'acl|save',
  'save',
]);

const KEYS = ['a', 'b', 'c', '{a}1', '{a}2', '', 'long'.repeat(200), '\0\xff\r\n', 'counter'];
const VALUES = [
  '',
  '0',
  '1',
  '-1',
  '10',
  'x',
  'hello',
  '3.5',
  '1e400',
  'nan',
  'inf',
  '-inf',
  '\r\n',
  'y'.repeat(5000),
];
const NUMBERS = [
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '18446744073709551616',
  '2147483648',
  '-2147483649',
  '9007199254740993',
  '0x10',
  ' 1',
  '1 ',
  '+1',
  '01',
  '4294967296',
  '1.0',
];
const WORDS =
  'EX PX EXAT PXAT NX XX GT LT GET KEEPTTL PERSIST MATCH COUNT TYPE LIMIT ASYNC SYNC ON OFF YES NO ID ADDR USER BCAST PREFIX LEN IDX MINMATCHLEN WITHMATCHLEN REPLACE DB REDIRECT OPTIN NOLOOP string list * a* [a-z]* ? all default everything'.split(
    ' ',
  );
const LENGTHS = [
  '-1',
  '0',
  '-2',
  '3',
  '536870913',
  '2147483648',
  '99999999999999999999',
  '',
  'x',
  '1e3',
  '4294967297',
];
const INLINE_LINES = [
  '',
  ' ',
  'PING',
  'GET a',
  'SET a "x y"',
  'SET a "\\x00\\xff"',
  'GET "unbalanced',
  "GET 'a'b",
  '\0\0\0',
  'x'.repeat(3000),
  'POSTER /',
];
const ARGUMENTS_MAX = 7;
const RAW_BYTES_MAX = 80;

const commands: readonly Command[] = allCommands().flatMap((command) => [
  command,
  ...(command.subcommands?.values() ?? []),
]);
const drawn = commands.filter(({ spec }) => !LEFT_OUT.has(spec.name));

/** Bytes to send on one connection: some requests, most of them whole. */
export function drawBytes(random: Random): Buffer {
  const pieces: Buffer[] = [];
  for (let count = 1 + random(6); count > 0; count -= 1) pieces.push(drawRequest(random));
  const bytes = Buffer.concat(pieces);
  return random(5) === 0 ? bend(random, bytes) : bytes;
}

function drawRequest(random: Random): Buffer {
  switch (random(20)) {
    case 0:
      return Buffer.from(`${pick(random, INLINE_LINES)}\r\n`, 'latin1');
    case 1:
      return Buffer.from(Array.from({ length: random(RAW_BYTES_MAX) }, () => random(256)));
    case 2:
      return lyingRequest(random);
    default:
      return requestBytes(...drawCommand(random));
  }
}

function drawCommand(random: Random): Buffer[] {
  const { spec, arity } = pick(random, drawn);
  const words = spec.name.split('|');
  const least = Math.abs(arity) - words.length;
  const count = random(8) === 0 ? random(ARGUMENTS_MAX) : least + (arity < 0 ? random(ARGUMENTS_MAX) : 0);
  const args = Array.from({ length: Math.max(0, count) }, () => drawArgument(random));
  return [...words, ...args].map((text) => Buffer.from(text, 'latin1'));
}

function drawArgument(random: Random): string {
  const kind = random(10);
  if (kind < 4) return pick(random, KEYS);
  if (kind < 6) return pick(random, WORDS);
  return pick(random, kind < 8 ? VALUES : NUMBERS);
}

/** An array or a bulk string whose announced length is not what follows. */
function lyingRequest(random: Random): Buffer {
  const length = pick(random, LENGTHS);
  const text =
    random(2) === 0
      ? `*${length}\r\n$3\r\nGET\r\n$1\r\na\r\n`
      : `*2\r\n$3\r\nGET\r\n$${length}\r\n${pick(random, VALUES)}\r\n`;
  return Buffer.from(text, 'latin1');
}

/** A byte changed, some taken out, some doubled, or the end cut off. */
function bend(random: Random, bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  const at = random(bytes.length);
  const end = Math.min(bytes.length, at + 1 + random(10));
  switch (random(4)) {
    case 0: {
      const changed = Buffer.from(bytes);
      changed[at] ^= 1 << random(8);
      return changed;
    }
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    default:
      return bytes.subarray(0, at);
  }
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random(items.length)];
}
