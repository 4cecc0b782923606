/** The manifest and its files after a crash, or an error of the disk, at every operation of every step that changes them. */
import { describe, expect, it } from 'vitest';
import {
  beginEpoch,
  commitSnapshot,
  type DiskState,
  extendStreams,
  fallBackToPrevious,
  giveUpSegments,
  markVerified,
  nextSetNumber,
  openDiskState,
  prepareEpoch,
  removeLeftovers,
} from '../../src/durability/disk-state.ts';
import { segmentPath, snapshotPath } from '../../src/durability/file-names.ts';
import { readSegmentHeader } from '../../src/durability/log-reader.ts';
import type { Manifest } from '../../src/durability/manifest.ts';
import type { Storage } from '../../src/durability/storage-types.ts';
import {
  CREATED_MS,
  filesOf,
  listedIn,
  SHARDS,
  SNAPSHOT_TEXT,
  setOf,
  startOf,
  takeSet,
  writeSet,
} from '../support/listed-files.ts';
import { createRandom } from '../support/seeded-random.ts';
import { createSimulatedDisk, DiskStopped, type SimulatedDisk } from '../support/simulated-disk.ts';

/** Power cuts tried at each operation; each takes something else. */
const POWER_CUTS = 8;

type Step = {
  readonly name: string;
  readonly before: (state: DiskState) => void;
  readonly step: (state: DiskState) => void;
};

const STEPS: readonly Step[] = [
  {
    name: 'beginning the first epoch',
    before: () => undefined,
    step: (state) => void beginEpoch(state, startOf(1)),
  },
  {
    name: 'beginning another epoch with more streams',
    before: (state) => void beginEpoch(state, startOf(1)),
    step: (state) => void beginEpoch(state, startOf(2, 3, 6)),
  },
  {
    name: 'extending the streams',
    before: (state) => void beginEpoch(state, startOf(1)),
    step: (state) => void extendStreams(state, [0, 1], 5, CREATED_MS),
  },
  {
    name: 'the first snapshot',
    before: (state) => void beginEpoch(state, startOf(1)),
    step: (state) => takeSet(state, nextSetNumber(state), 5),
  },
  {
    name: 'a snapshot over one that is verified',
    before: (state) => {
      beginEpoch(state, startOf(1));
      takeSet(state, 1, 5);
      markVerified(state);
    },
    step: (state) => takeSet(state, nextSetNumber(state), 9),
  },
  {
    name: 'a snapshot over one that is not',
    before: (state) => {
      beginEpoch(state, startOf(1));
      takeSet(state, 1, 5);
      takeSet(state, 2, 7);
    },
    step: (state) => takeSet(state, nextSetNumber(state), 9),
  },
  {
    name: 'verifying a snapshot and tidying up',
    before: (state) => {
      beginEpoch(state, startOf(1));
      takeSet(state, 1, 5);
      takeSet(state, 2, 7);
    },
    step: (state) => {
      markVerified(state);
      removeLeftovers(state);
    },
  },
  {
    name: 'falling back to the snapshot before',
    before: (state) => {
      beginEpoch(state, startOf(1));
      takeSet(state, 1, 5);
      takeSet(state, 2, 7);
    },
    step: (state) => {
      fallBackToPrevious(state);
      removeLeftovers(state);
    },
  },
  {
    name: 'a rebase',
    before: (state) => {
      beginEpoch(state, startOf(1));
      takeSet(state, 1, 5);
    },
    step: (state) => {
      const start = startOf(2, 2, 8);
      const segments = prepareEpoch(state, start);
      const set = nextSetNumber(state);
      try {
        writeSet(state.storage, set);
        const sequences = segments.map(({ sequence }) => sequence);
        commitSnapshot(state, setOf(set, 2, sequences, 8), { start, segments });
      } catch (error) {
        giveUpSegments(state, segments);
        throw error;
      }
      removeLeftovers(state);
    },
  },
];

/** What one step makes of a manifest, each of the manifests in between being as good. */
function manifestsOf({ before, step }: Step): (Manifest | undefined)[] {
  const disk = createSimulatedDisk();
  const state = openDiskState(disk);
  before(state);
  const known = [state.manifest];
  const seen = new Proxy(state, {
    set: (target, name, value) => {
      if (name === 'manifest') known.push(value);
      return Reflect.set(target, name, value);
    },
  });
  step(seen);
  return known;
}

