/**
 * Which command a connection sends next: chosen by seeded chance from what its session holds.
 */
import { Buffer } from 'node:buffer';
import type { Chance } from './chance.ts';
import { COLLECTION_KINDS, type CollectionKind, type Deed, wideSpan } from './collection-model.ts';
import type { Session } from './history.ts';
import { keysOf, type Life, likeliestValue, type Operation } from './keyspace-model.ts';

/** What a session likes to do. */
export type Habit = 'mixed' | 'large' | 'brief' | 'flushing' | 'swapping' | 'collecting' | 'wide';

/** The keys of a session, by what is done to them. */
export type Keys = {
  /** Any command; their deadlines are far away. */
  readonly texts: readonly string[];
  /** INCR and INCRBY. */
  readonly counters: readonly string[];
  /** Deadlines that pass while the harness runs: commands over one key only. */
  readonly briefs: readonly string[];
  /** Values up to 1 MiB. */
  readonly larges: readonly string[];
  /** Collections, two of each kind, and one of each kind with many elements. */
  readonly collections: Readonly<Record<CollectionKind, readonly string[]>>;
  readonly wides: Readonly<Record<CollectionKind, string>>;
};

type Maker = (session: Session, keys: Keys, chance: Chance) => Operation;

const TEXTS = 24;
const COUNTERS = 6;
const BRIEFS = 10;
const LARGES = 4;
const KEY_BYTES_MAX = 40;
const LARGE_BYTES_MAX = 2 ** 20;
const TEXT_GROWN_BYTES_MAX = 2 ** 16;
const FAMILY_MAX = 8;
const FAR_MS = 86_400_000;
const BRIEF_MS_MAX = 600;
const INCREMENT_MAX = 1000;
/** Sizes of values: up to this many bytes, so often. */
const SIZES: readonly { readonly bytesMax: number; readonly weight: number }[] = [
  { bytesMax: 16, weight: 30 },
  { bytesMax: 64, weight: 30 },
  { bytesMax: 1024, weight: 30 },
  { bytesMax: 16 * 1024, weight: 9 },
  { bytesMax: 64 * 1024, weight: 1 },
];

const TEXT_MAKERS: readonly (readonly [number, Maker])[] = [
  [20, (_, keys, chance) => setOf(chance.pick(keys.texts), sized(chance), lastingLife(chance))],
  [10, append],
  [6, setRange],
  [14, count],
  [6, (_, keys, chance) => ({ name: 'DEL', key: chance.pick(keys.texts) })],
  [4, (_, keys, chance) => ({ name: 'DELMANY', keys: family(keys, chance) })],
  [6, (_, keys, chance) => ({ name: 'GETDEL', key: chance.pick(keys.texts) })],
  [5, (_, keys, chance) => ({ name: 'PEXPIRE', key: chance.pick(keys.texts), count: farMs(chance) })],
  [5, (_, keys, chance) => ({ name: 'PERSIST', key: chance.pick(keys.texts) })],
  [8, (_, keys, chance) => many('MSET', keys, chance)],
  [4, (_, keys, chance) => many('MSETNX', keys, chance)],
  [7, rename],
  [6, (_, keys, chance) => ({ name: 'COPY', ...twoTexts(keys, chance) })],
];
/** Besides 'put'. */
const COLLECTION_DEEDS: Readonly<Record<CollectionKind, readonly Deed['deed'][]>> = {
  list: ['head', 'take', 'pop', 'drop', 'cut', 'last', 'insert'],
  set: ['take'],
  hash: ['take', 'add'],
  zset: ['take', 'cut', 'add'],
};
const ITEMS_MAX = 12;
const ITEM_NAMES = 120;
const COLLECTION_CUT_MAX = 80;
const WIDE_ELEMENTS = 20_000;
const WIDE_STEP_MAX = 40;
const WIDE_LEAP_MAX = 2000;

const TEXT_WEIGHT = TEXT_MAKERS.reduce((sum, [weight]) => sum + weight, 0);
const SIZE_WEIGHT = SIZES.reduce((sum, { weight }) => sum + weight, 0);

/** Keys of random bytes, the same in every round. */
export function chooseKeys(prefix: string, chance: Chance): Keys {
  const names = new Set<string>();
  const take = (count: number) =>
    Array.from({ length: count }, () => {
      for (;;) {
        const name = `${prefix}${chance.bytes(1 + chance.below(KEY_BYTES_MAX)).toString('latin1')}`;
        if (names.has(name)) continue;
        names.add(name);
        return name;
      }
    });
  const [texts, counters, briefs, larges] = [TEXTS, COUNTERS, BRIEFS, LARGES].map(take);
  const [lists, sets, hashes, zsets, wides] = Array.from({ length: 5 }, () => take(COLLECTION_KINDS.length));
  const collections = { list: lists, set: sets, hash: hashes, zset: zsets };
  const [list, set, hash, zset] = wides;
  return { texts, counters, briefs, larges, collections, wides: { list, set, hash, zset } };
}

