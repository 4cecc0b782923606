/**
 * The door to the disk: nothing else of the server touches files, but for the configuration's own.
 *
 * Owns no state; any thread. What the operator must mend at start is thrown as a StartError.
 */
import { accessSync, chmodSync, constants, lstatSync, unlinkSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { StartError } from '../base/errors.ts';

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

/** The kernel's words for a failed call, without path and call. */
function systemErrorText(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  return errno === undefined ? message : getSystemErrorMessage(errno);
}