describe('a crash at every operation', () => {
  it.each(STEPS)('of $name leaves a state that lists what is there', (one) => {
    const known = manifestsOf(one);
    for (let operation = 0, isOver = false; !isOver; operation += 1) {
      for (let ending = 0; ending <= POWER_CUTS; ending += 1) {
        const disk = createSimulatedDisk(operation + 1);
        const state = openDiskState(disk);
        one.before(state);
        disk.stopAt(disk.operationCount() + operation);
        isOver = !isStopped(() => one.step(state), disk);
        const found = ending === POWER_CUTS ? disk.kill() : disk.crash(createRandom(ending + 1));
        expectConsistent(found, known);
      }
    }
  });

  it('of which each start crashes as well leaves such a state still', () => {
    const random = createRandom(7);
    for (const one of STEPS) {
      const known = manifestsOf(one);
      for (let round = 0; round < 30; round += 1) {
        let disk = createSimulatedDisk(round + 1);
        const state = openDiskState(disk);
        one.before(state);
        disk.stopAt(disk.operationCount() + random(20));
        isStopped(() => one.step(state), disk);
        disk = random(2) === 0 ? disk.kill() : disk.crash(random);
        disk.stopAt(random(3));
        isStopped(() => removeLeftovers(openDiskState(disk)), disk);
        expectConsistent(random(2) === 0 ? disk.kill() : disk.crash(random), known);
      }
    }
  });
});

const CHANGING = [
  ...(['createFile', 'write', 'sync', 'rename'] as const),
  ...(['remove', 'makeFolder', 'syncFolder'] as const),
];

/** The disk, of which the call number `bad` that changes it fails, and with `isForGood` all later ones too. */
function faultAt(
  disk: SimulatedDisk,
  bad: number,
  isForGood: boolean,
): { storage: Storage; calls: () => number } {
  let calls = 0;
  const failing = CHANGING.map((name) => {
    const call = disk[name] as (...all: unknown[]) => unknown;
    const watched = (...all: unknown[]): unknown => {
      calls += 1;
      const isBad = isForGood ? calls > bad : calls === bad + 1;
      if (isBad) throw Object.assign(new Error('EIO'), { code: 'EIO', errno: -5 });
      return call(...all);
    };
    return [name, watched];
  });
  return { storage: { ...disk, ...Object.fromEntries(failing) }, calls: () => calls };
}

describe('a disk that fails at any operation', () => {
  it.each(STEPS)('of $name, and the crash that follows, leave a state that lists what is there', (one) => {
    const known = manifestsOf(one);
    for (const isForGood of [false, true]) {
      for (let operation = 0, isOver = false; !isOver; operation += 1) {
        for (let ending = 0; ending <= POWER_CUTS / 2; ending += 1) {
          const { disk, state, isDone } = stepWithFault(one, operation, isForGood);
          isOver = isDone;
          // The one that lived on goes on as well, once the disk is good again.
          if (ending === 0) goOn({ ...state, storage: disk });
          else expectConsistent(ending === 1 ? disk.kill() : disk.crash(createRandom(ending)), known);
        }
      }
    }
  });
});

function stepWithFault(one: Step, operation: number, isForGood: boolean) {
  const disk = createSimulatedDisk(operation + 1);
  const prepared = openDiskState(disk);
  one.before(prepared);
  const { storage, calls } = faultAt(disk, operation, isForGood);
  const state: DiskState = { ...prepared, storage };
  try {
    one.step(state);
  } catch (error) {
    expect(error).toMatchObject({ code: 'EIO' });
  }
  return { disk, state, isDone: calls() <= operation };
}

/** Whatever has failed before. */
function goOn(state: DiskState): void {
  const set = nextSetNumber(state);
  if (state.manifest === undefined) beginEpoch(state, startOf(1));
  for (let shard = 0; shard < SHARDS; shard += 1) {
    for (const path of [snapshotPath(shard, set), `${snapshotPath(shard, set)}.tmp`]) {
      if (state.storage.exists(path)) state.storage.remove(path);
    }
  }
  takeSet(state, set, 30);
  markVerified(state);
  removeLeftovers(state);
  expect(filesOf(state.storage)).toEqual(listedIn(state.manifest));
  expect(openDiskState(state.storage).manifest).toEqual(state.manifest);
}

function isStopped(step: () => void, disk: SimulatedDisk): boolean {
  try {
    step();
    disk.exists('.');
    return false;
  } catch (error) {
    if (error instanceof DiskStopped) return true;
    throw error;
  }
}

/** The next start finds one of the known manifests, all that it lists, and nothing else when it has tidied up; it can go on. */
function expectConsistent(disk: SimulatedDisk, known: readonly (Manifest | undefined)[]): void {
  const state = openDiskState(disk);
  expect(known).toContainEqual(state.manifest);
  removeLeftovers(state);
  expect(filesOf(disk)).toEqual(listedIn(state.manifest));
  for (const { stream, segments } of state.manifest?.streams ?? []) {
    for (const { sequence, epoch } of segments) {
      expect(readSegmentHeader(disk, segmentPath(stream, sequence))).toMatchObject({
        stream,
        sequence,
        epoch,
      });
    }
  }
  for (const set of [state.manifest?.snapshot, state.manifest?.previous]) {
    for (const { shard } of set?.files ?? []) {
      expect(disk.contents(snapshotPath(shard, set?.set ?? 0)).toString()).toBe(SNAPSHOT_TEXT);
    }
  }
  const epoch = (state.manifest?.epoch ?? 0) + 1;
  const segments = beginEpoch(state, startOf(epoch, 3, 20));
  expect(segments).toHaveLength(3);
  expect(openDiskState(disk).manifest).toEqual(state.manifest);
}
