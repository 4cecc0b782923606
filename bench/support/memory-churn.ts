/**
 * What changing sizes leave of the memory: under a limit, where what cannot be used is entries that are not held; and without
 * one, where it is bytes in RAM that hold nothing.
 */
import { nextRandom } from '../../src/base/random.ts';
import { countReplies } from './client.ts';
import { keyRequests } from './key-requests.ts';
import { type Column, mebibytes, percentText, spreadText } from './markdown.ts';
import { keyText } from './memory-costs.ts';
import { growthOf, type MemoryReading, readMemory, sendTexts, warmUpMemory } from './memory-reading.ts';
import { type Peer, type RunningPeer, withPeer } from './peers.ts';
import type { ResultRow } from './result.ts';
import { type Spread, spreadOf } from './statistics.ts';

/** How many bytes a phase wrote into each value, and what was there at its end. */
type Phase = MemoryReading & {
  readonly valueBytes: number;
  /** The least that was used when it was looked at on the way. */
  readonly usedBytesLeast: number;
  /** Keys that this phase wrote and that are there at its end: all but for chance, from a sample. */
  readonly heldKeys: number;
};

/** One step without a limit. */
type Step = MemoryReading & { readonly name: string; readonly payloadBytes: number };

type KeyText = (index: number) => string;

const KEY_BYTES = 10;
const LIMITED_VALUE_BYTES = [64, 1024, 100];
/** One request in so many is a delete of a key drawn from all that were written so far. */
const DELETE_EVERY = 5;
const TIMES_OVER = 2;
/** Even: see `fill`. */
const FILL_PARTS = 20;
const PROBES_MAX = 200_000;
const SEED = 20_260_101;

const FILLED_BYTES = 64;
const REFILLED_BYTES = 200;
const RESIZED_BYTES_MAX = 512;

export const CHURN_COLUMNS: readonly Column[] = [
  { heading: 'phase', align: 'left' },
  { heading: 'server', align: 'left' },
  { heading: 'keys at the end', align: 'right' },
  { heading: 'used of the limit', align: 'right' },
  { heading: 'least of it on the way', align: 'right' },
  { heading: "this phase's keys and values of the limit", align: 'right' },
  { heading: 'its keys held, to a fresh server', align: 'right' },
  { heading: 'resident', align: 'right' },
];

export const FRAGMENTATION_COLUMNS: readonly Column[] = [
  { heading: 'step', align: 'left' },
  { heading: 'server', align: 'left' },
  { heading: 'keys', align: 'right' },
  { heading: 'keys and values', align: 'right' },
  { heading: 'used', align: 'right' },
  { heading: 'resident', align: 'right' },
  { heading: 'resident to used', align: 'right' },
  { heading: 'resident to keys and values', align: 'right' },
];

/** The three phases in one server whose limit is `maxBytes`, and what a fresh server holds when filled with each size alone. */
export async function measureChurn(
  peer: Peer,
  maxBytes: number,
): Promise<{ phases: Phase[]; fresh: Phase[] }> {
  const fresh: Phase[] = [];
  for (const valueBytes of LIMITED_VALUE_BYTES) {
    fresh.push(
      await withPeer(peer, (running) =>
        fill(peer, running, valueBytes, 0, maxBytes, setter(peer, valueBytes)),
      ),
    );
  }
  const phases = await withPeer(peer, async (running) => {
    const results: Phase[] = [];
    let written = 0;
    for (const valueBytes of LIMITED_VALUE_BYTES) {
      const textOf = setterWithDeletes(peer, valueBytes);
      results.push(await fill(peer, running, valueBytes, written, maxBytes, textOf));
      written += requestsFor(valueBytes, maxBytes);
    }
    return results;
  });
  return { phases, fresh };
}

