/**
 * Programs over all types from a seed: what the servers are set to before, and units of commands that stay together.
 */
import { createRandom, type Random } from '../seeded-random.ts';
import { SCORED, UNSCORED } from './commands.ts';
import { type Argument, type Command, drawCommand, type Grammar } from './grammar.ts';
import { type Draw, oneOf } from './words.ts';

/** Commands of which none makes sense alone: one, or a whole transaction. */
export type Unit = readonly Command[];

/** Names of directives and their values. */
export type Settings = readonly (readonly [string, string])[];

type Family = Grammar<Draw>;

export type Program = {
  readonly protocol: 2 | 3;
  /** Directives of both servers. */
  readonly settings: Settings;
  /** Whether no hash grows so large that its order is the server's own affair. */
  readonly isOrdered: boolean;
  readonly keys: readonly string[];
  readonly units: readonly Unit[];
};

/** What collections may hold before they are large: so few that every program has both, some, and the defaults. */
const THRESHOLDS = [
  { entries: 4, valueBytes: 8 },
  { entries: 4, valueBytes: 64 },
  { entries: 40, valueBytes: 24 },
  { entries: 512, valueBytes: 64 },
];
const ENTRIES_DIRECTIVES = [
  'hash-max-listpack-entries',
  'zset-max-listpack-entries',
  'set-max-intset-entries',
];
const VALUE_DIRECTIVES = ['hash-max-listpack-value', 'zset-max-listpack-value'];
/** From how many elements programs draw, and how many a bulk command has at most: from collisions to trees of two levels. */
const SIZES = [
  { universe: 12, bulk: 6 },
  { universe: 60, bulk: 40 },
  { universe: 400, bulk: 150 },
  { universe: 6000, bulk: 900 },
];
/** One program in so many has these: trees of three levels. */
const HUGE_SHARE = 12;
const HUGE = { universe: 50_000, bulk: 25_000 };
const HUGE_KEYS = 3;
const HUGE_UNITS_SHARE = 0.2;
const ORDERED = { universe: 100, bulk: 60, entries: 512, valueBytes: 64 };
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f{1}', 'g', ''];
const FEW = 3;
const TRANSACTION_COMMANDS_MAX = 6;
/** One command in so many is spoilt, a transaction, or empties what there is. */
const SPOILT_SHARE = 25;
const TRANSACTION_SHARE = 60;
const FLUSH_SHARE = 500;

/** Replies that the servers draw differently, or waits: not in transactions, and not spoilt. */
const NOT_IN_TRANSACTIONS = ['SPOP', 'SRANDMEMBER', 'HRANDFIELD', 'ZRANDMEMBER', 'RANDOMKEY', 'SELECT'];
const WAITING_PATTERN = /^B(?:L|R|Z)/;
/** With a cursor or a count of another sort the servers may answer otherwise. */
const SCANNING_PATTERN = /SCAN$/;
/** In programs with one score alone, these keep it. */
const SCORING_PATTERN = /^Z(?:ADD|INCRBY)$/;
/** No integers beyond 2^53: sets with those have another name here. No short times, and nothing that would take much memory. */
const GARBAGE = [
  '',
  'x',
  '0',
  '-1',
  'a',
  'nan',
  '99999999999999999999',
  '1e400',
  'WITHSCORES',
  'LIMIT',
  'COUNT',
];

/** Always the same of the same seed; so many units, fewer where they are huge. */
export function createProgram(seed: number, unitCount: number): Program {
  const random = createRandom(seed);
  const isOrdered = random(5) === 0;
  const isHuge = !isOrdered && random(HUGE_SHARE) === 0;
  const usual = isOrdered ? ORDERED : oneOf(random, SIZES);
  const size = isHuge ? HUGE : usual;
  const { entries, valueBytes } = isOrdered ? ORDERED : oneOf(random, THRESHOLDS);
  const draw: Draw = {
    random,
    few: FEW,
    bulk: size.bulk,
    universe: size.universe,
    keys: KEYS.slice(0, isHuge ? HUGE_KEYS : 3 + random(KEYS.length - 2)),
    hasLong: !isOrdered,
    hasScores: random(3) !== 0,
  };
  const protocol = random(2) === 0 ? 2 : 3;
  const families = drawFamilies(random, draw.hasScores ? SCORED : UNSCORED, isHuge);
  const length = isHuge ? Math.ceil(unitCount * HUGE_UNITS_SHARE) : unitCount;
  const units = Array.from({ length }, () => drawUnit(draw, families));
  return { protocol, settings: thresholdSettings(entries, valueBytes), isOrdered, keys: draw.keys, units };
}

/** What makes collections large with more elements, or longer ones. */
export function thresholdSettings(entries: number, valueBytes: number): Settings {
  return [
    ...ENTRIES_DIRECTIVES.map((name) => [name, `${entries}`] as const),
    ...VALUE_DIRECTIVES.map((name) => [name, `${valueBytes}`] as const),
  ];
}

/** All in half of the programs; else one or two have most of the commands, of huge ones one has all. */
function drawFamilies(random: Random, all: readonly Family[], isHuge: boolean): readonly Family[] {
  if (isHuge) return [oneOf(random, all)];
  if (random(2) === 0) return all;
  const [most, more] = [oneOf(random, all), oneOf(random, all)];
  return [...all, ...all.flatMap(() => [most, most, more])];
}

function drawUnit(draw: Draw, families: readonly Family[]): Unit {
  const { random } = draw;
  if (random(FLUSH_SHARE) === 0) return [[oneOf(random, ['FLUSHALL', 'FLUSHDB'])]];
  if (random(TRANSACTION_SHARE) !== 0) return [drawAny(draw, families)];
  const inside: Command[] = [];
  const length = 1 + random(TRANSACTION_COMMANDS_MAX);
  while (inside.length < length) {
    const command = drawAny(draw, families);
    if (!NOT_IN_TRANSACTIONS.includes(String(command[0]).toUpperCase())) inside.push(command);
  }
  return [['MULTI'], ...inside, [random(10) === 0 ? 'DISCARD' : 'EXEC']];
}

function drawAny(draw: Draw, families: readonly Family[]): Command {
  const command = drawCommand(oneOf(draw.random, families), draw);
  return draw.random(SPOILT_SHARE) === 0 && mayBeSpoilt(draw, String(command[0]))
    ? spoil(draw.random, command)
    : command;
}

function mayBeSpoilt({ hasScores }: Draw, name: string): boolean {
  if (WAITING_PATTERN.test(name) || SCANNING_PATTERN.test(name)) return false;
  return hasScores || !SCORING_PATTERN.test(name);
}

/** One argument less, one more, one that does not belong there, or the name written otherwise. */
function spoil(random: Random, command: Argument[]): Command {
  const at = 1 + random(command.length);
  const kind = random(4);
  if (kind === 0) command.splice(at, 1);
  else if (kind === 1) command.splice(at, 0, oneOf(random, GARBAGE));
  else if (kind === 2 && at < command.length) command[at] = oneOf(random, GARBAGE);
  else command[0] = String(command[0]).toLowerCase();
  return command;
}
