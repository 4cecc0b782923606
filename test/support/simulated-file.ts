/**
 * A file of the simulated disk: what a reader sees, what is on the disk for certain, and the changes in between.
 *
 * After a power cut any of those changes may be there, be missing, or be there in part, each for itself.
 */
import { Buffer } from 'node:buffer';
import type { Random } from './seeded-random.ts';

export type SimulatedFile = {
  /** What readers see. */
  readonly seen: Contents;
  /** What is on the disk whatever happens. */
  readonly durable: Contents;
  unsynced: Change[];
  /** Changes in all since the file was made or found. */
  changes: number;
  /** How many names it has. */
  names: number;
};

type Contents = { bytes: Buffer; length: number };

/** A write at a position, or with `bytes` undefined a cut (or growth) of the file to it. */
type Change = {
  readonly position: number;
  readonly bytes: Buffer | undefined;
  /** The file's changes up to this one. */
  readonly number: number;
  /** A sync failed on it: the kernel takes it for written, so no later sync writes it. */
  isForgotten: boolean;
};

const ROOM_BYTES_MIN = 256;
/** Of the unsynced writes that are there after a power cut, one in so many has a flipped bit. */
const FLIPS_ONE_IN = 6;

export function createSimulatedFile(): SimulatedFile {
  return { seen: createContents(), durable: createContents(), unsynced: [], changes: 0, names: 0 };
}

export function changeFile(file: SimulatedFile, position: number, bytes: Buffer | undefined): void {
  file.changes += 1;
  const change: Change = { position, bytes, number: file.changes, isForgotten: false };
  applyChange(file.seen, change);
  file.unsynced.push(change);
}

/** Makes the first `changes` changes certain; what a failed sync forgot, and lies among them, is lost. */
export function settleFile(file: SimulatedFile, changes: number): void {
  for (const change of file.unsynced) {
    if (change.number <= changes && !change.isForgotten) applyChange(file.durable, change);
  }
  file.unsynced = file.unsynced.filter((change) => change.number > changes);
}

/** A failed sync: the first `changes` changes may have reached the disk or not, and never will any more. */
export function forgetFile(file: SimulatedFile, changes: number): void {
  for (const change of file.unsynced) if (change.number <= changes) change.isForgotten = true;
}

/** The file as another process finds it: a power cut still takes from it what it would have taken before. */
export function copyFile(file: SimulatedFile): SimulatedFile {
  return {
    seen: copyContents(file.seen),
    durable: copyContents(file.durable),
    unsynced: file.unsynced.map((change) => ({ ...change })),
    changes: file.changes,
    names: 0,
  };
}

/** The file as it is found after a power cut. */
export function fileAfterPowerCut(file: SimulatedFile, random: Random): SimulatedFile {
  const durable = copyContents(file.durable);
  const { unsynced } = file;
  switch (random(4)) {
    case 0:
      break;
    case 1: {
      // As a disk that writes in order.
      const whole = random(unsynced.length + 1);
      for (const change of unsynced.slice(0, whole)) applyChange(durable, change);
      for (const change of unsynced.slice(whole, whole + 1)) applyPart(durable, change, random);
      break;
    }
    default:
      for (const change of unsynced) applyFate(durable, change, random);
  }
  return { seen: copyContents(durable), durable, unsynced: [], changes: 0, names: 0 };
}

function applyFate(contents: Contents, change: Change, random: Random): void {
  const fate = random(4);
  if (fate === 0) applyChange(contents, change);
  else if (fate !== 1) applyPart(contents, change, random);
}

/** Some of a write: its beginning, its end, something from its middle, or only the length that it gave the file. */
function applyPart(contents: Contents, change: Change, random: Random): void {
  const { position, bytes } = change;
  if (bytes === undefined) return;
  let from = random(2) === 0 ? 0 : random(bytes.length + 1);
  let to = random(2) === 0 ? bytes.length : random(bytes.length + 1);
  if (from > to) [from, to] = [to, from];
  const part = Buffer.from(bytes.subarray(from, to));
  if (part.length > 0 && random(FLIPS_ONE_IN) === 0) part[random(part.length)] ^= 1 << random(8);
  if (random(2) === 0) lengthen(contents, position + bytes.length);
  if (part.length > 0) layBytes(contents, position + from, part);
}

function createContents(): Contents {
  return { bytes: Buffer.alloc(0), length: 0 };
}

function copyContents({ bytes, length }: Contents): Contents {
  return { bytes: Buffer.from(bytes.subarray(0, length)), length };
}

function applyChange(contents: Contents, { position, bytes }: Change): void {
  if (bytes === undefined) {
    // Bytes behind the end are zeros, so that growing the file again shows zeros.
    if (position < contents.length) contents.bytes.fill(0, position, contents.length);
    else lengthen(contents, position);
    contents.length = position;
    return;
  }
  if (bytes.length > 0) layBytes(contents, position, bytes);
}

function layBytes(contents: Contents, position: number, bytes: Buffer): void {
  lengthen(contents, position + bytes.length);
  bytes.copy(contents.bytes, position);
}

function lengthen(contents: Contents, length: number): void {
  if (length > contents.bytes.length) {
    const larger = Buffer.alloc(Math.max(length, contents.bytes.length * 2, ROOM_BYTES_MIN));
    contents.bytes.copy(larger, 0, 0, contents.length);
    contents.bytes = larger;
  }
  contents.length = Math.max(contents.length, length);
}
