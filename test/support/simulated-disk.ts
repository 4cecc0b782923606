/**
 * A disk in memory for tests of crashes: it fails on demand, stops a process at any change, and forgets in a power cut
 * what was not synced: bytes, names, renames and removals. Chance comes from a seed, and nothing takes time.
 *
 * A name is certain once its folder was synced, and a file's bytes once the file was; one says nothing of the other.
 */
import { Buffer } from 'node:buffer';
import { constants } from 'node:os';
import { posix } from 'node:path';
import type { Storage } from '../../src/durability/storage-types.ts';
import { createRandom, type Random } from './seeded-random.ts';
import {
  changeFile,
  createSimulatedFile,
  forgetFile,
  type SimulatedFile,
  settleFile,
} from './simulated-file.ts';
import {
  changeNames,
  copyNames,
  createSimulatedNames,
  FOLDER,
  fileNamed,
  isFolder,
  loseFolder,
  type NameChange,
  namesAfterPowerCut,
  namesIn,
  type SimulatedNames,
  settleNames,
  settlePath,
  tidied,
} from './simulated-names.ts';

/** Thrown by every call on a disk whose process was stopped: the test catches it where the process would be dead. */
export class DiskStopped extends Error {}

export type SimulatedDisk = Storage & {
  /** Calls so far that change the disk; see `stopAt`. */
  operationCount(): number;
  /** Stops the process after so many calls that change the disk in all: the next is not done (a write: in part). */
  stopAt(operations: number): void;
  /** The next `times` calls of an operation fail with a code; a write leaves a part, a sync forgets what it was to sync. */
  failNext(operation: Operation, code?: string, times?: number): void;
  /** Space for the growth of files; a write that finds too little leaves what fits and fails with ENOSPC. */
  setFreeBytes(bytes: number): void;
  /** Removes a folder with all that is in it, as an operator's mistake would; open files have no name any more. */
  loseFolder(path: string): void;
  /**
   * Carries out up to `count` of the syncs that `syncLater` left waiting, oldest first, and calls back; how many that
   * were. Each puts on the disk what had been written when it was asked for, and counts as an operation only now.
   */
  pump(count?: number): number;
  /** The disk as the next process finds it after the machine lost its power. May be asked many times over. */
  crash(random: Random): SimulatedDisk;
  /** The disk as the next process finds it after this one died: all is there, but unsynced as it was. */
  kill(): SimulatedDisk;
  /** All bytes of a file. */
  contents(path: string): Buffer;
  /** Replaces a file, or makes one, for certain. Costs no operation. */
  place(path: string, bytes: Uint8Array): void;
};

type Operation = Exclude<keyof Storage, 'bootId' | 'exists' | 'list' | 'close'>;

type OpenFile = { readonly file: SimulatedFile; readonly isWritable: boolean; syncsWaiting: number };
type WaitingSync = {
  readonly open: OpenFile;
  readonly changes: number;
  readonly done: (error?: Error) => void;
};

type State = {
  readonly random: Random;
  readonly boot: number;
  readonly names: SimulatedNames;
  readonly open: Map<number, OpenFile>;
  nextFd: number;
  readonly waiting: WaitingSync[];
  operations: number;
  stopAfter: number;
  isStopped: boolean;
  readonly faults: Map<Operation, { code: string; times: number }>;
  freeBytes: number;
};

const STOP = 'stop';
const FD_FIRST = 100;
const NOT_CHANGING: readonly Operation[] = ['openRead', 'openWrite', 'size', 'linkCount', 'read'];

export function createSimulatedDisk(seed = 1): SimulatedDisk {
  return diskOf(createState(createRandom(seed), createSimulatedNames(), 1));
}

function createState(random: Random, names: SimulatedNames, boot: number): State {
  return {
    random,
    boot,
    names,
    open: new Map(),
    nextFd: FD_FIRST,
    waiting: [],
    operations: 0,
    stopAfter: Infinity,
    isStopped: false,
    faults: new Map(),
    freeBytes: Infinity,
  };
}

function diskOf(state: State): SimulatedDisk {
  return { ...storageOf(state), ...controlsOf(state) };
}

function storageOf(state: State): Storage {
  return {
    openRead: (path) => openFile(state, 'openRead', path),
    openWrite: (path) => openFile(state, 'openWrite', path),
    createFile: (path) => createNewFile(state, tidied(path)),
    close: (fd) => closeFile(state, fd),
    size: (fd) => openOf(state, fd, 'size').file.seen.length,
    linkCount: (fd) => openOf(state, fd, 'linkCount').file.names,
    read: (fd, bytes, start, end, position) => readFile(state, fd, bytes.subarray(start, end), position),
    write: (fd, bytes, start, end, position) => writeFile(state, fd, bytes.subarray(start, end), position),
    truncate: (fd, bytes) => truncateFile(state, fd, bytes),
    sync: (fd) => syncNow(state, fd),
    syncLater: (fd, done) => waitForSync(state, fd, done),
    rename: (from, to) => renameFile(state, tidied(from), tidied(to)),
    link: (from, to) => linkFile(state, tidied(from), tidied(to)),
    remove: (path) => removeFile(state, tidied(path)),
    exists: (path) => isThere(state, tidied(path)),
    list: (folder) => listFolder(state, tidied(folder)),
    makeFolder: (path) => makeFolders(state, tidied(path)),
    syncFolder: (path) => syncFolder(state, tidied(path)),
    bootId: () => `00000000-0000-4000-8000-${String(state.boot).padStart(12, '0')}`,
  };
}