/** The rows of one server, a phase each. */
export function churnRows(
  server: string,
  maxBytes: number,
  runs: readonly { phases: Phase[]; fresh: Phase[] }[],
): ResultRow[] {
  return LIMITED_VALUE_BYTES.map((valueBytes, index) => {
    const spread = (pick: (phase: Phase, fresh: Phase) => number): Spread =>
      spreadOf(runs.map(({ phases, fresh }) => pick(phases[index], fresh[index])));
    return {
      set: 'churn',
      server,
      valueBytes,
      limitBytes: maxBytes,
      keys: spread(({ keys }) => keys),
      usedShare: spread(({ usedBytes }) => usedBytes / maxBytes),
      usedLeastShare: spread(({ usedBytesLeast }) => usedBytesLeast / maxBytes),
      payloadShare: spread(({ heldKeys }) => (heldKeys * (KEY_BYTES + valueBytes)) / maxBytes),
      heldToFresh: spread(({ heldKeys }, fresh) => heldKeys / fresh.heldKeys),
      residentBytes: spread(({ residentBytes }) => residentBytes),
    };
  });
}

export function churnCells(row: ResultRow): string[] {
  const median = (field: string): number => (row[field] as Spread).median;
  return [
    `${row.valueBytes} B`,
    row.server,
    spreadText(row.keys as Spread, 1, 0),
    ...['usedShare', 'usedLeastShare', 'payloadShare', 'heldToFresh'].map((field) =>
      percentText(median(field)),
    ),
    mebibytes(median('residentBytes')),
  ];
}

/** Filled, every second key deleted at random, new keys of another size, then every key set again to a size of its own. */
export async function measureFragmentation(peer: Peer, keys: number, warmUps: number): Promise<Step[]> {
  return withPeer(peer, async (running) => {
    await warmUpMemory(peer, running, warmUps);
    const before = await readMemory(peer, running);
    const { set, remove } = keyRequests(peer.protocol);
    const key = (index: number): string => keyText(index, KEY_BYTES);
    const steps: Step[] = [];
    const step = async (
      name: string,
      count: number,
      textOf: KeyText,
      payloadBytes: number,
    ): Promise<void> => {
      await sendTexts(running.port, count, textOf);
      steps.push({ ...growthOf(await readMemory(peer, running), before), name, payloadBytes });
    };
    const isKept = drawBits(keys);
    const kept = isKept.reduce((sum, bit) => sum + bit, 0);
    const removed = Array.from(isKept.keys()).filter((index) => isKept[index] === 0);
    const plain = (valueBytes: number) => (index: number) => set(key(index), 'x'.repeat(valueBytes), 0);
    await step('filled', keys, plain(FILLED_BYTES), keys * (KEY_BYTES + FILLED_BYTES));
    const keptBytes = kept * (KEY_BYTES + FILLED_BYTES);
    await step('half deleted', removed.length, (index) => remove(key(removed[index])), keptBytes);
    const refill = (index: number): string => plain(REFILLED_BYTES)(removed[index]);
    const refilledBytes = keptBytes + removed.length * (KEY_BYTES + REFILLED_BYTES);
    await step('filled up, larger', removed.length, refill, refilledBytes);
    const sizes = drawSizes(keys);
    const resizedBytes = sizes.reduce((sum, bytes) => sum + KEY_BYTES + bytes, 0);
    await step('all set again, mixed', keys, (index) => plain(sizes[index])(index), resizedBytes);
    return steps;
  });
}

/** The rows of one server, a step each. */
export function fragmentationRows(server: string, runs: readonly (readonly Step[])[]): ResultRow[] {
  return runs[0].map(({ name, keys, payloadBytes }, index) => {
    const spread = (pick: (step: Step) => number): Spread =>
      spreadOf(runs.map((steps) => pick(steps[index])));
    return {
      set: 'fragmentation',
      server,
      step: name,
      keys,
      payloadBytes,
      usedBytes: spread(({ usedBytes }) => usedBytes),
      residentBytes: spread(({ residentBytes }) => residentBytes),
      residentToUsed: spread(({ residentBytes, usedBytes }) => residentBytes / usedBytes),
      residentToPayload: spread(({ residentBytes }) => residentBytes / payloadBytes),
    };
  });
}

