/**
 * Holds what was found of the keys that several connections write against who wrote, acknowledged and saw what. Pure.
 *
 * A register holds one token in all of its keys, and none that was overwritten by a write that someone knows of. A counter lies
 * between what was acknowledged (or seen) and what was sent.
 */
import type { Found } from './found.ts';
import {
  type Counter,
  createFinding,
  type Finding,
  type FindingKind,
  type History,
  quoteKey,
  type Register,
  type Write,
} from './history.ts';

/** The database of registers and counters. */
export const SHARED_DATABASE = 0;

const WRITES_TOLD_MAX = 16;
const TOKEN_CHARACTERS_TOLD_MAX = 24;
/** Kept per register, only to tell an old value from a strange one. */
const TOKENS_MAX = 20_000;

/** All that is wrong with them, empty when all is well. */
export function verifyShared(history: History, found: Found): Finding[] {
  return [
    ...history.registers.flatMap((register) => verifyRegister(register, found)),
    ...history.counters.flatMap((counter) => verifyCounter(counter, found)),
  ];
}

/** Makes what was found of them what the next round starts from. */
export function adoptShared(history: History, found: Found): void {
  for (const register of history.registers) {
    register.initial = textOf(found, register.keys[0]);
    register.writes = [];
    register.reads = [];
    forgetOldest(register.tokens);
  }
  for (const counter of history.counters) {
    counter.initial = Number(textOf(found, counter.key) ?? 0);
    counter.seen = counter.initial;
    counter.acknowledgedSum = 0;
    counter.sentSum = 0;
  }
}

function verifyRegister(register: Register, found: Found): Finding[] {
  const values = register.keys.map((key) => textOf(found, key));
  const where = register.keys.map(quoteKey).join(', ');
  const [value] = values;
  const say = (kind: FindingKind, text: string) => [createFinding(kind, where, text, registerTale(register))];
  if (values.some((other) => other !== value)) {
    return say('torn', `the keys of one group differ: ${values.map(describeToken).join(', ')}`);
  }
  const candidates = candidatesOf(register, value);
  if (candidates.length === 0) {
    if (value === null) return say('lost', 'it is absent, and nobody deleted it');
    const kind = register.tokens.has(value) ? 'lost' : 'phantom';
    return say(kind, `it holds ${describeToken(value)}, which nobody wrote in this round`);
  }
  const overwrites = candidates.map((candidate) => overwriting(register, candidate));
  const [overwrite] = overwrites;
  if (overwrite === undefined || overwrites.includes(undefined)) return [];
  const kind = value !== null && overwrite === null ? 'resurrected' : 'lost';
  return say(kind, `it holds ${describeToken(value)}, which ${describeToken(overwrite)} had replaced`);
}

/** The writes that may have left `value`; what the round started with counts as one that ended before all. */
function candidatesOf(register: Register, value: string | null): Write[] {
  const writes = register.writes.filter((write) => write.value === value);
  if (register.initial === value) writes.push({ value, by: 'before', sentAt: 0, endedAt: 0 });
  return writes;
}

/** The value of a write that is known to have happened after `candidate`, undefined where there is none. */
function overwriting(register: Register, candidate: Write): string | null | undefined {
  const { value } = candidate;
  const sightings = value === null ? [] : register.reads.filter((read) => read.value === value);
  const endedAt = sightings.reduce((least, read) => Math.min(least, read.endedAt), candidate.endedAt);
  const firstSeenAt = sightings.reduce((least, read) => Math.min(least, read.endedAt), Infinity);
  // Tokens are written once: whoever saw another value after this one saw a later write.
  const later = register.reads.find((read) => read.value !== value && read.fromAt > firstSeenAt);
  if (later !== undefined) return later.value;
  const seen = new Set(register.reads.map((read) => read.value));
  const write = register.writes.find(
    (other) =>
      other !== candidate &&
      other.sentAt > endedAt &&
      (other.endedAt !== Infinity || (other.value !== null && seen.has(other.value))),
  );
  return write?.value;
}

function verifyCounter(counter: Counter, found: Found): Finding[] {
  const text = textOf(found, counter.key);
  const value = Number(text ?? 0);
  const least = Math.max(counter.initial + counter.acknowledgedSum, counter.seen);
  const most = counter.initial + counter.sentSum;
  const where = quoteKey(counter.key);
  const range = `between ${least} and ${most} is due`;
  if (value < least) return [createFinding('lost', where, `the counter stands at ${value}; ${range}`)];
  if (value <= most) return [];
  return [createFinding('phantom', where, `the counter stands at ${describeToken(text)}; ${range}`)];
}

function forgetOldest(tokens: Set<string>): void {
  let surplus = tokens.size - TOKENS_MAX;
  for (const token of tokens) {
    if (surplus <= 0) return;
    tokens.delete(token);
    surplus -= 1;
  }
}

function textOf(found: Found, key: string): string | null {
  return found.databases.get(SHARED_DATABASE)?.get(key)?.bytes.toString('latin1') ?? null;
}

function registerTale(register: Register): string[] {
  const writes = register.writes.slice(-WRITES_TOLD_MAX).map((write) => {
    const end = write.endedAt === Infinity ? 'sent' : `acknowledged at ${write.endedAt}`;
    return `${write.by} at ${write.sentAt}: ${describeToken(write.value)} ${end}`;
  });
  const reads = register.reads
    .slice(-WRITES_TOLD_MAX)
    .map((read) => `${read.by} read ${describeToken(read.value)} from ${read.fromAt} to ${read.endedAt}`);
  return [`before the round: ${describeToken(register.initial)}`, ...writes, ...reads];
}

/** A token's first words name it; the rest is filling. */
function describeToken(value: string | null): string {
  return value === null ? 'nothing' : quoteKey(value.slice(0, TOKEN_CHARACTERS_TOLD_MAX));
}
