/**
 * WAIT: answers how many replicas have what the client has changed so far; at once, when there are as many as it asks for, or when its
 * time is over.
 *
 * Runs on the thread of the connection, under no lock. On a node that is alone there are none. What the client has changed on other
 * nodes, which this one has passed on, those are asked for, over and over while it waits: some 200 us each time. Where a slot has failed
 * over since the client has changed it, the answer is 0 at once: its replicas may have all that the new owner has, and not that change.
 */
import type { Buffer } from 'node:buffer';
import { TIMER_MS_MAX } from '../config/limits.ts';
import { WAIT_LOOK_MS, WAIT_POLL_MS } from '../config/limits-cluster.ts';
import { type ReplyWriter, writeArray, writeBulk, writeError, writeInteger } from '../resp/reply-writer.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { argumentText, integerOf, NOT_AN_INTEGER } from './arguments.ts';
import { type Call, deferUntimed, type Handler } from './call.ts';
import { countReplicasOf, currentLsns, lsnsFrom, lsnsToBytes } from './replica-counts.ts';
import { beginTally, endTally, isTallyOver, type Tally, takeTally } from './replica-tally.ts';
import type { BlockedEnd } from './session.ts';
import { beginBlocked, endBlocked, UNBLOCKED } from './unblock.ts';

export const waitHandlers: Readonly<Record<string, Handler>> = { wait, 'cluster|wait-slots': waitSlots };

function wait(call: Call): void {
  const { reply, engine, session } = call;
  const wanted = integerOf(call, 1);
  const timeoutMs = integerOf(call, 2);
  const refusal = waitRefusal(wanted, timeoutMs);
  if (refusal !== undefined) {
    writeError(reply, refusal);
    return;
  }
  const tally = beginTally(engine, session);
  takeTally(tally);
  const isAtOnce = session.deferInside !== undefined || engine.workerIndex < 0;
  if (isAtOnce || isTallyOver(tally, wanted)) writeInteger(reply, endTally(tally));
  else waitFor(call, timeoutMs, wanted, tally);
}

/** What is wrong with the arguments, in the words and order of redis-server. */
function waitRefusal(wanted: number, timeoutMs: number): string | undefined {
  if (Number.isNaN(wanted)) return NOT_AN_INTEGER;
  if (Number.isNaN(timeoutMs)) return 'ERR timeout is not an integer or out of range';
  return timeoutMs < 0 ? 'ERR timeout is negative' : undefined;
}

/** Holds the reply back until there are enough, or the timeout is over; 0 is no timeout. */
function waitFor(call: Call, timeoutMs: number, wanted: number, tally: Tally): void {
  const { engine, session } = call;
  const deferred = deferUntimed(call);
  const end = (how: BlockedEnd) => {
    stopListening?.();
    clearTimeout(timer);
    clearInterval(poll);
    endBlocked(engine, session);
    deferred.resume((reply) => {
      const replicas = endTally(tally);
      if (how === 'error') writeError(reply, UNBLOCKED);
      else writeInteger(reply, replicas);
    });
  };
  const look = () => {
    takeTally(tally);
    if (session.closing || isTallyOver(tally, wanted)) end('timeout');
  };
  const stopListening = engine.cluster?.replication?.onAcknowledged(look);
  const timer = timeoutMs === 0 ? undefined : setTimeout(end, Math.min(timeoutMs, TIMER_MS_MAX), 'timeout');
  // Also where nothing is elsewhere: slots may go there.
  const poll = setInterval(look, tally.elsewhere.length > 0 ? WAIT_POLL_MS : WAIT_LOOK_MS);
  beginBlocked(engine, session, end);
}

/**
 * CLUSTER WAIT-SLOTS lsns [slot ...], of another node: how many replicas have what the shards had at these LSNs, by default have now, of the
 * slots, by default of all of this node's; and the LSNs. -1 where a slot is not this node's.
 */
function waitSlots(call: Call): void {
  const { engine, reply, session, input, spans } = call;
  if (!session.isPeer || engine.cluster === undefined) {
    writeError(reply, 'ERR only the nodes of a cluster may say that to one another');
    return;
  }
  const lsns = lsnsFrom(input.subarray(spans[4], spans[5]), engine.shards.length) ?? currentLsns(engine);
  const slots: number[] = [];
  for (let index = 3; index < call.count; index += 1)
    slots.push(Number(argumentText(call, index)) % SLOT_COUNT);
  writeCount(reply, countReplicasOf(engine, slots, lsns), lsnsToBytes(lsns));
}

function writeCount(reply: ReplyWriter, count: number, lsns: Buffer): void {
  writeArray(reply, 2);
  writeInteger(reply, count);
  writeBulk(reply, lsns, 0, lsns.length);
}
