/**
 * One process per folder: `distcache.lock` names the process that has it.
 *
 * Main thread. The file appears whole or not at all (written aside, then linked to its name), and is left behind by a
 * process that was killed: the next one sees that its holder is gone and takes its place. Two that see it at once are kept
 * apart by a claim: a lock of the same kind whose name carries the stale lock's identity. Only who holds the claim may
 * replace that lock, and does so by renaming the claim onto it; a claim whose holder died is taken over in the same way.
 */
import { Buffer } from 'node:buffer';
import { hostname } from 'node:os';
import { posix, resolve } from 'node:path';
import { crc32 } from '../base/checksum.ts';
import { StartError } from '../base/errors.ts';
import { DIRECTORY_LOCK_BYTES_MAX, DIRECTORY_LOCK_ROUNDS_MAX } from '../config/limits.ts';
import type { Storage } from './storage-types.ts';

export const DIRECTORY_LOCK_NAME = 'distcache.lock';

/** A process, so that no other is ever mistaken for it; what the system does not tell is empty. */
export type LockHolder = {
  readonly pid: number;
  /** When it started, in clock ticks since the machine did. */
  readonly started: string;
  readonly boot: string;
  readonly host: string;
};

export type DirectoryLock = { readonly path: string; readonly text: string };

/** When the process of that id started; undefined when there is none, empty when the system does not tell. */
export type FindStart = (pid: number) => string | undefined;

type Contender = {
  readonly storage: Storage;
  readonly self: LockHolder;
  readonly findStart: FindStart;
  readonly text: string;
  readonly aside: string;
};

const START_FIELD = 22;
const STATE_FIELD = 3;
const DEAD_STATES = ['Z', 'X', 'x'];
const ASIDE = '.tmp';
const HEX_DIGITS = 8;

/** This process, as a lock names it. */
export function describeProcess(storage: Storage): LockHolder {
  const { pid } = process;
  return { pid, started: findProcessStart(storage, pid) ?? '', boot: storage.bootId(), host: hostname() };
}

/**
 * Takes `folder` for this process, or throws a StartError that names the process which has it. A lock of a process that is
 * gone, or whose number another process has by now, is replaced; one that another host wrote is not, since nobody can tell.
 */
export function acquireDirectoryLock(
  storage: Storage,
  folder: string,
  self: LockHolder = describeProcess(storage),
  findStart: FindStart = (pid) => findProcessStart(storage, pid),
): DirectoryLock {
  const path = posix.join(folder, DIRECTORY_LOCK_NAME);
  const text = `${JSON.stringify(self)}\n`;
  const contender = { storage, self, findStart, text, aside: `${path}.${identityOf(text)}${ASIDE}` };
  try {
    const other = takeLock(contender, path);
    if (other !== undefined) throw new StartError(refusal(folder, other, self), 1);
    removeLeftovers(contender, folder);
  } catch (error) {
    if (error instanceof StartError || codeOf(error) === undefined) throw error;
    throw new StartError(`cannot lock the folder '${resolve(folder)}': ${(error as Error).message}`, 1);
  } finally {
    removeIfThere(storage, contender.aside);
  }
  return { path, text };
}

/** Gives the folder back, unless the lock there is another's by now. */
export function releaseDirectoryLock(storage: Storage, lock: DirectoryLock): void {
  if (readText(storage, lock.path) === lock.text) removeIfThere(storage, lock.path);
}

/** Takes the lock at `path`; else the process that has it, or is just taking it. */
function takeLock(contender: Contender, path: string): LockHolder | undefined {
  const { storage } = contender;
  for (let round = 0; round < DIRECTORY_LOCK_ROUNDS_MAX; round += 1) {
    if (linkOwn(contender, path)) return undefined;
    const found = readText(storage, path);
    if (found === undefined) continue;
    const holder = parseHolder(found);
    if (holder !== undefined && isRunning(contender, holder)) return holder;
    const claim = `${path}.${identityOf(found)}`;
    const rival = takeLock(contender, claim);
    if (rival !== undefined) return rival;
    if (readText(storage, path) === found) {
      storage.rename(claim, path);
      return undefined;
    }
    removeIfThere(storage, claim);
  }
  throw new StartError(`cannot lock '${path}': other processes take and leave it all the time`, 1);
}

