/**
 * Errors of a broken world, thrown at the edges of the process only. Any thread.
 */

/**
 * The server cannot start: configuration, address or folder. `message` is one line for the operator, and
 * `exitCode` is what the process ends with (78, sysexits EX_CONFIG, for configuration; 1 for the rest).
 */
export class StartError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.name = 'StartError';
    this.exitCode = exitCode;
  }
}
