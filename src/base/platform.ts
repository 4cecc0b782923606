/**
 * The operating system and the process, as far as commands tell of them or a test asks for the end of a thread.
 *
 * Owns no state; any thread.
 */
import { machine, release, totalmem, type } from 'node:os';
import { getSystemErrorMessage } from 'node:util';

/** As `uname -srm` says it. */
export function operatingSystem(): string {
  return `${type()} ${release()} ${machine()}`;
}

export function totalMemoryBytes(): number {
  return totalmem();
}

/** The kernel's words for one of its error numbers (negative, as in `Error.errno`). */
export function systemErrorText(errno: number): string {
  return getSystemErrorMessage(errno);
}

/** Ends the calling worker thread on the spot: nothing that is open is closed, no lock is released, no `finally` runs. */
export function endThread(exitCode: number): never {
  return process.exit(exitCode);
}
