/**
 * Holds what was found after a crash against what was sent and acknowledged. Pure.
 *
 * Of each session exactly the acknowledged commands must have happened, and of those outstanding the first n for some n.
 * What connections share is held to its own rules (verify-shared.ts). Nothing else exists.
 */
import { crc32 } from 'node:zlib';
import type { Found, FoundEntry } from './found.ts';
import {
  createFinding,
  describeBytes,
  type Finding,
  type FindingKind,
  type History,
  noteHeld,
  quoteKey,
  type Session,
  spanOf,
  taleOf,
} from './history.ts';
import {
  applyOperation,
  copyKeyspace,
  type Keyspace,
  keysOf,
  type Span,
  type Value,
  valuesDuring,
} from './keyspace-model.ts';
import { adoptShared, SHARED_DATABASE, verifyShared } from './verify-shared.ts';

const FINDINGS_PER_KIND_MAX = 8;
const WRITES_TOLD_MAX = 16;

type Possibilities = readonly (Value | null)[];

/** What was found of one session, by database and key. */
type Owned = ReadonlyMap<number, ReadonlyMap<string, FoundEntry>>;

/** A key of a session in which the found data differs from a state. */
type Difference = {
  readonly place: string;
  readonly key: string;
  readonly expected: Possibilities;
  readonly actual: FoundEntry | undefined;
};

/** All that is wrong, empty when all is well. `diedMs` is when the server had surely ended. Changes only `held`. */
export function verifyFound(history: History, found: Found, diedMs: number): Finding[] {
  const findings = found.problems.map((text) => createFinding('broken', 'the server', text));
  for (const session of history.sessions) findings.push(...verifySession(session, found, diedMs));
  findings.push(...verifyShared(history, found));
  findings.push(...verifyNothingElse(history, found));
  return findings;
}

/** Makes the found data what the next round starts from. */
export function adoptFound(history: History, found: Found): void {
  for (const session of history.sessions) adoptSession(session, found);
  adoptShared(history, found);
}

function adoptSession(session: Session, found: Found): void {
  session.outstanding = [];
  session.acknowledged.selected = 0;
  for (const [database, entries] of ownedBy(session, found)) {
    const keys = keysOf(session.acknowledged, database);
    keys.clear();
    for (const [key, { bytes, deadlineMs }] of entries) {
      keys.set(key, [{ bytes, earliestMs: deadlineMs, latestMs: deadlineMs }]);
    }
  }
}

function verifySession(session: Session, found: Found, diedMs: number): Finding[] {
  const own = ownedBy(session, found);
  for (const state of possibleStates(session, diedMs)) {
    if (differences(session, state, own, found.span).length === 0) return [];
  }
  return explainSession(session, own, found.span, diedMs);
}

/** What may have been left: the acknowledged state, then that after each outstanding command. One changing object. */
function* possibleStates(session: Session, diedMs: number): Generator<Keyspace> {
  const state = copyKeyspace(session.acknowledged);
  yield state;
  for (const { operation, sentMs } of session.outstanding) {
    applyOperation(state, operation, spanOf(sentMs, diedMs));
    noteHeld(session, state, operation);
    yield state;
  }
}

/** No state fits: names the keys that fit in none, or, where each fits in one, the keys that do not fit together. */
function explainSession(session: Session, own: Owned, span: Span, diedMs: number): Finding[] {
  const mismatches = Array.from(possibleStates(session, diedMs), (state) =>
    differences(session, state, own, span),
  );
  const nearest = mismatches.reduce((best, list) => (list.length < best.length ? list : best));
  const wrong = nearest.filter(({ place }) =>
    mismatches.every((list) => list.some((it) => it.place === place)),
  );
  if (wrong.length > 0) return wrong.slice(0, FINDINGS_PER_KIND_MAX).map((each) => classify(session, each));
  return [tornSession(session, mismatches.flat())];
}

function differences(session: Session, state: Keyspace, own: Owned, span: Span): Difference[] {
  const list: Difference[] = [];
  for (const database of session.databases) {
    const expected = keysOf(state, database);
    const actual = own.get(database) ?? new Map<string, FoundEntry>();
    const differ = (key: string, due: Possibilities) =>
      list.push({
        place: `${quoteKey(key)} of database ${database}`,
        key,
        expected: due,
        actual: actual.get(key),
      });
    for (const [key, possibilities] of expected) {
      if (!isPossible(possibilities, actual.get(key), span)) differ(key, possibilities);
    }
    for (const key of actual.keys()) if (!expected.has(key)) differ(key, [null]);
  }
  return list;
}

