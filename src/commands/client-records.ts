/**
 * The clients of all threads as records, for those who do not speak RESP.
 *
 * Each thread chooses among the clients that it serves (topic 'client-records'); the asking one among those that were chosen.
 */
import { clientFields } from './client-list.ts';
import type { Engine } from './engine.ts';
import type { Session } from './session.ts';

const TOPIC = 'client-records';

/** Which come first: those that sent the most commands, or those that came last. */
export type ClientOrder = 'busiest' | 'newest';

/** The fields of CLIENT LIST, and what the client has done so far. */
type ClientRecord = ReturnType<typeof clientFields> & {
  readonly worker: number;
  readonly connectedAtMs: number;
  readonly commands: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
};

/** `total` counts those that were left out, too. */
export type ClientRecords = { readonly total: number; readonly clients: readonly ClientRecord[] };

type RecordsQuery = { readonly limit: number; readonly order: ClientOrder };

/** Answers for the clients served here. */
export function installClientRecords(engine: Engine): void {
  engine.bus.handle(TOPIC, (payload) => chooseClients(engine, payload as RecordsQuery));
}

/** The first `limit` clients of all threads. A thread that does not answer is left out. */
export async function readClients(
  { bus }: Engine,
  limit: number,
  order: ClientOrder,
): Promise<ClientRecords> {
  const query: RecordsQuery = { limit, order };
  const answers = (await bus.requestAll(TOPIC, query)) as ClientRecords[];
  const clients = answers.flatMap((answer) => answer.clients).sort(comparing(order));
  const total = answers.reduce((sum, answer) => sum + answer.total, 0);
  return { total, clients: clients.slice(0, limit) };
}

function chooseClients(engine: Engine, { limit, order }: RecordsQuery): ClientRecords {
  const nowMs = engine.wallMs();
  const compare = comparing(order);
  const chosen = [...engine.sessions.values()]
    .sort((a, b) => compare(rankOf(a), rankOf(b)))
    .slice(0, limit)
    .map((session) => recordOf(engine, session, nowMs));
  return { total: engine.sessions.size, clients: chosen };
}

function recordOf(engine: Engine, session: Session, nowMs: number): ClientRecord {
  const { bytesIn, bytesOut, createdAtMs, commandsProcessed: commands } = session;
  return {
    ...clientFields(session, nowMs),
    worker: engine.workerIndex,
    connectedAtMs: createdAtMs,
    ...{ commands, bytesIn, bytesOut },
  };
}

type Rank = { readonly id: number; readonly connectedAtMs: number; readonly commands: number };

function rankOf({ id, createdAtMs, commandsProcessed: commands }: Session): Rank {
  return { id, connectedAtMs: createdAtMs, commands };
}

/** The ids of one thread grow with every client. */
function comparing(order: ClientOrder): (a: Rank, b: Rank) => number {
  const newest = (a: Rank, b: Rank) => b.connectedAtMs - a.connectedAtMs || b.id - a.id;
  return order === 'newest' ? newest : (a, b) => b.commands - a.commands || newest(a, b);
}
