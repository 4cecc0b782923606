/**
 * What the commands of differential programs are made of: few keys, so that types meet, elements of all encodings, of which many are
 * equal, and numbers that are sometimes at an edge or none at all.
 */
import type { Random } from '../seeded-random.ts';
import type { Argument, Source, Words } from './grammar.ts';

/** How a program draws. */
export type Draw = Source & {
  readonly keys: readonly string[];
  /** Elements are drawn from so many. */
  readonly universe: number;
  /** Whether some elements are longer than the thresholds let small collections have. */
  readonly hasLong: boolean;
  /** Whether sorted sets have other scores than 0. */
  readonly hasScores: boolean;
};

const INTEGER_EDGES = [
  '9007199254740992',
  '-9007199254740993',
  '9223372036854775807',
  '-9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '2147483648',
  '-2147483649',
];
const NO_INTEGERS = ['1.5', '', 'x', '01', '+1', ' 1', '-0', '1e2'];
const INTEGER_TEXTS = [
  '-0',
  '007',
  ' 5',
  '4095',
  '4096',
  '-4096',
  '-4097',
  '32767',
  '32768',
  '-32769',
  '8388608',
  '2147483648',
];
const BIG_TEXTS = [
  '9007199254740991',
  '9007199254740992',
  '9223372036854775807',
  '-9223372036854775808',
  '1.5',
  '3.0e3',
];
const SCORES = [
  'inf',
  '-inf',
  '+inf',
  '0',
  '-0',
  '1.5',
  '-2.25',
  '1e3',
  '3.14159265358979',
  '1e300',
  '-1e-300',
];
const NO_SCORES = ['nan', '', 'x', '1.5x', '(1', ' 1', '0x10'];
const PATTERNS = ['*', 'm*', '?', '[0-9]*', 'm1?', 'nothing', '', '[^m]*', '\\m1', '*1*'];
const BITS = 20_000;
const FAR_SECONDS = 1_900_000_000;
/** Up to here deadlines are the same in both: 2^48 ms is the last that this server keeps. */
const FAR_SPAN_SECONDS = 100_000;

export const words: Words<Draw> = {
  key: drawKey,
  field: drawElement,
  value: drawElement,
  elem: drawElement,
  member: drawMember,
  int: ({ random }) => drawInteger(random, 12),
  delta: ({ random }) => drawInteger(random, 1000),
  rank: drawRank,
  count: ({ random, universe }) =>
    random(30) === 0 ? oneOf(random, NO_INTEGERS) : `${random(random(4) === 0 ? universe : 6)}`,
  signed: ({ random, universe }) =>
    random(30) === 0 ? oneOf(random, NO_INTEGERS) : `${random(random(8) === 0 ? universe : 9) - 4}`,
  score: ({ random, hasScores }) => (hasScores ? drawScore(random) : '0'),
  bound: ({ random }) => (random(3) === 0 ? `(${drawScore(random)}` : drawScore(random)),
  lexbound: drawLexBound,
  pattern: ({ random }) => oneOf(random, PATTERNS),
  weight_pattern: ({ random }) => oneOf(random, ['nosort', '*', '*-weight', 'c*->m1']),
  got_pattern: ({ random }) => oneOf(random, ['#', '*', 'a*', 'c->*']),
  type: ({ random }) => oneOf(random, ['string', 'list', 'set', 'zset', 'hash', 'none']),
  bit: ({ random }) => (random(40) === 0 ? '2' : `${random(2)}`),
  bitoffset: ({ random }) =>
    random(40) === 0
      ? oneOf(random, ['-1', 'x', '4294967296', ''])
      : `${random(random(2) === 0 ? 100 : BITS)}`,
  offset: ({ random }) =>
    random(40) === 0
      ? oneOf(random, ['-1', 'x', '536870912', ''])
      : `${random(random(2) === 0 ? 10 : BITS / 8)}`,
  field_type: ({ random }) => `${oneOf(random, ['u', 'i'])}${random(40) === 0 ? 65 : 1 + random(63)}`,
  field_place: ({ random }) => `${random(2) === 0 ? '#' : ''}${random(300)}`,
  /** Seconds, milliseconds, and moments in both, that end long after the program; some before it. */
  seconds: ({ random }) => drawDuration(random, 1),
  millis: ({ random }) => drawDuration(random, 1000),
  at: ({ random }) => drawMoment(random, 1),
  atms: ({ random }) => drawMoment(random, 1000),
  any_at: ({ random }) => (random(10) === 0 ? '1' : drawMoment(random, 1)),
  any_atms: ({ random }) => (random(10) === 0 ? '1' : drawMoment(random, 1000)),
  float: ({ random }) => (random(20) === 0 ? oneOf(random, NO_SCORES) : `${(random(2000) - 1000) / 8}`),
  counted: (draw) => {
    const keys = Array.from({ length: 1 + draw.random(3) }, () => drawKey(draw));
    const count = draw.random(30) === 0 ? drawInteger(draw.random, 4) : `${keys.length}`;
    return [count, ...keys];
  },
};

export function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[random(values.length)];
}

function drawKey({ random, keys }: Draw): string {
  return oneOf(random, keys);
}

/** The contents of lists, hashes and strings, and the members of sorted sets. */
function drawElement(draw: Draw): Argument {
  const { random } = draw;
  return random(25) === 0 ? oneOf(random, BIG_TEXTS) : drawMember(draw);
}

/** Sets call those with integers beyond 2^53 by another name than redis-server: no such ones. */
function drawMember({ random, universe, hasLong }: Draw): Argument {
  const kind = random(40);
  const number = random(universe);
  if (kind < 18) return `${number - (universe >> 2)}`;
  if (kind < 34) return `m${number}`;
  if (kind < 36) return oneOf(random, INTEGER_TEXTS);
  if (kind === 36) return `${random(2 ** 32) - 2 ** 31}`;
  if (kind === 37) return Buffer.from([1 + random(255), 1 + random(255), 1 + random(4)].slice(random(4)));
  if (kind === 38) return `middle${number}`;
  return hasLong ? `long${number % 8}.`.repeat(1 + random(40)) : '';
}

function drawInteger(random: Random, span: number): string {
  const kind = random(30);
  if (kind === 0) return oneOf(random, INTEGER_EDGES);
  if (kind === 1) return oneOf(random, NO_INTEGERS);
  return `${random(2 * span) - span}`;
}

/** Places near both ends, and anywhere. */
function drawRank({ random, universe }: Draw): string {
  return random(3) === 0 ? drawInteger(random, universe) : drawInteger(random, 6);
}

function drawScore(random: Random): string {
  const kind = random(20);
  if (kind === 0) return oneOf(random, NO_SCORES);
  if (kind < 4) return oneOf(random, SCORES);
  return kind < 15 ? `${random(20) - 10}` : `${(random(4000) - 2000) / 16}`;
}

function drawLexBound(draw: Draw): Argument {
  const { random } = draw;
  const kind = random(20);
  if (kind < 3) return '-';
  if (kind < 6) return '+';
  if (kind === 6) return 'm';
  return Buffer.concat([Buffer.from(oneOf(random, ['[', '('])), Buffer.from(drawElement(draw))]);
}

function drawDuration(random: Random, unit: number): string {
  if (random(12) === 0) return oneOf(random, NO_INTEGERS);
  if (random(12) === 0) return `${-random(3)}`;
  return `${(1000 + random(FAR_SPAN_SECONDS)) * unit}`;
}

function drawMoment(random: Random, unit: number): string {
  return `${(FAR_SECONDS + random(FAR_SPAN_SECONDS)) * unit}`;
}
