/**
 * A small folder, whole in every respect, and what a start makes of it when one file was cut at any byte or has one wrong byte: the
 * right data, what once was, or a refusal that names the file. Never other data, never trouble without a name.
 */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { MANIFEST_NAME } from '../../src/durability/manifest.ts';
import { doCommand } from '../support/power-cut/commands.ts';
import { contentsOfShard } from '../support/power-cut/contents.ts';
import {
  contentsAfter,
  createHistory,
  foldHistory,
  type History,
  linesOf,
} from '../support/power-cut/history.ts';
import {
  createSimulatedClock,
  endTurn,
  type Machine,
  startMachine,
  stopMachine,
  takeSnapshot,
} from '../support/power-cut/machine.ts';
import { recover, slotTableFor } from '../support/power-cut/recovery.ts';
import { createRandom, type Random } from '../support/seeded-random.ts';
import { createSimulatedDisk, type SimulatedDisk } from '../support/simulated-disk.ts';

const SHARDS = 2;
const DATABASES = 2;
/** Zeros that fill a page are many and all alike: of each run of them, the ends and one in so many. */
const ZEROS_EDGE = 12;
const ZEROS_STEP = 509;
/**
 * Of these places one in so many is tried: what a power cut changes is how the whole is judged, and every byte of a snapshot and of a
 * manifest is tried in tests of theirs. Odd, so that every bit has its turn.
 */
const OTHER_BOOT_STEP = 3;
const CHECKED_STEP = 5;

type Folder = {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly history: History;
  readonly lastBlock: number;
};

const clock = createSimulatedClock();

function start(disk: SimulatedDisk, random: Random, history: History): Machine {
  const { shards, ...recovered } = recover(disk, clock, SHARDS, DATABASES);
  foldHistory(history, recovered.nextBlock - 1);
  const slotShard = slotTableFor(SHARDS);
  const common = {
    disk,
    random,
    clock,
    policy: 'everysec',
    history,
    hasCollections: false,
    slotShard,
  } as const;
  return startMachine({ ...common, ...recovered, streams: 2, databases: DATABASES });
}

function work(machine: Machine, turns: number): void {
  for (let turn = 0; turn < turns; turn += 1) {
    doCommand(machine, turn % 2);
    endTurn(machine, turn % 2);
  }
}

/** Two epochs, two streams, a snapshot, and log of both epochs behind it. */
function buildFolder(): Folder {
  const random = createRandom(11);
  const history = createHistory(SHARDS, DATABASES);
  const first = start(createSimulatedDisk(), random, history);
  work(first, 8);
  takeSnapshot(first, () => undefined);
  work(first, 3);
  stopMachine(first);
  const second = start(first.disk.kill(), random, history);
  work(second, 4);
  stopMachine(second);
  const { disk } = second;
  const folders = disk.list('.').filter((name) => /^(worker|shard)-/.test(name));
  const paths = folders.flatMap((folder) => disk.list(folder).map((name) => `${folder}/${name}`));
  const files = new Map([MANIFEST_NAME, ...paths].map((path) => [path, disk.contents(path)]));
  return { files, history, lastBlock: Math.max(...history.blocks.map(({ block }) => block)) };
}

const folder = buildFolder();
const segments = [...folder.files.keys()].filter((path) => path.endsWith('.log'));
const snapshots = [...folder.files.keys()].filter((path) => path.endsWith('.snap'));

/** By the last block that a start has found: what the shards hold then, in lines. */
const wantedAfter = new Map<number, string>();

/** What a start finds, in a word; throws where it is not as it should be. */
function outcomeOf(path: string, bytes: Buffer, isSameBoot: boolean): 'right' | 'prefix' | 'refused' {
  const whole = createSimulatedDisk();
  for (const [other, content] of folder.files) whole.place(other, other === path ? bytes : content);
  const disk = isSameBoot ? whole : whole.crash(createRandom(1));
  const { history, lastBlock } = folder;
  let found: ReturnType<typeof recover>;
  try {
    found = recover(disk, clock, SHARDS, DATABASES);
  } catch (error) {
    const { message } = error as Error;
    // Which of the streams has lost it cannot be told from what is left.
    if (!message.includes(path) && !/block \d+ is missing/.test(message)) throw error;
    return 'refused';
  }
  const last = found.nextBlock - 1;
  const wanted = wantedAfter.get(last) ?? linesOf(contentsAfter(history, last)).join('\n');
  wantedAfter.set(last, wanted);
  expect(linesOf(found.shards.map(contentsOfShard)).join('\n')).toBe(wanted);
  return last === lastBlock ? 'right' : 'prefix';
}

