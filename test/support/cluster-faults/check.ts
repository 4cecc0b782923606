/**
 * Judges a history of a cluster under faults. Pure.
 *
 *   lost          an append that was acknowledged, or seen, is absent from a later reading, and no failover came between; or a replica
 *                 had it according to WAIT
 *   hole          an append is absent that was there when a later one, which is present, was made
 *   resurrected   an append that was lost is back
 *   invented      a number that nobody appended, or whose append was refused, or not yet begun
 *   disorder      numbers twice, or out of order
 *   fenced        a node answered for a slot although another had been its owner for some time
 *   unread        nobody read the key at the end
 *
 * What a failover took that no replica was known to have is no finding, it is counted: replication is asynchronous.
 */
import type { Append, History, OwnerChange, Reading } from './history.ts';

type HistoryFindingKind = 'lost' | 'hole' | 'resurrected' | 'invented' | 'disorder' | 'fenced' | 'unread';

type HistoryFinding = {
  readonly kind: HistoryFindingKind;
  readonly key: string;
  readonly text: string;
};

export type Verdict = {
  readonly findings: readonly HistoryFinding[];
  readonly appends: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  /** Appends that a replica had according to WAIT. */
  readonly safe: number;
  /** Appends that were acknowledged, that no replica was known to have, and that a failover took. */
  readonly lostAtFailovers: number;
  /** From the first to the last of those that one failover took, as they were acknowledged, in milliseconds: the longest such time. */
  readonly lostWindowMsMost: number;
};

export type CheckOptions = {
  /** A change of owner is heard of at most so long after it was made. */
  readonly heardWithinMs: number;
  /** A reply may be so long on its way, the pauses of the watching process included. */
  readonly replyWithinMs: number;
};

/** One key's evidence, by time. */
type KeyStory = {
  readonly key: string;
  readonly appends: readonly Append[];
  readonly readings: readonly Reading[];
  readonly changes: readonly OwnerChange[];
  readonly failovers: readonly OwnerChange[];
  /** By number. */
  readonly byNumber: ReadonlyMap<number, Append>;
  /** By number: since when it is known to have been there. */
  readonly knownMs: ReadonlyMap<number, number>;
};

type Say = (kind: HistoryFindingKind, text: string) => void;

/** All that is wrong, each kind once a key. */
export function checkHistory(history: History, options: CheckOptions): Verdict {
  const findings: HistoryFinding[] = [];
  let lostAtFailovers = 0;
  const windows = new Map<number, { firstMs: number; lastMs: number }>();
  for (const story of storiesOf(history)) {
    const said = new Set<HistoryFindingKind>();
    const say: Say = (kind, text) => {
      if (!said.has(kind)) findings.push({ kind, key: story.key, text });
      said.add(kind);
    };
    const lost = judgeReadings(story, options, say);
    judgeServing(story, options, say);
    lostAtFailovers += lost.length;
    for (const append of lost) widen(windows, story, append);
  }
  const count = (ending: Append['ending']) =>
    history.appends.filter((append) => append.ending === ending).length;
  return {
    findings,
    appends: history.appends.length,
    acknowledged: count('acknowledged'),
    unknown: count('unknown'),
    refused: count('refused'),
    safe: history.appends.filter(({ safeMs }) => safeMs < Infinity).length,
    lostAtFailovers,
    lostWindowMsMost: [...windows.values()].reduce(
      (most, { firstMs, lastMs }) => Math.max(most, lastMs - firstMs),
      0,
    ),
  };
}

function storiesOf(history: History): KeyStory[] {
  const appends = Map.groupBy(history.appends, ({ key }) => key);
  const readings = Map.groupBy(history.readings, ({ key }) => key);
  const keys = new Set([...appends.keys(), ...readings.keys()]);
  return [...keys].map((key) => {
    const changes = history.changesOf(key);
    const ownAppends = appends.get(key) ?? [];
    const ownReadings = (readings.get(key) ?? []).toSorted((a, b) => a.startMs - b.startMs);
    return {
      key,
      appends: ownAppends,
      readings: ownReadings,
      changes,
      failovers: changes.filter(({ isFailover }) => isFailover),
      byNumber: new Map(ownAppends.map((append) => [append.number, append])),
      knownMs: knownTimes(ownAppends, ownReadings),
    };
  });
}

function knownTimes(appends: readonly Append[], readings: readonly Reading[]): Map<number, number> {
  const known = new Map<number, number>();
  const learn = (number: number, atMs: number) =>
    known.set(number, Math.min(atMs, known.get(number) ?? Infinity));
  for (const { number, endMs, ending } of appends) if (ending === 'acknowledged') learn(number, endMs);
  for (const { numbers, endMs } of readings) for (const number of numbers) learn(number, endMs);
  return known;
}

