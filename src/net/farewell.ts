/**
 * What the others do for a client ends, before its socket is gone: as soon as its last reply has been handed to the kernel.
 *
 * Runs on the client's worker. Until then it may be told of what changes; afterwards a message for it would be lost without a word,
 * where whoever has its messages sent there is to hear that it is gone.
 */
import { endMonitoring } from '../commands/monitor.ts';
import { endSubscriptions } from '../commands/pubsub.ts';
import { endTracking } from '../commands/tracking.ts';
import { endTransaction } from '../commands/transactions.ts';
import type { Connection } from './serving.ts';

/** The client listens to nothing, tracks and watches nothing, and nobody finds it any more. A second time does nothing. */
export function sayFarewell({ serving, session }: Connection): void {
  const { engine } = serving;
  session.closing = true;
  endMonitoring(engine, session);
  endTracking(engine, session);
  endTransaction(session);
  endSubscriptions(engine, session);
  engine.sessions.delete(session.id);
}
