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

/** The words of libuv for an error that are others than the C library's. */
const INPUT_OUTPUT_ERROR = 'i/o error';

/** What the C library's strerror says of an error number (negative, as in `Error.errno`): as redis-server quotes it. */
export function systemErrorText(errno: number): string {
  const text = getSystemErrorMessage(errno);
  return text === INPUT_OUTPUT_ERROR ? 'Input/output error' : text.charAt(0).toUpperCase() + text.slice(1);
}

/** Ends the calling worker thread on the spot: nothing that is open is closed, no lock is released, no `finally` runs. */
export function endThread(exitCode: number): never {
  return process.exit(exitCode);
}
