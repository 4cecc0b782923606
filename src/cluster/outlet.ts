/**
 * Where the reply to a command goes that other nodes answer: to its place in the order of the client's replies while the client's
 * next commands run; or, where a client has no such places or is within a transaction, to a reply that is deferred.
 *
 * On the worker of the connection.
 */
import type { Buffer } from 'node:buffer';
import { type Call, deferReply } from '../commands/call.ts';
import type { Engine } from '../commands/engine.ts';
import { countIfError } from '../commands/error-replies.ts';
import type { Session } from '../commands/session.ts';
import { createReplyWriter, writeError, writeRaw } from '../resp/reply-writer.ts';

export type ReplyOutlet = {
  readonly engine: Engine;
  readonly session: Session;
  /** Of the reply, and of all that is asked for it. */
  readonly protocol: 2 | 3;
  /** Some of the reply has been added: nothing else can take its place. */
  hasBegun: boolean;
  /** Adds bytes to the reply, which must not change any more. */
  readonly add: (bytes: Buffer) => void;
  /** The reply is whole. */
  readonly end: () => void;
};

const ERROR_BYTES_START = 256;

/**
 * An outlet for the reply of the command of `call`, which is used no more then. With `holdsBack` the client's next commands wait for it, as
 * they must where this node does a part of the command itself: that goes over a link, and the next one might not.
 */
export function openOutlet(call: Call, holdsBack = false): ReplyOutlet {
  const { engine, session } = call;
  const base = { engine, session, protocol: session.protocol, hasBegun: false };
  const { places } = session.connection;
  if (places !== undefined && session.deferInside === undefined) {
    const place = places.open(holdsBack);
    return { ...base, add: (bytes) => places.add(place, bytes), end: () => places.end(place) };
  }
  const deferred = deferReply(call);
  const pieces: Buffer[] = [];
  return {
    ...base,
    add: (bytes) => void pieces.push(bytes),
    end: () =>
      deferred.resume((reply) => {
        for (const bytes of pieces) writeRaw(reply, bytes);
      }),
  };
}

/** Answers with an error of this node's; a reply that has begun can only be cut off. */
export function failOutlet(outlet: ReplyOutlet, text: string): void {
  const { engine, session } = outlet;
  if (outlet.hasBegun) {
    session.connection.destroy();
  } else {
    const error = createReplyWriter(ERROR_BYTES_START);
    writeError(error, text);
    countIfError(engine, error, 0);
    outlet.add(error.bytes.subarray(0, error.length));
  }
  outlet.end();
}