export function fragmentationCells(row: ResultRow): string[] {
  const median = (field: string): number => (row[field] as Spread).median;
  return [
    String(row.step),
    row.server,
    String(row.keys),
    mebibytes(Number(row.payloadBytes)),
    mebibytes(median('usedBytes')),
    mebibytes(median('residentBytes')),
    spreadText(row.residentToUsed as Spread, 1, 2),
    spreadText(row.residentToPayload as Spread, 1, 2),
  ];
}

/** Writes in parts and looks at the memory after each; the first fill of a server counts from its second half on. */
async function fill(
  peer: Peer,
  running: RunningPeer,
  valueBytes: number,
  from: number,
  maxBytes: number,
  textOf: KeyText,
): Promise<Phase> {
  const part = requestsFor(valueBytes, maxBytes) / FILL_PARTS;
  const readings: MemoryReading[] = [];
  for (let index = 0; index < FILL_PARTS; index += 1) {
    const base = from + index * part;
    await sendTexts(running.port, part, (sent) => textOf(base + sent));
    readings.push(await readMemory(peer, running));
  }
  const counted = readings.slice(from === 0 ? FILL_PARTS / 2 : 0);
  const usedBytesLeast = Math.min(...counted.map(({ usedBytes }) => usedBytes));
  const heldKeys = await countHeld(peer, running, from, FILL_PARTS * part);
  return { ...readings[FILL_PARTS - 1], valueBytes, usedBytesLeast, heldKeys };
}

/** Of the keys from `from` on, how many are held: every so many is asked for. */
async function countHeld(
  { protocol }: Peer,
  { port }: RunningPeer,
  from: number,
  count: number,
): Promise<number> {
  const { probe, probeHit } = keyRequests(protocol);
  const wanted = Math.max(1, Math.floor(count / PROBES_MAX));
  // Not in step with the deletes, in whose places no key was written.
  const step = wanted % DELETE_EVERY === 0 ? wanted + 1 : wanted;
  const probes = Math.ceil(count / step);
  const requests = Array.from({ length: probes }, (_, index) =>
    probe(keyText(from + index * step, KEY_BYTES)),
  );
  return Math.round((count * (await countReplies(port, requests, probeHit))) / probes);
}

/** As many writes as hold `maxBytes` in keys and values, over and over; a multiple of FILL_PARTS. */
function requestsFor(valueBytes: number, maxBytes: number): number {
  return FILL_PARTS * Math.ceil((TIMES_OVER * maxBytes) / (KEY_BYTES + valueBytes) / FILL_PARTS);
}

function setter({ protocol }: Peer, valueBytes: number): KeyText {
  const value = 'x'.repeat(valueBytes);
  const { set } = keyRequests(protocol);
  return (index) => set(keyText(index, KEY_BYTES), value, 0);
}

function setterWithDeletes(peer: Peer, valueBytes: number): KeyText {
  const set = setter(peer, valueBytes);
  const { remove } = keyRequests(peer.protocol);
  let state = SEED;
  return (index) => {
    if (index === 0 || index % DELETE_EVERY !== 0) return set(index);
    state = nextRandom(state);
    return remove(keyText((state >>> 0) % index, KEY_BYTES));
  };
}

/** Zeros and ones, as many of each but for chance. */
function drawBits(count: number): Uint8Array {
  let state = SEED;
  return Uint8Array.from({ length: count }, () => {
    state = nextRandom(state);
    return (state >>> 16) & 1;
  });
}

/** Sizes of 0 to just below RESIZED_BYTES_MAX, all alike probable. */
function drawSizes(count: number): Uint16Array {
  let state = SEED;
  return Uint16Array.from({ length: count }, () => {
    state = nextRandom(state);
    return (state >>> 8) % RESIZED_BYTES_MAX;
  });
}