/** Makes `path` a lock of this process, unless there is a file of that name. */
function linkOwn({ storage, text, aside }: Contender, path: string): boolean {
  if (readText(storage, aside) !== text) writeAside(storage, aside, text);
  try {
    storage.link(aside, path);
    return true;
  } catch (error) {
    // Where the file aside is gone, the lock's new holder took it for a leftover.
    if (codeOf(error) !== 'EEXIST' && codeOf(error) !== 'ENOENT') throw error;
    return false;
  }
}

function writeAside(storage: Storage, aside: string, text: string): void {
  removeIfThere(storage, aside);
  const fd = storage.createFile(aside);
  try {
    const bytes = Buffer.from(text);
    storage.write(fd, bytes, 0, bytes.length, 0);
  } finally {
    storage.close(fd);
  }
}

/** Removes what contenders that died have left: under the lock, no claim on it means anything any more. */
function removeLeftovers(contender: Contender, folder: string): void {
  const { storage } = contender;
  for (const name of storage.list(folder)) {
    if (!name.startsWith(`${DIRECTORY_LOCK_NAME}.`)) continue;
    const path = posix.join(folder, name);
    const holder = parseHolder(readText(storage, path) ?? '');
    if (holder === undefined || !isRunning(contender, holder)) removeIfThere(storage, path);
  }
}

function isRunning({ self, findStart }: Contender, holder: LockHolder): boolean {
  if (holder.host !== self.host) return true;
  if (holder.boot !== self.boot) return false;
  const started = findStart(holder.pid);
  if (started === undefined) return false;
  return started === '' || holder.started === '' || started === holder.started;
}

function refusal(folder: string, holder: LockHolder, self: LockHolder): string {
  const text = `the folder '${resolve(folder)}' is in use by process ${holder.pid}`;
  if (holder.host === self.host) return `${text} (${DIRECTORY_LOCK_NAME})`;
  return `${text} of the host '${holder.host}' (${DIRECTORY_LOCK_NAME}; remove it if no server runs there any more)`;
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const { pid, started, boot, host } = JSON.parse(text) as Partial<LockHolder>;
    const isWhole =
      Number.isInteger(pid) && [started, boot, host].every((field) => typeof field === 'string');
    return isWhole ? ({ pid, started, boot, host } as LockHolder) : undefined;
  } catch {
    // Nobody's: a lock appears with all of its text, so this one lost it with the machine's power.
    return undefined;
  }
}

function identityOf(text: string): string {
  return crc32(Buffer.from(text)).toString(16).padStart(HEX_DIGITS, '0');
}

/** A small file's text; undefined when there is none. */
function readText(storage: Storage, path: string): string | undefined {
  let fd: number;
  try {
    fd = storage.openRead(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(DIRECTORY_LOCK_BYTES_MAX);
    return bytes.toString('utf8', 0, storage.read(fd, bytes, 0, bytes.length, 0));
  } finally {
    storage.close(fd);
  }
}

function removeIfThere(storage: Storage, path: string): void {
  try {
    storage.remove(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** A process that is dead but not yet buried by its parent counts as gone. Linux tells the start; others only the life. */
function findProcessStart(storage: Storage, pid: number): string | undefined {
  if (!storage.exists('/proc/self/stat')) return isAlive(pid) ? '' : undefined;
  const stat = readStat(storage, pid);
  // The second field is the program's name in brackets, and may hold spaces and brackets itself.
  const fields = stat
    ?.slice(stat.lastIndexOf(')') + 1)
    .trim()
    .split(' ');
  if (fields === undefined || DEAD_STATES.includes(fields[0])) return undefined;
  return fields[START_FIELD - STATE_FIELD] ?? '';
}

/** A process may end while its file is read: then the kernel says that there is no such process. */
function readStat(storage: Storage, pid: number): string | undefined {
  try {
    return readText(storage, `/proc/${pid}/stat`);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
