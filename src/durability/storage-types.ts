/**
 * What durability asks of a disk. Owns no state; any thread. The real disk is made by storage.ts; tests bring one that
 * forgets, tears and fails.
 *
 * Paths are absolute or relative to the process's folder. What fails is thrown as Node's system errors (`code` is
 * ENOSPC, EIO, ENOENT, ...). Every function but `syncLater` blocks its thread until the kernel has answered.
 */
export type Storage = {
  /** Opens a file for reading. */
  openRead(path: string): number;
  /** Makes a file that must not be there yet (EEXIST), for reading and writing. */
  createFile(path: string): number;
  /** Opens a file that is there for reading and writing; its bytes stay. */
  openWrite(path: string): number;
  close(fd: number): void;

  /** Length of an open file in bytes. */
  size(fd: number): number;
  /** Names that an open file has: 0 when it was removed, or its folder was, since it was opened. */
  linkCount(fd: number): number;

  /** Reads into `bytes` from `start` to `end`; returns how many there were, fewer than asked only at the end of the file. */
  read(fd: number, bytes: Uint8Array, start: number, end: number, position: number): number;
  /** Writes all of `bytes` from `start` to `end`, or throws and may have written a part. */
  write(fd: number, bytes: Uint8Array, start: number, end: number, position: number): void;
  /** Cuts a file to so many bytes, or fills it up with zeros. */
  truncate(fd: number, bytes: number): void;

  /** Puts a file's bytes and length on the disk (fdatasync), not its name. After a failure nothing unsynced is certain. */
  sync(fd: number): void;
  /** The same off this thread; `done` is called later on this one, with the error if it failed. */
  syncLater(fd: number, done: (error?: Error) => void): void;

  /** Gives a file another name, in place of the file that has it. */
  rename(from: string, to: string): void;
  /** Gives a file one more name, which must not be there yet (EEXIST). */
  link(from: string, to: string): void;
  remove(path: string): void;
  exists(path: string): boolean;
  /** Names in a folder, in order; none when there is no such folder. */
  list(folder: string): string[];
  /** Makes a folder, and those above it; one that is there is fine. */
  makeFolder(path: string): void;
  /** Puts a folder's names on the disk: what was created, renamed and removed there. */
  syncFolder(path: string): void;

  /** What changes with every start of the machine; empty where the system does not tell. */
  bootId(): string;
};
