/**
 * The plain model of lists, sets, hashes and sorted sets that one connection owns: what a command does to one, and what it answers.
 *
 * The content of a collection has one spelling in bytes, so that it is compared like a string's. A hash is spelled as fields and values, a
 * sorted set as members and scores, each in order. A wide collection has so many elements that they are only ever numbered: it
 * grows at the one end and shrinks at the other, and what is spelled is from which number to which.
 */
import { Buffer } from 'node:buffer';

export const COLLECTION_KINDS = ['list', 'set', 'hash', 'zset'] as const;
export type CollectionKind = (typeof COLLECTION_KINDS)[number];

/** What is done to a small collection. */
export type Deed = {
  readonly name: 'COLLECT';
  readonly key: string;
  readonly kind: CollectionKind;
  /** To put at the tail or anywhere; at the head; to take out; one or many from an end; over the last; before another; a number added. */
  readonly deed: 'put' | 'head' | 'take' | 'pop' | 'drop' | 'cut' | 'last' | 'insert' | 'add';
  readonly items: readonly string[];
  readonly count: number;
};

/** What is done to a wide one: elements come or go, from this number on. */
type Resizing = {
  readonly name: 'WIDEN' | 'NARROW';
  readonly key: string;
  readonly kind: CollectionKind;
  readonly from: number;
  readonly count: number;
};

export type CollectionOperation = Deed | Resizing;

type Outcome = { readonly items: readonly string[]; readonly reply: string };

const WIDE_MARK = 'wide:';
const WIDE_DIGITS = 8;
const WIDE_FILLING = ' an element of many';
const NONE = '$-1';

/** The spelling of a content; null for none. */
function spell(kind: CollectionKind, items: readonly string[]): Buffer | null {
  return items.length === 0 ? null : Buffer.from(`${kind} ${JSON.stringify(items)}`, 'latin1');
}

/** The spelling of what a server holds, as its commands answer it; wide collections are recognised by their elements. */
export function spellFound(kind: CollectionKind, items: readonly string[]): Buffer | null {
  const sorted = inOrder(kind, items);
  if (sorted[0]?.startsWith(WIDE_MARK) !== true) return spell(kind, sorted);
  const step = isPaired(kind) ? 2 : 1;
  const from = Number(sorted[0].slice(WIDE_MARK.length, WIDE_MARK.length + WIDE_DIGITS));
  const count = sorted.length / step;
  const due = wideItems(kind, from, count);
  return due.every((item, i) => item === sorted[i])
    ? spellWide(kind, from, from + count)
    : spell(kind, sorted);
}

/** From which number to which a wide collection goes. */
export function wideSpan(bytes: Buffer | undefined): { from: number; to: number } {
  const [, from, to] = bytes?.toString('latin1').match(/^\w+ wide (\d+) (\d+)$/) ?? [];
  return { from: Number(from ?? 0), to: Number(to ?? 0) };
}

/** What a command leaves of the content spelled `bytes` (null: no key), and its reply. */
export function collect(
  bytes: Buffer | null,
  operation: CollectionOperation,
): { bytes: Buffer | null; reply: string } {
  if (!('deed' in operation)) return resize(bytes, operation);
  const { kind } = operation;
  const items = bytes === null ? [] : (JSON.parse(bytes.toString('latin1', kind.length + 1)) as string[]);
  const outcome =
    kind === 'list'
      ? changeList(items, operation)
      : isPaired(kind)
        ? changePairs(items, operation)
        : changeSet(items, operation);
  return { bytes: spell(kind, inOrder(kind, outcome.items)), reply: outcome.reply };
}

/** The command as it is sent. */
export function collectionArguments(operation: CollectionOperation): readonly (string | number)[] {
  const { key, kind, count } = operation;
  if ('deed' in operation) return deedArguments(operation);
  if (operation.name === 'NARROW') return narrowArguments(kind, key, operation.from, count);
  return putArguments(kind, key, wideItems(kind, operation.from, count));
}

function deedArguments({ key, kind, deed, items, count }: Deed): readonly (string | number)[] {
  switch (deed) {
    case 'put':
      return putArguments(kind, key, items);
    case 'head':
      return ['LPUSH', key, ...items];
    case 'take':
      return takeArguments(kind, key, items);
    case 'pop':
      return ['LPOP', key];
    case 'drop':
      return ['RPOP', key];
    case 'cut':
      return kind === 'list' ? ['LTRIM', key, count, -1] : ['ZREMRANGEBYRANK', key, 0, count - 1];
    case 'last':
      return ['LSET', key, -1, items[0]];
    case 'insert':
      return ['LINSERT', key, 'BEFORE', items[0], items[1]];
    case 'add':
      return kind === 'hash' ? ['HINCRBY', key, items[0], count] : ['ZINCRBY', key, count, items[0]];
  }
}

/** The command that answers all of a collection. */
export function readArguments(kind: CollectionKind, key: Buffer): readonly (string | Buffer)[] {
  if (kind === 'list') return ['LRANGE', key, '0', '-1'];
  if (kind === 'zset') return ['ZRANGE', key, '0', '-1', 'WITHSCORES'];
  return [kind === 'set' ? 'SMEMBERS' : 'HGETALL', key];
}

