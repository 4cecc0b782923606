/**
 * What becomes of a command that threw, which is a bug of ours: one line for the client, the stack for the log, and shards
 * that are checked before others enter them.
 *
 * Runs on the thread of the command.
 */
import { dropNoted } from '../collections/change.ts';
import { INTERNAL_ERRORS } from '../metrics/names.ts';
import { writeError } from '../resp/reply-writer.ts';
import { LSN } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { isSuspect, mendShard } from '../shard/recover.ts';
import type { Shard } from '../shard/shard.ts';
import type { Call, Command } from './call.ts';

/** Such a command locks for itself, and has released: what it may have left half done shows in the shard. */
export function mendIfSuspect(call: Call, shard: Shard): void {
  acquireShard(shard);
  try {
    if (isSuspect(shard)) mendAfterFailure(call, shard, NaN);
  } finally {
    releaseShard(shard);
  }
}

/** A bug of ours: the client gets one line, the log the stack, and the shards are checked before others enter them. */
export function replyInternalError(call: Call, command: Command, replyStart: number, error: unknown): void {
  const { reply, engine } = call;
  reply.length = replyStart;
  dropNoted();
  const text = error instanceof Error ? error.message : String(error);
  writeError(reply, `ERR internal error in '${command.spec.name}': ${text}`);
  engine.counters[INTERNAL_ERRORS] += 1;
  engine.log.error(`command '${command.spec.name}' failed`, error);
}

export function mendAfterFailure(call: Call, shard: Shard, lsnBefore: number): void {
  if (!isSuspect(shard) && shard.numbers[LSN] === lsnBefore) return;
  call.engine.log.warning(`shard ${shard.index} after a failed command: ${mendShard(shard, call.nowMs)}`);
}
