/**
 * The door to the disk: nothing else of the server touches files, but for the configuration's own.
 *
 * Owns no state; any thread. What the operator must mend at start is thrown as a StartError.
 */
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { assert } from '../base/assert.ts';
import { StartError } from '../base/errors.ts';
import { TRANSFER_BYTES_MAX } from '../config/limits.ts';
import type { Storage } from './storage-types.ts';

const FILE_MODE = 0o644;
const BOOT_ID_PATH = '/proc/sys/kernel/random/boot_id';

/** Makes `folder` the process's own, as redis-server does with `dir`. Main thread. Throws where it cannot be used. */
export function enterFolder(folder: string): void {
  try {
    process.chdir(folder);
    accessSync('.', constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new StartError(`cannot use the folder '${folder}' (dir): ${systemErrorText(error)}`, 1);
  }
}

/** Clears the way for a Unix socket: removes what a dead server left. Throws where another kind of file is there. */
export function removeStaleSocket(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error('there is a file of that name which is no socket');
  unlinkSync(path);
}

/** Sets the permissions of a file, e.g. 0o700. */
export function setPermissions(path: string, mode: number): void {
  chmodSync(path, mode);
}

/** The disk of this machine. */
export function createDiskStorage(): Storage {
  return {
    openRead: (path) => openSync(path, constants.O_RDONLY),
    createFile: (path) => openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, FILE_MODE),
    openWrite: (path) => openSync(path, constants.O_RDWR),
    close: closeSync,
    size: (fd) => fstatSync(fd).size,
    linkCount: (fd) => fstatSync(fd).nlink,
    read: readAll,
    write: writeAll,
    truncate: ftruncateSync,
    sync: fdatasyncSync,
    syncLater: (fd, done) => fdatasync(fd, (error) => done(error ?? undefined)),
    rename: renameSync,
    link: linkSync,
    remove: unlinkSync,
    exists: existsSync,
    list: listFolder,
    makeFolder: (path) => void mkdirSync(path, { recursive: true }),
    syncFolder,
    bootId: readBootId,
  };
}

function readAll(fd: number, bytes: Uint8Array, start: number, end: number, position: number): number {
  let at = start;
  while (at < end) {
    const count = Math.min(end - at, TRANSFER_BYTES_MAX);
    const got = readSync(fd, bytes, at, count, position + at - start);
    if (got === 0) break;
    at += got;
  }
  return at - start;
}

/** A short write is no error to the kernel (a disk that fills up, a signal): the call for the rest tells. */
function writeAll(fd: number, bytes: Uint8Array, start: number, end: number, position: number): void {
  let at = start;
  while (at < end) {
    const count = Math.min(end - at, TRANSFER_BYTES_MAX);
    const put = writeSync(fd, bytes, at, count, position + at - start);
    assert(put > 0, 'a write of some bytes writes at least one, or fails');
    at += put;
  }
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function syncFolder(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function readBootId(): string {
  return existsSync(BOOT_ID_PATH) ? readFileSync(BOOT_ID_PATH, 'latin1').trim() : '';
}

/** The kernel's words for a failed call, without path and call. */
function systemErrorText(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  return errno === undefined ? message : getSystemErrorMessage(errno);
}
