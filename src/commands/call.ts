/**
 * One command being executed: its arguments, who asked, where its key is, where the reply goes.
 *
 * One record per thread, filled anew for every command, so that none is allocated. Handlers must not keep it.
 */
import type { Buffer } from 'node:buffer';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { slotOfKey } from '../routing/slot.ts';
import type { Shard } from '../shard/shard.ts';
import type { Engine } from './engine.ts';
import type { MovableKeys } from './key-places.ts';
import type { Deferred, Session } from './session.ts';
import { timeDeferred } from './slow-commands.ts';
import type { CommandSpec } from './spec.ts';
import { countWhenAnswered } from './timing.ts';

/** Runs one command whose arity, rights and keys the dispatcher has checked, under the locks of its keys' shards. */
export type Handler = (call: Call) => void;

/** A row of the tables with its handler and what the dispatcher derives from its flags, once, at load. */
export type Command = {
  readonly id: number;
  readonly spec: CommandSpec;
  readonly handler: Handler;
  readonly isWrite: boolean;
  /** Reads keys and changes none. */
  readonly isRead: boolean;
  /** Changes something, or tells others of something: waits while writes are paused. */
  readonly mayReplicate: boolean;
  /** Refused when memory is full and nothing may be evicted. */
  readonly deniesOom: boolean;
  /** Allowed before authentication. */
  readonly needsNoAuth: boolean;
  /** Allowed while the data set is loaded. */
  readonly allowsLoading: boolean;
  /** Takes about a microsecond, given few arguments: it may be timed together with others. */
  readonly isBrief: boolean;
  /** Not shown to monitors. */
  readonly isHidden: boolean;
  /** Refused between MULTI and EXEC. */
  readonly isRefusedInMulti: boolean;
  /** Looks at keys that the tables do not name: it locks shards itself. */
  readonly locksItself: boolean;
  /** Looks at keys or changes them. */
  readonly touchesKeys: boolean;
  readonly arity: number;
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  /** How its keys are found where the three above say too little: then the last one is -1. */
  readonly movable: MovableKeys | undefined;
  readonly subcommands: ReadonlyMap<string, Command> | undefined;
  /** A container (never called bare, as COMMAND is) whose own handler answers to subcommands that have no row. */
  readonly takesUnknown: boolean;
};

export type Call = {
  readonly engine: Engine;
  /** Argument i is `input[spans[2i], spans[2i + 1])`; argument 0 is the command's name. */
  input: Buffer;
  spans: Int32Array;
  count: number;
  command: Command;
  session: Session;
  reply: ReplyWriter;
  nowMs: number;
  /** Whether the command that is executed answers later. */
  isDeferred: boolean;
  /** The shard of the first key, locked; for a command without keys, the first shard, not locked. */
  shard: Shard;
};

/** The shard of the key that is argument `index`. Its lock is held if the tables name that argument a key. */
export function shardOfKey(call: Call, index: number): Shard {
  const { engine, spans } = call;
  return engine.shards[engine.slotShard[slotOfKey(call.input, spans[2 * index], spans[2 * index + 1])]];
}

/** Answers later: the client's next commands wait. The call record must not be used after the handler returns. */
export function deferReply(call: Call): Deferred {
  return timeDeferred(call, countWhenAnswered(call, defer(call), true));
}

/** The same for a command that waits for something to happen: however long that takes, the command is not slow. */
export function deferUntimed(call: Call): Deferred {
  return countWhenAnswered(call, defer(call), false);
}

function defer(call: Call): Deferred {
  call.isDeferred = true;
  const { connection, deferInside } = call.session;
  return deferInside === undefined ? connection.defer() : deferInside(call);
}