export function chooseOperation(session: Session, keys: Keys, habit: Habit, chance: Chance): Operation {
  if (habit === 'brief' && chance.happens(0.8)) return brief(keys, chance);
  if (habit === 'large' && chance.happens(0.5)) return large(session, keys, chance);
  if (habit === 'flushing' && chance.happens(0.03)) return { name: 'FLUSHDB' };
  if (habit === 'wide' && chance.happens(0.8)) return wide(session, keys, chance);
  if (habit === 'collecting' && chance.happens(0.9)) return collection(session, keys, chance);
  if (habit === 'swapping' && chance.happens(0.04)) return swap(session, chance);
  return text(session, keys, chance);
}

function text(session: Session, keys: Keys, chance: Chance): Operation {
  let left = chance.below(TEXT_WEIGHT);
  for (const [weight, make] of TEXT_MAKERS) {
    left -= weight;
    if (left < 0) return make(session, keys, chance);
  }
  return count(session, keys, chance);
}

function swap(session: Session, chance: Chance): Operation {
  const [database, other] = session.databases;
  if (chance.happens(0.4)) return { name: 'SELECT', database: chance.pick(session.databases) };
  return { name: 'SWAPDB', database, other };
}

function collection(session: Session, keys: Keys, chance: Chance): Operation {
  const kind = chance.pick(COLLECTION_KINDS);
  const own = keys.collections[kind];
  const choice = chance.below(100);
  if (choice < 2) return { name: 'DEL', key: chance.pick(own) };
  if (choice < 4) return { name: 'PEXPIRE', key: chance.pick(own), count: farMs(chance) };
  if (choice < 5) return { name: 'PERSIST', key: chance.pick(own) };
  const [key, target] = chance.happens(0.5) ? [own[0], own[1]] : [own[2], own[3]];
  if (choice < 7) return { name: 'COPY', key, target };
  const held = keysOf(session.acknowledged, session.acknowledged.selected);
  if (choice < 9 && held.has(key) && session.outstanding.length === 0) return { name: 'RENAME', key, target };
  return collectionDeed(kind, chance.pick(own), chance);
}

/** Mostly more is put than taken, until it is cut. */
function collectionDeed(kind: CollectionKind, key: string, chance: Chance): Deed {
  const deeds = COLLECTION_DEEDS[kind];
  const deed = chance.happens(0.5) ? 'put' : chance.pick(deeds);
  const count = chance.below(deed === 'cut' ? COLLECTION_CUT_MAX : INCREMENT_MAX) + 1;
  const isMany = deed === 'put' || deed === 'head' || (deed === 'take' && kind !== 'list');
  const names = Array.from({ length: isMany ? 1 + chance.below(ITEMS_MAX) : 2 }, () => itemName(chance));
  const isNumber = deed === 'add' && kind === 'hash';
  const items =
    deed === 'put' && (kind === 'hash' || kind === 'zset')
      ? names.flatMap((name) => [name, kind === 'zset' ? `${chance.below(50)}` : itemText(chance)])
      : isNumber
        ? [`number ${chance.below(3)}`]
        : names;
  return { name: 'COLLECT', key, kind, deed, items, count };
}

function itemName(chance: Chance): string {
  return chance.happens(0.3) ? `${chance.below(ITEM_NAMES)}` : `name ${chance.below(ITEM_NAMES)}`;
}

function itemText(chance: Chance): string {
  return chance.bytes(chance.happens(0.02) ? 3000 : chance.below(40)).toString('latin1');
}

/** What is outstanding counts as done: it happens in order or not at all. */
function wide(session: Session, keys: Keys, chance: Chance): Operation {
  const kind = chance.pick(COLLECTION_KINDS);
  const key = keys.wides[kind];
  let { from, to } = wideSpan(likeliestValue(session.acknowledged, key)?.bytes);
  for (const { operation } of session.outstanding) {
    if (!('key' in operation) || operation.key !== key) continue;
    if (operation.name === 'WIDEN') to += operation.count;
    if (operation.name === 'NARROW') from += operation.count;
  }
  const isWide = to - from > WIDE_ELEMENTS;
  const count = 1 + chance.below(isWide ? WIDE_STEP_MAX : WIDE_LEAP_MAX);
  if (isWide && chance.happens(0.5)) return { name: 'NARROW', key, kind, from, count };
  return { name: 'WIDEN', key, kind, from: to, count };
}