function controlsOf(state: State): Omit<SimulatedDisk, keyof Storage> {
  return {
    operationCount: () => state.operations,
    stopAt: (operations) => {
      state.stopAfter = operations;
    },
    failNext: (operation, code = 'EIO', times = 1) => void state.faults.set(operation, { code, times }),
    setFreeBytes: (bytes) => {
      state.freeBytes = bytes;
    },
    loseFolder: (path) => loseFolder(state.names, tidied(path)),
    pump: (count = Infinity) => pumpSyncs(state, count),
    crash: (random) => diskOf(createState(random, namesAfterPowerCut(state.names, random), state.boot + 1)),
    kill: () =>
      diskOf({
        ...createState(state.random, copyNames(state.names), state.boot),
        freeBytes: state.freeBytes,
      }),
    contents: (path) => {
      const { seen } = fileOf(state, tidied(path), 'contents');
      return Buffer.from(seen.bytes.subarray(0, seen.length));
    },
    place: (path, bytes) => placeFile(state, tidied(path), Buffer.from(bytes)),
  };
}

// Files.

function openFile(state: State, operation: 'openRead' | 'openWrite', path: string): number {
  demand(state, operation, path);
  return openNode(state, fileOf(state, tidied(path), operation), operation === 'openWrite');
}

function createNewFile(state: State, path: string): number {
  demand(state, 'createFile', path);
  demandFree(state, 'createFile', path);
  const file = createSimulatedFile();
  giveNames(state, [[path, file]]);
  return openNode(state, file, true);
}

function openNode(state: State, file: SimulatedFile, isWritable: boolean): number {
  const fd = state.nextFd;
  state.nextFd += 1;
  state.open.set(fd, { file, isWritable, syncsWaiting: 0 });
  return fd;
}

function closeFile(state: State, fd: number): void {
  demandLife(state);
  // The kernel would give the number to the next file, and the sync would be that one's.
  if (openOf(state, fd).syncsWaiting > 0)
    throw new Error('a file was closed while a sync of it was under way');
  state.open.delete(fd);
}

function readFile(state: State, fd: number, target: Uint8Array, position: number): number {
  const { seen } = openOf(state, fd, 'read').file;
  const found = seen.bytes.subarray(Math.min(position, seen.length), seen.length).subarray(0, target.length);
  target.set(found);
  return found.length;
}

function writeFile(state: State, fd: number, source: Uint8Array, position: number): void {
  const { file } = writableOf(state, fd);
  const bytes = Buffer.from(source);
  const verdict = verdictOn(state, 'write');
  if (verdict !== undefined) {
    growFile(state, file, position, bytes.subarray(0, state.random(bytes.length + 1)));
    refuse(verdict, 'write');
  }
  if (!growFile(state, file, position, bytes)) refuse('ENOSPC', 'write');
}

/** Writes what there is space for; false when that is not all. */
function growFile(state: State, file: SimulatedFile, position: number, bytes: Buffer): boolean {
  const growth = Math.max(0, position + bytes.length - file.seen.length);
  const lacking = Math.max(0, growth - state.freeBytes);
  const fitting = bytes.subarray(0, Math.max(0, bytes.length - lacking));
  const lengthBefore = file.seen.length;
  if (fitting.length > 0) changeFile(file, position, fitting);
  state.freeBytes -= file.seen.length - lengthBefore;
  return lacking === 0;
}

function truncateFile(state: State, fd: number, bytes: number): void {
  demand(state, 'truncate');
  const { file } = writableOf(state, fd);
  if (bytes < file.seen.length) state.freeBytes += file.seen.length - bytes;
  changeFile(file, bytes, undefined);
}

function syncNow(state: State, fd: number): void {
  const open = openOf(state, fd);
  const error = syncOpen(state, 'sync', open, open.file.changes);
  if (error !== undefined) throw error;
}

function syncOpen(
  state: State,
  operation: 'sync' | 'syncLater',
  { file }: OpenFile,
  changes: number,
): Error | undefined {
  const verdict = verdictOn(state, operation);
  if (verdict === STOP) refuse(verdict, operation);
  if (verdict === undefined) {
    settleFile(file, changes);
    return undefined;
  }
  forgetFile(file, changes);
  return systemError(verdict, operation);
}