function isPaired(kind: CollectionKind): boolean {
  return kind === 'hash' || kind === 'zset';
}

function inOrder(kind: CollectionKind, items: readonly string[]): readonly string[] {
  if (kind === 'list') return items;
  if (kind === 'set') return [...items].sort();
  return pairsOf(items)
    .sort((a, b) => (kind === 'zset' ? Number(a[1]) - Number(b[1]) : 0) || (a[0] < b[0] ? -1 : 1))
    .flat();
}

function pairsOf(items: readonly string[]): [string, string][] {
  return Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i], items[2 * i + 1]]);
}

function changeList(items: string[], { deed, items: own, count }: Deed): Outcome {
  switch (deed) {
    case 'put':
      return counted([...items, ...own]);
    case 'head':
      return counted([...own.toReversed(), ...items]);
    case 'take':
      return removed(items, (item) => item === own[0]);
    case 'pop':
      return { items: items.slice(1), reply: items.length === 0 ? NONE : `$${items[0]}` };
    case 'drop':
      return { items: items.slice(0, -1), reply: items.length === 0 ? NONE : `$${items.at(-1)}` };
    case 'cut':
      return { items: items.slice(count), reply: '+OK' };
    case 'last':
      if (items.length === 0) return { items, reply: '-ERR no such key' };
      return { items: [...items.slice(0, -1), own[0]], reply: '+OK' };
    default: {
      const at = items.indexOf(own[0]);
      if (items.length === 0 || at < 0) return { items, reply: items.length === 0 ? ':0' : ':-1' };
      return counted(items.toSpliced(at, 0, own[1]));
    }
  }
}

function changeSet(items: string[], { deed, items: own }: Deed): Outcome {
  if (deed === 'take') return removed(items, (item) => own.includes(item));
  const all = [...new Set([...items, ...own])];
  return { items: all, reply: `:${all.length - items.length}` };
}

function changePairs(items: string[], { kind, deed, items: own, count }: Deed): Outcome {
  const pairs = new Map(pairsOf(items));
  const before = pairs.size;
  if (deed === 'cut') {
    return { items: items.slice(2 * count), reply: `:${Math.min(before, count)}` };
  }
  if (deed === 'add') {
    const sum = Number(pairs.get(own[0]) ?? 0) + count;
    pairs.set(own[0], `${sum}`);
    return { items: [...pairs].flat(), reply: kind === 'hash' ? `:${sum}` : `$${sum}` };
  }
  if (deed === 'take') for (const name of own) pairs.delete(name);
  else for (const [name, value] of pairsOf(own)) pairs.set(name, value);
  return { items: [...pairs].flat(), reply: `:${Math.abs(pairs.size - before)}` };
}

function counted(items: readonly string[]): Outcome {
  return { items, reply: `:${items.length}` };
}

function removed(items: readonly string[], goes: (item: string) => boolean): Outcome {
  const left = items.filter((item) => !goes(item));
  return { items: left, reply: `:${items.length - left.length}` };
}

function resize(
  bytes: Buffer | null,
  { name, kind, count }: Resizing,
): { bytes: Buffer | null; reply: string } {
  const { from, to } = wideSpan(bytes ?? undefined);
  if (name === 'WIDEN') {
    const length = to - from + count;
    return { bytes: spellWide(kind, from, to + count), reply: `:${kind === 'list' ? length : count}` };
  }
  const gone = Math.min(count, to - from);
  return {
    bytes: from + gone === to ? null : spellWide(kind, from + gone, to),
    reply: kind === 'list' ? '+OK' : `:${gone}`,
  };
}

function spellWide(kind: CollectionKind, from: number, to: number): Buffer {
  return Buffer.from(`${kind} wide ${from} ${to}`);
}

function wideItems(kind: CollectionKind, from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const name = `${WIDE_MARK}${`${from + i}`.padStart(WIDE_DIGITS, '0')}${WIDE_FILLING}`;
    return isPaired(kind) ? [name, `${from + i}`] : [name];
  }).flat();
}

function putArguments(kind: CollectionKind, key: string, items: readonly string[]): readonly string[] {
  if (kind === 'list') return ['RPUSH', key, ...items];
  if (kind === 'set') return ['SADD', key, ...items];
  if (kind === 'hash') return ['HSET', key, ...items];
  return ['ZADD', key, ...pairsOf(items).flatMap(([member, score]) => [score, member])];
}

function takeArguments(
  kind: CollectionKind,
  key: string,
  items: readonly string[],
): readonly (string | number)[] {
  if (kind === 'list') return ['LREM', key, 0, items[0]];
  return [kind === 'set' ? 'SREM' : kind === 'hash' ? 'HDEL' : 'ZREM', key, ...items];
}

function narrowArguments(
  kind: CollectionKind,
  key: string,
  from: number,
  count: number,
): readonly (string | number)[] {
  if (kind === 'list') return ['LTRIM', key, count, -1];
  if (kind === 'zset') return ['ZREMRANGEBYRANK', key, 0, count - 1];
  const names = wideItems('set', from, count);
  return takeArguments(kind, key, names);
}