/** The acknowledged appends that a failover took. */
function judgeReadings(story: KeyStory, options: CheckOptions, say: Say): Append[] {
  /** Numbers that were found absent, and since when that is certain. */
  const absentMs = new Map<number, number>();
  const lost = new Set<Append>();
  for (const reading of story.readings) {
    judgeNumbers(story, reading, say);
    const present = new Set(reading.numbers);
    for (const append of story.appends) {
      const { number, ending } = append;
      if (present.has(number)) {
        if ((absentMs.get(number) ?? Infinity) < reading.startMs)
          say('resurrected', `${number} was lost and is back`);
        continue;
      }
      if ((story.knownMs.get(number) ?? Infinity) >= reading.startMs) continue;
      absentMs.set(number, Math.min(reading.endMs, absentMs.get(number) ?? Infinity));
      if (!judgeAbsence(story, append, reading, options, say)) continue;
      if (ending === 'acknowledged') lost.add(append);
    }
    judgeHoles(story, reading, present, options, say);
  }
  const lastEndMs = story.appends.reduce((most, { endMs }) => Math.max(most, endMs), 0);
  if ((story.readings.at(-1)?.startMs ?? 0) < lastEndMs) say('unread', 'nobody read it at the end');
  return [...lost];
}

function judgeNumbers({ byNumber }: KeyStory, { numbers, endMs }: Reading, say: Say): void {
  let last = 0;
  for (const number of numbers) {
    const append = byNumber.get(number);
    if (append === undefined) say('invented', `${number} was read, and nobody appended it`);
    else if (append.ending === 'refused') say('invented', `${number} was read, and its append was refused`);
    else if (append.startMs > endMs) say('invented', `${number} was read before it was appended`);
    if (number <= last) say('disorder', `${number} comes behind ${last}`);
    last = number;
  }
}

/** Whether a failover explains it. */
function judgeAbsence(
  story: KeyStory,
  append: Append,
  reading: Reading,
  options: CheckOptions,
  say: Say,
): boolean {
  const { number, safeMs, startMs } = append;
  if (safeMs < reading.startMs) {
    say(
      'lost',
      `${number} is absent at ${reading.startMs.toFixed(0)} ms: a replica had it according to WAIT`,
    );
    return false;
  }
  if (hasFailover(story, startMs, reading.endMs, options)) return true;
  say('lost', `${number} is absent at ${reading.startMs.toFixed(0)} ms, and there was no failover`);
  return false;
}

/** What was there when a later append was made cannot be missing before it. */
function judgeHoles(
  story: KeyStory,
  { numbers }: Reading,
  present: ReadonlySet<number>,
  options: CheckOptions,
  say: Say,
): void {
  for (const { number, startMs } of story.appends) {
    if (present.has(number)) continue;
    const next = story.byNumber.get(numbers.find((other) => other > number) ?? 0);
    if (next === undefined || (story.knownMs.get(number) ?? Infinity) >= next.startMs) continue;
    if (!hasFailover(story, startMs, next.endMs, options))
      say('hole', `${number} is absent, and ${next.number} behind it is there`);
  }
}

/** Whether the slot may have been given to another without its owner's say between the two times. */
function hasFailover({ failovers }: KeyStory, fromMs: number, toMs: number, options: CheckOptions): boolean {
  return failovers.some(({ atMs }) => atMs >= fromMs && atMs - options.heardWithinMs <= toMs);
}

/** Nobody answers for a slot that has become another's. */
function judgeServing({ appends, readings, changes }: KeyStory, options: CheckOptions, say: Say): void {
  const { replyWithinMs, heardWithinMs } = options;
  const acknowledged = appends.filter(({ ending }) => ending === 'acknowledged');
  const served = [
    ...acknowledged.map(({ servedBy, endMs }) => ({ servedBy, servedMs: endMs })),
    // What was read before the slot was given away may be told afterwards.
    ...readings.map(({ servedBy, startMs }) => ({ servedBy, servedMs: startMs })),
  ];
  for (const { servedBy, servedMs } of served) {
    const last = changes.findLast(({ atMs }) => atMs + replyWithinMs < servedMs);
    if (servedBy === undefined || last === undefined || last.to === servedBy) continue;
    const mayHaveIt = changes.some(
      ({ atMs, to }) => to === servedBy && atMs > last.atMs && atMs - heardWithinMs <= servedMs,
    );
    if (mayHaveIt) continue;
    const next = changes.find(({ atMs, to }) => to === servedBy && atMs > last.atMs);
    const later = next === undefined ? 'never again' : `again ${(next.atMs - servedMs).toFixed(0)} ms later`;
    const ago = (servedMs - last.atMs).toFixed(0);
    say(
      'fenced',
      `${servedBy} answered, and ${last.to} had owned it for ${ago} ms; the former was heard of as the owner ${later}`,
    );
  }
}

/** Notes that a failover, known by its epoch, took this too. */
function widen(
  windows: Map<number, { firstMs: number; lastMs: number }>,
  { failovers }: KeyStory,
  { startMs, endMs }: Append,
): void {
  const epoch = failovers.find(({ atMs }) => atMs >= startMs)?.epoch ?? 0;
  const { firstMs, lastMs } = windows.get(epoch) ?? { firstMs: endMs, lastMs: endMs };
  windows.set(epoch, { firstMs: Math.min(firstMs, endMs), lastMs: Math.max(lastMs, endMs) });
}