/** The places of a file that are worth a try: all but most of the zeros that fill its pages. */
function placesOf(bytes: Buffer): number[] {
  const places: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== 0) {
      places.push(at);
      at += 1;
      continue;
    }
    let end = at;
    while (end < bytes.length && bytes[end] === 0) end += 1;
    for (let zero = at; zero < end; zero += 1) {
      const isEdge = zero < at + ZEROS_EDGE || zero >= end - ZEROS_EDGE;
      if (isEdge || (zero - at) % ZEROS_STEP === 0) places.push(zero);
    }
    at = end;
  }
  return places;
}

type Damage = (bytes: Buffer, at: number) => Buffer;

/** Tries one in `step` places. */
function tally(path: string, isSameBoot: boolean, damage: Damage, step: number) {
  const counts = { right: 0, prefix: 0, refused: 0 };
  const whole = folder.files.get(path) as Buffer;
  for (const at of placesOf(whole).filter((_, index) => index % step === 0)) {
    try {
      counts[outcomeOf(path, damage(whole, at), isSameBoot)] += 1;
    } catch (error) {
      throw new Error(`${path}, byte ${at}: ${(error as Error).message}`, { cause: error });
    }
  }
  return counts;
}

const cut = (bytes: Buffer, at: number): Buffer => bytes.subarray(0, at);

function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] ^= 1 << (at % 8);
  return copy;
}

describe('a folder with one damaged file', () => {
  it('is read whole while nothing is damaged, before and after a power cut', () => {
    expect(segments.length).toBeGreaterThanOrEqual(4);
    expect(snapshots).toHaveLength(SHARDS);
    const manifest = folder.files.get(MANIFEST_NAME) as Buffer;
    expect(outcomeOf(MANIFEST_NAME, manifest, true)).toBe('right');
    expect(outcomeOf(MANIFEST_NAME, manifest, false)).toBe('right');
  });

  it.each(segments.flatMap((path) => [true, false].map((isSameBoot) => ({ path, isSameBoot }))))(
    'loses the end of the log or refuses, with any cut of $path (same boot: $isSameBoot)',
    ({ path, isSameBoot }) => {
      const { right, prefix, refused } = tally(path, isSameBoot, cut, isSameBoot ? 1 : OTHER_BOOT_STEP);
      expect(right).toBe(0);
      expect(prefix + refused).toBeGreaterThan(40);
    },
  );

  it.each(segments.flatMap((path) => [true, false].map((isSameBoot) => ({ path, isSameBoot }))))(
    'loses the end of the log or refuses, with any wrong byte of $path (same boot: $isSameBoot)',
    ({ path, isSameBoot }) => {
      const { right, prefix, refused } = tally(path, isSameBoot, flip, isSameBoot ? 1 : OTHER_BOOT_STEP);
      expect(right).toBe(0);
      expect(prefix + refused).toBeGreaterThan(40);
    },
  );

  it.each(snapshots)('refuses cuts and wrong bytes anywhere in %s', (path) => {
    expect(tally(path, true, cut, CHECKED_STEP)).toMatchObject({ right: 0, prefix: 0 });
    expect(tally(path, true, flip, CHECKED_STEP)).toMatchObject({ right: 0, prefix: 0 });
  });

  it('refuses cuts and wrong bytes anywhere in the manifest', () => {
    expect(tally(MANIFEST_NAME, true, cut, CHECKED_STEP)).toMatchObject({ right: 0, prefix: 0 });
    expect(tally(MANIFEST_NAME, true, flip, CHECKED_STEP)).toMatchObject({ right: 0, prefix: 0 });
  });
});