/** RENAME of an absent key is an error: what is there (as far as it is known) is taken. */
function rename(session: Session, keys: Keys, chance: Chance): Operation {
  const { key, target } = twoTexts(keys, chance);
  return { name: 'RENAME', key: presentText(session, keys, key), target };
}

function presentText(session: Session, keys: Keys, key: string): string {
  const present = keysOf(session.acknowledged, session.acknowledged.selected);
  return present.has(key) ? key : (keys.texts.find((other) => present.has(other)) ?? key);
}

function append(session: Session, keys: Keys, chance: Chance): Operation {
  const key = chance.pick(keys.texts);
  const length = likeliestValue(session.acknowledged, key)?.bytes.length ?? 0;
  if (length > TEXT_GROWN_BYTES_MAX) return setOf(key, sized(chance), { kind: 'kept' });
  return { name: 'APPEND', key, bytes: sized(chance) };
}

function setRange(session: Session, keys: Keys, chance: Chance): Operation {
  const key = chance.pick(keys.texts);
  const length = likeliestValue(session.acknowledged, key)?.bytes.length ?? 0;
  const offset = Math.min(chance.below(length + 100), TEXT_GROWN_BYTES_MAX);
  return { name: 'SETRANGE', key, offset, bytes: sized(chance) };
}

function count(_: Session, keys: Keys, chance: Chance): Operation {
  const key = chance.pick(keys.counters);
  if (chance.happens(0.5)) return { name: 'INCR', key };
  if (chance.happens(0.05))
    return setOf(key, Buffer.from(`${chance.below(INCREMENT_MAX)}`), { kind: 'endless' });
  return { name: 'INCRBY', key, count: chance.below(2 * INCREMENT_MAX) - INCREMENT_MAX };
}

function brief(keys: Keys, chance: Chance): Operation {
  const key = chance.pick(keys.briefs);
  const ms = 1 + chance.below(BRIEF_MS_MAX);
  const bytes = chance.bytes(1 + chance.below(64));
  const choice = chance.below(10);
  if (choice < 3) return setOf(key, bytes, { kind: 'for', ms });
  if (choice < 5) return setOf(key, bytes, { kind: 'until', ms: Date.now() + ms });
  if (choice < 6) return setOf(key, bytes, { kind: 'endless' });
  if (choice < 8) return { name: 'APPEND', key, bytes };
  if (choice < 9) return { name: chance.happens(0.5) ? 'PERSIST' : 'DEL', key };
  return { name: 'PEXPIRE', key, count: ms };
}

function large(session: Session, keys: Keys, chance: Chance): Operation {
  const key = chance.pick(keys.larges);
  const length = likeliestValue(session.acknowledged, key)?.bytes.length ?? 0;
  const choice = chance.below(10);
  if (choice < 1) return { name: 'DEL', key };
  if (choice < 4 && length > 0)
    return { name: 'SETRANGE', key, offset: chance.below(length), bytes: sized(chance) };
  if (choice < 6 && length < LARGE_BYTES_MAX) return { name: 'APPEND', key, bytes: sized(chance) };
  const bytesMax = chance.happens(0.1) ? LARGE_BYTES_MAX : LARGE_BYTES_MAX / 16;
  return setOf(key, chance.bytes(1 + chance.below(bytesMax)), { kind: 'endless' });
}

function many(name: 'MSET' | 'MSETNX', keys: Keys, chance: Chance): Operation {
  const names = family(keys, chance);
  return { name, keys: names, values: names.map(() => chance.bytes(1 + chance.below(200))) };
}

/** Some keys, none twice. */
function family(keys: Keys, chance: Chance): string[] {
  return [
    ...new Set(Array.from({ length: 2 + chance.below(FAMILY_MAX - 1) }, () => chance.pick(keys.texts))),
  ];
}

function twoTexts(keys: Keys, chance: Chance): { key: string; target: string } {
  const at = chance.below(keys.texts.length);
  const other = (at + 1 + chance.below(keys.texts.length - 1)) % keys.texts.length;
  return { key: keys.texts[at], target: keys.texts[other] };
}

function setOf(key: string, bytes: Buffer, life: Life): Operation {
  return { name: 'SET', key, bytes, life };
}

function lastingLife(chance: Chance): Life {
  if (chance.happens(0.6)) return { kind: 'endless' };
  return chance.happens(0.3) ? { kind: 'kept' } : { kind: 'for', ms: farMs(chance) };
}

function farMs(chance: Chance): number {
  return FAR_MS + chance.below(FAR_MS);
}

function sized(chance: Chance): Buffer {
  let left = chance.below(SIZE_WEIGHT);
  const size = SIZES.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  return chance.bytes(1 + chance.below(size?.bytesMax ?? 1));
}