function isPossible(expected: Possibilities, actual: FoundEntry | undefined, span: Span): boolean {
  return expected.some((value) => {
    if (actual === undefined) return valuesDuring(value, spanOf(span.fromMs, span.toMs)).includes(null);
    return value?.bytes.equals(actual.bytes) === true && hasDeadline(value, actual);
  });
}

/** The deadline is the one that was set, and had not passed when the key was still there. */
function hasDeadline(value: Value, { deadlineMs, readMs }: FoundEntry): boolean {
  if (deadlineMs === Infinity || value.latestMs === Infinity) return deadlineMs === value.latestMs;
  const isAsSet = deadlineMs >= value.earliestMs && deadlineMs <= value.latestMs;
  return isAsSet && spanOf(readMs, readMs).fromMs <= deadlineMs;
}

function classify(session: Session, { place, key, expected, actual }: Difference): Finding {
  const history = taleOf(session, key);
  const expectedText = expected.map(describeValue).join(' or ');
  const say = (kind: FindingKind, text: string) =>
    createFinding(kind, place, `${text}; due is ${expectedText}`, history);
  if (actual === undefined) return say('lost', 'it is absent');
  const actualText = describeEntry(actual);
  if (expected.some((value) => value?.bytes.equals(actual.bytes)))
    return say('deadline', `it has a wrong deadline, or is still there after it: ${actualText}`);
  if (session.held.get(key)?.includes(crc32(actual.bytes)) !== true)
    return say('phantom', `it holds what it never held: ${actualText}`);
  if (expected.every((value) => value === null)) return say('resurrected', `it is back: ${actualText}`);
  return say('lost', `it holds an older value: ${actualText}`);
}

function tornSession(session: Session, mismatches: readonly Difference[]): Finding {
  const places = [...new Set(mismatches.map(({ place }) => place))];
  const history = [...new Set(mismatches.flatMap(({ key }) => taleOf(session, key)))];
  return createFinding(
    'torn',
    places.slice(0, FINDINGS_PER_KIND_MAX).join(', '),
    `each key alone is as it was at some time, but they were never so together (session ${quoteKey(session.prefix)})`,
    history.slice(-2 * WRITES_TOLD_MAX),
  );
}

function verifyNothingElse(history: History, found: Found): Finding[] {
  const shared = new Set([
    ...history.registers.flatMap(({ keys }) => keys),
    ...history.counters.map(({ key }) => key),
  ]);
  const findings: Finding[] = [];
  for (const [database, entries] of found.databases) {
    for (const [key, entry] of entries) {
      const isShared = database === SHARED_DATABASE && shared.has(key);
      if (isShared || history.sessions.some((session) => isOwn(session, database, key))) continue;
      const where = `${quoteKey(key)} of database ${database}`;
      findings.push(createFinding('phantom', where, `nobody writes such a key: ${describeEntry(entry)}`));
    }
  }
  return findings.slice(0, FINDINGS_PER_KIND_MAX);
}

function ownedBy(session: Session, found: Found): Owned {
  const own = new Map<number, Map<string, FoundEntry>>();
  for (const database of session.databases) {
    const entries = [...(found.databases.get(database) ?? [])];
    own.set(database, new Map(entries.filter(([key]) => isOwn(session, database, key))));
  }
  return own;
}

function isOwn(session: Session, database: number, key: string): boolean {
  return session.databases.includes(database) && key.startsWith(session.prefix);
}

function describeValue(value: Value | null): string {
  if (value === null) return 'nothing';
  const deadline = value.latestMs === Infinity ? '' : ` until ${value.earliestMs}..${value.latestMs}`;
  return `${describeBytes(value.bytes)}${deadline}`;
}

function describeEntry({ bytes, deadlineMs }: FoundEntry): string {
  return `${describeBytes(bytes)}${deadlineMs === Infinity ? '' : ` until ${deadlineMs}`}`;
}
