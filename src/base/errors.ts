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

/**
 * A shard's lock could not be had within the time that this thread may wait: its holder is slow, or dead. Nothing was
 * begun. Only on a thread that has such a bound, which is main.
 */
export class ShardBusyError extends Error {
  constructor(shard: number) {
    super(`shard ${shard} is busy`);
    this.name = 'ShardBusyError';
  }
}

/**
 * So much is pending in a shard's journal that a worker has to drain it first. Nothing was done, though something may have been
 * evicted. Only on main, which has no stream of the log.
 */
export class LogBehindError extends ShardBusyError {}

/** What is known of a request that got no good answer: it never arrived, it may have been done or not, or it was refused. */
export type EtcdOutcome = 'unsent' | 'unknown' | 'refused';

/** A request to etcd failed. `message` is one phrase for the operator and names no secrets; `code` is gRPC's where etcd gave one. */
export class EtcdError extends Error {
  readonly outcome: EtcdOutcome;
  readonly code: number;

  constructor(message: string, outcome: EtcdOutcome, code = 0) {
    super(message);
    this.name = 'EtcdError';
    this.outcome = outcome;
    this.code = code;
  }
}
