/**
 * Clients that wait for something to happen: that they do so, and CLIENT UNBLOCK.
 *
 * Runs on the thread of the connection. CLIENT UNBLOCK asks all threads (topic 'client-unblock').
 */
import { CLIENTS_BLOCKED } from '../metrics/names.ts';
import { writeError, writeInteger } from '../resp/reply-writer.ts';
import { isWord, NOT_AN_INTEGER } from './arguments.ts';
import { type Call, deferReply, type Handler } from './call.ts';
import { clientIdOf } from './client-id.ts';
import type { Engine } from './engine.ts';
import { replyUnknownSubcommand } from './help.ts';
import type { BlockedEnd, Session } from './session.ts';

const TOPIC = 'client-unblock';

/** What a client is told whose wait ends with an error. */
export const UNBLOCKED = 'UNBLOCKED client unblocked via CLIENT UNBLOCK';

type UnblockQuery = { readonly id: number; readonly how: BlockedEnd };

export const unblockHandlers: Readonly<Record<string, Handler>> = { 'client|unblock': unblock };

/** Ends waits of this thread's clients that any thread is asked to end. */
export function installClientUnblock(engine: Engine): void {
  engine.bus.handle(TOPIC, (payload) => unblockClient(engine, payload as UnblockQuery));
}

/** The client waits from now on; `end` is called when that is to end before what it waits for has happened. */
export function beginBlocked(engine: Engine, session: Session, end: (how: BlockedEnd) => void): void {
  session.blocked = { end };
  engine.counters[CLIENTS_BLOCKED] += 1;
}

/** The client waits no more. */
export function endBlocked(engine: Engine, session: Session): void {
  session.blocked = undefined;
  engine.counters[CLIENTS_BLOCKED] -= 1;
}

/** Of a client that waits for the end of a pause redis-server 7.0.15 breaks down; it is none that is blocked. */
function unblock(call: Call): void {
  const { count, reply, engine } = call;
  const id = clientIdOf(call, 2);
  if (count > 4) replyUnknownSubcommand(call);
  else if (count === 4 && !isWord(call, 3, 'TIMEOUT') && !isWord(call, 3, 'ERROR'))
    writeError(reply, 'ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
  else if (Number.isNaN(id)) writeError(reply, NOT_AN_INTEGER);
  else {
    const how = count === 4 && isWord(call, 3, 'ERROR') ? 'error' : 'timeout';
    const deferred = deferReply(call);
    void engine.bus.requestAll(TOPIC, { id, how } satisfies UnblockQuery).then((answers) => {
      const unblocked = (answers as boolean[]).some((answer) => answer);
      deferred.resume((late) => writeInteger(late, unblocked ? 1 : 0));
    });
  }
}

function unblockClient({ sessions }: Engine, { id, how }: UnblockQuery): boolean {
  const blocked = sessions.get(id)?.blocked;
  blocked?.end(how);
  return blocked !== undefined;
}