function waitForSync(state: State, fd: number, done: (error?: Error) => void): void {
  demandLife(state);
  const open = openOf(state, fd);
  open.syncsWaiting += 1;
  state.waiting.push({ open, changes: open.file.changes, done });
}

function pumpSyncs(state: State, count: number): number {
  let pumped = 0;
  while (pumped < count && state.waiting.length > 0) {
    demandLife(state);
    const { open, changes, done } = state.waiting.shift() as WaitingSync;
    open.syncsWaiting -= 1;
    pumped += 1;
    done(syncOpen(state, 'syncLater', open, changes));
  }
  return pumped;
}

// Names.

function renameFile(state: State, from: string, to: string): void {
  demand(state, 'rename', from);
  const file = fileOf(state, from, 'rename');
  if (!isFolder(state.names, posix.dirname(to))) refuse('ENOENT', 'rename', to);
  if (isFolder(state.names, to)) refuse('EISDIR', 'rename', to);
  // Two names of one file: the kernel leaves both, says it has done it, and so does this disk.
  if (fileNamed(state.names, to) === file) return;
  giveNames(state, [
    [from, undefined],
    [to, file],
  ]);
}

function linkFile(state: State, from: string, to: string): void {
  demand(state, 'link', from);
  const file = fileOf(state, from, 'link');
  demandFree(state, 'link', to);
  giveNames(state, [[to, file]]);
}

function removeFile(state: State, path: string): void {
  demand(state, 'remove', path);
  fileOf(state, path, 'remove');
  giveNames(state, [[path, undefined]]);
}

function makeFolders(state: State, path: string): void {
  demand(state, 'makeFolder', path);
  giveFolders(state, path);
}

function listFolder(state: State, folder: string): string[] {
  demandLife(state);
  return namesIn(state.names, folder);
}

function isThere(state: State, path: string): boolean {
  demandLife(state);
  return state.names.seen.has(path) || isFolder(state.names, path);
}

function syncFolder(state: State, folder: string): void {
  demand(state, 'syncFolder', folder);
  if (!isFolder(state.names, folder)) refuse('ENOENT', 'syncFolder', folder);
  settleNames(state.names, folder);
}

function placeFile(state: State, path: string, bytes: Buffer): void {
  giveFolders(state, posix.dirname(path));
  const file = createSimulatedFile();
  changeFile(file, 0, bytes);
  settleFile(file, file.changes);
  giveNames(state, [[path, file]]);
  settlePath(state.names, path);
}

/** Makes a folder and those above it. */
function giveFolders(state: State, path: string): void {
  if (isFolder(state.names, path)) return;
  giveFolders(state, posix.dirname(path));
  demandFree(state, 'makeFolder', path);
  giveNames(state, [[path, FOLDER]]);
}

function giveNames(state: State, change: NameChange): void {
  for (const file of changeNames(state.names, change)) state.freeBytes += file.seen.length;
}

// Trouble.

function demandLife(state: State): void {
  if (state.isStopped) throw new DiskStopped('the process was stopped');
}

function demand(state: State, operation: Operation, path?: string): void {
  const verdict = verdictOn(state, operation);
  if (verdict !== undefined) refuse(verdict, operation, path);
}

/** What stands against an operation: the stop, or an error's code. */
function verdictOn(state: State, operation: Operation): string | undefined {
  demandLife(state);
  if (!NOT_CHANGING.includes(operation)) {
    if (state.operations >= state.stopAfter) {
      state.isStopped = true;
      return STOP;
    }
    state.operations += 1;
  }
  const fault = state.faults.get(operation);
  if (fault === undefined || fault.times === 0) return undefined;
  fault.times -= 1;
  return fault.code;
}

function refuse(verdict: string, operation: string, path?: string): never {
  if (verdict === STOP) throw new DiskStopped('the process was stopped');
  throw systemError(verdict, operation, path);
}

function systemError(code: string, operation: string, path = ''): Error {
  const errno = -(constants.errno as Record<string, number>)[code];
  return Object.assign(new Error(`${code}: simulated, ${operation} '${path}'`), { code, errno });
}

/** An open file, for an operation that may have been told to fail. */
function openOf(state: State, fd: number, operation?: Operation): OpenFile {
  if (operation === undefined) demandLife(state);
  else demand(state, operation);
  return state.open.get(fd) ?? refuse('EBADF', 'an open file', String(fd));
}

function writableOf(state: State, fd: number): OpenFile {
  const open = openOf(state, fd);
  return open.isWritable ? open : refuse('EBADF', 'a file opened for writing', String(fd));
}

function fileOf(state: State, path: string, operation: string): SimulatedFile {
  const code = isFolder(state.names, path) ? 'EISDIR' : 'ENOENT';
  return fileNamed(state.names, path) ?? refuse(code, operation, path);
}

function demandFree(state: State, operation: string, path: string): void {
  if (!isFolder(state.names, posix.dirname(path))) refuse('ENOENT', operation, path);
  if (state.names.seen.has(path) || isFolder(state.names, path)) refuse('EEXIST', operation, path);
}
